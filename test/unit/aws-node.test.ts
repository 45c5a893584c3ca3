/**
 * The agent of a swarm's machine, as user data writes it, against an engine of ours that answers what a test says. On
 * real engines: test/swarm/machines.test.ts. Python 3.9 or later is assumed, as `python3`.
 */
import { join } from "node:path";

import { afterEach, describe, expect, test } from "@jest/globals";
import { execa } from "execa";

import type { AgentMachine } from "../support/agent-machine.ts";
import { type Answers, fakeEngine, type FakeEngine } from "../support/fake-engine.ts";
import { newFolder } from "../support/folder.ts";
import { FakeCloud, nodeMachine, type NodeOptions } from "../support/node-machine.ts";

interface Made {
  readonly agent: AgentMachine;
  readonly cloud: FakeCloud;
  readonly engine: FakeEngine;
  /** The bodies of the requests that change something, by method and path. */
  readonly sent: [string, unknown][];
}
const made: Made[] = [];
afterEach(async () => {
  for (const { agent, cloud, engine } of made.splice(0)) {
    engine.close();
    await agent.end();
    await cloud.end();
  }
});

const inactive = { Swarm: { LocalNodeState: "inactive", NodeID: "", ControlAvailable: false } };
const leading = { Swarm: { LocalNodeState: "active", NodeID: "n1", ControlAvailable: true } };
const tokens = { JoinTokens: { Manager: "SWMTKN-manager-1", Worker: "SWMTKN-worker-1" } };

let number = 0;
async function machine(answers: Answers, over: Partial<NodeOptions> = {}): Promise<Made> {
  const socket = join(newFolder("node"), `${String((number += 1))}.sock`);
  const sent: Made["sent"] = [];
  const noted = Object.fromEntries(
    Object.entries(answers).map(([key, answer]) => [
      key,
      key.startsWith("GET")
        ? answer
        : (query: string, body: string): unknown => {
            sent.push([key, body === "" ? query : JSON.parse(body)]);
            return typeof answer === "function" ? (answer as (body: string) => unknown)(body) : answer;
          },
    ]),
  );
  const cloud = await FakeCloud.make();
  await cloud.has(["i-1"]);
  const engine = await fakeEngine(noted, socket);
  const agent = await nodeMachine(cloud, {
    ...{ instance: "i-1", address: "127.0.0.9", role: "manager", first: true, socket },
    // Nobody listens at port 2377 of this machine's other loopback addresses.
    ...{ managers: ["127.0.0.9"], labels: { group: "managers" } },
    ...over,
  });
  const all = { agent, cloud, engine, sent };
  made.push(all);
  return all;
}

/** A node as the swarm lists it. */
const node = (
  id: string,
  over: {
    state?: string;
    role?: string;
    availability?: string;
    labels?: object;
    instance?: string;
    leader?: boolean;
    reach?: string;
  } = {},
) => {
  const {
    state = "ready",
    role = "worker",
    availability = "active",
    labels = {},
    instance,
    leader,
    reach = "reachable",
  } = over;
  return {
    ID: id,
    Version: { Index: 7 },
    Spec: { Role: role, Availability: availability, Labels: labels },
    Description: { Hostname: id, Engine: { Labels: instance === undefined ? {} : { instance, "node.group": "apps" } } },
    Status: { State: state },
    ...(role === "manager" ? { ManagerStatus: { Leader: leader ?? false, Reachability: reach } } : {}),
  };
};
const me = node("n1", { role: "manager", instance: "i-1", leader: true, labels: { group: "apps" } });
/** A leader's engine with these other nodes. */
const swarm = (others: readonly ReturnType<typeof node>[], more: Answers = {}): Answers => ({
  "GET /info": leading,
  "GET /swarm": tokens,
  "GET /nodes": [me, ...others],
  ...Object.fromEntries([me, ...others].map((each) => [`GET /nodes/${each.ID}`, each])),
  ...Object.fromEntries(others.map(({ ID }) => [`POST /nodes/${ID}/update`, { status: 200, body: null }])),
  ...Object.fromEntries(others.map(({ ID }) => [`DELETE /nodes/${ID}`, { status: 200, body: null }])),
  ...more,
});

test("it is Python 3.9", async () => {
  const { agent } = await machine({});
  const check = "import ast, sys; [ast.parse(open(file).read(), feature_version=(3, 9)) for file in sys.argv[1:]]";
  await execa(agent.python, ["-c", check, join(agent.root, "bin/node"), join(agent.root, "bin/agent.py")]);
});

test("every node tells how full its disk is, a worker, too, in the log of all of them", async () => {
  const worker = { Swarm: { LocalNodeState: "active", NodeID: "n2", ControlAvailable: false } };
  const { agent } = await machine({ "GET /info": worker }, { role: "worker", first: false });
  const ran = await agent.run("watch");
  expect(ran).toMatchObject({ code: 0, err: "" });
  const [call = []] = ran.calls.filter(([program, what]) => program === "aws" && what === "logs");
  expect(call.slice(2, 7)).toEqual([
    "put-log-events",
    "--log-group-name",
    "/machines/swarm",
    "--log-stream-name",
    "i-1",
  ]);
  expect(call.join(" ")).toMatch(/DiskUsed\W+\d/);
});

