/** Networks of the operator's in the place of a stack's own: what fits, who has which names there, and who joins them. */
import { afterAll, describe, expect, test } from "@jest/globals";

import type { Platform, Slot, Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { planOf } from "../../components/core/recorder.ts";
import { containerServices } from "../../components/services/index.ts";
import { Adopted, adoptedProblems, type Member, type Network } from "../../components/topologies/adopted.ts";
import { dockerCapabilities } from "../../components/topologies/docker/capabilities.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { lookAt } from "../../components/topologies/docker/look.ts";
import { backendsOf } from "../../components/topologies/swarm/edge.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import { lookAt as lookAtSwarm } from "../../components/topologies/swarm/look.ts";
import { type Answers, type FakeEngine, fakeEngine } from "../support/fake-engine.ts";
import { record } from "../support/mocks.ts";
import { site } from "../support/sketches.ts";

const network = (Name: string, more: Partial<Network> = {}): Network => ({
  ...{ Id: `id-${Name}`, Name, Driver: "bridge", Internal: false, Ingress: false, EnableIPv4: true },
  ...more,
});
const member = (what: string, names: Member["names"], stack?: string): Member => ({ what, stack, names });
const onHost = { edge: "edge", app: "app", data: "data" };

/** What is said of networks for a stack `shop`, whose containers have these names in each tier. */
async function said(
  networks: Record<string, string>,
  there: readonly Network[],
  {
    members = [],
    driver = "bridge",
    names = {},
  }: {
    readonly members?: readonly Member[];
    readonly driver?: "bridge" | "overlay";
    readonly names?: Record<string, readonly string[]>;
  } = {},
): Promise<string[]> {
  const adopted = new Adopted("docker.networks", "shop", { networks }, onHost);
  for (const [tier, each] of Object.entries(names)) adopted.aliases(tier, each);
  const asked = (inside: readonly string[]) =>
    Promise.resolve(members.filter((each) => inside.some((name) => name in each.names)));
  return (await adopted.problems({ driver, networks: there, members: asked })).map(sentence);
}

describe("a network", () => {
  test("that is there and fits is taken, with IPv6 too", async () => {
    const six = { EnableIPv6: true } as Partial<Network>;
    expect(await said({ edge: "front", data: "back" }, [network("front", six), network("back")])).toEqual([]);
    expect(await said({}, [])).toEqual([]);
    const overlay = network("front", { Driver: "overlay" });
    expect(await said({ edge: "front" }, [overlay], { driver: "overlay" })).toEqual([]);
  });

  test.each<[string, Record<string, string>, readonly Network[], string]>([
    [
      "is not there",
      { app: "shop_default" },
      [network("web"), network("bridge"), network("back"), network("far", { Driver: "macvlan" })],
      'docker.networks.app = "shop_default": no such network; there are back, web: `docker network create shop_default`, or leave it out for one of the stack\'s own',
    ],
    ["is alone not there", { app: "x" }, [], 'docker.networks.app = "x": no such network; there are none: `docker'],
    ["is there twice", { app: "x" }, [network("x"), network("x")], "there are two networks of this name: remove one"],
    [
      "is the stack's own",
      { app: "shop-app" },
      [network("shop-app", { Labels: { "platform-topologies.name": "shop" } })],
      "this stack has made it: leave it out, or name one of yours",
    ],
    [
      "is of another driver",
      { data: "lan" },
      [network("lan", { Driver: "macvlan" })],
      "its driver is macvlan, and the stack's containers need a network of bridge: name another",
    ],
    ["has IPv6 alone", { data: "six" }, [network("six", { EnableIPv4: false })], "it has no IPv4 addresses"],
    ["lets nobody in", { edge: "in" }, [network("in", { Internal: true })], "it is internal, so nothing reaches"],
  ])("that %s is refused", async (_, networks, there, sentence) => {
    expect(await said(networks, there)).toEqual([expect.stringContaining(sentence)]);
  });

  test("without a way out is right for all but the edge, and one of another stack's is somebody's", async () => {
    const inside = { Internal: true, Labels: { "platform-topologies.name": "other" } };
    expect(await said({ data: "in", app: "too" }, [network("in", inside), network("too", inside)])).toEqual([]);
  });

  test("of a swarm is an overlay, and not the one of published ports", async () => {
    const found = await said(
      { edge: "in", app: "local", data: "none" },
      [network("in", { Driver: "overlay", Ingress: true }), network("local"), network("all", { Driver: "overlay" })],
      { driver: "overlay" },
    );
    expect(found).toEqual([
      'docker.networks.edge = "in": the swarm\'s own, for published ports alone: name another',
      expect.stringContaining("its driver is bridge, and the stack's containers need a network of overlay"),
      expect.stringContaining("there are all: `docker network create -d overlay --attachable none`"),
    ]);
  });
});

describe("a name", () => {
  const there = [network("front"), network("back")];
  const names = { edge: ["edge", "shop.example.com"], app: ["web"], data: ["db-1", "web"] };

  test("that somebody else has in a network of the stack's is refused, wherever the stack itself has it", async () => {
    const members = [
      member("the container a", { back: ["a", "db-1"] }),
      member("the container b", { front: ["b", "web"], back: ["b"] }),
    ];
    expect(await said({ edge: "front", data: "back" }, there, { members, names })).toEqual([
      'docker.networks.edge = "front": the container b has the name web there, by which the stack calls a part of its own: name another network, or rename it',
      'docker.networks.data = "back": the container a has the name db-1 there, by which the stack calls a part of its own: name another network, or rename it',
    ]);
  });

  test("that would lead others' calls to the stack is refused, too", async () => {
    const members = [
      member("the container a", { back: ["a"], theirs: ["a"] }),
      member("the service db", { theirs: ["their-db", "db-1"] }),
      member("the container c", { else: ["c", "web"] }),
    ];
    expect(await said({ data: "back" }, there, { members, names })).toEqual([
      'docker.networks.data = "back": the service db is called db-1 in theirs by who is in both, and the stack would take it: name another network, or rename it',
    ]);
  });

  test("of the stack's own containers is none of somebody else's", async () => {
    const members = [
      member("the container shop-db-1", { back: ["shop-db-1", "db-1"], own: ["web"] }, "shop"),
      member("the container a", { back: ["a"], own: ["a"] }),
    ];
    expect(await said({ data: "back" }, there, { members, names })).toEqual([]);
    const other = members.map((each) => ({ ...each, stack: each.stack === undefined ? undefined : "other" }));
    expect(await said({ data: "back" }, there, { members: other, names })).toHaveLength(2);
  });

  test("that is public is the only one in an edge network, so several stacks are in one", async () => {
    const members = [
      member("the container other-edge", { front: ["other-edge", "other.example.com"] }, "other"),
      member("the container proxy", { front: ["proxy"], theirs: ["proxy"] }),
      member("the container theirs", { theirs: ["edge", "web"] }),
    ];
    expect(await said({ edge: "front" }, there, { members, names })).toEqual([]);
    const same = [member("the container c", { front: ["c", "shop.example.com"] })];
    expect(await said({ edge: "front" }, there, { members: same, names })).toEqual([
      expect.stringContaining("the container c has the name shop.example.com there"),
    ]);
  });
});

test("what the config says of networks is for tiers of the stack's, one each, and for what it then still makes", () => {
  const check = (choices: object, tiers = ["edge", "app", "data", "app-gpu"], more: string[] = ["apps"]) =>
    adoptedProblems("docker", choices, tiers, more).map(sentence);
  const all = { edge: "a", app: "b", data: "c" };
  expect(check({ networks: { ...all, "app-gpu": "b" }, subnets: { apps: "10.60.1.0/24" }, mtu: 1400 })).toEqual([]);
  expect(check({ networks: { web: "a" } })).toEqual([
    'docker.networks.web = "a": no such network; there are edge, app, data, app-gpu',
  ]);
  expect(check({ networks: { apps: "a" } })).toEqual([
    'docker.networks.apps = "a": what a system starts there itself has a network of the stack\'s own: leave it out',
  ]);
  expect(check({ networks: { app: "a", data: "a" } })).toEqual([
    'docker.networks.data = "a": it stands for app already: each tier needs a network of its own',
  ]);
  expect(check({ networks: { app: "a" }, subnets: { app: "10.60.1.0/24" } })).toEqual([
    'docker.networks.app = "a": it has its range already: leave docker.subnets.app out',
  ]);
  const alone = [["edge", "app", "data"], []] as const;
  expect(check({ networks: all, mtu: 1400 }, [...alone[0]], [...alone[1]])).toEqual([
    "docker.mtu = 1400: the stack makes no network: leave it out",
  ]);
  expect(check({ networks: { edge: "a", app: "b" }, mtu: 1400 }, [...alone[0]], [...alone[1]])).toEqual([]);
});

const health = { ready: { command: ["true"] }, startSeconds: 4, stopSeconds: 1 };
const web: Workload = {
  ...{ image: "toolbox", tier: "app", cpu: 1, memoryMib: 64, health, replicas: 1 },
  ports: { web: { number: 80, protocol: "http" } },
  routes: [{ host: "shop.example.com", path: "/", port: "web" }],
};
const db: Slot = {
  ...{ image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, health },
  disk: { path: "/data", gib: 1, backup: { rebuilt: "anew" } },
  leave: { image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, seconds: 5 },
};
const parts = (p: Platform): void => {
  p.run("web", web);
  p.slots("db", { count: 1 }, () => db);
};
const plan = planOf<object>(
  parts,
  {},
  {
    site: site(),
    services: containerServices,
    capabilities: dockerCapabilities,
  },
);
const networks = { edge: "front", data: "back" };

test("a host's containers join them, and it makes the others alone; a member's leave runs without the whole stack's end", async () => {
  const all = await record(() => {
    const on = new DockerHost("host", {
      ...{ site: site(), host: "unix:///d.sock", address: "10.0.0.7", tls: { mode: "local" }, networks },
    });
    on.open(plan, { parent: on, logicalName: "shop" });
    on.workload("web", web, { parent: on, logicalName: "shop-web" });
    on.slot("db-1", db, { parent: on, logicalName: "shop-db-1" });
  });
  const of = (type: string) => all.filter((each) => each.type.endsWith(`:${type}`));
  expect(of("Network").map(({ name }) => name)).toEqual(["host-app"]);
  const hosts = Object.fromEntries(of("Container").map(({ name, inputs }) => [name, inputs.hostname]));
  expect(hosts).toEqual({ "shop-edge": "sample-edge", "shop-web-1": "sample-web-1", "shop-db-1": "db-1" });
  const joined = Object.fromEntries(of("Container").map(({ name, inputs }) => [name, inputs.networksAdvanced]));
  expect(joined).toMatchObject({
    "shop-edge": [{ name: "front", aliases: ["shop.example.com"] }],
    "shop-web-1": [
      { name: "front" },
      { name: "host-app-id", aliases: ["web", "web-1"] },
      { name: "back", aliases: ["web", "web-1"] },
    ],
    "shop-db-1": [{ name: "back", aliases: ["db-1"] }],
  });
  const files = JSON.stringify(of("Container").find(({ name }) => name === "shop-edge")?.inputs);
  expect(files).toContain("http://sample-web-1:80");
  const [leaves] = of("Finalizer");
  expect(leaves?.options.deletedWith).toContain("host-identity");
});

test("a swarm's services join them, the edge under its service's name", async () => {
  const all = await record(() => {
    const on = new Swarm("swarm", {
      ...{ site: site(), managers: ["tcp://m:2375"], tls: { mode: "local" }, networks },
      pin: (ref) => Promise.resolve(ref),
    });
    on.open(plan, { parent: on, logicalName: "shop" });
    on.slot("db-1", db, { parent: on, logicalName: "shop-db-1" });
  });
  const of = (type: string) => all.filter((each) => each.type.endsWith(`:${type}`));
  expect(of("Network").map(({ name }) => name)).toEqual(["swarm-app"]);
  const specs = Object.fromEntries(
    of("Service").map(({ name, inputs }) => [
      name,
      inputs.taskSpec as { networksAdvanceds: object; containerSpec: { healthcheck: { retries: number } } },
    ]),
  );
  expect(specs["shop-edge"]?.networksAdvanceds).toEqual([{ id: "front", aliases: ["shop.example.com"] }]);
  expect(JSON.stringify(specs["shop-edge"]?.containerSpec)).toContain("getent hosts tasks.sample-edge");
  expect(specs["shop-db-1"]?.networksAdvanceds).toEqual([{ id: "back", aliases: ["db-1"] }]);
  // Callers from outside may be silent for longer than a node that is there.
  for (const [name, tries] of [
    ["shop-edge", "6"],
    ["shop-db-1", "4"],
  ] as const)
    expect(specs[name]?.containerSpec).toMatchObject({ sysctl: { "net.ipv4.tcp_retries2": tries } });
  // A service that was made without it keeps running as it is.
  for (const { options } of of("Service")) expect(options.ignoreChanges).toContain("taskSpec.containerSpec.sysctl");
  // Whoever waits for a store's next leader is not started again for it, all replicas at once. A store is.
  const retries = (name: string) => specs[name]?.containerSpec.healthcheck.retries;
  expect([retries("shop-edge"), retries("shop-db-1")]).toEqual([6, 3]);
  const route = { host: "h", path: "/", port: "web", to: "web", target: { number: 80, protocol: "http" } } as const;
  const slots = { ...route, of: "slots", hosts: ["db-1"] } as const;
  expect(backendsOf(site(), true)(slots)).toEqual({ hosts: ["sample-db-1"], watch: false });
});

describe("an engine is asked", () => {
  const opened: FakeEngine[] = [];
  afterAll(() => {
    for (const each of opened) each.close();
  });
  const engineOf = async (answers: Answers): Promise<FakeEngine> => {
    const engine = await fakeEngine({ "GET /_ping": "OK", ...answers });
    opened.push(engine);
    return engine;
  };
  const adopted = (key: string) => {
    const made = new Adopted(key, "shop", { networks: { data: "back" } }, onHost);
    made.aliases("data", ["db-1"]);
    return made;
  };

  test("who is in them and beside them, stopped containers too", async () => {
    const inspect = (Name: string, Networks: object) => ({
      ...{ Name: `/${Name}`, Config: { Labels: {} }, NetworkSettings: { Networks } },
    });
    const listed = (query: string) => {
      const { network } = JSON.parse(new URLSearchParams(query).get("filters") ?? "{}") as { network?: string[] };
      if (network === undefined) return [];
      return network.includes("back") ? [{ Id: "a" }, { Id: "gone" }] : [{ Id: "a" }, { Id: "b" }];
    };
    const engine = await engineOf({
      ...{ "GET /info": { ID: "E1", Name: "host" }, "GET /volumes": { Volumes: [] }, "GET /images/json": [] },
      "GET /networks": [{ Id: "n", Name: "back", Driver: "bridge" }],
      "GET /containers/json": listed,
      "GET /containers/a/json": inspect("a", { back: { Aliases: ["db-1"] }, theirs: { Aliases: null } }),
      "GET /containers/b/json": inspect("b", { theirs: { Aliases: [], DNSNames: ["db-1"] } }),
    });
    const { problems = [] } = await lookAt(engine.host, adopted("docker.networks"));
    expect(problems.map(sentence)).toEqual([
      expect.stringContaining("the container a has the name db-1 there"),
      expect.stringContaining("the container b is called db-1 in theirs by who is in both"),
    ]);
    expect(engine.asked.filter((each) => each.startsWith("GET /containers/json"))).toEqual(
      Array<unknown>(3).fill(expect.stringContaining("all=true")),
    );
  });

  test("and a swarm by its services, in either form of their networks", async () => {
    const service = (Name: string, Spec: object) => ({ ID: Name, Spec: { Name, ...Spec } });
    const engine = await engineOf({
      ...{ "GET /info": { Swarm: { ControlAvailable: true, LocalNodeState: "active" } }, "GET /swarm": { ID: "S1" } },
      ...{ "GET /nodes": [], "GET /secrets": [], "GET /configs": [] },
      "GET /networks": [
        { Id: "n1", Name: "back", Driver: "overlay" },
        { Id: "n2", Name: "theirs", Driver: "overlay" },
      ],
      "GET /services": [
        service("a", { TaskTemplate: { Networks: [{ Target: "n1", Aliases: ["x"] }, { Target: "n2" }] } }),
        service("db-1", { Networks: [{ Target: "n2" }] }),
        service("shop-db-1", {
          Labels: { "platform-topologies.name": "shop" },
          TaskTemplate: { Networks: [{ Target: "n1", Aliases: ["db-1"] }] },
        }),
      ],
    });
    const { problems = [] } = await lookAtSwarm(engine.host, "swarm", "shop", {}, [], adopted("swarm.networks"));
    expect(problems.map(sentence)).toEqual([
      'swarm.networks.data = "back": the service db-1 is called db-1 in theirs by who is in both, and the stack would take it: name another network, or rename it',
    ]);
  });
});
