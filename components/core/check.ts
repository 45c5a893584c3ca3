/** Finds what a topology, or any topology, cannot run of a plan. */
import { dirname } from "node:path";

import type { Container, Copies, CopyCount, Job, Need, Probe, Slot, Workload } from "./contracts.ts";
import { type Problem, sentence } from "./errors.ts";
import { checkExisting } from "./existing.ts";
import { nodeLabels, own, problemsOf } from "./formats.ts";
import { recovers } from "./backup.ts";
import { containers, imageKeys, type Plan, type PlannedNeed, replicaNames, routesOf } from "./plan.ts";
import { baseOf, routeProblems } from "./routes.ts";
import { copied } from "./supply.ts";
import type { Capabilities, Limits, Place, Runner, Site } from "./topology.ts";

/** The largest file that every topology's secret store carries, in bytes: Azure's Key Vault has 25k. */
const largestFile = 24 * 1024;

/** Everything in a plan that this place, or any place, cannot run. It is called before anything is made. */
export function check(plan: Plan, { site, capabilities: can }: Pick<Place, "site" | "capabilities">): Problem[] {
  return distinct([
    ...[...plan.repeated, ...replicasNamedAs(plan)].map((name) => ({
      key: name,
      remedy: "two parts have this name; give each its own",
    })),
    ...plan.needs.flatMap((need) => unsupplied(need, site, can)),
    ...copiesProblems(plan, site, can),
    ...Object.keys(site.data)
      .filter((name) => !plan.needs.some((need) => need.name === name))
      .map((name) => ({
        key: `data.${name}`,
        remedy: `nothing here needs it; the system needs ${plan.needs.map((need) => need.name).join(", ")}`,
      })),
    ...[...plan.secrets]
      .filter((name) => !Object.hasOwn(site.secrets, name))
      .map((name) => ({ key: `secrets.${name}`, remedy: `set it: pulumi config set --path --secret secrets.${name}` })),
    ...imageKeys(plan, can.edge.by === "proxy").flatMap((key) => {
      const image = site.image(key);
      return "remedy" in image ? [image] : [];
    }),
    ...containers(plan).flatMap(([name, container]) => checkContainer(name, container, plan, site, can)),
    ...[...plan.workloads].flatMap(([name, workload]) => checkReplicas(name, workload, can)),
    ...[...plan.slots].flatMap(([name, slot]) => checkSlot(name, slot, can)),
    ...[...plan.workloads, ...plan.slots].flatMap(([name, workload]) => checkProbe(name, workload, site)),
    ...sameRoutes(plan),
    ...site.peers.map(({ region }) => ({
      key: "peers",
      value: region,
      remedy: "no recipe carries another region yet: docs/contracts.md says what is missing; leave it out",
    })),
    ...beyondEdge(plan, can),
    ...checkBackup(site, can),
    ...noLog(plan, site),
    ...checkExisting(plan.needs, site.existing),
    ...Object.entries(site.disks)
      .filter(([slot, word]) => word !== "gone" && !plan.slots.has(slot))
      .map(([slot, word]) => ({
        key: `disks.${slot}`,
        value: word,
        remedy: `no such disk; there are ${[...plan.slots.keys()].join(", ")}`,
      })),
    ...Object.entries(site.rotate)
      .filter(([store]) => !plan.rotates.has(store))
      .map(([store, value]) => ({ key: `rotate.${store}`, value, remedy: unrotated(plan) })),
  ]);
}

function unrotated({ rotates }: Plan): string {
  const able = rotates.size === 0 ? "no store here can" : `only ${[...rotates].join(", ")} can`;
  return `${able} get another password in place: docs/guide.md, chapter 3`;
}

/** A need that nobody supplies, or whose supplier of the operator's choice does not fit it. */
function unsupplied({ kind, name, by, because }: PlannedNeed, { data }: Site, { refuses }: Capabilities): Problem[] {
  const refused = by === "existing" ? undefined : refuses[kind];
  if (refused === undefined && by !== "nobody") return [];
  const word = own(data, name);
  return word === undefined
    ? [{ key: name, remedy: refused ?? because }]
    : [{ key: `data.${name}`, value: word, remedy: refused ?? because }];
}

