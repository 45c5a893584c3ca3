/** What the tests' files of the stores on a swarm have in common: the stores are there before the first test, and go after the last. */
import { afterAll, beforeAll, test } from "@jest/globals";

import { type Fault, nothingLost, run } from "./store-faults.ts";
import { Stores } from "./stores-swarm.ts";

/** Of one test, in milliseconds. */
export const patience = 1_200_000;

interface On {
  stores: Stores;
}

/** `stores` is there within tests. */
export function storesOn(...args: Parameters<typeof Stores.start>): Readonly<On> {
  const on = {} as On;
  beforeAll(async () => {
    on.stores = await Stores.start(...args);
  }, 7_200_000);
  afterAll(async () => {
    await on.stores.stop();
  }, patience);
  return on;
}

/** A test of each fault. */
export function testFaults(on: Readonly<On>, faults: readonly Fault[]): void {
  test.each(faults.map((fault) => [fault.what, fault] as const))(
    "%s: nothing is lost",
    async (_, fault) => {
      await run(on.stores, fault);
    },
    patience,
  );
}

/** The last test of a file. */
export function testNothingLost(on: Readonly<On>): void {
  test(
    "all that was ever acknowledged is there",
    async () => {
      await nothingLost(on.stores);
    },
    patience,
  );
}
