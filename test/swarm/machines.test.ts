/**
 * The agent of AWS' machines on real engines: it begins a swarm, joins it, and keeps its list of nodes true. AWS itself
 * is files; Docker is real, each engine in a network of its own.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { Cluster } from "../../tools/swarm/cluster.ts";
import type { NodeView } from "../../tools/swarm/swarm.ts";
import type { AgentMachine } from "../support/agent-machine.ts";
import { FakeCloud, nodeMachine } from "../support/node-machine.ts";
import { eventually } from "../support/swarm.ts";

const managers = ["m1", "m2", "m3"];
const all = [...managers, "w1", "w2"];
const instances = new Map(all.map((node) => [node, `i-${node}`]));
const group = (node: string): string => (managers.includes(node) ? "managers" : "apps");
const labelsOf = (node: string): string[] => [`instance=${instances.get(node) ?? ""}`, `node.group=${group(node)}`];
const there = (): string[] => [...instances.values()];

let cluster: Cluster;
let cloud: FakeCloud;
const machines = new Map<string, AgentMachine>();

beforeAll(async () => {
  const labels = Object.fromEntries(all.map((node) => [node, labelsOf(node)]));
  cluster = await Cluster.start({ name: "machines", managers: 3, workers: 2, joined: false, labels });
  cloud = await FakeCloud.make();
  await cloud.has(there());
  for (const node of all) machines.set(node, await machine(node));
}, 120_000);
afterAll(async () => {
  for (const each of machines.values()) await each.end();
  await cloud.end();
  await cluster.stop();
}, 120_000);

function machine(node: string): Promise<AgentMachine> {
  return nodeMachine(cloud, {
    ...{ instance: instances.get(node) ?? "", address: cluster.address(node), socket: cluster.socket(node) },
    role: managers.includes(node) ? "manager" : "worker",
    first: node === "m1",
    managers: managers.map((each) => cluster.address(each)),
    labels: { group: group(node) },
  });
}
const run = async (node: string, args: string) => {
  const agent = machines.get(node);
  if (agent === undefined) throw new Error(`no ${node}`);
  return agent.run(args);
};
const nodes = async (of: string): Promise<NodeView[]> => (await cluster.dockerOf(of).listNodes()) as NodeView[];
const names = async (of: string): Promise<string[]> =>
  (await nodes(of)).map(({ Description, Status }) => `${Description.Hostname} ${Status.State}`).sort();
const leader = async (): Promise<string> =>
  (await nodes("m2")).find(({ ManagerStatus }) => ManagerStatus?.Leader)?.Description.Hostname ?? "";
/** What the timer does each minute, on every manager that is on. */
async function minute(off?: string): Promise<void> {
  for (const node of managers.filter((each) => each !== off)) await run(node, "watch");
}

test("nobody but the first begins a swarm, and nobody joins before there is a token", async () => {
  for (const node of ["m2", "w1"])
    expect(await run(node, "join")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no manager has handed out"),
    });
  expect(await run("m2", "ready 1")).toMatchObject({
    code: 1,
    err: expect.stringContaining("its last attempt to join"),
  });
});

test("the first begins it and hands out the tokens; the others join; a second join changes nothing", async () => {
  expect(await run("m1", "join")).toMatchObject({ code: 0, err: "" });
  expect(await cloud.secret("manager-token")).toMatch(/^SWMTKN-/);
  for (const node of all.slice(1)) expect(await run(node, "join")).toMatchObject({ code: 0, err: "" });
  for (const node of all) expect(await run(node, "join")).toMatchObject({ code: 0, err: "" });
  expect(await names("m1")).toEqual(all.map((node) => `${node} ready`));
  const { Swarm } = (await cluster.dockerOf("m1").info()) as { Swarm: { Cluster: { DefaultAddrPool: string[] } } };
  expect(Swarm.Cluster.DefaultAddrPool).toEqual(["172.28.0.0/14"]);
});

test("no program's arguments have a token", async () => {
  const tokens = [await cloud.secret("manager-token"), await cloud.secret("worker-token")].map(String);
  for (const agent of machines.values())
    for (const call of await agent.calls())
      for (const token of tokens) expect(call.join(" ")).not.toContain(token.slice(-20));
});