/** Replicas and slots are both numbered: a workload `search` and a store `search` would both have a `search-1`. */
function replicasNamedAs({ workloads, slots, jobs }: Plan): string[] {
  return [...workloads]
    .flatMap(([name, workload]) => replicaNames(name, workload))
    .filter((name) => workloads.has(name) || slots.has(name) || jobs.has(name));
}

/** Five workloads of one missing image are one problem. */
export function distinct(problems: Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [sentence(problem), problem])).values()];
}

function checkContainer(
  name: string,
  container: Container | Slot | Job,
  plan: Plan,
  site: Site,
  can: Capabilities,
): Problem[] {
  const problems: Problem[] = [];
  const say = (key: string, remedy: string, value?: unknown): void => {
    problems.push({ key: `${name}.${key}`, remedy, ...(value === undefined ? {} : { value }) });
  };
  const image = site.image(container.image);
  if (!("remedy" in image) && container.secretEnv && image.secrets === "files") {
    say("secretEnv", `${container.image} can read files: give it secret files, which no inspection shows`);
  }
  if (!/^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/.test(`${site.name}-${name}`))
    say("name", "a host's name: letters, digits and inner hyphens", `${site.name}-${name}`);
  for (const full of [name, ...(container.networks ?? [])].map((each) => `${site.name}-${each}`)) {
    if (full.length > can.nameLength)
      say("name", `at most ${String(can.nameLength)} characters on ${can.name}: shorten the stack's name`, full);
  }
  if ("nodes" in container) problems.push(...problemsOf(nodeLabels, `${name}.nodes`, container.nodes));
  if (!can.nodes) {
    const asked = [
      ["machine", container.machine],
      ...("nodes" in container ? [["nodes", container.nodes] as const] : []),
    ] as const;
    for (const [key, value] of asked) if (value !== undefined) say(key, `${can.name} has no nodes of yours`, value);
  }
  if (runnerFor(container, plan, can) === undefined) problems.push(...unrunnable(name, container, plan, can));
  for (const port of container.linked ?? [])
    say("linked", `no topology opens a port to other regions yet: leave it out`, port);
  const { shmMib, memoryMib } = container;
  if (shmMib !== undefined && !(Number.isInteger(shmMib) && shmMib >= 1 && shmMib <= memoryMib))
    say("shmMib", `a whole number from 1 to its memory, ${String(memoryMib)}: it is a part of that`, shmMib);
  const paths = (container.files ?? []).map(({ path }) => path);
  for (const path of paths)
    if (!path.startsWith("/") || paths.indexOf(path) !== paths.lastIndexOf(path))
      say("files", "each file needs an absolute path of its own", path);
  for (const { path, content } of container.files ?? []) {
    if (typeof content === "string" && Buffer.byteLength(content) > largestFile)
      say("files", `at most ${String(largestFile / 1024)} KiB`, path);
  }
  if (container.prepare !== undefined && container.command === undefined)
    say("prepare", "needs `command`: what to start after it");
  return [...problems, ...routeProblems(name, container)];
}

type Asking = Container & Partial<Pick<Workload, "health" | "update" | "replicas">>;

/** What no runner here has of a container's needs. */
function unrunnable(name: string, container: Asking, plan: Plan, { name: topology, runners }: Capabilities): Problem[] {
  const needs = needsOf(container, plan);
  const missing = (need: Need): boolean => needs.includes(need) && !runners.some(({ can }) => can.has(need));
  const known: [Need, Problem][] = [
    [
      "gpu",
      {
        key: `${name}.gpus`,
        value: container.room?.gpus,
        remedy: `${topology} gives no GPU to a container: leave it out, or choose aws, which rents machines with some`,
      },
    ],
    [
      "own-machine",
      {
        key: `${name}.replicas`,
        value: container.replicas,
        remedy: `each commands its machine's engine, and ${topology} rents no machine for each: 1, and one more part for a further machine`,
      },
    ],
  ];
  const found = known.flatMap(([need, problem]) => (missing(need) ? [problem] : []));
  const remedy = `no way to run this on ${topology} (${needs.join(", ")}); choose docker or swarm`;
  return found.length > 0 ? found : [{ key: `${name}.needs`, remedy }];
}

