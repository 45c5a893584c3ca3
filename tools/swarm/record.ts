/** A record on disk of what a cluster has, or is about to have: after a kill -9 any process can take all of it away. */
import { mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { cacheRoot } from "../setup/paths.ts";
import { codeOf } from "../setup/problem.ts";

import type { Pid } from "./process.ts";

export interface NodeRecord {
  readonly name: string;
  readonly role: "manager" | "worker";
  /** The last number of its address. */
  readonly host: number;
  /** Of its engine, as `key=value`. */
  labels?: readonly string[];
  /** What the machine calls itself. Default: the name. */
  readonly hostname?: string;
}

export interface ClusterRecord {
  readonly name: string;
  /** The first three numbers of its addresses. */
  readonly network: string;
  /** The process with which the cluster ends; null: it stays until it is stopped. */
  readonly owner: Pid | null;
  /** Whether it has been up as a whole. */
  complete: boolean;
  /** The size of each node's disk for volumes. Default: they are on this machine's. */
  readonly volumesMib?: number;
  nodes: NodeRecord[];
}

const nodePrefix = { manager: "m", worker: "w" } as const;
const firstHost = { manager: 11, worker: 21 } as const;

export function hostnameOf({ name, hostname = name }: NodeRecord): string {
  return hostname;
}

/** The manager or worker of this number: m1 has .11, w1 has .21. */
export function nodeOf(role: NodeRecord["role"], number: number): NodeRecord {
  return { name: `${nodePrefix[role]}${String(number)}`, role, host: firstHost[role] + number - 1 };
}

export function swarmsRoot(): string {
  return join(cacheRoot(), "swarms");
}
export function folderOf(cluster: string): string {
  return join(swarmsRoot(), cluster);
}

/** A node's names and addresses. They follow from the record, so that nothing else has to be remembered. */
export function placeOf(cluster: ClusterRecord, node: NodeRecord) {
  const folder = join(folderOf(cluster.name), node.name);
  const { tag } = linksOf(cluster.network);
  return {
    folder,
    data: join(folder, "data"),
    /** The disk for volumes, as a file, where they have one of their own. */
    disk: join(folder, "volumes.img"),
    socket: join(folder, "docker.sock"),
    pidFile: join(folder, "dockerd.pid"),
    log: join(folder, "dockerd.log"),
    address: `${cluster.network}.${String(node.host)}`,
    netns: `${tag}-${node.name}`,
    veth: `${tag}-${node.name}`,
    /** A machine that comes back has the same hardware address, which its neighbours remember. */
    mac: `02:d0:${cluster.network.split(".").slice(1).concat(String(node.host)).map(hex).join(":")}:01`,
    cgroup: `platform-topologies-${cluster.name}-${node.name}`,
  };
}

/** Interface names may have 15 letters. */
export function linksOf(network: string): { tag: string; bridge: string; gateway: string } {
  const tag = `pt${network.split(".").slice(1).join(".")}`;
  return { tag, bridge: tag, gateway: `${network}.1` };
}

function hex(number: string): string {
  return Number(number).toString(16).padStart(2, "0");
}

export async function save(record: ClusterRecord): Promise<void> {
  const folder = folderOf(record.name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "cluster.json.new"), JSON.stringify(record, null, 1));
  await rename(join(folder, "cluster.json.new"), join(folder, "cluster.json"));
}

export async function load(cluster: string): Promise<ClusterRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(folderOf(cluster), "cluster.json"), "utf8")) as ClusterRecord;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export async function all(): Promise<ClusterRecord[]> {
  const names = await readdir(swarmsRoot()).catch(() => []);
  return (await Promise.all(names.map(load))).filter((record) => record !== undefined);
}
