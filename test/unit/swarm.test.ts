/** The swarm topology's pure parts: names, durations, constraints, hashes, and the edge's routes. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import fc from "fast-check";
import { parse } from "yaml";

import type { Slot, Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { siteOf } from "../../components/core/site.ts";
import type { Plan, PlannedRoute } from "../../components/core/plan.ts";
import type { Site } from "../../components/core/topology.ts";
import { traefik } from "../../components/edge/traefik.ts";
import { watchScript } from "../../components/edge/traefik-watch.ts";
import { shortDuration } from "../../components/topologies/containers.ts";
import type { SwarmArgs } from "../../components/topologies/swarm/args.ts";
import { checkSwarm } from "../../components/topologies/swarm/check.ts";
import { swarmArgs, swarmConfig } from "../../components/topologies/swarm/config.ts";
import { backendsOf, edgeNodes, edgeShape } from "../../components/topologies/swarm/edge.ts";
import { swarm } from "../../components/topologies/swarm/entry.ts";
import { shortened } from "../../components/topologies/swarm/files.ts";
import { constraintsOf, onNode, roleOf, volumeNodeConstraints } from "../../components/topologies/swarm/placement.ts";
import { canonical } from "../../components/topologies/swarm/service.ts";
import { noSocket, socketOf } from "../../components/topologies/swarm/sockets.ts";
import { certificate } from "../support/certificates.ts";

test.each([
  [0, "0s"],
  [5, "5s"],
  [60, "1m"],
  [90, "1m30s"],
  [3600, "1h"],
  [3660, "1h1m"],
  [3601, "1h0m1s"],
  [5405, "1h30m5s"],
])("%d seconds, as the provider reads them back: %s", (seconds, text) => {
  expect(shortDuration(seconds)).toBe(text);
});

test("a duration is the number of seconds that it says", () => {
  const units = { h: 3600, m: 60, s: 1 } as const;
  const back = (text: string) =>
    [...text.matchAll(/(\d+)([hms])/g)].reduce(
      (sum, [, n, unit]) => sum + Number(n) * units[unit as "h" | "m" | "s"],
      0,
    );
  fc.assert(fc.property(fc.nat(1e6), (seconds) => back(shortDuration(seconds)) === seconds));
});

test("constraints and volume nodes, from labels", () => {
  expect(constraintsOf({ role: "worker", disk: "fast" })).toEqual(["node.labels.disk==fast", "node.role==worker"]);
  expect(constraintsOf({})).toEqual([]);
  expect(volumeNodeConstraints({ role: "manager", zone: "a" })).toEqual({ labels: { zone: "a" }, role: "manager" });
  expect(volumeNodeConstraints({ role: "worker" })).toEqual({ labels: {}, role: "worker" });
  expect(volumeNodeConstraints({ zone: "a" })).toStrictEqual({ labels: { zone: "a" } });
  expect([onNode("w1"), onNode(undefined)]).toEqual([["node.hostname==w1"], []]);
  expect(["dbserver-3", "db-12", "edge", "agent-gpu", "a-1-b"].map(roleOf)).toEqual([
    ...["dbserver", "db", "edge", "agent-gpu", "a-1-b"],
  ]);
});

test("the same spec has the same text, whatever the order of its keys; lists keep theirs", () => {
  expect(canonical({ b: [1, "x"], a: { d: null, c: true } })).toBe('{"a":{"c":true,"d":null},"b":[1,"x"]}');
  expect(canonical({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (spec) => {
      const turned = Object.fromEntries(Object.entries(spec).reverse());
      return canonical(spec) === canonical(turned);
    }),
  );
});

test("a long name ends in a hash of all of it, and stays within its length", () => {
  for (const name of ["arkindex-db", "x".repeat(56)]) expect(shortened(name, 56)).toBe(name);
  const [a, b] = ["a", "b"].map((last) => shortened(`${"x".repeat(80)}${last}`, 56));
  expect([a?.length, b?.length]).toEqual([56, 56]);
  expect(a).not.toBe(b);
});

describe("the edge's service", () => {
  const shape = (more: Partial<SwarmArgs>, ports = {}) =>
    edgeShape({
      site: siteOf({ name: "shop", hostname: "shop.example.com", ...ports }),
      managers: [],
      tls: { mode: "local" },
      ...more,
    });
  const acme = { mode: "acme", email: "a@example.com" } as const;

  test.each<[string, Partial<SwarmArgs>, ReturnType<typeof edgeShape>["replicas"], boolean, string]>([
    ["on each edge node's own ports", {}, "each-node", true, "vip"],
    ["there, without virtual addresses", { endpointMode: "dnsrr" }, "each-node", true, "dnsrr"],
    ["twice, on the ports of all nodes", { publish: "ingress" }, 2, false, "vip"],
    [
      "on the ports of all nodes, which needs a virtual address",
      { publish: "ingress", endpointMode: "dnsrr" },
      2,
      false,
      "vip",
    ],
    ["once, with the disk of its certificates", { tls: acme }, 1, true, "vip"],
    ["once, on the ports of all nodes", { tls: acme, publish: "ingress" }, 1, true, "vip"],
  ])("runs %s", (_, more, replicas, stopFirst, endpointMode) => {
    const found = shape(more);
    expect(found).toMatchObject({ replicas, stopFirst, endpointMode });
    const publishMode = more.publish ?? "host";
    expect(found.ports).toEqual([
      { protocol: "tcp", targetPort: 80, publishedPort: 80, publishMode },
      { protocol: "tcp", targetPort: 443, publishedPort: 443, publishMode },
    ]);
  });

  test("runs on the managers, unless the config says otherwise", () => {
    expect(edgeNodes({})).toEqual({ role: "manager" });
    expect(edgeNodes({ edge: { nodes: {} } })).toEqual({});
  });
});

test("the engine's socket is where the config says, or where this machine's manager has it; whoever needs it asks for that", () => {
  const managers = ["tcp://m:2375", "unix:///run/a.sock", "unix:///run/b.sock"];
  expect(socketOf({ managers })).toBe("/run/a.sock");
  expect(socketOf({ managers, socket: "/run/c.sock" })).toBe("/run/c.sock");
  const elsewhere = { managers: ["tcp://m:2375", "ssh://unix://m"] };
  expect(socketOf(elsewhere)).toBeUndefined();
  const container = { image: "x", tier: "app", cpu: 1, memoryMib: 64 } as const;
  const needs = (name: string) => [name, { ...container, needs: ["max-map-count", "container-api"] }] as const;
  const planned = [
    needs("a"),
    ["b", container],
    ["c", { ...container, needs: ["max-map-count"] }],
    needs("d"),
  ] as const;
  expect(noSocket(elsewhere, planned)).toEqual([
    { key: "swarm.socket", remedy: expect.stringMatching(/^given to a, d, and /) },
  ]);
  expect(noSocket(elsewhere, planned.slice(1, 3))).toEqual([]);
  expect(noSocket({ managers }, planned)).toEqual([]);
});

describe("a swarm and a plan together", () => {
  const container = { image: "x", tier: "app", cpu: 1, memoryMib: 64 } as const;
  const health = { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 };
  const slot: Slot = {
    ...container,
    tier: "data",
    health,
    disk: { path: "/d", gib: 1, backup: { rebuilt: "by hand" } },
  };
  const none = {
    needs: [],
    jobs: new Map(),
    waits: new Map(),
    dumps: [],
    managed: new Map(),
    rotates: new Set<string>(),
    secrets: new Set<string>(),
    repeated: new Set<string>(),
  };
  const planned = (workloads: readonly [string, Partial<Workload>][], slots: readonly string[] = []): Plan => ({
    ...{ ...none, images: new Set(), edge: { proxy: "traefik" } },
    workloads: new Map(workloads.map(([name, more]) => [name, { ...container, health, replicas: 1, ...more }])),
    slots: new Map(slots.map((name) => [name, slot])),
  });
  const says = (more: Partial<SwarmArgs>, plan = planned([])) =>
    checkSwarm({ managers: ["tcp://m:2375"], tls: { mode: "local" }, ...more }, site, plan).problems.map(sentence);
  const outside = { mode: "outside", trustedProxies: ["10.0.0.0/8"] } as const;

  test("fit, or every reason why not is said", () => {
    expect(says({})).toEqual([]);
    const plan = planned([["web", { machine: "w1", needs: ["container-api"] }]]);
    expect(
      says({ publish: "ingress", endpointMode: "dnsrr", tls: outside, subnets: { apps: "10.1.0.0/24" } }, plan),
    ).toEqual([
      'web.machine = "w1": no such machine: add it to swarm.nodes',
      'swarm.publish = "ingress": needs endpointMode vip: use host, or vip',
      'swarm.publish = "ingress": hides who calls, so no proxy can be told from a stranger: use host',
      'swarm.subnets.apps = "10.1.0.0/24": no such network; there are edge, app, data',
      expect.stringMatching(/^swarm\.socket: given to web, /),
    ]);
    expect(says({ nodes: { w1: {} }, socket: "/run/d.sock" }, plan)).toEqual([]);
  });

  test("ingress is refused only with what it does not go with", () => {
    expect(says({ publish: "ingress" })).toEqual([]);
    expect(says({ publish: "ingress", endpointMode: "vip" })).toEqual([]);
    expect(says({ publish: "host", endpointMode: "dnsrr", tls: outside })).toEqual([]);
  });

  test("a network has room for those that join it: a workload without a disk is in the data's, too, a slot in its tier's", () => {
    const small = "10.1.0.0/28";
    const apps = planned([["web", { replicas: 6 }]]);
    const small16 = { edge: small, app: "10.1.1.0/28", data: "10.1.2.0/28" };
    expect(says({ subnets: small16 }, apps)).toEqual([]);
    const stores = planned([["web", { replicas: 6 }]], ["db-1"]);
    expect(says({ subnets: small16 }, stores)).toEqual([
      'swarm.subnets.data = "10.1.2.0/28": too small: its containers need 17 addresses, so /27 or larger',
    ]);
  });

  test("what the loss of a node costs is told, of a protected stack whose store is one server", () => {
    const plan = (alone: boolean): Plan => ({
      ...planned([]),
      slots: new Map(
        ["db-1", "search-1", "search-2"].map((name) => [name, { ...slot, alone: alone && name === "db-1" }]),
      ),
    });
    const told = (over: Partial<Site>, alone = true) =>
      checkSwarm({ managers: [], tls: { mode: "local" } }, { ...site, ...over }, plan(alone)).warnings;
    const backup = { everyHours: 24, keepDays: 1, drillEveryHours: 0, to: { volume: "v" } };
    const lost =
      "db-1: one server each, which answers nobody while its node is away, and a lost disk is what the last backup has";
    expect(told({ protect: true, copies: 1, backup })).toEqual([
      `${lost}: with copies: 3 another takes over, where the store can have one (docs/ha.md)`,
    ]);
    for (const copies of [3, { db: 1 }, undefined] as const)
      expect(told({ protect: true, backup, ...(copies === undefined ? {} : { copies }) })).toEqual([
        `${lost}: docs/ha.md says what can be done`,
      ]);
    expect(told({ protect: true })).toEqual([
      expect.stringContaining("all is lost with its disk, as there is no backup"),
    ]);
    expect([told({ protect: false, backup }), told({ protect: true, backup }, false)]).toEqual([[], []]);
  });

  test("the certificate's warnings are told", async () => {
    const { pem: cert, key } = await certificate({ name: "shop", hostnames: ["shop.example.com"], to: 5 });
    const { warnings, problems } = checkSwarm({ managers: [], tls: { mode: "own", cert, key } }, site, planned([]));
    expect([problems, warnings]).toEqual([[], [expect.stringContaining("swarm.tls.cert")]]);
  });
});

describe("as a stack's config chooses it", () => {
  test("with a certificate of one's own its key is asked for, and handed on as a secret", () => {
    const cert = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----";
    const [usual, own] = [{}, { tls: { mode: "own", cert } }].map((config) => swarm.config.parse(config));
    expect([usual, own].map((config) => swarm.asks(config ?? {}))).toEqual([[], ["tlsKey"]]);
    expect([usual, own].map((config) => swarm.ports(config ?? {}))).toEqual(
      [80, 80].map((http) => ({ http, https: 443 })),
    );
  });

  test("what it is asked before anything is made is about its own managers", async () => {
    const config = swarm.config.parse({ managers: ["tcp://127.0.0.1:1"] });
    const plan = { workloads: new Map(), slots: new Map(), jobs: new Map() } as unknown as Plan;
    expect(
      (await swarm.preflight(config, { site, plan, secrets: {}, state: [], component: "" }, [])).map(sentence),
    ).toEqual([expect.stringMatching(/^swarm\.managers = "tcp:\/\/127\.0\.0\.1:1": .* refuses the connection/)]);
    expect(swarm.check(config, { site, plan: { ...plan, edge: { proxy: "traefik" } }, secrets: {} })).toEqual({
      problems: [],
      warnings: [],
    });
  });
});

test("each default of the config, written out", () => {
  const whole = swarmConfig.parse({});
  expect(whole).toEqual({
    ...{ managers: ["unix:///var/run/docker.sock"], nodes: {}, place: {}, edge: { nodes: { role: "manager" } } },
    ...{
      ports: { http: 80, https: 443 },
      tls: { mode: "local" },
      publish: "host",
      endpointMode: "vip",
      encrypted: true,
    },
    ...{ update: { parallelism: 1, delaySeconds: 0, monitorSeconds: 5 }, registries: [], networks: {}, subnets: {} },
  });
  expect(swarmConfig.parse({ volumes: { driver: "nfs" } }).volumes).toEqual({ driver: "nfs", options: {} });
  expect(swarmArgs.parse({ ...whole, site: {}, pin: 1 })).not.toHaveProperty("pin");
});

test.each<[string, object, string]>([
  ["no manager", { managers: [] }, "managers"],
  ["no replica at a time", { update: { parallelism: 0 } }, "update.parallelism"],
  ["a pause in the past", { update: { delaySeconds: -1 } }, "update.delaySeconds"],
  ["no time to fail in", { update: { monitorSeconds: 0 } }, "update.monitorSeconds"],
  ["half a replica", { update: { parallelism: 1.5 } }, "update.parallelism"],
  ["a hostname with a blank", { nodes: { "a b": {} } }, "nodes.a b"],
  ["a hostname that begins with a hyphen", { nodes: { "-a": {} } }, "nodes.-a"],
  ["a label's key with a blank", { nodes: { a: { labels: { "b c": "d" } } } }, "nodes.a.labels.b c"],
  ["a label's key that begins with a dot", { nodes: { a: { labels: { ".b": "d" } } } }, "nodes.a.labels..b"],
  ["the swarm's own label", { nodes: { a: { labels: { role: "worker" } } } }, "nodes.a.labels"],
  ["a label of ours", { nodes: { a: { labels: { "platform-topologies.x": "y" } } } }, "nodes.a.labels"],
  ["a node that is off", { nodes: { a: { availability: "off" } } }, "nodes.a.availability"],
  ["a word more of a node", { nodes: { a: { label: {} } } }, "nodes.a"],
  ["a word more of the edge", { edge: { node: {} } }, "edge"],
  ["an address without its network", { edge: { address: "192.0.2.10" } }, "edge.address"],
  ["a word more of volumes", { volumes: { driver: "nfs", option: {} } }, "volumes"],
  ["volumes without a driver", { volumes: {} }, "volumes.driver"],
])("%s is refused", (_, config, key) => {
  expect(swarmConfig.safeParse(config).error?.issues.map(({ path }) => path.join("."))).toEqual([key]);
});

test("the least that is right is accepted, and each word of a choice", () => {
  const right: object[] = [
    { update: { parallelism: 1, delaySeconds: 0, monitorSeconds: 1 } },
    {
      nodes: { "Node-1.example_x": { labels: { "com.example/a_b-c": "x y", "platform-topologies": "x", roles: "y" } } },
    },
    { edge: { nodes: {}, address: "192.0.2.10/24" } },
    ...["active", "pause", "drain"].map((availability) => ({ nodes: { a: { availability } } })),
    ...["host", "ingress"].map((publish) => ({ publish })),
    ...["vip", "dnsrr"].map((endpointMode) => ({ endpointMode })),
    { encrypted: false, volumes: { driver: "nfs", options: { device: ":/{volume}" } } },
  ];
  for (const config of right) expect(swarmConfig.parse(config)).toMatchObject(config);
});

const route: PlannedRoute = {
  to: "web",
  host: "shop.example.com",
  path: "/",
  port: "http",
  target: { number: 8000, protocol: "http" },
  hosts: ["web-1", "web-2"],
  of: "replicas",
};
const check = { path: "/health", port: 8000 };
const site = siteOf({ name: "shop", hostname: "shop.example.com" });

function routesFile(routes: PlannedRoute[]) {
  const {
    files = [],
    prepare,
    command,
  } = traefik({
    site,
    engine: "swarm",
    routes,
    tls: { cert: "CERT", key: "KEY" },
    backends: backendsOf(site),
  });
  const content = typeof files[0]?.content === "string" ? files[0].content : "";
  const { http } = parse(content) as {
    http: { services: Record<string, { loadBalancer: object }>; serversTransports: Record<string, object> };
  };
  return {
    balancers: Object.values(http.services).map(({ loadBalancer }) => loadBalancer),
    http,
    prepare,
    command,
    content,
  };
}

test("a workload's replicas are one name, which DNS answers anew for each request", () => {
  const { balancers, http, prepare } = routesFile([{ ...route, check }]);
  expect(balancers[0]).toMatchObject({ servers: [{ url: "http://tasks.shop-web:8000" }] });
  // It would ask one replica at random and judge all by it.
  expect(balancers[0]).not.toHaveProperty("healthCheck");
  expect(Object.values(http.serversTransports)[0]).toMatchObject({ maxIdleConnsPerHost: -1 });
  expect(prepare).toBeUndefined();
});

test("replicas are asked for by the name of their tasks, slots by their own", () => {
  const backends = backendsOf(site);
  expect(backends(route)).toEqual({ hosts: ["tasks.shop-web"], watch: true });
  expect(backends({ ...route, of: "slots" })).toEqual({ hosts: ["web-1", "web-2"], watch: false });
});

test("slots of a pool are servers of their own, each asked for its health page", () => {
  const { balancers } = routesFile([{ ...route, check, of: "slots", hosts: ["web-1", "web-2"] }]);
  expect(balancers[0]).toMatchObject({
    servers: [{ url: "http://web-1:8000" }, { url: "http://web-2:8000" }],
    healthCheck: { path: "/health", port: 8000 },
  });
});

test("a sticky route has a server for each replica, from a file that the edge keeps up to date", () => {
  const { balancers, prepare, command } = routesFile([{ ...route, sticky: { cookie: "s", seconds: 60 } }]);
  expect(balancers[0]).toMatchObject({ servers: [{ url: "http://each-of.tasks.shop-web:8000" }] });
  expect(prepare).toContain("each-of.");
  expect(command).toContain("--providers.file.directory=/tmp/traefik");
  expect(command).toContain("--providers.file.watch=true");
});

const answers = {
  getent: (list: string) => `cat ${list} | sed 's/$/ STREAM tasks.shop-web/'; [ -s ${list} ]`,
  nslookup: (list: string) =>
    `printf 'Server:\\t127.0.0.11\\nAddress:\\t127.0.0.11:53\\n\\nNon-authoritative answer:\\n'; sed 's/^/Name:\\ttasks.shop-web\\nAddress: /' ${list}`,
};
test.each(["getent", "nslookup"] as const)(
  "the loop follows the addresses that %s gives, and keeps the last when there are none",
  async (client) => {
    const folder = await mkdtemp(join(tmpdir(), "watch-"));
    const end = new AbortController();
    try {
      const list = join(folder, "list");
      const other = client === "getent" ? "nslookup" : "getent";
      await writeFile(join(folder, client), `#!/bin/sh\n${answers[client](list)}\n`, { mode: 0o755 });
      await writeFile(join(folder, other), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
      const { content } = routesFile([{ ...route, sticky: { cookie: "s", seconds: 60 } }]);
      await writeFile(join(folder, "routes.yml"), content);
      await writeFile(list, "10.0.0.2\n10.0.0.1\n");
      // Its own folder in the place of the container's /tmp.
      const script = watchScript("TEMPLATE")
        .replaceAll("/tmp/", `${folder}/`)
        .replaceAll("TEMPLATE", join(folder, "routes.yml"));
      const loop = execa("sh", ["-c", script.replace(/ &$/, "")], {
        env: { PATH: `${folder}:${String(process.env.PATH)}` },
        reject: false,
        cancelSignal: end.signal,
        forceKillAfterDelay: 100,
        stdio: "ignore", // the shell's own children would keep a pipe open
      });
      const servers = async () => {
        const text = await readFile(join(folder, "traefik/routes.yml"), "utf8").catch(() => "");
        return [...text.matchAll(/url: (http:\S+)/g)].map(([, url]) => url);
      };
      const both = ["http://10.0.0.1:8000", "http://10.0.0.2:8000"];
      expect(await until(servers, both)).toEqual(both);
      await writeFile(list, "10.0.0.3\n");
      expect(await until(servers, ["http://10.0.0.3:8000"])).toEqual(["http://10.0.0.3:8000"]);
      await writeFile(list, "");
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(await servers()).toEqual(["http://10.0.0.3:8000"]);
      end.abort();
      await loop;
    } finally {
      end.abort();
      await rm(folder, { recursive: true, force: true });
    }
  },
  60_000,
);

async function until<T>(probe: () => Promise<T>, wanted: T): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const found = await probe();
    if (JSON.stringify(found) === JSON.stringify(wanted) || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