/** The first runner that has what the container needs and lets its requests through. */
export function runnerFor(
  container: Asking,
  plan: Pick<Plan, "workloads" | "slots">,
  { runners }: Capabilities,
): Runner | undefined {
  const needs = needsOf(container, plan);
  return runners.find(
    ({ can, limits, stopSeconds = Infinity }) =>
      needs.every((need) => can.has(need)) &&
      (container.routes ?? []).every((route) => within(route, limits)) &&
      !((container.health?.stopSeconds ?? 0) > stopSeconds),
  );
}

function within({ bodyMib = 0, seconds = 60 }: Partial<Limits>, limits: Limits): boolean {
  return bodyMib <= limits.bodyMib && seconds <= limits.seconds;
}

/** The needs that a container names, and those that its other properties imply. */
export function needsOf(container: Asking, { workloads, slots }: Pick<Plan, "workloads" | "slots">): Need[] {
  const { health, files = [], ports = {}, mounts = [], update, needs = [], room, replicas = 1 } = container;
  const ready = health?.ready;
  const folders = files.map(({ path }) => dirname(path));
  // Callers use a name in `names` as it is, without a domain. No plan says who calls whom, so any container may.
  const named = [...workloads.values(), ...slots.values()].some(({ names = [] }) => names.length > 0);
  const implied: [Need, boolean][] = [
    ["exec-probe", ready !== undefined && "command" in ready],
    ["any-status-probe", ready !== undefined && "http" in ready && (ready.below ?? 400) !== 400],
    ["stop-first", update === "stop-first"],
    ["tcp-in", Object.values(ports).some(({ protocol }) => protocol === "tcp")],
    ["short-names", named],
    ["shared-memory", container.shmMib !== undefined],
    ["shared-folders", mounts.length > 0],
    ["file-folders", new Set(folders).size < folders.length],
    ["own-machine", room !== undefined && replicas !== 1],
    ["gpu", room !== undefined && room.gpus > 0],
  ];
  return [...needs, ...implied.flatMap(([need, is]) => (is ? [need] : []))];
}

/** Routes whose requests the edge would refuse as too large, or end as too long. */
function beyondEdge(plan: Plan, { edge, name }: Capabilities): Problem[] {
  return routesOf(plan)
    .filter((route) => !within(route, edge))
    .map(({ to, host, path }) => ({
      key: `${to}.routes`,
      value: host + path,
      remedy: `the edge on ${name} ends a request after ${String(edge.seconds)} s${edge.bodyMib === Infinity ? "" : `, or ${String(edge.bodyMib)} MiB`}${edge.instead === undefined ? "" : `: choose ${edge.instead}`}`,
    }));
}

/** Numbers of copies that this topology does not make, and those of stores that have none. */
function copiesProblems({ needs }: Plan, site: Site, { copies, name: topology }: Capabilities): Problem[] {
  const { copies: said } = site;
  const byName = typeof said === "object" ? Object.entries(said) : [];
  const able = needs.filter(({ kind }) => copied.has(kind)).map(({ name }) => name);
  const none = able.length === 0 ? "no store here has copies: leave it out" : `only ${able.join(", ")} can have copies`;
  const asked: [string, CopyCount | undefined][] = [
    ["copies", typeof said === "number" ? said : undefined],
    ...byName.map(([name, value]): [string, CopyCount] => [`copies.${name}`, value]),
    ...needs.map(({ name, ask }): [string, CopyCount | undefined] => [`${name}.copies`, (ask as Copies).copies]),
  ];
  return [
    ...asked
      .filter(([, value]) => value !== undefined && !copies.includes(value))
      .map(([key, value]) => ({
        key,
        value,
        remedy: `not built on ${topology}: leave it out; a store that the cloud manages has its own standby`,
      })),
    ...byName
      .filter(([name]) => !able.includes(name))
      .map(([name, value]) => ({ key: `copies.${name}`, value, remedy: none })),
  ];
}

