/** Rules for every part of every system, on one host and on a swarm, as a sample company configures it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";

import type { Existing } from "../../components/core/existing.ts";
import { type JobName, type RoleName, commandOf } from "../../rehearsal/command.ts";
import { arkindex } from "../../rehearsal/roles/arkindex.ts";
import { cantaloupe } from "../../rehearsal/roles/cantaloupe.ts";
import { ponosAgent } from "../../rehearsal/roles/ponos-agent.ts";
import { databaseOf, provisioned } from "../../rehearsal/config/grafana.ts";
import { mediaStores } from "../../rehearsal/config/media.ts";
import { pyrusConfig } from "../../rehearsal/config/pyrus.ts";
import { applicationSchema } from "../../rehearsal/config/shinyproxy.ts";
import { Secrets } from "../../rehearsal/secrets.ts";
import { newFolder } from "../support/folder.ts";
import { curlString } from "../support/hostile.ts";
import {
  empty,
  emptyInFiles,
  lostFiles,
  misplacedSecrets,
  tooEarly,
  undefinedCalls,
  garbled,
} from "../support/part-rules.ts";
import { type Name, names, samples } from "../support/sketches.ts";
import { type Part, textsOf, told } from "../support/told.ts";

const farm = "00000000-0000-4000-8000-000000000000";
const ca = "-----BEGIN CERTIFICATE-----\nof the company";
const there = (kind: string) => ({ kind, host: "there.example.com", user: "them", tls: true, ca });
const s3 = { kind: "objects", api: "s3", url: "https://s3.example.com", region: "north", prefix: "ours-", ca };
/** Each system as it is usually configured, and with all that it may be told beside. */
const variants: readonly (readonly [
  ...[title: string, system: Name, over: object, existing: object, on: "docker" | "swarm"],
  copies?: 1 | 3,
])[] = [
  ...names.flatMap((name) =>
    (["docker", "swarm"] as const).map((on) => [`${name} on ${on}`, name, {}, {}, on, 1] as const),
  ),
  ...names.map((name) => [`${name} in three copies`, name, {}, {}, "swarm", 3] as const),
  [
    "shinyproxy in three copies, with a company's database",
    "shinyproxy",
    {},
    { "grafana-db": there("postgres") },
    "swarm",
    3,
  ],
  [
    "arkindex with agents",
    "arkindex",
    { agents: { gpu: { farm, machine: "gpu" }, cpu: { farm } }, static: { frontend_version: "2.0" } },
    {},
    "docker",
  ],
  [
    "arkindex with a company's stores",
    "arkindex",
    { agents: { cpu: { farm } } },
    { db: there("postgres"), solr: there("solr"), objects: s3 },
    "docker",
  ],
  ["arangodb, one server", "arangodb", { mode: "single" }, {}, "docker"],
  ["arangodb with an agent that is made again", "arangodb", { rebuild: ["agent-2"] }, {}, "docker"],
  [
    "pyrus, highly available",
    "pyrus",
    {
      ha: true,
      reindex: "today",
      nodes: { files: { disk: "fast" }, logs: { disk: "fast" } },
      parameters: { "1": "x" },
    },
    {},
    "swarm",
    1,
  ],
  [
    "pyrus with a company's stores",
    "pyrus",
    {},
    {
      postgresql: there("postgres"),
      logs: { ...there("postgres"), ca: undefined },
      elasticsearch: there("elasticsearch"),
      objects: s3,
    },
    "docker",
  ],
  ["media, a pilot", "media", { nodes: 1, searchNodes: 1, services: { a: { path: "/" } } }, {}, "docker"],
  [
    "media with a company's stores",
    "media",
    {},
    {
      cassandra: there("cql"),
      rabbit: there("amqp"),
      elasticsearch: there("elasticsearch"),
      redis: there("redis"),
      objects: s3,
    },
    "docker",
  ],
  [
    "shinyproxy with an app that has everything",
    "shinyproxy",
    {
      apps: {
        ...samples.shinyproxy.apps,
        full: {
          ...{ title: "Full", image: "example/full:1", command: ["run"], env: { A: "b" }, shmMib: 600 },
          volumes: { "/data": "shared" },
        },
      },
    },
    { influx: there("influx"), redis: { ...there("redis"), tls: false, ca: undefined } },
    "swarm",
    1,
  ],
];
const partsOf = ([, name, over, existing, on, copies]: (typeof variants)[number]): Promise<ReadonlyMap<string, Part>> =>
  told(name, over, { existing: existing as Record<string, Existing>, ...(copies === undefined ? {} : { copies }) }, on);

