/** The arguments of a cluster, whether this machine can have it, and its claim on a name and a network. */
import { mkdir } from "node:fs/promises";
import process from "node:process";

import { execa } from "execa";
import { lock } from "proper-lockfile";

import { aptInstall } from "../setup/apt.ts";
import { Problem } from "../setup/problem.ts";
import { which } from "../setup/which.ts";
import { self } from "./process.ts";
import { all, nodeOf, save, swarmsRoot } from "./record.ts";

import type { Say } from "../setup/cache.ts";
import type { ClusterRecord } from "./record.ts";

export interface ClusterArgs {
  /** Letters, digits, dashes. A dead owner's cluster of the same name is taken away first. */
  readonly name: string;
  /** The first three numbers of its /24 network, as `10.213.7`. Default: a free one below 10.213. */
  readonly network?: string;
  /** m1, m2, m3. Default 1. */
  readonly managers?: 1 | 3;
  /** w1, w2, … Default 3. */
  readonly workers?: number;
  /** `false`: the machines alone, in no swarm. Default true. */
  readonly joined?: boolean;
  /** How often a node says that it lives. One that was silent for three times that is down. Default: 5, as Docker's. */
  readonly heartbeatSeconds?: number;
  /** Labels of the engines, as `key=value`, by node. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  /** What machines call themselves, by node. Default: as the node. */
  readonly hostnames?: Readonly<Record<string, string>>;
  /** Each node's volumes lie on a disk of their own, of so many MiB, which can be full. Default: on this machine's. */
  readonly volumesMib?: number;
  /** The cluster outlives this process. Else the next `start` of any process takes it away once this one is dead. */
  readonly stays?: boolean;
  readonly say?: Say;
  readonly signal?: AbortSignal;
}

/** Installs the tools that Debian has; throws a Problem if this machine cannot have the cluster, with what is missing. */
export async function possible({ name, network, workers = 3, say = () => undefined }: ClusterArgs): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new Problem("a swarm on one machine is made of network namespaces: run this as root on Linux");
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name))
    throw new Problem(`cluster name = ${name}: use at most 31 small letters, digits and dashes`);
  if (network !== undefined && !/^10\.\d{1,3}\.\d{1,3}$/.test(network))
    throw new Problem(`cluster network = ${network}: give the first three numbers of a network in 10.0.0.0/8`);
  if (!Number.isInteger(workers) || workers < 0 || workers > 200)
    throw new Problem(`workers = ${String(workers)}: use a whole number from 0 to 200`);
  const lacks: string[] = [];
  for (const [tool, from] of [
    ["dockerd", "docker.io"],
    ["ip", "iproute2"],
    ["nsenter", "util-linux"],
    ["iptables", "iptables"],
  ] as const)
    if (!(await which(tool, "/usr/sbin", "/sbin"))) lacks.push(from);
  if (lacks.length > 0) await aptInstall(lacks, lacks.join(", "), say);
}

/** Writes the record before anything is made. Two processes never claim the same network. */
export async function claim(args: ClusterArgs): Promise<ClusterRecord> {
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
    const { managers = 1, workers = 3, labels = {}, hostnames = {}, volumesMib } = args;
    const nodes = [
      ...Array.from({ length: managers }, (_, index) => nodeOf("manager", index + 1)),
      ...Array.from({ length: workers }, (_, index) => nodeOf("worker", index + 1)),
    ].map((node) => ({
      ...node,
      ...(labels[node.name] === undefined ? {} : { labels: labels[node.name] ?? [] }),
      ...(hostnames[node.name] === undefined ? {} : { hostname: hostnames[node.name] ?? "" }),
    }));
    const owner = args.stays ? null : await self();
    const size = volumesMib === undefined ? {} : { volumesMib };
    const record = { name: args.name, network, owner, complete: false, nodes, ...size };
    await save(record);
    return record;
  } finally {
    await release();
  }
}

/** Networks from 10.213.20 to 10.213.249; the name decides the first. */
function candidates(name: string): string[] {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 230;
  return Array.from({ length: 230 }, (_, index) => `10.213.${String(20 + ((sum + index) % 230))}`);
}
