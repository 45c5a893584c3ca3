/** The systems' own configs: the least, the usual and the most of each number, what each option changes, and what is refused. */
import { describe, expect, test } from "@jest/globals";
import { z } from "zod";

import { at as valueAt } from "../../components/core/formats.ts";
import { systems } from "../../components/systems/index.ts";
import { type Name, names, samples } from "../support/sketches.ts";
import { told } from "../support/told.ts";

/** Of a number: the least, the usual (undefined: nothing is said), and the most, if there is one. */
type Row = readonly [least: number, usual: number | undefined, most?: number];
const member = (least: number): Record<string, Row> => ({
  count: [least, 3, 99],
  memoryMib: [256, 4096],
  cpu: [0.25, 2],
  gib: [1, 20],
});
const below = (key: string, rows: Record<string, Row>): Record<string, Row> =>
  Object.fromEntries(Object.entries(rows).map(([name, row]) => [`${key}.${name}`, row]));

const numbers: Record<Name, Record<string, Row>> = {
  arkindex: {
    backends: [1, undefined, 50],
    workers: [1, undefined, 50],
    postgresGib: [1, 20],
    solrGib: [1, 10],
    solrMemoryMib: [256, 512],
    redisMemoryMib: [16, 256],
    objectsGib: [1, 100],
    ...below("agents.gpu", {
      ...{ replicas: [1, 1, 50], gpus: [1, 1, 8], gpuMib: [1, undefined] },
      ...{ cpu: [0.25, 1], memoryMib: [256, 6144], gib: [1, 100, 16_000] },
    }),
  },
  arangodb: {
    ...below("agents", { memoryMib: [256, 1024], cpu: [0.25, 1] }),
    ...below("dbservers", member(1)),
    ...below("coordinators", member(2)),
    replicationFactor: [1, 3, 10],
    systemReplicationFactor: [1, 2, 10],
    writeConcern: [1, 2, 10],
  },
  pyrus: {
    "replicas.web-api": [1, undefined, 50],
    "cpu.files": [0.1, undefined],
    "memoryMib.files": [128, undefined],
    postgresGib: [1, 50],
    postgresMemoryMib: [128, 2048],
    logsGib: [1, 20],
    logsMemoryMib: [128, 1024],
    elasticGib: [1, 30],
    elasticHeapMib: [128, 1024],
    natsGib: [1, 4],
    natsMemoryMib: [128, 1024],
    filesGib: [1, 100],
  },
  media: {
    ...below("services.frontend", {
      port: [1, 8080, 65535],
      replicas: [1, 1, 1000],
      cpu: [0.1, 1],
      memoryMib: [64, 1024],
      bodyMib: [1, undefined],
    }),
    nodes: [1, 3, 99],
    cassandraGib: [1, 100],
    cassandraMemoryMib: [768, 4096],
    cassandraCpu: [0.1, 2],
    rabbitMemoryMib: [256, 1024],
    searchGib: [1, 50],
    searchHeapMib: [256, 1024],
    objectsGib: [1, 500],
    redisMemoryMib: [16, 512],
  },
  shinyproxy: {
    ...below("apps.demo", { port: [1, 3838, 65535], memoryMib: [64, 1024], cpu: [0.1, 1], shmMib: [1, undefined] }),
    replicas: [1, undefined, 10],
    memoryMib: [256, 2048],
    idleMinutes: [0.5, 5],
    influxGib: [1, 20],
    influxMemoryMib: [512, 1024],
  },
};
/** What has to be set beside a number, as others depend on it. */
const beside: Partial<Record<Name, object>> = { arangodb: { mode: "single" } };
const rows = names.flatMap((name) =>
  Object.entries(numbers[name]).map(([key, [least, usual, most]]) => [name, key, least, usual, most] as const),
);

