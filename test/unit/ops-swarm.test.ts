import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { addresses, messageOf } from "../../ops/docker.ts";
import { fingerprint, job } from "../../ops/job-inputs.ts";
import { eligible } from "../../ops/placement.ts";
import { choose, volumeNodeLabel, spreadLabel } from "../../ops/volume-node-choice.ts";
import { viewOf } from "../../ops/service-gate.ts";
import { describeWait, judgeService, Watch } from "../../ops/service-verdict.ts";
import { compare } from "../../ops/handler.ts";
import { relabel } from "../../ops/swarm.ts";
import { values } from "../../ops/wire.ts";

import type { Memory, ServiceView, TaskView } from "../../ops/service-verdict.ts";
import type { Node } from "../../ops/swarm.ts";

const runs: TaskView = {
  id: "t1",
  slot: "1",
  title: "web.1 on node w1",
  state: "running",
  desired: "running",
  error: "",
  spec: "new",
};
const starts = { ...runs, state: "starting" };
const pends = { ...runs, state: "pending", error: "no suitable node (insufficient resources on 2 nodes)" };
const failed = { ...runs, id: "t0", state: "failed", desired: "shutdown", error: "task: non-zero exit (1)" };
const old = { ...runs, id: "t9", spec: "old" };

const view: ServiceView = {
  spec: "new",
  update: undefined,
  rollsBack: false,
  wanted: 1,
  global: false,
  checksHealth: true,
  tasks: [runs],
};
const nothing: Memory = { failures: undefined, unpullable: undefined, unplaced: 0, steady: 0, foreign: 0 };
const status = (state: string): ServiceView["update"] => ({ state, message: "" });
const rejected = { ...failed, state: "rejected", error: "No such image: web:2" };

describe("a service gate's verdict", () => {
  test.each<[string, Partial<ServiceView>, Partial<Memory>, string]>([
    ["every wanted task runs", {}, {}, "healthy"],
    ["none is wanted", { wanted: 0, tasks: [] }, {}, "healthy"],
    ["one is missing", { wanted: 2 }, {}, "waiting"],
    ["two runs of one replica are one", { wanted: 2, tasks: [runs, { ...runs, id: "t2" }] }, {}, "waiting"],
    ["it starts", { tasks: [starts] }, {}, "waiting"],
    ["an image is pulled for ever so long", { tasks: [{ ...runs, state: "preparing" }] }, { steady: 9e9 }, "waiting"],
    ["the update goes on", { update: status("updating") }, {}, "waiting"],
    ["the update is complete", { update: status("completed") }, {}, "healthy"],
    ["one of the old version runs still", { tasks: [runs, old] }, {}, "waiting"],
    ["only the old version runs", { tasks: [old] }, {}, "waiting"],
    ["no health check, a moment ago", { checksHealth: false }, { steady: 1999 }, "waiting"],
    ["no health check, two seconds", { checksHealth: false }, { steady: 2000 }, "healthy"],
    ["it is to go", { tasks: [{ ...runs, desired: "shutdown" }] }, {}, "waiting"],
    ["a global one has no node", { global: true, wanted: 0, tasks: [] }, {}, "waiting"],
    ["no node can take it, lately", { tasks: [pends] }, { unplaced: 19_999 }, "waiting"],
    ["no node can take it", { tasks: [pends] }, { unplaced: 20_000 }, "no suitable node (insufficient resources on 2"],
    ["the rollback goes on", { spec: "old", update: status("rollback_started") }, { foreign: 9e9 }, "waiting"],
    ["rolled back", { spec: "old", update: status("rollback_completed") }, {}, "the earlier version runs on"],
    ["the rollback is stuck", { spec: "old", update: status("rollback_paused") }, {}, "so did the rollback"],
    ["asked back for what a rollback left", { update: status("rollback_completed") }, {}, "healthy"],
    ["paused", { update: status("paused") }, {}, "its update is paused"],
    ["another spec, lately", { spec: "other" }, { foreign: 4999 }, "waiting"],
    ["another spec", { spec: "other" }, { foreign: 5000 }, "somebody else has changed the service"],
    ["no spec at all", { spec: undefined }, { foreign: 5000 }, "somebody else has changed the service"],
    ["failed twice", { tasks: [starts, failed] }, { failures: { count: 2, task: failed } }, "waiting"],
    [
      "failed thrice",
      { tasks: [starts, failed] },
      { failures: { count: 3, task: failed } },
      "failed 3 times (web.1 on",
    ],
    ["no image", { tasks: [rejected] }, { unpullable: rejected }, "its image cannot be had: web.1 on node w1: No such"],
    [
      "what fails will be rolled back",
      { rollsBack: true, update: status("updating"), tasks: [failed] },
      { failures: { count: 3, task: failed }, unpullable: rejected },
      "waiting",
    ],
    [
      "what fails at first is not rolled back",
      { rollsBack: true, tasks: [failed] },
      { failures: { count: 3, task: failed } },
      "failed 3 times",
    ],
  ])("%s", (_when, changes, memory, expected) => {
    const verdict = judgeService({ ...view, ...changes }, "new", { ...nothing, ...memory });
    expect(verdict.is === "failed" ? verdict.why : verdict.is).toContain(expected);
  });

  test("failures count from the first look on, by replica", () => {
    const watch = new Watch("new", 0);
    const fail = (id: string, slot: string): TaskView => ({ ...failed, id, slot });
    const look = (...tasks: TaskView[]): number => watch.look({ ...view, tasks }, 0).failures?.count ?? 0;
    expect(look(fail("before", "1"))).toBe(0);
    expect(look(fail("a", "1"), fail("before", "1"))).toBe(1);
    expect(look(fail("b", "2"), fail("c", "3"), fail("a", "1"))).toBe(1);
    expect(look(fail("d", "1"))).toBe(2);
    expect(look(fail("e", "1"), fail("d", "1"))).toBe(3);
    expect(look({ ...fail("f", "1"), spec: "old" })).toBe(3);
  });

  test("times begin anew when their reason ends", () => {
    const watch = new Watch("new", 0);
    const at = (now: number, changes: Partial<ServiceView>): Memory => watch.look({ ...view, ...changes }, now);
    expect(at(0, { tasks: [pends] }).unplaced).toBe(0);
    expect(at(900, { tasks: [pends] }).unplaced).toBe(900);
    expect(at(1000, {})).toMatchObject({ unplaced: 0, steady: 0 });
    expect(at(1500, { tasks: [runs] }).steady).toBe(500);
    expect(at(2000, { tasks: [{ ...runs, id: "t2" }] }).steady).toBe(0);
    expect(at(2500, { tasks: [pends], spec: "other" })).toMatchObject({ unplaced: 0, foreign: 0 });
    expect(at(2600, { spec: "other" }).foreign).toBe(100);
  });

  test("at the end of the time it says what is missing", () => {
    const late = { ...view, wanted: 2, tasks: [starts, failed], update: status("updating") };
    expect(describeWait(late, "new")).toBe(
      "0 of 2 tasks run, web.1 on node w1 is starting, its update is updating, web.1 on node w1 has failed (task: " +
        "non-zero exit (1))",
    );
  });
});

