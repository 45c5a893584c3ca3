import { z } from "zod";

import { curlOption } from "../../components/core/syntax.ts";
import { coordinatorsName, port } from "../../components/systems/arangodb/scripts.ts";
import { roleOf } from "../../components/topologies/swarm/placement.ts";
import type { Standing } from "../judgement.ts";
import type { StoreKind } from "./store.ts";

const health = z.object({
  Endpoint: z.string(),
  Status: z.enum(["GOOD", "BAD", "FAILED"]),
  ShortName: z.string().default(""),
});
const shards = z.record(z.string(), z.object({ leader: z.string(), followers: z.array(z.string()) }));
const answered = z.object({
  health: z.record(z.string(), health),
  shards: z.record(z.string(), z.record(z.string(), z.object({ Plan: shards, Current: shards }))),
});
type Shards = z.infer<typeof shards>;
type Health = z.infer<typeof health>;

/** ArangoDB: agents, DB servers and coordinators. */
export const arangodb: StoreKind = {
  script: () => `ask() { curl -fsS -m 20 -K "$login" "http://${coordinatorsName}:${String(port)}$1"; }
health=$(ask /_admin/cluster/health)
ask /_api/database | jq -r '.result[]' | while read -r db; do
  ask "/_db/$(jq -rn --arg db "$db" '$db | @uri')/_admin/cluster/shardDistribution" | jq -c --arg db "$db" '{key: $db, value: .results}'
done | jq -s --argjson health "$health" '{health: $health.Health, shards: from_entries}'`,
  login: ({ user, password }) => curlOption("user", `${user}:${password}`),
  read: (answer, hosts) => {
    const { health, shards } = answered.parse(answer);
    const all = Object.values(health);
    const good = (host: string): boolean => statusOf(host, all) === "well";
    const copies = copiesOf(all, shards);
    const others = (host: string) =>
      hosts.filter((other) => other !== host && roleOf(other) === roleOf(host) && good(other));
    const danger = (host: string): string | undefined => {
      if (roleOf(host) === "dbserver") {
        const alone = copies
          .filter(({ planned, inSync }) => planned.includes(host) || inSync.includes(host))
          .filter(({ inSync }) => !inSync.some((other) => other !== host && good(other)));
        return alone.length === 0
          ? undefined
          : `no healthy server has ${alone.map(({ shard }) => shard).join(", ")} in sync`;
      }
      if (roleOf(host) === "coordinator")
        return others(host).length > 0 ? undefined : "no other coordinator is healthy";
      return others(host).length >= 2
        ? undefined
        : "without two other agents there is no majority: bring one back first";
    };
    return Object.fromEntries(hosts.map((host) => [host, { status: statusOf(host, all), danger: danger(host) }]));
  },
};

/** The cluster may list an older server of the same address, too: the best status counts. */
function statusOf(host: string, health: readonly Health[]): Standing["status"] {
  const found = health.filter(({ Endpoint }) => new URL(Endpoint).hostname === host).map(({ Status }) => Status);
  if (found.includes("GOOD")) return "well";
  return found.includes("FAILED") && !found.includes("BAD") ? "down" : "unknown";
}

/** A shard, the members that should hold a copy of it or do, and those whose copy is in sync. */
function copiesOf(health: readonly Health[], databases: z.infer<typeof answered>["shards"]) {
  const names = new Map(health.map(({ Endpoint, ShortName }) => [ShortName, new URL(Endpoint).hostname]));
  const hosts = (shard: Shards[string] | undefined): string[] =>
    shard === undefined
      ? []
      : [shard.leader, ...shard.followers].map((each) => each.replace(/^_/, "")).map((each) => names.get(each) ?? each);
  return Object.entries(databases).flatMap(([database, collections]) =>
    Object.entries(collections).flatMap(([collection, { Plan, Current }]) =>
      Object.entries(Plan).map(([id, planned]) => ({
        shard: `${database}/${collection}/${id}`,
        planned: hosts(planned),
        inSync: hosts(Current[id]),
      })),
    ),
  );
}