/** A config with a value at a path. */
function withValue(config: object, key: string, value: unknown): object {
  const [first = "", ...rest] = key.split(".");
  if (rest.length === 0) return { ...config, [first]: value };
  const inner: unknown = (config as Record<string, unknown>)[first];
  return {
    ...config,
    [first]: withValue(typeof inner === "object" && inner !== null ? inner : {}, rest.join("."), value),
  };
}
const farm = "00000000-0000-4000-8000-000000000000";
const sampleOf = (name: Name): object => ({
  ...samples[name],
  ...(name === "arkindex" ? { agents: { gpu: { farm, gpus: 1 } } } : {}),
});
const read = (name: Name, config: object) => systems[name].config.safeParse(config);
/** The keys that are refused, each once. */
const refused = (name: Name, config: object): string[] => [
  ...new Set(read(name, config).error?.issues.map(({ path }) => path.join("."))),
];
const others = (name: Name): object => ({ ...sampleOf(name), ...beside[name] });

describe("every number of a system's config", () => {
  test("is in the table", () => {
    const listed = (schema: unknown, path: string): string[] => {
      const {
        type,
        properties = {},
        anyOf = [],
        additionalProperties,
      } = schema as {
        type?: string;
        properties?: object;
        anyOf?: unknown[];
        additionalProperties?: unknown;
      };
      if (type === "number" || type === "integer") return [path];
      return [
        ...Object.entries(properties).flatMap(([key, value]) => listed(value, path === "" ? key : `${path}.${key}`)),
        ...anyOf.flatMap((one) => listed(one, path)),
        ...(typeof additionalProperties === "object" ? listed(additionalProperties, `${path}.*`) : []),
      ];
    };
    const known = (name: Name) =>
      new Set(
        Object.keys(numbers[name]).map((key) =>
          key.replace(/^(agents|services|apps|replicas|cpu|memoryMib)\.(gpu|frontend|demo|web-api|files)/, "$1.*"),
        ),
      );
    for (const name of names) {
      const schema = z.toJSONSchema(systems[name].config, { io: "input", unrepresentable: "any" });
      const all = listed(schema, "").filter((key) => !/\.(min|max)$|^(natsNodes|elasticNodes)$/.test(key));
      const chosen = ["rabbitNodes", "searchNodes"]; // one of a few numbers, as `usual` has them
      expect([name, all.filter((key) => !known(name).has(key) && !chosen.includes(key))]).toEqual([name, []]);
    }
  });

  test.each(rows)("%s: %s is at least %d", (name, key, least) => {
    expect(refused(name, withValue(others(name), key, least))).toEqual([]);
    const step = Number.isInteger(least) ? 1 : 0.01;
    for (const value of [least - step, 0, "1"])
      expect(refused(name, withValue(others(name), key, value))).toContain(key); // others may depend on it
  });

  test.each(rows)("%s: %s, at least %d and usually %s, is as large as its table says", (name, key, least, _, most) => {
    const large = most ?? Math.ceil(least) * 1000;
    const more = key.endsWith("shmMib") ? withValue(others(name), "apps.demo.memoryMib", large) : others(name);
    expect(refused(name, withValue(more, key, large))).toEqual([]);
    if (most !== undefined) expect(refused(name, withValue(more, key, most + 1))).toEqual([key]);
  });

  test.each(rows)("%s: %s, at least %d, is usually %s", (name, key, _, usual) => {
    expect(valueAt(read(name, sampleOf(name)).data, key.split("."))).toBe(usual);
  });

  test.each(rows)("%s: %s is heard by some part", async (name, key, least, usual = least, most = Infinity) => {
    const other = usual < most ? usual + 1 : usual - 1;
    const more = key.endsWith("eplicationFactor") ? { dbservers: { count: 4 } } : {};
    const config = { ...sampleOf(name), ...more };
    const said = async (of: object) => JSON.stringify([...(await told(name, of))]);
    expect((await said(withValue(config, key, other))) === (await said(config))).toBe(false);
  });
});

