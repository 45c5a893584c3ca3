/** A value from the config or a secret never becomes syntax: whatever it holds, each reader gets it byte for byte. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { parse } from "yaml";

import { parseConfig } from "../../components/config.ts";
import type { Container, Dict, Job } from "../../components/core/contracts.ts";
import type { Problem } from "../../components/core/errors.ts";
import type { Existing } from "../../components/core/existing.ts";
import { containers, type Plan } from "../../components/core/plan.ts";
import { siteOf } from "../../components/core/site.ts";
import * as syntax from "../../components/core/syntax.ts";
import { checkValues } from "../../components/core/values.ts";
import { planStack } from "../../components/deploy.ts";
import { containerServices } from "../../components/services/index.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { Redis } from "../../components/services/redis.ts";
import { Nats } from "../../components/services/nats.ts";
import { Elasticsearch } from "../../components/services/elasticsearch.ts";
import { ObjectStore } from "../../components/services/objects.ts";
import { Cassandra } from "../../components/services/cassandra.ts";
import { Influx } from "../../components/services/influx.ts";
import { Postgres } from "../../components/services/postgres.ts";
import { systems } from "../../components/systems/index.ts";
import { Pyrus } from "../../components/systems/pyrus/pyrus.ts";
import { ShinyProxy } from "../../components/systems/shinyproxy/shinyproxy.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import * as reader from "../support/hostile.ts";
import { hostile, resolved } from "../support/hostile.ts";
import { record, type Registered } from "../support/mocks.ts";

const folder = mkdtempSync(join(tmpdir(), "hostile-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What comes back, or that the syntax refuses to carry it; never anything else. */
function through(write: (text: string) => string, read: (text: string) => string) {
  return (value: string): string => {
    let text;
    try {
      text = write(value);
    } catch (error) {
      expect(String(error)).toContain("cannot be written there");
      if (value.length > 2) expect(String(error)).not.toContain(value);
      return "refused";
    }
    return read(text);
  };
}

describe("each syntax's own rules give the value back", () => {
  const only = (read: (text: string) => Map<string, string>) => (text: string) => read(text).get("key") ?? "";
  const properties = (value: string) => syntax.javaProperties({ key: value, next: "1" });
  const yaml = (version: "1.1" | "1.2") => (text: string) =>
    (parse(text, { version }) as { key: string[] }).key[0] ?? "";
  const rules: Record<string, readonly [(value: string) => string, refused: RegExp]> = {
    "java.util.Properties": [through(properties, only(reader.javaProperties)), /^$/],
    "YAML 1.1": [through((value) => syntax.yaml({ key: [value] }), yaml("1.1")), /^$/],
    "YAML 1.2": [through((value) => syntax.yaml({ key: [value] }), yaml("1.2")), /^$/],
    ".NET": [
      through(
        (value) => syntax.dotNetConnection({ a: value, "Root C": "x" }),
        (text) => reader.dotNet(text).a ?? "",
      ),
      /\0/,
    ],
    "InfluxQL, a string": [through(syntax.influxString, reader.influxString), /[\0\r]/],
    "InfluxQL, a name": [through(syntax.influxIdentifier, reader.influxString), /[\0\r]/],
    curl: [
      through(
        (value) => syntax.curlOption("user", value),
        (text) => reader.curlString(text.slice(7, -1)),
      ),
      /\0/,
    ],
    NATS: [through(syntax.natsString, reader.natsString), /\0/],
    Redis: [through(syntax.redisString, reader.redisString), /^$/],
    Telegraf: [through(syntax.telegrafString, reader.telegrafString), /@\{\w+:\w+\}/],
    rclone: [
      through(
        (value) => syntax.rcloneSection("s", { key: value }),
        (text) => reader.rcloneSection(text).key ?? "",
      ),
      /[\0\r\n]|%\(name\)s/,
    ],
    Spring: [through(syntax.springText, reader.spring), /^$/],
    Grafana: [through(syntax.grafanaText, reader.grafana), /^$/],
    "a swarm's template": [through(syntax.swarmText, reader.goTemplate), /^$/],
  };
  test.each(Object.entries(rules))("%s", (_, [carry, refused]) => {
    for (const value of [...hostile, "a\0b"])
      expect([value, carry(value)]).toEqual([value, value !== "" && refused.test(value) ? "refused" : value]);
  });

  test("a regular expression finds the text alone", () => {
    for (const value of hostile) {
      const pattern = new RegExp(`^(${syntax.regexText(value)})$`);
      expect(pattern.test(value)).toBe(true);
      expect(pattern.test(`${value}x`)).toBe(false);
    }
    expect(new RegExp(`^(${syntax.regexText("my.index")})$`).test("my-index")).toBe(false);
  });

  test.each(["sh", "bash"])("%s", async (shell) => {
    const { stdout } = await execa(shell, ["-s"], {
      input: `printf '%s\\0' ${hostile.map(syntax.shellWord).join(" ")}`,
      stripFinalNewline: false,
    });
    expect(stdout.split("\0").slice(0, -1)).toEqual(hostile);
    expect(() => syntax.shellWord("a\0b")).toThrow("NUL");
  });

  test("what Cantaloupe's own reader cannot hold is refused where it is set", () => {
    for (const value of hostile) {
      const raw = stack("arkindex", value, { objects: { kind: "objects", url: "https://s3.example.com" } });
      const refused = checkValues(raw, parseConfig(raw).settings ?? { secrets: {}, existing: {} }).map(
        ({ key }) => key,
      );
      const got = reader.cantaloupeProperties(syntax.javaProperties({ key: value })).get("key");
      if (got !== value) expect([value, refused]).toEqual([value, expect.arrayContaining(["secrets.objectsSecret"])]);
    }
  });
});

