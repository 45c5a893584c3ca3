/** The stores of test/swarm/stores.test.ts begin with versions before ours, and one `up` brings ours, under their ledger. */
import { expect, test } from "@jest/globals";

import { olderOf } from "../support/older.ts";
import { run } from "../support/store-faults.ts";
import { servers, type StoreName, Stores } from "../support/stores-swarm.ts";
import { patience, storesOn, testNothingLost } from "../support/stores-test.ts";
import { answered, placeOf } from "../support/swarm-stack.ts";

const on = storesOn({ name: "minor", network: "10.213.183", volumesMib: 2048 }, olderOf);

/** What a store's server says of its version. */
const asked: Readonly<Record<StoreName, string>> = {
  db: "postgres --version; patronictl version; etcd --version | head -n 1",
  redis: "redis-server --version | cut -d ' ' -f 1-3",
  solr: "ls /opt/solr/lib | grep -o '^solr-core-[0-9.]*[0-9]'",
  search: "ls /usr/share/elasticsearch/lib | grep -oE '^opensearch-[0-9.]+[0-9]'",
  objects: "garage --version | cut -d ' ' -f 1-2",
};
const versions = (): Promise<string[][]> =>
  Promise.all(
    Stores.chosen.map(async (store) => {
      const say = async (n: number): Promise<string> => {
        const { container } = await placeOf(on.stores.cluster, on.stores.name, servers[store].slot(n));
        return (await answered(container, asked[store])).trim().replaceAll("\n", ", ");
      };
      return Promise.all([1, 2, 3].map(say));
    }),
  );

test(
  "an up from the versions before to ours: nothing is lost, and every server is ours",
  async () => {
    const before = await versions();
    await run(on.stores, {
      ...{ what: "an up from the versions before to ours", seconds: 0 },
      harm: async () => {
        await on.stores.update();
        return () => Promise.resolve();
      },
    });
    const after = await versions();
    for (const [i, store] of Stores.chosen.entries()) {
      const [was = [], is = []] = [before[i], after[i]];
      process.stdout.write(`${store}: from ${was[0] ?? ""} to ${is[0] ?? ""}\n`);
      expect([store, new Set(was).size, new Set(is).size]).toEqual([store, 1, 1]);
      expect(is[0]).not.toBe(was[0]);
    }
  },
  patience,
);

testNothingLost(on);
