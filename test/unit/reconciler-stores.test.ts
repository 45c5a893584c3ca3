/**
 * How the answers of clusters are read. Those in test/data/clusters were recorded from real servers by the very scripts that
 * the reconciler runs (record-clusters.ts has some): NATS 2.15, Valkey 8.1, RabbitMQ 3.10, Cassandra 5.0, OpenSearch 2.15,
 * Patroni 4.1 and its etcd, Solr 9.10, Garage 2.5. Those of ArangoDB follow its documentation.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { describe, expect, test } from "@jest/globals";

import { arangodb } from "../../reconciler/stores/arangodb.ts";
import { cassandra } from "../../reconciler/stores/cassandra.ts";
import { etcd } from "../../reconciler/stores/etcd.ts";
import { garage } from "../../reconciler/stores/garage.ts";
import { nats } from "../../reconciler/stores/nats.ts";
import { patroni } from "../../reconciler/stores/patroni.ts";
import { rabbitmq } from "../../reconciler/stores/rabbitmq.ts";
import { redis } from "../../reconciler/stores/redis.ts";
import { search } from "../../reconciler/stores/search.ts";
import { solr } from "../../reconciler/stores/solr.ts";
import type { StoreKind } from "../../reconciler/stores/store.ts";

type Answer = Record<string, unknown>;
const recorded = (name: string): Answer =>
  JSON.parse(readFileSync(new URL(`../data/clusters/${name}.json`, import.meta.url), "utf8")) as Answer;
const three = (name: string) => [1, 2, 3].map((n) => `${name}-${String(n)}`);

/** Each host as `well`, or `down: <danger>`. */
function read(kind: StoreKind, answer: unknown, hosts: readonly string[]): Record<string, string> {
  const found = kind.read(answer, hosts);
  expect(Object.keys(found)).toEqual(hosts);
  return Object.fromEntries(
    Object.entries(found).map(([host, { status, danger }]) => [
      host,
      danger === undefined ? status : `${status}: ${danger}`,
    ]),
  );
}
const wellAll = (name: string) => Object.fromEntries(three(name).map((host) => [host, "well"]));

describe("NATS", () => {
  const alone = "no majority of servers has alone in sync without it";
  test("a stream of one copy is in danger with its server", () => {
    expect(read(nats, recorded("nats"), three("nats"))).toEqual({ ...wellAll("nats"), "nats-2": `well: ${alone}` });
    // It has no leader now, and nobody tells where it was.
    expect(read(nats, recorded("nats-2-lost"), three("nats"))["nats-2"]).toBe(`down: ${alone}`);
  });
  test("a stream of three is on a majority of others, or it is not", () => {
    const answer = { ...recorded("nats-2-lost"), missing: [] };
    expect(read(nats, answer, three("nats"))).toEqual({
      "nats-1": "well: 1 of the 3 members are well without it, which is no majority",
      "nats-2": "down",
      "nats-3": "well: 1 of the 3 members are well without it, which is no majority",
    });
    const late = JSON.parse(
      JSON.stringify(answer).replaceAll('"nats-1","current":true', '"nats-1","current":false'),
    ) as Answer;
    expect(read(nats, late, three("nats"))["nats-2"]).toBe(
      "down: no majority of servers has orders in sync without it",
    );
  });
  test("signs in as its client does", () => {
    expect(JSON.parse(nats.login({ user: "app", password: 'a"b' }))).toMatchObject({ user: "app", pass: 'a"b' });
  });
});

describe("Redis", () => {
  test("a replica may go, a leader may not", () => {
    expect(read(redis, recorded("redis"), three("redis"))).toEqual({
      ...wellAll("redis"),
      "redis-1": "well: it leads",
    });
    expect(read(redis, recorded("redis-3-lost"), three("redis"))["redis-3"]).toBe("down");
  });
  test("whoever follows the next leader may, and the lost one", () => {
    expect(read(redis, recorded("redis-1-lost"), three("redis"))).toEqual({
      "redis-1": "down",
      "redis-2": "well: 1 of the 3 members are well without it, which is no majority",
      "redis-3": "well: it leads",
    });
  });
  test("nobody may, while nobody leads, or two", () => {
    const { "redis-1": leader = "", ...others } = recorded("redis") as Record<string, string>;
    const headless = JSON.parse(JSON.stringify(others).replaceAll("link_status:up", "link_status:down")) as Answer;
    expect(read(redis, headless, three("redis"))).toEqual(
      Object.fromEntries(three("redis").map((host) => [host, "down: no server leads"])),
    );
    expect(read(redis, { ...recorded("redis"), "redis-2": leader }, three("redis"))["redis-3"]).toBe(
      "well: redis-1 and redis-2 lead",
    );
  });
  test("one that answers, and follows nobody, is not well", () => {
    const { "redis-2": replica, ...others } = recorded("redis") as Record<string, string>;
    const parted = replica?.replace("master_link_status:up", "master_link_status:down");
    expect(read(redis, { ...others, "redis-2": parted }, three("redis"))["redis-2"]).toBe("down");
    expect(read(redis, { ...others, "redis-2": parted }, three("redis"))["redis-3"]).toBe(
      "well: 1 of the 3 members are well without it, which is no majority",
    );
  });
});

