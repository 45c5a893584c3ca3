import { z } from "zod";

import { nodeName, port } from "../../components/services/solr-three.ts";
import { each, firstOf, noMajority, type StoreKind } from "./store.ts";

const answered = z.object({
  /** Each has said so in the ZooKeeper beside it, which works then, too. */
  live: z.array(z.string()),
  /** Copies by collection and shard. */
  collections: z.record(z.string(), z.record(z.string(), z.array(z.object({ node: z.string(), state: z.string() })))),
});

/** Solr with a ZooKeeper beside each: the set-up job strikes a lost member's copies off, and makes them on its new disk. */
export const solr: StoreKind = {
  // A member that has lost its ensemble remembers what was, and says so in its health.
  script: (hosts) =>
    firstOf(
      hosts,
      `ask() { curl -fsS -m 20 "http://$host:${String(port)}/solr/admin/$1"; } &&
  ask info/health >/dev/null && status=$(ask 'collections?action=CLUSTERSTATUS&wt=json') &&
  jq '.cluster | {live: .live_nodes, collections: (.collections // {} | map_values(.shards
    | map_values([.replicas[] | {node: .node_name, state}])))}' <<<"$status"`,
    ),
  login: () => "",
  read: (answer, hosts) => {
    const { live, collections } = answered.parse(answer);
    const works = (host: string): boolean => live.includes(nodeName(host));
    const shards = Object.entries(collections).flatMap(([collection, all]) =>
      Object.entries(all).map(([shard, copies]) => ({ name: `${collection}/${shard}`, copies })),
    );
    const danger = (host: string): string | undefined => {
      const node = nodeName(host);
      const alone = shards.filter(
        ({ copies }) =>
          copies.some((copy) => copy.node === node) &&
          !copies.some((copy) => copy.node !== node && copy.state === "active" && live.includes(copy.node)),
      );
      return (
        noMajority(host, hosts, works) ??
        (alone.length === 0 ? undefined : `no other member has all of ${alone.map(({ name }) => name).join(", ")}`)
      );
    };
    return each(hosts, works, danger);
  },
};