/** A stack of a system with the value in each secret that it may need, and as the user of everything that exists. */
function stack(system: keyof typeof systems, value: string, existing: object, own: object = {}): Dict<unknown> {
  const names = Object.keys(existing).flatMap((name) =>
    ["Password", "Key", "Secret", "ClientSecret"].map((what) => name + what),
  );
  const others = ["pyrusLicence", "pyrusAdminPassword", "ponosSeed-gpu", "backupKey", "backupSecret"];
  return {
    ...{ system, topology: "docker", hostname: "x.example.com", rehearsal: true, existing, [system]: own },
    images: { toolbox: "toolbox:1", rehearsal: "rehearsal:1", "docker-proxy": "docker-proxy:1" },
    secrets: Object.fromEntries([...names, ...others].map((name) => [name, value])),
    ...(system === "arangodb" ? { backup: { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } } } : {}),
  };
}

function planned(raw: Dict<unknown>): Plan {
  const { problems, settings, system, topology } = parseConfig(raw);
  expect(problems).toEqual([]);
  if (settings === undefined || system === undefined || topology === undefined) throw new Error("not read");
  const site = siteOf({ ...settings, name: "x" });
  const place = { site, capabilities: capabilities[settings.topology], services: containerServices };
  return systems[settings.system].plan(system, place);
}

const found = (plan: Plan, name: string): Container => {
  const container = containers(plan).find(([key]) => key === name)?.[1];
  if (container === undefined) throw new Error(`no ${name}`);
  return container;
};
const file = async (plan: Plan, name: string, path: string): Promise<string> => {
  const { content } = found(plan, name).files?.find((each) => each.path.endsWith(path)) ?? {};
  return String(await resolved(content));
};

