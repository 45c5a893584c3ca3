/** What a system would make, as plain values, and what can be told from it. */
import type { Container, EdgeOptions, Job, Kind, List, Port, Route, Slot, Workload } from "./contracts.ts";
import { own } from "./formats.ts";
import type { NamedDump } from "./topology.ts";

/** `nobody`: the need is refused. */
export type SuppliedBy = "existing" | "managed" | "container" | "nobody";

/** A need: who supplies it, and why not somebody else. */
export interface PlannedNeed {
  readonly kind: Kind;
  readonly name: string;
  readonly ask: object;
  readonly by: SuppliedBy;
  readonly because: string;
  /** The names of its own slots, workloads and jobs. */
  readonly parts: List<string>;
}

/** Everything that a system would make, in the order in which it asks. */
export interface Plan {
  readonly needs: PlannedNeed[];
  readonly workloads: Map<string, Workload>;
  readonly slots: Map<string, Slot>;
  readonly jobs: Map<string, Job>;
  /** The names of the parts and needs that each slot, workload and job waits for. */
  readonly waits: Map<string, List<string>>;
  /** How the data of each store get out and back in. */
  readonly dumps: List<NamedDump>;
  /** What the place supplies itself, by name. */
  readonly managed: Map<string, { readonly kind: Kind; readonly ask: object }>;
  /** Stores whose clients can be given another password. */
  readonly rotates: Set<string>;
  /** Secrets that the operator must set. */
  readonly secrets: Set<string>;
  /** Names that were used twice. */
  readonly repeated: Set<string>;
  /** Keys of images that the system starts itself, and of those that its place runs beside it. */
  readonly images: Set<string>;
  /** What the system wants at the edge. */
  readonly edge: EdgeOptions;
}

/** A route together with what answers it: a workload, or the slots of a pool. */
export interface PlannedRoute extends Route {
  /** The workload, the slot, or the pool. */
  readonly to: string;
  readonly target: Port;
  /** A page that answers below 400 while the server is well. */
  readonly check?: { readonly path: string; readonly port: number };
  /** The names of the replicas, for a topology without a balancer of its own, or of the slots. */
  readonly hosts: List<string>;
  /** `replicas`: of one workload, which a swarm knows by one name. */
  readonly of: "replicas" | "slots";
}

/** Every container of a plan, by name; also those that run only when a slot goes. */
export function containers(plan: Plan): List<readonly [string, Container]> {
  const finalizers = [...plan.slots].flatMap(([name, { leave, left }]): (readonly [string, Container])[] => [
    ...(leave === undefined ? [] : [[`${name}-leave`, leave] as const]),
    ...(left === undefined ? [] : [[`${name}-left`, left] as const]),
  ]);
  return [...plan.workloads, ...plan.slots, ...plan.jobs, ...finalizers];
}

/**
 * Every image that a plan runs, by its key. With `proxied` the edge is a proxy, whose image counts, too. So does the
 * image of the job that marks a new disk.
 */
export function imageKeys(plan: Plan, proxied: boolean): List<string> {
  const marked = [...plan.slots.values()].some(({ disk }) => disk.marker !== undefined);
  const keys = containers(plan).map(([, { image }]) => image);
  return [...new Set([...keys, ...plan.images, ...(marked ? ["toolbox"] : []), ...(proxied ? [plan.edge.proxy] : [])])];
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

/** Returns port 0 for an unknown port: `check` has reported it. */
function target({ ports }: Container, key: string): Pick<PlannedRoute, "target"> {
  return { target: own(ports, key) ?? { number: 0, protocol: "http" } };
}

/**
 * The health page, if a proxy may use it as well. Proxies take any status below 400 for healthy, so a probe with
 * another limit is left out.
 */
function healthPage({ health: { ready, page }, ports = {} }: Workload | Slot): Pick<PlannedRoute, "check"> {
  const asked = page ?? ("http" in ready && (ready.below ?? 400) === 400 ? ready : undefined);
  const port = asked === undefined ? undefined : own(ports, asked.http);
  return asked === undefined || port === undefined ? {} : { check: { path: asked.path, port: port.number } };
}
