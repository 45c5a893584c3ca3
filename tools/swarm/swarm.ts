/** Begins a swarm, joins nodes, and waits until all are there. */
import { setTimeout as sleep } from "node:timers/promises";

import { Problem } from "../setup/problem.ts";

import type Docker from "dockerode";

import type { NodeRecord } from "./record.ts";

const swarmPort = 2377;

/** Networks of the swarm come from here: apart from the nodes' own addresses, whose default pools lie in 172.16/12. */
const pool = { DefaultAddrPool: ["10.220.0.0/16"], SubnetSize: 24 };

export async function init(engine: Docker, address: string, heartbeatSeconds = 5): Promise<void> {
  const Spec = { Dispatcher: { HeartbeatPeriod: heartbeatSeconds * 1e9 } };
  await engine.swarmInit({ ListenAddr: `${address}:${String(swarmPort)}`, AdvertiseAddr: address, ...pool, Spec });
}

export async function join(manager: Docker, engine: Docker, role: NodeRecord["role"], address: string): Promise<void> {
  const { JoinTokens } = (await manager.swarmInspect()) as { JoinTokens: { Manager: string; Worker: string } };
  await engine.swarmJoin({
    ListenAddr: `${address}:${String(swarmPort)}`,
    AdvertiseAddr: address,
    RemoteAddrs: (await managersOf(manager)).map((one) => `${one}:${String(swarmPort)}`),
    JoinToken: role === "manager" ? JoinTokens.Manager : JoinTokens.Worker,
  });
}

export interface NodeView {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Role: string; readonly Availability: string; readonly Labels?: Record<string, string> };
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string; readonly Addr: string };
  readonly ManagerStatus?: { readonly Reachability: string; readonly Leader?: boolean };
}

export async function nodesOf(manager: Docker): Promise<NodeView[]> {
  return (await manager.listNodes()) as NodeView[];
}

async function managersOf(manager: Docker): Promise<string[]> {
  const up = (await nodesOf(manager)).filter((node) => node.ManagerStatus?.Reachability === "reachable");
  return up.map((node) => node.Status.Addr);
}

/** Removes the entry of a machine whose disk is lost, as its operator would do before the machine joins again. */
export async function forget(manager: Docker, hostname: string): Promise<void> {
  for (const { ID, Description, Spec, Version } of await nodesOf(manager)) {
    if (Description.Hostname !== hostname) continue;
    const node = manager.getNode(ID);
    if (Spec.Role === "manager") await node.update({ ...Spec, Role: "worker", version: Version.Index });
    await until(`the swarm forgets ${hostname}`, undefined, async () => {
      await node.remove({ force: true });
      return true;
    });
  }
}

/** Waits until a manager sees all of these nodes ready, and the managers among them in the quorum. */
export async function settled(
  manager: Docker,
  names: readonly string[],
  signal: AbortSignal | undefined,
  seconds = 60,
): Promise<void> {
  const ready = async (): Promise<boolean> => {
    const nodes = await nodesOf(manager);
    const there = nodes.filter(
      ({ Status, Spec, ManagerStatus }) =>
        Status.State === "ready" && (Spec.Role !== "manager" || ManagerStatus?.Reachability === "reachable"),
    );
    return names.every((name) => there.some(({ Description }) => Description.Hostname === name));
  };
  await until(`${names.join(", ")} to be ready in the swarm`, signal, ready, seconds);
}

/** Asks every 0.1 s. */
async function until(
  what: string,
  signal: AbortSignal | undefined,
  ask: () => Promise<boolean>,
  seconds = 60,
): Promise<void> {
  let why = "";
  const began = Date.now();
  while (Date.now() - began < seconds * 1000) {
    signal?.throwIfAborted();
    try {
      if (await ask()) return;
    } catch (error) {
      why = ` (${String(error)})`;
    }
    await sleep(100);
  }
  throw new Problem(`waited ${String(seconds)} s for ${what}${why}`);
}