/** Of all values one plan: each recipe once. A value per plan: its readers. */
const store = (kind: string, value: string) => ({ kind, host: "store.example.com", user: line(value) });
const s3 = { kind: "objects", url: "https://s3.example.com/", prefix: "x-" };
/** The config takes one line for a user's name. */
const line = (value: string): string => (/\p{Cc}/u.test(value) || value === "" ? "app" : value);
const existingOf = {
  arangodb: () => ({}),
  arkindex: (value: string) => ({ db: store("postgres", value), objects: s3 }),
  media: (value: string) => ({
    cassandra: store("cql", value),
    rabbit: store("amqp", value),
    elasticsearch: store("elasticsearch", value),
    redis: store("redis", value),
    objects: s3,
  }),
  pyrus: (value: string) => ({
    postgresql: store("postgres", value),
    elasticsearch: store("elasticsearch", value),
    objects: s3,
  }),
  shinyproxy: (value: string) => ({
    influx: store("influx", value),
    redis: store("redis", value),
    "sign-in": { kind: "oidc", issuer: "https://id.example.com", clientId: line(value), groupsClaim: line(value) },
  }),
};
const farm = "00000000-0000-4000-8000-000000000000";
const ownOf = {
  arangodb: () => ({}),
  arkindex: (value: string) => ({ static: { frontend_version: value }, agents: { gpu: { farm } } }),
  media: (value: string) => ({ version: value }),
  pyrus: (value: string) => ({
    adminEmail: "o'brien@example.com",
    parameters: { "105200": value },
    reindex: value,
  }),
  shinyproxy: (value: string) => ({
    title: value,
    userClaim: value,
    adminGroups: [value],
    apps: { app: { title: value, image: "example/app:1", command: [value], env: { X: value }, groups: [value] } },
  }),
};
const planFor = (system: keyof typeof existingOf, value: string, existing: object = existingOf[system](value)): Plan =>
  planned(stack(system, value, existing, ownOf[system](value)));

/** What a value is refused for before anything is made. */
const refusals = (system: keyof typeof existingOf, value: string): Problem[] =>
  checkValues(
    {},
    parseConfig(stack(system, value, existingOf[system](value))).settings ?? { secrets: {}, existing: {} },
  );
const unsayable = (system: keyof typeof existingOf, value: string): boolean => refusals(system, value).length > 0;

