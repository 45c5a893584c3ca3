import type { Input, Output, Resource } from "@pulumi/pulumi";
import { TargetGroupAttachment } from "@pulumi/aws/lb/targetGroupAttachment.js";

import type { List } from "../../../core/contracts.ts";
import type { At } from "../../../core/topology.ts";
import { namesOf } from "../balancer.ts";
import { PassingBalancer } from "../passing.ts";
import type { Region } from "../region.ts";

export interface SwarmEdge {
  readonly dnsName: Output<string>;
  readonly ready: Resource[];
}

/**
 * A network load balancer before the managers: it passes TCP on, with the caller's address, to the edge that a stack on
 * the swarm publishes there. TLS is that edge's own. Names: the stack's and all below it, if the zone is known.
 */
export function swarmEdge(
  region: Region,
  ports: List<number>,
  members: List<{ readonly host: string; readonly address: Input<string> }>,
  { parent, logicalName }: At,
): SwarmEdge {
  const { site, network, under } = region;
  const options = under(parent);
  const logical = `${logicalName}-edge`;
  const passing = new PassingBalancer(region, { parent, logicalName: logical });
  const listeners = ports.map((port) => {
    network.opens(port, "app");
    const { group, listener } = passing.pass({
      port,
      says: `no manager answers at port ${String(port)}`,
      look: "`docker service ls` on a manager: the edge of the stack on the swarm publishes this port",
      group: { port, preserveClientIp: "true", deregistrationDelay: 60 },
    });
    for (const { host, address } of members)
      new TargetGroupAttachment(
        `${logical}-${String(port)}-${host}`,
        { targetGroupArn: group.arn, targetId: address, port },
        options,
      );
    return listener;
  });
  const records = namesOf(region, passing.balancer, [site.hostname, `*.${site.hostname}`], logical, options);
  return { dnsName: passing.dnsName, ready: [passing.balancer, ...listeners, ...records] };
}
