/** Every system on every topology, in a dry run: what it asks for, where it would run, and which pairs are refused. */
import { describe, expect, test } from "@jest/globals";
import { secret } from "@pulumi/pulumi";
import fc from "fast-check";

import { needsOf, runnerFor } from "../../components/core/check.ts";
import type { Dict, Slot, System, Workload } from "../../components/core/contracts.ts";
import { replicaNames } from "../../components/core/plan.ts";
import { planOf } from "../../components/core/recorder.ts";
import { type TopologyName, topologyNames } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { changes, type Name, names, plain, plan, problems, samples, site } from "../support/sketches.ts";

const pairs = names.flatMap((name) => topologyNames.map((on) => [name, on] as const));

describe("what the systems ask for", () => {
  /** The system's own parts; what the recipes of its needs add is theirs. */
  const inventory = (name: Name) => {
    const { workloads, slots, jobs, needs } = plan(name, {}, {});
    return {
      workloads: [...workloads.keys()].join(" "),
      slots: [...slots.keys()].join(" "),
      jobs: [...jobs.keys()].join(" "),
      needs: needs.map(({ kind, name: need }) => `${need}:${kind}`).join(" "),
    };
  };

  test.each([
    [
      "arkindex",
      {
        workloads: "backend worker cantaloupe",
        slots: "",
        jobs: "migrate system-workers",
        needs: "db:postgres redis:redis objects:objects solr:solr",
      },
    ],
    [
      "arangodb",
      {
        workloads: "",
        slots: "agent-1 agent-2 agent-3 dbserver-1 dbserver-2 dbserver-3 coordinator-1 coordinator-2 coordinator-3",
        jobs: "upgrade-begin root-login upgrade-end",
        needs: "",
      },
    ],
    [
      "pyrus",
      {
        workloads:
          "identity-server files bind web-api mail-sender mail-reader notification-service async-worker preview-generator scheduler",
        slots: "",
        jobs: "setup-database setup-tracking setup-upgrade setup-parameters setup-elastic-it setup-elastic-in setup-elastic-ic setup-elastic-ip",
        needs: "postgresql:postgres logs:postgres elasticsearch:elasticsearch nats:nats objects:objects",
      },
    ],
    [
      "media",
      {
        workloads: "assets frontend indexer",
        slots: "",
        jobs: "schema",
        needs: "cassandra:cql rabbit:amqp elasticsearch:elasticsearch redis:redis objects:objects",
      },
    ],
    [
      "shinyproxy",
      {
        workloads: "shinyproxy telegraf telegraf-node",
        slots: "grafana-1",
        jobs: "",
        needs: "influx:influx redis:redis sign-in:oidc runner:containers reader:containers",
      },
    ],
  ] as const)("%s", (name, expected) => {
    expect(inventory(name)).toEqual(expected);
  });

  test("every kind that is asked for has a recipe", () => {
    const asked = new Set(names.flatMap((name) => plan(name).needs.map(({ kind }) => kind)));
    expect([...asked].filter((kind) => containerServices[kind] === undefined)).toEqual([]);
  });
});