describe("each system's files hold what the config says", () => {
  test("Arkindex", async () => {
    for (const value of hostile) {
      const plan = planFor("arkindex", value);
      const config = parse(await file(plan, "backend", "config.yml"), { version: "1.1" }) as unknown;
      expect(config).toMatchObject({
        database: { user: line(value), password: value },
        s3: { access_key_id: value, secret_access_key: value },
        static: { frontend_version: value },
      });
      const properties = reader.javaProperties(await file(plan, "cantaloupe", "cantaloupe.properties"));
      expect(properties.get("S3Source.secret_key")).toBe(value);
      expect(properties.get("S3Cache.bucket.name")).toBe("x-iiif-cache");
      expect(parse(await file(plan, "agent-gpu", "agent.yml"))).toMatchObject({ seed: value });
    }
  });

  test("a media platform", async () => {
    for (const value of hostile) {
      const stores = JSON.parse(await file(planFor("media", value), "frontend", "stores.json")) as unknown;
      const login = { user: line(value), password: value };
      expect(stores).toMatchObject({ cassandra: login, rabbit: login, search: login, objects: { secret: value } });
    }
  });

  test("ShinyProxy, Grafana, Telegraf", async () => {
    for (const value of hostile) {
      if (unsayable("shinyproxy", value)) continue;
      const plan = planFor("shinyproxy", value);
      const spring: unknown = syntax.eachString(
        parse(await file(plan, "shinyproxy", ".yml"), { version: "1.1" }),
        reader.spring,
      );
      const { proxy } = spring as { proxy: Record<string, unknown> };
      expect(spring).toMatchObject({
        proxy: {
          title: value,
          openid: { "client-id": line(value), "client-secret": value, "roles-claim": line(value) },
          specs: [{ "display-name": value, "container-cmd": [value], "container-env": { X: value } }],
        },
        spring: { data: { redis: { password: value } } },
      });
      const { searchParams } = new URL(String(proxy["usage-stats-url"]));
      expect([...searchParams]).toEqual([
        ["db", "shinyproxy"],
        ["u", line(value)],
        ["p", value],
      ]);
      const sources = parse(await file(plan, "grafana-1", "influx.yml")) as unknown;
      expect(syntax.eachString(sources, reader.grafana)).toMatchObject({
        datasources: [{ user: line(value), secureJsonData: { password: value } }, {}],
      });
      expect(JSON.parse(await file(plan, "grafana-1", "shinyproxy.json"))).toMatchObject({ title: value });
      const toml = await file(plan, "telegraf", "telegraf.conf");
      for (const [key, told] of [["username", line(value)] as const, ["password", value] as const])
        expect(reader.telegrafString(new RegExp(`^  ${key} = (.*)$`, "m").exec(toml)?.[1] ?? "")).toBe(told);
    }
  });

  test("Pyrus' connection strings", async () => {
    for (const value of hostile) {
      const { secretEnv } = found(planFor("pyrus", value), "files");
      const { ConnectionString } = JSON.parse(String(await resolved(secretEnv?.MAIN_CONN_STRING))) as Dict<string>;
      expect(reader.dotNet(ConnectionString ?? "")).toMatchObject({ Username: line(value), Password: value });
    }
  });

  test("the place of the backups, or one sentence", async () => {
    for (const value of hostile) {
      if (unsayable("arangodb", value)) continue;
      const plan = planFor("arangodb", value);
      const section = reader.rcloneSection(await file(plan, "backup", "place.conf"));
      expect(section).toMatchObject({ access_key_id: value, secret_access_key: value });
    }
    const refused = hostile.filter((value) => unsayable("arangodb", value));
    for (const value of refused) expect(value).toMatch(/^\s|\s$|[\p{Cc}]|%\(|\\\\/u);
  });
});

/** Every text that a shell is given, by where it is. */
async function scripts(plan: Plan): Promise<string[]> {
  const all = await Promise.all(
    containers(plan).map(async ([, { command = [], prepare, files = [] }]) => {
      const dumps = files.filter(({ path }) => path.startsWith("/run/backup/scripts"));
      const written = await Promise.all(dumps.map(async ({ content }) => String(await resolved(content))));
      return [...shellTexts(command), ...(prepare === undefined ? [] : [prepare]), ...written];
    }),
  );
  const health = [...plan.workloads.values(), ...plan.slots.values()].flatMap(({ health: { ready } }) =>
    "command" in ready ? shellTexts(ready.command) : [],
  );
  const dumps = [...plan.slots.values()].flatMap(({ disk: { backup } }) =>
    "dump" in backup ? [backup.dump, backup.restore] : [],
  );
  return [...all.flat(), ...health, ...dumps];
}
function shellTexts(command: readonly string[]): string[] {
  const at = command.findIndex((word) => /^-\w*c$/.test(word));
  return (command[0] ?? "").endsWith("sh") && at > 0 ? [command[at + 1] ?? ""] : [];
}

/** All of them that fit on a line. */
const together = hostile.filter((value) => !/\p{Cc}|%\(|@\{|\\\\/u.test(value)).join("|");

test("every script of every system is one that bash reads, whatever the values", async () => {
  const texts = new Set<string>();
  for (const system of Object.keys(existingOf) as (keyof typeof existingOf)[])
    for (const value of ["o'brien", 'a\nb"`$(', together])
      for (const existing of [existingOf[system](value), {}])
        if (!unsayable(system, value))
          for (const text of await scripts(planFor(system, value, existing))) texts.add(text);
  expect(texts.size).toBeGreaterThan(80);
  const files = [...texts].map((text, at) => {
    writeFileSync(join(folder, `${String(at)}.sh`), text);
    return join(folder, `${String(at)}.sh`);
  });
  const each = 'for file in "$@"; do bash -n "$file" || echo "$file"; done';
  expect((await execa("bash", ["-c", each, "each", ...files])).stdout).toBe("");
});

/** A program of this name on PATH, which tells its arguments, and what it reads. */
function teller(name: string, reads = false): void {
  writeFileSync(join(folder, name), `#!/bin/sh\nprintf '\\001'\nprintf '%s\\0' "$@"${reads ? ' "$(cat)"' : ""}\n`);
  chmodSync(join(folder, name), 0o755);
}
/** What it was told, a list for each call. */
async function told([program = "", ...args]: readonly string[], env: Dict<string> = {}): Promise<string[][]> {
  const { stdout } = await execa(program, args, { env: { ...env, PATH: `${folder}:${process.env.PATH ?? ""}` } });
  return stdout
    .split("\x01")
    .slice(1)
    .map((call) => call.split("\0").slice(0, -1));
}

test("Pyrus' set-up is given every value as one argument, an address with an apostrophe too", async () => {
  teller("dotnet");
  const values = ["o'brien", '"`$(id)`$x\\', "a\nb", "{{x}}", "ü🔑 ", "'\"\\$`{{".repeat(1000)];
  for (const value of values) {
    const { jobs } = planFor("pyrus", value);
    const run = async (name: string) => {
      const { command = [], secretEnv = {} } = jobs.get(name) ?? ({} as Partial<Job>);
      const env = Object.fromEntries(
        await Promise.all(
          Object.entries(secretEnv).map(async ([key, one]) => [key, String(await resolved(one))] as const),
        ),
      );
      return (await told(command, env)).map(([, ...args]) => args);
    };
    expect(await run("setup-database")).toContainEqual([
      ...["--create", "--skip", "--email", "o'brien@example.com", "--adminpassword", value],
    ]);
    const set: unknown = Object.fromEntries(
      (await run("setup-parameters")).filter(([flag]) => flag === "--setup").map(([, , id, , one]) => [id, one]),
    );
    expect(set).toMatchObject({ "100000": value, "105120": line(value), "105121": value, "105200": value });
    expect(await run("setup-parameters")).toContainEqual([
      ...["--configure-s3", "--accessKey", value, "--secretKey", value, "--bucket", "x-files"],
      ...["--storageType", "MinIo", "--endpointUrl", "https://s3.example.com/"],
    ]);
  }
});

/** Services of an importer's program. */
async function alone(make: (on: DockerHost) => unknown, password?: (name: string) => string): Promise<Registered[]> {
  return record(() => {
    const site = siteOf({ name: "x", hostname: "x.example.com", images: { toolbox: "toolbox:1" } });
    make(new DockerHost("docker", { site, host: "unix:///x.sock", address: "127.0.0.1", tls: { mode: "local" } }));
  }, password);
}

/** Ours are letters and digits; no recipe counts on it. */
test("a generated password may be anything, too", async () => {
  const value = together.slice(0, 2000);
  const all = await alone(
    (on) => [
      new Redis("redis", { on, clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 }),
      new Nats("nats", { on, nodes: 3, jetstreamGib: 1 }),
      new Influx("influx", { on, databases: { "my-db": { keep: "1d" } }, gib: 1 }),
      new Elasticsearch("search", { on, speaks: ["elasticsearch8"], nodes: 1, gib: 1 }),
      new ObjectStore("objects", { on, apis: ["s3"], buckets: { files: {} }, browser: false, gib: 1 }),
      new Cassandra("cassandra", { on, nodes: 1, keyspaces: ["media"], peers: [], gib: 1 }),
    ],
    () => value,
  );
  const file = (name: string, ending: string): string => {
    const { uploads = [], files = [] } = all.find(
      (each) => each.name === name && ("uploads" in each.inputs || "files" in each.inputs),
    )?.inputs as { uploads?: { file: string; content: string }[]; files?: { path: string; content: string }[] };
    const found = [...uploads.map(({ file: path, content }) => ({ path, content })), ...files];
    return found.find(({ path }) => path.endsWith(ending))?.content ?? "";
  };
  const part = (text: string, pattern: RegExp): string => pattern.exec(text)?.[1] ?? "";
  expect(reader.redisString(part(file("redis-1", "redis.conf"), /^requirepass (.*)$/m))).toBe(value);
  const nats = file("nats-1", "nats.conf");
  expect(reader.natsString(part(nats, /user: app, password: (".*"), timeout/))).toBe(value);
  expect(reader.natsString(part(nats, /user: route, password: (".*"), timeout/))).toBe(value);
  expect(decodeURIComponent(new URL(part(nats, /"nats-route:(.*?)"/).replace(/^/, "http:")).password)).toBe(value);
  expect(JSON.parse(file("nats-setup", "login"))).toMatchObject({ user: "app", pass: value });
  expect(reader.influxString(part(file("influx-setup", "app.iql"), /PASSWORD ('.*')$/))).toBe(value);
  expect(reader.curlString(part(file("influx-setup", "admin.curl"), /^user = (.*)$/m))).toBe(`admin:${value}`);
  expect(reader.curlString(part(file("search-1", "curlrc"), /^user = (.*)$/m))).toBe(`elastic:${value}`);
  expect(reader.rcloneSection(file("objects-setup", "rclone.conf"))).toMatchObject({ secret_access_key: value });

  teller("cql");
  writeFileSync(join(folder, "jq"), "#!/bin/sh\n", { mode: 0o755 });
  for (const role of ["app", "admin"]) writeFileSync(join(folder, `${role}-password`), value);
  const { command } = all.find(({ name }) => name === "cassandra-setup")?.inputs as { command: string[] };
  await told(["bash", ...command].map((word) => word.replaceAll(/\/tmp|\/run\/cassandra/g, folder)));
  const said = /ALTER ROLE app WITH PASSWORD = '((?:[^']|'')*)';/.exec(
    readFileSync(join(folder, "statements"), "utf8"),
  );
  expect(said?.[1]?.replaceAll("''", "'")).toBe(value);
});