/** Of every other option: what it usually is, and other values. */
const usual: Record<Name, Record<string, readonly [usual: unknown, ...others: unknown[]]>> = {
  arkindex: {
    version: ["1.7.0", "1.8.0-rc.1"],
    features: [{}, { signup: true }, { search: false }, { ingest: false }],
    static: [{}, { frontend_version: "2.0" }, { cdn_assets_url: "https://cdn.example.com" }],
    agents: [
      { gpu: { farm, replicas: 1, gpus: 1, cpu: 1, memoryMib: 6144, gib: 100 } },
      ...[{}, { gpu: { farm, machine: "gpu1" } }, { gpu: { farm }, other: { farm } }],
    ],
  },
  arangodb: {
    mode: ["cluster", "single"],
    rebuild: [[], ["agent-1"], ["agent-2"], ["agent-3"]],
    "dbservers.retired": [[], [1]],
    "coordinators.retired": [[], [2, 3]],
  },
  pyrus: {
    version: ["1.22.1", "1.24.0", "2.0.0"],
    adminEmail: ["admin@example.com", "root@example.com"],
    ha: [false, true],
    replicas: [{}, { files: 2 }],
    nodes: [{}, { files: { disk: "fast" } }, { logs: { disk: "fast" } }],
    natsNodes: [undefined, 3],
    elasticNodes: [undefined, 3],
    parameters: [{}, { "105200": "mail.example.com" }],
    storageType: [undefined, "Aws", "Azure", "Mts", "VkCloud"],
    maintenance: [false, true],
    reindex: [undefined, "2026-01-01"],
    cpu: [{}, { scheduler: 2 }],
    memoryMib: [{}, { scheduler: 2048 }],
  },
  media: {
    version: ["1", "2"],
    retired: [[], [2]],
    rabbitNodes: [undefined, 1],
    searchNodes: [undefined, 3],
    searchSpeaks: [["elasticsearch8"], ["elasticsearch7"]],
    "services.indexer.path": [undefined, "/API/indexer/"],
  },
  shinyproxy: {
    title: ["ShinyProxy", "Apps of ours"],
    controlNodes: [{ role: "manager" }, { control: "yes" }],
    appNodes: ["node.role==worker", "node.labels.apps==yes"],
    adminGroups: [["admins"], ["operators"]],
    userClaim: ["email", "sub"],
    keepUsage: ["365d", "12w"],
    keepMetrics: ["30d", "1d"],
    "apps.demo.env": [{}, { COLOUR: "blue" }],
    "apps.demo.volumes": [{}, { "/data": "shared" }],
    "apps.demo.command": [undefined, ["run"]],
    "apps.demo.groups": [["analysts"], ["others"]],
  },
};
const options = names.flatMap((name) =>
  Object.entries(usual[name]).map(([key, [first, ...other]]) => [name, key, first, other] as const),
);

describe("every other option of a system's config", () => {
  test.each(options)("%s: %s is usually %j", (name, key, first) => {
    expect(valueAt(read(name, sampleOf(name)).data, key.split("."))).toEqual(first);
  });

  test.each(options)("%s: %s, usually %j, is heard by some part, each value otherwise", async (name, key, _, other) => {
    const said = async (config: object) => JSON.stringify([...(await told(name, config))]);
    const all = [sampleOf(name), ...other.map((value) => withValue(sampleOf(name), key, value))];
    expect(new Set(await Promise.all(all.map(said))).size).toBe(all.length);
  });
});

