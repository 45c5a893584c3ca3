/** The edge: an application load balancer that ends TLS and sends each route to its targets. */
import { type CustomResourceOptions, type Input, type Output, type Resource } from "@pulumi/pulumi";
import { Listener } from "@pulumi/aws/lb/listener.js";
import { ListenerRule } from "@pulumi/aws/lb/listenerRule.js";
import { LoadBalancer } from "@pulumi/aws/lb/loadBalancer.js";
import { TargetGroup } from "@pulumi/aws/lb/targetGroup.js";
import { TargetGroupAttachment } from "@pulumi/aws/lb/targetGroupAttachment.js";
import { Record as DnsRecord } from "@pulumi/aws/route53/record.js";
import { WebAclAssociation } from "@pulumi/aws/wafv2/webAclAssociation.js";

import type { Container, List } from "../../core/contracts.ts";
import { type PlannedRoute, routesOf, type Plan } from "../../core/plan.ts";
import { protection } from "../../core/site.ts";
import type { At } from "../../core/topology.ts";
import { bucketName } from "./fit.ts";
import { recordsName } from "./logs.ts";
import { type Region, tailOf } from "./region.ts";
import { type Rule, rulesOf } from "./rules.ts";

/** A group of targets, and the rules that lead to it: a service cannot use a group before. */
export interface Targets {
  readonly group: TargetGroup;
  readonly port: number;
  readonly rules: Resource[];
}

/** TLS 1.2 and 1.3, with what the FSBP's ELB.17 recommends. */
export const sslPolicy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09";

export class Balancer {
  readonly dnsName: Output<string>;
  readonly ready: Resource[] = [];
  readonly #region: Region;
  readonly #plan: Plan;
  readonly #suffix: Output<string>;
  readonly #targets = new Map<string, Targets>();

