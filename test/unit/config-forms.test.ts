/** The keys that every stack's config has: what they usually are, which values they take, and which they refuse. */
import { expect, test } from "@jest/globals";

import { parseConfig } from "../../components/config.ts";

const long = (length: number): string =>
  Array.from({ length: Math.ceil(length / 10) }, () => "abcdefghi.")
    .join("")
    .slice(0, length - 3) + ".ab";
const good = { system: "arkindex", topology: "docker", hostname: "a.example.com" };
const s3 = { endpoint: "https://s3.example.com", bucket: "b" };
const ca = "-----BEGIN CERTIFICATE-----\nx";
const oidc = { kind: "oidc", issuer: "https://id.example.com", clientId: "us" };
const cognito = { ...oidc, issuer: "https://cognito-idp.eu-west-1.amazonaws.com/x" };
const urls = { auth: "https://a", token: "https://b", keys: "https://c", logout: "https://d" };

/** A config with a value at a path below others that are right. */
const whole: Readonly<Record<string, (value: unknown) => object>> = {
  "backup.to.path": (path) => ({ backup: { to: { path } } }),
  "backup.to.volume": (volume) => ({ backup: { to: { volume } } }),
  "backup.to.s3.bucket": (bucket) => ({ backup: { to: { s3: { ...s3, bucket } } } }),
  "backup.to.s3.region": (region) => ({ backup: { to: { s3: { ...s3, region } } } }),
  "backup.to.s3.endpoint": (endpoint) => ({ backup: { to: { s3: { ...s3, endpoint } } } }),
  "backup.to": (to) => ({ backup: { to } }),
  "backup.everyHours": (everyHours) => ({ backup: { everyHours, to: { path: "/b" } } }),
  "backup.keepDays": (keepDays) => ({ backup: { keepDays, to: { path: "/b" } } }),
  "backup.drillEveryHours": (drillEveryHours) => ({ backup: { drillEveryHours, to: { path: "/b" } } }),
  "restore.stack": (stack) => ({ restore: { stack, from: { path: "/b" } } }),
  "restore.at": (at) => ({ restore: { at, stack: "old", from: { path: "/b" } } }),
  "existing.db.port": (port) => ({ existing: { db: { kind: "postgres", host: "db.example.com", port } } }),
  "existing.db.user": (user) => ({ existing: { db: { kind: "postgres", host: "db.example.com", user } } }),
  "existing.db.ca": (pem) => ({ existing: { db: { kind: "postgres", host: "db.example.com", ca: pem } } }),
  "existing.db.kind": (kind) => ({ existing: { db: { kind, host: "db.example.com" } } }),
  "existing.objects.url": (url) => ({ existing: { objects: { kind: "objects", url } } }),
  "existing.objects.prefix": (prefix) => ({ existing: { objects: { kind: "objects", url: "https://s3", prefix } } }),
  "existing.objects.region": (region) => ({ existing: { objects: { kind: "objects", url: "https://s3", region } } }),
  "existing.objects": (row) => ({ existing: { objects: row } }),
  "existing.sign-in": (row) => ({ existing: { "sign-in": row } }),
  "docker.host": (host) => ({ docker: { host } }),
  "docker.machines": (machines) => ({ docker: { machines } }),
  "docker.address": (address) => ({ docker: { address } }),
  "docker.ports": (ports) => ({ docker: { ports } }),
  "docker.registries": (registries) => ({ docker: { registries } }),
  "docker.subnets": (subnets) => ({ docker: { subnets } }),
  "docker.mtu": (mtu) => ({ docker: { mtu } }),
  "docker.socket": (socket) => ({ docker: { socket } }),
  "docker.tls": (tls) => ({ docker: { tls } }),
  "docker.tls.cert": (cert) => ({ docker: { tls: { mode: "own", cert } } }),
  "docker.tls.email": (email) => ({ docker: { tls: { mode: "acme", email } } }),
  "docker.tls.caServer": (caServer) => ({ docker: { tls: { mode: "acme", email: "a@example.com", caServer } } }),
  "docker.tls.trustedProxies": (trustedProxies) => ({ docker: { tls: { mode: "outside", trustedProxies } } }),
};
const withValue = (key: string, value: unknown): object => whole[key]?.(value) ?? { [key]: value };
const refused = (key: string, value: unknown): string[] =>
  parseConfig({ ...good, ...withValue(key, value) }).problems.map((problem) => problem.key);

