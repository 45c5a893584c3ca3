/** Our own proxy at the edge of a region, as a workload, and what keeps a plan from it. Pure. */
import type { Input } from "@pulumi/pulumi";

import type { List, Workload } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { type Plan, type PlannedRoute, replicaNames, routesOf } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { edgeProxy } from "../../edge/edge.ts";
import { nginxProblems } from "../../edge/nginx.ts";
import { edgeRanges } from "./addresses.ts";
import type { AwsConfig, AwsTls } from "./config.ts";
import { bytesOf, largestSecret } from "./definition.ts";

/** One may be lost with its zone. */
export const proxyCount = 2;
/** Addresses that the private network's DNS tells of one name. */
const mostAddresses = 8;

/** Where the balancer before the proxies is. */
export type Before = Pick<AwsConfig, "cidr" | "zones" | "vpc">;

/** The proxy that the system wishes for, with the routes of a plan and the certificate that it serves. */
export function proxyWorkload(
  site: Site,
  plan: Plan,
  before: Before,
  tls: { readonly cert: Input<string>; readonly key: Input<string> },
): Workload {
  const inside = (name: string): string => `${name}.${site.name}.internal`;
  const proxy = edgeProxy(plan.edge, {
    ...{ site, tls, engine: "ecs", routes: routesOf(plan) },
    backends: (route) => ({ hosts: namesBehind(route).map(inside), watch: true }),
    proxyProtocol: edgeRanges(before),
    ownName: inside("edge"),
  });
  // The public names lead to the balancer before it.
  return { ...proxy, names: [], cpu: 0.5, replicas: proxyCount };
}

/** Replicas have one name with all their addresses; slots have one each. */
function namesBehind({ of, to, hosts }: PlannedRoute): List<string> {
  return of === "replicas" ? [to] : hosts;
}

/** What our own proxy cannot do for a plan. */
export function checkProxy(site: Site, plan: Plan, before: Before, mode: AwsTls["mode"]): Problem[] {
  const routes = routesOf(plan);
  const many = [...plan.workloads].flatMap(([name, workload]): Problem[] => {
    const count = replicaNames(name, workload).length;
    if ((workload.routes ?? []).length === 0 || count <= mostAddresses) return [];
    const remedy = `our own proxy finds at most ${String(mostAddresses)} behind a route, as DNS names no more at once: choose aws: {edge: balancer}`;
    return [{ key: `${name}.replicas`, value: count, remedy }];
  });
  const nginx =
    plan.edge.proxy === "nginx" ? nginxProblems("aws.tls.mode", mode === "own" ? mode : "local", routes) : [];
  if (nginx.length > 0) return [...many, ...nginx];
  const bytes = bytesOf(proxyWorkload(site, plan, before, { cert: "", key: "" }));
  if (bytes <= largestSecret) return many;
  const remedy = `the proxy's configuration for them has ${String(bytes)} bytes, and one secret carries ${String(largestSecret)}: give fewer`;
  return [...many, { key: "routes", value: routes.length, remedy }];
}
