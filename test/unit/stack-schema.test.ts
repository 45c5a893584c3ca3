/** The JSON Schema of a stack's file against the program's own schemas: both take the same, and refuse the same. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { parse } from "yaml";
import type { z } from "zod";

import { commonConfig, parseConfig } from "../../components/config.ts";
import { systems } from "../../components/systems/index.ts";
import { topologies } from "../../components/topologies/index.ts";
import { schemaFiles, schemaText } from "../../tools/commands/schema.ts";
import { Sources } from "../../tools/schema/docs.ts";
import { stackSchema } from "../../tools/schema/schema.ts";
import { builtConfig } from "../support/ready.ts";

const root = join(import.meta.dirname, "../..");
const files = ["Pulumi.dev.yaml", ...readdirSync(join(root, "stacks")).map((file) => `stacks/${file}`)];
const prefix = "platform-topologies:";
type Raw = Readonly<Record<string, unknown>>;

const valid = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(stackSchema());
/** Whether editors take a config, as a stack's file has it. */
const takes = (raw: Raw): boolean =>
  valid({ config: Object.fromEntries(Object.entries(raw).map(([key, value]) => [prefix + key, value])) });

test.each(schemaFiles)("%s is what `npm run schema` writes", async (file) => {
  expect(readFileSync(join(root, file), "utf8")).toBe(await schemaText(file));
});

test("each key of the project has a default: Pulumi asks every stack for one that has none", () => {
  const { config } = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { config: Record<string, object> };
  expect(Object.keys(config).length).toBeGreaterThan(3);
  for (const [key, entry] of Object.entries(config))
    expect([key, Object.keys(entry)]).toEqual([key, expect.arrayContaining(["default"])]);
});

test.each([...files, "Pulumi.prod.yaml"])("%s names the schema", (file) => {
  const [first] = readFileSync(join(root, file), "utf8").split("\n");
  expect(first).toBe(`# yaml-language-server: $schema=${file.startsWith("stacks/") ? ".." : "."}/stack.schema.json`);
});

test.each(files)("%s passes as it is written, with its salt and its encrypted values", (file) => {
  const text: unknown = parse(readFileSync(join(root, file), "utf8"));
  expect(valid(text) || valid.errors).toBe(true);
});

test("Pulumi.prod.yaml lacks its hostname, and nothing else", () => {
  expect(valid(parse(readFileSync(join(root, "Pulumi.prod.yaml"), "utf8")))).toBe(false);
  expect(valid.errors?.map(({ message }) => message)).toEqual([
    "must have required property 'platform-topologies:hostname'",
  ]);
});

describe("a stack's file", () => {
  const hostname = { "platform-topologies:hostname": "a.example.com" };
  const whole = (config: object, beside: object = {}) => valid({ config: { ...hostname, ...config }, ...beside });

  test("may have Pulumi's own keys and those of other providers", () => {
    expect(whole({ "pulumi:disable-default-providers": ["*"], "aws:region": "eu-central-1" })).toBe(true);
    expect(whole({}, { encryptionsalt: "v1:x", secretsprovider: "passphrase", environment: ["shared"] })).toBe(true);
  });

  test("may have a value as `pulumi config set` writes it", () => {
    expect(whole({ [`${prefix}protect`]: "true", [`${prefix}publicPort`]: "8443" })).toBe(true);
    expect(whole({ [`${prefix}secrets`]: { tlsKey: { secure: "v1:x" }, backupKey: "plain" } })).toBe(true);
    expect(whole({ [`${prefix}protect`]: "yes" })).toBe(false);
    expect(whole({ [`${prefix}secrets`]: { tlsKey: { plain: "x" } } })).toBe(false);
  });

  test("may not have a key that nobody reads: mistyped, without its prefix, or at the wrong place", () => {
    expect(whole({ [`${prefix}hostnam`]: "x" })).toBe(false);
    expect(whole({ system: "arkindex" })).toBe(false);
    expect(whole({}, { [`${prefix}system`]: "arkindex" })).toBe(false);
    expect(valid({})).toBe(false);
  });
});

const good = { system: "arkindex", topology: "docker", hostname: "arkindex.example.com" } as const;
/** A good config, changed; `undefined` takes a key away. */
const rawOf = (over: Raw): Raw =>
  Object.fromEntries(Object.entries<unknown>({ ...good, ...over }).filter(([, value]) => value !== undefined));
const pem = "-----BEGIN CERTIFICATE-----\nx";
const aws = { account: "123456789012", region: "eu-central-1", zones: ["eu-central-1a", "eu-central-1b"] };
const apps = { demo: { title: "Demo", image: "example/demo:1" } };
const without = (key: string) => ({ arkindex: undefined, system: key });

