/** What a survey sees of an engine and of a swarm, and how it removes and pulls there, by a server that answers as they do. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { afterEach, describe, expect, test } from "@jest/globals";

import type { Known } from "../../components/core/known.ts";
import { lookAt, pullAgain, removeFrom } from "../../components/topologies/docker/look.ts";
import type { Thing } from "../../components/topologies/survey.ts";
import { lookAt as lookAtSwarm, removeFrom as removeFromSwarm } from "../../components/topologies/swarm/look.ts";
import { isLocal, pinned } from "../../components/topologies/swarm/images.ts";
import { type Answer, type Answers, type FakeEngine, fakeEngine } from "../support/fake-engine.ts";
import { newFolder } from "../support/folder.ts";

const opened: FakeEngine[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});
const answers = async (all: Answers): Promise<FakeEngine> => {
  const engine = await fakeEngine(all);
  opened.push(engine);
  return engine;
};
const dead = "tcp://127.0.0.1:1";
const refused =
  "Docker at tcp://127.0.0.1:1 refuses the connection: start the Docker engine there, or correct the address";
const broken: Answer = { status: 500, body: { message: "it is in use" } };
const labels = { "platform-topologies.name": "shop" };

describe("one engine", () => {
  const empty = {
    "GET /info": { ID: "E1", Name: "host", Swarm: { NodeID: "" } },
    "GET /containers/json": [],
    "GET /networks": [],
    "GET /volumes": { Volumes: [] },
    "GET /images/json": [],
  };

  test("it is known by its id and place; containers, networks, volumes and images by their names, with or without labels", async () => {
    const engine = await answers({
      ...empty,
      "GET /containers/json": [
        { Id: "c-web", Names: ["/shop-web"], Labels: labels, State: "running", Status: "Up 2 hours (healthy)" },
      ],
      "GET /networks": [
        { Id: "n-app", Name: "shop-app", Labels: labels },
        { Id: "n-host", Name: "host", Labels: null },
      ],
      "GET /volumes": {
        Volumes: [
          { Name: "shop-db", Labels: labels },
          { Name: "other", Labels: null },
        ],
      },
      "GET /images/json": [{ Id: "sha256:1" }],
    });
    expect(await lookAt(engine.host)).toEqual({
      engine: "E1",
      places: ["E1 host"],
      things: [
        { kind: "container", name: "shop-web", id: "c-web", labels, down: undefined, broken: undefined },
        { kind: "network", name: "shop-app", id: "n-app", labels },
        { kind: "network", name: "host", id: "n-host", labels: {} },
        { kind: "image", name: "sha256:1", labels: {} },
        { kind: "volume", name: "shop-db", labels },
        { kind: "volume", name: "other", labels: {} },
      ],
    });
    // One that is stopped is on no list of those that run.
    expect(engine.asked).toContain("GET /containers/json?all=true");
  });

  test("an engine without volumes may answer null, and a container without a name has none", async () => {
    const engine = await answers({
      ...empty,
      "GET /volumes": { Volumes: null },
      "GET /containers/json": [{ Names: [], Labels: {}, State: "running", Status: "Up" }],
    });
    expect((await lookAt(engine.host)).things).toMatchObject([{ kind: "container", name: "" }]);
  });

  test.each<[string, string, Partial<Thing>]>([
    ["running", "Up 2 hours", {}],
    ["running", "Up 2 hours (healthy)", {}],
    ["running", "Up 2 seconds (health: starting)", {}],
    ["running", "Up 2 hours (unhealthy)", { broken: { why: "its health check fails" } }],
    [
      "restarting",
      "Restarting (1) 5 seconds ago",
      { broken: { why: "its process ends again and again (Restarting (1))" } },
    ],
    ["exited", "Exited (137) About an hour ago", { down: "does not run (Exited (137))" }],
    ["dead", "Dead", { down: "does not run (Dead)" }],
    ["created", "Created", { down: "was never started" }],
    ["paused", "Up 2 hours (Paused)", { down: "is paused" }],
  ])("a container that is %s, with the status %s", async (State, Status, expected) => {
    const engine = await answers({ ...empty, "GET /containers/json": [{ Names: ["/a"], Labels: {}, State, Status }] });
    const [{ down, broken: why } = {}] = (await lookAt(engine.host)).things as readonly Partial<Thing>[];
    expect({ down, broken: why }).toEqual({ down: undefined, broken: undefined, ...expected });
  });

  test("one that does not answer is named with what to do", async () => {
    await expect(lookAt(dead)).rejects.toThrow(refused);
  });

  test("a container goes by force, with its nameless volumes; a network goes; nothing else does", async () => {
    const done: Answer = { status: 204, body: "" };
    const engine = await answers({ "DELETE /containers/shop-web": done, "DELETE /networks/shop-app": done });
    for (const [kind, name] of [
      ["container", "shop-web"],
      ["network", "shop-app"],
      ["volume", "shop-db"],
      ["image", "sha256:1"],
    ] as const)
      await removeFrom(engine.host, { kind, name, labels });
    expect(engine.asked).toEqual(["DELETE /containers/shop-web?force=true&v=true", "DELETE /networks/shop-app"]);
  });

  test.each(["container", "network"] as const)(
    "a %s that has gone meanwhile is no error, one that stays is",
    async (kind) => {
      const engine = await answers({ [`DELETE /${kind}s/stays`]: broken });
      await removeFrom(engine.host, { kind, name: "gone", labels });
      await expect(removeFrom(engine.host, { kind, name: "stays", labels })).rejects.toThrow("it is in use");
    },
  );

  describe("an image that is pulled again", () => {
    const image = { ref: "example.com/web:1", id: "sha256:1", digest: "example.com/web@sha256:d" };
    const byTag = "POST /images/create?fromImage=example.com%2Fweb&tag=1";
    const byDigest = "POST /images/create?fromImage=example.com%2Fweb&tag=sha256%3Ad";
    const pulls = (fails: (query: string) => boolean, there: boolean) =>
      answers({
        "POST /images/create": (query: string) => (fails(query) ? broken : { status: "done" }),
        ...(there ? { "GET /images/sha256:1/json": { Id: "sha256:1" } } : {}),
      });
    const asked = ({ asked: all }: FakeEngine) => all.filter((each) => each.startsWith("POST"));

    test("is asked for by its digest, which is the same image for ever", async () => {
      const engine = await pulls(() => false, true);
      expect(await pullAgain(engine.host, [], image)).toBe(true);
      expect(asked(engine)).toEqual([byDigest]);
    });

    test("is asked for by its tag where there is no digest, or the digest is gone", async () => {
      const without = await pulls(() => false, true);
      expect(await pullAgain(without.host, [], { ...image, digest: undefined })).toBe(true);
      expect(asked(without)).toEqual([byTag]);
      const gone = await pulls((query) => query.includes("sha256"), true);
      expect(await pullAgain(gone.host, [], image)).toBe(true);
      expect(asked(gone)).toEqual([byDigest, byTag]);
    });

    test("may be another one by now", async () => {
      expect(await pullAgain((await pulls(() => false, false)).host, [], image)).toBe(false);
    });

    test("that nobody has is named by its tag, in the engine's words", async () => {
      const engine = await pulls(() => true, true);
      await expect(pullAgain(engine.host, [], image)).rejects.toThrow(
        /^example\.com\/web:1 cannot be pulled: it is in use$/,
      );
      expect(asked(engine)).toEqual([byDigest, byTag]);
    });
  });
});

describe("a swarm", () => {
  const owner = "0a0b";
  const mine = { ...labels, "platform-topologies.owner": owner };
  const known = (type: string, name: string, outputs: Known["outputs"]): Known => ({
    urn: `urn:pulumi:dev::p::${type}::${name}`,
    type,
    outputs,
  });
  const identity = known("platform-topologies:index:StackIdentity", "swarm-identity", {
    ...{ name: "shop", topology: "swarm", owner, engine: "S1" },
  });
  const service = known("docker:index/service:Service", "web", { name: "shop-web" });
  const node = (ID: string, more: { Availability?: string; State?: string; Labels?: object } = {}) => {
    const { Availability = "active", State = "ready", Labels = {} } = more;
    return {
      ...{ ID, Version: { Index: 1 }, Spec: { Labels, Role: "worker", Availability } },
      ...{ Description: { Hostname: `host-${ID}` }, Status: { State } },
    };
  };
  const spec = { Env: ["PLATFORM_TOPOLOGIES_SPEC=new"] };
  const served = (Name: string, Mode: object, Constraints?: string[]) => ({
    ID: `id-${Name}`,
    Spec: {
      ...{ Name, Labels: mine, Mode },
      TaskTemplate: { ContainerSpec: spec, ...(Constraints ? { Placement: { Constraints } } : {}) },
    },
  });
  const task = (ServiceID: string, State: string, more: object = {}) => ({
    ...{ ID: `t-${ServiceID}`, ServiceID, CreatedAt: "2026", NodeID: "n1", Slot: 1, DesiredState: "running" },
    ...{ Spec: { ContainerSpec: spec }, Status: { State, ...more } },
  });
  const empty = {
    "GET /swarm": { ID: "S1" },
    "GET /services": [],
    "GET /networks": [],
    "GET /nodes": [node("n1"), node("n2")],
    "GET /secrets": [],
    "GET /configs": [],
  };
  const look = async (all: Answers, state: Known[] = [identity, service], nodes = {}) => {
    const engine = await answers({ ...empty, ...all });
    return { ...(await lookAtSwarm(engine.host, "swarm", "shop", nodes, state)), asked: engine.asked };
  };

  test("it is known by its id, and by each of its nodes", async () => {
    const { engine, places, things, problems } = await look({}, []);
    expect({ engine, places, things, problems }).toEqual({
      ...{ engine: "S1", places: ["S1", "n1", "n2"], things: [], problems: [] },
    });
  });

  test("services and networks have their names, with or without labels; tasks are asked for this state's alone", async () => {
    const other = { ID: "o", Spec: { Name: "other" } };
    const { things, asked } = await look({
      "GET /services": [served("shop-web", { Replicated: { Replicas: 2 } }), other],
      "GET /networks": [
        { Id: "n-app", Name: "shop-app", Labels: mine },
        { Id: "n-in", Name: "ingress", Labels: null },
      ],
      "GET /tasks": [{ ...task("id-shop-web", "running"), Slot: 2 }, task("id-shop-web", "running")],
    });
    expect(things).toEqual([
      { kind: "service", name: "shop-web", id: "id-shop-web", labels: mine, scale: 2, broken: undefined },
      { kind: "service", name: "other", labels: {} },
      { kind: "network", name: "shop-app", id: "n-app", labels: mine },
      { kind: "network", name: "ingress", id: "n-in", labels: {} },
    ]);
    const filters = encodeURIComponent(JSON.stringify({ service: ["id-shop-web"] }));
    expect(asked.filter((each) => each.includes("/tasks"))).toEqual([`GET /tasks?filters=${filters}`]);
    const none = await look({ "GET /services": [other] });
    expect(none.asked.filter((each) => each.includes("/tasks"))).toEqual([]);
  });

  test("a service on each node has no number to be scaled back to", async () => {
    const { things } = await look({ "GET /services": [served("shop-web", { Global: {} })], "GET /tasks": [] });
    expect(things[0]).not.toHaveProperty("scale");
  });

  test("a service's own failed tasks tell why it does not work, another's do not", async () => {
    const services = ["shop-web", "shop-api"].map((name) => served(name, { Replicated: { Replicas: 1 } }));
    const api = known("docker:index/service:Service", "api", { name: "shop-api" });
    const failed = { ...task("id-shop-api", "failed", { Err: "it ended" }), ID: "t0", DesiredState: "shutdown" };
    const tasks = [task("id-shop-web", "starting"), task("id-shop-api", "starting"), failed];
    const { things } = await look({ "GET /services": services, "GET /tasks": tasks }, [identity, service, api]);
    expect(things.map(({ broken: found }) => found?.why)).toEqual([
      undefined,
      expect.stringMatching(/^shop-api\.1 on node host-n1 fails: it ended/),
    ]);
  });

  test("a service that no node takes is mended where the config gives a node what it asks for", async () => {
    const pends = { ...task("id-shop-web", "pending", { Err: "no suitable node (1 node)" }), NodeID: "" };
    const all = (constraints: string[], nodes: object[] = [node("n1")]) => ({
      "GET /services": [served("shop-web", { Replicated: { Replicas: 1 } }, constraints)],
      "GET /tasks": [pends],
      "GET /nodes": nodes,
    });
    const fate = async (answer: Answers, planned = {}) =>
      (await look(answer, undefined, planned)).things.find(({ kind }) => kind === "service")?.broken?.fate;
    const fast = ["node.labels.disk==fast"];
    expect(await fate(all(fast))).toBe("stays");
    expect(await fate(all(fast), { "host-n2": { labels: { disk: "fast" } } })).toBe("stays");
    expect(await fate(all(fast), { "host-n1": { labels: { disk: "fast" } } })).toBe("mended");
    const drained = [node("n1", { Availability: "drain", Labels: { disk: "fast" } })];
    expect(await fate(all(fast, drained), { "host-n1": { labels: { zone: "a" } } })).toBe("stays");
    expect(await fate(all(fast, drained), { "host-n1": { availability: "active" } })).toBe("mended");
  });

  test("secrets and configs of the state that are gone are named, its nodes and volume nodes are seen", async () => {
    const file = (type: string, name: string) =>
      known(`docker:index/${type}`, name, {
        name,
        labels: [
          { label: "platform-topologies.name", value: "shop" },
          { label: "platform-topologies.owner", value: owner },
        ],
      });
    const state = [
      identity,
      ...["a", "b", "c"].map((name) => file("secret:Secret", name)),
      file("serviceConfig:ServiceConfig", "d"),
      known("platform-topologies:index:NodeLabels", "swarm-host-n1", { node: "host-n1", labels: { disk: "fast" } }),
      known("platform-topologies:index:VolumeNode", "db", {
        ...{ name: "shop.db-1", node: "host-n2", nodeId: "n2", value: "v", spread: "shop/db", owner },
      }),
    ];
    const named = (Name: string) => ({ Spec: { Name } });
    const { problems, things } = await look({ "GET /secrets": [named("a")], "GET /configs": [named("d")] }, state);
    expect(problems?.map(({ remedy }) => remedy)).toEqual([
      expect.stringContaining("the secret or config b and 1 more of this stack was removed"),
    ]);
    expect(things.map(({ kind, down }) => [kind, down])).toEqual([
      ["volume node", "has lost its label on the node host-n2"],
      ["node", "has lost disk=fast"],
    ]);
  });

  test("one that does not answer is named with what to do", async () => {
    await expect(lookAtSwarm(dead, "swarm", "shop", {}, [])).rejects.toThrow(refused);
  });

  test("a service goes with its tasks, and a network; nothing else does", async () => {
    const engine = await answers({
      "GET /tasks": [],
      "GET /nodes": [],
      "DELETE /services/shop-web": { status: 200, body: "" },
      "DELETE /networks/shop-app": { status: 204, body: "" },
    });
    for (const [kind, name] of [
      ["service", "shop-web"],
      ["network", "shop-app"],
      ["network", "gone"],
      ["volume node", "shop.db-1"],
      ["node", "host-n1"],
    ] as const)
      await removeFromSwarm(engine.host, { kind, name, labels });
    expect(engine.asked.filter((each) => each.startsWith("DELETE"))).toEqual([
      ...["DELETE /services/shop-web", "DELETE /networks/shop-app", "DELETE /networks/gone"],
    ]);
  });

  test("an image has its registry's digest; one with a digest, or of this machine alone, is not asked for", async () => {
    const engine = await answers({
      "GET /distribution/example.com/web:1/json": { Descriptor: { digest: "sha256:d" } },
      "GET /distribution/example.com/private:1/json": { status: 403, body: { message: "access denied" } },
    });
    const of = (ref: string) => pinned(engine.host, ref, []);
    expect(await of("example.com/web:1")).toBe("example.com/web:1@sha256:d");
    for (const ref of ["platform-topologies/web:1", "example.com/web:1@sha256:e"]) expect(await of(ref)).toBe(ref);
    expect(engine.asked).toHaveLength(1);
    await expect(of("example.com/private:1")).rejects.toThrow(/^access denied$/);
    await expect(pinned(dead, "example.com/web:1", [])).rejects.toThrow(refused);
    expect(["platform-topologies/web:1", "example.com/platform-topologies/web:1"].map(isLocal)).toEqual([true, false]);
  });

  test("a registry is asked with this machine's login if it is named, and as anybody if it is not", async () => {
    const before = process.env.DOCKER_CONFIG;
    process.env.DOCKER_CONFIG = newFolder("login");
    try {
      const auths = { "example.com": { auth: Buffer.from("puller:word").toString("base64") } };
      writeFileSync(join(process.env.DOCKER_CONFIG, "config.json"), JSON.stringify({ auths }));
      const digest = { Descriptor: { digest: "sha256:d" } };
      const engine = await answers({ "GET /distribution/example.com/web:1/json": digest });
      for (const registries of [["example.com"], []]) await pinned(engine.host, "example.com/web:1", registries);
      const [named, nobody] = engine.headers.map((each) => each["x-registry-auth"]);
      const login = JSON.parse(Buffer.from(String(named), "base64").toString()) as unknown;
      expect(login).toEqual({ username: "puller", password: "word", serveraddress: "example.com" });
      expect(nobody).toBeUndefined();
    } finally {
      if (before === undefined) delete process.env.DOCKER_CONFIG;
      else process.env.DOCKER_CONFIG = before;
    }
  });
});
