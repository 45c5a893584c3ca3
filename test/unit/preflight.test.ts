/** What the engine is asked before the first resource: ports by address, and room for the networks. */
import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { siteOf } from "../../components/core/site.ts";
import { parseRoutes } from "../../components/topologies/address-preflight.ts";
import { conflict, held, parseListeners } from "../../components/topologies/docker/ports.ts";
import { preflight, type PreflightArgs } from "../../components/topologies/docker/preflight.ts";
import {
  preflight as swarmPreflight,
  type PreflightArgs as SwarmPreflightArgs,
} from "../../components/topologies/swarm/preflight.ts";
import { type Answers, type FakeEngine, fakeEngine } from "../support/fake-engine.ts";

const opened: (FakeEngine | Server)[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

const ports = { http: 8280, https: 8643 };
const site = siteOf({ name: "own", hostname: "own.example.com", ports });
const port = (IP: string, PublicPort: number, Type = "tcp") => ({ IP, PublicPort, PrivatePort: 80, Type });
const holds = (name: string, Ports: object[], Labels: object = {}) => ({
  Id: name,
  Names: [`/${name}`],
  Ports,
  Labels,
});
const network = (Name: string, Subnet: string, Scope = "local") => ({ Name, Scope, IPAM: { Config: [{ Subnet }] } });

/** The sentences for an engine with these containers and networks. */
async function sentences(
  { containers = [], networks = [], info = {} }: { containers?: object[]; networks?: object[]; info?: object },
  args: Partial<PreflightArgs> = {},
): Promise<string[]> {
  const engine = await fakeEngine({
    "GET /_ping": "OK",
    "GET /containers/json": containers,
    "GET /networks": networks,
    "GET /info": info,
  });
  opened.push(engine);
  const usual = { site, host: engine.host, machines: {}, address: "127.0.0.1", local: [], planned: [] };
  return (await preflight({ ...usual, ...args })).map(sentence);
}

describe("an address and a port", () => {
  test.each<[string, string, boolean]>([
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["127.0.0.1", "0.0.0.0", true],
    ["127.0.0.1", "::", true],
    ["0.0.0.0", "::", true],
    ["0.0.0.0", "0.0.0.0", true],
    ["2001:db8::1", "::", true],
    ["2001:db8::1", "2001:db8:0:0::1", true],
    ["2001:db8::1", "2001:db8::2", false],
    ["2001:db8::1", "127.0.0.1", false],
    ["2001:db8::1", "0.0.0.0", false],
    ["::ffff:127.0.0.1", "127.0.0.1", true],
    ["::ffff:7f00:1", "127.0.0.2", false],
  ])("%s and %s at the same port: %s", (a, b, expected) => {
    expect(conflict({ address: a, port: 80 }, { address: b, port: 80 })).toBe(expected);
    expect(conflict({ address: b, port: 80 }, { address: a, port: 80 })).toBe(expected);
    expect(conflict({ address: a, port: 80 }, { address: b, port: 81 })).toBe(false);
  });

  test("the kernel's tables: who listens, not who is connected", () => {
    const line = (local: string, state: string) =>
      `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1`;
    const table = [
      "  sl  local_address rem_address   st tx_queue",
      line("0300007F:224A", "0A"),
      line("0100007F:01BB", "01"),
    ];
    expect(parseListeners(table.join("\n"))).toEqual([{ address: "127.0.0.3", port: 8778 }]);
    const six = line("B80D0120000000000000000001000000:0050", "0A");
    expect(parseListeners(six)).toEqual([{ address: "2001:0DB8:0000:0000:0000:0000:0000:0001", port: 80 }]);
    expect(conflict(parseListeners(six)[0] ?? { address: "", port: 0 }, { address: "2001:db8::1", port: 80 })).toBe(
      true,
    );
  });

  test("a program of this machine is seen at its own address, and what the engine listens on for a container is none", async () => {
    const server = createServer();
    opened.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.3", resolve));
    const { port: number } = server.address() as AddressInfo;
    expect(await held({ address: "127.0.0.3", port: number }, [])).toBe(true);
    expect(await held({ address: "0.0.0.0", port: number }, [])).toBe(true);
    expect(await held({ address: "127.0.0.1", port: number }, [])).toBe(false);
    const own = [{ address: "127.0.0.3", port: number }];
    expect(await held({ address: "0.0.0.0", port: number }, own)).toBe(false);
    // A wider one of ours does not explain a narrower one of somebody else's.
    expect(await held({ address: "0.0.0.0", port: number }, [{ address: "0.0.0.0", port: number }])).toBe(true);
  });
});

describe("the edge's ports", () => {
  test.each<[string, string, object[], string[]]>([
    ["another address", "127.0.0.2", [holds("a", [port("127.0.0.1", 8280)])], []],
    [
      "the same address",
      "127.0.0.1",
      [holds("a", [port("127.0.0.1", 8280)])],
      ["docker.ports.http = 8280: the container a has it; stop it or choose another port"],
    ],
    ["all addresses there", "127.0.0.2", [holds("a", [port("0.0.0.0", 8643)])], ["docker.ports.https = 8643: the con"]],
    [
      "all of IPv6 there",
      "127.0.0.2",
      [holds("a", [port("::", 8643)])],
      ["docker.ports.https = 8643: the container a"],
    ],
    ["all addresses here", "0.0.0.0", [holds("a", [port("10.0.0.7", 8643)])], ["docker.ports.https = 8643: the con"]],
    ["another protocol", "127.0.0.1", [holds("a", [port("127.0.0.1", 8280, "udp")])], []],
    ["our own edge", "0.0.0.0", [holds("own-edge", [port("127.0.0.1", 8280)])], []],
    ["stopped: nothing is published", "127.0.0.1", [holds("a", [])], []],
    ["exposed, not published", "127.0.0.1", [holds("a", [{ PrivatePort: 8280, Type: "tcp" }])], []],
  ])("%s", async (_, address, containers, expected) => {
    const found = await sentences({ containers }, { address });
    expect(found).toHaveLength(expected.length);
    for (const [index, each] of expected.entries()) expect(found[index]).toContain(each);
  });

  test("behind our own edge another may have the same port at another address", async () => {
    const containers = [holds("own-edge", [port("127.0.0.1", 8280)]), holds("b", [port("127.0.0.2", 8280)])];
    expect(await sentences({ containers })).toEqual([]);
    expect(await sentences({ containers }, { address: "0.0.0.0" })).toEqual([
      "docker.ports.http = 8280: the container b has it; stop it or choose another port",
    ]);
  });
});

describe("the networks' ranges", () => {
  const subnets = { edge: "10.60.1.0/24", app: "10.60.2.0/24", data: "10.60.3.0/24" };
  const usual = [
    ...["172.17", "172.18", "172.19"].map((first) => `${first}.0.0/16`),
    ...Array.from({ length: 12 }, (_, index) => `172.${String(20 + index)}.0.0/16`),
    ...Array.from({ length: 16 }, (_, index) => `192.168.${String(index * 16)}.0/20`),
  ];
  const full = usual.map((range, index) => network(`n${String(index)}`, range));

  test.each<[string, object[], string[]]>([
    ["nothing there", [], []],
    ["its own", [network("own-edge", "10.60.1.0/24"), network("own-app", "10.60.9.0/24")], []],
    [
      "another's",
      [network("other-app", "10.60.0.0/16")],
      ["1", "2", "3"].map(
        (part) => `10.60.${part}.0/24": the network other-app has 10.60.0.0/16: choose another range`,
      ),
    ],
    ["a part of it", [network("vpn", "10.60.2.128/25")], ['docker.subnets.app = "10.60.2.0/24": the network vpn has']],
    ["another one of its own", [network("own-data", "10.60.1.0/24")], ["the network own-data has 10.60.1.0/24"]],
    ["IPv6", [network("six", "fd00::/64")], []],
    ["a network without a range", [{ Name: "host", Scope: "local", IPAM: { Config: null } }], []],
  ])("against %s", async (_, networks, expected) => {
    const found = await sentences({ networks }, { subnets });
    expect(found).toHaveLength(expected.length);
    for (const [index, each] of expected.entries()) expect(found[index]).toContain(each);
  });

  test("no room: said before anything is made, with the remedy; chosen ranges and networks that are there need none", async () => {
    const remedy =
      "give them ranges of your own, as {edge: 10.60.1.0/24}, or remove networks that nobody needs (docker network prune)";
    expect(await sentences({ networks: full })).toEqual([
      `docker.subnets: the stack makes the networks edge, app, data, and the engine has no address range left: ${remedy}`,
    ]);
    expect(await sentences({ networks: full.slice(2) })).toEqual([
      `docker.subnets: the stack makes the networks edge, app, data, and the engine has address ranges for 2 of them: ${remedy}`,
    ]);
    expect(await sentences({ networks: full.slice(3) })).toEqual([]);
    expect(await sentences({ networks: full }, { subnets })).toEqual([]);
    const own = ["edge", "app", "data"].map((name, index) => network(`own-${name}`, usual[index] ?? ""));
    expect(await sentences({ networks: [...own, ...full.slice(3)] })).toEqual([]);
  });

  test("the pools of daemon.json count where there are some, and a chosen range takes its part of them", async () => {
    const info = { DefaultAddressPools: [{ Base: "10.200.0.0/22", Size: 24 }] };
    expect(await sentences({ info, networks: [network("bridge", "10.200.0.0/24")] })).toEqual([]);
    expect(await sentences({ info, networks: [network("bridge", "10.200.0.0/23")] })).toHaveLength(1);
    const args = { subnets: { edge: "10.200.1.0/24" } };
    expect(await sentences({ info, networks: [network("bridge", "10.200.0.0/24")] }, args)).toEqual([]);
    expect(await sentences({ info, networks: [network("bridge", "10.200.2.0/24")] }, args)).toEqual([]);
    expect(await sentences({ info, networks: [network("bridge", "10.200.2.0/23")] }, args)).toHaveLength(1);
  });

  test("further machines have engines and pools of their own; a joined network counts", async () => {
    const other = await fakeEngine({ "GET /_ping": "OK", "GET /networks": full, "GET /info": {} });
    opened.push(other);
    const [found] = await sentences({}, { machines: { gpu: { host: other.host } } });
    expect(found).toContain(
      "docker.subnets: the stack makes the networks app-gpu, and the engine has no address range",
    );
    expect(await sentences({}, { machines: { gpu: other.host }, subnets: { "app-gpu": "10.60.1.0/24" } })).toEqual([]);
    const container = { image: "x", tier: "isolated", networks: ["apps"], cpu: 1, memoryMib: 64 } as const;
    const [four] = await sentences({ networks: full.slice(3) }, { planned: [["runner", container]] });
    expect(four).toContain("the networks edge, app, data, apps, and the engine has address ranges for 3 of them");
  });

  test("this machine's own routes, but for what goes outside", () => {
    const table = `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`;
    expect(parseRoutes(table).map(({ by, text }) => [by, text])).toEqual([
      ["tun0", "172.16.0.0/12"],
      ["eth0", "192.0.2.0/24"],
    ]);
  });
});

describe("on a swarm", () => {
  const node = (ID: string, Hostname: string, Role: string, Labels: object = {}) => ({
    ...{ ID, Version: { Index: 1 }, Spec: { Labels, Role, Availability: "active" } },
    ...{ Description: { Hostname }, Status: { State: "ready" } },
  });
  const nodes = [node("m", "m1", "manager"), node("w", "w1", "worker")];
  const service = (Name: string, PublishedPort: number, PublishMode: string, Protocol = "tcp") => ({
    ...{ ID: Name, Spec: { Name, Labels: {} } },
    Endpoint: { Ports: [{ Protocol, TargetPort: 80, PublishedPort, PublishMode }] },
  });
  const task = (NodeID: string) => ({
    ...{ ID: "t", CreatedAt: "2026", NodeID, DesiredState: "running", Spec: {}, Status: { State: "running" } },
  });

  async function onSwarm(answers: Answers, args: Partial<SwarmPreflightArgs> = {}): Promise<string[]> {
    const { info = {}, ...rest } = answers as { info?: object };
    const engine = await fakeEngine({
      "GET /_ping": "OK",
      "GET /info": { Swarm: { NodeID: "m", LocalNodeState: "active", ControlAvailable: true, ...info } },
      "GET /nodes": nodes,
      "GET /services": [],
      "GET /networks": [],
      "GET /tasks": [],
      "GET /containers/json": [],
      ...rest,
    });
    opened.push(engine);
    const usual = { site, managers: [engine.host], nodes: {}, registries: [], images: [], planned: [] };
    return (await swarmPreflight({ ...usual, ...args })).map(sentence);
  }

  test.each<[string, Answers, Partial<SwarmPreflightArgs>, string[]]>([
    [
      "another stack's edge on the same node",
      { "GET /services": [service("b-edge", 8280, "host")], "GET /tasks": [task("m")] },
      {},
      ["swarm.ports.http = 8280: the service b-edge has it on m1; remove it or choose another port"],
    ],
    [
      "on a node that is none of the edge",
      { "GET /services": [service("b-edge", 8280, "host")], "GET /tasks": [task("w")] },
      {},
      [],
    ],
    [
      "on a node that the config makes one of the edge",
      { "GET /services": [service("b-edge", 8280, "host")], "GET /tasks": [task("w")] },
      { edge: { nodes: { edge: "yes" } }, nodes: { w1: { labels: { edge: "yes" } } } },
      ["swarm.ports.http = 8280: the service b-edge has it on w1"],
    ],
    [
      "a port of all nodes",
      { "GET /services": [service("web", 8643, "ingress")] },
      {},
      ["swarm.ports.https = 8643: the service web has it on every node; remove it or choose another port"],
    ],
    [
      "our ingress, and a host's port anywhere",
      { "GET /services": [service("web", 8643, "host")], "GET /tasks": [task("w")] },
      { publish: "ingress" },
      ["swarm.ports.https = 8643: the service web has it on every node"],
    ],
    ["another protocol", { "GET /services": [service("dns", 8643, "ingress", "udp")] }, {}, []],
    ["our own edge", { "GET /services": [service("own-edge", 8643, "ingress")] }, {}, []],
    [
      "a container of the manager's, which is no task",
      { "GET /containers/json": [holds("proxy", [port("0.0.0.0", 8280)])] },
      {},
      ["swarm.ports.http = 8280: the container proxy has it on m1; stop it or choose another port"],
    ],
    [
      "a task of our own edge there",
      { "GET /containers/json": [holds("own", [port("0.0.0.0", 8280)], { "com.docker.swarm.service.id": "own" })] },
      {},
      [],
    ],
    [
      "a range of another overlay's",
      { "GET /networks": [network("web", "10.60.0.0/16", "swarm")] },
      { subnets: { app: "10.60.2.0/24" } },
      ['swarm.subnets.app = "10.60.2.0/24": the network web has 10.60.0.0/16'],
    ],
    [
      "a swarm's pool without room, whatever the engine's bridges have",
      {
        info: { Cluster: { DefaultAddrPool: ["10.100.0.0/22"], SubnetSize: 24 } },
        "GET /networks": [network("ingress", "10.100.0.0/24", "swarm"), network("web", "10.100.1.0/24", "swarm")],
      },
      {},
      ["swarm.subnets: the stack makes the networks edge, app, data, and the swarm has address ranges for 2 of them"],
    ],
    ["a swarm's usual pool", { "GET /networks": [network("web", "10.0.0.0/16", "swarm")] }, {}, []],
  ])("%s", async (_, answers, args, expected) => {
    const found = await onSwarm(answers, args);
    expect(found.map((each, index) => (each.includes(expected[index] ?? "—") ? expected[index] : each))).toEqual(
      expected,
    );
  });
});
