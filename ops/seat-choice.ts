/** Which node a seat gets. */
import { z } from "zod";

import { compareText } from "./swarm.ts";
import type { Node } from "./swarm.ts";

export const seatLabel = "platform-topologies.seat.";
/** Its value is the group. A group in the key would leave open where it ends and the seat's name begins. */
export const spreadLabel = "platform-topologies.spread.";
export const generationLabel = "platform-topologies.generation.";
/** Whose it is, as the owner's label on everything else. */
export const seatOwnerLabel = "platform-topologies.owner.";

/** What to do about a seat that another state has made. */
export function foreignSeat(name: string, { Description, Spec }: Node): string {
  const label = seatLabel + name;
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

/** The node with the fewest seats of the group, then of all, then the first by name. */
export function choose(nodes: readonly Node[], asked: Constraints, group: string): Node | undefined {
  const [first] = nodes
    .filter((node) => fits(node, asked))
    .map((node) => ({ node, seats: countSeats(node), peers: countSeats(node, group) }))
    .sort(
      (a, b) =>
        a.peers - b.peers ||
        a.seats - b.seats ||
        compareText(a.node.Description.Hostname, b.node.Description.Hostname) ||
        compareText(a.node.ID, b.node.ID),
    );
  return first?.node;
}

function fits({ Status, Spec }: Node, { labels = {}, role }: Constraints): boolean {
  const ready = Status.State === "ready" && Spec.Availability === "active" && (role ?? Spec.Role) === Spec.Role;
  return ready && Object.entries(labels).every(([key, value]) => Spec.Labels[key] === value);
}

function countSeats({ Spec }: Node, group?: string): number {
  return Object.keys(Spec.Labels).filter((key) => {
    if (!key.startsWith(seatLabel)) return false;
    return group === undefined || Spec.Labels[spreadLabel + key.slice(seatLabel.length)] === group;
  }).length;
}

export function describeConstraints({ labels = {}, role }: Constraints): string {
  const pairs = Object.entries(labels).map(([key, value]) => `label ${key}=${value}`);
  return ["ready and active", ...(role === undefined ? [] : [`role ${role}`]), ...pairs].join(", ");
}
