import { describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { planStack } from "../../components/deploy.ts";
import "../support/unpublished.ts";

const good = {
  system: "arkindex",
  topology: "docker",
  hostname: "arkindex.example.com",
  rehearsal: true,
  images: Object.fromEntries(
    ["toolbox", "rehearsal", "postgres-ha", "garage"].map((key) => [key, `registry.example.com/${key}:1`]),
  ),
  arkindex: { version: "1.7.0" },
} as const;

/** The sentences for a config that differs from a good one; `undefined` takes a key away. */
function problems(change: Record<string, unknown>, stack = "dev"): string[] {
  const merged: Record<string, unknown> = { ...good, ...change };
  const raw = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
  return planStack(raw, stack).problems.map(sentence);
}

test("a good config has no problems", () => {
  expect(problems({})).toEqual([]);
});

test("ranges, MTU and sockets, on both topologies and on further machines", () => {
  const agents = { a: { farm: agent.farm, machine: "gpu" }, b: agent };
  const seeds = { "ponosSeed-a": "s", "ponosSeed-b": "s" };
  const docker = {
    host: "tcp://d:2375",
    socket: "/run/user/1000/docker.sock",
    machines: { gpu: { host: "ssh://gpu", socket: "/run/d.sock" } },
    subnets: { edge: "10.60.1.0/24", app: "10.60.2.0/26", data: "10.60.3.0/24", "app-gpu": "10.60.4.0/28" },
    mtu: 1400,
  };
  expect(problems({ docker, arkindex: { agents }, secrets: seeds })).toEqual([]);
  const swarm = { managers: ["tcp://m:2375"], socket: "/run/d.sock", subnets: { app: "10.60.2.0/24" }, mtu: 1400 };
  expect(
    problems({ topology: "swarm", swarm, arkindex: { agents: { b: agent } }, secrets: { "ponosSeed-b": "s" } }),
  ).toEqual([]);
  const apps = { demo: { title: "Demo", image: "example/demo:1" } };
  const shiny = { system: "shinyproxy", arkindex: undefined, shinyproxy: { apps } };
  const joined = { apps: "10.61.1.0/24", "runner-api": "10.61.2.0/28", "reader-api": "10.61.3.0/28" };
  const missing = problems({ ...shiny, docker: { subnets: joined } }).filter((each) => each.startsWith("docker."));
  expect(missing).toEqual([]);
});

test("an address that moves needs keepalived's image, which is then among the stack's", () => {
  const moves = {
    ...{ ...good, topology: "swarm" },
    swarm: { managers: ["tcp://m:2375"], edge: { nodes: {}, address: "192.0.2.10/24" } },
  };
  expect(problems(moves)).toEqual([expect.stringMatching(/^images\.keepalived: /)]);
  const keys = (raw: object) => planStack(raw as Record<string, unknown>, "dev").images.map(({ key }) => key);
  const images = { ...good.images, keepalived: "registry.example.com/keepalived:1" };
  expect(keys({ ...moves, images })).toContain("keepalived");
  expect(keys({ ...moves, swarm: { managers: ["tcp://m:2375"] }, images })).not.toContain("keepalived");
});

test("users' apps share no more memory than they have", () => {
  const apps = { demo: { title: "Demo", image: "example/demo:1", memoryMib: 256, shmMib: 300 } };
  const found = problems({ system: "shinyproxy", arkindex: undefined, shinyproxy: { apps } });
  expect(found).toContain("shinyproxy.apps.demo.shmMib = 300: at most the app's memoryMib: it is a part of that");
});

const agent = { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b" };
/** What is wrong, and the one sentence that says so. */
const wrong: [string, Record<string, unknown>, string, number?][] = [
  ["unknown key", { hostnam: "x" }, 'hostnam: unknown key (did you mean "hostname"?)'],
  [
    "one of Docker's own networks",
    { docker: { networks: { app: "bridge" } } },
    'docker.networks.app = "bridge": Docker\'s own, in which nothing has a name: name one of yours',
  ],
  [
    "a network's name that is none",
    { docker: { networks: { app: "a b" } } },
    'docker.networks.app = "a b": a network\'s name, as `docker network ls` has it',
  ],
  [
    "a range for a network that is there",
    { docker: { networks: { data: "back" }, subnets: { data: "10.60.1.0/24" } } },
    'docker.networks.data = "back": it has its range already: leave docker.subnets.data out',
  ],
  [
    "a tier that is none, on a swarm",
    { topology: "swarm", docker: undefined, swarm: { networks: { apps: "back" } } },
    'swarm.networks.apps = "back": no such network; there are edge, app, data',
  ],
  [
    "unknown nested key",
    { docker: { hosts: "unix:///x" } },
    'docker.hosts: unknown key (did you mean "host"?); known are host, machines, address, ports, tls, registries, networks, subnets, mtu, socket',
  ],
  [
    "unknown key of the system",
    { arkindex: { backend: 2 } },
    'arkindex.backend: unknown key (did you mean "backends"?)',
  ],
  [
    "unknown system",
    { system: "gitlab" },
    'system = "gitlab": one of arangodb, arkindex, machines, media, pyrus, shinyproxy',
  ],
  ["unknown topology", { topology: "kubernetes" }, 'topology = "kubernetes": one of docker, swarm, aws, gcp, azure'],
  [
    "a topology to come",
    { topology: "gcp" },
    'topology = "gcp": arkindex runs on docker, swarm, aws; gcp is not built yet',
  ],
  ["hostname missing", { hostname: undefined }, "hostname: missing: expected string"],
  ["hostname of one label", { hostname: "arkindex" }, 'hostname = "arkindex": a DNS name of two labels or more'],
  ["hostname with a scheme", { hostname: "https://a.example.com" }, 'hostname = "https://a.example.com": a DNS name'],
  ["hostname with an underscore", { hostname: "my_host.example.com" }, 'hostname = "my_host.example.com": a DNS name'],
  ["wrong type", { protect: "yes" }, 'protect = "yes": Invalid input: expected boolean'],
  ["wrong type inside", { arkindex: { backends: "two" } }, 'arkindex.backends = "two": Invalid input: expected number'],
  ["no replica", { arkindex: { backends: 0 } }, "arkindex.backends = 0: Too small"],
  ["half a replica", { arkindex: { workers: 1.5 } }, "arkindex.workers = 1.5: Invalid input: expected int"],
  ["replicas of a slot", { arkindex: { solrReplicas: 3 } }, "arkindex.solrReplicas: unknown key"],
  [
    "one port for two",
    { docker: { ports: { http: 8443, https: 8443 } } },
    'docker.ports = {"http":8443,"https":8443}: http and https need a port each',
  ],
  ["the edge's own port", { docker: { ports: { http: 8082, https: 443 } } }, "8082 is the edge's own health port"],
  [
    "a range that is none",
    { docker: { subnets: { edge: "10.60.1.0" } } },
    'docker.subnets.edge = "10.60.1.0": an IPv4 range in CIDR form',
  ],
  [
    "an IPv6 range",
    { docker: { subnets: { edge: "fd00::/64" } } },
    'docker.subnets.edge = "fd00::/64": an IPv4 range in CIDR form',
  ],
  [
    "host bits",
    { docker: { subnets: { edge: "10.60.1.7/24" } } },
    'docker.subnets.edge = "10.60.1.7/24": its last 8 bits have to be zero: 10.60.1.0/24',
  ],
  [
    "too large a range",
    { docker: { subnets: { edge: "10.0.0.0/7" } } },
    'docker.subnets.edge = "10.0.0.0/7": from /8 to /28',
  ],
  [
    "too small a range",
    { docker: { subnets: { edge: "10.0.0.0/29" } } },
    'docker.subnets.edge = "10.0.0.0/29": from /8 to /28',
  ],
  [
    "no byte",
    { docker: { subnets: { edge: "10.0.256.0/24" } } },
    'docker.subnets.edge = "10.0.256.0/24": an IPv4 range',
  ],
  ["the loopback's", { docker: { subnets: { edge: "127.3.0.0/16" } } }, "a range that machines can have"],
  [
    "a range of no network",
    { docker: { subnets: { web: "10.60.1.0/24" } } },
    'docker.subnets.web = "10.60.1.0/24": no such network; there are edge, app, data',
  ],
  [
    "a range that everything inherits",
    { docker: { subnets: { constructor: "10.60.1.0/24" } } },
    'docker.subnets.constructor = "10.60.1.0/24": no such network',
  ],
  [
    "ranges that overlap",
    { docker: { subnets: { edge: "10.60.0.0/16", app: "10.60.7.0/24" } } },
    'docker.subnets.app = "10.60.7.0/24": overlaps with that of edge: each needs its own',
  ],
  [
    "a range with too few addresses",
    { docker: { subnets: { app: "10.60.0.0/28" } }, arkindex: { backends: 9 } },
    'docker.subnets.app = "10.60.0.0/28": too small: its containers need 24 addresses, so /27 or larger',
  ],
  ["no packet", { docker: { mtu: 100 } }, "docker.mtu = 100: 576 bytes or more"],
  [
    "a range on a swarm",
    { topology: "swarm", swarm: { subnets: { edge: "10.60.1.1/24" } } },
    'swarm.subnets.edge = "10.60.1.1/24": its last 8 bits',
  ],
  [
    "no network of a swarm",
    { topology: "swarm", swarm: { subnets: { "app-w1": "10.60.1.0/24" } } },
    "no such network; there are edge, app, data",
  ],
  [
    "a relative socket",
    { docker: { socket: "docker.sock" } },
    'docker.socket = "docker.sock": an absolute path on the engine\'s machine',
  ],
  [
    "a socket with a mode",
    { docker: { socket: "/run/d.sock:ro" } },
    'docker.socket = "/run/d.sock:ro": an absolute path',
  ],
  ["a machine of nothing", { docker: { machines: { gpu: { socket: "/run/d.sock" } } } }, "docker.machines.gpu = "],
  [
    "a socket that nobody knows",
    { docker: { host: "tcp://d:2375" }, arkindex: { agents: { a: agent } }, secrets: { "ponosSeed-a": "s" } },
    "docker.socket: agent-a is given the engine's socket, and tcp://d:2375 does not say where that machine has it: name its path there, as docker.socket: /var/run/docker.sock",
  ],
  [
    "a machine's socket that nobody knows",
    {
      docker: { machines: { gpu: "ssh://d" } },
      arkindex: { agents: { a: { ...agent, machine: "gpu" } } },
      secrets: { "ponosSeed-a": "s" },
    },
    'docker.machines.gpu = "ssh://d": agent-a is given the engine\'s socket',
  ],
  [
    "a socket of a swarm that nobody knows",
    {
      topology: "swarm",
      swarm: { managers: ["tcp://m:2375"] },
      arkindex: { agents: { a: agent } },
      secrets: { "ponosSeed-a": "s" },
    },
    "swarm.socket: given to agent-a, and swarm.managers does not say where the nodes have it",
  ],
  ["no such port", { docker: { ports: { http: 80, https: 70000 } } }, "docker.ports.https = 70000: Too big"],
  [
    "a bad engine address",
    { docker: { host: "localhost:2375" } },
    'docker.host = "localhost:2375": unix:///path, tcp://host:port or ssh://user@host',
  ],
  [
    "a bad address to publish on",
    { docker: { address: "eth0" } },
    'docker.address = "eth0": an IP address of the host',
  ],
  ["no manager", { topology: "swarm", swarm: { managers: [] } }, "swarm.managers = []: Too small"],
  [
    "a role that a swarm has not",
    { topology: "swarm", swarm: { edge: { nodes: { role: "leader" } } } },
    'swarm.edge.nodes = {"role":"leader"}: role is manager or worker',
  ],
  [
    "a role as a label",
    { topology: "swarm", swarm: { nodes: { w1: { labels: { role: "worker" } } } } },
    "role is the swarm's own: docker node promote",
  ],
  [
    "a label of the program's own",
    { topology: "swarm", swarm: { nodes: { w1: { labels: { "platform-topologies.volume-node.x": "y" } } } } },
    "platform-topologies.* is written by the program",
  ],
  [
    "ingress without virtual addresses",
    { topology: "swarm", swarm: { publish: "ingress", endpointMode: "dnsrr" } },
    'swarm.publish = "ingress": needs endpointMode vip: use host, or vip',
  ],
  [
    "ACME's port on a swarm",
    {
      topology: "swarm",
      swarm: { tls: { mode: "acme", email: "operator@example.com" }, ports: { http: 80, https: 8443 } },
    },
    "swarm.ports.https = 8443: ACME's challenge arrives on 443",
  ],
  [
    "missing private image",
    { rehearsal: false },
    "a private image: name your reference, as registry.gitlab.teklia.com/",
    2,
  ],
  ["missing built image", { images: { rehearsal: "r/r:1" } }, "images.toolbox: ours, and in no public registry"],
  [
    "unknown image",
    { images: { ...good.images, postgres: "postgres:15" } },
    'images.postgres = "postgres:15": no such image; known are postgis',
  ],
  [
    "a bad image reference",
    { images: { ...good.images, redis: "https://redis" } },
    'images.redis = "https://redis": an image reference',
  ],
  ["a bad mirror", { mirror: "https://mirror.example.com" }, 'mirror = "https://mirror.example.com": a registry'],
  [
    "not a certificate",
    { docker: { tls: { mode: "own", cert: "cert.pem" } } },
    'docker.tls.cert = "cert.pem": a PEM certificate chain',
  ],
  ["ACME without an address", { docker: { tls: { mode: "acme" } } }, "docker.tls.email: missing: expected string"],
  [
    "ACME on another port",
    { docker: { tls: { mode: "acme", email: "a@example.com" }, ports: { http: 8080, https: 8443 } } },
    "docker.ports.https = 8443: ACME's challenge arrives on 443",
  ],
  [
    "a balancer by its name",
    { docker: { tls: { mode: "outside", trustedProxies: ["balancer"] } } },
    'docker.tls.trustedProxies.0 = "balancer": an IP address or a network, as 10.0.0.0/8',
  ],
  [
    "half of the world as a balancer",
    { docker: { tls: { mode: "outside", trustedProxies: ["10.0.0.1", "0.0.0.0/1"] } } },
    'docker.tls.trustedProxies.1 = "0.0.0.0/1": would believe half of the world: name the addresses of your balancers',
  ],
  [
    "no balancer",
    { docker: { tls: { mode: "outside", trustedProxies: [] } } },
    "docker.tls.trustedProxies = []: at least one: the addresses of what ends TLS",
  ],
  ["unknown way of TLS", { docker: { tls: { mode: "none" } } }, "docker.tls.mode"],
  [
    "a backup without a place",
    { backup: { everyHours: 24 } },
    "backup.to: one of {path: /folder}, {volume: name}, {s3: {endpoint, bucket, region}}",
  ],
  [
    "a backup to a bucket without keys",
    { backup: { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } } },
    "set it: pulumi config set --path --secret secrets.backup",
    2,
  ],
  [
    "a restore from no time",
    { restore: { from: { path: "/b" }, stack: "arkindex-old", at: "yesterday" } },
    'restore.at = "yesterday": latest, or a run\'s time',
  ],
  [
    "a restore to no second",
    { restore: { from: { path: "/b" }, stack: "arkindex-old", until: "2026-01-31T04:05Z" } },
    'restore.until = "2026-01-31T04:05Z": a time to the second, as 2026-01-31T04:05:06Z',
  ],
  [
    "a restore to a second where nothing keeps a log",
    { restore: { from: { path: "/b" }, stack: "arkindex-old", until: "2026-01-31T04:05:06Z" } },
    'restore.until = "2026-01-31T04:05:06Z": no store here keeps a log',
  ],
  [
    "an agent without a seed",
    {
      arkindex: { agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b" } } },
      images: { ...good.images, "arkindex/ponos-agent": "x/y:1" },
    },
    "secrets.ponosSeed-gpu: set it: pulumi config set --path --secret secrets.ponosSeed-gpu",
  ],
  [
    "an agent on no machine",
    {
      arkindex: { agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b", machine: "gpu1" } } },
      secrets: { "ponosSeed-gpu": "s3cret" },
    },
    'agent-gpu.machine = "gpu1": no such machine: add it to docker.machines',
  ],
  [
    "an agent with a GPU on a Docker host",
    { arkindex: { agents: { gpu: { ...agent, gpus: 1 } } }, secrets: { "ponosSeed-gpu": "s3cret" } },
    "agent-gpu.gpus = 1: docker gives no GPU to a container: leave it out, or choose aws, which rents machines with some",
  ],
  [
    "two agents on one Docker host",
    { arkindex: { agents: { gpu: { ...agent, replicas: 2 } } }, secrets: { "ponosSeed-gpu": "s3cret" } },
    "agent-gpu.replicas = 2: each commands its machine's engine, and docker rents no machine for each",
  ],
  [
    "a farm that is no UUID",
    { arkindex: { agents: { gpu: { farm: "farm" } } } },
    'arkindex.agents.gpu.farm = "farm": a UUID',
  ],
  // A part of what the stack is not.
  [
    "another topology's part",
    { swarm: { managers: ["tcp://m:2375"] } },
    "swarm: the stack's topology is docker: remove this key",
  ],
  ["another system's part", { media: {} }, "media: the stack's system is arkindex: remove this key"],
  ["TLS at the top", { tls: { mode: "local" } }, "tls: unknown key; known are system, topology, name, hostname"],
  // Names that every object has.
  ["a system of every object's", { system: "constructor" }, 'system = "constructor": one of arangodb, arkindex'],
  ["another", { system: "__proto__" }, 'system = "__proto__": one of arangodb, arkindex'],
  [
    "an image of every object's",
    { images: { ...good.images, constructor: "r.example.com/a:1" } },
    'images.constructor = "r.example.com/a:1": no such image',
  ],
  [
    "a machine of every object's",
    {
      arkindex: { agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b", machine: "toString" } } },
      secrets: { "ponosSeed-gpu": "s3cret" },
    },
    'agent-gpu.machine = "toString": no such machine',
  ],
  [
    "a secret of every object's",
    { arkindex: { agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b" } } }, secrets: { valueOf: "x" } },
    "secrets.",
    2,
  ],
  [
    "a prototype",
    JSON.parse('{"topology": "swarm", "swarm": {"nodes": {"__proto__": {}}}}'),
    "swarm.nodes.__proto__: no name",
  ],
  // Secrets that nothing asks for.
  [
    "a mistyped secret",
    {
      backup: { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } },
      secrets: { backupKey: "k", backupSecret: "s", backupSecrett: "s" },
    },
    'secrets.backupSecrett: nothing asks for it (did you mean "backupSecret"?); asked for are backupKey, backupSecret',
  ],
  ["a secret that nothing asks for", { secrets: { tlsKey: "x" } }, "secrets.tlsKey: nothing asks for it"],
  [
    "the password of an existing store without a user",
    { existing: { db: { kind: "postgres", host: "db.example.com" } }, secrets: { dbPassword: "x" } },
    "secrets.dbPassword: nothing asks for it",
  ],
  // What YAML and the CLI read as a number.
  [
    "a secret that looks like a number",
    { secrets: { tlsKey: 12345 } },
    "secrets.tlsKey: Invalid input: expected string, received number: put it in quotes, or pulumi config set --path --secret",
  ],
  [
    "text that looks like a number",
    { arkindex: { version: 1.7 } },
    "arkindex.version = 1.7: Invalid input: expected string, received number: put it in quotes",
  ],
  [
    "a label that looks like a switch",
    { topology: "swarm", swarm: { place: { ssd: true } } },
    "swarm.place.ssd = true: Invalid input: expected string, received boolean: put it in quotes",
  ],
  // The keys of the form that is there.
  [
    "an unknown key of one form of TLS",
    { docker: { tls: { mode: "acme", email: "a@example.com", dns: "x" } } },
    "docker.tls.dns: unknown key; known are mode, email, caServer",
  ],
  [
    "an unknown key of one form of `existing`",
    {
      existing: { objects: { kind: "objects", url: "https://s3.example.com", bucket: "x" } },
      secrets: { objectsKey: "k", objectsSecret: "s" },
    },
    "existing.objects.bucket: unknown key; known are kind, api, url, ca, region, prefix",
  ],
  [
    "an unknown kind",
    { existing: { db: { kind: "mysql", host: "h" } } },
    'existing.db.kind = "mysql": one of postgres, redis',
  ],
  ["no mode of TLS", { docker: { tls: {} } }, "docker.tls.mode: missing: one of local, own, acme"],
  // References, mirrors, registries.
  ...["registry.example.com/Toolbox:1", "Toolbox:1", "../..", "a b", "r.example.com/a:1:2", "r.example.com//a"].map(
    (ref): [string, Record<string, unknown>, string] => [
      `the reference ${ref}`,
      { images: { ...good.images, redis: ref } },
      `images.redis = "${ref}": an image reference`,
    ],
  ),
  ...[
    "myhub",
    "myhub/team",
    "../..",
    "https://m.example.com",
    "m.example.com/Hub",
    "m.example.com/hub/",
    "user@m.example.com",
  ].map((mirror): [string, Record<string, unknown>, string] => [
    `the mirror ${mirror}`,
    { mirror },
    `mirror = "${mirror}": a registry, as mirror.example.com/hub`,
  ]),
  ...["https://r.example.com", "r.example.com/group", "https://r.example.com/group", "r", "r.example.com/"].flatMap(
    (registry) =>
      ["docker", "swarm"].map((topology): [string, Record<string, unknown>, string] => [
        `the registry ${registry} on ${topology}`,
        { topology, [topology]: { registries: [registry] } },
        `${topology}.registries.0 = "${registry}": a registry's bare name`,
      ]),
  ),
  // Labels by the grammar of a swarm's constraints.
  ...["eu/a, b@c", "a=b", "a>b", " a", "a ", "", "a\nb", "ünï"].map(
    (zone): [string, Record<string, unknown>, string] => [
      `the label ${JSON.stringify(zone)}`,
      { topology: "swarm", swarm: { place: { zone } } },
      `swarm.place.zone = ${JSON.stringify(zone)}: a label's value that a constraint takes`,
    ],
  ),
  [
    "a label's name that no constraint takes",
    { topology: "swarm", swarm: { edge: { nodes: { "com.example/zone": "a" } } } },
    'swarm.edge.nodes.com.example/zone = "a": a label\'s name: letters, digits',
  ],
  [
    "a role that a swarm has not, of a system's",
    {
      system: "pyrus",
      pyrus: { adminEmail: "a@example.com", nodes: { files: { role: "boss" } } },
      rehearsal: true,
      arkindex: undefined,
      secrets: { pyrusLicence: "x", pyrusAdminPassword: "x" },
      images: { ...good.images, "postgres-cron": "r.example.com/p:1" },
    },
    'pyrus.nodes.files = {"role":"boss"}: role is manager or worker',
  ],
  ...["node.role==boss", "node.labels.a==b@c", "node.role = worker", "engine.labels.a==b", "node.labels.a/b==c"].map(
    (appNodes): [string, Record<string, unknown>, string] => [
      `the constraint ${appNodes}`,
      {
        system: "shinyproxy",
        arkindex: undefined,
        images: { ...good.images, "docker-proxy": "r.example.com/p:1", "shiny-demo": "r.example.com/d:1" },
        shinyproxy: { apps: { a: { title: "A", image: "shiny-demo" } }, appNodes },
      },
      `shinyproxy.appNodes = "${appNodes}": a constraint, as node.role==worker`,
    ],
  ),
  ...["$(id)", "a\nb", "https://10.0.0.1", "10.0.0.1:80", "a b", ""].map(
    (address): [string, Record<string, unknown>, string] => [
      `the address ${JSON.stringify(address)}`,
      { topology: "swarm", swarm: { nodes: { w1: { address } } } },
      `swarm.nodes.w1.address = ${JSON.stringify(address)}: an IP address or a DNS name`,
    ],
  ),
  [
    "a password in an address",
    { existing: { objects: { kind: "objects", url: "https://me:hunter2@s3.example.com" } } },
    'existing.objects.url = "https://…@s3.example.com": an address without a user or password',
  ],
  [
    "a name too long",
    { name: "a-name-that-is-far-too-long-for-docker" },
    'name = "a-name-that-is-far-too-long-for-docker": lower-case letters',
  ],
];

describe("one clear sentence, with the key, the value and the remedy", () => {
  test.each(wrong)("%s", (_, change, expected, times = 1) => {
    const found = problems(change).map((line) => (line.includes(expected) ? expected : line));
    expect(found).toEqual(Array.from({ length: times }, () => expected));
  });
});

test("everything that is wrong is said at once, what the plan finds too", () => {
  const found = problems({
    hostname: "nope",
    rehearsal: false,
    docker: { address: "eth0" },
    arkindex: { version: "1.7.0", agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b" } } },
  });
  for (const key of [
    "hostname",
    "docker.address",
    "images.arkindex/backend",
    "images.arkindex/cantaloupe",
    "images.arkindex/ponos-agent",
    "secrets.ponosSeed-gpu",
  ]) {
    expect(found.filter((line) => line.startsWith(`${key}:`) || line.startsWith(`${key} =`))).toHaveLength(1);
  }
});

test("a secret's value is never in a message", () => {
  expect(problems({ secrets: { "ponosSeed-gpu": ["hunter2-very-secret"] } }).join()).not.toContain("hunter2");
});

describe("a stack's name becomes the name of everything", () => {
  test.each(["pr.12", "PR-12", "feature_x", "1.7", "a-branch-with-a-name-that-is-long", "ünï", "-", "a b"])(
    "%s",
    (stack) => {
      const found = problems({}, stack);
      if (stack === "-") expect(found).toEqual([]);
      else
        expect(found).toEqual([
          `name = "arkindex-${stack}": comes from the stack's name, and is no DNS name: set \`name\` (lower-case letters, digits, hyphens; at most 31)`,
        ]);
      expect(problems({ name: "mine" }, stack)).toEqual([]);
    },
  );
});

test("what is right is accepted: references, mirrors, registries, labels, addresses", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const refs = [
    "redis",
    "library/redis:7.0",
    "localhost/redis",
    "localhost:5000/a/b_c/d--e__f.g:v1.2-x_y",
    `10.0.0.1:5000/redis@${digest}`,
    `Registry.Example.com/redis:7@${digest}`,
  ];
  for (const redis of refs) expect(problems({ images: { ...good.images, redis } })).toEqual([]);
  for (const mirror of ["mirror.example.com/hub", "localhost", "localhost:5000", "myhost:5000/a", "docker.io/myhub"])
    expect(problems({ mirror })).toEqual([]);
  for (const name of ["r.example.com", "localhost:5000", "myhost:5000", "docker.io"])
    for (const topology of ["docker", "swarm"])
      expect(problems({ topology, [topology]: { registries: [name] } })).toEqual([]);
  expect(
    problems({
      topology: "swarm",
      swarm: { place: { "com.example.zone": "eu/a b:c(1)*", 1: "x" }, edge: { nodes: { role: "worker" } } },
    }),
  ).toEqual([]);
  const nodes = {
    a: { address: "10.0.0.1" },
    b: { address: "fd00::1" },
    c: { address: "node-1" },
    d: { address: "n.example.com" },
  };
  expect(problems({ topology: "swarm", swarm: { nodes } })).toEqual([]);
});

test("a sentence quotes the beginning of what is long, and nothing of a private key", () => {
  const [line = ""] = problems({ hostname: "x".repeat(70_000) });
  expect(line).toMatch(/^hostname = "x+…: Too big/);
  expect(line.length).toBeLessThan(400);
  const key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
  expect(problems({ docker: { tls: { mode: "own", cert: key } } })).toEqual([
    "docker.tls.cert: a PEM certificate chain",
  ]);
});