test.each<[string, Raw]>([
  ["as it is", {}],
  ["numbers, lists and records", { arkindex: { backends: 2 }, docker: { registries: ["r.example.com:5000"] } }],
  ["each mode of TLS", { docker: { tls: { mode: "own", cert: pem } } }],
  ["a place of backups", { backup: { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } } }],
  ["what exists", { existing: { db: { kind: "postgres", host: "db.example.com", port: 5432 } } }],
  ["another topology", { topology: "aws", aws }],
  ["another system", { ...without("pyrus"), pyrus: { adminEmail: "a@example.com", replicas: { files: 2 } } }],
  ["apps", { ...without("shinyproxy"), shinyproxy: { apps, controlNodes: { role: "worker" } } }],
])("both take %s", (_, over) => {
  const raw = rawOf(over);
  expect(parseConfig(raw).problems).toEqual([]);
  expect(takes(raw) || valid.errors).toBe(true);
});

/** What is refused by both. */
const wrong: [string, Raw][] = [
  ["a missing hostname", { hostname: undefined }],
  ["a hostname of one label", { hostname: "arkindex" }],
  ["a hostname with a scheme", { hostname: "https://a.example.com" }],
  ["an unknown system", { system: "gitlab" }],
  ["an unknown topology", { topology: "kubernetes" }],
  ["an unknown key", { hostnam: "x" }],
  ["an unknown key of the topology", { docker: { hosts: "unix:///x" } }],
  ["an unknown key of the system", { arkindex: { backend: 2 } }],
  ["an unknown key below", { arkindex: { features: { chat: true } } }],
  ["another system's key", { pyrus: { adminEmail: "a@example.com" } }],
  ["another topology's key", { swarm: {} }],
  ["text for a number", { arkindex: { backends: "two" } }],
  ["a number for a text", { hostname: 12345 }],
  ["too small a number", { arkindex: { backends: 0 } }],
  ["too large a number", { arkindex: { backends: 51 } }],
  ["half a number", { arkindex: { workers: 1.5 } }],
  ["a port that is none", { docker: { ports: { http: 80, https: 70000 } } }],
  ["a packet that is none", { docker: { mtu: 100 } }],
  ["an engine's address", { docker: { host: "localhost:2375" } }],
  ["an address to publish on", { docker: { address: "eth0" } }],
  ["a machine's name", { docker: { machines: { "G P U": "ssh://gpu" } } }],
  ["a relative socket", { docker: { socket: "docker.sock" } }],
  ["a registry with a scheme", { docker: { registries: ["https://r.example.com"] } }],
  ["a mirror with a scheme", { mirror: "https://r.example.com" }],
  ["a mode of TLS", { docker: { tls: { mode: "none" } } }],
  ["ACME without an address", { docker: { tls: { mode: "acme" } } }],
  ["an e-mail address", { docker: { tls: { mode: "acme", email: "operator" } } }],
  ["a certificate", { docker: { tls: { mode: "own", cert: "/etc/cert.pem" } } }],
  ["nobody in front", { docker: { tls: { mode: "outside", trustedProxies: [] } } }],
  ["a place of backups", { backup: { to: { nfs: "x" } } }],
  ["a backup without a place", { backup: { everyHours: 24 } }],
  ["a place with a key too many", { backup: { to: { volume: "v1", path: "/x" } } }],
  ["an S3 server without a scheme", { backup: { to: { s3: { endpoint: "s3.example.com", bucket: "b" } } } }],
  ["an S3 server of another scheme", { backup: { to: { s3: { endpoint: "ftp://s3.example.com", bucket: "b" } } } }],
  ["a password in an address", { backup: { to: { s3: { endpoint: "https://u:p@s3.example.com", bucket: "b" } } } }],
  ["a backup too often", { backup: { everyHours: 0, to: { volume: "v1" } } }],
  ["a run's time", { restore: { from: { volume: "v1" }, stack: "old", at: "yesterday" } }],
  ["a kind of what exists", { existing: { db: { kind: "mysql", host: "h" } } }],
  [
    "an OpenID provider without a client",
    { existing: { "sign-in": { kind: "oidc", issuer: "https://i.example.com" } } },
  ],
  ["a supplier", { data: { db: "cloud" } }],
  ["an empty secret", { secrets: { tlsKey: "" } }],
  ["a disk's word", { disks: { "db-1": "" } }],
  ["a stack's name", { name: "Arkindex" }],
  ["a farm", { arkindex: { agents: { gpu: { farm: "farm" } } } }],
  ["an agent's name", { arkindex: { agents: { "1gpu": { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b" } } } }],
  ["a release", { arkindex: { version: "v1.7" } }],
  ["a missing part", { topology: "aws" }],
  ["an account", { topology: "aws", aws: { ...aws, account: 123456789012 } }],
  ["one zone", { topology: "aws", aws: { ...aws, zones: ["eu-central-1a"] } }],
  [
    "four zones",
    { topology: "aws", aws: { ...aws, zones: ["a", "b", "c", "d"].map((zone) => `eu-central-1${zone}`) } },
  ],
  ["days of logs", { topology: "aws", aws: { ...aws, logDays: 2 } }],
  ["a size", { topology: "aws", aws: { ...aws, classes: { db: "large" } } }],
  ["ways out", { topology: "aws", aws: { ...aws, nat: "two" } }],
  ["a missing administrator", { ...without("pyrus"), pyrus: {} }],
  [
    "replicas of what does not scale",
    { ...without("pyrus"), pyrus: { adminEmail: "a@b.cd", replicas: { scheduler: 2 } } },
  ],
  ["two of a quorum", { ...without("pyrus"), pyrus: { adminEmail: "a@b.cd", natsNodes: 2 } }],
  ["no apps", without("shinyproxy")],
  ["an app without an image", { ...without("shinyproxy"), shinyproxy: { apps: { demo: { title: "Demo" } } } }],
  ["a time to keep", { ...without("shinyproxy"), shinyproxy: { apps, keepUsage: "90" } }],
  ["a constraint", { ...without("shinyproxy"), shinyproxy: { apps, appNodes: "worker" } }],
  ["a role of ArangoDB", { ...without("arangodb"), arangodb: { agents: { count: 5 } } }],
  ["an agent that is none", { ...without("arangodb"), arangodb: { rebuild: ["agent-4"] } }],
  ["two agents", { ...without("arangodb"), arangodb: { rebuild: ["agent-1", "agent-2"] } }],
];

test.each(wrong)("both refuse %s", (_, over) => {
  const raw = rawOf(over);
  expect(parseConfig(raw).problems).not.toEqual([]);
  expect(takes(raw)).toBe(false);
});

test("a system where it does not run is refused by both, before the plan says why", () => {
  expect(takes({ ...good, topology: "aws", aws, system: "shinyproxy", shinyproxy: { apps } })).toBe(false);
  expect(takes({ ...good, topology: "gcp" })).toBe(false);
});

/** The paths of everything in a tree: leaves, and what holds them. */
function places(value: unknown, here: readonly string[] = []): (readonly string[])[] {
  const inner = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  return [...(here.length > 0 ? [here] : []), ...inner.flatMap(([key, each]) => places(each, [...here, key]))];
}

function changed(value: unknown, [key, ...rest]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  const entries = Object.entries(value as object).map(([name, inner]: [string, unknown]) => {
    return [name, name === key ? changed(inner, rest, put) : inner] as const;
  });
  return Object.fromEntries(entries);
}

/** Whether the program's schemas refuse it for what a JSON Schema can say: not by a rule of several values. */
function refusedAlone(raw: Raw): boolean {
  const parts = [...Object.keys(systems), ...Object.keys(topologies)];
  const shared = Object.fromEntries(Object.entries(raw).filter(([key]) => !parts.includes(key)));
  const read: [z.ZodType, unknown][] = [
    [commonConfig, shared],
    ...Object.entries({ ...systems, ...topologies })
      .filter(([name]) => name === raw.system || name === raw.topology)
      .map(([name, { config }]): [z.ZodType, unknown] => [config, raw[name] ?? {}]),
  ];
  return read.some(([schema, value]) => schema.safeParse(value).error?.issues.some(({ code }) => code !== "custom"));
}

/** Of the wrong type, out of every range, or of a form that hardly any text has. */
const odd: readonly unknown[] = [
  ...["", " ", "a\nb", "ünï", "a b", "https://u:p@example.com", "../..", "{{x}}", "X".repeat(500)],
  ...[null, true, 0, -1, 0.5, 1e9, [], [null], ["a"], {}, { a: 1 }, { mode: "own" }, { volume: "v1" }],
];

test.each(files)("%s with an odd value in any place: the schema refuses what the program does, and no more", (file) => {
  const config = builtConfig(file);
  const differ = places(config).flatMap((path) =>
    odd.flatMap((put) => {
      const raw = changed(config, path, put) as Raw;
      const [ours, theirs] = [refusedAlone(raw), !takes(raw)];
      // What no schema can say alone may be refused by the program, but what it takes the schema has to take.
      const agree = ours ? theirs : !theirs || parseConfig(raw).problems.length > 0;
      return agree ? [] : [`${path.join(".")} = ${JSON.stringify(put)}: ${ours ? "taken" : "refused"} by the schema`];
    }),
  );
  expect(differ).toEqual([]);
});

describe("descriptions are the doc comments", () => {
  const sources = new Sources();
  test("of members, of what a record holds, of a constant that is imported, of arguments", () => {
    const arkindex = sources.schema("arkindexConfig");
    expect(arkindex.properties.get("version")?.text).toBe("Migrations run once for each version.");
    expect(sources.schema("dockerConfig").properties.get("ports")?.text).toBe("The edge's ports on the machines.");
    expect(sources.schema("commonConfig").properties.get("backup")?.properties.get("drillEveryHours")?.text).toMatch(
      /^How often the newest run is restored/,
    );
    const groups = sources.schema("machinesConfig").properties.get("workers")?.inside;
    expect(groups?.properties.get("keeps")?.text).toMatch(/^Each stays/);
    expect(sources.arguments("SwarmArgs").properties.get("mtu")?.text).toMatch(/^Bytes in a packet/);
    expect(sources.arguments("SwarmArgs").properties.get("nodes")?.inside?.properties.get("address")?.text).toMatch(
      /^The address at which clients reach it/,
    );
  });

  test("and reach the schema, with what the program says of a wrong form", () => {
    const text = JSON.stringify(stackSchema(sources));
    expect(text).toContain("Migrations run once for each version.");
    expect(text).toContain('"patternErrorMessage":"a release, as 1.7.0"');
  });
});
