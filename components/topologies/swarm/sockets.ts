import type { Container, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import type { SwarmArgs } from "./args.ts";

type Sockets = Pick<SwarmArgs, "socket" | "managers">;

/** The path of the engine's socket on the nodes: the config's `socket`, else that of a manager named as `unix://…`. */
export function socketOf({ socket, managers }: Sockets): string | undefined {
  return socket ?? managers.find((manager) => manager.startsWith("unix://"))?.slice("unix://".length);
}

/** Containers that are given their node's socket, if nobody has named its path. All nodes have the same path. */
export function noSocket(args: Sockets, planned: List<readonly [string, Container]>): Problem[] {
  const given = planned.filter(([, { needs = [] }]) => needs.includes("container-api")).map(([name]) => name);
  if (given.length === 0 || socketOf(args) !== undefined) return [];
  return [
    {
      key: "swarm.socket",
      remedy: `given to ${given.join(", ")}, and swarm.managers does not say where the nodes have it: name its path there, as /var/run/docker.sock`,
    },
  ];
}