describe("RabbitMQ", () => {
  test("a durable queue on one node alone is in danger with it", () => {
    const found = read(rabbitmq, recorded("rabbitmq"), three("rabbit"));
    expect(found).toEqual({
      ...wellAll("rabbit"),
      "rabbit-2": "well: no majority of nodes has //classic without it",
    });
    expect(read(rabbitmq, recorded("rabbitmq-2-lost"), three("rabbit"))["rabbit-2"]).toBe(
      "down: no majority of nodes has //classic without it",
    );
  });
  test("a quorum queue is on a majority of others, or it is not", () => {
    const answer = recorded("rabbitmq-2-lost") as { nodes: object[]; queues: { name: string; online?: string[] }[] };
    const orders = answer.queues.filter(({ name }) => name === "orders");
    expect(read(rabbitmq, { ...answer, queues: orders }, three("rabbit"))["rabbit-2"]).toBe("down");
    const late = orders.map((queue) => ({ ...queue, online: ["rabbit@rabbit-1"] }));
    expect(read(rabbitmq, { ...answer, queues: late }, three("rabbit"))["rabbit-2"]).toBe(
      "down: no majority of nodes has //orders without it",
    );
  });
});

describe("Cassandra", () => {
  test("one that is lost may go, while all others are there", () => {
    expect(read(cassandra, recorded("cassandra"), three("cassandra"))).toEqual(wellAll("cassandra"));
    expect(read(cassandra, recorded("cassandra-2-lost"), three("cassandra"))).toEqual({
      "cassandra-1": "well: cassandra-2 is not well either",
      "cassandra-2": "down",
      "cassandra-3": "well: cassandra-2 is not well either",
    });
    const two = { ...recorded("cassandra-2-lost"), well: ["cassandra-3"] };
    expect(read(cassandra, two, three("cassandra"))["cassandra-2"]).toBe("down: cassandra-1 is not well either");
    expect(read(cassandra, { ...two, well: [] }, three("cassandra"))["cassandra-2"]).toBe(
      "down: cassandra-1, cassandra-3 are not well either",
    );
  });
  test("a keyspace of one copy is in danger", () => {
    const answer = recorded("cassandra-2-lost") as { keyspaces: { keyspace_name: string; replication: object }[] };
    const keyspaces = answer.keyspaces.map((each) =>
      each.keyspace_name === "media"
        ? { ...each, replication: { class: "x.NetworkTopologyStrategy", local: "1" } }
        : each,
    );
    expect(read(cassandra, { ...answer, keyspaces }, three("cassandra"))["cassandra-2"]).toBe(
      "down: one copy of each row is all that there is of media",
    );
  });
});

describe("search", () => {
  test("a shard without a copy is in danger with its node", () => {
    expect(read(search, recorded("search"), three("search"))).toEqual(
      Object.fromEntries(three("search").map((host) => [host, "well: no other node has all of single"])),
    );
    expect(read(search, recorded("search-3-lost"), three("search"))["search-3"]).toBe(
      "down: no other node has all of single",
    );
  });
  test("with a copy elsewhere it is not", () => {
    expect(read(search, recorded("search-3-lost-copied"), three("search"))).toEqual({
      "search-1": "well: 1 of the 3 members are well without it, which is no majority",
      "search-2": "well: 1 of the 3 members are well without it, which is no majority",
      "search-3": "down",
    });
  });
});

