/** Rules for the parts of every recipe, whatever it is asked for: what each option changes, and which names it refuses. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";

import type { Ask, Kind } from "../../components/core/contracts.ts";
import { managedPostgres } from "../../components/services/postgres.ts";
import { mend, patient } from "../../components/services/solr-three.ts";
import { newFolder } from "../support/folder.ts";
import {
  empty,
  emptyInFiles,
  lostFiles,
  misplacedSecrets,
  tooEarly,
  undefinedCalls,
  garbled,
} from "../support/part-rules.ts";
import { peer } from "../support/sketches.ts";
import { type Part, toldRecipe } from "../support/told.ts";

/** The least that one can ask of a kind, and each option that one may ask for beside. */
const asks: {
  readonly [K in Exclude<Kind, "swarm">]: { readonly least: Ask<K>; readonly more: readonly Partial<Ask<K>>[] };
} = {
  postgres: {
    least: { databases: ["a"], clientTls: "never", gib: 20 },
    more: [
      { databases: ["a", "b"] },
      { databases: ["other"] },
      { extensions: ["postgis"] },
      { extensions: ["postgis", "uuid-ossp"] },
      { settings: { wal_level: "logical" } },
      { outputPlugins: ["wal2json"] },
      { owner: { name: "owner", superuser: false } },
      { owner: { name: "owner", superuser: true } },
      { memoryMib: 2048 },
      { memoryMib: 100 },
      { gib: 21 },
      { names: ["db.example.com"] },
      { image: "pyrus/pgsql-16" },
      { nodeLabels: { disk: "fast" } },
      { copies: 3 },
      { copies: 3, databases: ["other"] },
      { copies: 3, extensions: ["postgis"] },
      { copies: 3, settings: { wal_level: "logical" } },
      { copies: 3, outputPlugins: ["wal2json"] },
      { copies: 3, owner: { name: "owner", superuser: true } },
      { copies: 3, memoryMib: 2048 },
      { copies: 3, gib: 21 },
      { copies: 3, names: ["db.example.com"] },
      { copies: 3, image: "pyrus/pgsql-16" },
      { copies: 3, nodeLabels: { disk: "fast" } },
    ],
  },
  redis: {
    least: { clientTls: "never", clientAuth: false, keep: false, memoryMib: 64 },
    more: [
      { clientAuth: true },
      { keep: true },
      { memoryMib: 65 },
      { names: ["cache"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
      { copies: 3 },
      { copies: 3, clientAuth: true },
    ],
  },
  objects: {
    least: { apis: ["s3"], buckets: { files: {} }, browser: false, gib: 1 },
    more: [
      { buckets: { files: {}, others: {} } },
      { buckets: { files: { cors: "https://a.example.com" }, others: { cors: "https://b.example.com" } } },
      { browser: true },
      { gib: 2 },
      { nodeLabels: { disk: "fast" } },
      { copies: 3 },
    ],
  },
  solr: {
    least: { collections: ["a"], gib: 1, memoryMib: 512 },
    more: [
      { collections: ["a", "b"] },
      { gib: 2 },
      { memoryMib: 513 },
      { copies: 3 },
      { names: ["search"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
    ],
  },
  elasticsearch: {
    least: { speaks: ["elasticsearch8"], nodes: 1, gib: 10 },
    more: [
      { speaks: ["elasticsearch7"] },
      { nodes: 3 },
      { heapMib: 2048 },
      { gib: 20 },
      { names: ["search"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
    ],
  },
  nats: {
    least: { nodes: 1, jetstreamGib: 1 },
    more: [
      { nodes: 3 },
      { jetstreamGib: 2 },
      { memoryMib: 1024 },
      { maxPayloadBytes: 2_000_000 },
      { names: ["bus"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
    ],
  },
  amqp: {
    least: { nodes: 1, colocate: [], federate: [], exchanges: ["index"] },
    more: [
      { nodes: 3 },
      { nodes: 5 },
      { colocate: ["cassandra-2"] },
      { federate: [peer] },
      { exchanges: ["index", "other"] },
      { memoryMib: 2048 },
      { names: ["bus"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
    ],
  },
  cql: {
    least: { nodes: 1, keyspaces: ["a"], peers: [], gib: 1 },
    more: [
      { nodes: 2 },
      { nodes: 3 },
      { nodes: 4 },
      { keyspaces: ["a", "b"] },
      { gib: 2 },
      { cpu: 3 },
      { memoryMib: 8192 },
      { retired: [1] },
      { names: ["rows"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
    ],
  },
  influx: {
    least: { databases: { a: { keep: "1d" } }, gib: 1 },
    more: [
      { databases: { a: { keep: "2d" } } },
      { databases: { a: { keep: "1d", dump: false } } },
      { databases: { a: { keep: "1d" }, b: { keep: "27w", dump: false } } },
      { databases: { a: { keep: "1d" }, b: { keep: "27w" } } },
      { memoryMib: 2048 },
      { gib: 2 },
      { names: ["points"] },
      { image: "other" },
      { nodeLabels: { disk: "fast" } },
    ],
  },
  oidc: {
    least: { callback: "https://a.example.com/back", groups: [] },
    more: [{ callback: "https://b.example.com/back" }, { groups: ["a", "b"] }, { nodeLabels: { disk: "fast" } }],
  },
  containers: {
    least: { may: "read" },
    more: [
      {
        ...{ may: "run-apps", appsOn: "node.role==worker", images: ["i:1"], memoryMib: 64, cpu: 1 },
        ...{ shmMib: { "i:1": 32 }, volumes: ["v"] },
      },
    ],
  },
};
const kinds = Object.keys(asks) as (keyof typeof asks)[];
/** Every way in which a kind is asked. */
const ways = kinds.flatMap((kind) =>
  [{}, ...asks[kind].more].map((more) => [kind, more, { ...asks[kind].least, ...more } as Ask<typeof kind>] as const),
);

describe.each(ways)("%s with %j", (kind, _, ask) => {
  test.each(["docker", "swarm"] as const)("keeps the rules for each part, on %s", async (on) => {
    const { parts } = await toldRecipe(kind, ask, on);
    for (const rule of [empty, emptyInFiles, misplacedSecrets, lostFiles, tooEarly, undefinedCalls, garbled])
      expect([rule.name, rule(parts)]).toEqual([rule.name, []]);
  });
});

test.each(kinds)("%s: each option changes what is made, or what clients are given", async (kind) => {
  const seen = await Promise.all(
    [{}, ...asks[kind].more].map(async (more) => {
      const { parts, given } = await toldRecipe(kind, { ...asks[kind].least, ...more } as Ask<typeof kind>);
      return JSON.stringify([[...parts], given]);
    }),
  );
  expect(new Set(seen).size).toBe(seen.length);
});

test("a search speaks the first protocol that a container of ours can", async () => {
  const made = async (speaks: Ask<"elasticsearch">["speaks"]) =>
    JSON.stringify([...(await toldRecipe("elasticsearch", { ...asks.elasticsearch.least, speaks })).parts]);
  expect(await made(["opensearch2", "elasticsearch7", "elasticsearch8"])).toBe(await made(["elasticsearch7"]));
  expect(await made(["elasticsearch8", "elasticsearch7"])).toBe(await made(["elasticsearch8"]));
});

describe("what clients are given", () => {
  const given = async <K extends keyof typeof asks>(kind: K, more: Partial<Ask<K>> = {}) =>
    (await toldRecipe(kind, { ...asks[kind].least, ...more } as Ask<K>)).given;

  test("a store's address, its members and its login", async () => {
    const names = (count: number) => Array.from({ length: count }, (_, at) => `store-${String(at + 1)}`);
    const store = (port: number, count = 1, user = "app") => ({
      ...{ host: "store-1", port, members: names(count) },
      ...{ user, password: "word-of-store-password" },
    });
    expect(await given("postgres")).toEqual({
      ...store(5432),
      ...{ password: "word-of-store-owner-password", passwords: { "store-admin": "word-of-store-password" } },
    });
    expect(await given("redis")).toEqual({ host: "store-1", port: 6379, members: ["store-1"] });
    expect(await given("redis", { clientAuth: true })).toEqual(store(6379, 1, "default"));
    expect(await given("solr")).toEqual({ host: "store-1", port: 8983, members: ["store-1"] });
    expect(await given("elasticsearch", { nodes: 3 })).toEqual(store(9200, 3, "elastic"));
    expect(await given("nats", { nodes: 3 })).toEqual(store(4222, 3));
    expect(await given("amqp", { nodes: 3 })).toEqual(store(5672, 3));
    expect(await given("cql", { nodes: 3 })).toEqual(store(9042, 3));
    expect(await given("influx")).toEqual(store(8086));
  });

  test("the name that the application insists on, where it has one", async () => {
    for (const kind of ["postgres", "elasticsearch", "nats"] as const)
      expect([kind, (await given(kind, { names: ["own", "second"] })).host]).toEqual([kind, "own"]);
  });

  test("the owner's login of a database", async () => {
    expect((await given("postgres", { owner: { name: "owner", superuser: false } })).user).toBe("owner");
  });

  test("one address of an object store for all, or the one inside if no browser comes", async () => {
    const bucket = (name: string) => name;
    const both = { api: "s3", region: "us-east-1", key: "app", secret: "word-of-store-password" };
    const internal = { host: "store-1", port: 9000, members: ["store-1"] };
    const inside = await given("objects");
    expect(inside).toMatchObject({ ...both, url: "http://store-1:9000", internal });
    expect(inside.bucket("files")).toBe(bucket("files"));
    expect(await given("objects", { browser: true })).toMatchObject({
      ...{ ...both, url: "https://store.eu.media.example.com", internal },
    });
  });

  test("a provider's addresses: the browser's outside, the application's inside", async () => {
    expect(await given("oidc")).toEqual({
      issuer: "https://store.eu.media.example.com",
      urls: {
        auth: "https://store.eu.media.example.com/auth",
        token: "http://store:8080/token",
        keys: "http://store:8080/jwks",
        logout:
          "https://store.eu.media.example.com/session/end?client_id=sample&post_logout_redirect_uri=https%3A%2F%2Fmedia.example.com%2F",
      },
      ...{ groupsClaim: "groups", clientId: "sample", clientSecret: "word-of-store-client-secret" },
      password: "word-of-store-demo-password",
    });
  });

  test("the networks of an engine's filter: its own, and that of the apps for whom starts some", async () => {
    const api = { engine: "docker", url: "http://store:2375", network: "sample-apps" };
    expect(await given("containers")).toEqual({ ...api, networks: ["store-api"] });
    expect(await given("containers", asks.containers.more[0])).toEqual({ ...api, networks: ["store-api", "apps"] });
  });
});

/** Names that get into scripts: which are names, and which would be more than that. */
describe("a name that could be syntax is refused with its key", () => {
  const refusal = async <K extends keyof typeof asks>(kind: K, more: Partial<Ask<K>>): Promise<string> =>
    toldRecipe(kind, { ...asks[kind].least, ...more } as Ask<K>).then(
      () => "",
      (error: unknown) => String(error),
    );
  const bad = ["", "a b", "o'brien", "a;b", "$(id)", "-x", "a\nb", 'x"y'];

  test.each([
    [
      "store.databases",
      (name: string) => refusal("postgres", { databases: ["a", name] }),
      ["a", "_a", "A-1", "x".repeat(63)],
      ["1a", "x".repeat(64), "a.b"],
    ],
    ["store.databases", (name: string) => refusal("postgres", { extensions: [name] }), ["uuid-ossp"], ["1a"]],
    ["store.databases", (name: string) => refusal("postgres", { outputPlugins: [name] }), ["wal2json"], ["1a"]],
    ["store.databases", (name: string) => refusal("postgres", { owner: { name, superuser: true } }), ["app"], ["1a"]],
    [
      "store.buckets",
      (name: string) => refusal("objects", { buckets: { [name]: {} } }),
      ["a.b", "a-b", "123", "x".repeat(63)],
      ["ab", "Abc", "-abc", "abc-", ".abc", "a_b", "x".repeat(64)],
    ],
    ["store.collections", (name: string) => refusal("solr", { collections: [name] }), ["a", "_a.b-c"], ["a/b"]],
    [
      "store.keyspaces",
      (name: string) => refusal("cql", { keyspaces: [name] }),
      ["a", "a_1", "x".repeat(48)],
      ["A", "1a", "_a", "a-b", "x".repeat(49)],
    ],
    [
      "store.databases",
      (name: string) => refusal("influx", { databases: { [name]: { keep: "1d" } } }),
      ["a", "1", "my-db", "a.b"],
      [".a", "a/b"],
    ],
    [
      "store.databases.keep",
      (keep: string) => refusal("influx", { databases: { a: { keep } } }),
      ["1d", "10w"],
      ["0d", "1h", "d", "1", "01d", "1dx", "x1d"],
    ],
  ] as const)("%s %#", async (key, of, good, more) => {
    for (const name of good) expect([name, await of(name)]).toEqual([name, ""]);
    for (const name of [...bad, ...more]) expect([name, await of(name)]).toEqual([name, expect.stringContaining(key)]);
  });
});

/** Each store that saves its data, by the names of what it saves. */
const saved: readonly (readonly [keyof typeof asks, names: readonly string[]])[] = [
  ["postgres", ["roles.sql", "databases", ".dump", ".content"]],
  ["influx", ["databases", ".points"]],
  ["cql", ["keyspaces", ".tables", ".cql", ".json"]],
];
const leastOf = <K extends keyof typeof asks>(
  kind: K,
  more: Partial<Ask<K>> = {},
  on: "docker" | "swarm" | "aws" = "docker",
) => toldRecipe(kind, { ...asks[kind].least, ...more } as Ask<K>, on);

test.each(saved)("%s: what a run saves is what a restore and a drill read: %j", async (kind, names) => {
  const { dumps } = await leastOf(kind);
  expect(dumps).toHaveLength(1);
  for (const { dump, restore, drill } of dumps)
    for (const name of names) {
      const whole = name.startsWith(".") ? `\\S*?\\${name}"` : `"?${name}`;
      // A script may call `backup` by a function of its own.
      expect(dump).toMatch(new RegExp(`backup put ("\\$[^\\n]*|"\\$\\(.*\\)|)?${whole}`));
      for (const reader of [restore, drill])
        if (!(kind === "cql" && name === ".cql" && reader === drill))
          expect(reader).toMatch(new RegExp(`backup get ("\\$[^\\n]*|"\\$\\(.*\\)|)?${whole}`));
    }
});

test.each(kinds)("%s: a client waits for the part that comes last", async (kind) => {
  const last: Readonly<Record<keyof typeof asks, string>> = {
    ...{ postgres: "store-setup", solr: "store-setup", elasticsearch: "store-setup", nats: "store-setup" },
    ...{ objects: "store-setup", influx: "store-setup", redis: "store-1", amqp: "store-1" },
    ...{ cql: "store-setup", oidc: "store", containers: "store" },
  };
  const { parts, ready } = await leastOf(kind);
  expect(ready).toEqual([last[kind]]);
  expect(tooEarly(parts)).toEqual([]);
});

test("a cluster's members are all waited for", async () => {
  expect((await leastOf("amqp", { nodes: 3 })).ready).toEqual(["store-1", "store-2", "store-3"]);
  expect((await leastOf("cql", { nodes: 3 })).ready).toEqual(["store-repair"]);
  expect((await leastOf("nats", { nodes: 3 })).parts.get("store-setup")?.after).toEqual([
    "store-1",
    "store-2",
    "store-3",
  ]);
});

/** A file of a part. */
const file = (parts: ReadonlyMap<string, Part>, part: string, end: string): string =>
  parts.get(part)?.files?.find(({ path }) => path.endsWith(end))?.content ?? "";
const script = (parts: ReadonlyMap<string, Part>, part: string): string => parts.get(part)?.command?.at(-1) ?? "";
/** Keys and values of lines, as `key = value` or `key value`. */
const lines = (text: string, between: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => [line.slice(0, line.indexOf(between)), line.slice(line.indexOf(between) + between.length)]),
  );

describe("RabbitMQ", () => {
  test("each node is told of the three founders, and the first of all waits for nobody", async () => {
    const { parts } = await leastOf("amqp", { nodes: 5, memoryMib: 1000 });
    for (const number of [1, 2, 3, 4, 5]) {
      const name = `store-${String(number)}`;
      const conf = lines(file(parts, name, "rabbitmq.conf"), " = ");
      const peers = Object.entries(conf).flatMap(([key, value]) =>
        key.includes("classic_config.nodes") ? [[key.split(".").at(-1), value]] : [],
      );
      const known = [1, 2, 3, ...(number > 3 ? [number] : [])];
      expect(peers).toEqual(known.map((each, at) => [String(at + 1), `rabbit@store-${String(each)}`]));
      expect(conf).toMatchObject({
        ...{ cluster_name: "sample-store", "listeners.tcp.default": "5672", "management.tcp.port": "15672" },
        "cluster_formation.peer_discovery_backend": "classic_config",
        "cluster_formation.discovery_retry_limit": number === 1 ? "1" : "20",
        "cluster_formation.discovery_retry_interval": "1000",
        ...{ cluster_partition_handling: "pause_minority", net_ticktime: "10", consumer_timeout: "86400000" },
        ...{ "vm_memory_high_watermark.absolute": "600MiB", "disk_free_limit.absolute": "512MiB" },
        ...{ "definitions.import_backend": "local_filesystem", "definitions.skip_if_unchanged": "true" },
        ...{ "definitions.local.path": "/run/rabbitmq/definitions.json", "log.console": "true", "log.file": "false" },
      });
      expect(file(parts, name, "enabled_plugins")).toMatch(/^\[(rabbitmq_\w+,){3}rabbitmq_\w+\]\.\n$/);
      expect(parts.get(name)?.env).toMatchObject({ RABBITMQ_NODENAME: `rabbit@${name}` });
    }
  });

  test("the first node alone begins by itself, if no other founder is there", async () => {
    const { parts } = await leastOf("amqp", { nodes: 3 });
    expect(parts.get("store-1")?.prepare).toMatch(
      /grep -qs 'store-2\\\|store-3' \S*rabbit@store-1\/nodes_running_at_shutdown/,
    );
    expect(parts.get("store-1")?.prepare).toContain("for other in store-2 store-3; do if getent hosts");
    for (const other of ["store-2", "store-3"]) expect(parts.get(other)?.prepare).not.toContain("force_load");
  });

  test("new nodes get copies of older queues, through the first one", async () => {
    const { parts } = await leastOf("amqp", { nodes: 3 });
    const [login, ...grown] = script(parts, "store-grow").split("\n");
    expect(login).toContain(".erlang.cookie");
    expect(grown).toEqual(
      [1, 2, 3].map((n) => `rabbitmq-queues -q -n rabbit@store-1 grow rabbit@store-${String(n)} all`),
    );
    expect((await leastOf("amqp")).parts.has("store-grow")).toBe(false);
  });

  test("a node that goes is struck off by one of those that stay", async () => {
    const { parts } = await leastOf("amqp", { nodes: 3 });
    for (const end of ["leave", "left"]) {
      const said = script(parts, `store-2-${end}`);
      expect(said).toContain("for other in store-1 store-3; do");
      expect(said.match(/rabbitmq-diagnostics -q -n rabbit@\$other check_running/g)).toHaveLength(1);
    }
    expect(script(parts, "store-2-leave")).toContain("rabbitmq-queues -q -n $by shrink rabbit@store-2");
    expect(script(parts, "store-2-left")).toContain("forget_cluster_node rabbit@store-2");
  });

  test("links between regions speak TLS where they are published, and not where they are routed", async () => {
    const uri = async (reach: "routed" | "published-tls") => {
      const { parts } = await leastOf("amqp", { federate: [{ ...peer, reach }] });
      return /"(amqps?:.*?)"/.exec(file(parts, "store-1", "definitions.json"))?.[1];
    };
    const address = "federation:word-of-storeFederation@store-1.us.example.com";
    expect(await uri("published-tls")).toBe(`amqps://${address}:5671`);
    expect(await uri("routed")).toBe(`amqp://${address}:5672`);
  });

  test("its name has several labels where addresses have", async () => {
    const env = async (on: "docker" | "aws") => (await leastOf("amqp", {}, on)).parts.get("store-1")?.env ?? {};
    expect((await env("docker")).RABBITMQ_USE_LONGNAME).toBeUndefined();
    expect(await env("aws")).toMatchObject({
      RABBITMQ_USE_LONGNAME: "true",
      RABBITMQ_NODENAME: "rabbit@store-1.sample.internal",
    });
  });

  test("its user may do everything in the one virtual host; exchanges are durable topics", async () => {
    const { parts } = await leastOf("amqp", { federate: [peer], exchanges: ["a.b", "c"] });
    const all = { configure: ".*", write: ".*", read: ".*", vhost: "/" };
    expect(JSON.parse(file(parts, "store-1", "definitions.json"))).toMatchObject({
      vhosts: [{ name: "/", default_queue_type: "quorum" }],
      permissions: [
        { user: "app", ...all },
        { user: "federation", ...all },
      ],
      exchanges: ["a.b", "c"].map((name) => ({ name, vhost: "/", type: "topic", durable: true, auto_delete: false })),
      policies: [{ vhost: "/", pattern: "^(a\\.b|c)$", definition: { "federation-upstream-set": "all" } }],
      parameters: [{ vhost: "/", component: "federation-upstream", name: "us" }],
    });
  });

  test("its health is asked of it with its own user: the port, and on one host its alarms", async () => {
    const probe = async (on: "docker" | "swarm") =>
      JSON.stringify((await leastOf("amqp", {}, on)).parts.get("store-1")?.health);
    expect(await probe("docker")).toContain("for check in local-alarms port-listener/5672; do");
    expect(await probe("swarm")).toContain("for check in port-listener/5672; do");
  });
});

describe("NATS", () => {
  test("a server of three knows the routes, and asks for the route's password; one alone has none", async () => {
    const conf = async (nodes: number) =>
      file((await leastOf("nats", { nodes, memoryMib: 1000, maxPayloadBytes: 5 })).parts, "store-1", "nats.conf");
    const [three, one] = [await conf(3), await conf(1)];
    const [server, name] = [/^server_name: (.*)$/m.exec(three)?.[1], /^ {2}name: (.*)$/m.exec(three)?.[1]];
    expect([server, name]).toEqual(["store-1", "sample-store"]);
    const route = (n: number) => `"nats-route://route:word-of-store-routes-password@store-${String(n)}:6222"`;
    expect(three).toContain(`routes: [ ${[1, 2, 3].map(route).join(", ")} ]`);
    expect(three).toContain('authorization { user: route, password: "word-of-store-routes-password", timeout: 3 }');
    expect(one).not.toContain("cluster");
    for (const each of [one, three]) {
      expect(each.split("\n")).toContain("max_payload: 5");
      expect(each.split("\n")).toContain('authorization { user: app, password: "word-of-store-password", timeout: 3 }');
      expect(each.split("\n")).toContain(
        'jetstream { store_dir: "/data", max_memory_store: 500MB, max_file_store: 1GB }',
      );
    }
  });

  test("three are ready when each answers, and all three keep a stream", async () => {
    const three = script((await leastOf("nats", { nodes: 3 })).parts, "store-setup");
    for (const host of ["store-1", "store-2", "store-3"]) expect(three).toContain(`/dev/tcp/${host}/4222`);
    const stream: unknown = JSON.parse(/CREATE\.SETUP_PROBE '(.*?)'/.exec(three)?.[1] ?? "{}");
    expect(stream).toEqual({
      ...{ name: "SETUP_PROBE", subjects: ["setup.probe"], storage: "memory", max_msgs: 1, max_bytes: 1024 },
      num_replicas: 3,
    });
    const one = script((await leastOf("nats")).parts, "store-setup");
    expect(one).toContain("/dev/tcp/store-1/4222");
    expect(one).not.toContain("SETUP_PROBE");
  });

  test("its health: JetStream, of three the whole cluster, on one host its streams", async () => {
    const probe = async (nodes: number, on: "docker" | "swarm") => {
      const ready = (await leastOf("nats", { nodes }, on)).parts.get("store-1")?.health?.ready;
      return ready !== undefined && "command" in ready ? (ready.command.at(-1)?.split("\n") ?? []) : [];
    };
    for (const nodes of [1, 3])
      for (const on of ["docker", "swarm"] as const) {
        const all = await probe(nodes, on);
        expect(all[0]).toBe("set -e");
        expect(all[1]).toContain("healthz?js-enabled-only=true");
        expect(all.some((line) => line.includes('"cluster_size":[1-2],'))).toBe(nodes === 3);
        expect(all.some((line) => line.includes("are served"))).toBe(on === "docker");
      }
  });
});

describe("Solr", () => {
  test("of three each has a ZooKeeper that answers at home alone, and an empty one of the third no vote", async () => {
    const { parts, given, ready } = await leastOf("solr", { copies: 3, names: ["search.example.com"] });
    const members = ["store-1", "store-2", "store-3"];
    expect(given).toEqual({ host: "search.example.com", port: 8983, members });
    expect(ready).toEqual(["store-setup", ...members, "store-proxy"]);
    expect(parts.get("store-proxy")).toMatchObject({ replicas: 2, names: ["search.example.com"] });
    const conf = file(parts, "store-1", "zoo.cfg");
    expect(conf).toContain("clientPortAddress=127.0.0.1\n");
    expect(conf.match(/^server\..*$/gm)).toEqual(members.map((at, n) => `server.${String(n + 1)}=${at}:2888:3888`));
    for (const [index, member] of members.entries()) {
      const { prepare = "", names } = parts.get(member) ?? {};
      expect(prepare).toContain(`echo ${String(index + 1)} >`);
      expect(prepare.includes("touch /var/solr/data/zoo_data/initialize")).toBe(index < 2);
      expect(prepare).toContain(mend);
      expect(names).toBeUndefined();
      expect(parts.has(`${member}-leave`)).toBe(index > 0);
    }
  });

  test("a swarm, whose DNS has healthy members only, asks for no peer and no caught-up index", async () => {
    const probe = async (on: "docker" | "swarm") =>
      JSON.stringify((await leastOf("solr", { copies: 3 }, on)).parts.get("store-1")?.health?.ready);
    expect(await probe("docker")).toContain("requireHealthyCores");
    expect(await probe("swarm")).not.toContain("requireHealthyCores");
  });

  test("on a swarm a member calls itself by its address, as its name is not known before it is healthy", async () => {
    const prepare = async (on: "docker" | "swarm") =>
      (await leastOf("solr", { copies: 3 }, on)).parts.get("store-1")?.prepare ?? "";
    expect(await prepare("docker")).toContain("QuorumPeerMain /run/solr/zoo.cfg ");
    const told = await prepare("swarm");
    expect(told).toContain("QuorumPeerMain /tmp/zoo.cfg ");
    const folder = newFolder("solr-address");
    await writeFile(join(folder, "told"), "clientPort=9983\nserver.1=store-1:2888:3888\nserver.2=store-2:2888:3888\n");
    const line = /^ *sed "s.*$/m.exec(told)?.[0] ?? "";
    const here = line
      .replace("/run/solr/zoo.cfg", join(folder, "told"))
      .replace("/tmp/zoo.cfg", join(folder, "written"));
    await execa("sh", ["-c", `getent() { echo "10.0.1.7      $2"; }\n${here}`]);
    expect(await readFile(join(folder, "written"), "utf8")).toBe(
      "clientPort=9983\nserver.1=10.0.1.7:2888:3888\nserver.2=store-2:2888:3888\n",
    );
  });

  test("on a swarm one that was called healthy before it ran has time to start, and none once it has answered", async () => {
    const { ready } = (await leastOf("solr", { copies: 3 }, "swarm")).parts.get("store-1")?.health ?? {};
    const probe = ready !== undefined && "command" in ready ? ready.command.at(-1) : undefined;
    const folder = newFolder("solr-probe");
    /** The probe's exit code while these answer. */
    const code = async (...who: readonly ("ZooKeeper" | "Solr")[]): Promise<number | undefined> => {
      const curl = `curl() { case "$*" in *telnet*) ${who.includes("ZooKeeper") ? "echo Mode: follower" : "false"} ;; *127.0.0.1*) ${who.includes("Solr") ? ":" : "false"} ;; *) false ;; esac; }`;
      return (
        await execa("sh", ["-c", `${curl}\n${(probe ?? "").replaceAll("/tmp/", `${folder}/`)}`], { reject: false })
      ).exitCode;
    };
    expect(await code()).not.toBe(0);
    expect(await code("ZooKeeper")).toBe(0); // its peers look for it by its name
    expect(await code("ZooKeeper")).toBe(0);
    expect(await code("ZooKeeper", "Solr")).toBe(0);
    expect(await code("ZooKeeper")).not.toBe(0); // it hangs
    expect(await code()).toBe(0); // it lost its peers
  });

  test("one of three is ended once when a disk that was full has room, and no other", async () => {
    for (const on of ["docker", "swarm"] as const) {
      const { ready } = (await leastOf("solr", { copies: 3 }, on)).parts.get("store-1")?.health ?? {};
      const probe = ready !== undefined && "command" in ready ? ready.command.at(-1) : undefined;
      const folder = newFolder("solr-room");
      const look = async (kib: number) => {
        const stubs = `kill() { echo "ended $*"; }\ndf() { printf 'Avail\\n%s\\n' ${String(kib)}; }\ncurl() { case "$*" in *"-o /dev/null"*) ;; *) echo '{"initFailures":{}}' ;; esac; }`;
        const script = `${stubs}\n${(probe ?? "").replaceAll("/tmp/", `${folder}/`)}`;
        const { exitCode, stdout } = await execa("sh", ["-c", script], { reject: false });
        return [exitCode, stdout];
      };
      expect(await look(5000)).toEqual([0, ""]);
      // A swarm would start it again and again.
      expect(await look(12)).toEqual([on === "docker" ? 1 : 0, "Solr: the disk is full"]);
      expect(await look(5000)).toEqual([1, "ended 1\nSolr: the disk has room again, and it is started once more"]);
      expect(readdirSync(folder)).toContain("room"); // so it ends at once
      expect(await look(5000)).toEqual([0, ""]);
    }
  });

  test("one of three whose Overseer's seat is no candidate's is ended at the second look, and no other", async () => {
    const { ready } = (await leastOf("solr", { copies: 3 })).parts.get("store-1")?.health ?? {};
    const probe = ready !== undefined && "command" in ready ? ready.command.at(-1) : undefined;
    const folder = newFolder("solr-seat");
    await writeFile(join(folder, "launcher"), "104\n");
    const text = (...ids: readonly string[]) => `{"text":"it","data":"{ ${ids.map((id) => `\\"${id}\\"`).join()} }"}`;
    const look = async (seat: string | undefined, candidates: string | undefined) => {
      const stubs = `df() { printf 'Avail\n5000\n'; }
kill() { echo "ended $*"; }
curl() {
  case "$*" in
    *overseer_elect/leader) ${seat === undefined ? "false" : `echo '${text(seat)}'`} ;;
    *overseer_elect/election) ${candidates === undefined ? "false" : `echo '${text(candidates)}'`} ;;
    *) echo '{"initFailures":{}}' ;;
  esac
}`;
      const script = `${stubs}\n${(probe ?? "").replaceAll("/tmp/", `${folder}/`)}`;
      const env = { SOLR_HOST: "store-1" };
      const { exitCode, stdout } = await execa("sh", ["-c", script], { env, reject: false });
      return [exitCode, /ended.*/.exec(stdout)?.[0]];
    };
    const [own, next, others] = [1, 2]
      .map((n) => `7205-store-1:8983_solr-n_000000001${String(n)}`)
      .concat("7-store-2:8983_solr-n_0000000003");
    const well = [0, undefined];
    expect(await look(own, own)).toEqual(well);
    expect(await look(others, own)).toEqual(well); // the other ends
    expect(await look(others, own)).toEqual(well);
    expect(await look(undefined, own)).toEqual(well);
    expect(await look(own, undefined)).toEqual(well);
    expect(await look(own, undefined)).toEqual(well);
    expect(await look(own, next)).toEqual(well); // it may be about to go
    expect(await look(own, own)).toEqual(well);
    expect(await look(own, next)).toEqual(well);
    expect(await look(next, own)).toEqual(well); // another seat
    await writeFile(join(folder, "answered"), "");
    expect(await look(next, own)).toEqual([1, "ended -USR1 104"]);
    // It begins again beside its ZooKeeper, and is only starting until it answers.
    expect(readdirSync(folder).sort()).toEqual(["launcher", "ready"]);
    expect(await look(next, own)).toEqual(well);
  });

  /** What the set-up job of three asks for, if the first two calls are refused; `has`: who has opened its copy by then. */
  async function setUp(copies: Readonly<Record<string, string>>, has: readonly string[]): Promise<string[]> {
    const { parts } = await leastOf("solr", { copies: 3 });
    const folder = newFolder("solr-setup");
    const members = ["store-1", "store-2", "store-3"];
    const states = (all: readonly (readonly [string, string])[]) =>
      Object.fromEntries(all.map(([at, state]) => [at, { node_name: `${at}:8983_solr`, core: at, state }]));
    const told = (replicas: object) =>
      JSON.stringify({
        cluster: {
          live_nodes: members.map((at) => `${at}:8983_solr`),
          collections: { a: { shards: { s: { replicas } } } },
        },
      });
    const whole = states(members.map((at) => [at, "active"] as const));
    // Once it has struck a copy off, or added two, all have one.
    const stubs = `sleep() { :; }
curl() {
  echo "$*" >>${folder}/calls
  [ "$(wc -l <${folder}/calls)" -gt 2 ] || return 7
  case "$*" in
    *action=CLUSTERSTATUS*) if grep -q DELETEREPLICA ${folder}/calls || [ "$(grep -c ADDREPLICA ${folder}/calls)" = 2 ]; then echo '${told(whole)}'; else echo '${told(states(Object.entries(copies)))}'; fi ;;
    *action=LIST*) echo '{"collections":[]}' ;;
    *cores*) at="\${*##*http://}"; at="\${at%%:*}"; case " ${has.join(" ")} " in *" $at "*) echo "{\\"status\\":{\\"$at\\":{\\"name\\":\\"$at\\"}},\\"initFailures\\":{}}" ;; *) echo "{\\"status\\":{\\"$at\\":{}},\\"initFailures\\":{}}" ;; esac ;;
  esac
}`;
    await execa("sh", ["-euc", `${stubs}\n${script(parts, "store-setup").replaceAll("/tmp/", `${folder}/`)}`]);
    return readFileSync(`${folder}/calls`, "utf8").split("\n");
  }

  test("three are set up once each answers, not while none does", async () => {
    const all = { "store-1": "active", "store-2": "active", "store-3": "active" };
    const calls = await setUp(all, Object.keys(all));
    expect(calls.slice(0, 3).map((call) => call.includes("action=CLUSTERSTATUS"))).toEqual([true, true, true]);
    expect(calls.filter((call) => call.includes("action=CREATE"))).toHaveLength(1);
    expect(calls.filter((call) => /action=(DELETE|ADD)REPLICA/.test(call))).toEqual([]);
  });

  test("the only copy stays, though its member has not opened it yet; a lost one beside others goes", async () => {
    const alone = await setUp({ "store-1": "active" }, []);
    expect(alone.filter((call) => call.includes("DELETEREPLICA"))).toEqual([]);
    expect(alone.filter((call) => call.includes("ADDREPLICA"))).toHaveLength(2);
    const lost = await setUp({ "store-1": "active", "store-2": "down", "store-3": "active" }, ["store-1", "store-3"]);
    expect(lost.filter((call) => call.includes("DELETEREPLICA"))).toEqual([expect.stringContaining("replica=store-2")]);
  });

  test("a log of ZooKeeper's whose header was never written goes before it starts, and no other", async () => {
    const root = newFolder("zoo");
    const folder = join(root, "zoo_data/version-2");
    const header = Buffer.from("ZKLG\0\0\0\x02");
    const logs = {
      "log.100000001": Buffer.concat([header, Buffer.alloc(64)]),
      "log.200000001": Buffer.alloc(64), // a full disk: given room, and no header
      "log.30000002f": header,
      "log.400000001": Buffer.from("torn by something else"), // ZooKeeper's to judge
      "log.50000005f": Buffer.alloc(0), // a power cut
    };
    expect((await leastOf("solr")).parts.get("store-1")?.prepare).toContain(mend);
    const mended = mend.replaceAll("/var/solr/data/", `${root}/`);
    expect(mended).not.toBe(mend);
    await execa("sh", ["-euc", mended]); // a new disk: no folder, no log
    mkdirSync(folder, { recursive: true });
    for (const [name, content] of Object.entries(logs)) writeFileSync(join(folder, name), content);
    writeFileSync(join(folder, "currentEpoch"), "5");
    await execa("sh", ["-euc", mended]);
    expect(readdirSync(folder).sort()).toEqual(["currentEpoch", "log.100000001", "log.30000002f", "log.400000001"]);
  });

  test("a copy whose index has lost its list of segments, or the note of its place, is called a broken one, and no other", async () => {
    const data = join(newFolder("solr-emptied"), "data");
    const made = (path: string, content = "") => {
      mkdirSync(dirname(join(data, path)), { recursive: true });
      writeFileSync(join(data, path), content);
    };
    for (const copy of ["well", "empty", "well-elsewhere", "empty-elsewhere", "no-note", "no-place", "odd-note"])
      made(`${copy}/core.properties`, `name=${copy}`);
    made("well/data/index/segments_2", "well");
    made("empty/data/index/write.lock");
    made("well-elsewhere/data/index.properties", "#index.properties\nindex=index.2026\n");
    made("well-elsewhere/data/index.2026/segments_1", "well");
    made("empty-elsewhere/data/index.properties", "index=index.2026\n");
    made("empty-elsewhere/data/index.2026/write.lock");
    made("no-note/data/index.properties"); // on a full disk it was never written
    made("no-note/data/index.2026/segments_9", "well");
    made("no-place/data/index.properties", "index=index.2026\n"); // Solr has said so, and makes it
    made("odd-note/data/index.properties", "#index.properties\n");
    made("odd-note/data/index/segments_3", "well");
    mkdirSync(join(data, "new/data"), { recursive: true });
    mkdirSync(join(data, "zoo_data"));
    const script = /^emptied\(\) \{.*?^\}/ms.exec(patient(["other"]))?.[0] ?? "";
    await execa("sh", ["-euc", `${script.replaceAll("/var/solr/data", data)}\nemptied\nemptied`]);
    const lists = readdirSync(data, { recursive: true })
      .map(String)
      .filter((path) => path.includes("segments_"));
    const said = Object.fromEntries(lists.map((path) => [path, readFileSync(join(data, path)).toString("hex")]));
    const [well, broken] = [Buffer.from("well").toString("hex"), "3fd76c170178"]; // Lucene's magic number, and a name that is no list's
    expect(said).toEqual({
      "well/data/index/segments_2": well,
      "empty/data/index/segments_1": broken,
      "well-elsewhere/data/index.2026/segments_1": well,
      "empty-elsewhere/data/index.2026/segments_1": broken,
      "no-note/data/index/segments_1": broken,
      "no-note/data/index.2026/segments_9": well,
      "odd-note/data/index/segments_3": well,
    });
    expect(existsSync(join(data, "no-note/data/index.properties"))).toBe(false);
  });

  async function until(happened: () => boolean): Promise<void> {
    while (!happened()) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** How often a server has started that adds a line to a folder's `starts`, and who waits for a number of them. */
  function startsIn(folder: string) {
    const starts = (): number => (existsSync(`${folder}/starts`) ? readFileSync(`${folder}/starts`, "utf8").length : 0);
    return { starts, started: (times: number) => until(() => starts() >= times) };
  }

  /** The launcher with such a Solr, which notes each of its starts, and where it notes them. */
  function launched(server: string, cores = "{}") {
    const folder = newFolder("solr-launcher");
    const stubs = `sleep() { command sleep 0.01; }
curl() { case "$*" in *info/health*) return 28 ;; *) echo '{"initFailures":${cores}}' ;; esac; }`;
    const script = `${stubs}\n${patient(["other"]).replaceAll("/tmp/", `${folder}/`)}`;
    const noted = `echo >>${folder}/starts; ${server}`;
    const running = execa("sh", ["-c", script, "solr", "sh", "-c", noted], { reject: false });
    return { running, ...startsIn(folder) };
  }
  const runs = "while :; do command sleep 0.05; done";
  const hangs = `trap '' TERM; ${runs}`;

  test.each([
    ["ends", runs],
    ["hangs", hangs],
  ])("a Solr that is to start again does so beside its ZooKeeper, though it %s", async (_, server) => {
    const { running, starts, started } = launched(server);
    for (const times of [1, 2, 3]) {
      await started(times);
      running.kill("SIGUSR1");
    }
    await started(4);
    running.kill("SIGTERM");
    expect([(await running).exitCode, starts()]).toEqual([server === hangs ? 137 : 143, 4]);
  });

  test("a Solr that cannot open a copy, however late, starts once more, later each time, and not for ever", async () => {
    const folder = newFolder("solr-start");
    // The third look of all finds it, and so does each later one.
    const stubs = `sleep() { command sleep 0.005; }
curl() {
  echo >>${folder}/looks
  if [ "$(wc -l <${folder}/looks)" -lt 3 ]; then echo '{"initFailures": { },"status":{}}'; else echo '{"initFailures":{"a":"broken"},"status":{}}'; fi
}`;
    const server = `wc -l <${folder}/looks >>${folder}/starts; [ "$(wc -l <${folder}/starts)" = 4 ] || exec sleep 60; command sleep 4; exit 7`;
    const quick = patient(["other"]).replaceAll("seq 300", "seq 100").replaceAll("/tmp/", `${folder}/`);
    const script = `touch ${folder}/looks\n${stubs}\n${quick}`;
    const ended = await execa("sh", ["-c", script, "solr", "sh", "-c", server], { reject: false });
    expect([ended.exitCode, readFileSync(`${folder}/starts`, "utf8").trim().split("\n").map(Number)]).toEqual([
      7,
      [0, 3, 34, 125],
    ]);
    expect(ended.stderr).toContain("an index cannot be opened: Solr starts once more");
  });

  test("a ZooKeeper that could not write is killed, and starts again when there is room", async () => {
    const folder = newFolder("zookeeper");
    const prepare = (await leastOf("solr", { copies: 3 })).parts.get("store-1")?.prepare ?? "";
    const loop = (/^\(\n.*?^\) &/ms.exec(prepare)?.[0] ?? "").replaceAll("/tmp/", `${folder}/`);
    await writeFile(join(folder, "room"), "5000");
    // The first takes the last room and goes on, as QuorumPeer does; the second is well.
    const java = `#!/bin/sh
echo >>${folder}/starts
[ "$(wc -l <${folder}/starts)" = 1 ] || exec sleep 60
echo 12 >${folder}/room
echo "2026-12-01 SyncThread:1 ERROR Severe unrecoverable error, from thread : SyncThread:1" >&2
exec sleep 60
`;
    mkdirSync(join(folder, "bin"));
    await writeFile(join(folder, "bin/java"), java, { mode: 0o755 });
    const stubs = `df() { printf 'Avail\n%s\n' "$(cat ${folder}/room)"; touch ${folder}/looked; }\nsleep() { command sleep 0.02; }`;
    const running = execa("sh", ["-c", `${stubs}\n${loop}\nwait`], {
      env: { PATH: `${folder}/bin:${process.env.PATH ?? ""}` },
      detached: true,
      reject: false,
    });
    const { starts, started } = startsIn(folder);
    const looked = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time++) {
        await rm(join(folder, "looked"), { force: true });
        await until(() => existsSync(join(folder, "looked")));
      }
    };
    try {
      await started(1);
      await looked(3); // it has been killed, or nobody would look
      expect(starts()).toBe(1);
      await writeFile(join(folder, "room"), "5000");
      await started(2);
    } finally {
      if (running.pid !== undefined) process.kill(-running.pid, "SIGKILL");
      await running;
    }
  });

  test("a Solr that ends by itself is not started again by its launcher", async () => {
    const { running, starts } = launched("exit 7");
    expect([(await running).exitCode, starts()]).toEqual([7, 1]);
  });

  test("a Solr that is told to end while it is about to start once more does not start", async () => {
    const { running, starts, started } = launched(hangs, '{"a":"broken"}');
    await started(1);
    await new Promise((resolve) => setTimeout(resolve, 200)); // the launcher has looked at its indices, and ends it
    running.kill("SIGTERM");
    expect([(await running).exitCode, starts()]).toEqual([137, 1]);
  });

  test.each([
    ["answers: it waits while another catches up", ":", [], 30],
    ["answers nobody: it waits for none", "return 28", [], 0],
    ["has a full disk: it waits for none", ":", ["full"], 0],
    ["had a full disk: it waits for none", ":", ["room"], 0],
  ])("told to end, one that %s", async (_, own, notes, waited) => {
    const folder = newFolder("solr-end");
    for (const note of notes) await writeFile(join(folder, note), "");
    const stubs = `sleep() { command sleep 0.01; }
curl() {
  case "$*" in
    *127.0.0.1*/info/health) ${own} ;;
    *other*) echo >>${folder}/looks; echo 503 ;;
    *) echo '{"initFailures":{}}' ;;
  esac
}
touch ${folder}/looks`;
    const quick = patient(["other"]).replace("seq 300", "seq 30").replaceAll("/tmp/", `${folder}/`);
    expect(quick).toContain("seq 30)");
    const server = `trap 'exit 3' TERM; touch ${folder}/runs; while :; do command sleep 0.05; done`;
    const running = execa("sh", ["-c", `${stubs}\n${quick}`, "solr", "sh", "-c", server], { reject: false });
    await until(() => existsSync(`${folder}/runs`));
    running.kill("SIGTERM");
    expect((await running).exitCode).toBe(3);
    expect(readFileSync(`${folder}/looks`, "utf8").length).toBe(waited);
  });

  test("each collection is made, unless it is there", async () => {
    const { parts } = await leastOf("solr", { collections: ["a", "b.c"] });
    const api = "http://store-1:8983/solr/admin/collections";
    const all = script(parts, "store-setup").split("\n");
    expect(all).toHaveLength(2);
    for (const [at, name] of ["a", "b.c"].entries()) {
      expect(all[at]).toMatch(/^curl .* \|\| curl /);
      expect(all[at]).toContain(`'${api}?action=LIST' | jq -se --arg it '${name}'`);
      expect(all[at]).toContain(`--data-urlencode name='${name}' '${api}?action=CREATE&`);
    }
  });
});

describe("Redis", () => {
  test("its file keeps jobs, or forgets what is old", async () => {
    const conf = async (more: Partial<Ask<"redis">>) =>
      lines(file((await leastOf("redis", more)).parts, "store-1", "redis.conf"), " ");
    const both = { dir: "/data", save: '""', maxmemory: "64mb", "protected-mode": "no" };
    expect(await conf({})).toEqual({ ...both, appendonly: "no", "maxmemory-policy": "allkeys-lru" });
    expect(await conf({ keep: true, clientAuth: true })).toEqual({
      ...{ ...both, appendonly: "yes", "maxmemory-policy": "noeviction" },
      requirepass: '"word-of-store-password"',
    });
  });
});

describe("InfluxDB", () => {
  test("a quarter of its memory is for its cache", async () => {
    const { parts } = await leastOf("influx", { memoryMib: 1024 });
    expect(file(parts, "store-1", "influxdb.conf")).toContain(`cache-max-memory-size = ${String(256 * 1024 * 1024)}\n`);
  });

  test("the administrator has all privileges, the application's user only its databases", async () => {
    const { parts } = await leastOf("influx");
    expect(file(parts, "store-setup", "admin.iql")).toBe(
      `CREATE USER "admin" WITH PASSWORD 'word-of-store-admin-password' WITH ALL PRIVILEGES`,
    );
    expect(file(parts, "store-setup", "app.iql")).toBe(`CREATE USER "app" WITH PASSWORD 'word-of-store-password'`);
    const said = script(parts, "store-setup").replaceAll(/["'\\]/g, "");
    for (const statement of [
      "CREATE DATABASE a",
      "CREATE RETENTION POLICY keep ON a",
      "ALTER RETENTION POLICY keep ON a",
      "GRANT ALL ON a TO app",
    ])
      expect(said).toContain(statement);
  });

  test("what is too fleeting is not saved; where all is, nothing is saved", async () => {
    const dump = async (databases: Ask<"influx">["databases"]) =>
      (await leastOf("influx", { databases })).dumps.map((each) => each.dump);
    const [kept, fleeting] = [{ keep: "1d" }, { keep: "1d", dump: false }];
    expect((await dump({ a: kept })).join()).not.toContain("grep");
    expect((await dump({ a: kept, b: fleeting, c: fleeting })).join()).toContain(
      "\ngrep -vxF -e 'b' -e 'c' /tmp/all >",
    );
    expect(await dump({ a: fleeting, b: fleeting })).toEqual([]);
  });
});

describe("PostgreSQL", () => {
  test("half of its memory is shared, and as much as an engine gives by itself at least", async () => {
    const shared = async (memoryMib: number) => (await leastOf("postgres", { memoryMib })).parts.get("store-1")?.shmMib;
    expect(await Promise.all([2000, 129, 100, 50].map(shared))).toEqual([1000, 64, 64, 50]);
  });

  test("each database has its owner and each extension, once", async () => {
    const said = script(
      (await leastOf("postgres", { databases: ["a", "b"], extensions: ["x", "y"] })).parts,
      "store-setup",
    );
    for (const [statement, times] of [
      ["CREATE ROLE", 1],
      ["CREATE DATABASE", 2],
      ["CREATE EXTENSION IF NOT EXISTS", 4],
      ["ALTER ROLE", 1],
    ] as const)
      expect([statement, said.split(statement).length - 1]).toEqual([statement, times]);
    for (const set of [
      "--set=extension='x'",
      "--set=extension='y'",
      "--set=db='a'",
      "--set=db='b'",
      "--set=role='app'",
    ])
      expect(said).toContain(set);
    expect(said).not.toContain("SUPERUSER");
  });

  test("what is restored is compared with what was counted, table by table; the drill's server is emptied twice", async () => {
    const [only] = (await leastOf("postgres")).dumps;
    const { dump = "", check = "", restore = "", drill = "" } = only ?? {};
    const tables = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace";
    const times = (text: string, part: string) => text.split(part).length - 1;
    // For the counts, and to see that the database is empty.
    expect([dump, restore, drill].map((text) => times(text, tables))).toEqual([2, 2, 2]);
    // Rows are of tables; a view, too, would be overwritten.
    const kinds = (text: string) => [...text.matchAll(/relkind IN \((.*?)\)/g)].map(([, kind]) => kind).sort();
    expect(kinds(restore)).toEqual(["'r'", "'r', 'p', 'v', 'm', 'f'"]);
    expect(kinds(dump)).toEqual(["'r'", "'r'"]);
    for (const text of [restore, drill]) expect(text).toMatch(/diff - \/tmp\/restored/);
    expect(check).toMatch(/backup get roles\.sql[^]*backup get databases/);
    expect(drill.match(/^empty$/gm)).toHaveLength(2);
  });

  test("output plugins are trusted where the server knows such a list, and there alone", async () => {
    const prepare = async (more: Partial<Ask<"postgres">>) =>
      (await leastOf("postgres", more)).parts.get("store-1")?.prepare ?? "";
    expect(await prepare({ outputPlugins: ["wal2json", "other"] })).toContain("$known,wal2json,other");
    for (const none of [{}, { outputPlugins: [] }])
      expect(await prepare(none)).not.toContain("output_plugin_libraries");
  });

  test("a drill's server keeps nothing, and has the store's own settings", async () => {
    const { dumps, parts } = await leastOf("postgres", { settings: { wal_level: "logical" } });
    const command = dumps[0]?.drillServer?.command ?? [];
    expect(command.slice(0, 2)).toEqual(["sh", "-euc"]);
    expect(command[2]).toMatch(/rm -rf (\/tmp\/drill)\n.*initdb --pgdata=\1 .*\n.*postgres -D \1 "\$@"/);
    const [, ...own] = parts.get("store-1")?.command?.slice(2) ?? [];
    expect(command.slice(4)).toEqual(["-c", ...own.slice(own.indexOf("hba_file=/etc/postgres/pg_hba.conf"))]);
  });

  test("a managed one has its databases by a job, and is saved without its address in a script", async () => {
    const ask: Ask<"postgres"> = {
      databases: ["a"],
      clientTls: "verifies",
      gib: 20,
      owner: { name: "owner", superuser: true },
    };
    const { parts, dumps, given, ready } = await toldRecipe("postgres", ask, "aws", managedPostgres);
    expect([...parts.keys()]).toEqual(["store-setup"]);
    expect(ready).toEqual(["store-setup"]);
    expect(given).toMatchObject({
      host: "store.managed.example.com",
      port: 5432,
      tls: true,
      user: "owner",
      password: "word-of-store-owner-password",
      passwords: { "store-admin": "word-of-store-managed" },
    });
    expect(script(parts, "store-setup")).toContain("--set=role='owner'");
    expect(script(parts, "store-setup")).not.toMatch(/managed\.example|SUPERUSER/);
    const named = {
      empty: empty(parts),
      emptyInFiles: emptyInFiles(parts),
      misplaced: misplacedSecrets(parts),
      lost: lostFiles(parts),
    };
    expect(named).toEqual({ empty: [], emptyInFiles: [], misplaced: [], lost: [] });
    const [{ files = [], drillServer, ...scripts } = { drillServer: undefined }] = dumps;
    expect(files.map(({ path, secret = false }) => [path, secret])).toEqual([
      ["/run/postgres/store-password", true],
      ["/run/postgres/store-owner-password", true],
      ["/run/postgres/store-host", false],
    ]);
    const texts = Object.values(scripts).join("\n");
    for (const { path } of files) expect(texts).toContain(path);
    expect(texts).not.toContain("managed.example");
    expect(drillServer).toMatchObject({ replicas: 1, memoryMib: 512, names: [] });
    expect(
      (await toldRecipe("postgres", { ...ask, owner: undefined } as unknown as Ask<"postgres">, "aws", managedPostgres))
        .given.user,
    ).toBe("app");
  });
});

describe("Elasticsearch", () => {
  test("three speak TLS to each other, on a port of its own; one alone speaks to nobody", async () => {
    const of = async (nodes: number) => {
      const {
        ports = {},
        files = [],
        command = [],
      } = (await leastOf("elasticsearch", { nodes })).parts.get("store-1") ?? {};
      const told = command.filter((word) => word.includes("transport.ssl"));
      return [Object.values(ports).map(({ number }) => number), files.length, told.length];
    };
    expect(await of(1)).toEqual([[9200], 2, 0]);
    expect(await of(3)).toEqual([[9200, 9300], 5, 5]);
  });

  test("the next node waits for shards that are looked for; an index without a copy gets one where it can", async () => {
    for (const nodes of [1, 3]) {
      const { parts } = await leastOf("elasticsearch", { nodes });
      const probe = JSON.stringify(parts.get("store-1")?.health?.ready);
      for (const word of ["wait_for_events=languid", "number_of_in_flight_fetch", "delayed_unassigned_shards"])
        expect([nodes, probe.includes(word)]).toEqual([nodes, nodes === 3]);
      expect(script(parts, "store-setup").includes("number_of_replicas")).toBe(nodes === 3);
    }
  });
});

test("Cassandra: nobody gives it an order without a login", async () => {
  const options = (await leastOf("cql")).parts.get("store-1")?.env?.JVM_EXTRA_OPTS?.split(" ") ?? [];
  expect(options).toEqual(
    expect.arrayContaining([
      "-Dcom.sun.management.jmxremote.authenticate=true",
      "-Dcom.sun.management.jmxremote.password.file=/tmp/jmx",
      "-Djava.rmi.server.hostname=store-1",
    ]),
  );
});

test("Redis: on one host only its own answer is well", async () => {
  const probe = async (on: "docker" | "swarm") =>
    JSON.stringify((await leastOf("redis", {}, on)).parts.get("store-1")?.health);
  expect(await probe("docker")).toContain("in PONG) ;;");
  expect(await probe("swarm")).toContain("in PONG | MISCONF*) ;;");
});
