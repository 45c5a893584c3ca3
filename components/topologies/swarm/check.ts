/** Finds what is wrong with a swarm's arguments and a plan together. */
import type { Verdict } from "../../core/certificates.ts";
import type { Problem } from "../../core/errors.ts";
import { containers, type Plan } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { networksOf } from "../containers.ts";
import { unknownMachines } from "../machines.ts";
import { subnetProblems } from "../subnets.ts";
import { checkTls } from "../tls.ts";
import type { SwarmArgs } from "./args.ts";
import { noSocket } from "./sockets.ts";

type Checked = Pick<SwarmArgs, "managers" | "nodes" | "subnets" | "socket" | "publish" | "endpointMode" | "tls">;

export function checkSwarm(args: Checked, site: Site, plan: Plan): Verdict {
  const { nodes = {}, subnets = {} } = args;
  const planned = containers(plan);
  const { problems, warnings } = checkTls("swarm", args.tls, site, plan);
  const more = [
    ...unknownMachines("swarm.nodes", nodes, planned),
    ...ingress(args),
    ...subnetProblems("swarm.subnets", subnets, ["edge", "app", "data"], planned, (container) =>
      networksOf(container, "disk" in container),
    ),
    ...noSocket(args, planned),
  ];
  return { problems: [...problems, ...more], warnings };
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
