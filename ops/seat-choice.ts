/** Which node a seat gets. */
import { z } from "zod";

import { compareText } from "./swarm.ts";
import type { Node } from "./swarm.ts";

export const seatLabel = "platform-topologies.seat.";
/** Its value is the group. A group in the key would leave open where it ends and the seat's name begins. */
export const spreadLabel = "platform-topologies.spread.";
export const generationLabel = "platform-topologies.generation.";

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