function node(name: string, labels: Record<string, string> = {}, more: Partial<Node["Spec"]> = {}): Node {
  return {
    ID: `id-${name}`,
    Version: { Index: 1 },
    Spec: { Labels: labels, Role: "worker", Availability: "active", ...more },
    Description: {
      Hostname: name,
      Platform: { OS: "linux", Architecture: "x86_64" },
      Engine: { Labels: { gpu: "1" } },
    },
    Status: { State: "ready" },
  };
}

describe("placement", () => {
  test.each([
    [[], true],
    [["node.role==worker"], true],
    [["node.role == manager"], false],
    [["node.role!=manager", "node.labels.disk==FAST"], true],
    [["node.labels.disk!=fast"], false],
    [["node.labels.none==x"], false],
    [["node.labels.none!=x"], true],
    [["node.hostname==w1", "node.id==id-w1", "engine.labels.gpu==1"], true],
    [["node.platform.os==linux", "node.platform.arch==arm64"], false],
  ])("%j: %j", (constraints, expected) => {
    expect(eligible(node("w1", { disk: "fast" }), constraints)).toBe(expected);
  });

  test("a node that is drained, paused or down is not due", () => {
    const off = [node("a", {}, { Availability: "drain" }), node("b", {}, { Availability: "pause" })];
    const down = { ...node("c"), Status: { State: "down" } };
    expect([...off, down].map((one) => eligible(one, []))).toEqual([false, false, false]);
  });

  test("a global service wants a task on each node that is due, and a dead node's task does not count", () => {
    const spec = { ContainerSpec: { Labels: { "platform-topologies.spec": "new" } } };
    const task = (id: string, NodeID: string) => ({
      ID: id,
      ServiceID: "s",
      CreatedAt: "",
      NodeID,
      Slot: 0,
      DesiredState: "running",
      Spec: spec,
      Status: { State: "running", Message: "started", Err: "" },
    });
    const service = { Spec: { Name: "agent", TaskTemplate: spec, Mode: {} } };
    const nodes = [node("w1"), node("w2"), { ...node("w3"), Status: { State: "down" } }];
    const made = viewOf(service, [task("t1", "id-w1"), task("t3", "id-w3")], nodes);
    expect(made).toMatchObject({ spec: "new", wanted: 2, global: true });
    expect(made.tasks.map(({ title }) => title)).toEqual(["agent on node w1"]);
  });
});

