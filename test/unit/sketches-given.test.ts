/** What the sketched systems put into their applications' files and environment, and into their shells. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { isSecret, output, type Output, secret } from "@pulumi/pulumi";
import { parse } from "yaml";

import { scriptOf } from "../../components/core/backup.ts";
import type { Container, Tier } from "../../components/core/contracts.ts";
import { resolveImage } from "../../components/core/images.ts";
import { containers, routesOf } from "../../components/core/plan.ts";
import { containerServices } from "../../components/services/index.ts";
import { arangodbConfig } from "../../components/systems/arangodb/arangodb.ts";
import { newFolder } from "../support/folder.ts";
import { names, plan, problems, site } from "../support/sketches.ts";

describe("ArangoDB", () => {
  /** Those of arangod's options that we use. */
  const used = [
    "agency.activate",
    "agency.disaster-recovery-id",
    "agency.endpoint",
    "agency.my-address",
    "agency.size",
    "agency.supervision",
    "cluster.agency-endpoint",
    "cluster.default-replication-factor",
    "cluster.my-address",
    "cluster.my-role",
    "cluster.require-persisted-id",
    "cluster.system-replication-factor",
    "cluster.write-concern",
    "database.auto-upgrade",
    "javascript.app-path",
    "server.authentication",
    "server.endpoint",
    "server.jwt-secret-keyfile",
  ];
  const slot = (name: string) => {
    const found = plan("arangodb").slots.get(name);
    if (found === undefined) throw new Error(`no slot ${name}`);
    return found;
  };
  const servers = () => [...plan("arangodb").slots.values()];

  test("uses documented options only, and these", () => {
    const list = readFileSync(join(import.meta.dirname, "../data/arangod-3.12-options.txt"), "utf8");
    const documented = new Set(list.trim().split("\n"));
    const all = [...servers(), ...plan("arangodb", { mode: "single" }).slots.values()];
    const given = all.flatMap(({ command = [], prepare = "" }) => [
      ...`${command.join(" ")} ${prepare.replace("arangod --version", "")}`.matchAll(/ --([a-z0-9.-]+)/g),
    ]);
    const names = [...new Set(given.map(([, option = ""]) => option))].sort();
    expect(names.filter((name) => !documented.has(name))).toEqual([]);
    expect(names).toEqual(used);
  });

  test("each agent knows the other two, each other member all three", () => {
    const endpoints = (name: string) =>
      plan("arangodb")
        .slots.get(name)
        ?.command?.filter((option) => option.includes("endpoint=tcp://agent"));
    expect(endpoints("agent-2")).toEqual([
      "--agency.endpoint=tcp://agent-1:8529",
      "--agency.endpoint=tcp://agent-3:8529",
    ]);
    expect(endpoints("coordinator-1")).toHaveLength(3);
  });

  test("an emptied disk is refused, but not that of the agent that is made again", () => {
    const { slots } = plan("arangodb", { rebuild: ["agent-2"] });
    const guarded = [...slots]
      .filter(([, { prepare = "" }]) => prepare.includes("has lost its data"))
      .map(([name]) => name);
    expect([...slots.keys()].filter((name) => !guarded.includes(name))).toEqual(["agent-2"]);
    // Only where the other two have the majority.
    expect(slots.get("agent-1")?.after).toHaveLength(2);
    expect(
      plan("arangodb", { rebuild: ["agent-2"] })
        .jobs.get("rebuild-agent-2")
        ?.command?.at(-1),
    ).toContain("agent-2 cannot");
  });

  /** Its start on a disk with these files, as a topology does it; the server shows what it was given. */
  const start = (name: string, files: Readonly<Record<string, string>>) => {
    const disk = newFolder("arangodb");
    for (const [file, content] of Object.entries(files)) writeFileSync(join(disk, file), content);
    const { prepare = "", disk: at } = slot(name);
    const script = prepare.replaceAll(at.path, disk).replaceAll("/run/arangodb", disk).replace("262144", "0");
    mkdirSync(join(disk, "bin"));
    const server = `#!/bin/sh
if [ "$1" = --version ]; then echo 3.12.4; else echo "server $*\${ARANGODB_DEFAULT_ROOT_PASSWORD+ as $ARANGODB_DEFAULT_ROOT_PASSWORD}"; fi`;
    writeFileSync(join(disk, "bin/arangod"), server, { mode: 0o755 });
    const env = { PATH: `${join(disk, "bin")}:${process.env.PATH ?? ""}` };
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `${script}\nexec "$@"`, "prepare", "arangod", "-x"], {
      env,
    });
    const said = `${stdout.toString()}${stderr.toString()}`.trim().replaceAll(disk, "");
    return [status, said, status === 0 ? readFileSync(join(disk, ".version"), "utf8").trim() : ""];
  };
  const id = "--cluster.require-persisted-id=true";
  const fresh = { ".disk": "" };
  const kept = { ENGINE: "", UUID: "", ".version": "3.12.4\n" };
  const older = { ...kept, ".version": "3.11.9\n" };
  const first = { jwt: "members'" };

  test.each<[string, Readonly<Record<string, string>>, [number, string, string]]>([
    ["dbserver-2", {}, [1, "dbserver-2 has lost its data: retire its number", ""]],
    ["dbserver-2", fresh, [0, "server -x", "3.12.4"]],
    ["dbserver-2", { ...fresh, ...kept }, [0, `server -x ${id}`, "3.12.4"]],
    ["dbserver-2", kept, [0, `server -x ${id}`, "3.12.4"]],
    ["dbserver-2", older, [0, `server -x ${id} --database.auto-upgrade=true\nserver -x ${id}`, "3.12.4"]],
    ["coordinator-1", {}, [1, "coordinator-1 has lost its data: retire its number", ""]],
    ["coordinator-1", { ...fresh, ...first }, [0, "server -x as members'", "3.12.4"]],
    ["coordinator-1", { ...kept, ...first }, [0, `server -x ${id} as members'`, "3.12.4"]],
    ["coordinator-1", fresh, [1, "cat: /jwt: No such file or directory", ""]],
    [
      "agent-3",
      {},
      [1, "agent-3 has lost its data: name it in arangodb.rebuild, alone, while the other two are healthy", ""],
    ],
    ["agent-3", fresh, [0, "server -x", "3.12.4"]],
    ["agent-3", older, [0, "server -x --database.auto-upgrade=true\nserver -x", "3.12.4"]],
  ])("%s on a disk with %j", (name, files, expected) => {
    expect(start(name, files)).toEqual(expected);
  });

  test("no server has root's password, so none restarts for another one", () => {
    const all = [...plan("arangodb").slots, ...plan("arangodb", { mode: "single" }).slots];
    const files = all.map(([slot, { files: own = [] }]) => [slot, own.map(({ path }) => path)]);
    expect(files).toEqual(all.map(([slot]) => [slot, ["/run/arangodb/jwt"]]));
  });

  test("the coordinators answer one address together", () => {
    expect(routesOf(plan("arangodb")).map(({ to, hosts }) => [to, hosts])).toEqual([
      ["coordinator", ["coordinator-1", "coordinator-2", "coordinator-3"]],
    ]);
  });

  test("a single server has the same name inside and the same address outside", () => {
    const { slots, jobs } = plan("arangodb", { mode: "single" });
    expect([...slots.keys(), ...jobs.keys()]).toEqual(["single-1", "root-login"]);
    expect(slots.get("single-1")?.names).toEqual(["coordinators"]);
    expect(routesOf(plan("arangodb", { mode: "single" })).map(({ hosts }) => hosts)).toEqual([["single-1"]]);
  });

  test("agents are never struck off, others always", () => {
    const planned = plan("arangodb");
    const names = [...planned.slots].filter(([, each]) => each.left).map(([name]) => name);
    expect(names).toEqual([...planned.slots.keys()].filter((name) => !name.startsWith("agent")));
  });

  test("only a DB server is emptied before it leaves", () => {
    expect([...plan("arangodb").slots].filter(([, { leave }]) => leave).map(([name]) => name)).toEqual([
      "dbserver-1",
      "dbserver-2",
      "dbserver-3",
    ]);
  });

  test.each([
    [
      { replicationFactor: 4 },
      "replicationFactor",
      "at most dbservers.count, which is 3: each copy needs a server of its own",
    ],
    [
      { dbservers: { count: 1 } },
      "systemReplicationFactor",
      "at most dbservers.count, which is 1: each copy needs a server of its own",
    ],
    [{ replicationFactor: 1 }, "writeConcern", "at most replicationFactor, which is 1"],
    [{ coordinators: { count: 1 } }, "coordinators.count", "two coordinators at least, so that one may fail"],
    [{ rebuild: ["agent-1", "agent-2"] }, "rebuild", "one agent at a time: the other two are the quorum"],
    [{ agents: { count: 5 } }, "agents", 'Unrecognized key: "count"'],
  ])("%j is refused at %s", (config, key, message) => {
    const { error } = arangodbConfig.safeParse(config);
    expect(error?.issues.map((issue) => [issue.path.join("."), issue.message])).toContainEqual([key, message]);
  });
});