const forms: readonly (readonly [key: string, good: readonly unknown[], bad: readonly unknown[]])[] = [
  [
    "hostname",
    ["a.example.com", "a.bc", "a-1.b-2.cd", "1.ab", long(200)],
    [
      "a",
      "A.example.com",
      "a.example.com.",
      "-a.bc",
      "a-.bc",
      "a.-bc",
      "a.bc-",
      "a_b.cd",
      "a.1b",
      "a..bc",
      "",
      "x.a.bc ",
      " a.bc",
      long(201),
    ],
  ],
  ["system", ["arkindex"], ["other", "", undefined, "toString"]],
  ["name", ["own", "a-1"], ["", "Own", "a b"]],
  ["rehearsal", [true, false], ["true", 1]],
  ["protect", [true, false], ["true", 1]],
  ["localImages", [true, false], ["true", 1]],
  ["publicPort", [1, 443, 8081, 65535], [0, 65536, 1.5, "443", 8082]],
  [
    "images",
    [
      { toolbox: "r.example.com/t:1" },
      { "pyrus/*": "r.example.com/pyrus-*:1" },
      { "pyrus/files": "r.example.com/f:1" },
    ],
    [
      { toolbox: "" },
      { toolbox: "a b" },
      { nothing: "r.example.com/n:1" },
      { toolbox: "r.example.com/*:1" },
      { toolbox: 1 },
    ],
  ],
  ["backup.to.path", ["/b", "/a b/c", "/ü"], ["b", "/", "/a:b", "/a\nb", "", "x/a"]],
  ["backup.to.volume", ["ab", "A.b-c_1"], ["a", "-ab", "a b", "", "a/b"]],
  ["backup.to.s3.bucket", ["b", "b/c/d", "a.b-c_d"], ["/b", "b/", "b//c", "", "b c"]],
  ["backup.to.s3.region", ["", "eu-central-1"], ["a b", "a/b"]],
  ["backup.to.s3.endpoint", ["https://s3.example.com", "http://s3"], ["s3.example.com", "ftp://s3", ""]],
  ["backup.to", [{ path: "/b" }, { volume: "vo" }, { s3 }], [{}, { path: "/b", volume: "vo" }, "/b", { other: 1 }]],
  ["backup.everyHours", [0.01, 744], [0, 0.009, 744.1, "1"]],
  ["backup.keepDays", [1, 10_000], [0, 0.9]],
  ["backup.drillEveryHours", [0, 0.5, 8784], [-1, 8785]],
  ["restore.stack", ["arkindex-dev", "A.b_c"], ["", "-a", ".a", "a/b", "a b"]],
  [
    "restore.at",
    ["latest", "2026-01-31T04-00-00Z"],
    ["", "2026-01-31", "later", "latest1", "2026-01-31T04-00-00Zx", "x2026-01-31T04-00-00Z"],
  ],
  [
    "existing.db.kind",
    ["postgres", "redis", "solr", "elasticsearch", "nats", "amqp", "cql", "influx"],
    ["mysql", "", "containers"],
  ],
  ["existing.db.port", [1, 65535], [0, 65536, 1.5]],
  ["existing.db.user", ["o'brien"], ["", "a\nb"]],
  ["existing.db.ca", [ca], ["", "x", ` ${ca}`]],
  [
    "existing.objects.url",
    ["https://s3.example.com", "http://s3.example.com:9000/"],
    ["https://s3.example.com/path", "https://s3.example.com?x=1", "https://s3.example.com#x", "s3"],
  ],
  ["existing.objects.prefix", ["", "a.b-c_"], ["a b", "a/"]],
  ["existing.objects.region", ["", "eu-1"], ["a b"]],
  [
    "existing.objects",
    [
      { kind: "objects", api: "azure-blob", url: "https://a.example.com/account" },
      { kind: "objects", api: "s3", url: "https://s3", ca },
    ],
    [
      { kind: "objects" },
      { kind: "objects", api: "ftp", url: "https://s3" },
      { kind: "objects", url: "https://s3", host: "s3" },
    ],
  ],
  [
    "existing.sign-in",
    [
      oidc,
      { ...oidc, urls },
      { ...oidc, urls: { logout: "https://d" } },
      { ...oidc, groupsClaim: "roles" },
      { ...cognito, domain: "https://login.example.com" },
      { ...cognito, urls },
    ],
    [
      { ...oidc, urls: { auth: "https://a", logout: "https://d" } },
      { ...oidc, urls: { ...urls, logout: undefined } },
      { ...oidc, clientId: "" },
      { ...oidc, groupsClaim: "" },
      { ...oidc, issuer: "id" },
      cognito,
      { ...cognito, urls: { logout: "https://d" } },
    ],
  ],
  [
    "docker.host",
    [
      "unix:///run/d.sock",
      "tcp://d:2375",
      "tcp://[fd00::1]:2375",
      "ssh://gpu",
      "ssh://me@gpu",
      "ssh://a.b-c@10.0.0.1:22",
    ],
    [
      ...[
        "",
        "d",
        "d:2375",
        "http://d:2375",
        "unix://run/d.sock",
        "unix:///",
        "unix:///a b",
        "unix:///a,b",
        " unix:///a",
      ],
      ...[
        "tcp://d",
        "tcp://d:",
        "tcp://:2375",
        "tcp://d:x",
        "tcp://d:2375/",
        "tcp://d/e:2375",
        "tcp://a,b:1",
        "tcp://a b:1",
      ],
      ...[
        "ssh://",
        "ssh://@gpu",
        "ssh://me@",
        "ssh://me:word@gpu",
        "ssh://a@b@c",
        "ssh://a/b",
        "ssh://a/b@c",
        "ssh://a,b",
      ],
      ...["ssh://a,b@c", "ssh://a b", "xssh://gpu", "ssh://gpu ", 1],
    ],
  ],
  [
    "docker.machines",
    [
      {},
      { gpu: "ssh://gpu", "g-1": { host: "tcp://g:1" } },
      { gpu: { host: "ssh://gpu", socket: "/run/d.sock" } },
      { gpu: { host: "ssh://gpu", socket: undefined } },
    ],
    [
      ...[
        { Gpu: "ssh://gpu" },
        { "1gpu": "ssh://gpu" },
        { g_1: "ssh://gpu" },
        { "-g": "ssh://gpu" },
        { gA: "ssh://gpu" },
      ],
      ...[{ gpu: "gpu" }, { gpu: {} }, { gpu: { host: "gpu" } }, { gpu: { host: "ssh://gpu", socket: "s" } }],
      ...[{ gpu: { host: "ssh://gpu", other: 1 } }, "ssh://gpu"],
    ],
  ],
  ["docker.address", ["0.0.0.0", "127.0.0.1", "::", "fd00::1"], ["", "eth0", "10.0.0.0/8", "256.0.0.1", 1]],
  [
    "docker.ports",
    [{}, { http: 8080 }, { http: 1, https: 65535 }, { http: 8081, https: 8083 }],
    [
      ...[{ http: 0 }, { https: 65536 }, { http: 1.5 }, { http: "80" }, { other: 1 }, 80],
      ...[{ http: 443 }, { https: 80 }, { http: 8443, https: 8443 }, { http: 8082 }, { https: 8082 }],
    ],
  ],
  ["docker.registries", [[], ["r.example.com", "localhost:5000"]], [["r"], ["r.example.com/a"], "r.example.com"]],
  ["docker.subnets", [{}, { edge: "10.60.1.0/24" }], [{ edge: "10.60.1.1/24" }, { edge: "" }, { edge: 1 }, []]],
  ["docker.mtu", [576, 1400, 65535], [575, 65536, 1500.5, "1400"]],
  ["docker.socket", ["/a", "/run/user/1000/d.sock"], ["", "/", "d.sock", "/run/", "/run/d.sock:ro", "/a\0b", "a/b", 1]],
  ["docker.tls", [{ mode: "local" }], [{}, { mode: "none" }, { mode: "local", email: "a@example.com" }, "local"]],
  ["docker.tls.cert", [ca], ["", "cert.pem", ` ${ca}`, undefined]],
  ["docker.tls.email", ["a@example.com"], ["", "a", undefined]],
  ["docker.tls.caServer", ["https://acme.example.com/directory", undefined], ["", "acme.example.com"]],
  [
    "docker.tls.trustedProxies",
    [["10.0.0.1"], ["fd00::1", "10.0.0.0/8"], ["fe00::/7"]],
    [
      [],
      [""],
      ["balancer"],
      ["10.0.0.0/33"],
      ["10.0.0.0/7"],
      ["0.0.0.0/0"],
      ["fc00::/6"],
      ["::/0"],
      "10.0.0.1",
      undefined,
    ],
  ],
  ["disks", [{ "db-1": "2026-03-01" }, { "db-1": "gone" }], [{ "db-1": "" }, { "db-1": 1 }]],
  ["rotate", [{ db: "2026-03-01" }], [{ db: "" }, { db: 1 }, "db", ["db"]]],
  ["data", [{ db: "container" }, { db: "managed" }], [{ db: "" }, { db: "mine" }]],
  ["secrets", [{ backupKey: "k" }], [{ backupKey: "" }, { backupKey: 1 }]],
];

