/** Finds what is wrong with a region's arguments and a plan together. */
import { checkServer, type Verdict } from "../../core/certificates.ts";
import type { Ask, Container, Dict, List, Machines, Slot } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { own } from "../../core/formats.ts";
import { containers, type Plan, routesOf } from "../../core/plan.ts";
import { distinct } from "../../core/check.ts";
import type { Site } from "../../core/topology.ts";
import { namesOf } from "../tls.ts";
import { unfitNetwork } from "./addresses.ts";
import { onMachine } from "./capabilities.ts";
import type { AwsTls } from "./certificate.ts";
import type { AwsConfig } from "./config.ts";
import { bytesOf, largestSecret } from "./definition.ts";
import { checkProxy, proxyWorkload } from "./own-proxy.ts";
import { checkRules } from "./rules.ts";
import { hasGpus, machineClass, managersGroup, ownClass, taskSize } from "./sizes.ts";

export type Checked = Omit<AwsConfig, "tls"> & { readonly tls: AwsTls };

export function checkAws(args: Checked, site: Site, plan: Plan): Verdict {
  const routes = routesOf(plan);
  const tls = routes.length === 0 ? { problems: [], warnings: [] } : checkTls(args, namesOf(site, routes));
  return {
    problems: distinct([
      ...checkPlace(args),
      ...tls.problems,
      ...checkEdge(args, site, plan),
      ...containers(plan).flatMap(([name, container]) => checkContainer(name, container, args, site)),
      ...checkClasses(args.classes, plan),
      ...swarms(plan).flatMap((ask) => checkSwarm(ask)),
    ]),
    warnings: [
      ...tls.warnings,
      ...plain(plan).map(
        (name) =>
          `${name}: the application speaks no TLS, so ElastiCache takes plain text as well, inside the private network`,
      ),
    ],
  };
}

/** Zones, network and ARNs of another region or account. */
function checkPlace({ account, region, zones, cidr, tls, role }: Checked): Problem[] {
  const problems: Problem[] = [];
  for (const zone of zones) {
    if (zone.slice(0, -1) !== region)
      problems.push({
        key: "aws.zones",
        value: zone,
        remedy: `no zone of ${region}: its zones are ${region}a, ${region}b, …`,
      });
    if (zones.indexOf(zone) !== zones.lastIndexOf(zone))
      problems.push({ key: "aws.zones", value: zone, remedy: "each zone once" });
  }
  const wrong = unfitNetwork(cidr);
  if (wrong !== undefined) problems.push({ key: "aws.cidr", value: cidr, remedy: wrong });
  const arns = [
    ["aws.role", role],
    ["aws.tls.certificate", tls.mode === "acm" ? tls.certificate : undefined],
  ] as const;
  for (const [key, arn] of arns) {
    if (arn === undefined) continue;
    const [, , , where = "", owner = ""] = arn.split(":");
    if (owner !== account) problems.push({ key, value: arn, remedy: `it belongs to another account than ${account}` });
    if (where !== "" && where !== region)
      problems.push({
        key,
        value: arn,
        remedy: `it lies in ${where}: the balancer of ${region} takes its own region's alone`,
      });
  }
  return problems;
}

/** What the edge of the config's choice cannot take. */
function checkEdge(args: Checked, site: Site, plan: Plan): Problem[] {
  const { edge, tls } = args;
  const routes = routesOf(plan);
  if (routes.length === 0) return [];
  if (edge === "balancer") {
    const rules = checkRules(routes);
    if (rules.length === 0 || checkProxy(site, plan, args, tls.mode).length > 0) return rules;
    const instead = "; or choose our own proxy, which takes it: aws: {edge: proxy}";
    return rules.map(({ remedy, ...problem }) => ({ ...problem, remedy: remedy + instead }));
  }
  const proxied = checkProxy(site, plan, args, tls.mode);
  if (proxied.length > 0) return proxied;
  return checkImages("edge", proxyWorkload(site, plan, args, { cert: "", key: "" }), args, site);
}

function checkTls({ tls, zoneId }: Checked, names: List<string>): Verdict {
  if (tls.mode === "own" && typeof tls.cert === "string" && typeof tls.key === "string")
    // The check of secrets reports a missing key.
    return checkServer("aws.tls.cert", tls.cert, tls.key || undefined, names);
  if (tls.mode === "acm" && tls.certificate === undefined && zoneId === undefined)
    return {
      problems: [
        {
          key: "aws.tls",
          remedy:
            "name the hosted zone of the hostname (zoneId), where ACM's certificate is validated; or a certificate that " +
            "is there (tls: {mode: acm, certificate: arn:…}); or tls: {mode: local}, to try the stack without a domain",
        },
      ],
      warnings: [],
    };
  return { problems: [], warnings: [] };
}