test("on a swarm every variable is what it is on one host, and NODE_NAME alone is a template", async () => {
  const on = (system: "pyrus" | "shinyproxy") => {
    const existing = existingOf[system](together);
    const site = siteOf({
      ...{ name: "x", hostname: "x.example.com", rehearsal: true },
      images: { toolbox: "t:1", rehearsal: "r:1", "docker-proxy": "d:1", "postgres-cron": "p:1" },
      copies: 1, // as on one host
      secrets: stack(system, together, existing).secrets as Dict<string>,
      backup: { everyHours: 1, keepDays: 1, drillEveryHours: 0, to: { path: "/mnt/{{.Node.ID}}" } },
      existing: existing as unknown as Dict<Existing>,
    });
    const tls = { mode: "local" } as const;
    return new Swarm(system, { site, managers: ["unix:///x.sock"], tls, pin: (ref) => Promise.resolve(ref) });
  };
  const all = await record(() => {
    new Pyrus("pyrus", { on: on("pyrus"), adminEmail: "o'brien@example.com" });
    new ShinyProxy("shinyproxy", { on: on("shinyproxy"), ...ownOf.shinyproxy(together.slice(0, 2000)) });
  });
  const services = Object.fromEntries(
    all
      .filter(({ type }) => type === "docker:index/service:Service")
      .map(({ name, inputs }) => {
        const { env, mounts = [] } = (
          inputs as { taskSpec: { containerSpec: { env: Dict<string>; mounts?: { source?: string }[] } } }
        ).taskSpec.containerSpec;
        return [
          name,
          {
            env: Object.fromEntries(Object.entries(env).map(([key, text]) => [key, reader.goTemplate(text, "w1")])),
            sources: mounts.flatMap(({ source }) => (source === undefined ? [] : [reader.goTemplate(source, "w1")])),
          },
        ];
      }),
  );
  expect(services["shinyproxy-telegraf-node"]?.env.NODE_NAME).toBe("w1");
  expect(services["pyrus-backup"]?.sources).toEqual(["/mnt/{{.Node.ID}}"]);
  const { ConnectionString } = JSON.parse(services["pyrus-files"]?.env.MAIN_CONN_STRING ?? "") as Dict<string>;
  expect(reader.dotNet(ConnectionString ?? "")).toMatchObject({ Username: together, Password: together });
});

