/** Rules for the parts of every recipe, whatever it is asked for: what each option changes, and which names it refuses. */
import { describe, expect, test } from "@jest/globals";

import type { Ask, Kind } from "../../components/core/contracts.ts";
import { empty, emptyInFiles, lostFiles, misplacedSecrets } from "../support/part-rules.ts";
import { peer } from "../support/sketches.ts";
import { toldRecipe } from "../support/told.ts";

/** The least that one can ask of a kind, and each option that one may ask for beside. */
const asks: { readonly [K in Kind]: { readonly least: Ask<K>; readonly more: readonly Partial<Ask<K>>[] } } = {
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
    ],
  },
  solr: {
    least: { collections: ["a"], gib: 1, memoryMib: 512 },
    more: [
      { collections: ["a", "b"] },
      { gib: 2 },
      { memoryMib: 513 },
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
const kinds = Object.keys(asks) as Kind[];
/** Every way in which a kind is asked. */
const ways = kinds.flatMap((kind) =>
  [{}, ...asks[kind].more].map((more) => [kind, more, { ...asks[kind].least, ...more } as Ask<typeof kind>] as const),
);

describe.each(ways)("%s with %j", (kind, _, ask) => {
  test.each(["docker", "swarm"] as const)("keeps the rules for each part, on %s", async (on) => {
    const { parts } = await toldRecipe(kind, ask, {}, on);
    const rules = { empty, emptyInFiles, misplacedSecrets, lostFiles };
    const broken = Object.entries(rules).map(([rule, breaks]) => [rule, breaks(parts)]);
    expect(Object.fromEntries(broken)).toEqual({ empty: [], emptyInFiles: [], misplacedSecrets: [], lostFiles: [] });
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
  const given = async <K extends Kind>(kind: K, more: Partial<Ask<K>> = {}) =>
    (await toldRecipe(kind, { ...asks[kind].least, ...more } as Ask<K>)).given;

  test("a store's address, its members and its login", async () => {
    const names = (count: number) => Array.from({ length: count }, (_, at) => `store-${String(at + 1)}`);
    const store = (port: number, count = 1, user = "app") => ({
      ...{ host: "store-1", port, members: names(count) },
      ...{ user, password: "word-of-store-password" },
    });
    expect(await given("postgres")).toEqual(store(5432));
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
  const refusal = async <K extends Kind>(kind: K, more: Partial<Ask<K>>): Promise<string> =>
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
