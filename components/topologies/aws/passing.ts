/** A network load balancer, which passes TCP on to what ends TLS behind it: our own proxies, or a swarm's managers. */
import type { CustomResourceOptions, Output } from "@pulumi/pulumi";
import { Listener, type ListenerArgs } from "@pulumi/aws/lb/listener.js";
import { LoadBalancer, type LoadBalancerArgs } from "@pulumi/aws/lb/loadBalancer.js";
import { TargetGroup, type TargetGroupArgs } from "@pulumi/aws/lb/targetGroup.js";

import { protection } from "../../core/site.ts";
import type { At } from "../../core/topology.ts";
import { prefixOf } from "./balancer.ts";
import type { Region } from "./region.ts";

/** From a port that the world calls to its targets. */
export interface Way {
  readonly port: number;
  /** What is wrong when none of them is well. */
  readonly says: string;
  /** What to type first then, or where to look. */
  readonly look: string;
  /** The targets' own port, and what differs from TCP that is passed on as it is. */
  readonly group: Partial<TargetGroupArgs> & { readonly port: number };
  /** Where the targets are asked whether they are there. Default: their own port. */
  readonly asked?: number;
  readonly listener?: Partial<ListenerArgs>;
}

export class PassingBalancer {
  readonly balancer: LoadBalancer;
  readonly dnsName: Output<string>;
  readonly #region: Region;
  readonly #logical: string;
  readonly #options: CustomResourceOptions;

  constructor(region: Region, { parent, logicalName }: At, more: Partial<LoadBalancerArgs> = {}) {
    const { site, network, logs, under } = region;
    this.#region = region;
    this.#logical = logicalName;
    this.#options = under(parent);
    this.balancer = new LoadBalancer(
      logicalName,
      {
        namePrefix: prefixOf(site.name),
        loadBalancerType: "network",
        subnets: network.subnets("edge"),
        securityGroups: [network.group("edge")],
        enableCrossZoneLoadBalancing: true,
        enableDeletionProtection: site.protect,
        ...more,
      },
      // AWS keeps it where Pulumi does: a `destroy --exclude-protected` would end at it half-way.
      {
        ...this.#options,
        ...protection(site.protect),
        dependsOn: [...network.ready, ...(more.accessLogs === undefined ? [] : logs.ready)],
      },
    );
    this.dnsName = this.balancer.dnsName;
  }

  /** Its targets, and what leads to them, with an alarm for when nobody answers there. */
  pass({ port, says, look, group, asked = group.port, listener }: Way): {
    readonly group: TargetGroup;
    readonly listener: Listener;
  } {
    const { network, alarms } = this.#region;
    const [balancer, options] = [this.balancer, this.#options];
    network.published(port);
    const key = `${this.#logical}-${String(port)}`;
    const targets = new TargetGroup(
      key,
      {
        namePrefix: prefixOf(`tcp${String(port)}`),
        ...{ targetType: "ip", protocol: "TCP", vpcId: network.vpcId },
        healthCheck: {
          protocol: "TCP",
          port: String(asked),
          ...{ interval: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
        },
        ...group,
      },
      options,
    );
    alarms.watch(
      `${key}-unhealthy`,
      {
        ...{ says, look },
        ...{ namespace: "AWS/NetworkELB", metric: "HealthyHostCount", statistic: "Maximum" },
        dimensions: { LoadBalancer: balancer.arnSuffix, TargetGroup: targets.arnSuffix },
        ...{ when: "below", threshold: 1, minutes: 5, silence: "rings" },
      },
      options,
    );
    const made = new Listener(
      key,
      {
        ...{ loadBalancerArn: balancer.arn, port, protocol: "TCP" },
        defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
        ...listener,
      },
      options,
    );
    return { group: targets, listener: made };
  }
}
