/**
 * Whatever stands in a config, and whatever it is called: never a throw, a sentence that can be read, and what is accepted
 * plans. Over all ready stacks, with odd values in the place of each value, and odd names beside each.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import fc from "fast-check";

import { sentence } from "../../components/core/errors.ts";
import { planStack } from "../../components/deploy.ts";
import { builtConfig } from "../support/ready.ts";

const root = join(import.meta.dirname, "../..");
type Tree = Readonly<Record<string, unknown>>;

const files = ["Pulumi.dev.yaml", ...readdirSync(join(root, "stacks")).map((file) => `stacks/${file}`)];
const long = "x".repeat(70_000);

/** Of the wrong type, of the wrong shape, or the name of something that every object has. */
const odd: readonly unknown[] = [
  ...[
    "",
    " ",
    "\n",
    "a\nb",
    "\0",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    long,
    `${long}.example.com`,
  ],
  ...[
    "ünï-cödé",
    "\u202e",
    "😀",
    "\ud800",
    "$(id)",
    "`id`",
    "{{.Node.Hostname}}",
    "{{",
    "'",
    '"',
    "\\",
    "../..",
    "-",
    "a,b",
  ],
  ...[
    "true",
    "null",
    "12345",
    "NaN",
    "Infinity",
    "1e999",
    "https://user:hunter2@example.com",
    "-----BEGIN CERTIFICATE-----",
  ],
  ...["-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", "myhub", "Registry.Example.com/App:1", "a b"],
  ...[null, true, false, 0, -1, 0.5, 1e21, Number.MAX_SAFE_INTEGER, Number.NaN, Number.POSITIVE_INFINITY, 12345],
  ...[[], [[]], ["a"], [null], [long], {}, { a: 1 }, { mode: "own" }, { role: "boss" }, { secure: "x" }],
  ...[
    JSON.parse('{"__proto__": {"x": 1}}') as unknown,
    JSON.parse('{"constructor": "x"}') as unknown,
    Array.from({ length: 300 }, () => "a"),
  ],
];
const oddNames = [
  "__proto__",
  "constructor",
  "toString",
  "valueOf",
  "",
  " ",
  "a\nb",
  "ünï",
  "{{",
  "$(id)",
  "a.b",
  long,
];

/** The paths of everything in a tree: leaves, and what holds them. */
function places(value: unknown, here: readonly string[] = []): (readonly string[])[] {
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return [...(here.length > 0 ? [here] : []), ...inner.flatMap(([key, each]) => places(each, [...here, key]))];
}

/** A copy with `put` at the path; as JSON.parse makes it, `__proto__` included. */
function changed(value: unknown, [key, ...rest]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  if (Array.isArray(value))
    return (value as unknown[]).map((each, index) => (String(index) === key ? changed(each, rest, put) : each));
  const entries = Object.entries(typeof value === "object" && value !== null ? value : {});
  const others = entries.filter(([name]) => name !== key);
  const before: unknown = entries.find(([name]) => name === key)?.[1];
  return Object.fromEntries([...others, [key, changed(before, rest, put)]]);
}

/** What must hold for any config; the plan's problems are in it. */
function holds(config: unknown, stack: string): void {
  const plan = planStack(config as Tree, stack);
  for (const problem of plan.problems) {
    const text = sentence(problem);
    expect(text.length).toBeLessThanOrEqual(400);
    expect(text).not.toMatch(/\n|hunter2/);
  }
  if (plan.problems.length > 0) return;
  expect(plan.whole?.site.name).toMatch(/^[a-z][a-z0-9-]{0,30}$/);
  // A stack of machines runs no image, and ArangoDB needs nothing.
  expect(plan.images.length + (plan.whole?.plan.needs.length ?? 0)).toBeGreaterThan(0);
}

const stacks = files.map((file) => ({ file, config: builtConfig(file) }));

test.each(stacks)("$file as it is has no problem", ({ config }) => {
  expect(planStack(config, "dev").problems).toEqual([]);
});

test("an odd value in the place of any value", () => {
  const anywhere = fc
    .constantFrom(...stacks)
    .chain(({ config }) => fc.tuple(fc.constant(config), fc.constantFrom(...places(config))));
  const value = fc.oneof(
    fc.constantFrom(...odd),
    fc.string({ unit: "binary" }),
    fc.json().map((text) => JSON.parse(text) as unknown),
  );
  fc.assert(
    fc.property(anywhere, value, ([config, path], put) => {
      holds(changed(config, path, put), "dev");
    }),
    { numRuns: 400 },
  );
}, 60_000);

test("an odd name beside any other, with any value", () => {
  const anywhere = fc
    .constantFrom(...stacks)
    .chain(({ config }) => fc.tuple(fc.constant(config), fc.constantFrom([], ...places(config))));
  const name = fc.oneof(fc.constantFrom(...oddNames), fc.string());
  const value = fc.constantFrom("x", "r.example.com/a:1", {}, { kind: "redis", host: "h" }, { farm: "x" }, 1, [], {
    title: "x",
    image: "x",
  });
  fc.assert(
    fc.property(anywhere, name, value, ([config, path], key, put) => {
      holds(changed(config, [...path, key], put), "dev");
    }),
    { numRuns: 250 },
  );
}, 60_000);

