/** Stores of three copies on a swarm of five nodes, one fault after another, under one ledger. */
import { expect, test } from "@jest/globals";

import {
  chosen,
  diskFaults,
  fullFaults,
  maintenance,
  moved,
  nodeFaults,
  processFaults,
  quorumFaults,
  rolling,
  twice,
} from "../support/store-faults.ts";
import { Stores } from "../support/stores-swarm.ts";
import { patience, storesOn, testFaults, testNothingLost } from "../support/stores-test.ts";

const on = storesOn({ name: "stores-ha", network: "10.213.176", volumesMib: 2048 });

test(
  "each server of a store is on a node of its own",
  async () => {
    const { stores } = on;
    await stores.whole();
    for (const store of Stores.chosen) expect(new Set(await stores.nodesOf(store)).size).toBe(3);
  },
  patience,
);

const nodes = ["m1", "m2", "m3", "w1", "w2"];
const faults = chosen([
  ...nodeFaults(nodes),
  ...processFaults(Stores.chosen),
  ...twice(Stores.chosen),
  ...diskFaults(Stores.chosen),
  ...fullFaults(nodes),
  ...quorumFaults(Stores.chosen),
  ...maintenance(nodes),
  ...moved(nodes),
  rolling,
]);

testFaults(on, faults);

test(
  "other passwords of all clients: nothing is lost, and the application goes on with them",
  async () => {
    const { stores } = on;
    const before = stores.ledger.places;
    const loads = stores.hasApp ? (["once", "retried"] as const).map((path) => stores.load("m1", path)) : [];
    await stores.rotate();
    const tallies = await Promise.all(loads.map((load) => load.stop()));
    for (const { sent, lost } of tallies)
      process.stdout.write(`rotated: ${String(lost.length)} of ${String(sent)} requests failed\n`);
    const after = stores.ledger.places;
    for (const store of Stores.chosen)
      expect([store, after[store]]).toEqual([
        store,
        store === "solr" ? before[store] : expect.not.objectContaining(before[store] ?? {}),
      ]);
    await stores.whole();
    const rows = await stores.ledger.during(await stores.on("m1"), "rotated", () => Promise.resolve());
    expect(rows.map(({ store, lost, failed }) => [store, lost, failed])).toEqual(
      Stores.chosen.toSorted().map((store) => [store, 0, 0]),
    );
    if (!stores.hasApp) return;
    const load = stores.load("m1", "once");
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect((await load.stop()).lost).toEqual([]);
  },
  patience,
);

testNothingLost(on);