describe("join", () => {
  test("the first begins the swarm, its engine's labels and log set before", async () => {
    const { agent, cloud, sent } = await machine({
      "GET /info": inactive,
      "GET /swarm": tokens,
      "POST /swarm/init": { status: 200, body: "n1" },
    });
    const ran = await agent.run("join");
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(sent).toEqual([
      [
        "POST /swarm/init",
        {
          ListenAddr: "127.0.0.9:2377",
          AdvertiseAddr: "127.0.0.9",
          DefaultAddrPool: ["172.28.0.0/14"],
          SubnetSize: 24,
        },
      ],
    ]);
    expect([await cloud.secret("manager-token"), await cloud.secret("worker-token")]).toEqual([
      "SWMTKN-manager-1",
      "SWMTKN-worker-1",
    ]);
    expect(JSON.parse((await agent.get("etc/docker/daemon.json")) ?? "")).toMatchObject({
      labels: ["instance=i-1", "node.group=managers"],
      "log-driver": "awslogs",
      "log-opts": { "awslogs-group": "/machines/swarm", mode: "non-blocking" },
    });
    expect(ran.calls.filter(([program]) => program === "systemctl").map((call) => call.slice(1).join(" "))).toEqual([
      "enable docker",
      "restart docker",
    ]);
    expect(ran.calls.flat().join(" ")).not.toContain("SWMTKN");
  });

  test("the only manager with an empty disk does not begin another swarm, as a token says that there was one", async () => {
    const { agent, cloud, sent } = await machine({ "GET /info": inactive, "POST /swarm/init": {} });
    await cloud.put("manager-token", "SWMTKN-old");
    expect((await agent.run("join")).err).toContain("the only manager has lost its disk");
    expect(sent).toEqual([]);
  });

  test("unless the operator has taken the token away", async () => {
    const { agent, cloud, sent } = await machine({
      "GET /info": inactive,
      "GET /swarm": tokens,
      "POST /swarm/init": { status: 200, body: "n1" },
    });
    await cloud.put("manager-token", "none");
    expect(await agent.run("join")).toMatchObject({ code: 0 });
    expect(sent.map(([key]) => key)).toEqual(["POST /swarm/init"]);
    expect(await cloud.secret("manager-token")).toBe("SWMTKN-manager-1");
  });

  test("with other managers that do not answer it waits; what it says has no token", async () => {
    const { agent, cloud, sent } = await machine(
      { "GET /info": inactive },
      { managers: ["127.0.0.9", "127.0.0.10"], first: false },
    );
    await cloud.put("manager-token", "SWMTKN-old");
    const { err, code } = await agent.run("join");
    expect([code, err.trim()]).toEqual([1, "no manager answers at 127.0.0.10: this machine tries again"]);
    expect(sent).toEqual([]);
  });

  test("the engine's refusal is said, without the token in it", async () => {
    const { createServer } = await import("node:net");
    const manager = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => manager.listen(2377, "127.0.0.10", resolve));
    try {
      const { agent, cloud, sent } = await machine(
        {
          "GET /info": inactive,
          "POST /swarm/join": { status: 400, body: { message: "token SWMTKN-worker-9 is wrong" } },
        },
        { role: "worker", managers: ["127.0.0.10"], first: false },
      );
      await cloud.put("worker-token", "SWMTKN-worker-9");
      expect((await agent.run("join")).err.trim()).toBe("docker refuses: token [secret] is wrong");
      expect(sent).toMatchObject([
        ["POST /swarm/join", { RemoteAddrs: ["127.0.0.10:2377"], JoinToken: "SWMTKN-worker-9" }],
      ]);
    } finally {
      manager.close();
    }
  });

  test.each([
    ["a member that waits for the others stays one", { LocalNodeState: "pending", NodeID: "n1" }, []],
    ["an attempt that never became one is given up", { LocalNodeState: "pending", NodeID: "" }, ["POST /swarm/leave"]],
  ])("%s", async (_what, state, expected) => {
    const { agent, sent } = await machine({
      "GET /info": { Swarm: state },
      "GET /swarm": tokens,
      "POST /swarm/leave": { status: 200, body: null },
      "POST /swarm/init": { status: 200, body: "n1" },
    });
    await agent.run("join");
    expect(sent.map(([key]) => key).filter((key) => key === "POST /swarm/leave")).toEqual(expected);
  });

  test("a locked swarm says what to do", async () => {
    const { agent } = await machine({ "GET /info": { Swarm: { LocalNodeState: "locked", NodeID: "" } } });
    expect((await agent.run("join")).err).toContain("docker swarm unlock");
  });
});

