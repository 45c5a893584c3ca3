import type { Container, Health, Job, Need, Probe, Slot, Workload } from "./contracts.ts";
import { type Problem, sentence } from "./errors.ts";
import { checkExisting } from "./existing.ts";
import { nodeLabels, own, problemsOf } from "./formats.ts";
import { containers, imageKeys, type Plan, replicaNames } from "./plan.ts";
import { baseOf, routeProblems } from "./routes.ts";
import type { Capabilities, Runner, Site } from "./topology.ts";

/** The largest file that every topology's secret store carries. */
export const largestFile = 64 * 1024;

/** Everything about a plan that this topology, or any, cannot run. Nothing has been made when it is called. */
export function check(plan: Plan, site: Site, can: Capabilities): Problem[] {
  return distinct([
    ...[...plan.repeated, ...replicasNamedAs(plan)].map((name) => ({
      key: name,
      remedy: "two parts have this name; give each its own",
    })),
    ...plan.needs.flatMap(({ kind, name, supplied }) => {
      const reason = can.refuses[kind] ?? (supplied ? undefined : `nothing supplies ${kind} on ${can.name} yet`);
      return reason === undefined ? [] : [{ key: name, remedy: reason }];
    }),
    ...[...plan.secrets]
      .filter((name) => !Object.hasOwn(site.secrets, name))
      .map((name) => ({ key: `secrets.${name}`, remedy: `set it: pulumi config set --path --secret secrets.${name}` })),
    ...imageKeys(plan).flatMap((key) => {
      const image = site.image(key);
      return "remedy" in image ? [image] : [];
    }),
    ...containers(plan).flatMap(([name, container]) => checkContainer(name, container, site, can)),
    ...[...plan.workloads].flatMap(([name, workload]) => checkReplicas(name, workload, can)),
    ...[...plan.slots].flatMap(([name, slot]) => checkSlot(name, slot, can)),
    ...[...plan.workloads, ...plan.slots].flatMap(([name, workload]) => checkProbe(name, workload, site)),
    ...sameRoutes(plan),
    ...checkExisting(plan.needs, site.existing),
    ...Object.entries(site.disks)
      .filter(([slot, word]) => word !== "gone" && !plan.slots.has(slot))
      .map(([slot, word]) => ({
        key: `disks.${slot}`,
        value: word,
        remedy: `no such disk; there are ${[...plan.slots.keys()].join(", ")}`,
      })),
  ]);
}

/** A workload's replicas are numbered, and so are slots: `search` and the store `search` would both be `search-1`. */
function replicasNamedAs({ workloads, slots, jobs }: Plan): string[] {
  return [...workloads]
    .flatMap(([name, workload]) => replicaNames(name, workload))
    .filter((name) => workloads.has(name) || slots.has(name) || jobs.has(name));
}

/** Five workloads of one missing image are one problem. */
function distinct(problems: Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [sentence(problem), problem])).values()];
}

function checkContainer(name: string, container: Container | Slot | Job, site: Site, can: Capabilities): Problem[] {
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
  for (const full of [name, ...(container.joins ?? [])].map((each) => `${site.name}-${each}`)) {
    if (full.length > can.nameLength)
      say("name", `at most ${String(can.nameLength)} characters on ${can.name}: shorten the stack's name`, full);
  }
  if ("nodes" in container) problems.push(...problemsOf(nodeLabels, `${name}.nodes`, container.nodes));
  if (can.runners.length > 0 && runnerFor(container, can) === undefined) {
    say("needs", `no way to run this on ${can.name} (${needsOf(container).join(", ")}); choose docker or swarm`);
  }
  const { shmMiB, memoryMiB } = container;
  if (shmMiB !== undefined && !(Number.isInteger(shmMiB) && shmMiB >= 1 && shmMiB <= memoryMiB))
    say("shmMiB", `a whole number from 1 to its memory, ${String(memoryMiB)}: it is a part of that`, shmMiB);
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

/** The first runner that has what the container needs and lets its requests through. */
export function runnerFor(container: Container, { runners }: Capabilities): Runner | undefined {
  const routes = container.routes ?? [];
  const needs = needsOf(container);
  return runners.find(
    ({ can, limits }) =>
      needs.every((need) => can.has(need)) &&
      routes.every(({ bodyMiB = 0, seconds = 60 }) => bodyMiB <= limits.bodyMiB && seconds <= limits.seconds),
  );
}

/** What it says that it needs, and what the rest of it implies. */
function needsOf(container: Container & { readonly health?: Health }): Need[] {
  const implied: Need[] = container.health && "command" in container.health.ready ? ["exec-probe"] : [];
  return [...new Set([...(container.needs ?? []), ...implied])];
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
  const { autoscales, eachNode, name: topology } = can;
  if (replicas === "each-node")
    return eachNode ? [] : [{ key: `${name}.replicas`, value: replicas, remedy: `${topology} has no nodes of yours` }];
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