/** Texts with a form of their own: what is taken, and what is not. */
const forms: readonly (readonly [Name, key: string, good: readonly unknown[], bad: readonly unknown[]])[] = [
  [
    "arkindex",
    "version",
    ["1.7.0", "10.20.30", "1.7.0-rc.1"],
    ["1.7", "v1.7.0", "1.7.0 ", "x1.7.0", "1.7.0-RC", "1x7.0"],
  ],
  [
    "arkindex",
    "agents.gpu",
    [{ farm }],
    [
      { farm, gpuMib: 1 },
      { farm, gpus: 0.5 },
    ],
  ],
  ["arkindex", "agents", [{}], [{ Gpu: {} }, { "1gpu": {} }, { gpu: { farm: "farm" } }, { "a b": {} }]],
  ["arkindex", "static.cdn_assets_url", ["https://cdn.example.com/x"], ["cdn", 1]],
  ["arkindex", "features", [{ signup: true, search: true, ingest: true }], [{ signup: "yes" }, { other: true }]],
  ["arangodb", "mode", ["single", "cluster"], ["", "both"]],
  ["arangodb", "rebuild", [["agent-1"]], [["agent-4"], ["dbserver-1"], [""], "agent-1"]],
  ["arangodb", "dbservers.retired", [[1, 99]], [[0], [1.5], ["1"], 1]],
  ["arangodb", "coordinators.retired", [[1, 99]], [[0], [1.5]]],
  ["pyrus", "version", ["1.22.1", "10.20.30"], ["1.22", "v1.22.1", "1.22.1-rc", "1.22.1 ", "1x22.1", "a1.22.1"]],
  ["pyrus", "adminEmail", ["o'brien@example.com"], ["admin", "", undefined]],
  ["pyrus", "replicas", [{ files: 2, bind: 2 }], [{ scheduler: 2 }, { other: 1 }]],
  ["pyrus", "nodes", [{ scheduler: { a: "b" }, objects: { a: "b" } }], [{ other: { a: "b" } }, { files: "fast" }]],
  ["pyrus", "natsNodes", [1, 3], [0, 2, 5]],
  ["pyrus", "elasticNodes", [1, 3], [0, 2, 5]],
  ["pyrus", "parameters", [{ "1": "x" }], [{ x: "1" }, { "1a": "x" }, { a1: "x" }, { "1": 1 }]],
  ["pyrus", "storageType", ["Aws", "MinIo", "Azure", "Mts", "VkCloud"], ["", "aws"]],
  ["pyrus", "reindex", ["x"], [""]],
  ["pyrus", "caCertificate", [undefined], ["", "-----BEGIN CERTIFICATE-----"]],
  ["pyrus", "cpu", [{ scheduler: 0.1 }], [{ other: 1 }, { scheduler: 0 }]],
  ["media", "version", ["x"], [""]],
  [
    "media",
    "services",
    [{ a: {} }, { "a-1": { path: "/x" } }],
    [{}, { A: {} }, { "1a": {} }, { a: { path: "x/" } }, { "a b": {} }],
  ],
  [
    "media",
    "services.frontend.replicas",
    [{ min: 1, max: 1000 }],
    [{ min: 0, max: 1 }, { min: 1, max: 1001 }, {}, "1"],
  ],
  ["media", "retired", [[1]], [[0], [0.5]]],
  ["media", "nodes", [1, 3, 4], [2]],
  ["media", "rabbitNodes", [1, 3], [0, 2, 4, 5]],
  ["media", "searchNodes", [1, 3], [0, 2, 5]],
  ["media", "searchSpeaks", [["opensearch2"], ["elasticsearch7", "opensearch2"]], [[], ["solr"], "opensearch2"]],
  ["shinyproxy", "apps.demo.title", ["x"], [""]],
  [
    "shinyproxy",
    "apps.demo.env",
    [{ A: "" }, { _a: "x" }, { "a.b-c": "x" }],
    [{ "1": "x" }, { "a b": "x" }, { "": "x" }, { A: 1 }],
  ],
  [
    "shinyproxy",
    "apps.demo.volumes",
    [{ "/data": "v" }],
    [{ data: "v" }, { "/a:b": "v" }, { "/data": "" }, { "/data": "/host" }, { "/d": "v/w" }],
  ],
  [
    "shinyproxy",
    "apps",
    [{ "a-1": samples.shinyproxy.apps.demo }],
    [
      {},
      { A: samples.shinyproxy.apps.demo },
      { "1": samples.shinyproxy.apps.demo },
      { "a b": samples.shinyproxy.apps.demo },
    ],
  ],
  ["shinyproxy", "keepUsage", ["1d", "90d", "12w"], ["0d", "d", "90", "90h", "x90d", "90dd", "9x"]],
  ["shinyproxy", "keepMetrics", ["1w"], ["", "1y"]],
  ["shinyproxy", "adminGroups", [[], ["a"]], ["a", [1]]],
];

