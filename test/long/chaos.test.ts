/**
 * An hour of faults at random on a swarm of five nodes, one after the other, under the ledger of test/swarm/stores.test.ts.
 * `PLATFORM_TOPOLOGIES_CHAOS_MINUTES` makes it shorter, `PLATFORM_TOPOLOGIES_CHAOS_SEED` repeats the faults of a run.
 */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  atOnce,
  diskFaults,
  type Fault,
  fullFaults,
  maintenance,
  moved,
  nodeFaults,
  nothingLost,
  processFaults,
  rolling,
  run,
} from "../support/store-faults.ts";
import { Stores } from "../support/stores-swarm.ts";

const name = "chaos";
const minutes = Number(process.env.PLATFORM_TOPOLOGIES_CHAOS_MINUTES ?? 60);
const seed = Number(process.env.PLATFORM_TOPOLOGIES_CHAOS_SEED ?? Date.now() % 1_000_000);
const nodes = ["m1", "m2", "m3", "w1", "w2"];
let stores: Stores;

/** Numbers from 0 to 1 that follow from the seed alone (mulberry32). */
function numbers(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One kind of fault is as likely as another, however many nodes or stores it has. */
const kinds: readonly (readonly Fault[])[] = [
  nodeFaults(nodes).filter(({ what }) => what.includes("power")),
  nodeFaults(nodes).filter(({ what }) => what.includes("cut")),
  processFaults(Stores.chosen),
  // No store loses two servers by it.
  Stores.chosen.flatMap((one) =>
    Stores.chosen.flatMap((other) => (one < other ? [atOnce(processFaults([one]), processFaults([other]))] : [])),
  ),
  diskFaults(Stores.chosen),
  fullFaults(nodes),
  maintenance(nodes),
  moved(nodes),
  [rolling],
].filter((faults) => faults.length > 0);

beforeAll(async () => {
  stores = await Stores.start({ name, network: "10.213.177", volumesMib: 2048 });
}, 7_200_000);

afterAll(async () => {
  await stores.stop();
}, 300_000);

test(
  `${String(minutes)} minutes of faults with the seed ${String(seed)}: nothing is lost`,
  async () => {
    const next = numbers(seed);
    const pick = <T>(list: readonly T[]): T => {
      const found = list[Math.floor(next() * list.length)];
      if (found === undefined) throw new Error("nothing to choose from");
      return found;
    };
    await stores.whole();
    const failed: string[] = [];
    const end = Date.now() + minutes * 60_000;
    for (let round = 1; Date.now() < end; round++) {
      const fault = pick(pick(kinds));
      const seconds = fault.seconds === 0 ? 0 : 10 + Math.round(next() * 30);
      const title = `seed ${String(seed)}, round ${String(round)}: ${fault.what}, ${String(seconds)} s`;
      process.stdout.write(`${title}\n`);
      // The hour goes on after a fault that cost too much, as long as all is well again.
      await run(stores, { ...fault, seconds }).catch(async (error: unknown) => {
        failed.push(`${title}: ${String(error)}`);
        process.stdout.write(`${title}: failed: ${String(error)}\n`);
        await stores.whole();
      });
    }
    await nothingLost(stores);
    expect(failed).toEqual([]);
  },
  minutes * 60_000 + 1_200_000,
);
