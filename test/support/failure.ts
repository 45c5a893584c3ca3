/**
 * Measures what a loss on a swarm costs: a node loses its power under a steady load, comes back, and all is as it was.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";

import type Docker from "dockerode";

import type { Failure } from "../../tools/commands/failures.ts";
import type { Cluster } from "../../tools/swarm/cluster.ts";
import type { Row } from "./ledger.ts";
import { type Load, said, type Tally, tasksOf } from "./swarm-stack.ts";
import { eventually } from "./swarm.ts";

/** Writes a failure into the table of this run of `npm run test:swarm`, and to the terminal. */
export function tell(failure: Failure): void {
  const line = JSON.stringify(failure);
  process.stdout.write(`${line}\n`);
  const file = process.env.PLATFORM_TOPOLOGIES_FAILURES;
  if (file !== undefined) appendFileSync(file, `${line}\n`);
}

export interface PowerCut {
  readonly cluster: Cluster;
  readonly system: string;
  /** Prefix of the stack's services. */
  readonly name: string;
  readonly node: string;
  /** What runs on the node and matters here, in words: `the search slot`. */
  readonly what: string;
  /** Starts a load through the edge of a node that stays, if there is one. */
  readonly load: () => Load;
  /** Further loads at the same time, by what they do: each has a row of its own in the table. */
  readonly beside?: Readonly<Record<string, () => Load>>;
  /**
   * Services that only this node can run, by their names without the prefix: they wait for the node. If it is the only
   * manager: all services.
   */
  readonly waits?: readonly string[];
  /** Done while the node is off and what can run elsewhere does; the load goes on. */
  readonly whileOff?: () => Promise<void>;
  /** Waits until the stores have all their copies again, once every task runs. Default: that is enough. */
  readonly whole?: () => Promise<void>;
  /** How many rows of those written before and during the cut are gone. Asked when all is back. */
  readonly rowsLost: () => Promise<number>;
}

/** What it cost: the row of the table, and what each of the loads beside has seen. */
export interface Cost extends Failure {
  readonly beside: Readonly<Record<string, Tally>>;
}

/**
 * Cuts a node's power under load, waits until what can run elsewhere does, and until the node has back what waited for
 * it. The load goes on until then, and what it lost is told.
 */
export async function powerCut(cut: PowerCut): Promise<Cost> {
  const { cluster, system, name, node, what, waits = [], whileOff, whole, rowsLost } = cut;
  const another = cluster.nodes.some((each) => each.startsWith("m") && each !== node);
  const manager = () => cluster.manager(another ? node : undefined);
  // Managers that have lost their leader answer with an error for a while; the only one does not answer while it is
  // off.
  const tasks = async (): Promise<Tasks> => {
    try {
      return await tasksOf(manager(), name);
    } catch {
      return {};
    }
  };
  const before = await tasksOf(manager(), name);
  const perNode = await onEachNode(manager(), name);
  const load = cut.load();
  const loads = Object.entries(cut.beside ?? {}).map(([does, begin]) => [does, begin()] as const);
  try {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const cutAt = Date.now();
    await cluster.kill(node);
    // Until the managers notice that a node is gone, they call its tasks "running".
    await eventually(180, tasks, (now) =>
      Object.entries(before).every(([service, all]) => {
        const due = perNode.has(service) ? all.filter((task) => !task.endsWith(` ${node}`)) : all;
        return waits.includes(service) || running(now[service], node) === due.length;
      }),
    );
    const moved = Date.now();
    // A leader that was just elected takes a node for ready, or unknown, until heartbeats are missing.
    if (another)
      await eventually(
        90,
        () => stateOf(manager(), node),
        (state) => state === "down",
      );
    await (whileOff?.() ?? new Promise((resolve) => setTimeout(resolve, 5000)));
    const during = load.tally.lost.length;
    await cluster.start(node);
    const powered = Date.now();
    const { answered } = load;
    const missing = (now: Tasks) =>
      Object.entries(before).flatMap(([service, all]) => (running(now[service]) === all.length ? [] : [service]));
    try {
      // A manager that comes back shows the old tasks until its node has reported: the load knows better.
      await eventually(300, tasks, (now) => missing(now).length === 0 && load.answered > answered);
    } catch (error) {
      for (const service of missing(await tasks())) process.stdout.write(await lastWords(cluster, name, service));
      throw error;
    }
    await whole?.();
    const back = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const { sent, lost, slowest } = await load.stop();
    const tallies = await Promise.all(loads.map(async ([does, each]) => [does, await each.stop()] as const));
    const failure: Failure = {
      ...{ system, killed: `${node}: ${what}`, sent, lost: lost.length, slowest },
      // If all services wait for the node, none moves elsewhere.
      ...(Object.keys(before).every((service) => waits.includes(service) || perNode.has(service))
        ? {}
        : { elsewhere: seconds(cutAt, moved) }),
      ...{ back: seconds(powered, back), rows: await rowsLost() },
    };
    tell(failure);
    if (lost.length > 0)
      process.stdout.write(`lost (${String(during)} before power was back): ${kindsOf(lost).join("; ")}\n`);
    for (const [does, tally] of tallies) tellLoad({ system, killed: `${node}: the same; ${does}`, tally });
    return { ...failure, beside: Object.fromEntries(tallies) };
  } finally {
    await Promise.all([load, ...loads.map(([, each]) => each)].map((each) => each.stop()));
    if (!(await cluster.isOn(node))) await cluster.start(node);
  }
}

