import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { addresses, messageOf } from "../../ops/docker.ts";
import { fingerprint, job } from "../../ops/job-inputs.ts";
import { eligible } from "../../ops/placement.ts";
import {
  choose,
  constraints,
  describeConstraints,
  foreignVolumeNode,
  generationLabel,
  spreadLabel,
  volumeNodeLabel,
  volumeNodeOwnerLabel,
} from "../../ops/volume-node-choice.ts";
import { viewOf } from "../../ops/service-gate.ts";
import { describeWait, judgeService, lastFailed, running, unplacedReason, Watch } from "../../ops/service-verdict.ts";
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
    ["a global one runs on its only node", { global: true }, {}, "healthy"],
    ["one of the old version is about to end", { tasks: [runs, { ...old, desired: "shutdown" }] }, {}, "healthy"],
    ["paused, for no reason that is known", { update: status("paused") }, {}, "its update is paused"],
    ["no node can take it, and none says why", {}, { unplaced: 20_000 }, "no node can take it"],
    [
      "no node satisfies it",
      { global: true, wanted: 0, tasks: [] },
      { unplaced: 20_000 },
      "no suitable node: none that",
    ],
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

  test("says what a task has failed with, and what can be done, or nothing about it", () => {
    const why = (changes: Partial<ServiceView>) => {
      const verdict = judgeService({ ...view, ...changes }, "new", nothing);
      return verdict.is === "failed" ? verdict : undefined;
    };
    expect(why({ update: status("paused") })).toEqual({ is: "failed", why: "its update is paused", task: undefined });
    expect(why({ update: status("paused"), tasks: [runs, failed] })).toEqual({
      is: "failed",
      why: "its update is paused (web.1 on node w1: task: non-zero exit (1))",
      task: failed,
    });
    expect(why({ spec: "old", update: status("rollback_completed") })?.why).toBe(
      "its update was rolled back: the earlier version runs on; mend it, or run `pulumi up --refresh` to try the same again",
    );
  });

  test.each<[string, Partial<ServiceView>, string | undefined]>([
    ["a pending task says so", { tasks: [pends] }, pends.error],
    ["the first that says it", { tasks: [runs, { ...pends, error: "" }, { ...pends, error: "why" }, pends] }, "why"],
    ["none is pending", { tasks: [{ ...pends, state: "assigned" }] }, undefined],
    ["it is to go", { tasks: [{ ...pends, desired: "shutdown" }] }, undefined],
    ["it is of the old version", { tasks: [{ ...pends, spec: "old" }] }, undefined],
    ["it is pending for no reason yet", { tasks: [{ ...pends, error: "" }] }, undefined],
    ["there is none", { tasks: [] }, undefined],
    ["none is wanted", { wanted: 0, tasks: [] }, undefined],
    ["a global one has a node", { global: true, wanted: 1, tasks: [] }, undefined],
    [
      "a global one has none",
      { global: true, wanted: 0, tasks: [pends] },
      "no suitable node: none that is ready and active satisfies its constraints",
    ],
  ])("why no node takes it: %s", (_when, changes, expected) => {
    expect(unplacedReason({ ...view, ...changes }, "new")).toBe(expected);
  });

  test("a task has failed if its node refused it or it ended so, and counts for its own version", () => {
    const states = ["new", "pending", "preparing", "running", "complete", "shutdown", "failed", "rejected", "orphaned"];
    const found = states.filter((state) => lastFailed({ ...view, tasks: [{ ...failed, state }] }, "new") !== undefined);
    expect(found).toEqual(["failed", "rejected"]);
    expect(lastFailed({ ...view, tasks: [runs, { ...failed, spec: "old" }] }, "new")).toBeUndefined();
    expect(lastFailed({ ...view, tasks: [runs, failed, rejected] }, "new")).toBe(failed);
  });

  test("a replica runs if its task runs, is to run, and is of the version that is asked for", () => {
    const tasks = [runs, { ...runs, id: "t2", slot: "2" }];
    expect(running({ ...view, tasks }, "new")).toBe(2);
    for (const not of [{ state: "starting" }, { desired: "shutdown" }, { spec: "old" }, { spec: undefined }])
      expect(running({ ...view, tasks: tasks.map((task) => ({ ...task, ...not })) }, "new")).toBe(0);
  });

  test.each([
    ["rejected", "No such image: web:2", true],
    ["rejected", "manifest unknown: manifest unknown", true],
    ["rejected", "pull access denied for web, repository does not exist", true],
    ["rejected", "invalid mount config", false],
    ["failed", "No such image: web:2", false],
  ])("%s with %j: an image that cannot be had: %j", (state, error, expected) => {
    const watch = new Watch("new", 0);
    watch.look({ ...view, tasks: [] }, 0);
    const task = { ...failed, state, error };
    expect(watch.look({ ...view, tasks: [task] }, 0).unpullable).toBe(expected ? task : undefined);
  });

  test("failures of two replicas are not added up, and the replica with the most is named", () => {
    const watch = new Watch("new", 0);
    const look = (...tasks: TaskView[]) => watch.look({ ...view, tasks }, 0).failures;
    const fail = (id: string, slot: string): TaskView => ({ ...failed, id, slot });
    expect(look()).toBeUndefined();
    look(fail("a", "1"));
    expect(look(fail("b", "1"))).toMatchObject({ count: 2, task: { id: "b" } });
    expect(look(fail("c", "2"))).toMatchObject({ count: 2, task: { id: "b" } });
    expect(look(fail("d", "2"))).toMatchObject({ count: 2, task: { id: "d" } });
  });

  test("tasks run on in whatever order they are listed, and while others end", () => {
    const other = { ...runs, id: "t2" };
    const watch = new Watch("new", 5);
    const steady = (now: number, ...tasks: TaskView[]) => watch.look({ ...view, tasks }, now).steady;
    expect(steady(10)).toBe(5);
    expect(steady(20, runs, other)).toBe(0);
    expect(steady(30, other, runs)).toBe(10);
    expect(steady(40, { ...runs, id: "t0", desired: "shutdown" }, other, runs)).toBe(20);
    expect(steady(50, { ...starts, id: "t3" }, other, runs)).toBe(30);
    expect(steady(60, other)).toBe(0);
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

  test.each<[string, Partial<ServiceView>, string]>([
    ["all runs", {}, "1 of 1 tasks run"],
    ["an update that is complete is nothing to wait for", { update: status("completed") }, "1 of 1 tasks run"],
    [
      "a task's own words",
      { tasks: [runs, { ...pends, title: "web.2" }] },
      `1 of 1 tasks run, web.2 is pending (${pends.error})`,
    ],
    [
      "a task that is to go is not late",
      { tasks: [runs, { ...old, state: "complete", desired: "shutdown" }] },
      "1 of 1 tasks run",
    ],
  ])("at the end of the time: %s", (_when, changes, expected) => {
    expect(describeWait({ ...view, ...changes }, "new")).toBe(expected);
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
    [["node.platform.os==linux"], true],
    [["node.platform.os==windows"], false],
    [["node.platform.arch==x86_64"], true],
    [["NODE.Role==Worker", "Node.Labels.disk==fast", "ENGINE.LABELS.gpu==1"], true],
    [["node.labels.none=="], true],
    [["engine.labels.disk==fast"], false],
    [["node.labels.gpu==1"], false],
    [["x.node.labels.disk==fast"], false],
    [["node.unheard==x"], false],
    [["node.unheard=="], true],
    [["node.unheard!=x"], true],
    [["  node.hostname  ==  w1  "], true],
    [["node.hostname==w2"], false],
    [["node.id!=id-w1"], false],
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

  test("of its group first, then of all, then by name and id: the node with the fewest", () => {
    const holds = (...volumeNodes: [name: string, group: string][]) =>
      Object.fromEntries(
        volumeNodes.flatMap(([name, group]) => [
          [volumeNodeLabel + name, "v"],
          [spreadLabel + name, group],
        ]),
      );
    const first = (...nodes: Node[]) => choose(nodes, {}, "g")?.ID;
    const [peer, others] = [holds(["a", "g"]), holds(["b", "h"], ["c", "h"])];
    expect(first(node("a", peer), node("b", others))).toBe("id-b");
    expect(first(node("a", others), node("b", holds(["d", "h"])))).toBe("id-b");
    expect(first(node("a", { ...peer, ...others }), node("b", { ...peer, ...holds(["d", "h"]) }))).toBe("id-b");
    expect(first(node("b"), node("a"))).toBe("id-a");
    const [one, two] = [node("same"), { ...node("same"), ID: "id-a" }];
    expect([first(one, two), first(two, one)]).toEqual(["id-a", "id-a"]);
    // Labels of another kind are no volume nodes.
    const strange = { disk: "fast", rack: "1", [`${spreadLabel}x`]: "g", [`x.${volumeNodeLabel}y`]: "v" };
    expect(first(node("b", holds(["d", "h"])), node("c", strange))).toBe("id-c");
  });

  test("a node has to have every label that is asked, and the role", () => {
    const both = node("both", { disk: "fast", rack: "1" }, { Role: "manager" });
    const nodes = [node("disk", { disk: "fast" }), node("rack", { rack: "1" }), both];
    expect(choose(nodes, { labels: { disk: "fast", rack: "1" } }, "g")).toBe(both);
    expect(choose(nodes, { labels: { disk: "fast", rack: "1" }, role: "worker" }, "g")).toBeUndefined();
    expect(choose(nodes, { role: "manager" }, "g")).toBe(both);
  });

  test.each([
    [{}, "ready and active"],
    [{ role: "worker" as const }, "ready and active, role worker"],
    [{ labels: { a: "b", c: "d" } }, "ready and active, label a=b, label c=d"],
    [{ labels: { a: "b" }, role: "manager" as const }, "ready and active, role manager, label a=b"],
  ])("%j in words", (asked, expected) => {
    expect(constraints.parse(asked)).toEqual(asked);
    expect(describeConstraints(asked)).toBe(expected);
  });

  test.each([{ role: "leader" }, { labels: ["a"] }, { labels: { a: 1 } }])("%j is no constraint", (wrong) => {
    expect(constraints.safeParse(wrong).success).toBe(false);
  });

  test("another state's label is named with its node and the command against it", () => {
    expect(foreignVolumeNode("db", node("w1", { [`${volumeNodeLabel}db`]: "abc" }))).toBe(
      "the node w1 has the label platform-topologies.volume-node.db=abc of another state: name the stack otherwise; " +
        "or, if the disk behind it may be forgotten, run `docker node update --label-rm " +
        "platform-topologies.volume-node.db w1`",
    );
  });

  test("labels keep their names: nodes have those of earlier versions", () => {
    expect([volumeNodeLabel, spreadLabel, generationLabel, volumeNodeOwnerLabel]).toEqual(
      ["volume-node", "spread", "generation", "owner"].map((word) => `platform-topologies.${word}.`),
    );
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