describe("every system on every topology", () => {
  const docker = "ShinyProxy starts containers through Docker; choose swarm on this cloud's machines";
  const onManagers = "sign-in runner reader shinyproxy telegraf influx-1 redis-1 grafana-1 influx-setup".split(" ");
  const noShinyProxy = (on: string) => [
    `runner: ${docker}`,
    `reader: ${docker}`,
    ...onManagers.map((name) => `${name}.nodes = {"role":"manager"}: ${on} has no nodes of yours`),
    `telegraf-node.replicas = "each-node": ${on} has no nodes of yours`,
  ];
  const refused: Dict<readonly string[]> = {
    "shinyproxy on aws": noShinyProxy("aws"),
    "shinyproxy on gcp": noShinyProxy("gcp"),
    "shinyproxy on azure": noShinyProxy("azure"),
  };

  test.each(pairs)("%s on %s is accepted, or refused with these words", (name, on) => {
    expect(problems(plan(name), on)).toEqual(refused[`${name} on ${on}`] ?? []);
  });

  test.each(pairs.filter(([name]) => name !== "shinyproxy"))("%s on %s is accepted with a backup", (name, on) => {
    const s3 = { endpoint: "https://s3.example.com", bucket: "b", region: "eu" };
    const at = site({
      backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: { s3 } },
      secrets: { ...site().secrets, backupKey: secret("key"), backupSecret: secret("secret") },
    });
    expect(problems(plan(name, {}, containerServices, at, on), on, at)).toEqual([]);
  });

  const pyrusRuns =
    "identity-server files bind web-api mail-sender mail-reader notification-service async-worker preview-generator scheduler";

  /** Which workloads a cloud's managed runner takes; slots are machines there in any case. */
  const takenBy = (name: Name, on: TopologyName) => {
    const by: Record<string, string[]> = {};
    const planned = plan(name, {}, containerServices, site(), on);
    for (const [workload, container] of plan(name, {}, {}, site(), on).workloads) {
      (by[runnerFor(container, planned, capabilities[on])?.name ?? "nothing"] ??= []).push(workload);
    }
    return Object.fromEntries(Object.entries(by).map(([runner, taken]) => [runner, taken.join(" ")]));
  };

  test.each<[Name, TopologyName, Dict<string>]>([
    ["arkindex", "docker", { container: "backend worker cantaloupe" }],
    ["arkindex", "swarm", { container: "backend worker cantaloupe" }],
    ["arkindex", "aws", { serverless: "backend worker cantaloupe" }],
    // Two files in one folder.
    ["arkindex", "gcp", { machine: "backend worker cantaloupe" }],
    // A page of 404 for a health page, a command as a probe, requests of 300 s.
    ["arkindex", "azure", { machine: "backend worker cantaloupe" }],
    ["pyrus", "aws", { serverless: pyrusRuns }],
    // Its stores have the vendor's names, of one label: nothing of Cloud Run or Container Apps finds a machine by those.
    ["pyrus", "gcp", { machine: pyrusRuns }],
    ["pyrus", "azure", { machine: pyrusRuns }],
    ["media", "aws", { serverless: "assets frontend indexer" }],
    // Two files in one folder: the stores' addresses, and the authority.
    ["media", "gcp", { machine: "assets frontend indexer" }],
    ["media", "azure", { serverless: "assets frontend indexer" }],
  ])("%s on %s runs where it can", (name, on, expected) => {
    expect(takenBy(name, on)).toEqual(expected);
  });

  const page = { http: "web", path: "/" } as const;
  const app: Workload = {
    ...{ image: "x", tier: "app", cpu: 1, memoryMib: 64, replicas: 1 },
    ports: { web: { number: 80, protocol: "http" } },
    health: { ready: page, startSeconds: 1, stopSeconds: 1 },
  };
  const content = "x";

  /** What a workload is, the need that it implies, and the clouds whose managed runner has it. */
  test.each<[string, Partial<Workload>, string, string]>([
    ["nothing else", {}, "", "aws gcp azure"],
    ["a probe below 400", { health: { ...app.health, ready: { ...page, below: 400 } } }, "", "aws gcp azure"],
    ["a probe below 500", { health: { ...app.health, ready: { ...page, below: 500 } } }, "any-status-probe", "aws"],
    ["a probe below 300", { health: { ...app.health, ready: { ...page, below: 300 } } }, "any-status-probe", "aws"],
    ["a command as a probe", { health: { ...app.health, ready: { command: ["true"] } } }, "exec-probe", "aws"],
    ["never two", { update: "stop-first" }, "stop-first", "aws"],
    ["a port that is no web server's", { ports: { sql: { number: 1, protocol: "tcp" } } }, "tcp-in", "aws azure"],
    ["a name of its own", { names: ["vendor-app"] }, "short-names", "aws"],
    ["a folder that is shared", { mounts: [{ volume: "v", path: "/v" }] }, "shared-folders", ""],
    [
      "two files in one folder",
      { files: ["/a/b", "/a/c"].map((path) => ({ path, content })) },
      "file-folders",
      "aws azure",
    ],
    ["two files in two folders", { files: ["/a/b", "/c/b"].map((path) => ({ path, content })) }, "", "aws gcp azure"],
    ["an engine's API", { needs: ["container-api"] }, "container-api", ""],
    ["a request of 300 s", { routes: [{ host: "h", path: "/", port: "web", seconds: 300 }] }, "", "aws gcp"],
    ["a body of 64 MiB", { routes: [{ host: "h", path: "/", port: "web", bodyMib: 64 }] }, "", "aws azure"],
  ])("%s: what it needs, and who takes it", (_, more, needs, clouds) => {
    const workload = { ...app, ...more };
    const planned = { workloads: new Map([["app", workload]]), slots: new Map<string, Slot>() };
    expect(needsOf(workload, planned).join(" ")).toBe(needs);
    const runner = (on: TopologyName) => runnerFor(workload, planned, capabilities[on])?.name;
    expect(topologyNames.filter((on) => runner(on) === "serverless").join(" ")).toBe(clouds);
    expect(topologyNames.filter((on) => runner(on) === undefined)).toEqual([]);
  });

  test("who may call a name of one label is not known: one such name, and every part needs it", () => {
    const slot = { ...app, names: ["vendor-db"], disk: { path: "/d", gib: 1, backup: { rebuilt: "x" } } };
    expect(needsOf(app, { workloads: new Map([["app", app]]), slots: new Map([["db-1", slot]]) })).toEqual([
      "short-names",
    ]);
  });

  test.each(["aws", "gcp", "azure"] as const)("nodes and machines are nobody's on %s", (on) => {
    const system: System<object> = (p) => {
      p.run("app", { ...app, image: "toolbox", nodes: { disk: "fast" }, machine: "gpu" });
    };
    const planned = planOf(system, {}, { site: site(), services: {}, capabilities: capabilities[on] });
    expect(problems(planned, on)).toEqual([
      `app.machine = "gpu": ${on} has no nodes of yours`,
      `app.nodes = {"disk":"fast"}: ${on} has no nodes of yours`,
    ]);
  });

  test.each([
    [24 * 1024, []],
    [24 * 1024 + 1, ['app.files = "/etc/large": at most 24 KiB']],
  ])("a file of %d bytes", (bytes, expected) => {
    const files = [{ path: "/etc/large", content: "é".repeat(bytes / 2) + "x".repeat(bytes % 2) }];
    const system: System<object> = (p) => {
      p.run("app", { ...app, image: "toolbox", health: { ...app.health, ready: { command: ["true"] } }, files });
    };
    const planned = planOf(system, {}, { site: site(), services: {}, capabilities: capabilities.docker });
    expect(problems(planned, "docker")).toEqual(expected);
  });

  test("replicas that follow the load are for clouds", () => {
    const scaled = plan("media", { services: { frontend: { path: "/", replicas: { min: 2, max: 8 } } } });
    expect(problems(scaled, "gcp")).toEqual([]);
    expect(problems(scaled, "docker")).toEqual([
      'frontend.replicas = {"min":2,"max":8}: docker does not follow the load: give a number',
    ]);
  });

  test("an image of which nothing is known is probed by a command, or its client is named", () => {
    const real = site({ image: (key) => ({ key, ref: "example", rehearsing: false, client: "none", secrets: "env" }) });
    expect(problems(plan("media", {}, {}, real), "docker", real)).toContain(
      'assets.health = "media/assets": nothing in this image can call a port: give it a command as a probe, or its client in image-lock.ts',
    );
  });

  test("a workload whose first replica has a slot's name is refused", () => {
    const system: System<object> = (p) => {
      p.need("redis", "search", { clientTls: "never", clientAuth: false, keep: false, memoryMib: 16 });
      p.run("search", {
        ...{ image: "toolbox", tier: "app", cpu: 1, memoryMib: 64, replicas: 1 },
        health: { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 },
      });
    };
    const planned = planOf(
      system,
      {},
      { site: site(), services: containerServices, capabilities: capabilities.docker },
    );
    expect(problems(planned, "docker")).toEqual(["search-1: two parts have this name; give each its own"]);
  });

  test("a missing licence is one sentence", () => {
    expect(problems(plan("pyrus"), "docker", site({ secrets: { pyrusAdminPassword: secret("x") } }))).toEqual([
      "secrets.pyrusLicence: set it: pulumi config set --path --secret secrets.pyrusLicence",
    ]);
  });
});

