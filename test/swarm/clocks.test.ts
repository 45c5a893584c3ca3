/** The stores of test/swarm/stores.test.ts, while the clock of one node after another is ten minutes ahead or behind. */
import { afterAll, beforeAll, test } from "@jest/globals";

import { clockFaults, withClock } from "../support/clocks.ts";
import { chosen, nothingLost, run } from "../support/store-faults.ts";
import { Stores } from "../support/stores-swarm.ts";

const name = "clocks";
const patience = 1_200_000;
let stores: Stores;

beforeAll(async () => {
  stores = await Stores.start({ name, network: "10.213.178" }, withClock);
}, 7_200_000);

afterAll(async () => {
  await stores.stop();
}, patience);

test.each(chosen(clockFaults(["m1", "m2", "m3", "w1", "w2"])).map((fault) => [fault.what, fault] as const))(
  "%s: nothing is lost",
  async (_, fault) => {
    await run(stores, fault);
  },
  patience,
);

test(
  "all that was ever acknowledged is there",
  async () => {
    await nothingLost(stores);
  },
  patience,
);