/** The program of a command; a shell's script runs several. */
function shellOf(command: Part["command"]): readonly string[] | undefined {
  return command?.[0]?.endsWith("sh") === true ? undefined : command;
}
const standIns: Record<Name, (part: string) => RoleName | JobName | undefined> = {
  arkindex: (part) =>
    (
      ({
        migrate: "migrate",
        "system-workers": "update_system_workers",
        backend: "arkindex-backend",
        worker: "arkindex-worker",
      }) as const
    )[part] ?? (part.startsWith("agent-") ? "ponos-agent" : part === "cantaloupe" ? "cantaloupe" : undefined),
  arangodb: () => undefined,
  pyrus: (part) =>
    /^(setup|reindex)-\w*-?/.test(part)
      ? /elastic|reindex/.test(part)
        ? "pyrus-elastic-console"
        : "pyrus-setup"
      : (`pyrus-${part}` as RoleName),
  media: (part) => (part === "schema" ? "media-schema" : "media-service"),
  shinyproxy: (part) => (part === "sign-in" ? "openid" : undefined),
};

/** These ask a cluster that may run already; and the tables of the media platform are Cassandra's alone. */
const earlier =
  /^(upgrade-begin|rebuild-agent-\d) |^schema does not wait for (rabbit|elasticsearch|redis|objects-garage)-/;

describe.each(variants)("%s", (...variant) => {
  const [, name] = variant;

  test("nothing that a part is told is empty", async () => {
    const files = name === "pyrus" ? /\.files$/ : /(?!)/; // what some variants hand to all of its applications
    expect(empty(await partsOf(variant)).filter((each) => !files.test(each))).toEqual([]);
  });

  test("nothing that a file says is empty", async () => {
    expect(emptyInFiles(await partsOf(variant))).toEqual([]);
  });

  test("who is given a secret gets it in a secret file or variable, and a secret file holds one", async () => {
    expect(misplacedSecrets(await partsOf(variant))).toEqual([]);
  });

  test("a part is told of each of its files, and of no other in our folders", async () => {
    expect(lostFiles(await partsOf(variant))).toEqual([]);
  });

  test("a script calls what it defines, and says no value that got lost", async () => {
    const parts = await partsOf(variant);
    expect([...undefinedCalls(parts), ...garbled(parts)]).toEqual([]);
  });

  test("who is told of a store waits for it", async () => {
    expect(tooEarly(await partsOf(variant)).filter((each) => !earlier.test(each))).toEqual([]);
  });

  test("who is given a public name of the stack joins the edge", async () => {
    const apart = [...(await partsOf(variant))].filter(
      ([name, part]) =>
        name !== "objects-setup" && // it tells the store whose pages may call it, and calls none
        part.callsEdge !== true &&
        (part.routes ?? []).length === 0 &&
        textsOf(part).some((text) => /https:\/\/[\w.]*media\.example\.com/.test(text)),
    );
    expect(apart.map(([part]) => part)).toEqual([]);
  });

  test("a public address is one that the edge sends somewhere", async () => {
    const parts = await partsOf(variant);
    const hosts = [...parts].flatMap(([, { routes = [] }]) => routes.map(({ host }) => host));
    const named = [...parts].flatMap(([, part]) =>
      textsOf(part).flatMap((text) =>
        [...text.matchAll(/https:\/\/([\w.-]*media\.example\.com)/g)].map(([, host]) => host),
      ),
    );
    expect([...new Set(named)].filter((host = "") => !hosts.includes(host))).toEqual([]);
  });

  test("every stand-in is one that the rehearsal has, and it is told of its own part", async () => {
    for (const [part, { rehearsal, command, args = [], env }] of await partsOf(variant)) {
      if (rehearsal === undefined) continue;
      const found = commandOf(shellOf(command) ?? ["rehearse", ...args], { ...env, ...rehearsal });
      expect([part, found.kind === "serve" ? found.role : found.job]).toEqual([part, standIns[name](part)]);
    }
  });
});