describe("what the applications are given", () => {
  test("media: every store of the region, files mirrored, feeds federated", async () => {
    const content = await text(fileOf(plan("media").workloads.get("indexer"), "stores.json"));
    expect(JSON.parse(content)).toMatchObject({
      cassandra: { hosts: ["cassandra-1", "cassandra-2", "cassandra-3"], dataCentre: "eu", keyspace: "media" },
      rabbit: { exchange: "index", queue: "index.eu.indexer" },
      objects: { buckets: { originals: "originals", proxies: "proxies", keyframes: "keyframes" } },
    });
  });

  test("ShinyProxy: the usage address as its collector wants it; passwords in secret files alone", async () => {
    const { workloads, slots } = plan("shinyproxy");
    const file = fileOf(workloads.get("shinyproxy"), "application.yml");
    expect(await isSecret(output(file))).toBe(true);
    expect(await text(file)).toContain("usage-stats-url: http://influx-1:8086/write?db=shinyproxy&u=app&p=");
    expect([...workloads.values(), ...slots.values()].filter(({ secretEnv }) => secretEnv)).toEqual([]);
  });

  test("ShinyProxy: nothing of its own is on the nodes of users' apps", () => {
    const { workloads, slots } = plan("shinyproxy");
    const free = [...workloads, ...slots].filter(([, { nodes }]) => nodes?.role !== "manager").map(([name]) => name);
    expect(free).toEqual(["telegraf-node"]); // what says how those nodes are
  });

  test("ShinyProxy: Docker's API is in networks of its own, and its filter knows the apps", async () => {
    const { workloads } = plan("shinyproxy");
    const joined = (network: string) =>
      [...workloads].filter(([, { networks = [] }]) => networks.includes(network)).map(([name]) => name);
    expect(joined("runner-api")).toEqual(["runner", "shinyproxy"]);
    expect(joined("reader-api")).toEqual(["reader", "telegraf"]);
    expect([workloads.get("runner")?.tier, workloads.get("reader")?.tier]).toEqual(["isolated", "isolated"]);
    expect(JSON.parse(await text(fileOf(workloads.get("runner"), "policy.json")))).toEqual({
      may: "run-apps",
      shmMib: { "example/demo:1": 512 },
      engine: "docker",
      stack: "sample",
      network: "sample-apps",
      images: ["example/demo:1"],
      constraints: ["node.role==worker"],
      memoryMib: 1024,
      cpu: 1,
      volumes: [],
    });
    expect(JSON.parse(await text(fileOf(workloads.get("reader"), "policy.json")))).toEqual({ may: "read" });
  });

  test("ShinyProxy: without rehearsal and without a provider one sentence says what is missing", () => {
    const real = site({
      image: (key) =>
        resolveImage(key, { overrides: {}, local: { toolbox: "t:1", "docker-proxy": "d:1" }, rehearsal: false }),
    });
    expect(problems(plan("shinyproxy", {}, containerServices, real), "docker", real)).toEqual([
      "existing.sign-in: missing: name what you have there, as docs/ says; or set rehearsal: true for a stand-in",
    ]);
  });

  test("ShinyProxy: Cognito's addresses follow from its domain and pool", async () => {
    const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc";
    const existing = {
      "sign-in": { kind: "oidc", issuer, domain: "https://login.example.com", clientId: "shiny" },
    } as const;
    const secrets = { "sign-inClientSecret": secret("s") };
    const { workloads } = plan("shinyproxy", {}, containerServices, site({ existing, secrets }));
    expect(workloads.has("sign-in")).toBe(false);
    expect(parse(await text(fileOf(workloads.get("shinyproxy"), "application.yml")))).toMatchObject({
      proxy: {
        openid: {
          "auth-url": "https://login.example.com/oauth2/authorize",
          "token-url": "https://login.example.com/oauth2/token",
          "jwks-url": `${issuer}/.well-known/jwks.json`,
          "roles-claim": "cognito:groups",
          "client-id": "shiny",
        },
      },
    });
  });
});

