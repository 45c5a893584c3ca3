/**
 * A Docker swarm of several daemons on this one machine: each node is a network namespace on a common bridge, with a
 * daemon of its own. This machine's own network namespace is the outside world. Linux, root.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import Docker from "dockerode";
import { execa } from "execa";

import { copies } from "../images/push.ts";
import { claim, possible } from "./claim.ts";
import { addBridge, cut, hasBridge, type Direction, heal } from "./network.ts";
import { apiPort, inMounts, isOn, pidsOf, powerOff, powerOn, registryPort, removeDisk } from "./node.ts";
import { alive, launch, pidIn } from "./process.ts";
import { push, pushAs } from "./push.ts";
import { folderOf, hostnameOf, linksOf, load, nodeOf, placeOf, save } from "./record.ts";
import { serveRegistry } from "./registry.ts";
import { remove, sweep } from "./remove.ts";
import { forget, init, join as joinSwarm, nodesOf, settled } from "./swarm.ts";

import type { Say } from "../setup/cache.ts";
import type { ClusterArgs } from "./claim.ts";
import type { ClusterRecord, NodeRecord } from "./record.ts";
import type { NodeView } from "./swarm.ts";

export type { ClusterArgs } from "./claim.ts";

export class Cluster {
  readonly #record: ClusterRecord;

  private constructor(record: ClusterRecord) {
    this.#record = record;
  }

  /** Starts a cluster. Throws a Problem if that fails, and takes away what it has made until then. */
  static async start(args: ClusterArgs): Promise<Cluster> {
    await possible(args);
    await sweep();
    const cluster = new Cluster(await claim(args));
    try {
      await cluster.#make(args);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** A cluster that has been up as a whole. Starts nodes that are off, as after a restart of the machine. */
  static async open(name: string, say: Say = () => undefined): Promise<Cluster | undefined> {
    const record = await load(name);
    if (!record?.complete) return undefined;
    const cluster = new Cluster(record);
    if (!(await hasBridge(record.network))) await addBridge(record.network);
    await cluster.#serve();
    const off = await Promise.all(record.nodes.map(async (node) => ((await isOn(record, node)) ? [] : [node])));
    if (off.flat().length > 0) say("starting the nodes that are off");
    await Promise.all(off.flat().map((node) => this.#fresh(record, node)));
    await settled(cluster.manager(), hostnames(record), undefined);
    return cluster;
  }

  /** A cluster that another process has started, as it is. */
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
    return new Docker({ socketPath: this.socket(node) });
  }

  /** A client of the first manager that is on, but for `except`. */
  manager(except?: string): Docker {
    const on = this.#record.nodes.find(
      ({ name, role }) => role === "manager" && name !== except && !this.#off.has(name),
    );
    if (!on) throw new Error("no manager is on");
    return this.dockerOf(on.name);
  }
  readonly #off = new Set<string>();

  /** The swarm's nodes, as the first manager that answers sees them; empty if none answers. */
  async view(): Promise<NodeView[]> {
    for (const { name, role } of this.#record.nodes)
      if (role === "manager") {
        const nodes = await nodesOf(this.dockerOf(name)).catch(() => []);
        if (nodes.length > 0) return nodes;
      }
    return [];
  }

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

  /**
   * Pushes images of the machine's engine into the registry. Returns the references under which the nodes pull them.
   */
  push(refs: readonly string[], say?: Say): Promise<Record<string, string>> {
    return push(this.registry, refs, say);
  }

  /**
   * Pushes the images that were built here (`.local/images.json`: key to tag), for stacks with `mirror: <this
   * registry>`.
   */
  async pushMirror(built: Readonly<Record<string, string>>, say?: Say): Promise<void> {
    const there = copies(this.registry, built).filter(({ key }) => built[key] !== undefined);
    const cut = this.registry.length + 1;
    await pushAs(
      this.registry,
      there.flatMap(({ from, to }) => to.map((name) => ({ from, to: name.slice(cut) }))),
      say,
    );
  }

  /** A power cut: daemon, containerd, shims and containers end in one moment, the network with them. The disk stays. */
  async kill(node: string): Promise<void> {
    this.#off.add(node);
    await powerOff(this.#record, this.#node(node));
  }

  /** A power cut in which the disk is lost, too. A later `start` makes a new node of the same name and address. */
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
      await forget(manager, hostnameOf(record));
      await joinSwarm(manager, engine, record.role, this.address(node));
    }
    this.#off.delete(node);
    await settled(this.manager(), [hostnameOf(record)], undefined);
  }

  /** Power alone, for a machine that joins by itself. `labels`: of its engine, from now on. */
  async powerOn(node: string, labels: readonly string[]): Promise<void> {
    const record = this.#node(node);
    record.labels = labels;
    await save(this.#record);
    await powerOn(this.#record, record);
    this.#off.delete(node);
  }

  /** Takes a node's packets away: those that it gets, those that it sends, or both. All of it goes on. */
  cut(node: string, directions: readonly Direction[]): Promise<void> {
    return cut(this.#record, this.#node(node), directions);
  }
  /** The end of `cut`. */
  async heal(node: string, directions: readonly Direction[]): Promise<void> {
    await heal(this.#record, this.#node(node), directions);
    // Managers that hear nothing from each other wait for longer each time, up to two minutes (gRPC's own).
    await settled(this.manager(), [hostnameOf(this.#node(node))], undefined, 240);
  }

  /** Whether a node takes tasks: `drain` has them end. */
  async availability(node: string, availability: "active" | "drain"): Promise<void> {
    const hostname = hostnameOf(this.#node(node));
    const manager = this.manager(node);
    const found = (await nodesOf(manager)).find(({ Description }) => Description.Hostname === hostname);
    if (found === undefined) throw new Error(`the swarm has no node ${hostname}`);
    const { ID, Spec, Version } = found;
    await manager.getNode(ID).update({ ...Spec, Availability: availability, version: Version.Index });
  }

  /** The processes of a node's container, by their numbers on this machine, whose program has this name. */
  processes(node: string, container: string, program: string): Promise<number[]> {
    return pidsOf(this.#record, this.#node(node), container, program);
  }

  /** What was in a local volume of a node is gone. */
  async emptyVolume(node: string, volume: string): Promise<void> {
    await inMounts(this.#record, this.#node(node), `find '${this.#volumes(node)}/${volume}/_data' -mindepth 1 -delete`);
  }

  /** Takes the rest of a node's disk for volumes (`volumesMib`): nobody writes there any more. */
  async fill(node: string): Promise<void> {
    if (this.#record.volumesMib === undefined) throw new Error("the nodes' volumes lie on this machine's own disk");
    const file = `${this.#volumes(node)}/filler`;
    const rest = 'df --output=avail -B1 "$(dirname "$1")" | tail -n 1';
    const script = `set -- '${file}'; fallocate -l "$(${rest})" "$1" 2>/dev/null; dd if=/dev/zero of="$1.rest" bs=4k 2>/dev/null || :`;
    await inMounts(this.#record, this.#node(node), script);
  }
  /** The end of `fill`. */
  async unfill(node: string): Promise<void> {
    await inMounts(this.#record, this.#node(node), `rm -f '${this.#volumes(node)}'/filler*`);
  }
  #volumes(node: string): string {
    return join(placeOf(this.#record, this.#node(node)).data, "volumes");
  }

  /** The path of a node's socket. */
  socket(node: string): string {
    return placeOf(this.#record, this.#node(node)).socket;
  }

  /** Adds one more worker. Returns its name. */
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

  /** Takes everything away. A second call does nothing. */
  stop(): Promise<void> {
    return remove(this.name);
  }

  async #make({ say = () => undefined, signal, joined = true, heartbeatSeconds }: ClusterArgs): Promise<void> {
    const { network, nodes } = this.#record;
    await addBridge(network);
    await mkdir(this.shared, { recursive: true });
    say(`starting ${String(nodes.length)} Docker daemons and a registry`);
    const started = await Promise.allSettled([this.#serve(), ...nodes.map((node) => powerOn(this.#record, node))]);
    // All have succeeded or failed before anything is taken away.
    for (const one of started) if (one.status === "rejected") throw one.reason;
    signal?.throwIfAborted();
    if (joined) await this.#join(say, signal, heartbeatSeconds);
    this.#record.complete = true;
    await save(this.#record);
  }

  async #join(say: Say, signal: AbortSignal | undefined, heartbeatSeconds?: number): Promise<void> {
    const { nodes } = this.#record;
    say("joining the swarm");
    const [first, ...others] = nodes;
    if (!first) throw new Error("a cluster has a manager");
    const manager = this.dockerOf(first.name);
    await init(manager, this.address(first.name), heartbeatSeconds);
    const joining = others.map(({ name, role }) => ({
      engine: this.dockerOf(name),
      role,
      address: this.address(name),
    }));
    // Each new manager changes the quorum, so they join one at a time.
    for (const { engine, role, address } of joining)
      if (role === "manager") await joinSwarm(manager, engine, role, address);
    await Promise.all(
      joining.map(async ({ engine, role, address }) => {
        if (role === "worker") await joinSwarm(manager, engine, role, address);
      }),
    );
    await settled(manager, hostnames(this.#record), signal);
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

function hostnames(record: ClusterRecord): string[] {
  return record.nodes.map(hostnameOf);
}
