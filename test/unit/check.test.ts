/** What no topology runs of a plan: each limit at its edge, by a system of one part. */
import { describe, expect, test } from "@jest/globals";
import { secret } from "@pulumi/pulumi";

import { check, runnerFor } from "../../components/core/check.ts";
import type { Platform, Slot, Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { planOf } from "../../components/core/recorder.ts";
import {
  type BackupPlace,
  type Capabilities,
  type Site,
  type TopologyName,
  topologyNames,
} from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { site } from "../support/sketches.ts";

const ready = { command: ["true"] };
const health = { ready, startSeconds: 1, stopSeconds: 1 };
const app: Workload = { image: "toolbox", tier: "app", cpu: 1, memoryMib: 64, replicas: 1, health };
const store: Slot = {
  ...{ image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, health },
  disk: { path: "/data", gib: 1, backup: { rebuilt: "made anew" } },
};
const web = { ports: { web: { number: 80, protocol: "http" } } } as const;
const route = { host: "shop.example.com", path: "/", port: "web" };

/** What is said of these parts. */
function said(
  parts: (p: Platform) => void,
  { can, at = site() }: { readonly can?: Partial<Capabilities>; readonly at?: Site } = {},
): string[] {
  const place = { site: at, services: containerServices, capabilities: { ...capabilities.docker, ...can } };
  return check(planOf<object>(parts, {}, place), place).map(sentence);
}
const ofApp = (more: Partial<Workload>, where: Parameters<typeof said>[1] = {}, name = "app"): string[] =>
  said((p) => void p.run(name, { ...app, ...more }), where);

const long = (count: number): string => "x".repeat(count);
const files = (...paths: string[]) => ({ files: paths.map((path) => ({ path, content: "x" })) });

test.each<[string, Partial<Workload>, string[]]>([
  ["as it should be", {}, []],
  ["one replica", { replicas: 1 }, []],
  ["no replica", { replicas: 0 }, ["app.replicas = 0: a whole number from 1"]],
  ["half a replica", { replicas: 1.5 }, ["app.replicas = 1.5: a whole number from 1"]],
  ["a replica on each node", { replicas: "each-node" }, []],
  ["all of its memory shared", { shmMib: 64 }, []],
  ["one MiB shared", { shmMib: 1 }, []],
  ...[0, 65, 1.5].map((shmMib): [string, Partial<Workload>, string[]] => [
    `${String(shmMib)} MiB shared`,
    { shmMib },
    [`app.shmMib = ${String(shmMib)}: a whole number from 1 to its memory, 64: it is a part of that`],
  ]),
  ["files of their own paths", files("/a", "/b"), []],
  ["a file without a whole path", files("a"), ['app.files = "a": each file needs an absolute path of its own']],
  ["two files of one path", files("/a", "/b", "/a"), ['app.files = "/a": each file needs an absolute path of its own']],
  ["something before its command", { prepare: "true", command: ["run"] }, []],
  [
    "something before a command that the image names",
    { prepare: "true" },
    ["app.prepare: needs `command`: what to start after it"],
  ],
  [
    "a port for other regions",
    { linked: ["web"] },
    ['app.linked = "web": no topology opens a port to other regions yet: leave it out'],
  ],
  [
    "no time to stop",
    { health: { ...health, stopSeconds: 0 } },
    ["app.health = 0: stopSeconds from 1: zero kills at once"],
  ],
  [
    "no number of seconds to stop",
    { health: { ...health, stopSeconds: NaN } },
    ["app.health = null: stopSeconds from 1: zero kills at once"],
  ],
  ["a health page", { ...web, health: { ...health, ready: { http: "web", path: "/health?a=b" } } }, []],
  ...["health", "/a b", "/ä"].map((path): [string, Partial<Workload>, string[]] => [
    `the health page ${path}`,
    { ...web, health: { ...health, ready: { http: "web", path } } },
    [`app.health = ${JSON.stringify(path)}: a path of an address: begins with /, anything but ASCII as %`],
  ]),
  [
    "a health page at no port",
    { ...web, health: { ...health, ready: { http: "api", path: "/" } } },
    ['app.health = "api": no such port; it has web'],
  ],
  [
    "a probe of no port",
    { health: { ...health, ready: { tcp: "toString" } } },
    ['app.health = "toString": no such port; it has '],
  ],
  ["a probe of its port", { ...web, health: { ...health, ready: { tcp: "web" } } }, []],
  ["nodes of a label", { nodes: { disk: "fast" } }, []],
  [
    "nodes of a role that is none",
    { nodes: { role: "king" } },
    ['app.nodes = {"role":"king"}: role is manager or worker'],
  ],
  ["a route", { ...web, routes: [route] }, []],
  [
    "two routes of one place",
    { ...web, routes: [route, { ...route, path: "/" }] },
    ['app.routes = "shop.example.com/": app answers there already'],
  ],
  [
    "two routes of one place, by a slash at the end",
    {
      ...web,
      routes: [
        { ...route, path: "/a" },
        { ...route, path: "/a/" },
      ],
    },
    ['app.routes = "shop.example.com/a/": app answers there already'],
  ],
  [
    "routes of two paths, and of two hosts",
    { ...web, routes: [route, { ...route, path: "/a" }, { ...route, host: "api.example.com" }] },
    [],
  ],
])("a workload with %s", (_, more, expected) => {
  expect(ofApp(more)).toEqual(expected);
});

test.each<[string, number | undefined]>([
  ["a", undefined],
  ["a-1", undefined],
  ["a_b", 1],
  ["a-", 1],
  ["ä", 1],
  [long(63 - "sample-".length), undefined],
  [long(64 - "sample-".length), 1],
])("the name %s is one of a host", (name, count = 0) => {
  const found = ofApp({}, {}, name);
  expect(found).toHaveLength(count);
  for (const each of found)
    expect(each).toMatch(
      /: (a host's name: letters, digits and inner hyphens|at most 63 characters on docker: shorten the stack's name)$/,
    );
});

test("a network that it joins by name has room for the stack's name, too", () => {
  const networks = (count: number) => ofApp({ networks: [long(count - "sample-".length)] });
  expect(networks(63)).toEqual([]);
  expect(networks(64)).toEqual([
    `app.name = "sample-${long(57)}": at most 63 characters on docker: shorten the stack's name`,
  ]);
});

test("a variable that is a secret is for images that read no files", () => {
  const at = (secrets: "files" | "env") =>
    site({ image: (key) => ({ key, ref: "example", rehearsing: false, client: "none", secrets }) });
  const secretEnv = { PASSWORD: secret("x") };
  expect(ofApp({ secretEnv }, { at: at("env") })).toEqual([]);
  expect(ofApp({}, { at: at("files") })).toEqual([]);
  expect(ofApp({ secretEnv }, { at: at("files") })).toEqual([
    "app.secretEnv: toolbox can read files: give it secret files, which no inspection shows",
  ]);
});

test("an image of which nothing is known has no client to probe a port with, but a command", () => {
  const at = (client: "none" | "curl", rehearsing = false) =>
    site({ image: (key) => ({ key, ref: "example", rehearsing, client, secrets: "env" }) });
  const probed = { ...web, health: { ...health, ready: { tcp: "web" } } };
  expect(ofApp(probed, { at: at("none") })).toEqual([expect.stringContaining("nothing in this image can call a port")]);
  for (const fine of [
    ofApp(probed, { at: at("curl") }),
    ofApp(probed, { at: at("none", true) }),
    ofApp({}, { at: at("none") }),
  ])
    expect(fine).toEqual([]);
});

test("replicas on each node, a machine and nodes are for an operator's own nodes", () => {
  const can = { nodes: false };
  expect(ofApp({ replicas: "each-node" }, { can })).toEqual([
    'app.replicas = "each-node": docker has no nodes of yours',
  ]);
  expect(ofApp({ machine: "gpu" }, { can })).toEqual(['app.machine = "gpu": docker has no nodes of yours']);
  expect(ofApp({}, { can })).toEqual([]);
});

test.each([
  [{ min: 1, max: 1 }, true],
  [{ min: 2, max: 8 }, true],
  [{ min: 0, max: 8 }, false],
  [{ min: 3, max: 2 }, false],
])("replicas that follow the load from and to %j", (replicas, fine) => {
  const refusal = `app.replicas = ${JSON.stringify(replicas)}: min from 1, max from min`;
  expect(ofApp({ replicas }, { can: { autoscales: true } })).toEqual(fine ? [] : [refusal]);
  expect(ofApp({ replicas })).toEqual([expect.stringContaining("docker does not follow the load: give a number")]);
});

test("what no runner can do is named", () => {
  const none = "app.needs: no way to run this on docker (exec-probe, stop-first); choose docker or swarm";
  expect(ofApp({ update: "stop-first" }, { can: { runners: [] } })).toEqual([none]);
  const limits = { bodyMib: 10, seconds: 100 };
  const runner = { name: "machine" as const, can: new Set(["exec-probe"] as const), limits };
  const [routes, can] = [(more: object) => ({ ...web, routes: [{ ...route, ...more }] }), { runners: [runner] }];
  for (const fine of [{}, { bodyMib: 10, seconds: 100 }]) expect(ofApp(routes(fine), { can })).toEqual([]);
  for (const much of [{ bodyMib: 11 }, { seconds: 101 }]) expect(ofApp(routes(much), { can })).toHaveLength(1);
});

test.each(topologyNames)(
  "GPUs, and several that command an engine each: %s rents machines for them, or says so",
  (on) => {
    const room = { cpu: 1, memoryMib: 1, gib: 1, gpus: 0 };
    const more = (over: object, replicas = 1) =>
      ofApp({ needs: ["container-api"], room: { ...room, ...over }, replicas }, { can: capabilities[on] });
    expect(more({})).toEqual([]);
    const gpus = `app.gpus = 2: ${on} gives no GPU to a container: leave it out, or choose aws, which rents machines with some`;
    const replicas = `app.replicas = 2: each commands its machine's engine, and ${on} rents no machine for each: 1, and one more part for a further machine`;
    const onEngine = on === "docker" || on === "swarm";
    expect(more({ gpus: 2 })).toEqual(on === "aws" ? [] : [gpus]);
    expect(more({}, 2)).toEqual(onEngine ? [replicas] : []);
    expect(more({ gpus: 2 }, 2)).toEqual(on === "aws" ? [] : onEngine ? [gpus, replicas] : [gpus]);
  },
);

test("a route asks for no more than the edge lets through", () => {
  const edge = (seconds: number, bodyMib: number) => ({ can: { edge: { by: "balancer" as const, seconds, bodyMib } } });
  const asks = (more: object) => ({ ...web, routes: [{ ...route, path: "/a", ...more }] });
  expect(ofApp(asks({ seconds: 100, bodyMib: 10 }), edge(100, 10))).toEqual([]);
  expect(ofApp(asks({ seconds: 101 }), edge(100, 10))).toEqual([
    'app.routes = "shop.example.com/a": the edge on docker ends a request after 100 s, or 10 MiB',
  ]);
  expect(ofApp(asks({ bodyMib: 11 }), edge(100, 10))).toHaveLength(1);
  expect(ofApp(asks({ seconds: 101 }), edge(100, Infinity))).toEqual([expect.stringMatching(/after 100 s$/)]);
  const { can } = edge(100, Infinity);
  const instead = { can: { edge: { ...can.edge, instead: "another edge" } } };
  expect(ofApp(asks({ seconds: 101 }), instead)).toEqual([expect.stringMatching(/after 100 s: choose another edge$/)]);
});

test("a pool answers at one place together, and nobody else there", () => {
  const pooled = (pool: string | undefined) => ({
    ...app,
    ...web,
    routes: [{ ...route, ...(pool === undefined ? {} : { pool }) }],
  });
  const two = (first?: string, second?: string) =>
    said((p) => {
      p.run("one", pooled(first));
      p.run("two", pooled(second));
    });
  const refusal = (owner: string) => [`two.routes = "shop.example.com/": ${owner} answers there already`];
  expect(two("web", "web")).toEqual([]);
  expect(two()).toEqual(refusal("one"));
  expect(two("web")).toEqual(refusal("web"));
  expect(two("web", "other")).toEqual(refusal("web"));
});

const member = (more: Partial<Slot>, can: Partial<Capabilities> = {}): string[] =>
  said((p) => void p.slots("kv", { count: 1 }, () => ({ ...store, ...more })), { can });
test("a slot that needs a marker, or work when it goes, needs a topology that does it", () => {
  const job = { image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, command: ["x"], seconds: 1 } as const;
  const disk = { ...store.disk, marker: ".disk" };
  for (const more of [{}, { disk }, { leave: job }, { left: job }]) expect(member(more)).toEqual([]);
  const none = { slots: new Set<"marker" | "leave">() };
  expect(member({}, none)).toEqual([]);
  expect(member({ disk }, none)).toEqual(["kv-1.marker: a slot's marker is not built yet on docker"]);
  for (const more of [{ leave: job }, { left: job }])
    expect(member(more, none)).toEqual(["kv-1.leave: a slot's leave is not built yet on docker"]);
  expect(member({ disk, leave: job }, { slots: new Set(["leave"]) })).toHaveLength(1);
});

test("names that are told twice are one problem; a replica's, a slot's and a job's name are one thing's", () => {
  const job = {
    image: "toolbox",
    tier: "data",
    cpu: 1,
    memoryMib: 64,
    command: ["x"],
    seconds: 1,
    trigger: "1",
  } as const;
  const both = (of: (p: Platform) => void) =>
    said((p) => {
      p.run("kv", { ...app, replicas: 2 });
      of(p);
    });
  const refusal = (name: string) => [`${name}: two parts have this name; give each its own`];
  expect(both((p) => void p.slots("other", { count: 1 }, () => store))).toEqual([]);
  expect(both((p) => void p.slots("kv", { count: 1 }, () => store))).toEqual(refusal("kv-1"));
  expect(both((p) => void p.job("kv-2", job))).toEqual(refusal("kv-2"));
  expect(both((p) => void p.run("kv-2", app))).toEqual(refusal("kv-2"));
  expect(both((p) => void p.run("kv", app))).toEqual(refusal("kv"));
  // One image that is missing is one problem of all parts.
  const at = site({ image: (key) => ({ key: `images.${key}`, remedy: "build it" }) });
  expect(said((p) => ["a", "b"].forEach((name) => void p.run(name, app)), { at })).toEqual(
    expect.arrayContaining(["images.toolbox: build it"]),
  );
  expect(
    said((p) => ["a", "b"].forEach((name) => void p.run(name, app)), { at }).filter((each) => each.includes("toolbox")),
  ).toHaveLength(1);
});

test("what the site says of disks, data, peers and backups has to mean something here", () => {
  const kv = (p: Platform) => void p.slots("kv", { count: 2 }, () => store);
  const of = (over: Partial<Site>, can: Partial<Capabilities> = {}) => said(kv, { at: site(over), can });
  expect(of({ disks: { "kv-1": "today", "kv-9": "gone" } })).toEqual([]);
  expect(of({ disks: { "kv-9": "today" } })).toEqual(['disks.kv-9 = "today": no such disk; there are kv-1, kv-2']);
  expect(of({ data: { db: "container" } })).toEqual([
    expect.stringMatching(/^data\.db: nothing here needs it; the system needs /),
  ]);
  const folder = { path: "/backup" };
  const backup = { everyHours: 24, keepDays: 1, drillEveryHours: 0, to: folder };
  const restore = { from: folder, stack: "old", at: "2026" };
  const refusal = (key: string) => `${key}.path: no place for backups on docker: choose volume or s3`;
  const backupPlaces = new Set(["volume", "s3"] as const);
  expect(of({ restore, backup, secrets: {} })).toEqual([]);
  expect(of({ backup }, { backupPlaces })).toEqual([refusal("backup.to")]);
  expect(of({ restore }, { backupPlaces })).toEqual([refusal("restore.from")]);
});

test("a store that cannot be had here says why, at the word of whoever chose it", () => {
  const needs = (p: Platform) =>
    void p.need("redis", "cache", { clientTls: "never", clientAuth: false, keep: false, memoryMib: 16 });
  const refuses = { redis: "nobody runs it here" };
  const of = (over: Partial<Site> = {}, can: Partial<Capabilities> = {}) => said(needs, { at: site(over), can });
  expect(of()).toEqual([]);
  expect(of({}, { refuses })).toEqual(["cache: nobody runs it here"]);
  expect(of({ data: { cache: "container" } }, { refuses })).toEqual(['data.cache = "container": nobody runs it here']);
});

describe("what each topology says of itself", () => {
  const rows = topologyNames.map((on) => [on, capabilities[on]] as const);
  const engines = new Set<string>(["docker", "swarm"]);

  test.each<[TopologyName, number]>([
    ["docker", Infinity],
    ["swarm", Infinity],
    ["aws", 4000],
    ["gcp", 86_400],
    ["azure", 14_400],
  ])("the edge of %s lets a request of any size through, and ends it after %d s", (on, seconds) => {
    const asks = (more: object) => ofApp({ ...web, routes: [{ ...route, ...more }] }, { can: capabilities[on] });
    expect(asks({ seconds, bodyMib: 1_000_000 })).toEqual([]);
    expect(asks({ seconds: seconds + 1 })).toHaveLength(seconds === Infinity ? 0 : 1);
  });

  test.each<[TopologyName, object, string]>([
    ["docker", { seconds: 1_000_000, bodyMib: 1_000_000 }, "container"],
    ["swarm", { seconds: 1_000_000, bodyMib: 1_000_000 }, "container"],
    ["aws", { seconds: 1_000_000, bodyMib: 1_000_000 }, "serverless"],
    ["gcp", { seconds: 3600, bodyMib: 32 }, "serverless"],
    ["gcp", { seconds: 3601 }, "machine"],
    ["gcp", { bodyMib: 33 }, "machine"],
    ["azure", { seconds: 240, bodyMib: 1_000_000 }, "serverless"],
    ["azure", { seconds: 241 }, "machine"],
  ])("on %s the requests %j go to a %s", (on, more, expected) => {
    const asked = { ...app, ...web, health: { ...health, ready: { tcp: "web" } }, routes: [{ ...route, ...more }] };
    const nobody = { workloads: new Map<string, Workload>(), slots: new Map<string, Slot>() };
    expect(runnerFor(asked, nobody, capabilities[on])?.name).toBe(expected);
  });

  test.each(rows)(
    "%s marks a slot's disk and works when it goes, and names are no longer than a DNS label",
    (on, can) => {
      const job = { image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, command: ["x"], seconds: 1 } as const;
      expect(member({ disk: { ...store.disk, marker: ".disk" }, leave: job, left: job }, can)).toEqual([]);
      expect(ofApp({}, { can }, long(63 - "sample-".length))).toEqual([]);
      expect(ofApp({}, { can }, long(64 - "sample-".length))).toHaveLength(1);
      expect(can.name).toBe(on);
    },
  );

  test.each(rows)("%s has the operator's own nodes, folders, engine and proxy, or none of them", (on, can) => {
    const own = engines.has(on);
    const count = own ? 0 : 1;
    expect(ofApp({ nodes: { disk: "fast" } }, { can })).toHaveLength(count);
    expect(ofApp({ replicas: { min: 1, max: 2 } }, { can })).toHaveLength(1 - count);
    const said = (to: BackupPlace) => {
      const backup = { everyHours: 24, keepDays: 1, drillEveryHours: 0, to };
      return ofApp({}, { can, at: site({ backup }) }).filter((each) => each.startsWith("backup."));
    };
    expect([said({ path: "/b" }), said({ volume: "b" })].map((each) => each.length)).toEqual([count, count]);
    expect(said({ s3: { endpoint: "https://s3.example.com", bucket: "b", region: "" } })).toEqual([]);
    planOf<object>(
      (p) => {
        expect(p.engine).toBe(own ? on : undefined);
        expect(p.address("db-1")).toBe(own ? "db-1" : "db-1.sample.internal");
      },
      {},
      { site: site(), services: containerServices, capabilities: can },
    );
    const missing = { key: "images.traefik", remedy: "build it" };
    const proxyless = site({ image: (key) => (key === "traefik" ? missing : site().image(key)) });
    expect(ofApp({}, { can, at: proxyless })).toHaveLength(own ? 1 : 0); // a balancer needs no image
    expect(can.refuses.containers ?? "").toMatch(own ? /^$/ : /choose swarm/);
  });
});
