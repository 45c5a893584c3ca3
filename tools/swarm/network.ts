/** A switch (a bridge) and cables (veth pairs) to machines (network namespaces). The root namespace is the outside. */
import { execa } from "execa";

import { linksOf, placeOf } from "./record.ts";

import type { ClusterRecord, NodeRecord } from "./record.ts";

async function ip(...args: string[]): Promise<void> {
  await execa("ip", args);
}

/** Adds the bridge. Throws if it is there already, or if another interface uses the network. */
export async function addBridge(network: string): Promise<void> {
  const { bridge, gateway } = linksOf(network);
  const { stdout } = await execa("ip", ["-json", "address", "show"]);
  if (stdout.includes(`"local":"${network}.`)) throw new Error(`an interface of this machine is in ${network}.0/24`);
  await ip("link", "add", bridge, "type", "bridge");
  await ip("address", "add", `${gateway}/24`, "dev", bridge);
  await ip("link", "set", bridge, "up");
  await forward("-I", bridge);
}

export async function hasBridge(network: string): Promise<boolean> {
  return !(await execa("ip", ["link", "show", linksOf(network).bridge], { reject: false })).failed;
}

export async function removeBridge(network: string): Promise<void> {
  const { bridge } = linksOf(network);
  await execa("ip", ["link", "delete", bridge], { reject: false });
  while (!(await forward("-D", bridge)).failed);
}

/**
 * Lets packets between the nodes pass: a machine's own Docker engine that filters forwarded packets would drop them.
 */
function forward(action: "-I" | "-D", bridge: string) {
  const rule = ["DOCKER-USER", "-i", bridge, "-o", bridge, "-j", "ACCEPT"];
  return execa("iptables", ["-w", action, ...rule], { reject: false });
}

export async function plugIn(cluster: ClusterRecord, node: NodeRecord): Promise<void> {
  const { bridge, gateway } = linksOf(cluster.network);
  const { netns, veth, address, mac } = placeOf(cluster, node);
  await ip("netns", "add", netns);
  await ip("link", "add", veth, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", netns);
  await ip("link", "set", veth, "master", bridge, "up");
  const inside = ["ip", "-n", netns] as const;
  for (const device of ["lo", "eth0"]) await ip(...inside.slice(1), "link", "set", device, "up");
  await ip(...inside.slice(1), "address", "add", `${address}/24`, "dev", "eth0");
  // Only the outside may call the node's engine, neither other nodes nor containers.
  const rule = ["INPUT", "-p", "tcp", "--dport", "2375", "!", "-s", gateway, "-j", "DROP"];
  await execa("nsenter", [`--net=/run/netns/${netns}`, "iptables", "-w", "-A", ...rule]);
}

export async function unplug(cluster: ClusterRecord, node: NodeRecord): Promise<void> {
  const { netns, veth } = placeOf(cluster, node);
  await execa("ip", ["link", "delete", veth], { reject: false });
  await execa("ip", ["netns", "delete", netns], { reject: false });
}

/** Processes that run in the node's network namespace. */
export async function pidsIn(netns: string): Promise<number[]> {
  const { stdout } = await execa("ip", ["netns", "pids", netns], { reject: false });
  return stdout.split("\n").filter(Boolean).map(Number);
}

/** Of a node's packets: `in` are those that it gets. */
export type Direction = "in" | "out";

const rules = {
  in: ["INPUT", "!", "-i", "lo", "-j", "DROP"],
  out: ["OUTPUT", "!", "-o", "lo", "-j", "DROP"],
} as const;

/** What containers send to other nodes leaves the node by these chains, too: inside VXLAN. */
export async function cut(cluster: ClusterRecord, node: NodeRecord, directions: readonly Direction[]): Promise<void> {
  for (const each of directions) await filter(cluster, node, "-I", rules[each]);
}

export async function heal(cluster: ClusterRecord, node: NodeRecord, directions: readonly Direction[]): Promise<void> {
  for (const each of directions) await filter(cluster, node, "-D", rules[each]);
}

async function filter(cluster: ClusterRecord, node: NodeRecord, ...words: [string, readonly string[]]): Promise<void> {
  const [action, rule] = words;
  await execa("nsenter", [`--net=/run/netns/${placeOf(cluster, node).netns}`, "iptables", "-w", action, ...rule]);
}
