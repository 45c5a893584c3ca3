/** What can happen to stores on a swarm, and what it cost: the same check for every fault. */
import { readFileSync } from "node:fs";
import process from "node:process";

import { expect } from "@jest/globals";

import type { Direction } from "../../tools/swarm/network.ts";
import { kindsOf } from "./failure.ts";
import { held, type Row } from "./ledger.ts";
import { type StoreName, servers, Stores } from "./stores-swarm.ts";
import { placeOf } from "./swarm-stack.ts";
import { eventually } from "./swarm.ts";

export interface Fault {
  /** In words, as `w1 without power`. */
  readonly what: string;
  /** The node that it happens to, where that is known before. */
  readonly node?: string;
  /** Does it. Returns what ends it. */
  readonly harm: (stores: Stores) => Promise<() => Promise<unknown>>;
  /** How long it lasts, in seconds. */
  readonly seconds: number;
}

const cuts: Readonly<Record<string, readonly Direction[]>> = {
  "cut off": ["in", "out"],
  "cut off from what it is sent": ["in"],
  "cut off from what it sends": ["out"],
};

/** Those that `PLATFORM_TOPOLOGIES_FAULTS` asks for by words, in its order, as in `w1 without power,disk full`; else all. */
export function chosen(faults: readonly Fault[]): readonly Fault[] {
  const words = process.env.PLATFORM_TOPOLOGIES_FAULTS?.split(",");
  return words?.flatMap((word) => faults.filter(({ what }) => what.includes(word))) ?? faults;
}

/** A node loses its power, or its network. */
export function nodeFaults(nodes: readonly string[]): Fault[] {
  const power = nodes.map((node): Fault => ({
    ...{ what: `${node} without power`, node, seconds: 40 },
    harm: async ({ cluster }) => {
      await cluster.kill(node);
      return () => cluster.start(node);
    },
  }));
  const without = nodes.flatMap((node) =>
    Object.entries(cuts).map(([what, directions]): Fault => ({
      ...{ what: `${node} ${what}`, node, seconds: 40 },
      harm: async ({ cluster }) => {
        await cluster.cut(node, directions);
        return () => cluster.heal(node, directions);
      },
    })),
  );
  return [...power, ...without];
}

/** The process of the server that leads ends, or stands still. */
export function processFaults(stores: readonly StoreName[]): Fault[] {
  return stores.flatMap((store) =>
    (["SIGKILL", "SIGSTOP"] as const).map((signal): Fault => ({
      what: `${store}: the leading process ${signal === "SIGKILL" ? "killed" : "stopped for 30 s"}`,
      seconds: signal === "SIGKILL" ? 15 : 30,
      harm: async (on) => {
        const pids = await processesOf(on, store, await on.leader(store));
        expect(pids.length).toBeGreaterThan(0);
        send(pids, signal);
        return () => {
          if (signal === "SIGSTOP") send(pids, "SIGCONT");
          return Promise.resolve();
        };
      },
    })),
  );
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended with another of them
    }
}

async function processesOf(on: Stores, store: StoreName, slot: string): Promise<number[]> {
  const { node, container } = await placeOf(on.cluster, on.name, slot);
  return on.cluster.processes(node, container.id, servers[store].program);
}

/** The server that leads has an empty disk from one moment to the next; then the operator says so. */
export function diskFaults(stores: readonly StoreName[]): Fault[] {
  return stores.map((store) => ({
    ...{ what: `${store}: the leader's disk lost`, seconds: 20 },
    harm: async (on) => {
      const slot = await on.leader(store);
      const { node, container } = await placeOf(on.cluster, on.name, slot);
      const { Mounts } = await container.inspect();
      const volume = Mounts.find(({ Type }) => Type === "volume")?.Name ?? "";
      await container.kill();
      await on.cluster.emptyVolume(node, volume);
      // The other two fill an empty disk of objects by themselves.
      return () => (store === "objects" ? Promise.resolve() : on.replaceDisks([slot]));
    },
  }));
}

/** No byte more on the disk that all servers of a node have. */
export function fullFaults(nodes: readonly string[]): Fault[] {
  return nodes.map((node) => ({
    ...{ what: `${node}'s disk full`, node, seconds: 40 },
    harm: async ({ cluster }) => {
      await cluster.fill(node);
      return () => cluster.unfill(node);
    },
  }));
}

/**
 * The disk of Solr's leader is full, and once another may lead, its ZooKeeper and one more stand still: two of three, so that
 * nobody answers for a while. Nothing may be lost, and all members agree in the end.
 */
export function quorumFaults(stores: readonly StoreName[]): Fault[] {
  if (!stores.includes("solr")) return [];
  return [6, 15].map((wait): Fault => ({
    ...{ what: `solr: the leader's disk full, ${String(wait)} s later two ZooKeepers stopped for 12 s`, seconds: 10 },
    harm: async (on) => {
      const slot = await on.leader("solr");
      const { node } = await placeOf(on.cluster, on.name, slot);
      const other = [1, 2, 3].map(servers.solr.slot).find((each) => each !== slot) ?? "";
      await on.cluster.fill(node);
      await sleep(wait * 1000);
      const pids = (await Promise.all([slot, other].map((each) => processesOf(on, "solr", each)))).flat();
      const zookeepers = pids.filter((pid) =>
        readFileSync(`/proc/${String(pid)}/cmdline`, "utf8").includes("QuorumPeer"),
      );
      expect(zookeepers.length).toBeGreaterThan(0); // the one on the full disk may be away
      send(zookeepers, "SIGSTOP");
      await sleep(12_000);
      send(zookeepers, "SIGCONT");
      return () => on.cluster.unfill(node);
    },
  }));
}

