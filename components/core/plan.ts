import { output, type Output, secret } from "@pulumi/pulumi";

import { backup } from "./backup.ts";
import { check } from "./check.ts";
import type {
  Ask,
  Certificate,
  Container,
  EdgeOptions,
  Given,
  Job,
  Kind,
  List,
  Ready,
  Recipe,
  Slot,
  System,
  Workload,
} from "./contracts.ts";
import { refuse } from "./errors.ts";
import { own } from "./formats.ts";
import { imageRow } from "./images.ts";
import { recorded } from "./kinds.ts";
import { BasePlatform } from "./platform.ts";
import type { PlannedRoute, Services, Site, Topology } from "./topology.ts";

/** Everything that a system would make, as plain values, in the order in which it asks. */
export interface Plan {
  readonly needs: { readonly kind: Kind; readonly name: string; readonly supplied: boolean }[];
  readonly workloads: Map<string, Workload>;
  readonly slots: Map<string, Slot>;
  readonly jobs: Map<string, Job>;
  /** Secrets that the operator must set. */
  readonly secrets: Set<string>;
  /** Names that were used twice. */
  readonly repeated: Set<string>;
  /** Keys of images that the system starts itself. */
  readonly images: Set<string>;
  /** What the system wants at the edge. */
  readonly edge: EdgeOptions;
}

/** Runs a system in the dry run: nothing is registered, no provider is loaded. */
export function planOf<C>(system: System<C>, config: C, site: Site, services: Services): Plan {
  const recorder = new Recorder(site, services);
  system(recorder, config);
  backup(recorder, site);
  return recorder.plan;
}

/** Every container of a plan, by name; also those that run only when a slot goes. */
export function containers(plan: Plan): List<readonly [string, Container]> {
  const finalizers = [...plan.slots].flatMap(([name, { leave, left }]): (readonly [string, Container])[] => [
    ...(leave === undefined ? [] : [[`${name}-leave`, leave] as const]),
    ...(left === undefined ? [] : [[`${name}-left`, left] as const]),
  ]);
  return [...plan.workloads, ...plan.slots, ...plan.jobs, ...finalizers];
}

/** Every image that a plan runs, by its key: the edge's too, and that of the job which marks a new disk. */
export function imageKeys(plan: Plan): List<string> {
  const marked = [...plan.slots.values()].some(({ disk }) => disk.marker !== undefined);
  const keys = containers(plan).map(([, { image }]) => image);
  return [...new Set([...keys, ...plan.images, ...(marked ? ["toolbox"] : []), plan.edge.proxy])];
}

/** The names under which a workload's replicas listen: its own for one, numbered for more. */
export function replicaNames(name: string, { replicas }: Workload): List<string> {
  const count = replicas === "each-node" ? 1 : typeof replicas === "number" ? replicas : replicas.max;
  return Array.from({ length: count }, (_, index) => `${name}-${String(index + 1)}`);
}

/** What the edge sends where: known before the first workload exists, so the edge can be made first. */
export function routesOf(plan: Plan): List<PlannedRoute> {
  return pooled([
    ...[...plan.workloads].flatMap(([to, workload]) =>
      (workload.routes ?? []).map((route) => ({
        ...route,
        to,
        ...target(workload, route.port),
        ...healthPage(workload),
        hosts: replicaNames(to, workload),
        of: "replicas" as const,
      })),
    ),
    ...[...plan.slots].flatMap(([to, slot]) =>
      (slot.routes ?? []).map((route) => ({
        ...route,
        to: route.pool ?? to,
        ...target(slot, route.port),
        ...healthPage(slot),
        hosts: [to],
        of: "slots" as const,
      })),
    ),
  ]);
}

/** Slots that answer one route together are one route with several servers. */
function pooled(routes: List<PlannedRoute>): List<PlannedRoute> {
  const byPath = new Map<string, PlannedRoute>();
  for (const route of routes) {
    const key = `${route.to} ${route.host}${route.path}`;
    byPath.set(key, { ...route, hosts: [...(byPath.get(key)?.hosts ?? []), ...route.hosts] });
  }
  return [...byPath.values()];
}

/** A port that is not there is the check's to name. */
function target({ ports }: Container, key: string): Pick<PlannedRoute, "target"> {
  return { target: own(ports, key) ?? { number: 0, protocol: "http" } };
}

/** What a proxy may ask, too: it takes any answer below 400 as well. */
function healthPage({ health: { ready }, ports = {} }: Workload | Slot): Pick<PlannedRoute, "check"> {
  if (!("http" in ready) || (ready.below ?? 400) !== 400) return {};
  const port = own(ports, ready.http);
  return port === undefined ? {} : { check: { path: ready.path, port: port.number } };
}

/** Refuses a service used alone that its topology cannot run. */
export function checkAlone<K extends Kind>(recipe: Recipe<K>, name: string, ask: Ask<K>, on: Topology): void {
  const plan = planOf<Ask<K>>((platform, asked) => void recipe(platform, name, asked), ask, on.site, on.services);
  const routed = routesOf(plan).map(({ to }) => ({
    key: to,
    remedy: "its public name needs an edge: use it inside a system",
  }));
  refuse([...check(plan, on.site, on.capabilities), ...routed]);
}

type Draft = Omit<Plan, "edge"> & { edge: EdgeOptions };

class Recorder extends BasePlatform {
  readonly plan: Draft = {
    needs: [],
    workloads: new Map(),
    slots: new Map(),
    jobs: new Map(),
    secrets: new Set(),
    repeated: new Set(),
    images: new Set(),
    edge: { proxy: "traefik" },
  };
  readonly ca: Output<string> = output("");
  readonly #site: Site;
  readonly #services: Services;

  constructor(site: Site, services: Services) {
    super(site);
    this.#site = site;
    this.#services = services;
  }

  secret(): Output<string> {
    return secret("");
  }

  certificate(): Certificate {
    return { ca: output(""), cert: output(""), key: secret("") };
  }

  configured(name: string): Output<string> {
    this.plan.secrets.add(name);
    return own(this.#site.secrets, name) ?? secret("");
  }

  override image(name: string): string {
    if (imageRow(name) !== undefined) this.plan.images.add(name);
    return super.image(name);
  }

  edge(wish: EdgeOptions): void {
    this.plan.edge = wish;
  }

  protected offer(): void {
    // nothing to give in the dry run
  }

  protected adopt<K extends Kind>(kind: K, name: string, given: Given<K>): Given<K> {
    this.plan.needs.push({ kind, name, supplied: true });
    return given;
  }

  protected supply<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const recipe = this.#services[kind]?.recipe;
    this.plan.needs.push({ kind, name, supplied: recipe !== undefined });
    return recipe ? recipe(this, name, ask) : recorded(kind, name);
  }

  protected makeWorkload(name: string, workload: Workload): [] {
    return this.#record(this.plan.workloads, name, workload);
  }
  protected makeSlot(name: string, slot: Slot): [] {
    return this.#record(this.plan.slots, name, slot);
  }
  job(name: string, job: Job): Ready {
    return { ready: this.#record(this.plan.jobs, name, job) };
  }
  #record<T>(into: Map<string, T>, name: string, value: T): [] {
    const { workloads, slots, jobs, repeated } = this.plan;
    if (workloads.has(name) || slots.has(name) || jobs.has(name)) repeated.add(name);
    into.set(name, value);
    return [];
  }
}
