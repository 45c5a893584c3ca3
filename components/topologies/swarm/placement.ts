import type { Dict, List } from "../../core/contracts.ts";

/** Node labels as the scheduler's constraints. `role` is the swarm's own: manager or worker. */
export function constraintsOf(nodes: Dict<string>): string[] {
  return Object.entries(nodes)
    .map(([key, value]) => (key === "role" ? `node.role==${value}` : `node.labels.${key}==${value}`))
    .sort();
}

/** The same for a person: `on managers with disk=fast`; undefined: on any. */
export function onNodes({ role, ...labels }: Dict<string>): string | undefined {
  const named = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  if (role === undefined && named.length === 0) return undefined;
  return `on ${role === undefined ? "nodes" : `${role}s`}${named.length === 0 ? "" : ` with ${named.sort().join(", ")}`}`;
}

/** The constraint for one machine by its name. */
export function onNode(hostname: string | undefined): List<string> {
  return hostname === undefined ? [] : [`node.hostname==${hostname}`];
}

/** The labels in the form that a VolumeNode takes. */
export function volumeNodeConstraints({ role, ...labels }: Dict<string>): {
  readonly labels: Dict<string>;
  readonly role?: "manager" | "worker";
} {
  return role === "manager" || role === "worker" ? { labels, role } : { labels };
}

/** `dbserver` of `dbserver-3`: slots of one role go to different nodes. */
export function roleOf(slot: string): string {
  return slot.replace(/-\d+$/, "");
}