describe("watch", () => {
  test("who does not lead does nothing, but ask, and tell of its disk", async () => {
    for (const info of [leading, { Swarm: { ...leading.Swarm, ControlAvailable: false } }]) {
      const { agent, engine } = await machine({
        "GET /info": info,
        "GET /nodes": [node("n1", { role: "manager", instance: "i-1" })],
      });
      const { code, calls } = await agent.run("watch");
      expect([code, calls.filter(([, what]) => what !== "logs")]).toEqual([0, []]);
      expect(engine.asked.every((each) => each.startsWith("GET"))).toBe(true);
    }
  });

  test("only what is down, and whose machine is gone, is struck off: a manager after its vote", async () => {
    const { agent, sent } = await machine(
      swarm([
        node("off", { state: "down", instance: "i-off" }),
        node("gone", { state: "down", instance: "i-gone" }),
        node("lost", { state: "down", instance: "i-lost", role: "manager", reach: "unreachable" }),
        node("foreign", { state: "down" }),
        node("odd", { state: "ready", instance: "i-odd", labels: { group: "apps" } }),
      ]),
    );
    const { cloud } = made[0] ?? {};
    await cloud?.has(["i-1", "i-off"]);
    expect(await agent.run("watch")).toMatchObject({ code: 0, err: "" });
    const removed = sent.filter(([key]) => key.startsWith("DELETE")).map(([key]) => key);
    expect(removed).toEqual(["DELETE /nodes/gone", "DELETE /nodes/lost"]);
    const demoted = sent.filter(([, body]) => (body as { Role?: string }).Role === "worker").map(([key]) => key);
    expect(demoted).toContain("POST /nodes/lost/update");
    const order = sent.map(([key]) => key).filter((key) => key.includes("/lost"));
    expect(order.at(-1)).toBe("DELETE /nodes/lost");
  });

  test("labels that the operator gave stay; the machine's own come back", async () => {
    const { agent, sent } = await machine(
      swarm([node("w1", { instance: "i-2", labels: { disk: "fast", group: "x" } })]),
    );
    await agent.run("watch");
    expect(sent).toEqual([
      ["POST /nodes/w1/update", { Role: "worker", Availability: "active", Labels: { disk: "fast", group: "apps" } }],
    ]);
  });

  describe("a machine that waits for its end", () => {
    const going = (over: Parameters<typeof node>[1], tasks: readonly string[] = []) =>
      swarm([node("w1", { instance: "i-2", labels: { group: "apps" }, ...over })], {
        "GET /tasks": tasks.map((State) => ({ Status: { State } })),
      });
    const ended = async (answers: Answers, instance = "i-2") => {
      const { agent, cloud, sent } = await machine(answers);
      await cloud.has(["i-1", "i-2"], { apps: [instance] });
      const { code, err, calls } = await agent.run("watch");
      expect([code, err]).toEqual([0, ""]);
      return { sent, ended: calls.filter((call) => call.includes("complete-lifecycle-action")).length };
    };

    test("is drained first", async () => {
      const found = await ended(going({}));
      expect(found.ended).toBe(0);
      expect(found.sent).toMatchObject([["POST /nodes/w1/update", { Availability: "drain" }]]);
    });
    test("stays as long as anything runs on it", async () => {
      expect((await ended(going({ availability: "drain" }, ["shutdown", "running"]))).ended).toBe(0);
    });
    test("goes when all has ended", async () => {
      expect((await ended(going({ availability: "drain" }, ["shutdown", "failed", "complete"]))).ended).toBe(1);
    });
    test("goes at once when it is down already, or never was a node", async () => {
      expect((await ended(going({ state: "down" }))).ended).toBe(1);
      expect((await ended(going({}), "i-never")).ended).toBe(1);
    });
  });
});

describe("ready", () => {
  test.each([
    ["no node", inactive, [], /^it is no node of the swarm yet \(inactive\), after 1 s/],
    [
      "a manager that nobody reaches",
      leading,
      [me, node("m2", { role: "manager", reach: "unreachable" })],
      /^of the managers m2 cannot be reached/,
    ],
    [
      "too few of a group",
      leading,
      [me, node("w1", { instance: "i-2" }), node("w2", { instance: "i-3", state: "down" })],
      /^2 of 3 machines of apps are ready \(n1 is ready, w1 is ready, w2 is down\)/,
    ],
    [
      "a worker that should manage",
      { Swarm: { ...leading.Swarm, ControlAvailable: false } },
      [],
      /docker node promote/,
    ],
  ])("%s is said", async (_what, info, nodes, expected) => {
    const { agent } = await machine({ "GET /info": info, "GET /nodes": nodes });
    const { code, err } = await agent.run("ready 1 apps=3");
    expect(code).toBe(1);
    expect(err).toMatch(expected);
  });

  test("all are there", async () => {
    const { agent } = await machine({ "GET /info": leading, "GET /nodes": [me, node("w1", { instance: "i-2" })] });
    expect(await agent.run("ready 1 apps=2")).toMatchObject({ code: 0, err: "" });
  });

  test("an engine that does not answer is no node yet", async () => {
    const { agent, engine } = await machine({});
    engine.close();
    expect((await agent.run("ready 1")).err).toMatch(/^it is no node of the swarm yet \(docker does not answer: /);
  });
});

test.each(["", "join now", "ready", "ready soon", "sleep"])("usage: node %s", async (words) => {
  const { agent } = await machine({});
  expect((await agent.run(words)).err).toMatch(/^usage: node join \| ready/);
});
