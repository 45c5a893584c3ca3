import type { Input, Output, Resource } from "@pulumi/pulumi";
import { Listener } from "@pulumi/aws/lb/listener.js";
import { LoadBalancer } from "@pulumi/aws/lb/loadBalancer.js";
import { TargetGroup } from "@pulumi/aws/lb/targetGroup.js";
import { TargetGroupAttachment } from "@pulumi/aws/lb/targetGroupAttachment.js";

import type { List } from "../../../core/contracts.ts";
import type { At } from "../../../core/topology.ts";
import { namesOf, prefixOf } from "../balancer.ts";
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
  const { site, network, alarms, under } = region;
  const options = under(parent);
  const logical = `${logicalName}-edge`;
  const balancer = new LoadBalancer(
    logical,
    {
      namePrefix: prefixOf(site.name),
      loadBalancerType: "network",
      subnets: network.subnets("edge"),
      securityGroups: [network.group("edge")],
      enableCrossZoneLoadBalancing: true,
      enableDeletionProtection: site.protect,
    },
    // AWS keeps it where Pulumi does: a `destroy --exclude-protected` would end at it half-way.
    { ...options, protect: site.protect, dependsOn: network.ready },
  );
  const listeners = ports.map((port) => {
    network.published(port);
    network.opens(port, "app");
    const key = `${logical}-${String(port)}`;
    const group = new TargetGroup(
      key,
      {
        namePrefix: prefixOf(`tcp${String(port)}`),
        ...{ targetType: "ip", protocol: "TCP", port, vpcId: network.vpc.id },
        preserveClientIp: "true",
        deregistrationDelay: 60,
        healthCheck: { protocol: "TCP", port: String(port), interval: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
      },
      options,
    );
    for (const { host, address } of members)
      new TargetGroupAttachment(`${key}-${host}`, { targetGroupArn: group.arn, targetId: address, port }, options);
    alarms.watch(
      `${key}-unhealthy`,
      {
        says: `no manager answers at port ${String(port)}`,
        look: "`docker service ls` on a manager: the edge of the stack on the swarm publishes this port",
        ...{ namespace: "AWS/NetworkELB", metric: "HealthyHostCount", statistic: "Maximum" },
        dimensions: { LoadBalancer: balancer.arnSuffix, TargetGroup: group.arnSuffix },
        ...{ when: "below", threshold: 1, minutes: 5, silence: "rings" },
      },
      options,
    );
    return new Listener(
      key,
      {
        ...{ loadBalancerArn: balancer.arn, port, protocol: "TCP" },
        defaultActions: [{ type: "forward", targetGroupArn: group.arn }],
      },
      options,
    );
  });
  const records = namesOf(region, balancer, [site.hostname, `*.${site.hostname}`], logical, options);
  return { dnsName: balancer.dnsName, ready: [balancer, ...listeners, ...records] };
}