/** What the rehearsal's programs are given: the part's files, in a folder of the test's own. */
function givenTo(parts: ReadonlyMap<string, Part>, name: string) {
  const { env = {}, secretEnv = {}, files = [], rehearsal = {}, args = [], command = [] } = parts.get(name) ?? {};
  const folder = newFolder("parts");
  const moved = (text: string) => text.replaceAll(/(?<![\w.])\/run\//g, `${folder}/run/`);
  for (const { path, content } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), moved(content));
  }
  const all = Object.entries({ ...env, ...secretEnv, ...rehearsal }).map(([key, value]) => [key, moved(value)]);
  return {
    folder,
    env: Object.fromEntries(all) as Record<string, string>,
    args: args.map(moved),
    command: command.map(moved),
    secrets: new Secrets(),
    host: "test",
  };
}
const variant = (title: string): Promise<ReadonlyMap<string, Part>> => {
  const found = variants.find(([each]) => each === title);
  if (found === undefined) throw new Error(`no variant ${title}`);
  return partsOf(found);
};

describe("what the applications read", () => {
  const buckets = [
    "staging",
    "export",
    "thumbnails",
    "training",
    "ponos-artifacts",
    "ponos-logs",
    "iiif-cache",
    "uploads",
  ];

  test("Arkindex: backend, worker and jobs are told of each store", async () => {
    const parts = await variant("arkindex on docker");
    for (const name of ["backend", "worker", "migrate", "system-workers"]) {
      const read = arkindex(givenTo(parts, name));
      expect(read).toMatchObject({
        version: "1.7.0",
        buckets,
        database: { host: "db-1", port: 5432, name: "arkindex", user: "app", password: "word-of-db-owner-password" },
        redis: { host: "redis-1" },
        config: {
          secret_key: "word-of-secret-key",
          public_hostname: "https://media.example.com",
          s3: {
            access_key_id: "app",
            secret_access_key: "word-of-objects-password",
            endpoint: "https://objects.eu.media.example.com",
          },
          solr: { api_url: "http://solr-1:8983/solr/" },
          cache: { type: "redis" },
          features: { signup: false, search: true, ingest: true },
        },
      });
    }
    expect(commandOf(parts.get("worker")?.command ?? [], {})).toMatchObject({ args: ["-v", "1", "default", "high"] });
  });

  test("Arkindex: the IIIF server reads each bucket and keeps what it made in one of its own", async () => {
    const read = (title: string) => variant(title).then((parts) => cantaloupe(givenTo(parts, "cantaloupe")));
    const { checks, port } = await read("arkindex on docker");
    expect(port).toBe(8182);
    expect(checks.map(({ name }) => name)).toEqual([...buckets.map((each) => `s3:${each}`), "cache:iiif-cache"]);
    expect(new Set(checks.map(({ target }) => target))).toEqual(new Set(["http://objects-1:9000"]));
    // The rehearsal is told the stack's own names; the cache has the company's prefix.
    expect((await read("arkindex with a company's stores")).checks.at(-1)?.name).toBe("cache:ours-iiif-cache");
  });

  test("Arkindex: an agent calls Arkindex, from the machine that is named for it", async () => {
    const parts = await variant("arkindex with agents");
    for (const name of ["agent-gpu", "agent-cpu"])
      expect(ponosAgent(givenTo(parts, name)).checks.map(({ target }) => target)).toEqual(
        expect.arrayContaining(["https://media.example.com/", "https://media.example.com/api/v1/"]),
      );
    expect(["agent-gpu", "agent-cpu"].map((name) => parts.get(name)?.machine)).toEqual(["gpu", undefined]);
    const own = ["agent-gpu", "agent-cpu"].map((name) => parts.get(name)?.mounts);
    expect(own).toMatchObject([[{ volume: "sample-ponos-gpu" }], [{ volume: "sample-ponos-cpu" }]]);
    const [{ path } = { path: "" }] = own[0] ?? [];
    expect(parse(parts.get("agent-gpu")?.files?.[0]?.content ?? "")).toMatchObject({
      data_dir: path,
      farm_id: farm,
      seed: "word-of-ponosSeed-gpu",
    });
  });

  test("Pyrus: every application and every step of the set-up is told of each database and of NATS", async () => {
    const ways = [
      [
        "pyrus on docker",
        1,
        ["pyrus-postgresql", "pyrus-logs-pgsql"],
        ["prefer", "prefer"],
        "word-of-postgresql-owner-password",
      ],
      [
        "pyrus, highly available",
        3,
        ["pyrus-postgresql", "pyrus-logs-pgsql"],
        ["prefer", "prefer"],
        "word-of-postgresql-owner-password",
      ],
      [
        "pyrus with a company's stores",
        1,
        ["there.example.com", "there.example.com"],
        [{ ca }, {}],
        "word-of-postgresqlPassword",
      ],
    ] as const;
    for (const [title, replicas, [main, logs], [mainTls, logsTls], word] of ways) {
      const parts = await variant(title);
      for (const [name, { secretEnv }] of parts) {
        if (secretEnv === undefined) continue;
        const { databases, nats, version } = pyrusConfig(givenTo(parts, name));
        expect([name, version, nats]).toEqual([
          name,
          "1.22.1",
          { host: "pyrus-nats", user: "app", password: "word-of-nats-password", replicas },
        ]);
        const { MAIN_CONN_STRING, FILES_CONN_STRING, PRIVATE_LOGS_CONN_STRING, PUBLIC_LOGS_CONN_STRING } = databases;
        for (const each of [MAIN_CONN_STRING, FILES_CONN_STRING])
          expect(each).toMatchObject({
            host: main,
            port: 5432,
            name: "pyrusdb",
            password: word,
            tls: mainTls,
          });
        for (const each of [PRIVATE_LOGS_CONN_STRING, PUBLIC_LOGS_CONN_STRING])
          expect(each).toMatchObject({ host: logs, port: 5432, name: "pyrus_logs", tls: logsTls });
      }
    }
  });

  test("a media platform: every service is told of each store, and an indexer of its queue", async () => {
    const ways = [
      [
        "media on docker",
        (name: string, n: number) => Array.from({ length: n }, (_, at) => `${name}-${String(at + 1)}`),
      ],
      ["media with a company's stores", () => ["there.example.com"]],
    ] as const;
    for (const [title, hosts] of ways) {
      const parts = await variant(title);
      const tls = title === "media on docker" ? undefined : { ca };
      for (const name of ["frontend", "assets", "indexer", "schema"]) {
        const given = givenTo(parts, name);
        expect(given.env).toMatchObject({ SERVICE: name, REGION: "eu" });
        const { cassandra, rabbit, search, redis, objects } = mediaStores(given);
        expect(cassandra).toMatchObject({
          hosts: hosts("cassandra", 3),
          port: 9042,
          dataCentre: "eu",
          keyspace: "media",
        });
        expect(rabbit).toMatchObject({ hosts: hosts("rabbit", 3), port: 5672, exchange: "index" });
        expect(rabbit.queue).toBe(name === "indexer" ? "index.eu.indexer" : undefined);
        expect(search).toMatchObject({ hosts: hosts("elasticsearch", 1), port: 9200 });
        expect(redis).toMatchObject({ hosts: hosts("redis", 1), port: 6379 });
        expect([cassandra.tls, rabbit.tls, search.tls, redis.tls]).toEqual([tls, tls, tls, tls]);
        for (const { user, password } of [cassandra, rabbit, search, redis])
          expect([user, password]).not.toContain(undefined);
        const prefix = title === "media on docker" ? "" : "ours-";
        const own = (bucket: string) => [bucket, `${prefix}${bucket}`];
        expect(objects.buckets).toEqual(Object.fromEntries(["originals", "proxies", "keyframes"].map(own)));
      }
    }
    const alone = mediaStores(givenTo(await told("media", {}, { region: "" }), "indexer"));
    expect([alone.cassandra.dataCentre, alone.rabbit.queue]).toEqual(["local", "index.local.indexer"]);
  });

  test("ShinyProxy: keys that it knows, the engine's own backend, its apps", async () => {
    const read = async (title: string) => {
      const content = (await variant(title)).get("shinyproxy")?.files?.[0]?.content ?? "";
      return applicationSchema.parse(parse(content));
    };
    const [usual, full] = [
      await read("shinyproxy on docker"),
      await read("shinyproxy with an app that has everything"),
    ];
    expect(usual).toMatchObject({
      proxy: {
        "container-backend": "docker",
        docker: { url: "http://runner:2375", "default-container-network": "sample-apps" },
        "heartbeat-timeout": 300_000,
        openid: {
          "client-id": "sample",
          "client-secret": "word-of-sign-in-client-secret",
          "roles-claim": "groups",
          "with-pkce": true,
        },
      },
      spring: { data: { redis: { host: "redis-1", port: 6379, password: "word-of-redis-password" } } },
      server: { "secure-cookies": true },
    });
    expect(usual.proxy.specs).toEqual([
      {
        ...{
          id: "demo",
          "display-name": "Demo",
          "container-image": "example/demo:1",
          "container-network": "sample-apps",
        },
        ...{ port: 3838, "container-memory-limit": "1024m", "container-cpu-limit": 1, "access-groups": ["analysts"] },
      },
    ]);
    expect(full.proxy["container-backend"]).toBe("docker-swarm");
    expect(full.proxy.specs[1]).toMatchObject({
      ...{ id: "full", "container-cmd": ["run"], "container-env": { A: "b" }, "container-volumes": ["shared:/data"] },
    });
    expect(full.proxy.specs[1]).not.toHaveProperty("access-groups");
    expect(full.proxy["usage-stats-url"]).toBe(
      "https://there.example.com:8086/write?db=shinyproxy&u=them&p=word-of-influxPassword",
    );
  });

  test("Grafana: two replicas keep what they are told in one database", async () => {
    const own = givenTo(await variant("shinyproxy in three copies"), "grafana");
    expect(databaseOf(own.env)).toEqual({
      ...{ host: expect.stringMatching(/^grafana-db/), port: 5432, name: "grafana", user: "app", tls: "never" },
      password: expect.stringContaining("grafana-db-owner-password"),
    });
    const theirs = givenTo(await variant("shinyproxy in three copies, with a company's database"), "grafana");
    expect(databaseOf(theirs.env)).toMatchObject({
      ...{ host: "there.example.com", user: "them", tls: { ca: expect.stringContaining("BEGIN CERTIFICATE") } },
    });
    expect(databaseOf(givenTo(await variant("shinyproxy on swarm"), "grafana-1").env)).toBeUndefined();
  });

  test("Grafana: each panel has its data source and its place, and no two share one", async () => {
    for (const on of ["docker", "swarm"]) {
      const given = givenTo(await variant(`shinyproxy on ${on}`), "grafana-1");
      const { datasources, dashboards } = provisioned(given.env.GF_PATHS_PROVISIONING ?? "");
      expect(datasources.map(({ name, user, url, jsonData: { dbName } }) => [name, user, url, dbName])).toEqual([
        ["shinyproxy", "app", "http://influx-1:8086", "shinyproxy"],
        ["telegraf", "app", "http://influx-1:8086", "telegraf"],
      ]);
      expect(dashboards).toHaveLength(1);
      const [{ panels } = { panels: [] }] = dashboards;
      expect(panels).toHaveLength(11);
      const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
        Array.from({ length: w * h }, (_, at) => `${String(x + (at % w))},${String(y + Math.floor(at / w))}`),
      );
      expect(new Set(cells).size).toBe(cells.length);
      expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      expect(given.env.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(
        join(given.folder, "/run/grafana/dashboards/shinyproxy.json"),
      );
      expect(given.env.GF_SERVER_ROOT_URL).toBe("https://grafana.eu.media.example.com");
      // What is asked is what Telegraf writes: the engine's own measurements.
      const queries = panels.flatMap(({ targets }) => targets.map(({ query }) => query));
      expect(queries.filter((query) => query.includes('"docker_swarm"')).length).toBe(on === "swarm" ? 2 : 0);
      for (const query of queries)
        expect(query).toMatch(
          /^SELECT .+ FROM .*(WHERE|\(SELECT .* WHERE) .*\$timeFilter.*(GROUP BY .+|ORDER BY time DESC LIMIT \d+)$/,
        );
    }
  });

  test("Telegraf: its points and its health check go to one database with one login", async () => {
    const ways = [
      ["shinyproxy on docker", "http://influx-1:8086", "app", "word-of-influx-password", false],
      [
        "shinyproxy with an app that has everything",
        "https://there.example.com:8086",
        "them",
        "word-of-influxPassword",
        true,
      ],
    ] as const;
    for (const [title, url, user, password, own] of ways) {
      const parts = await variant(title);
      for (const name of ["telegraf", "telegraf-node"]) {
        const { files = [], env = {}, health } = parts.get(name) ?? {};
        const content = (end: string) => files.find(({ path }) => path.endsWith(end))?.content ?? "";
        const lines = content("influx.curl").matchAll(/^(\w+) = (.*)$/gm);
        const curl: unknown = Object.fromEntries([...lines].map(([, key, text = ""]) => [key, curlString(text)]));
        const authority = "/run/telegraf/influx-ca.pem";
        expect(curl).toEqual({
          url: `${url}/write?db=telegraf`,
          user: `${user}:${password}`,
          ...(own ? { cacert: authority } : {}),
        });
        expect(content("influx-ca.pem")).toBe(own ? ca : "");
        const conf = content("telegraf.conf");
        const said = (key: string) => new RegExp(`^  ${key} = (.*)$`, "m").exec(conf)?.[1];
        expect([said("database"), said("username"), said("password"), said("tls_ca")]).toEqual([
          ...['"telegraf"', `"${user}"`, `"${password}"`],
          own ? `"${authority}"` : undefined,
        ]);
        expect(conf).toContain(`[[outputs.influxdb]]\n  urls = ["${url}"]`);
        expect(said("gather_services")).toBe(name === "telegraf" ? String(title.includes("everything")) : undefined);
        // Each is a measurement that a panel of the dashboard asks for.
        for (const input of name === "telegraf" ? ["docker", "http"] : ["cpu", "mem", "system", "disk"])
          expect(conf).toContain(`[[inputs.${input}]]`);
        expect(JSON.stringify(health)).toContain("/run/telegraf/influx.curl");
        for (const [key, folder] of Object.entries(env))
          if (key.startsWith("HOST_")) expect(folder).toMatch(/^\/hostfs(\/(etc|proc|sys))?$/);
      }
    }
  });

  test("ShinyProxy: the filter lets each app have what it asks for, and no more than the largest", async () => {
    const app = samples.shinyproxy.apps.demo;
    const apps = {
      small: { ...app, memoryMib: 100, cpu: 0.5, shmMib: 80, volumes: { "/a": "one", "/b": "two" } },
      large: { ...app, memoryMib: 300, cpu: 2, shmMib: 20, volumes: { "/a": "two" } },
      other: { ...app, image: "example/other:1", memoryMib: 200, cpu: 1 },
    };
    for (const order of [apps, Object.fromEntries(Object.entries(apps).reverse())]) {
      const files = (await told("shinyproxy", { apps: order })).get("runner")?.files ?? [];
      const policy = JSON.parse(files[0]?.content ?? "{}") as { images: string[]; volumes: string[] };
      expect(policy).toMatchObject({
        memoryMib: 300,
        cpu: 2,
        shmMib: { "example/demo:1": 80, "example/other:1": 100 },
      });
      expect(policy.images.sort()).toEqual(["example/demo:1", "example/other:1"]);
      expect(policy.volumes.sort()).toEqual(["one", "two"]);
    }
  });

  test("ShinyProxy: usage is saved, measurements are not", async () => {
    const { disk } = (await told("shinyproxy")).get("influx-1") ?? {};
    const { dump } = disk?.backup as { dump: string };
    expect(dump).toContain("grep -vxF -e 'telegraf'");
    expect(dump).not.toContain("'shinyproxy'");
  });

  test("a client is told of an authority for what that authority vouches for alone", async () => {
    const env = async (existing: object) =>
      (await told("arkindex", {}, { existing: existing as Record<string, Existing> })).get("backend")?.env ?? {};
    const keys = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] as const;
    const known = async (existing: object) => {
      const found = await env(existing);
      return keys.map((key) => found[key]);
    };
    const path = "/run/arkindex/ca.pem";
    expect(await known({})).toEqual([path, path, path]);
    expect(await known({ objects: { ...s3, ca: undefined } })).toEqual([undefined, undefined, undefined]);
    expect(await known({ objects: { ...s3, ca: undefined }, solr: there("solr") })).toEqual([undefined, path, path]);
  });

  test("Pyrus: the paths of the vendor's ingress reach the applications that answer them", async () => {
    const parts = await told("pyrus");
    const paths = (name: string) => (parts.get(name)?.routes ?? []).map(({ path }) => path).sort();
    expect(paths("files")).toEqual([
      ...["/api/v4/files/download", "/api/v4/files/upload", "/avatar", "/restapi/upload", "/services/attachment"],
      ...["/services/avatar", "/services/kb", "/services/preview", "/services/upload", "/services/viewtxt"],
      ...["/v4/files/download", "/v4/files/upload"],
    ]);
    expect(paths("web-api")).toEqual(["/", "/servicedeskapi/v1/uploadfile"]);
    expect(paths("bind")).toEqual(["/bind"]);
  });
});