describe("a system is a pure function of its config", () => {
  test.each(names)("%s: two runs give one plan", (name) => {
    expect(plain(plan(name))).toEqual(plain(plan(name)));
  });

  test.each(names)("%s: every host name is one thing's", (name) => {
    const planned = plan(name);
    expect([...planned.repeated]).toEqual([]);
    const hosts = [
      "edge",
      ...[...planned.workloads].flatMap(([workload, spec]) => [
        workload,
        ...replicaNames(workload, spec),
        ...(spec.names ?? []),
      ]),
      ...planned.slots.keys(),
      ...new Set([...planned.slots.values()].flatMap((slot) => slot.names ?? [])), // members share a name on purpose
      ...planned.jobs.keys(),
    ];
    expect(hosts.filter((host, at) => hosts.indexOf(host) !== at)).toEqual([]);
  });

  test.each<[string, Name, object, object, string[]]>([
    [
      "a DB server",
      "arangodb",
      {},
      { dbservers: { count: 4 } },
      ["+ dbserver-4", "+ dbserver-4-leave", "+ dbserver-4-left"],
    ],
    ["a coordinator", "arangodb", {}, { coordinators: { count: 4 } }, ["+ coordinator-4", "+ coordinator-4-left"]],
    [
      "a retired DB server",
      "arangodb",
      {},
      { dbservers: { retired: [2] } },
      [
        "- dbserver-2",
        "- dbserver-2-leave",
        "- dbserver-2-left",
        "+ dbserver-4",
        "+ dbserver-4-leave",
        "+ dbserver-4-left",
      ],
    ],
    ["an agent that is made again", "arangodb", {}, { rebuild: ["agent-2"] }, ["~ agent-2", "+ rebuild-agent-2"]],
    ["a replica", "pyrus", {}, { replicas: { "web-api": 3 } }, ["~ web-api"]],
    ["nodes for one function", "pyrus", {}, { nodes: { files: { disk: "fast" } } }, ["~ files"]],
    ["a service", "media", {}, { services: { ...samples.media.services, stats: {} } }, ["+ stats"]],
  ])("%s of %s changes nothing else", (_, name, before, after, expected) => {
    expect(changes(plan(name, before), plan(name, after))).toEqual(expected);
  });

  test("a member's zone is its number's, whoever else is there", () => {
    const zones = [...plan("media", { nodes: 5, retired: [2] }).slots].flatMap(([name, { zone }]) =>
      name.startsWith("cassandra-") ? [[name, zone]] : [],
    );
    expect(Object.fromEntries(zones)).toEqual({
      ...{ "cassandra-1": 0, "cassandra-3": 2, "cassandra-4": 0, "cassandra-5": 1, "cassandra-6": 2 },
    });
  });

  test("retired numbers never come back, and the count stays", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 9 }), fc.uniqueArray(fc.integer({ min: 1, max: 12 })), (count, retired) => {
        const numbers = (gone: number[]) =>
          [...plan("arangodb", { dbservers: { count, retired: gone } }).slots.keys()].flatMap((slot) =>
            slot.startsWith("dbserver-") ? [Number(slot.slice("dbserver-".length))] : [],
          );
        const before = numbers(retired);
        expect(before).toHaveLength(count);
        expect(before.filter((number) => retired.includes(number))).toEqual([]);
        const [lost = 0, ...kept] = before;
        const after = numbers([...retired, lost]); // one more disk dies
        expect(after.slice(0, -1)).toEqual(kept);
        expect([...before, ...retired]).not.toContain(after.at(-1));
      }),
    );
  });
});