test.each(forms.flatMap(([key, , bad]) => bad.map((value) => [key, value] as const)))(
  "%s may not be %j",
  (key, value) => {
    const keys = refused(key, value);
    expect(keys).not.toEqual([]);
    expect(keys.filter((each) => !each.startsWith(key))).toEqual([]);
  },
);
test.each(forms.flatMap(([key, values]) => values.map((value) => [key, value] as const)))(
  "%s may be %j",
  (key, value) => {
    expect(refused(key, value)).toEqual([]);
  },
);

test("what is not said is as the documentation says", () => {
  expect(parseConfig(good).settings).toEqual({
    ...good,
    ...{ rehearsal: false, protect: true, localImages: false },
    ...{ images: {}, existing: {}, disks: {}, rotate: {}, data: {}, secrets: {} },
  });
  expect(parseConfig(good).topology).toEqual({
    ...{ host: "unix:///var/run/docker.sock", machines: {}, address: "0.0.0.0", ports: { http: 80, https: 443 } },
    ...{ tls: { mode: "local" }, registries: [], networks: {}, subnets: {} },
  });
  expect(parseConfig({ ...good, docker: { ports: { http: 8080 } } }).topology).toMatchObject({
    ports: { http: 8080, https: 443 },
  });
  const { settings } = parseConfig({
    ...good,
    backup: { to: { s3 } },
    restore: { stack: "old", from: { s3 } },
    existing: { objects: { kind: "objects", url: "https://s3.example.com" } },
  });
  expect(settings).toMatchObject({
    backup: { everyHours: 24, keepDays: 14, drillEveryHours: 7 * 24, to: { s3: { ...s3, region: "us-east-1" } } },
    restore: { at: "latest" },
    existing: { objects: { api: "s3", region: "us-east-1", prefix: "" } },
  });
});

