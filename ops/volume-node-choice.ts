/** Chooses the node of a VolumeNode. */
import { z } from "zod";

import { compareText } from "./swarm.ts";
import type { Node } from "./swarm.ts";

export const volumeNodeLabel = "platform-topologies.volume-node.";
/** The label's value is the group. In the key nobody could tell where the group ends and the name begins. */
export const spreadLabel = "platform-topologies.spread.";
export const generationLabel = "platform-topologies.generation.";
/** The label with the owner, as on everything else. */
export const volumeNodeOwnerLabel = "platform-topologies.owner.";

/** What to do about the volume node label of another state. */
export function foreignVolumeNode(name: string, { Description, Spec }: Node): string {
  const label = volumeNodeLabel + name;
  return (
    `the node ${Description.Hostname} has the label ${label}=${Spec.Labels[label] ?? ""} of another state: name the ` +
    "stack otherwise; or, if the disk behind it may be forgotten, run `docker node update " +
    `--label-rm ${label} ${Description.Hostname}\``
  );
}

export const constraints = z.object({
  labels: z.record(z.string(), z.string()).optional(),
  role: z.enum(["manager", "worker"]).optional(),
});
export type Constraints = z.infer<typeof constraints>;

/** The node with the fewest VolumeNodes of the group, then of all, then the first by name. */
export function choose(nodes: readonly Node[], asked: Constraints, group: string): Node | undefined {
  const [first] = nodes
    .filter((node) => fits(node, asked))
    .map((node) => ({ node, volumeNodes: countVolumeNodes(node), peers: countVolumeNodes(node, group) }))
    .sort(
      (a, b) =>
        a.peers - b.peers ||
        a.volumeNodes - b.volumeNodes ||
        compareText(a.node.Description.Hostname, b.node.Description.Hostname) ||
        compareText(a.node.ID, b.node.ID),
    );
  return first?.node;
}

function fits({ Status, Spec }: Node, { labels = {}, role }: Constraints): boolean {
  const ready = Status.State === "ready" && Spec.Availability === "active" && (role ?? Spec.Role) === Spec.Role;
  return ready && Object.entries(labels).every(([key, value]) => Spec.Labels[key] === value);
}

function countVolumeNodes({ Spec }: Node, group?: string): number {
  return Object.keys(Spec.Labels).filter((key) => {
    if (!key.startsWith(volumeNodeLabel)) return false;
    return group === undefined || Spec.Labels[spreadLabel + key.slice(volumeNodeLabel.length)] === group;
  }).length;
}

export function describeConstraints({ labels = {}, role }: Constraints): string {
  const pairs = Object.entries(labels).map(([key, value]) => `label ${key}=${value}`);
  return ["ready and active", ...(role === undefined ? [] : [`role ${role}`]), ...pairs].join(", ");
}