describe("volume nodes", () => {
  /** VolumeNodes one after another, as their creates do; gives each one's node. */
  function place(nodes: Node[], volumeNodes: readonly (readonly [name: string, group: string])[]): Map<string, string> {
    const chosen = new Map<string, string>();
    for (const [name, group] of volumeNodes) {
      const found = choose(nodes, {}, group);
      if (!found) continue;
      found.Spec.Labels[volumeNodeLabel + name] = "abc123";
      found.Spec.Labels[spreadLabel + name] = group;
      chosen.set(name, found.Description.Hostname);
    }
    return chosen;
  }
  const groups = fc.array(fc.constantFrom("a", "a.b", "shop/db"), { maxLength: 24 });
  const named = (wanted: readonly string[]): [string, string][] =>
    wanted.map((group, index) => [`${group.replace("/", "-")}-${String(index)}`, group]);
  const count = (places: Iterable<string>, nodes: readonly Node[]): number[] => {
    const all = [...places];
    return nodes.map(({ Description }) => all.filter((place) => place === Description.Hostname).length);
  };

  test("each group, and all volume nodes of one group together, are spread evenly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), groups, (size, wanted) => {
        const nodes = Array.from({ length: size }, (_, index) => node(`w${String(index)}`));
        const volumeNodes = named(wanted);
        const chosen = place(nodes, volumeNodes);
        for (const group of new Set(wanted)) {
          const own = volumeNodes.filter(([, of]) => of === group).map(([name]) => chosen.get(name) ?? "");
          const counts = count(own, nodes);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test("another node moves no volume node, and takes the next of each group", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), groups, (size, wanted) => {
        const nodes = Array.from({ length: size }, (_, index) => node(`w${String(index)}`));
        const before = place(nodes, named(wanted));
        const more = [...nodes, node("a-new-one")];
        const held = (): [string, string][] =>
          more.flatMap(({ Spec, Description }) =>
            Object.keys(Spec.Labels)
              .filter((key) => key.startsWith(volumeNodeLabel))
              .map((key): [string, string] => [key.slice(volumeNodeLabel.length), Description.Hostname]),
          );
        expect(new Map(held())).toEqual(before);
        const [next] = place(more, [["next", "a"]]).values();
        const fewest = count(
          named(wanted).flatMap(([name, group]) => (group === "a" ? [before.get(name) ?? ""] : [])),
          nodes,
        );
        if (Math.min(...fewest) > 0) expect(next).toBe("a-new-one");
        for (const [name, place] of before) expect(held()).toContainEqual([name, place]);
      }),
    );
  });

  test("only ready, active nodes that satisfy the constraints", () => {
    const nodes = [
      node("a", { disk: "slow" }),
      node("b", { disk: "fast" }, { Availability: "drain" }),
      { ...node("c", { disk: "fast" }), Status: { State: "down" } },
      node("d", { disk: "fast" }, { Role: "manager" }),
      node("e", { disk: "fast" }),
    ];
    const chosen = choose(nodes, { labels: { disk: "fast" }, role: "worker" }, "g");
    expect(chosen?.Description.Hostname).toBe("e");
    expect(choose(nodes, { labels: { disk: "none" } }, "g")).toBeUndefined();
  });

  test("labels of others stay", () => {
    expect(relabel({ a: "1", b: "2", c: "3" }, ["a", "b"], { b: "4" })).toEqual({ c: "3", b: "4" });
  });
});

describe("hosts", () => {
  test("a list is taken apart", () => {
    expect(addresses("tcp://a:2375, tcp://b:2375,")).toEqual(["tcp://a:2375", "tcp://b:2375"]);
  });

  test("another one is no difference", () => {
    const olds = values({ host: "tcp://a:2375", name: "n", image: "i" });
    expect(compare(job, ["image"])(olds, values({ host: "tcp://b:2375", name: "n", image: "i" }))).toEqual({
      changes: false,
      replaces: [],
    });
    expect(compare(job, ["image"])(olds, values({ host: "tcp://b:2375", name: "n", image: "j" }))).toEqual({
      changes: true,
      replaces: ["image"],
    });
  });

  test("an engine's refusal is quoted without its wrapping", () => {
    const wrapped = "(HTTP code 500) server error - rpc error: code = Unknown desc = update out of sequence ";
    expect(messageOf(new Error(wrapped))).toBe("update out of sequence");
    expect(
      messageOf(new Error("(HTTP code 409) unexpected - rpc error: code = AlreadyExists desc = name conflicts")),
    ).toBe("name conflicts");
  });
});

test("an interrupted run is known again whatever was left out", () => {
  const asked = { host: "h", name: "n", image: "i", command: ["c"], networks: [], seconds: 1, trigger: "1" };
  expect(fingerprint(asked)).toBe("e4e58dbd35a6bd8e87cd42cff96fd466");
  expect(fingerprint({ ...asked, swarm: {} })).not.toBe(fingerprint(asked));
});