/** Tells what one more load has seen of a loss, and why its requests were lost. */
export function tellLoad({ system, killed, tally, rows }: LoadSeen): void {
  const { sent, lost, slowest } = tally;
  tell({ system, killed, sent, lost: lost.length, slowest, ...(rows === undefined ? {} : { rows }) });
  if (lost.length > 0) process.stdout.write(`lost: ${kindsOf(lost).join("; ")}\n`);
}
interface LoadSeen {
  readonly system: string;
  readonly killed: string;
  readonly tally: Tally;
  /** How many of its acknowledged rows are gone. */
  readonly rows?: number;
}

/** Tells what a ledger's client of one store has seen of a loss. */
export function tellStore(system: string, node: string, row: Row): void {
  const { store, acknowledged, failed, gap, lost } = row;
  const killed = `${node}: the same; rows into ${store}, none for ${String(Math.round(gap * 10) / 10)} s`;
  tell({ system, killed, sent: acknowledged + failed, lost: failed, rows: lost });
}

/**
 * Tells why a service does not do what it should: the end of the log of its latest container on each node, and what the
 * container answers to a shell script.
 */
export async function lastWords(cluster: Cluster, name: string, service: string, script?: string): Promise<string> {
  const words: string[] = [];
  for (const node of cluster.nodes) {
    const engine = cluster.dockerOf(node);
    const filters = { label: [`com.docker.swarm.service.name=${name}-${service}`] };
    const [latest] = await engine.listContainers({ all: true, filters, limit: 1 }).catch(() => []);
    if (latest === undefined) continue;
    const container = engine.getContainer(latest.Id);
    const { State } = await container.inspect();
    const log = (await container.logs({ stdout: true, stderr: true, tail: 60 })).toString();
    const check = State.Health?.Log.at(-1)?.Output ?? "";
    words.push(`--- ${service} on ${node}, ${latest.Status}\n${log}\n--- its health check: ${check}\n`);
    if (script !== undefined && State.Running) words.push(`--- ${script}\n${await said(container, script)}\n`);
  }
  return words.join("");
}

/** Each kind of loss: how often it came, and the first and last time, in milliseconds of the load. */
export function kindsOf(lost: readonly string[]): string[] {
  const kinds = new Map<string, number[]>();
  for (const line of lost) {
    const [at = "", ...rest] = line.split(": ");
    const kind = rest.join(": ").trim();
    kinds.set(kind, [...(kinds.get(kind) ?? []), Number(at)]);
  }
  return [...kinds].map(
    ([kind, at]) => `${String(at.length)} x ${kind} (${String(Math.min(...at))} to ${String(Math.max(...at))})`,
  );
}

type Tasks = Awaited<ReturnType<typeof tasksOf>>;

/** The global services, which have a task on each node that fits. With a node off they have one less. */
async function onEachNode(manager: Docker, name: string): Promise<Set<string>> {
  const services = (await manager.listServices()) as { Spec: { Name: string; Mode: { Global?: object } } }[];
  return new Set(
    services.flatMap(({ Spec: { Name, Mode } }) =>
      Mode.Global !== undefined && Name.startsWith(`${name}-`) ? [Name.slice(name.length + 1)] : [],
    ),
  );
}

/** How many of the tasks run, on other nodes than `except`. */
function running(tasks: readonly string[] = [], except?: string): number {
  return tasks.filter((task) => task.startsWith("running ") && task !== `running ${except ?? ""}`).length;
}

/** What the managers say of a node: `ready`, `unknown` or `down`. */
async function stateOf(manager: Docker, node: string): Promise<string | undefined> {
  const nodes = (await manager.listNodes().catch(() => [])) as {
    Description: { Hostname: string };
    Status: { State: string };
  }[];
  return nodes.find(({ Description }) => Description.Hostname === node)?.Status.State;
}

function seconds(from: number, to: number): number {
  return Math.round((to - from) / 100) / 10;
}
