/** What stores met in the field and their recipes answer: what the words of a recipe alone can show. */
import { describe, expect, test } from "@jest/globals";

import { cassandra } from "../../components/services/cassandra.ts";
import { elasticsearch } from "../../components/services/elasticsearch.ts";
import { influx } from "../../components/services/influx.ts";
import { nats } from "../../components/services/nats.ts";
import { postgres } from "../../components/services/postgres.ts";
import { rabbitmq } from "../../components/services/rabbitmq.ts";
import { redis } from "../../components/services/redis.ts";
import { solr } from "../../components/services/solr.ts";
import { type Asked, slotsOf } from "../support/recipe.ts";

const asked = {
  cassandra: { recipe: cassandra, ask: { nodes: 3, gib: 20, keyspaces: ["a"], peers: [] } } satisfies Asked<"cql">,
  elasticsearch: {
    recipe: elasticsearch,
    ask: { speaks: ["elasticsearch7"], nodes: 3, gib: 20 },
  } satisfies Asked<"elasticsearch">,
  influx: { recipe: influx, ask: { databases: { a: { keep: "1d" } }, gib: 1 } } satisfies Asked<"influx">,
  nats: { recipe: nats, ask: { nodes: 3, jetstreamGib: 1 } } satisfies Asked<"nats">,
  postgres: {
    recipe: postgres,
    ask: { databases: ["a"], clientTls: "never", gib: 20, outputPlugins: ["wal2json"] },
  } satisfies Asked<"postgres">,
  rabbitmq: { recipe: rabbitmq, ask: { nodes: 3, colocate: [], federate: [], exchanges: [] } } satisfies Asked<"amqp">,
  redis: {
    recipe: redis,
    ask: { clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 },
  } satisfies Asked<"redis">,
  solr: { recipe: solr, ask: { collections: ["a"], gib: 1, memoryMib: 512 } } satisfies Asked<"solr">,
};

function first(slots: ReturnType<typeof slotsOf>) {
  const found = slots.get("store-1");
  if (found === undefined) throw new Error("no first slot");
  return found;
}
const probe = (slots: ReturnType<typeof slotsOf>): string => JSON.stringify(first(slots).health.ready);

// Swarm kills what is not healthy when its start is over, and the replay of a log begins at its beginning.
test("a store that replays its log at a start has an hour for it", () => {
  const starts = [
    slotsOf(asked.cassandra),
    slotsOf(asked.elasticsearch),
    slotsOf(asked.influx),
    slotsOf(asked.nats),
    slotsOf(asked.postgres),
    slotsOf(asked.rabbitmq),
    slotsOf(asked.redis),
    slotsOf(asked.solr),
  ];
  for (const slots of starts) expect(first(slots).health.startSeconds).toBeGreaterThanOrEqual(3600);
});

describe("what stops writes is unhealthy on one host, and no reason for a swarm to kill the server", () => {
  test("RabbitMQ's alarms", () => {
    expect(probe(slotsOf(asked.rabbitmq))).toContain("local-alarms");
    expect(probe(slotsOf({ ...asked.rabbitmq, engine: "swarm" }))).not.toContain("local-alarms");
  });
  test("Elasticsearch's blocks, and a master that it has lost", () => {
    expect(probe(slotsOf(asked.elasticsearch))).toContain("take no writes");
    const [, after = ""] = probe(slotsOf({ ...asked.elasticsearch, engine: "swarm" })).split("touch /tmp/ready\\nfi");
    expect(after).toContain("curl");
    expect(after).not.toMatch(/_cluster| -f /);
  });
  test("a Redis that cannot write its file", () => {
    expect(probe(slotsOf(asked.redis))).not.toContain("MISCONF");
    expect(probe(slotsOf({ ...asked.redis, engine: "swarm" }))).toContain("in PONG | MISCONF*) ;;");
  });
  test("streams that NATS keeps and does not serve", () => {
    expect(probe(slotsOf(asked.nats))).toContain("are served");
    expect(probe(slotsOf({ ...asked.nats, engine: "swarm" }))).not.toContain("are served");
  });
});

test("a reader that has gone costs PostgreSQL half of its disk, and where there is none nothing is set", () => {
  expect(first(slotsOf(asked.postgres)).command).toContain("max_slot_wal_keep_size=10240MB");
  const alone: Asked<"postgres"> = { recipe: postgres, ask: { databases: ["a"], clientTls: "never", gib: 20 } };
  expect(first(slotsOf(alone)).command?.join(" ")).not.toContain("max_slot_wal");
});