describe("names of databases that an importer chose", () => {
  const pg = { clientTls: "never", gib: 1 } as const;

  test("my-db, Order and an extension with a hyphen are names, not syntax", async () => {
    teller("psql", true);
    const owner = { name: "My-Role", superuser: false };
    const all = await alone(
      (on) => new Postgres("db", { on, ...pg, databases: ["my-db", "Order"], extensions: ["uuid-ossp"], owner }),
    );
    const { command = [] } = all.find(({ name }) => name === "db-setup")?.inputs as { command?: string[] };
    const script = (command.at(-1) ?? "").replace("/run/postgres/password", join(folder, "password"));
    writeFileSync(join(folder, "password"), "p'w");
    const calls = await told(["sh", "-euc", script]);
    const [role, database, extension] = calls.map((call) => ({ args: call, stdin: call.at(-1) ?? "" }));
    expect(role?.args).toEqual(expect.arrayContaining(["--set=role=My-Role", "--dbname=postgres"]));
    // psql reads and quotes it itself: no command line has it.
    expect(role?.stdin).toMatch(/^\\set pw `cat \/run\/postgres\/owner-password`\n/);
    expect(calls.flat().filter((word) => word.includes("p'w"))).toEqual([]);
    expect(database?.args).toEqual(expect.arrayContaining(["--set=db=my-db", "--set=role=My-Role"]));
    expect(database?.stdin).toContain("format('CREATE DATABASE %I OWNER %I', :'db', :'role')");
    expect(extension?.args).toEqual(expect.arrayContaining(["--set=extension=uuid-ossp", "--dbname=my-db"]));
    expect(extension?.stdin).toContain('CREATE EXTENSION IF NOT EXISTS :"extension"');
    for (const call of calls) expect(call.at(-1)).not.toMatch(/my-db|Order|My-Role|uuid/);
  });

  test.each(["my db", "o'brien", "a;b", "$(id)", "-x", "a/b", 'x"y', "x\ny", ""])(
    "%j is refused in one sentence",
    async (name) => {
      await expect(alone((on) => new Postgres("db", { on, ...pg, databases: [name] }))).rejects.toThrow(
        `db.databases = ${JSON.stringify(name)}: letters, digits, _ and inner hyphens`,
      );
      await expect(
        alone((on) => new Influx("ts", { on, databases: { [name]: { keep: "1d" } }, gib: 1 })),
      ).rejects.toThrow("ts.databases");
    },
  );
});