test("the leader labels each node by its machine's own word; a manager knows when all are there", async () => {
  await minute();
  const labels = (await nodes("m1")).map(({ Description, Spec }) => [Description.Hostname, Spec.Labels?.group]);
  expect(Object.fromEntries(labels)).toEqual(Object.fromEntries(all.map((node) => [node, group(node)])));
  expect(await run("m3", "ready 30 apps=2")).toMatchObject({ code: 0, err: "" });
  expect(await run("w1", "ready 30")).toMatchObject({ code: 0, err: "" });
  const late = await run("m1", "ready 1 apps=3");
  expect(late.err).toMatch(/^2 of 3 machines of apps are ready \(w1 is ready, w2 is ready\), after 1 s/);
});

test("a new token is handed out within the minute", async () => {
  const before = await cloud.secret("worker-token");
  const engine = cluster.dockerOf(await leader());
  const { Version, Spec } = (await engine.swarmInspect()) as { Version: { Index: number }; Spec: object };
  await rotate(engine, Version.Index, Spec);
  await minute();
  expect(await cloud.secret("worker-token")).not.toBe(before);
  expect(await cloud.secret("worker-token")).toMatch(/^SWMTKN-/);
});

test("a machine that its group would end is emptied first, and may go only then", async () => {
  const service = (await cluster.dockerOf("m1").createService({
    Name: "web",
    TaskTemplate: {
      ContainerSpec: { Image: "nowhere.invalid/web:1" },
      Placement: { Constraints: ["node.labels.group==apps"] },
    },
    Mode: { Replicated: { Replicas: 2 } },
  } as Docker.CreateServiceOptions)) as { ID?: string; id?: string };
  expect(service).toBeDefined();
  await cloud.has(there(), { apps: ["i-w1"] });
  await minute();
  const w1 = (await nodes("m1")).find(({ Description }) => Description.Hostname === "w1");
  expect(w1?.Spec.Availability).toBe("drain");
  await eventually(
    60,
    async () => {
      await minute();
      const calls = await Promise.all(managers.map(async (node) => (await machines.get(node)?.calls()) ?? []));
      return calls.flat().filter((call) => call.includes("complete-lifecycle-action"));
    },
    (ended) => ended.some((call) => call.includes("i-w1") && call.includes("CONTINUE")),
  );
});

test("what is gone is struck off, what is only off stays", async () => {
  instances.delete("w1");
  await cloud.has(there());
  await cluster.kill("w1");
  await cluster.kill("w2");
  await eventually(
    60,
    () => names("m1"),
    (found) => found.filter((each) => each.endsWith(" down")).length === 2,
  );
  await minute();
  expect(await names("m1")).toEqual(["m1 ready", "m2 ready", "m3 ready", "w2 down"]);
});

test("a manager that has lost its machine: the leader strikes it off, and the next one with its address joins", async () => {
  const lost = await leader();
  await cluster.wipe(lost);
  instances.set(lost, `i-${lost}-2`);
  await cloud.has(there());
  const left = managers.find((node) => node !== lost) ?? "";
  await eventually(
    60,
    () => names(left).catch((): string[] => []), // no leader yet
    (found) => found.includes(`${lost} down`),
  );
  await cluster.powerOn(lost, labelsOf(lost));
  await machines.get(lost)?.end();
  machines.set(lost, await machine(lost));
  await eventually(
    90,
    async () => {
      await minute(lost);
      return (await run(lost, "join")).code;
    },
    (code) => code === 0,
  );
  expect(await run(lost, "ready 60")).toMatchObject({ code: 0, err: "" });
  await minute();
  expect((await nodes(left)).filter(({ ManagerStatus }) => ManagerStatus?.Reachability === "reachable")).toHaveLength(
    3,
  );
  expect((await names(left)).filter((each) => each.startsWith(lost))).toEqual([`${lost} ready`]);
});

test("nobody is struck off if EC2 does not even name the leader's own machine", async () => {
  await cloud.has([]);
  const told = await run(await leader(), "watch");
  expect(told).toMatchObject({ code: 1, err: expect.stringContaining("nobody is struck off") });
  expect(await names("m1")).toHaveLength(4);
  await cloud.has(there());
});

/** As `docker swarm join-token --rotate worker`. */
async function rotate(engine: Docker, version: number, spec: object): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    engine.modem.dial(
      {
        path: "/swarm/update?",
        method: "POST",
        options: { _query: { version, rotateWorkerToken: "true" }, _body: spec },
        statusCodes: { 200: true, 500: "refused", 400: "refused" },
      },
      (error: Error | null) => {
        if (error === null) resolve();
        else reject(error);
      },
    );
  });
}