/** Places of backups that this topology has not: a folder on a machine that comes and goes would be no backup. */
function checkBackup({ backup, restore }: Site, { backupPlaces, name }: Capabilities): Problem[] {
  const places = [
    ["backup.to", backup?.to],
    ["restore.from", restore?.from],
  ] as const;
  return places.flatMap(([key, place]): Problem[] => {
    const [kind] = Object.keys(place ?? {}) as ("path" | "volume" | "s3")[];
    if (kind === undefined || backupPlaces.has(kind)) return [];
    return [
      { key: `${key}.${kind}`, remedy: `no place for backups on ${name}: choose ${[...backupPlaces].join(" or ")}` },
    ];
  });
}

function noLog({ dumps }: Plan, { restore }: Site): Problem[] {
  if (restore?.until === undefined || dumps.some((dump) => recovers(restore, dump))) return [];
  const remedy =
    "no store here keeps a log, as PostgreSQL with copies: 3 does: leave it out, and choose a run with `at`";
  return [{ key: "restore.until", value: restore.until, remedy }];
}

function checkSlot(name: string, { disk, leave, left }: Slot, { name: topology, slots }: Capabilities): Problem[] {
  const asked = [
    ...(disk.marker === undefined ? [] : (["marker"] as const)),
    ...(leave === undefined && left === undefined ? [] : (["leave"] as const)),
  ];
  return asked
    .filter((what) => !slots.has(what))
    .map((what) => ({ key: `${name}.${what}`, remedy: `a slot's ${what} is not built yet on ${topology}` }));
}

function checkReplicas(name: string, { replicas }: Workload, can: Capabilities): Problem[] {
  const { autoscales, nodes, name: topology } = can;
  if (replicas === "each-node")
    return nodes ? [] : [{ key: `${name}.replicas`, value: replicas, remedy: `${topology} has no nodes of yours` }];
  if (typeof replicas === "number") {
    return Number.isInteger(replicas) && replicas >= 1
      ? []
      : [{ key: `${name}.replicas`, value: replicas, remedy: "a whole number from 1" }];
  }
  if (!autoscales)
    return [
      { key: `${name}.replicas`, value: replicas, remedy: `${topology} does not follow the load: give a number` },
    ];
  return replicas.min >= 1 && replicas.max >= replicas.min
    ? []
    : [{ key: `${name}.replicas`, value: replicas, remedy: "min from 1, max from min" }];
}

function checkProbe(name: string, { health, ports, image }: Workload | Slot, site: Site): Problem[] {
  const key = `${name}.health`;
  if (!(health.stopSeconds > 0))
    return [{ key, value: health.stopSeconds, remedy: "stopSeconds from 1: zero kills at once" }];
  const { ready } = health;
  if ("http" in ready && !/^\/[!-~]*$/.test(ready.path))
    return [{ key, value: ready.path, remedy: "a path of an address: begins with /, anything but ASCII as %" }];
  if ("command" in ready) return [];
  const port = portOf(ready);
  if (own(ports, port) === undefined)
    return [{ key, value: port, remedy: `no such port; it has ${Object.keys(ports ?? {}).join(", ")}` }];
  const found = site.image(image);
  if ("remedy" in found || found.client !== "none" || found.rehearsing) return [];
  return [
    {
      key,
      value: image,
      remedy: "nothing in this image can call a port: give it a command as a probe, or its client in image-lock.ts",
    },
  ];
}

function portOf(probe: Exclude<Probe, { command: unknown }>): string {
  return "http" in probe ? probe.http : probe.tcp;
}

function sameRoutes(plan: Plan): Problem[] {
  const owners = new Map<string, string>();
  return [...plan.workloads, ...plan.slots].flatMap(([name, { routes = [] }]) =>
    routes.flatMap(({ host, path, pool }) => {
      const place = host + baseOf(path);
      const owner = owners.get(place);
      owners.set(place, pool ?? name);
      return owner === undefined || owner === pool
        ? []
        : [{ key: `${name}.routes`, value: host + path, remedy: `${owner} answers there already` }];
    }),
  );
}