  constructor(region: Region, plan: Plan, certificate: Input<string>, at: At) {
    this.#region = region;
    this.#plan = plan;
    const { site, network, under, logs, alarms, firewall } = region;
    const { parent, logicalName: logical } = at;
    const options = under(parent);
    const routes = routesOf(plan);
    network.published(443);
    network.published(80);
    const balancer = new LoadBalancer(
      logical,
      {
        namePrefix: prefixOf(site.name),
        loadBalancerType: "application",
        subnets: network.subnets("edge"),
        securityGroups: [network.group("edge")],
        // One time for all routes: a request may be silent for that long.
        idleTimeout: Math.max(60, ...routes.map(({ seconds = 60 }) => seconds)),
        enableDeletionProtection: site.protect,
        dropInvalidHeaderFields: true,
        desyncMitigationMode: "defensive",
        accessLogs: { bucket: logs.bucket, prefix: "edge", enabled: true },
      },
      // AWS keeps it where Pulumi does: a `destroy --exclude-protected` would end at it half-way.
      { ...options, ...protection(site.protect), dependsOn: [...network.ready, ...logs.ready] },
    );
    this.dnsName = balancer.dnsName;
    this.#suffix = balancer.arnSuffix;
    if (firewall !== undefined)
      new WebAclAssociation(logical, { resourceArn: balancer.arn, webAclArn: firewall }, options);
    const errors = [
      ["balancer", "HTTPCode_ELB_5XX_Count", "the balancer itself: its targets are gone, slow or full"],
      ["applications", "HTTPCode_Target_5XX_Count", "the applications"],
    ] as const;
    for (const [key, metric, says] of errors)
      alarms.watch(
        `${logical}-${key}-errors`,
        {
          says: `more than ten errors (5xx) a minute from ${says}`,
          look: `the requests in \`aws s3 ls --recursive s3://${bucketName(region, recordsName(site.name))}/edge/\`, and the applications' logs`,
          ...{ namespace: "AWS/ApplicationELB", metric, statistic: "Sum" },
          dimensions: { LoadBalancer: this.#suffix },
          ...{ when: "above", threshold: 10, minutes: 5 },
        },
        options,
      );
    const redirect = { port: "443", protocol: "HTTPS", statusCode: "HTTP_301" };
    new Listener(
      `${logical}-http`,
      { loadBalancerArn: balancer.arn, port: 80, protocol: "HTTP", defaultActions: [{ type: "redirect", redirect }] },
      options,
    );
    const listener = new Listener(
      `${logical}-https`,
      {
        ...{ loadBalancerArn: balancer.arn, port: 443, protocol: "HTTPS", sslPolicy, certificateArn: certificate },
        defaultActions: [nothing],
      },
      options,
    );
    const rules = rulesOf(routes).map((rule) => this.#rule(logical, rule, listener, options));
    this.ready.push(balancer, listener, ...rules);
    const hosts = [...new Set(routes.map((route) => route.host))];
    this.ready.push(...namesOf(region, balancer, hosts, logical, options));
  }

  /** The groups that a workload's tasks, or a slot, are to join. */
  targetsOf(name: string, { routes = [], ports = {} }: Container): Targets[] {
    const keys = new Set(routes.map((route) => `${route.pool ?? name}-${String(ports[route.port]?.number ?? 0)}`));
    return [...keys].flatMap((key) => this.#targets.get(key) ?? []);
  }

  /** Joins a slot, whose address never changes. */
  joins(name: string, slot: Container, address: Input<string>, { parent, logicalName }: At): void {
    for (const { group, port } of this.targetsOf(name, slot))
      new TargetGroupAttachment(
        `${logicalName}-${String(port)}`,
        { targetGroupArn: group.arn, targetId: address, port },
        this.#region.under(parent),
      );
  }

  #rule(logical: string, { host, pattern, priority, route }: Rule, listener: Listener, options: object): ListenerRule {
    const path = pattern
      .slice(1, -1)
      .replaceAll(/[^a-zA-Z0-9]+/g, "-")
      .replaceAll(/^-|-$/g, "");
    const suffix = route === undefined ? "hidden" : "to";
    const targets = route && this.#targetsFor(logical, route, options);
    const made = new ListenerRule(
      `${logical}-${host}-${path === "" ? "all" : path}-${suffix}`,
      {
        listenerArn: listener.arn,
        priority,
        conditions: [{ hostHeader: { values: [host] } }, { pathPattern: { values: [pattern] } }],
        actions: [targets === undefined ? nothing : { type: "forward", targetGroupArn: targets.group.arn }],
        ...(route?.strip === undefined ? {} : { transforms: [stripped(route.strip)] }),
      },
      options,
    );
    targets?.rules.push(made);
    return made;
  }

  /** Routes to one port of one workload share their targets. */
  #targetsFor(logical: string, route: PlannedRoute, options: object): Targets {
    const key = keyOf(route);
    const found = this.#targets.get(key);
    if (found !== undefined) return found;
    const { target, check, sticky, of, hosts, seconds = 60 } = route;
    const { network, alarms } = this.#region;
    network.opens(target.number, groupBehind(this.#plan, route));
    const group = new TargetGroup(
      `${logical}-${key}`,
      {
        namePrefix: prefixOf(key),
        ...{ targetType: "ip", protocol: "HTTP", port: target.number, vpcId: network.vpcId },
        // A roll waits so long for each task that goes: as long as a request may take.
        deregistrationDelay: Math.min(3600, seconds),
        healthCheck: {
          path: check?.path ?? "/",
          port: String(check?.port ?? target.number),
          // Without a page of its own any answer says that the server is there.
          matcher: check === undefined ? "200-499" : "200-399",
          ...{ interval: 10, timeout: 5, healthyThreshold: 2, unhealthyThreshold: 3 },
        },
        ...(sticky === undefined
          ? {}
          : { stickiness: { type: "lb_cookie", enabled: true, cookieDuration: sticky.seconds } }),
      },
      options,
    );
    alarms.watch(
      `${logical}-${key}-unhealthy`,
      {
        says: `${route.to} does not answer the balancer`,
        look: tailOf(this.#region, (of === "slots" ? hosts[0] : undefined) ?? route.to),
        ...{ namespace: "AWS/ApplicationELB", metric: "UnHealthyHostCount", statistic: "Maximum" },
        dimensions: { LoadBalancer: this.#suffix, TargetGroup: group.arnSuffix },
        ...{ when: "above", threshold: 0, minutes: 5 },
      },
      options,
    );
    const made: Targets = { group, port: target.number, rules: [] };
    this.#targets.set(key, made);
    return made;
  }
}

/** The security group in which the edge reaches what answers a route. */
export function groupBehind({ slots, workloads }: Plan, { of, to, hosts }: PlannedRoute): "app" | "routed" {
  const container = of === "slots" ? slots.get(hosts[0] ?? "") : workloads.get(to);
  return container?.tier === "data" ? "routed" : "app";
}

const nothing = {
  type: "fixed-response",
  fixedResponse: { contentType: "text/plain", messageBody: "not found", statusCode: "404" },
};

/** Records of the public names, if the stack knows their zone. */
export function namesOf(
  { zoneId }: Region,
  balancer: LoadBalancer,
  hosts: List<string>,
  logical: string,
  options: CustomResourceOptions,
): DnsRecord[] {
  if (zoneId === undefined) return [];
  const aliases = [{ name: balancer.dnsName, zoneId: balancer.zoneId, evaluateTargetHealth: false }];
  return hosts.map((host) => new DnsRecord(`${logical}-${host}`, { zoneId, name: host, type: "A", aliases }, options));
}

/** Balancers and target groups have 32 characters, of which the provider wants 26: a name of its own would not fit. */
export function prefixOf(name: string): string {
  return `${name.replaceAll(/[^a-zA-Z0-9]/g, "").slice(0, 5)}-`;
}

function keyOf({ to, target }: PlannedRoute): string {
  return `${to}-${String(target.number)}`;
}

/** Takes the beginning off the path that the workload sees. */
function stripped(prefix: string) {
  const escaped = prefix.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return {
    type: "url-rewrite",
    urlRewriteConfig: { rewrite: { regex: `^${escaped}/?(.*)`, replace: "/$1" } },
  };
}