function checkContainer(name: string, container: Container | Slot, args: Checked, site: Site): Problem[] {
  const problems: Problem[] = [];
  const { tier, networks = [] } = container;
  if (tier === "isolated" || networks.length > 0)
    problems.push({
      key: `${name}.networks`,
      remedy: "aws has the networks edge, app and data alone: choose swarm on its machines",
    });
  problems.push(...checkSize(name, container, args.classes));
  const bytes = bytesOf(container);
  if (bytes > largestSecret)
    problems.push({
      key: `${name}.files`,
      value: bytes,
      remedy: `at most ${String(largestSecret)} bytes in all files of one part: one secret carries them`,
    });
  return tier === "data" ? [...problems, ...checkImages("data", container, args, site)] : problems;
}

/** Nothing in the data network has a way out, nor has the edge, so their images come through the account's own registry. */
function checkImages(
  network: "data" | "edge",
  container: Container | Slot,
  { account, region }: Checked,
  site: Site,
): Problem[] {
  const registry = `${account}.dkr.ecr.${region}.amazonaws.com/`;
  return [site.image(container.image), ...(onMachine(container) ? [] : [site.image("toolbox")])].flatMap((each) =>
    "ref" in each && !each.ref.startsWith(registry)
      ? [
          {
            key: "mirror",
            value: each.ref,
            remedy: `the ${network} network reaches the account's own registry alone: set mirror: ${registry}<prefix>, and fill it with npm run images -- push`,
          },
        ]
      : [],
  );
}

function checkSize(name: string, container: Container | Slot, classes: Dict<string>): Problem[] {
  const { cpu, memoryMib, room } = container;
  const machine = onMachine(container);
  if ((machine ? ownClass(container) : taskSize(cpu, memoryMib)) !== undefined) return [];
  if (room !== undefined && room.gpus > 0) {
    if (own(classes, name) !== undefined) return []; // AWS sells more sizes than are known here
    const most = "at most 8 of 45776 MiB each, and less of all else";
    return [{ key: `${name}.gpus`, value: room.gpus, remedy: `${most}; or name a size in aws.classes.${name}` }];
  }
  const most = machine ? "32 cores and 127 GiB" : "16 cores and 120 GiB";
  const remedy = `too much for one part here: at most ${most}`;
  return [{ key: `${name}.memoryMib`, value: memoryMib + (room?.memoryMib ?? 0), remedy }];
}

/** Sizes for what the stack does not have. */
function checkClasses(classes: Dict<string>, plan: Plan): Problem[] {
  const known = [
    ...[...plan.managed].filter(([, { kind }]) => kind === "postgres" || kind === "redis").map(([name]) => name),
    ...swarms(plan).flatMap((ask) => Object.keys(sorts(ask))),
    ...plan.slots.keys(),
    ...[...plan.workloads].flatMap(([name, workload]) => (onMachine(workload) ? [name] : [])),
  ];
  return Object.entries(classes).flatMap(([name, value]): Problem[] => {
    const key = `aws.classes.${name}`;
    if (!known.includes(name))
      return [{ key, value, remedy: `nothing here has a size of its own by this name; there are ${known.join(", ")}` }];
    const kind = plan.managed.get(name)?.kind;
    const [prefix, like] =
      kind === "postgres"
        ? ["db.", "db.t4g.medium"]
        : kind === "redis"
          ? ["cache.", "cache.t4g.small"]
          : ["", "t3.large"];
    const fits = prefix === "" ? !/^(db|cache)\./.test(value) : value.startsWith(prefix);
    if (!fits) return [{ key, value, remedy: `a size as ${like}` }];
    const bare = (plan.workloads.get(name)?.room?.gpus ?? 0) > 0 && !hasGpus(value);
    return bare
      ? [{ key, value, remedy: "a size with GPUs of NVIDIA's on an Intel or AMD machine, as g6.xlarge" }]
      : [];
  });
}

export function swarms(plan: Plan): Ask<"swarm">[] {
  return [...plan.managed.values()].flatMap(({ kind, ask }) => (kind === "swarm" ? [ask as Ask<"swarm">] : []));
}

/** The sorts of machines, by the name that `classes` has for them. */
function sorts({ managers, workers }: Ask<"swarm">): Dict<Machines> {
  return { ...workers, [managersGroup]: managers };
}

function checkSwarm(ask: Ask<"swarm">): Problem[] {
  return Object.entries(sorts(ask)).flatMap(([group, { cpu, memoryMib }]): Problem[] => {
    if (machineClass(cpu, memoryMib) !== undefined) return [];
    return [
      { key: `${group}.memoryMib`, value: memoryMib, remedy: "too much for one machine: at most 32 cores and 127 GiB" },
    ];
  });
}

/** Stores that take plain text, as their client speaks no TLS. */
function plain(plan: Plan): string[] {
  return [...plan.managed].flatMap(([name, { kind, ask }]) =>
    kind === "redis" && "clientTls" in ask && ask.clientTls === "never" ? [name] : [],
  );
}