test.each(forms.flatMap(([name, key, good]) => good.map((value) => [name, key, value] as const)))(
  "%s: %s may be %j",
  (name, key, value) => {
    expect(refused(name, withValue(sampleOf(name), key, value))).toEqual([]);
  },
);
test.each(forms.flatMap(([name, key, , bad]) => bad.map((value) => [name, key, value] as const)))(
  "%s: %s may not be %j",
  (name, key, value) => {
    const keys = refused(name, withValue(sampleOf(name), key, value));
    expect(keys).not.toEqual([]);
    expect(keys.filter((each) => !each.startsWith(key))).toEqual([]);
  },
);

test.each(names)("%s: an unknown key is refused, at any depth", (name) => {
  expect(read(name, { ...sampleOf(name), other: 1 }).success).toBe(false);
  const deep: Record<Name, readonly string[]> = {
    arkindex: ["features", "static", "agents.gpu"],
    arangodb: ["agents", "dbservers", "coordinators"],
    pyrus: ["replicas", "nodes", "cpu", "memoryMib"],
    media: ["services.frontend"],
    shinyproxy: ["apps.demo"],
  };
  for (const key of deep[name]) expect(refused(name, withValue(sampleOf(name), `${key}.other`, 1))).not.toEqual([]);
});

test("a media platform that names no services has the usual ones, each of which begins with its path", async () => {
  const parts = await told("media", { services: undefined });
  const paths = [...parts].flatMap(([name, { routes = [] }]) => routes.map(({ path }) => [name, path]));
  expect(Object.fromEntries(paths)).toEqual({
    ...{ frontend: "/", assets: "/API/assets/", metadata: "/API/metadata/", files: "/API/files/" },
    ...{ search: "/API/search/", jobs: "/API/jobs/", users: "/API/users/", notifications: "/API/notifications/" },
    "objects-1": "/",
  });
  expect(parts.get("files")?.routes).toMatchObject([{ bodyMib: 64 }]);
  expect(parts.has("indexer")).toBe(true);
});

test("a media platform's services have no store's and no job's name", () => {
  for (const reserved of ["cassandra", "rabbit", "elasticsearch", "redis", "objects", "schema", "backup", "edge"])
    expect(refused("media", { services: { [reserved]: {}, frontend: {} } })).toEqual(["services"]);
});

test("each copy of ArangoDB's needs a server of its own, and as many writes as copies at most", () => {
  const cluster = { dbservers: { count: 2 }, replicationFactor: 2, systemReplicationFactor: 2, writeConcern: 2 };
  expect(refused("arangodb", cluster)).toEqual([]);
  expect(refused("arangodb", { ...cluster, replicationFactor: 3 })).toEqual(["replicationFactor"]);
  expect(refused("arangodb", { ...cluster, systemReplicationFactor: 3 })).toEqual(["systemReplicationFactor"]);
  expect(refused("arangodb", { ...cluster, writeConcern: 3 })).toEqual(["writeConcern"]);
  expect(refused("arangodb", { ...cluster, writeConcern: 3, mode: "single" })).toEqual([]);
  expect(refused("arangodb", { rebuild: ["agent-1", "agent-2"] })).toEqual(["rebuild"]);
});

test("an app's shared memory is a part of its memory, half of it if nothing is said", async () => {
  const policy = async (app: object) => {
    const parts = await told("shinyproxy", { apps: { demo: { ...samples.shinyproxy.apps.demo, ...app } } });
    const text = parts.get("runner")?.files?.find(({ path }) => path.endsWith("policy.json"))?.content ?? "{}";
    return (JSON.parse(text) as { shmMib: object }).shmMib;
  };
  expect(await policy({ memoryMib: 101 })).toEqual({ "example/demo:1": 50 });
  expect(await policy({ memoryMib: 101, shmMib: 101 })).toEqual({ "example/demo:1": 101 });
  expect(refused("shinyproxy", withValue(sampleOf("shinyproxy"), "apps.demo.shmMib", 1025))).toEqual([
    "apps.demo.shmMib",
  ]);
});