/** The leading process is killed, and once all is well again and another has its place, that of its successor. */
export function twice(stores: readonly StoreName[]): Fault[] {
  return stores.map((store) => {
    const [once] = processFaults([store]);
    if (once === undefined) throw new Error(`no fault of ${store}`);
    return {
      ...once,
      what: `${store}: the leading process killed, and its successor's as soon as all is well`,
      harm: async (on) => {
        const slot = await on.leader(store);
        const before = await processesOf(on, store, slot);
        await once.harm(on);
        // A store may look well until it has seen what happened. Patroni starts another process in the same container.
        await eventually(
          120,
          () => processesOf(on, store, slot).catch(() => []),
          (now) => now.length > 0 && !now.some((pid) => before.includes(pid)),
        );
        await on.whole();
        return once.harm(on);
      },
    };
  });
}

/** A fault of each list, the first one of each, in the same moment. */
export function atOnce(...lists: readonly (readonly Fault[])[]): Fault {
  const faults = lists.flatMap(([first]) => (first === undefined ? [] : [first]));
  return {
    ...{ what: faults.map(({ what }) => what).join(", and "), seconds: 20 },
    harm: async (on) => {
      const done = await Promise.all(faults.map((fault) => fault.harm(on)));
      return () => Promise.all(done.map((heal) => heal()));
    },
  };
}

/** What an operator does with a node: it gives its tasks away, its engine starts again, it takes tasks again. */
export function maintenance(nodes: readonly string[]): Fault[] {
  return nodes.map((node) => ({
    ...{ what: `${node} drained, its engine started again`, node, seconds: 10 },
    harm: async ({ cluster }) => {
      await cluster.availability(node, "drain");
      return async () => {
        await cluster.kill(node);
        await cluster.start(node);
        await cluster.availability(node, "active");
      };
    },
  }));
}

/** A node is taken out for good, as docs/guide.md has it: it gives its tasks away, and its servers get other disks. */
export function moved(nodes: readonly string[]): Fault[] {
  return nodes.map((node) => ({
    ...{ what: `${node} taken out, its servers moved`, node, seconds: 0 },
    harm: async (on) => {
      const slots = await on.slotsOn(node);
      await on.cluster.availability(node, "drain");
      await on.replaceDisks(slots);
      expect(await on.slotsOn(node)).toEqual([]);
      return () => on.cluster.availability(node, "active");
    },
  }));
}

/** Another image of each server, by `up`. */
export const rolling: Fault = {
  ...{ what: "an up with another image of each server", seconds: 0 },
  harm: async (on) => {
    await on.roll();
    return () => Promise.resolve();
  },
};

/** Once all is well: whatever was acknowledged since the stores' start is there. */
export async function nothingLost(stores: Stores): Promise<void> {
  await stores.whole();
  const lost = await stores.ledger.lost(await stores.on("m1"));
  expect(lost).toEqual(Object.fromEntries(Stores.chosen.map((each) => [each, 0])));
}

/** The longest that a store may be without a write, on a machine that does much else: docs/ha.md has the goals. */
const bounds: Readonly<Record<StoreName, number>> = { db: 90, redis: 60, solr: 180, search: 180, objects: 120 };

/** Does it under the ledger and the application's load, waits until all is well, and checks what was kept. */
export async function run(stores: Stores, fault: Fault): Promise<Row[]> {
  const { cluster } = stores;
  const stays = cluster.nodes.find((node) => node.startsWith("m") && node !== fault.node) ?? "";
  const on = fault.node === undefined ? "" : ` (${await stores.serversOn(fault.node)})`;
  const loads = stores.hasApp ? (["once", "retried"] as const).map((path) => stores.load(stays, path)) : [];
  try {
    const rows = await stores.ledger.during(await stores.on(stays), `${fault.what}${on}`, async () => {
      const heal = await fault.harm(stores);
      await sleep(fault.seconds * 1000);
      await heal();
      const healed = Date.now();
      await stores.whole();
      process.stdout.write(`${fault.what}: whole again after ${String(Math.round((Date.now() - healed) / 1000))} s\n`);
      await sleep(3000);
    });
    const [once, retried] = await Promise.all(loads.map((load) => load.stop()));
    if (once !== undefined && retried !== undefined)
      process.stdout.write(
        `${fault.what}: the application failed ${String(once.lost.length)} of ${String(once.sent)} requests, ${String(retried.lost.length)} of ${String(retried.sent)} where it tries again\n  ${kindsOf(once.lost).join("; ")}\n  where it tries again ${kindsOf(retried.lost).join("; ")}\n`,
      );
    held(rows, bounds);
    return rows;
  } finally {
    for (const load of loads) await load.stop();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