test.each(names)("%s: every script of it and of its stores is one that bash can read", (name) => {
  const planned = plan(name);
  const scripts = [
    ...containers(planned).flatMap(([, { prepare, command }]) => [prepare, shell(command)]),
    ...[...planned.slots.values()].flatMap(({ leave, disk: { backup } }) => [
      shell(leave?.command),
      ...("dump" in backup ? [scriptOf(backup, ["dump", "check", "restore", "drill", "prune"])] : []),
    ]),
  ];
  for (const script of scripts) {
    if (script === undefined) continue;
    expect([spawnSync("bash", ["-n", "-c", script]).stderr.toString(), script]).toEqual(["", script]);
  }
});

/** Who joins what: a workload of the app network data too, a slot only its own; a route, or `callsEdge`, the edge. */
function networks({ tier, callsEdge = false, routes = [] }: Container, slot: boolean): Tier[] {
  return [
    ...(callsEdge || routes.length > 0 ? ["edge" as const] : []),
    tier,
    ...(tier === "app" && !slot ? ["data" as const] : []),
  ];
}

test.each(names)("%s: whoever is given a slot's name shares a network with it", async (name) => {
  const planned = plan(name);
  const slots = new Map(
    [...planned.slots].flatMap(([host, slot]) => [host, ...(slot.names ?? [])].map((at) => [at, networks(slot, true)])),
  );
  // A kind without a recipe yet: its name in a dry run, and where its slots will be.
  for (const { name: need, by } of planned.needs) if (by === "nobody") slots.set(`${need}-1`, ["data"]);
  const callers: [string, Container, Tier[]][] = [
    ...containers(planned).map(([at, one]): [string, Container, Tier[]] => [
      at,
      one,
      networks(one, planned.slots.has(at)),
    ]),
    ...[...planned.slots].flatMap(([at, { leave }]): [string, Container, Tier[]][] =>
      leave ? [[`${at} leaving`, leave, networks(leave, true)]] : [],
    ),
  ];
  const apart: string[] = [];
  let calls = 0;
  for (const [caller, { command = [], env = {}, secretEnv = {}, files = [] }, joined] of callers) {
    const texts = [
      ...command,
      ...Object.values(env),
      ...Object.values(secretEnv),
      ...files.map(({ content }) => content),
    ];
    const given = (await Promise.all(texts.map((part) => text(output(part))))).join("\n");
    for (const [host, reached] of slots) {
      if (caller === host || !new RegExp(`(?<![\\w.-])${host}(?![\\w.-])`).test(given)) continue;
      calls++;
      if (!reached.some((network) => joined.includes(network))) apart.push(`${caller} -> ${host}`);
    }
  }
  expect(calls).toBeGreaterThan(4);
  expect(apart).toEqual([]);
});

/** The text that a command hands to a shell. */
function shell(command: Container["command"]): string | undefined {
  return ["sh", "bash"].includes(command?.[0] ?? "") ? command?.at(-1) : undefined;
}

function fileOf(container: Container | undefined, name: string): Output<string> | undefined {
  const content = container?.files?.find(({ path }) => path.endsWith(`/${name}`))?.content;
  return content === undefined ? undefined : output(content);
}

function text(value: Output<string> | undefined): Promise<string> {
  return new Promise((resolve) => {
    output(value ?? "").apply(resolve);
  });
}