test("the parts of another system and of another topology are refused, and those of this one are read", () => {
  const { problems, system, topology } = parseConfig({
    ...good,
    ...{ arkindex: { backends: 2 }, docker: { address: "127.0.0.1" } },
    ...{ pyrus: { adminEmail: "a@example.com" }, swarm: {} },
  });
  expect(problems.map(({ key }) => key)).toEqual(["pyrus", "swarm"]);
  expect([system, topology]).toMatchObject([{ backends: 2 }, { address: "127.0.0.1" }]);
});

test("a key that every object has is refused, at any depth", () => {
  const evil = JSON.parse('{"__proto__": {}, "secrets": {"__proto__": "x", "a": "b"}}') as object;
  const keys = parseConfig({ ...good, ...Object.fromEntries(Object.entries(evil)), __proto__: undefined }).problems;
  expect(keys.map(({ key }) => key)).toContain("secrets.__proto__");
});

test("what is wrong in one part hides nothing of another, and the rest is read as it is", () => {
  const { problems, settings, topology } = parseConfig({
    ...{ ...good, hostname: "x", publicPort: 0, protect: false, other: 1 },
    ...{ arkindex: { backends: 0 }, docker: { address: "127.0.0.1", other: 1 } },
  });
  expect(problems.map(({ key }) => key).sort()).toEqual([
    ...["arkindex.backends", "docker.other", "hostname", "other", "publicPort"],
  ]);
  expect(settings).toMatchObject({ hostname: "unknown.invalid", protect: false });
  expect(topology).toMatchObject({ address: "127.0.0.1" });
});
