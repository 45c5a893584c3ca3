/** Finds what is wrong with a region's arguments and a plan together. */
import type { Verdict } from "../../core/certificates.ts";
import type { Ask, Container, Dict, Kind, List, Machines, Slot } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { own } from "../../core/formats.ts";
import { containers, type Plan, routesOf } from "../../core/plan.ts";
import { distinct } from "../../core/check.ts";
import type { Site } from "../../core/topology.ts";
import { namesOf } from "../tls.ts";
import { hostOf } from "./addresses.ts";
import { onMachine } from "./capabilities.ts";
import type { AwsTls } from "./config.ts";
import type { AwsConfig } from "./config.ts";
import { bytesOf, largestSecret } from "./definition.ts";
import { lookBack } from "./look-back.ts";
import { checkProxy, proxyWorkload } from "./own-proxy.ts";
import { checkBackupRegion, checkExistingAddresses, checkNames, checkPlace, checkTls, noTls } from "./place.ts";
import { checkRules } from "./rules.ts";
import { checkVpc } from "./vpc.ts";
import {
  hasGpus,
  machineClass,
  machineMib,
  managersGroup,
  ownClass,
  postgresVersion,
  type Sized,
  systemMib,
  taskSize,
} from "./sizes.ts";

export type Checked = Omit<AwsConfig, "tls"> & { readonly tls: AwsTls };

export function checkAws(args: Checked, site: Site, plan: Plan): Verdict {
  const routes = routesOf(plan);
  const tls = routes.length === 0 ? noTls : checkTls(args, namesOf(site, routes));
  return {
    problems: distinct([
      ...checkPlace(args),
      ...checkNames(args, site, plan),
      ...checkVpc(args, site, plan),
      ...(args.vpc === undefined ? checkExistingAddresses(args.cidr, site) : []),
      ...checkBackupRegion(site),
      ...checkVersions(args.versions, site, plan),
      ...tls.problems,
      ...checkEdge(args, site, plan),
      ...containers(plan).flatMap(([name, container]) => checkContainer(name, container, args, site)),
      ...checkClasses(args.classes, plan),
      ...(site.protect ? checkSearchZones(args.zones, plan) : []),
      ...swarms(plan).flatMap((ask) => checkSwarm(ask)),
    ]),
    warnings: [
      ...tls.warnings,
      ...unwatched(plan),
      ...plain(plan).map(
        (name) =>
          `${name}: the application speaks no TLS, so ElastiCache takes plain text as well, inside the private network`,
      ),
    ],
  };
}

interface Most {
  readonly cores: number;
  readonly gib: number;
}
const mostOfTask: Most = { cores: 16, gib: 120 };
const mostOfMachine: Most = { cores: 32, gib: 127 };

const noFirewall =
  "AWS WAF stands before no network load balancer, which our own proxy has: leave it out, or choose aws: {edge: balancer}";

/** What the edge of the config's choice cannot take. */
function checkEdge(args: Checked, site: Site, plan: Plan): Problem[] {
  const { edge, tls, firewall } = args;
  const routes = routesOf(plan);
  if (routes.length === 0) return [];
  if (edge === "balancer") {
    const rules = checkRules(routes);
    if (rules.length === 0 || firewall !== undefined || checkProxy(site, plan, args, tls.mode).length > 0) return rules;
    const instead = "; or choose our own proxy, which takes it: aws: {edge: proxy}";
    return rules.map(({ remedy, ...problem }) => ({ ...problem, remedy: remedy + instead }));
  }
  if (firewall !== undefined) return [{ key: "aws.firewall", value: firewall, remedy: noFirewall }];
  const proxied = checkProxy(site, plan, args, tls.mode);
  if (proxied.length > 0) return proxied;
  return checkImages("edge", proxyWorkload(site, plan, args, { cert: "", key: "" }), args, site);
}

/** Lines of logs that come too seldom for an alarm. */
function unwatched(plan: Plan): string[] {
  return [...plan.workloads].flatMap(([name, { alarms = [] }]) =>
    alarms
      .filter(({ everyHours }) => everyHours !== undefined && lookBack(everyHours) === undefined)
      .map(({ everyHours }) => {
        const days = String(Math.round((everyHours ?? 0) / 24));
        return `${name}: it is due every ${days} days, and an alarm looks back seven at most: none will tell that it is missing`;
      }),
  );
}

/** Which of both is not for sale. */
function tooMuch(
  name: string,
  { cpu, memoryMib }: Pick<Container, "cpu" | "memoryMib">,
  { cores, gib }: Most,
): Problem {
  const remedy = `too much for one part here: at most ${String(cores)} cores and ${String(gib)} GiB`;
  return cpu > cores
    ? { key: `${name}.cpu`, value: cpu, remedy }
    : { key: `${name}.memoryMib`, value: memoryMib, remedy };
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
  const both = { cpu: cpu + (room?.cpu ?? 0), memoryMib: memoryMib + (room?.memoryMib ?? 0) };
  return [tooMuch(name, both, machine ? mostOfMachine : mostOfTask)];
}

/** Nodes in two zones lose their majority with one of them. */
function checkSearchZones(zones: List<string>, { managed }: Plan): Problem[] {
  if (zones.length > 2) return [];
  return [...managed].flatMap(([name, { kind }]) =>
    kind === "elasticsearch"
      ? [
          {
            key: "aws.zones",
            value: zones.join(", "),
            remedy: `${name}: three nodes of Amazon OpenSearch Service stand in three zones: name a third, or let machines run it (data: { ${name}: container })`,
          },
        ]
      : [],
  );
}

