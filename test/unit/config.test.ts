import { describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { planStack } from "../../components/deploy.ts";

const good = {
  system: "arkindex",
  topology: "docker",
  hostname: "arkindex.example.com",
  rehearsal: true,
  images: { toolbox: "registry.example.com/toolbox:1", rehearsal: "registry.example.com/rehearsal:1" },
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
  expect(problems({ topology: "swarm", swarm, arkindex: { agents: { b: agent } }, secrets: seeds })).toEqual([]);
  const apps = { demo: { title: "Demo", image: "example/demo:1" } };
  const shiny = { system: "shinyproxy", arkindex: undefined, shinyproxy: { apps } };
  const joined = { apps: "10.61.1.0/24", "runner-api": "10.61.2.0/28", "reader-api": "10.61.3.0/28" };
  const missing = problems({ ...shiny, docker: { subnets: joined } }).filter((each) => each.startsWith("docker."));
  expect(missing).toEqual([]);
});

test("users' apps share no more memory than they have", () => {
  const apps = { demo: { title: "Demo", image: "example/demo:1", memoryMiB: 256, shmMiB: 300 } };
  const found = problems({ system: "shinyproxy", arkindex: undefined, shinyproxy: { apps } });
  expect(found).toContain("shinyproxy.apps.demo.shmMiB = 300: at most the app's memoryMiB: it is a part of that");
});

const agent = { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b" };
/** What is wrong, and the one sentence that says so. */
const wrong: [string, Record<string, unknown>, string, number?][] = [
  ["unknown key", { hostnam: "x" }, 'hostnam: unknown key (did you mean "hostname"?)'],
  [
    "unknown nested key",
    { docker: { hosts: "unix:///x" } },
    'docker.hosts: unknown key (did you mean "host"?); known are host, machines, address, ports, registries, subnets, mtu, socket',
  ],
  [
    "unknown key of the system",
    { arkindex: { backend: 2 } },
    'arkindex.backend: unknown key (did you mean "backends"?)',
  ],
  ["unknown system", { system: "gitlab" }, 'system = "gitlab": one of arangodb, arkindex, media, pyrus, shinyproxy'],
  ["unknown topology", { topology: "kubernetes" }, 'topology = "kubernetes": one of docker, swarm, aws, gcp, azure'],
  ["a topology to come", { topology: "aws" }, 'topology = "aws": arkindex runs on docker, swarm; aws is not built yet'],
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
  ["no manager", { swarm: { managers: [] } }, "swarm.managers = []: Too small"],
  [
    "a role that a swarm has not",
    { swarm: { edge: { nodes: { role: "leader" } } } },
    'swarm.edge.nodes = {"role":"leader"}: role is manager or worker',
  ],
  [
    "a role as a label",
    { swarm: { nodes: { w1: { labels: { role: "worker" } } } } },
    "role is the swarm's own: docker node promote",
  ],
  [
    "a label of the program's own",
    { swarm: { nodes: { w1: { labels: { "platform-topologies.seat.x": "y" } } } } },
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
      tls: { mode: "acme", email: "operator@example.com" },
      swarm: { ports: { http: 80, https: 8443 } },
    },
    "swarm.ports.https = 8443: ACME's challenge arrives on 443",
  ],
  [
    "missing private image",
    { rehearsal: false },
    "a private image: name your reference, as registry.gitlab.teklia.com/",
    2,
  ],
  ["missing built image", { images: { rehearsal: "r/r:1" } }, "images.toolbox: it is built"],
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
    "own certificate without its key",
    { tls: { mode: "own", cert: "-----BEGIN CERTIFICATE-----\nx" } },
    "secrets.tlsKey: the certificate's private key",
  ],
  ["not a certificate", { tls: { mode: "own", cert: "cert.pem" } }, 'tls.cert = "cert.pem": a PEM certificate chain'],
  ["ACME without an address", { tls: { mode: "acme" } }, "tls.email: missing: expected string"],
  [
    "ACME on another port",
    { tls: { mode: "acme", email: "a@example.com" }, docker: { ports: { http: 8080, https: 8443 } } },
    "docker.ports.https = 8443: ACME's challenge arrives on 443",
  ],
  ["unknown way of TLS", { tls: { mode: "none" } }, "tls.mode"],
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
    "a farm that is no UUID",
    { arkindex: { agents: { gpu: { farm: "farm" } } } },
    'arkindex.agents.gpu.farm = "farm": a UUID',
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
