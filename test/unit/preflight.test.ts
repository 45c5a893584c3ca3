/** What the engine is asked before the first resource: ports by address, and room for the networks. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterEach, describe, expect, test } from "@jest/globals";

import type { Kind, Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { planOf } from "../../components/core/recorder.ts";
import { siteOf } from "../../components/core/site.ts";
import { addressProblems, type Asked, parseRoutes } from "../../components/topologies/address-preflight.ts";
import { conflict, held, parseListeners, published } from "../../components/topologies/docker/ports.ts";
import { preflight, type PreflightArgs } from "../../components/topologies/docker/preflight.ts";
import {
  preflight as swarmPreflight,
  type PreflightArgs as SwarmPreflightArgs,
} from "../../components/topologies/swarm/preflight.ts";
import {
  hostOf,
  networksBy,
  networksOn,
  socketOf,
  socketProblems,
} from "../../components/topologies/docker/machines.ts";
import { topologies } from "../../components/topologies/index.ts";
import { type Answers, type FakeEngine, fakeEngine } from "../support/fake-engine.ts";
import { newFolder } from "../support/folder.ts";

/** A table of the kernel's networks; empty where there is none. */
function kernel(table: string): string {
  try {
    return readFileSync(`/proc/net/${table}`, "utf8");
  } catch {
    return "";
  }
}

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
    ["::ffff:7f00:100", "127.0.1.0", true],
    ["1::ffff:7f00:1", "127.0.0.1", false],
    ["::ffff:7f00:1:1", "127.0.0.1", false],
    ["", "127.0.0.1", true], // an engine's way to say all of IPv4
    ["", "2001:db8::1", false],
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
    expect(await held({ address: "0.0.0.0", port: number }, [{ address: "127.0.0.3", port: number + 1 }])).toBe(true);
    // A wider one of ours does not explain a narrower one of somebody else's.
    expect(await held({ address: "0.0.0.0", port: number }, [{ address: "0.0.0.0", port: number }])).toBe(true);
  });
});

