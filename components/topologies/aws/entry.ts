import { runtime, secret } from "@pulumi/pulumi";

import type { Dict } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { type Plan, routesOf } from "../../core/plan.ts";
import { entry } from "../entry.ts";
import { zoneOf } from "./addresses.ts";
import { awsCapabilities, awsWith, onMachine } from "./capabilities.ts";
import type { AwsTls } from "./config.ts";
import { checkAws } from "./check.ts";
import { awsConfig, awsSecrets, type AwsConfig } from "./config.ts";
import { awsManaged, awsServices } from "./managed.ts";
import { storeProblems } from "./stores.ts";

const edges = { balancer: "Application Load Balancer", proxy: "Network Load Balancer, our own proxies" };
const signers = { acm: "ACM", own: "your certificate", local: "the stack's own authority" };

/** One region of AWS, as `topology: aws` chooses it. */
export const aws = entry({
  config: awsConfig,
  capabilities: awsCapabilities,
  chosen: (config) => awsWith(config),
  services: awsServices,
  managed: awsManaged,
  ports: () => ({ http: 80, https: 443 }),
  asks: awsSecrets,
  where: ({ region, zones, cidr, vpc, tls, edge }) => ({
    title: `AWS ${region}, ${vpc === undefined ? `private network ${cidr}` : `network ${vpc.id}`}, zones ${zones.map((zone) => zone.slice(region.length)).join(" ")}`,
    edge: { title: edges[edge], says: [`https 443, TLS: ${signers[tls.mode]}`] },
    of: (container) =>
      !onMachine(container) ? "Fargate" : "disk" in container ? zoneOf(zones, container.zone) : "EC2",
    disk: (gib) => `${String(gib)} GiB`,
  }),
  check: (config, { site, plan, secrets }) => {
    const { problems, warnings } = checkAws({ ...config, tls: tlsOf(config, secrets, "plain") }, site, plan);
    return { problems: [...problems, ...idle(config, plan)], warnings };
  },
  preflight: async (config, { site, plan, state, component }) => {
    const { callerProblems, movedParts, vpcProblems } = await import("./preflight.ts");
    const found = [...movedParts(state, config, site, plan), ...storeProblems(state, config, site, plan, component)];
    // A preview needs no credentials.
    if (runtime.isDryRun()) return found;
    const strangers = await callerProblems(config.account, config);
    const { vpc } = config;
    return [
      ...found,
      ...strangers,
      ...(vpc === undefined || strangers.length > 0 ? [] : await vpcProblems(vpc, config)),
    ];
  },
  own: async (config, { site, secrets }) => {
    const { AwsRegion } = await import("./index.ts");
    return AwsRegion.own({ ...config, site, tls: tlsOf(config, secrets, "secret") });
  },
});

/** A service alone has no public name either: only a whole stack says something by its edge. */
function idle({ edge, firewall }: AwsConfig, plan: Plan): Problem[] {
  if (routesOf(plan).length > 0) return [];
  const remedy = "nothing here has a public name: leave it out";
  return [
    ...(edge === "balancer" ? [] : [{ key: "aws.edge", value: edge, remedy }]),
    ...(firewall === undefined ? [] : [{ key: "aws.firewall", value: firewall, remedy }]),
  ];
}

/** Adds the operator's own key: plain, to be checked, or as a secret. */
function tlsOf({ tls }: AwsConfig, { tlsKey = "" }: Dict<string>, how: "plain" | "secret"): AwsTls {
  return tls.mode === "own" ? { ...tls, key: how === "plain" ? tlsKey : secret(tlsKey) } : tls;
}