describe("Garage", () => {
  const servers = three("objects-garage");
  interface Said {
    readonly servers: readonly { readonly id: string; readonly zone: string; readonly isUp: boolean }[];
    readonly work: Record<string, readonly string[]>;
    readonly lacks: Record<string, number>;
  }
  const well = recorded("garage") as unknown as Said;
  const lost = recorded("garage-3-lost") as unknown as Said;
  const idOf = (host: string) => well.servers.find(({ zone }) => zone === host)?.id ?? "";
  const third = (answer: unknown) => read(garage, answer, servers)["objects-garage-3"];
  test("one of three may go, while both others have all", () => {
    expect(read(garage, well, servers)).toEqual(wellAll("objects-garage"));
    expect(read(garage, lost, servers)).toEqual({
      "objects-garage-1": "well: objects-garage-3 is not well either",
      "objects-garage-2": "well: objects-garage-3 is not well either",
      "objects-garage-3": "down",
    });
  });
  test("none, while an empty disk is filled", () => {
    const filling = read(garage, recorded("garage-filling"), servers);
    expect(filling["objects-garage-1"]).toBe("well: objects-garage-2 is being filled (version sync, block_ref sync)");
  });
  test("none, while another is at work, or lacks something", () => {
    const [first, second] = [idOf("objects-garage-1"), idOf("objects-garage-2")];
    expect(third({ ...lost, work: { ...lost.work, [second]: ["object sync"] } })).toBe(
      "down: objects-garage-2 is being filled (object sync)",
    );
    expect(third({ ...lost, lacks: { ...lost.lacks, [first]: 2 } })).toBe(
      "down: objects-garage-1 cannot get 2 of its blocks",
    );
    // What the lost one does itself is nothing to it.
    expect(third({ ...well, work: { ...well.work, [idOf("objects-garage-3")]: ["object sync"] } })).toBe("well");
  });
  test("none, while another says nothing of itself", () => {
    const without = <T>(all: Record<string, T>) =>
      Object.fromEntries(Object.entries(all).filter(([id]) => id !== idOf("objects-garage-2")));
    const silent = "down: objects-garage-2 does not say what it lacks";
    expect(third({ ...lost, work: without(lost.work) })).toBe(silent);
    expect(third({ ...lost, lacks: without(lost.lacks) })).toBe(silent);
  });
  test("signs in by the servers' own token", () => {
    expect(garage.login({ user: "", password: "secret" })).toBe('header = "Authorization: Bearer secret"\n');
  });
});

describe("Solr", () => {
  const nodes = three("search");
  interface Said {
    readonly live: readonly string[];
    readonly collections: { readonly pages: { readonly shard1: readonly { node: string; state: string }[] } };
  }
  test("who has what another has, too, may go", () => {
    expect(read(solr, recorded("solr"), nodes)).toEqual(wellAll("search"));
    expect(read(solr, recorded("solr-3-lost"), nodes)).toEqual({
      "search-1": "well: 1 of the 3 members are well without it, which is no majority",
      "search-2": "well: 1 of the 3 members are well without it, which is no majority",
      "search-3": "down",
    });
    // The third had not caught up yet, and the second has all.
    expect(read(solr, recorded("solr-1-lost"), nodes)["search-1"]).toBe("down");
  });
  test("who has what no other has may not", () => {
    const { live, collections } = recorded("solr-1-lost") as unknown as Said;
    const shard1 = collections.pages.shard1.map((copy) => ({ ...copy, state: "recovering" }));
    expect(read(solr, { live, collections: { pages: { shard1 } } }, nodes)["search-1"]).toBe(
      "down: no other member has all of pages/shard1",
    );
    // Of whom nobody hears, the last word was that all is well.
    const gone = recorded("solr") as unknown as Said;
    expect(read(solr, { ...gone, live: gone.live.slice(0, 1) }, nodes)["search-2"]).toBe(
      "down: 1 of the 3 members are well without it, which is no majority",
    );
    const elsewhere = gone.collections.pages.shard1.filter(({ node }) => !node.startsWith("search-2"));
    expect(read(solr, { ...gone, collections: { pages: { shard1: elsewhere } } }, nodes)["search-2"]).toBe("well");
  });
});

describe("Patroni", () => {
  test("a replica may go, a leader may not", () => {
    expect(read(patroni, recorded("patroni"), three("db"))).toEqual({
      ...wellAll("db"),
      "db-1": "well: it leads still",
    });
    expect(read(patroni, recorded("patroni-3-lost"), three("db"))).toEqual({
      "db-1": "well: it leads still",
      "db-2": "well",
      "db-3": "down",
    });
    expect(read(patroni, recorded("patroni-1-lost"), three("db"))).toEqual({
      "db-1": "down",
      "db-2": "well: it leads still",
      "db-3": "well",
    });
  });
  test("nobody may, while nobody leads", () => {
    const { members } = recorded("patroni-3-lost") as { members: readonly { name: string; state: string }[] };
    const headless = { members: members.filter(({ name }) => name !== "db-1") };
    expect(read(patroni, headless, three("db"))).toEqual({
      "db-1": "down: no server leads",
      "db-2": "well: no server leads",
      "db-3": "down: no server leads",
    });
    const crashed = members.map((each) => (each.name === "db-1" ? { ...each, state: "crashed" } : each));
    expect(read(patroni, { members: crashed }, three("db"))["db-3"]).toBe("down: no server leads");
  });
});

test("etcd wants a majority beside who is lost", () => {
  expect(read(etcd, recorded("etcd"), three("db-etcd"))).toEqual(wellAll("db-etcd"));
  expect(read(etcd, recorded("etcd-2-lost"), three("db-etcd"))["db-etcd-2"]).toBe("down");
  expect(read(etcd, { well: ["db-etcd-1"] }, three("db-etcd"))["db-etcd-2"]).toBe(
    "down: 1 of the 3 members are well without it, which is no majority",
  );
});