test("a container's published ports are those of TCP, at their address or at all", () => {
  const Ports = [
    port("127.0.0.1", 80),
    { PublicPort: 81, Type: "tcp" },
    port("127.0.0.1", 82, "udp"),
    { PrivatePort: 83, Type: "tcp" },
  ];
  expect(published({ Ports })).toEqual([
    { address: "127.0.0.1", port: 80 },
    { address: "", port: 81 },
  ]);
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

test("an engine that does not answer is named by its key, and no other is asked more", async () => {
  const dead = "tcp://127.0.0.1:1";
  const why = `Docker at ${dead} refuses the connection: start the Docker engine there, or correct the address`;
  expect(await sentences({ networks: [{}] }, { machines: { gpu: { host: dead }, cpu: dead } })).toEqual(
    ["gpu", "cpu"].map((key) => `docker.machines.${key} = "${dead}": ${why}`),
  );
  expect(await sentences({}, { host: dead })).toEqual([`docker.host = "${dead}": ${why}`]);
});

test("an image of this machine alone has to be on the engine", async () => {
  const engine = await fakeEngine({
    "GET /_ping": "OK",
    ...{ "GET /containers/json": [], "GET /networks": [], "GET /info": {} },
    "GET /images/platform-topologies/there:1/json": { Id: "sha256:1" },
  });
  opened.push(engine);
  const local = ["there", "gone"].map(
    (key) => ({ key, ref: `platform-topologies/${key}:1` }) as PreflightArgs["local"][number],
  );
  expect(await sentences({}, { host: engine.host, local })).toEqual([
    'images.gone = "platform-topologies/gone:1": not on the engine: `npm run images -- build` builds it',
  ]);
});

test("a stack's engine is asked about its config: its containers' networks, and its images of this machine alone", async () => {
  const engine = await fakeEngine({
    ...{ "GET /_ping": "OK", "GET /containers/json": [], "GET /info": {} },
    "GET /networks": [network("vpn", "10.60.0.0/16")],
  });
  opened.push(engine);
  const row = topologies.docker;
  if (row === undefined) throw new Error("no Docker");
  const config = row.config.parse({ host: engine.host, subnets: { apps: "10.60.1.0/24" } });
  const images = ["platform-topologies/own:1", "example.com/platform-topologies/far:1", "redis:7"].map(
    (ref) => ({ key: ref, ref }) as PreflightArgs["local"][number],
  );
  const runner: Workload = {
    ...{ image: "toolbox", tier: "isolated", networks: ["apps"], cpu: 1, memoryMib: 64, replicas: 1 },
    health: { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 },
  };
  const { capabilities, services } = row;
  const plan = planOf<object>((p) => void p.run("runner", runner), {}, { site, capabilities, services });
  expect(
    (await row.preflight(config, { site, plan, secrets: {}, state: [], component: "" }, images)).map(sentence),
  ).toEqual([
    'docker.subnets.apps = "10.60.1.0/24": the network vpn has 10.60.0.0/16: choose another range',
    'images.platform-topologies/own:1 = "platform-topologies/own:1": not on the engine: `npm run images -- build` builds it',
  ]);
});

test("a program of the engine's own machine has its ports, too; of another machine nobody can tell", async () => {
  const program = createServer();
  opened.push(program);
  await new Promise<void>((resolve) => program.listen(0, "127.0.0.1", resolve));
  const taken = siteOf({ ...site, ports: { ...ports, http: (program.address() as AddressInfo).port } });
  const answers = { "GET /_ping": "OK", "GET /containers/json": [], "GET /networks": [], "GET /info": {} };
  const here = await fakeEngine(answers, join(newFolder("engine"), "d.sock"));
  opened.push(here);
  expect(await sentences({}, { host: here.host, site: taken })).toEqual([
    `docker.ports.http = ${String(taken.ports.http)}: another program listens there on 127.0.0.1; stop it or choose another port`,
  ]);
  expect(await sentences({}, { host: here.host, site: taken, address: "127.0.0.2" })).toEqual([]);
  expect(await sentences({}, { site: taken })).toEqual([]);
});

describe("a further machine's engine", () => {
  const container = { image: "x", tier: "app", cpu: 1, memoryMib: 64 } as const;
  const withSocket = { ...container, needs: ["container-api"] } as const;

  test.each<[Parameters<typeof hostOf>[0], string, string | undefined]>([
    ["unix:///run/docker.sock", "unix:///run/docker.sock", "/run/docker.sock"],
    ["ssh://gpu", "ssh://gpu", undefined],
    ["tcp://gpu:2375/unix://", "tcp://gpu:2375/unix://", undefined],
    [{ host: "ssh://gpu", socket: "/s" }, "ssh://gpu", "/s"],
    [{ host: "unix:///run/docker.sock" }, "unix:///run/docker.sock", "/run/docker.sock"],
    [{ host: "unix:///run/docker.sock", socket: "/s" }, "unix:///run/docker.sock", "/s"],
  ])("%j has its address and its socket", (machine, host, socket) => {
    expect([hostOf(machine), socketOf(machine)]).toEqual([host, socket]);
  });

  test("has the network app, and those that its own containers join by name; each is called after the machine", () => {
    const on = (machine: string | undefined, networks?: string[]) =>
      [
        "c",
        { ...container, ...(machine === undefined ? {} : { machine }), ...(networks ? { networks } : {}) },
      ] as const;
    const planned = [on(undefined, ["apps"]), on("gpu", ["jobs"]), on("gpu"), on("cpu", ["more"])];
    expect(networksOn("", planned)).toEqual({ edge: "edge", app: "app", data: "data", apps: "apps" });
    expect(networksOn("gpu", planned)).toEqual({ "app-gpu": "app", "jobs-gpu": "jobs" });
    expect(planned.map(([, each]) => networksBy(each))).toEqual([
      ["app", "data", "apps"],
      ["app-gpu", "jobs-gpu"],
      ["app-gpu"],
      ["app-cpu", "more-cpu"],
    ]);
    expect(networksBy({ ...container, disk: {} } as Parameters<typeof networksBy>[0])).toEqual(["app"]);
  });

  test("gives its socket to a container only if its path is known", () => {
    const machines = { gpu: "ssh://gpu", cpu: { host: "ssh://cpu", socket: "/s" } };
    const said = (host: string, planned: (readonly [string, object])[]) =>
      socketProblems(host, machines, planned as Parameters<typeof socketProblems>[2]).map(sentence);
    expect(
      said("ssh://a", [
        ["web", container],
        ["far", { ...withSocket, machine: "cpu" }],
        ["none", { ...withSocket, machine: "toString" }],
      ]),
    ).toEqual([]);
    expect(said("unix:///s", [["proxy", withSocket]])).toEqual([]);
    expect(said("ssh://a", [["proxy", withSocket]])).toEqual([
      "docker.socket: proxy is given the engine's socket, and ssh://a does not say where that machine has it: name its " +
        "path there, as docker.socket: /var/run/docker.sock",
    ]);
    expect(said("unix:///s", [["agent", { ...withSocket, machine: "gpu" }]])).toEqual([
      `docker.machines.gpu = "ssh://gpu": agent is given the engine's socket, and ssh://gpu does not say where that ` +
        'machine has it: name its path there, as {host: "ssh://gpu", socket: /var/run/docker.sock}',
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

  type Engine = Parameters<typeof addressProblems>[0];
  /** The same question to an engine that answers with these lists. */
  const asks = async (networks: object[], asked: Partial<Asked>, info: object = {}) => {
    const engine = { listNetworks: () => Promise.resolve(networks), info: () => Promise.resolve(info) };
    const names = { edge: "own-edge", app: "own-app" };
    const usualAsked = { key: "k", networks: names, scope: "local", here: false } as const;
    return (await addressProblems(engine as unknown as Engine, { ...usualAsked, ...asked })).map(sentence);
  };

  test("each of an engine's usual ranges is room for one network", async () => {
    for (const range of usual) {
      const others = full.filter(({ IPAM }) => IPAM.Config[0]?.Subnet !== range);
      expect([range, await asks(others, { networks: { app: "own-app" } })]).toEqual([range, []]);
      const [said] = await asks(others, {});
      expect(said).toContain("address ranges for 1 of them");
    }
  });

  test("a range that is none, or for a network that is none, is not compared; the remedy names a network without one", async () => {
    const there = [network("vpn", "10.60.0.0/16")];
    expect(await asks(there, { subnets: { edge: "all", apps: "10.60.1.0/24", app: "10.61.1.0/24" } })).toEqual([]);
    const [said] = await asks(full, { subnets: { edge: "10.61.1.0/24" } });
    expect(said).toContain("the stack makes the networks app, and the engine has no address range left");
    expect(said).toContain("give them ranges of your own, as {app: 10.60.1.0/24}");
  });

  test("a swarm has its usual pool, unless it says another; a pool of IPv6 is not judged", async () => {
    const all = [network("all", "10.0.0.0/8", "swarm")];
    const none = "the swarm has no address range left";
    for (const info of [{}, { Swarm: {} }, { Swarm: { Cluster: { DefaultAddrPool: [] } } }]) {
      expect(await asks([], { scope: "swarm" }, info)).toEqual([]);
      expect(await asks(all, { scope: "swarm" }, info)).toEqual([expect.stringContaining(none)]);
      // A bridge of one engine takes nothing from the swarm.
      expect(await asks([network("all", "10.0.0.0/8")], { scope: "swarm" }, info)).toEqual([]);
    }
    const six = { Swarm: { Cluster: { DefaultAddrPool: ["fd00::/48"] } } };
    expect(await asks(all, { scope: "swarm" }, six)).toEqual([]);
    const small = { Swarm: { Cluster: { DefaultAddrPool: ["10.0.0.0/23"], SubnetSize: 25 } } };
    expect(await asks([network("one", "10.0.0.0/24", "swarm")], { scope: "swarm" }, small)).toEqual([]);
    expect(
      await asks(
        [network("one", "10.0.0.0/24", "swarm")],
        { scope: "swarm" },
        { Swarm: { Cluster: { DefaultAddrPool: ["10.0.0.0/23"] } } },
      ),
    ).toEqual([expect.stringContaining("address ranges for 1 of them")]);
  });

  const route = parseRoutes(kernel("route")).find(({ first, last }) => last > first);
  (route === undefined ? describe.skip : describe)("a range that this machine reaches elsewhere", () => {
    const { text = "", by = "" } = route ?? {};
    const subnets = { edge: text };
    const networks = { edge: "own-edge" };
    const asksHere = (there: object[], more: Partial<Asked> = {}, info = {}) =>
      asks(there, { here: true, networks, ...more }, info);

    test("is refused, but for the engine on another machine", async () => {
      expect(await asksHere([], { subnets })).toEqual([
        `k.edge = ${JSON.stringify(text)}: this machine reaches ${text} through ${by}: choose another range`,
      ]);
      expect(await asks([], { networks, subnets })).toEqual([]);
    });

    test("is the network's own, if that is there with just this range", async () => {
      expect(await asksHere([network("own-edge", text)], { subnets })).toEqual([]);
      const [first = "", bits] = text.split("/");
      const other = [network("own-edge", `${first}/${String(Number(bits) + 1)}`)]; // it begins alike
      expect(await asksHere(other, { subnets })).toEqual([expect.stringContaining("this machine reaches")]);
    });

    test("is no room on an engine, and has nothing to do with a swarm's pool", async () => {
      const bits = Number(text.split("/")[1]);
      const pools = { DefaultAddressPools: [{ Base: text, Size: bits }] };
      expect(await asksHere([], {}, pools)).toEqual([expect.stringContaining("no address range left")]);
      expect(await asks([], { networks }, pools)).toEqual([]);
      const pool = { Swarm: { Cluster: { DefaultAddrPool: [text], SubnetSize: bits } } };
      expect(await asksHere([], { scope: "swarm" }, pool)).toEqual([]);
    });
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
    const usual = { site, managers: [engine.host], nodes: {}, registries: [], images: [], planned: [], needs: [] };
    return (await swarmPreflight({ ...usual, ...args })).map(sentence);
  }

  const three: SwarmPreflightArgs["planned"] = ["db-1", "db-2", "db-3"].map((name) => {
    const disk = { path: "/d", gib: 1, backup: { rebuilt: "by hand" } };
    return [name, { image: "x", tier: "data", cpu: 1, memoryMib: 64, disk }];
  });
  const needs = (kind: Kind): SwarmPreflightArgs["needs"] => [
    { kind, name: "db", ask: {}, by: "container", because: "", parts: ["db-1", "db-2", "db-3", "db-setup"] },
  ];

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
    [
      "a task of another service's on another node, and one that ends on ours",
      {
        "GET /services": [service("b-edge", 8280, "host")],
        "GET /tasks": [task("w"), { ...task("m"), DesiredState: "shutdown" }],
      },
      {},
      [],
    ],
    [
      "one of several tasks on our node",
      { "GET /services": [service("b-edge", 8280, "host")], "GET /tasks": [task("w"), task("m")] },
      {},
      ["swarm.ports.http = 8280: the service b-edge has it on m1; remove it or choose another port"],
    ],
    [
      "several nodes, each named",
      { "GET /services": [service("b-edge", 8280, "host")], "GET /tasks": [task("w"), task("m")] },
      { edge: { nodes: {} } },
      ["swarm.ports.http = 8280: the service b-edge has it on m1, w1; remove it or choose another port"],
    ],
    ["a service without ports", { "GET /services": [{ ID: "x", Spec: { Name: "x" } }] }, {}, []],
    [
      "the manager, where that is no node of the edge",
      { "GET /containers/json": [holds("proxy", [port("0.0.0.0", 8280)])] },
      { edge: { nodes: { role: "worker" } } },
      [],
    ],
    [
      "a container with other ports, too",
      { "GET /containers/json": [holds("dns", [port("0.0.0.0", 53)]), holds("proxy", [port("", 53), port("", 8280)])] },
      {},
      ["swarm.ports.http = 8280: the container proxy has it on m1; stop it or choose another port"],
    ],
    [
      "a network of its own that a container joins",
      { "GET /networks": [network("web", "10.60.0.0/16", "swarm"), network("own-apps", "10.60.2.0/24", "swarm")] },
      {
        subnets: { apps: "10.60.2.0/24", edge: "10.61.0.0/24" },
        planned: [["runner", { image: "x", tier: "app", networks: ["apps"], cpu: 1, memoryMib: 64 }]],
      },
      ['swarm.subnets.apps = "10.60.2.0/24": the network web has 10.60.0.0/16'],
    ],
    [
      "a node that is none",
      {},
      { nodes: { w1: { labels: { a: "b" } }, w9: { labels: { a: "b" } } } },
      ["swarm.nodes.w9: no such node; there are m1 (manager, ready, active), w1 (worker, ready, active)"],
    ],
    ...(
      [
        [
          "three copies on two nodes",
          { copies: 3 },
          {},
          [
            "copies = 3: db has three servers, and 2 nodes in the swarm may take them: add nodes, or say platform-topologies:copies: 1",
          ],
        ],
        [
          "three copies on nodes with a label",
          { copies: 3 },
          { place: { disk: "fast" }, nodes: { w1: { labels: { disk: "fast" } } } },
          ["copies = 3: db has three servers, and 1 node with disk=fast may take them"],
        ],
        [
          "three copies, as a protected stack has them",
          {},
          {},
          [
            "copies: db has three servers, as a protected stack on a swarm has them by default, and 2 nodes in the swarm may take them: add nodes, or say platform-topologies:copies: 1",
          ],
        ],
        [
          "three copies of all but one store",
          { copies: { cache: 1 } },
          {},
          ['copies = {"cache":1}: db has three servers, as a protected stack on a swarm'],
        ],
        ["three copies where nothing is protected", { copies: 3, protect: false }, {}, []],
        ["one copy", { copies: 1 }, {}, []],
        ["three of what has no copies, whose number is its system's word", {}, { needs: needs("cql") }, []],
      ] as const
    ).map(([title, over, args, expected]): [string, Answers, Partial<SwarmPreflightArgs>, string[]] => [
      title,
      {},
      { needs: needs("postgres"), ...args, site: { ...site, protect: true, ...over }, planned: three },
      [...expected],
    ]),
    [
      "three nodes of which one is down, and one is drained",
      {
        "GET /nodes": [
          nodes[0],
          { ...node("x", "w2", "worker"), Status: { State: "down" } },
          { ...node("y", "w3", "worker"), Spec: { ...node("y", "w3", "worker").Spec, Availability: "drain" } },
        ],
      },
      { site: { ...site, protect: true }, planned: three, needs: needs("postgres") },
      [],
    ],
    [
      "an engine that does not answer as one does",
      { "GET /services": { status: 500, body: { message: "the swarm has no leader" } } },
      {},
      [": the swarm has no leader"],
    ],
  ])("%s", async (_, answers, args, expected) => {
    const found = await onSwarm(answers, args);
    expect(found.map((each, index) => (each.includes(expected[index] ?? "—") ? expected[index] : each))).toEqual(
      expected,
    );
  });

  const image = (key: string, ref: string) => ({ key, ref }) as SwarmPreflightArgs["images"][number];
  test("an image of this machine alone is for a swarm of one node, which has to have it", async () => {
    const images = ["there", "gone"].map((key) => image(key, `platform-topologies/${key}:1`));
    const has = { "GET /images/platform-topologies/there:1/json": { Id: "sha256:1" } };
    expect(await onSwarm({ ...has, "GET /nodes": nodes.slice(0, 1) }, { images })).toEqual([
      'images.gone = "platform-topologies/gone:1": not on the engine: `npm run images -- build` builds it',
    ]);
    expect(await onSwarm(has, { images })).toEqual(
      ["there", "gone"].map(
        (key) =>
          `images.${key} = "platform-topologies/${key}:1": only this machine has it, and the nodes pull for themselves: ` +
          "`npm run images -- push <registry>`, and name that registry as `mirror`",
      ),
    );
  });

  test("an image that the manager's registry does not have is named, once for each reference", async () => {
    const images = ["x", "y"].map((key) => image(key, "example.com/gone:1")).concat(image("z", "example.com/web:1"));
    const answers = {
      "GET /distribution/example.com/web:1/json": { Descriptor: { digest: "sha256:d" } },
      "GET /distribution/example.com/gone:1/json": { status: 404, body: { message: "manifest unknown" } },
    };
    expect(await onSwarm(answers, { images })).toEqual([
      'images.y = "example.com/gone:1": the manager cannot find it (manifest unknown): push it, or name its registry in ' +
        "swarm.registries and log in",
    ]);
  });

  test("a program of the manager's machine has its ports, too, but not the engine itself, for ingress or a container", async () => {
    const program = createServer();
    opened.push(program);
    await new Promise<void>((resolve) => program.listen(0, "0.0.0.0", resolve));
    const number = (program.address() as AddressInfo).port;
    const taken = siteOf({ ...site, ports: { ...ports, http: number } });
    const at = async (answers: Answers) => {
      const engine = await fakeEngine(
        {
          ...{ "GET /_ping": "OK", "GET /nodes": nodes, "GET /services": [], "GET /networks": [], "GET /tasks": [] },
          "GET /info": { Swarm: { NodeID: "m", LocalNodeState: "active", ControlAvailable: true } },
          ...{ "GET /containers/json": [], ...answers },
        },
        join(newFolder("manager"), "d.sock"),
      );
      opened.push(engine);
      const usual = {
        site: taken,
        managers: [engine.host],
        nodes: {},
        registries: [],
        images: [],
        planned: [],
        needs: [],
      };
      return (await swarmPreflight(usual)).map(sentence);
    };
    const said = `swarm.ports.http = ${String(number)}: another program listens there on m1; stop it or choose another port`;
    expect(await at({})).toEqual([said]);
    expect(await at({ "GET /services": [service("own-edge", number, "ingress")] })).toEqual([]);
    expect(await at({ "GET /services": [service("own-edge", number, "host")] })).toEqual([said]);
    const own = holds("own", [port("0.0.0.0", number)], { "com.docker.swarm.service.id": "own" });
    expect(await at({ "GET /containers/json": [own] })).toEqual([]);
    expect(await onSwarm({}, { site: taken })).toEqual([]); // of a manager elsewhere nobody can tell
  });
});
