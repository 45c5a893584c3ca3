/** What can happen to stores on a swarm, and what it cost: the same check for every fault. */
import process from "node:process";

import { expect } from "@jest/globals";

import type { Direction } from "../../tools/swarm/network.ts";
import { held, type Row } from "./ledger.ts";
import { type StoreName, servers, type Stores } from "./stores-swarm.ts";
import { placeOf } from "./swarm-stack.ts";

export interface Fault {
  /** In words, as `w1 without power`. */
  readonly what: string;
  /** The node that it happens to, where that is known before. */
  readonly node?: string;
  /** Does it. Returns the node that it has happened to, and what ends it. */
  readonly harm: (stores: Stores) => Promise<{ readonly on: string; readonly heal: () => Promise<unknown> }>;
  /** How long it lasts, in seconds. */
  readonly seconds: number;
}

const cuts: Readonly<Record<string, readonly Direction[]>> = {
  "cut off": ["in", "out"],
  "cut off from what it is sent": ["in"],
  "cut off from what it sends": ["out"],
};

/** A node loses its power, or its network. */
export function nodeFaults(nodes: readonly string[]): Fault[] {
  const power = nodes.map((node): Fault => ({
    ...{ what: `${node} without power`, node, seconds: 40 },
    harm: async ({ cluster }) => {
      await cluster.kill(node);
      return { on: node, heal: () => cluster.start(node) };
    },
  }));
  const without = nodes.flatMap((node) =>
    Object.entries(cuts).map(([what, directions]): Fault => ({
      ...{ what: `${node} ${what}`, node, seconds: 40 },
      harm: async ({ cluster }) => {
        await cluster.cut(node, directions);
        return { on: node, heal: () => cluster.heal(node, directions) };
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
        const { cluster, name } = on;
        const { node, container } = await placeOf(cluster, name, await on.leader(store));
        const pids = await cluster.processes(node, container.id, servers[store].program);
        expect(pids.length).toBeGreaterThan(0);
        const send = (what: NodeJS.Signals): void => {
          for (const pid of pids)
            try {
              process.kill(pid, what);
            } catch {
              // it has ended with another of them
            }
        };
        send(signal);
        return {
          on: node,
          heal: () => {
            if (signal === "SIGSTOP") send("SIGCONT");
            return Promise.resolve();
          },
        };
      },
    })),
  );
}

/** The longest that a store may be without a write, on a busy machine: quiet ones have a third of it. */
const bounds: Readonly<Record<StoreName, number>> = { db: 45, redis: 30, solr: 90, search: 90, objects: 60 };

/** Does it under the ledger and the application's load, waits until all is well, and checks what was kept. */
export async function run(stores: Stores, fault: Fault): Promise<Row[]> {
  const { cluster } = stores;
  const stays = cluster.nodes.find((node) => node.startsWith("m") && node !== fault.node) ?? "";
  const on = fault.node === undefined ? "" : ` (${await stores.serversOn(fault.node)})`;
  const loads = stores.hasApp ? (["once", "retried"] as const).map((path) => stores.load(stays, path)) : [];
  try {
    const rows = await stores.ledger.during(await stores.on(stays), `${fault.what}${on}`, async () => {
      const { heal } = await fault.harm(stores);
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
        `${fault.what}: the application failed ${String(once.lost.length)} of ${String(once.sent)} requests, ${String(retried.lost.length)} of ${String(retried.sent)} where it tries again: ${[...new Set([...once.lost, ...retried.lost].map((line) => line.replace(/^\d+: /, "")))].slice(0, 5).join("; ")}\n`,
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