describe("ArangoDB", () => {
  const hosts = [...three("agent"), ...three("dbserver"), "coordinator-1", "coordinator-2"];
  const shortNames = new Map(hosts.map((host) => [host, `Short-${host}`]));
  const health = (changed: Record<string, string> = {}) =>
    Object.fromEntries(
      hosts.map((host) => [
        `id-${host}`,
        { Endpoint: `tcp://${host}:8529`, Status: changed[host] ?? "GOOD", ShortName: shortNames.get(host) },
      ]),
    );
  const shard = (leader: string, ...followers: string[]) => ({
    leader: shortNames.get(leader) ?? "",
    followers: followers.map((each) => shortNames.get(each) ?? ""),
  });
  const shards = (inSync = shard("dbserver-2", "dbserver-1", "dbserver-3")) => ({
    _system: {},
    shop: {
      orders: { Plan: { s1: shard("dbserver-2", "dbserver-1", "dbserver-3") }, Current: { s1: inSync } },
    },
  });
  const said = (changed: Record<string, string>, inSync?: ReturnType<typeof shard>) =>
    read(arangodb, { health: health(changed), shards: shards(inSync) }, hosts);
  const only = "no healthy server has shop/orders/s1 in sync";

  test("all are well, and each may go", () => {
    expect(said({})).toEqual(Object.fromEntries(hosts.map((host) => [host, "well"])));
  });
  test.each<[string, Record<string, string>, ReturnType<typeof shard> | undefined, string]>([
    ["another server has everything", { "dbserver-2": "FAILED" }, shard("dbserver-2", "dbserver-1"), "down"],
    ["nobody else has it in sync", { "dbserver-2": "FAILED" }, shard("dbserver-2"), `down: ${only}`],
    [
      "the only other one has failed, too",
      { "dbserver-2": "FAILED", "dbserver-1": "FAILED" },
      shard("dbserver-2", "dbserver-1"),
      `down: ${only}`,
    ],
    [
      "the only other one is slow",
      { "dbserver-2": "BAD", "dbserver-1": "BAD" },
      shard("dbserver-2", "dbserver-1"),
      `unknown: ${only}`,
    ],
    [
      "a leader that was told to resign",
      { "dbserver-2": "FAILED" },
      { leader: "_Short-dbserver-1", followers: [] },
      "down",
    ],
  ])("%s", (_, changed, inSync, expected) => {
    expect(said(changed, inSync)["dbserver-2"]).toBe(expected);
  });
  test("a server that holds nothing may go", () => {
    const elsewhere = { orders: { Plan: { s1: shard("dbserver-1") }, Current: { s1: shard("dbserver-1") } } };
    const answer = { health: health({ "dbserver-2": "FAILED" }), shards: { shop: elsewhere } };
    expect(read(arangodb, answer, hosts)["dbserver-2"]).toBe("down");
  });
  test("the last coordinator stays, and a majority of agents", () => {
    expect(said({ "coordinator-1": "FAILED" })["coordinator-1"]).toBe("down");
    expect(said({ "coordinator-1": "FAILED", "coordinator-2": "FAILED" })["coordinator-1"]).toBe(
      "down: no other coordinator is healthy",
    );
    expect(said({ "agent-1": "FAILED" })["agent-1"]).toBe("down");
    expect(said({ "agent-1": "FAILED", "agent-2": "FAILED" })["agent-1"]).toContain("there is no majority");
  });
  test("one that never joined is unknown, and the best of several with one address counts", () => {
    const old = { ...health({}), older: { Endpoint: "tcp://dbserver-1:8529", Status: "FAILED" } };
    const answer = { health: old, shards: shards() };
    expect(read(arangodb, answer, [...hosts, "dbserver-4"])).toMatchObject({
      "dbserver-1": "well",
      "dbserver-4": "unknown",
    });
  });
});

test.each<[string, StoreKind]>([
  ["arangodb", arangodb],
  ["cassandra", cassandra],
  ["etcd", etcd],
  ["garage", garage],
  ["nats", nats],
  ["patroni", patroni],
  ["rabbitmq", rabbitmq],
  ["redis", redis],
  ["search", search],
  ["solr", solr],
])("%s is asked in bash, and its answer is checked", (_, kind) => {
  const { status, stderr } = spawnSync("bash", ["-n"], { input: kind.script(["a-1", "a-2"]), encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  expect(() => kind.read("nonsense", ["a-1"])).toThrow();
  // An answer of whom nobody knows makes nobody well.
  expect(kind.login({ user: "app", password: "secret" })).not.toContain("undefined");
});
