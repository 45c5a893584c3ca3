/** Finds what is wrong with a region's arguments and a plan together. */
import type { Verdict } from "../../core/certificates.ts";
import type { Ask, Container, Dict, List, Machines, Slot } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { containers, type Plan, routesOf } from "../../core/plan.ts";
import { distinct } from "../../core/check.ts";
import type { Site } from "../../core/topology.ts";
import { namesOf } from "../tls.ts";
import { hostOf } from "./addresses.ts";
import { onMachine } from "./capabilities.ts";
import type { AwsTls } from "./certificate.ts";
import type { AwsConfig } from "./config.ts";
import { checkBackupRegion, checkExistingAddresses, checkNames, checkPlace, checkTls, noTls } from "./place.ts";
import { checkRules } from "./rules.ts";
import { machineClass, machineMib, managersGroup, postgresVersion, systemMib, taskSize } from "./sizes.ts";

/** Bytes. A secret has 65,536 characters; the rest is for what is known only later. */
const largestSecret = 56_000;

export type Checked = Omit<AwsConfig, "tls"> & { readonly tls: AwsTls };

export function checkAws(args: Checked, site: Site, plan: Plan): Verdict {
  const routes = routesOf(plan);
  const tls = routes.length === 0 ? noTls : checkTls(args, namesOf(site, routes));
  return {
    problems: distinct([
      ...checkPlace(args),
      ...checkNames(args, site, plan),
      ...checkExistingAddresses(args.cidr, site),
      ...checkBackupRegion(site),
      ...checkVersions(args.versions, site, plan),
      ...tls.problems,
      ...checkRules(routes),
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

interface Most {
  readonly cores: number;
  readonly gib: number;
}
const mostOfTask: Most = { cores: 16, gib: 120 };
const mostOfMachine: Most = { cores: 32, gib: 127 };

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

function checkContainer(name: string, container: Container | Slot, { account, region }: Checked, site: Site) {
  const problems: Problem[] = [];
  const { tier, networks = [], cpu, memoryMib } = container;
  if (tier === "isolated" || networks.length > 0)
    problems.push({
      key: `${name}.networks`,
      remedy: "aws has the networks edge, app and data alone: choose swarm on its machines",
    });
  const machine = onMachine(container);
  const fits = machine ? machineClass(cpu, memoryMib) : taskSize(cpu, memoryMib);
  if (fits === undefined) problems.push(tooMuch(name, container, machine ? mostOfMachine : mostOfTask));
  const bytes = (container.files ?? []).reduce(
    (sum, { content }) => sum + (typeof content === "string" ? Buffer.byteLength(content) : 0),
    0,
  );
  if (bytes > largestSecret)
    problems.push({
      key: `${name}.files`,
      value: bytes,
      remedy: `at most ${String(largestSecret)} bytes in all files of one part: one secret carries them`,
    });
  // Nothing in the data network has a way out, so its images come through the account's own registry.
  const image = site.image(container.image);
  const registry = `${account}.dkr.ecr.${region}.amazonaws.com/`;
  const needed = tier === "data" ? [image, ...(machine ? [] : [site.image("toolbox")])] : [];
  for (const each of needed)
    if ("ref" in each && !each.ref.startsWith(registry))
      problems.push({
        key: "mirror",
        value: each.ref,
        remedy: `the data network reaches the account's own registry alone: set mirror: ${registry}<prefix>, and fill it with npm run images -- push`,
      });
  return problems;
}

/** Sizes for what the stack does not have. */
function checkClasses(classes: Dict<string>, plan: Plan): Problem[] {
  const groups = Object.fromEntries(swarms(plan).flatMap((ask) => Object.entries(sorts(ask))));
  const known = [
    ...[...plan.managed].filter(([, { kind }]) => kind === "postgres" || kind === "redis").map(([name]) => name),
    ...Object.keys(groups),
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
    if (prefix !== "") return [];
    if (arm.test(value)) return [{ key, value, remedy: "a machine of ARM's: our images are for x86_64, as t3.large" }];
    const asked = plan.slots.get(name) ?? plan.workloads.get(name) ?? groups[name];
    const least = machineClass(asked?.cpu ?? 1, asked?.memoryMib ?? 1) ?? "";
    const small = (machineMib(value) ?? Infinity) < (asked?.memoryMib ?? 0) + systemMib;
    return small ? [{ key, value, remedy: `too small for what is asked of it: ${least}, or larger` }] : [];
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
