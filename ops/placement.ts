/** Reads placement constraints as the engine's scheduler does, to tell the nodes where a global service has to run. */
import type { Node } from "./swarm.ts";

/**
 * Whether a global service with these constraints (`node.role==worker`, `node.labels.disk!=slow`) runs a task there.
 */
export function eligible(node: Node, constraints: readonly string[]): boolean {
  const ready = node.Status.State === "ready" && node.Spec.Availability === "active";
  return ready && fits(node, constraints);
}

/** The same of a node that may be down or drained for a while. */
export function fits(node: Node, constraints: readonly string[]): boolean {
  return constraints.every((constraint) => satisfies(node, constraint));
}

function satisfies(node: Node, constraint: string): boolean {
  const [, key = "", operator, wanted = ""] = /^\s*(.*?)\s*(==|!=)\s*(.*?)\s*$/.exec(constraint) ?? [];
  const is = valueOf(node, key).toLowerCase() === wanted.toLowerCase();
  return operator === "!=" ? !is : is;
}

function valueOf({ ID, Spec, Description }: Node, key: string): string {
  const [prefix, label] = /^(node|engine)\.labels\.(.+)$/i.exec(key)?.slice(1) ?? [];
  if (label !== undefined) {
    return (prefix?.toLowerCase() === "node" ? Spec.Labels : Description.Engine.Labels)[label] ?? "";
  }
  switch (key.toLowerCase()) {
    case "node.id":
      return ID;
    case "node.hostname":
      return Description.Hostname;
    case "node.role":
      return Spec.Role;
    case "node.platform.os":
      return Description.Platform.OS;
    case "node.platform.arch":
      return Description.Platform.Architecture;
    default:
      return "";
  }
}
