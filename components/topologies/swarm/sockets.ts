import type { SwarmArgs } from "./args.ts";

/** Where the nodes have their engine's socket: as said, else as we reach a manager of this machine. */
export function socketOf({ socket, managers }: Pick<SwarmArgs, "socket" | "managers">): string | undefined {
  return socket ?? managers.find((manager) => manager.startsWith("unix://"))?.slice("unix://".length);
}