/** Keys that no ready stack has, with what is right there: the property above would not reach them. */
const more: readonly Tree[] = [
  {
    swarm: {
      place: { zone: "a" },
      edge: { nodes: { role: "worker" } },
      registries: ["r.example.com"],
      nodes: { a: { labels: { zone: "a" }, address: "10.0.0.1", availability: "active" } },
      volumes: { driver: "nfs", options: { share: "{volume}" } },
    },
  },
  {
    docker: {
      host: "unix:///var/run/docker.sock",
      machines: { gpu: "tcp://gpu:2376" },
      registries: ["r.example.com:5000"],
    },
  },
  { mirror: "mirror.example.com/hub", publicPort: 8443 },
  ...["docker", "swarm"].flatMap((topology): Tree[] => [
    { [topology]: { tls: { mode: "acme", email: "a@example.com", caServer: "https://acme.example.com" } } },
    { [topology]: { tls: { mode: "outside", trustedProxies: ["10.1.0.0/16"] } } },
    {
      [topology]: { tls: { mode: "own", cert: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----" } },
      secrets: { tlsKey: "x" },
    },
  ]),
  {
    backup: {
      everyHours: 1,
      keepDays: 1,
      to: { s3: { endpoint: "https://s3.example.com", bucket: "b", region: "r" } },
    },
    secrets: { backupKey: "k", backupSecret: "s" },
  },
  { restore: { from: { path: "/backup" }, stack: "old", at: "latest" } },
  {
    existing: {
      redis: { kind: "redis", host: "r.example.com", port: 1, user: "u", ca: "-----BEGIN CERTIFICATE-----" },
      objects: { kind: "objects", url: "https://s3.example.com", prefix: "p-" },
      "sign-in": { kind: "oidc", issuer: "https://i.example.com", clientId: "c", domain: "https://d.example.com" },
    },
  },
  {
    pyrus: {
      adminEmail: "a@example.com",
      nodes: { files: { zone: "a" } },
      parameters: { "1": "x" },
      replicas: { files: 2 },
      reindex: "x",
      caCertificate: "x",
    },
  },
  {
    arkindex: {
      agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b", machine: "gpu" } },
      static: { cdn_assets_url: "https://x.example.com" },
    },
    secrets: { "ponosSeed-gpu": "x" },
  },
  {
    shinyproxy: {
      apps: {
        a: { title: "A", image: "a", env: { X: "y" }, groups: ["g"], volumes: { "/data": "v" }, command: ["x"] },
      },
      controlNodes: { role: "worker" },
      appNodes: "node.labels.pool==apps",
      adminGroups: ["a"],
      userClaim: "email",
    },
  },
  {
    media: { services: { a: { path: "/", replicas: 2 } }, retired: [1], rabbitNodes: 1 },
  },
  { arangodb: { rebuild: ["agent-1"], dbservers: { count: 3, retired: [2] } } },
];

const shared = ["backup", "existing", "mirror", "publicPort", "restore", "secrets"];
const fuller = stacks.flatMap(({ config }) =>
  more
    .filter((add) => Object.keys(add).every((key) => [...shared, config.system, config.topology].includes(key)))
    .map((add) => ({
      config: {
        ...config,
        ...Object.fromEntries(Object.entries(add).map(([key, value]) => [key, merged(config[key], value)])),
      },
      added: places(add),
    })),
);

function merged(before: unknown, value: unknown): unknown {
  return typeof before === "object" && typeof value === "object" ? { ...before, ...value } : value;
}

test("an odd value in the place of any value that no ready stack has", () => {
  const anywhere = fc
    .constantFrom(...fuller)
    .chain(({ config, added }) => fc.tuple(fc.constant(config), fc.constantFrom(...added)));
  fc.assert(
    fc.property(anywhere, fc.constantFrom(...odd), ([config, path], put) => {
      holds(changed(config, path, put), "dev");
    }),
    { numRuns: 400 },
  );
}, 60_000);

test("any stack's name: the sentence says what to set", () => {
  const config = stacks.map(({ config: each }) =>
    Object.fromEntries(Object.entries(each).filter(([key]) => key !== "name")),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...config),
      fc.oneof(fc.constantFrom("pr.12", "PR", "a_b", "x".repeat(40)), fc.string()),
      (each, stack) => {
        holds(each, stack);
        const named = planStack(each, stack).problems.some(({ key }) => key === "name");
        const fits = /^[a-z][a-z0-9-]{0,30}$/.test(`${String(each.system)}-${stack}`);
        // AWS' stores and buckets take fewer names.
        if (each.topology !== "aws" || !fits) expect(named).toBe(!fits);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
