/**
 * A Docker swarm of several daemons on this one machine: each node is a network namespace on a common bridge, with a
 * daemon of its own. This machine's own network namespace is the outside world. Linux, root.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import Docker from "dockerode";
import { execa } from "execa";
import { lock } from "proper-lockfile";

import { Problem } from "../setup/problem.ts";
import { which } from "../setup/which.ts";
import { addBridge, hasBridge } from "./network.ts";
import { apiPort, isOn, powerOff, powerOn, registryPort, removeDisk } from "./node.ts";
import { alive, launch, pidIn, self } from "./process.ts";
import { push } from "./push.ts";
import { all, folderOf, linksOf, load, nodeOf, placeOf, save, swarmsRoot } from "./record.ts";
import { serveRegistry } from "./registry.ts";
import { remove, sweep } from "./remove.ts";
import { init, join as joinSwarm, forget, settled } from "./swarm.ts";

import type { Say } from "../setup/cache.ts";
import type { ClusterRecord, NodeRecord } from "./record.ts";

export interface ClusterArgs {
  /** Letters, digits, dashes. A dead owner's cluster of the same name is taken away first. */
  readonly name: string;
  /** The first three numbers of its /24 network, as `10.213.7`. Default: a free one below 10.213. */
  readonly network?: string;
  /** m1, m2, m3. Default 1. */
  readonly managers?: 1 | 3;
  /** w1, w2, … Default 3. */
  readonly workers?: number;
  /** It outlives this process; else the next `start` of anybody takes it away once this process is dead. */
  readonly stays?: boolean;
  readonly say?: Say;
  readonly signal?: AbortSignal;
}

export class Cluster {
  readonly #record: ClusterRecord;

  private constructor(record: ClusterRecord) {
    this.#record = record;
  }

