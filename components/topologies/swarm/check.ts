/** Finds what is wrong with a swarm's arguments and a plan together. */
import type { Verdict } from "../../core/certificates.ts";
import type { List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { containers, type Plan } from "../../core/plan.ts";
import { copiesOf } from "../../core/supply.ts";
import type { Site } from "../../core/topology.ts";
import { adoptedProblems } from "../adopted.ts";
import { networksOf } from "../containers.ts";
import { unknownMachines } from "../machines.ts";
import { type NetworkChoices, subnetProblems } from "../subnets.ts";
import { checkTls } from "../tls.ts";
import type { SwarmArgs } from "./args.ts";
import { swarmCapabilities } from "./capabilities.ts";
import { noSocket } from "./sockets.ts";

type Checked = Pick<SwarmArgs, "managers" | "nodes" | "socket" | "edge" | "publish" | "endpointMode" | "tls"> &
  NetworkChoices;

/** The networks that every stack has, each for its tier. */
export const tiers = ["edge", "app", "data"] as const;

export function checkSwarm(args: Checked, site: Site, plan: Plan): Verdict {
  const { nodes = {}, subnets = {} } = args;
  const planned = containers(plan);
  const joined = planned.flatMap(([, { networks = [] }]) => networks);
  const { problems, warnings } = checkTls("swarm", args.tls, site, plan);
  const more = [
    ...unknownMachines("swarm.nodes", nodes, planned),
    ...ingress(args),
    ...adoptedProblems("swarm", args, tiers, joined),
    ...subnetProblems("swarm.subnets", subnets, tiers, planned, (container) =>
      networksOf(container, "disk" in container),
    ),
    ...noSocket(args, planned),
  ];
  return { problems: [...problems, ...more], warnings: [...warnings, ...single(site, plan)] };
}

/** Keys of images that no part of a plan names. */
export function ownImages({ edge }: Pick<SwarmArgs, "edge">): List<string> {
  return edge?.address === undefined ? [] : ["keepalived"];
}

/** What the loss of a node costs a protected stack. */
function single(site: Site, { slots }: Plan): string[] {
  const { protect, backup } = site;
  const alone = [...slots].flatMap(([name, slot]) => (slot.alone === true ? [name] : []));
  if (!protect || alone.length === 0) return [];
  const left =
    backup === undefined
      ? "all is lost with its disk, as there is no backup"
      : "a lost disk is what the last backup has";
  const remedy =
    copiesOf(site, swarmCapabilities) === 1
      ? "with copies: 3 another takes over, where the store can have one (docs/ha.md)"
      : "docs/ha.md says what can be done";
  return [`${alone.join(", ")}: one server each, which answers nobody while its node is away, and ${left}: ${remedy}`];
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