describe("what nobody could be told is refused with its key, and no secret is shown", () => {
  const problems = (more: Dict<unknown>): string[] =>
    planStack(
      { ...stack("shinyproxy", "x", existingOf.shinyproxy("x"), ownOf.shinyproxy("x")), ...more },
      "x",
    ).problems.map(
      ({ key, value, remedy }) => `${key}${value === undefined ? "" : ` = ${JSON.stringify(value)}`}: ${remedy}`,
    );

  test.each<[string, Dict<unknown>, string]>([
    ["NUL in a title", { shinyproxy: ownOf.shinyproxy("a\0b") }, "shinyproxy.title: it holds the character NUL"],
    ["NUL in a secret", { secrets: { redisPassword: "a\0b" } }, "secrets.redisPassword: it holds the character NUL"],
    [
      "a key of two lines",
      { secrets: { backupSecret: "a\nb" } },
      "secrets.backupSecret: an object store's key is one line",
    ],
    [
      "Telegraf's reference",
      { secrets: { influxPassword: "@{a:b}" } },
      "secrets.influxPassword: Telegraf cannot be told",
    ],
    [
      "a host that is an address",
      { existing: { redis: { kind: "redis", host: "http://x/" } } },
      'existing.redis.host = "http://x/": ',
    ],
    ["a volume that is a folder", { backup: { to: { volume: "/etc" } } }, "backup.to"],
    ["a folder with a colon", { backup: { to: { path: "/a:/b" } } }, "backup.to"],
    [
      "a label that is a constraint",
      { shinyproxy: { ...ownOf.shinyproxy("x"), controlNodes: { "a==b": "c" } } },
      "shinyproxy.controlNodes",
    ],
  ])("%s", (_, more, sentence) => {
    const said = problems(more);
    expect(said.filter((each) => each.startsWith(sentence))).not.toEqual([]);
    expect(said.join("\n")).not.toContain("\0");
  });
});