/** What sizes look like: a managed store's by its kind, a machine's. */
const machineSize = { form: /^(?!db\.|cache\.|.*\.search$)/, like: "t3.large" };
const storeSizes: { readonly [K in Kind]?: typeof machineSize } = {
  postgres: { form: /^db\./, like: "db.t4g.medium" },
  redis: { form: /^cache\./, like: "cache.t4g.small" },
  elasticsearch: { form: /\.search$/, like: "t3.medium.search" },
};

/** Sizes for what the stack does not have. */
function checkClasses(classes: Dict<string>, plan: Plan): Problem[] {
  const groups = Object.fromEntries(swarms(plan).flatMap((ask) => Object.entries(sorts(ask))));
  const known = [
    ...[...plan.managed].filter(([, { kind }]) => kind in storeSizes).map(([name]) => name),
    ...Object.keys(groups),
    ...plan.slots.keys(),
    ...[...plan.workloads].flatMap(([name, workload]) => (onMachine(workload) ? [name] : [])),
  ];
  return Object.entries(classes).flatMap(([name, value]): Problem[] => {
    const key = `aws.classes.${name}`;
    if (!known.includes(name))
      return [{ key, value, remedy: `nothing here has a size of its own by this name; there are ${known.join(", ")}` }];
    const kind = plan.managed.get(name)?.kind;
    const sized = (kind === undefined ? undefined : storeSizes[kind]) ?? machineSize;
    if (!sized.form.test(value)) return [{ key, value, remedy: `a size as ${sized.like}` }];
    if (sized !== machineSize) return [];
    if ((plan.workloads.get(name)?.room?.gpus ?? 0) > 0 && !hasGpus(value))
      return [{ key, value, remedy: "a size with GPUs of NVIDIA's on an Intel or AMD machine, as g6.xlarge" }];
    if (arm.test(value)) return [{ key, value, remedy: "a machine of ARM's: our images are for x86_64, as t3.large" }];
    const asked: Sized | undefined = plan.slots.get(name) ?? plan.workloads.get(name) ?? groups[name];
    if (asked === undefined) return [];
    const small = (machineMib(value) ?? Infinity) < asked.memoryMib + (asked.room?.memoryMib ?? 0) + systemMib;
    const remedy = `too small for what is asked of it: ${ownClass(asked) ?? "none that is known here"}, or larger`;
    return small ? [{ key, value, remedy }] : [];
  });
}

/** AWS' own processors: the letter g behind the generation, as m7g, c6gd, x2gd, im4gn. */
const arm = /^(a1|[a-z]+\d+[a-z]*g[a-z]*)\./;

/** Versions of what the stack does not have, or that its backup cannot dump. */
function checkVersions(versions: Dict<string>, site: Site, { managed }: Plan): Problem[] {
  const known = [...managed].flatMap(([name, { kind }]) => (kind === "postgres" ? [name] : []));
  const toolbox = site.image("toolbox");
  const ours = "ref" in toolbox && toolbox.ref.includes("/platform-topologies/toolbox:");
  return Object.entries(versions).flatMap(([name, value]): Problem[] => {
    const key = `aws.versions.${name}`;
    if (!known.includes(name))
      return [{ key, value, remedy: `no managed PostgreSQL of this name; there ${listOf(known)}` }];
    if (site.backup === undefined || !ours || Number(value) <= Number(postgresVersion)) return [];
    const remedy = `the backup's pg_dump is of ${postgresVersion} and dumps no newer server: name images.toolbox and images.postgis of ${value}`;
    return [{ key, value, remedy }];
  });
}

function listOf(names: List<string>): string {
  return names.length === 0 ? "is none" : `are ${names.join(", ")}`;
}

export function swarms(plan: Plan): Ask<"swarm">[] {
  return [...plan.managed.values()].flatMap(({ kind, ask }) => (kind === "swarm" ? [ask as Ask<"swarm">] : []));
}

/** The machines that keep their names, and which zone is theirs: the managers, and workers with volumes. */
export function swarmHosts(plan: Plan): { readonly name: string; readonly zone: number }[] {
  return swarms(plan).flatMap((ask) =>
    Object.entries(sorts(ask)).flatMap(([group, { count, keeps }]) =>
      group === managersGroup || keeps
        ? Array.from({ length: count }, (_, zone) => ({ name: hostOf(group, zone), zone }))
        : [],
    ),
  );
}

/** The sorts of machines, by the name that `classes` has for them. */
function sorts({ managers, workers }: Ask<"swarm">): Dict<Machines & { readonly keeps?: boolean }> {
  return { ...workers, [managersGroup]: managers };
}

function checkSwarm(ask: Ask<"swarm">): Problem[] {
  return Object.entries(sorts(ask)).flatMap(([group, asked]) =>
    machineClass(asked.cpu, asked.memoryMib) === undefined ? [tooMuch(group, asked, mostOfMachine)] : [],
  );
}

/** Stores that take plain text, as their client speaks no TLS. */
function plain(plan: Plan): string[] {
  return [...plan.managed].flatMap(([name, { kind, ask }]) =>
    kind === "redis" && "clientTls" in ask && ask.clientTls === "never" ? [name] : [],
  );
}
