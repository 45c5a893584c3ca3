import { z } from "zod";

import { curlOption } from "../../components/core/syntax.ts";
import { each, firstOf, noMajority, type StoreKind } from "./store.ts";

const answered = z.object({
  nodes: z.array(z.object({ name: z.string() })),
  health: z.object({ indices: z.record(z.string(), z.object({ status: z.string() })).default({}) }),
  shards: z.array(
    z.object({
      index: z.string(),
      shard: z.string(),
      state: z.string(),
      node: z.string().nullish(),
    }),
  ),
});

/** Elasticsearch, and OpenSearch: a node that comes back empty joins, and is given copies. */
export const search: StoreKind = {
  script: (hosts) =>
    firstOf(
      hosts,
      `ask() { curl -fsS -m 15 -K "$login" "http://$host:9200$1"; } &&
  nodes=$(ask '/_cat/nodes?h=name&format=json') &&
  health=$(ask '/_cluster/health?level=indices&master_timeout=5s') &&
  shards=$(ask '/_cat/shards?h=index,shard,state,node&format=json') &&
  jq -n --argjson nodes "$nodes" --slurpfile health <(echo "$health") --slurpfile shards <(echo "$shards") \\
    '{nodes: $nodes, health: {indices: ($health[0].indices // {} | map_values({status}))}, shards: $shards[0]}'`,
    ),
  login: ({ user, password }) => curlOption("user", `${user}:${password}`),
  read: (answer, hosts) => {
    const { nodes, health, shards } = answered.parse(answer);
    const there = (host: string): boolean => nodes.some(({ name }) => name === host);
    const red = Object.entries(health.indices).flatMap(([index, { status }]) => (status === "red" ? [index] : []));
    const danger = (host: string): string | undefined => {
      const started = shards.filter(({ state }) => state === "STARTED");
      const elsewhere = new Set(
        started.filter(({ node }) => node !== host).map(({ index, shard }) => `${index}/${shard}`),
      );
      const only = started
        .filter(({ node, index, shard }) => node === host && !elsewhere.has(`${index}/${shard}`))
        .map(({ index }) => index);
      const alone = [...new Set([...red, ...only])];
      return (
        noMajority(host, hosts, there) ??
        (alone.length === 0 ? undefined : `no other node has all of ${alone.join(", ")}`)
      );
    };
    return each(hosts, there, danger);
  },
};