  /** Throws a Problem where it cannot be; what was made until then is taken away again. */
  static async start(args: ClusterArgs): Promise<Cluster> {
    await possible(args);
    await sweep();
    const cluster = new Cluster(await claim(args));
    try {
      await cluster.#make(args.say ?? (() => undefined), args.signal);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** One that has been up whole; nodes that are off (the machine was restarted) are started. */
  static async open(name: string, say: Say = () => undefined): Promise<Cluster | undefined> {
    const record = await load(name);
    if (!record?.complete) return undefined;
    const cluster = new Cluster(record);
    if (!(await hasBridge(record.network))) await addBridge(record.network);
    await cluster.#serve();
    const off = await Promise.all(record.nodes.map(async (node) => ((await isOn(record, node)) ? [] : [node])));
    if (off.flat().length > 0) say("starting the nodes that are off");
    await Promise.all(off.flat().map((node) => this.#fresh(record, node)));
    await settled(cluster.manager(), names(record), undefined);
    return cluster;
  }

  /** One that another process has started, as it is. */
  static of(record: ClusterRecord): Cluster {
    return new Cluster(record);
  }

  static async #fresh(record: ClusterRecord, node: NodeRecord): Promise<void> {
    await powerOff(record, node); // what is left of a daemon that ended by itself
    await powerOn(record, node);
  }

  get name(): string {
    return this.#record.name;
  }
  get nodes(): string[] {
    return names(this.#record);
  }
  /** The registry, as the nodes' daemons reach it. */
  get registry(): string {
    return `${this.outside}:${String(registryPort)}`;
  }
  /** The outside's address on the nodes' network. */
  get outside(): string {
    return linksOf(this.#record.network).gateway;
  }
  /** A folder that all nodes see under this path, as a network file system would give them. */
  get shared(): string {
    return join(folderOf(this.name), "shared");
  }
  address(node: string): string {
    return placeOf(this.#record, this.#node(node)).address;
  }
  /** For `DOCKER_HOST` and Pulumi, from the outside. */
  host(node: string): string {
    return `tcp://${this.address(node)}:${String(apiPort)}`;
  }
  dockerOf(node: string): Docker {
    return new Docker({ socketPath: placeOf(this.#record, this.#node(node)).socket });
  }

  /** A client of the first manager that is on, other than `except`. */
  manager(except?: string): Docker {
    const on = this.#record.nodes.find(
      ({ name, role }) => role === "manager" && name !== except && !this.#off.has(name),
    );
    if (!on) throw new Error("no manager is on");
    return this.dockerOf(on.name);
  }
  readonly #off = new Set<string>();

  isOn(node: string): Promise<boolean> {
    return isOn(this.#record, this.#node(node));
  }

  /** Words to put before a command that is to run in a node's network. */
  prefix(node: string): string[] {
    return ["nsenter", `--net=/run/netns/${placeOf(this.#record, this.#node(node)).netns}`];
  }
  async exec(node: string, ...command: string[]): Promise<string> {
    const [file = "", ...args] = [...this.prefix(node), ...command];
    return (await execa(file, args)).stdout;
  }

  /** The machine engine's images into the registry. Gives the references under which the nodes pull them. */
  push(refs: readonly string[], say?: Say): Promise<Record<string, string>> {
    return push(this.registry, refs, say);
  }

  /** A power cut: daemon, containerd, shims and containers end in one moment, the network with them. The disk stays. */
  async kill(node: string): Promise<void> {
    this.#off.add(node);
    await powerOff(this.#record, this.#node(node));
  }

  /** The disk is lost, too. A later `start` makes a new node of the same name and address. */
  async wipe(node: string): Promise<void> {
    await this.kill(node);
    await removeDisk(this.#record, this.#node(node));
  }

  /** Power is back. Resolves when the swarm has the node again; a wiped one joins anew, its old entry removed. */
  async start(node: string): Promise<void> {
    const record = this.#node(node);
    const engine = await powerOn(this.#record, record);
    const { Swarm } = (await engine.info()) as { Swarm: { LocalNodeState: string } };
    if (Swarm.LocalNodeState === "inactive") {
      const manager = this.manager(node);
      await forget(manager, node);
      await joinSwarm(manager, engine, record.role, this.address(node));
    }
    this.#off.delete(node);
    await settled(this.manager(), [node], undefined);
  }

  /** One more; gives its name. */
  async addWorker(): Promise<string> {
    const number = this.#record.nodes.filter(({ role }) => role === "worker").length + 1;
    const node = nodeOf("worker", number);
    this.#record.nodes.push(node);
    await save(this.#record);
    const engine = await powerOn(this.#record, node);
    await joinSwarm(this.manager(), engine, "worker", this.address(node.name));
    await settled(this.manager(), [node.name], undefined);
    return node.name;
  }

  /** Takes everything away. Again: nothing. */
  stop(): Promise<void> {
    return remove(this.name);
  }

  async #make(say: Say, signal: AbortSignal | undefined): Promise<void> {
    const { network, nodes } = this.#record;
    await addBridge(network);
    await mkdir(this.shared, { recursive: true });
    say(`starting ${String(nodes.length)} Docker daemons and a registry`);
    const started = await Promise.allSettled([this.#serve(), ...nodes.map((node) => powerOn(this.#record, node))]);
    // All have ended one way or the other before anything is taken away.
    for (const one of started) if (one.status === "rejected") throw one.reason;
    signal?.throwIfAborted();
    say("joining the swarm");
    const [first, ...others] = nodes;
    if (!first) throw new Error("a cluster has a manager");
    const manager = this.dockerOf(first.name);
    await init(manager, this.address(first.name));
    const joining = others.map(({ name, role }) => ({
      engine: this.dockerOf(name),
      role,
      address: this.address(name),
    }));
    // Each new manager changes the quorum: one at a time.
    for (const { engine, role, address } of joining)
      if (role === "manager") await joinSwarm(manager, engine, role, address);
    await Promise.all(
      joining.map(async ({ engine, role, address }) => {
        if (role === "worker") await joinSwarm(manager, engine, role, address);
      }),
    );
    await settled(manager, names(this.#record), signal);
    this.#record.complete = true;
    await save(this.#record);
  }

  async #serve(): Promise<void> {
    const folder = folderOf(this.name);
    const names = join(folder, "names.pid");
    const program = join(import.meta.dirname, "no-names.ts");
    if (!(await alive(await pidIn(names))))
      await launch(names, join(folder, "names.log"), [process.execPath, program, this.outside]);
    if (!(await alive(await pidIn(join(folder, "registry.pid")))))
      await serveRegistry(folder, "registry", this.registry);
  }

  #node(name: string): NodeRecord {
    const node = this.#record.nodes.find((one) => one.name === name);
    if (!node) throw new Error(`${this.name} has no node ${name}: it has ${names(this.#record).join(", ")}`);
    return node;
  }
}

function names(record: ClusterRecord): string[] {
  return record.nodes.map(({ name }) => name);
}

/** Throws a Problem that says what is missing. */
export async function possible({ name, network, workers = 3 }: ClusterArgs): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new Problem("a swarm on one machine is made of network namespaces: run this as root on Linux");
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name))
    throw new Problem(`cluster name = ${name}: use at most 31 small letters, digits and dashes`);
  if (network !== undefined && !/^10\.\d{1,3}\.\d{1,3}$/.test(network))
    throw new Problem(`cluster network = ${network}: give the first three numbers of a network in 10.0.0.0/8`);
  if (!Number.isInteger(workers) || workers < 0 || workers > 200)
    throw new Problem(`workers = ${String(workers)}: use a whole number from 0 to 200`);
  for (const [tool, from] of [
    ["dockerd", "docker.io"],
    ["ip", "iproute2"],
    ["nsenter", "util-linux"],
    ["iptables", "iptables"],
  ] as const)
    if (!(await which(tool, "/usr/sbin", "/sbin"))) throw new Problem(`there is no ${tool}: apt-get install ${from}`);
}

/** Writes the record, before anything is made; two processes never claim the same network. */
async function claim(args: ClusterArgs): Promise<ClusterRecord> {
  await mkdir(swarmsRoot(), { recursive: true });
  const release = await lock(swarmsRoot(), { retries: { retries: 100, factor: 1, minTimeout: 100 } });
  try {
    const others = await all();
    if (others.some(({ name }) => name === args.name))
      throw new Problem(`there is a swarm ${args.name} already: npm run swarm -- stop --name ${args.name}`);
    const taken = new Set(others.map(({ network }) => network));
    const { stdout } = await execa("ip", ["-json", "address", "show"]);
    const free = (network: string): boolean => !taken.has(network) && !stdout.includes(`"local":"${network}.`);
    const network = args.network ?? candidates(args.name).find(free);
    if (network === undefined || !free(network))
      throw new Problem(`cluster network = ${network ?? "10.213"}: it is in use on this machine, choose another`);
    const { managers = 1, workers = 3 } = args;
    const nodes = [
      ...Array.from({ length: managers }, (_, index) => nodeOf("manager", index + 1)),
      ...Array.from({ length: workers }, (_, index) => nodeOf("worker", index + 1)),
    ];
    const record = { name: args.name, network, owner: args.stays ? null : await self(), complete: false, nodes };
    await save(record);
    return record;
  } finally {
    await release();
  }
}

/** 10.213.20 to 10.213.249, beginning at a place that the name decides. */
function candidates(name: string): string[] {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 230;
  return Array.from({ length: 230 }, (_, index) => `10.213.${String(20 + ((sum + index) % 230))}`);
}
