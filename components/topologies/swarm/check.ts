/** Finds what is wrong with a swarm's arguments and a plan together. */
import type { Problem } from "../../core/errors.ts";
import { containers, type Plan } from "../../core/plan.ts";
import { networksOf } from "../containers.ts";
import { unknownMachines } from "../machines.ts";
import { subnetProblems } from "../subnets.ts";
import type { SwarmArgs } from "./args.ts";
import { noSocket } from "./sockets.ts";

type Checked = Pick<SwarmArgs, "managers" | "nodes" | "subnets" | "socket" | "publish" | "endpointMode"> & {
  readonly tls: { readonly mode: string };
};

export function swarmProblems(args: Checked, plan: Plan): Problem[] {
  const { nodes = {}, subnets = {} } = args;
  const planned = containers(plan);
  return [
    ...unknownMachines("swarm.nodes", nodes, planned),
    ...ingress(args),
    ...subnetProblems("swarm.subnets", subnets, ["edge", "app", "data"], planned, (container) =>
      networksOf(container, "disk" in container),
    ),
    ...noSocket(args, planned),
  ];
}

/**
 * Ingress is a virtual address of the kernel's balancer, which a swarm with dnsrr has not. And the edge sees that
 * address for every caller.
 */
function ingress({ tls, publish, endpointMode }: Checked): Problem[] {
  if (publish !== "ingress") return [];
  const say = (remedy: string): Problem => ({ key: "swarm.publish", value: publish, remedy });
  return [
    ...(endpointMode === "dnsrr" ? [say("needs endpointMode vip: use host, or vip")] : []),
    ...(tls.mode === "outside" ? [say("hides who calls, so no proxy can be told from a stranger: use host")] : []),
  ];
}
