/** The edge as our own proxies: a network load balancer passes TCP on to them, with the caller's address before it. */
import type { Input, Output, Resource } from "@pulumi/pulumi";

import type { Ready, Workload } from "../../core/contracts.ts";
import { type Plan, routesOf } from "../../core/plan.ts";
import type { At } from "../../core/topology.ts";
import { edgePorts, publishedPorts } from "../../edge/proxy.ts";
import { part } from "../base.ts";
import { groupBehind, namesOf, sslPolicy, type Targets } from "./balancer.ts";
import { proxyWorkload } from "./own-proxy.ts";
import { PassingBalancer } from "./passing.ts";
import { type Region, tailOf } from "./region.ts";

/** Seconds for which requests under way may go on, while the balancer learns that a proxy is to go. */
const drainSeconds = 180;

export interface ProxyEdge {
  readonly dnsName: Output<string>;
  readonly ready: Resource[];
}

/** What the proxies serve. `front`: ACM's certificate, for a balancer that ends TLS and speaks it anew to the proxies. */
export interface Served {
  readonly cert: Input<string>;
  readonly key: Input<string>;
  readonly front: Input<string> | undefined;
}

/** `run`: runs the proxies as the targets of both ports. */
export function makeProxyEdge(
  region: Region,
  plan: Plan,
  { cert, key, front }: Served,
  run: (workload: Workload, targets: Targets[]) => Ready,
  at: At,
): ProxyEdge {
  const { site, network, logs, alarms, under } = region;
  const options = under(at.parent);
  const routes = routesOf(plan);
  for (const route of routes)
    for (const port of new Set([route.target.number, route.check?.port ?? route.target.number]))
      network.opens(port, groupBehind(plan, route), "proxy");
  // Of TLS that ends at the balancer AWS keeps a record; of what it only passes on there is none.
  const kept = front === undefined ? {} : { accessLogs: { bucket: logs.bucket, enabled: true } };
  const passing = new PassingBalancer(region, part(at, "tcp"), kept);
  const { http, https } = edgePorts(site);
  const look = tailOf(region, "edge");
  const targets = publishedPorts(site).map(({ inside, published }): Targets => {
    network.opens(inside, "proxy");
    const { group, listener } = passing.pass({
      port: published,
      says: `no proxy of the edge answers at port ${String(published)}`,
      look,
      ...(inside === https.number ? toHttps(inside, front) : { group: { port: inside, ...draining } }),
      // A question at the https port would have to begin with a caller's address.
      asked: http.number,
    });
    return { group, port: inside, rules: [listener] };
  });
  for (const { group, port } of targets)
    alarms.watch(
      `${at.logicalName}-${String(port)}-ill`,
      {
        says: `a proxy of the edge does not answer the balancer for port ${String(port)}`,
        look,
        ...{ namespace: "AWS/NetworkELB", metric: "UnHealthyHostCount", statistic: "Maximum" },
        dimensions: { LoadBalancer: passing.balancer.arnSuffix, TargetGroup: group.arnSuffix },
        ...{ when: "above", threshold: 0, minutes: 5 },
      },
      options,
    );
  const { ready } = run(proxyWorkload(site, plan, region, { cert, key }), targets);
  const hosts = [...new Set(routes.map(({ host }) => host))];
  // Callers come only when somebody answers: on a stack that had another edge the names move last.
  const records = namesOf(region, passing.balancer, hosts, at.logicalName, { ...options, dependsOn: [...ready] });
  return { dnsName: passing.dnsName, ready: [...ready, ...records] };
}

const draining = { preserveClientIp: "false", deregistrationDelay: drainSeconds };

/**
 * Each connection begins with its caller's address (PROXY protocol, version 2). AWS' other way, to keep the address on
 * the packets, loses connections that a NAT sends from one port to two of the balancer's addresses.
 */
function toHttps(port: number, front: Input<string> | undefined) {
  const group = { port, ...draining, proxyProtocolV2: true };
  if (front === undefined) return { group };
  return {
    // The balancer takes any certificate of a target's: the proxies have one of the stack's own authority.
    group: { ...group, protocol: "TLS" },
    listener: { protocol: "TLS", sslPolicy, certificateArn: front, alpnPolicy: "HTTP2Preferred" },
  };
}
