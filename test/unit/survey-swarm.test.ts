/** What a survey makes of a swarm: services, volume nodes and nodes, as plain values, without an engine. */
import { describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import type { Known } from "../../components/core/known.ts";
import { judge, ownerOf, type Thing, type Wish } from "../../components/topologies/survey.ts";
import { missingFiles, nodeThings, types } from "../../components/topologies/swarm/look.ts";
import { volumeNodeThings } from "../../components/topologies/swarm/volume-node-look.ts";
import { brokenOf } from "../../components/topologies/swarm/service-look.ts";
import type { ServiceView, TaskView } from "../../ops/service-verdict.ts";
import { volumeNode as volumeNodeHandler } from "../../ops/volume-node.ts";
import type { Node } from "../../ops/swarm.ts";
import { values } from "../../ops/wire.ts";

const owner = "0a0b0c0d";
const volumeNodeLabel = "platform-topologies.volume-node.shop.db-1";
const mine = {
  [volumeNodeLabel]: "abc123",
  "platform-topologies.spread.shop.db-1": "shop/db",
  "platform-topologies.owner.shop.db-1": owner,
};

function node(
  name: string,
  labels: Record<string, string> = {},
  more: { id?: string; down?: boolean; is?: string } = {},
): Node {
  return {
    ID: more.id ?? `id-${name}`,
    Version: { Index: 1 },
    Spec: { Labels: labels, Role: "worker", Availability: more.is ?? "active" },
    Description: { Hostname: name, Platform: { OS: "linux", Architecture: "x86_64" }, Engine: { Labels: {} } },
    Status: { State: more.down === true ? "down" : "ready" },
  };
}

const known = (type: string, name: string, outputs: Known["outputs"]): Known => ({
  urn: `urn:pulumi:dev::p::platform-topologies:index:Swarm$${type}::${name}`,
  type,
  outputs,
});
const identity = known("platform-topologies:index:StackIdentity", "swarm-identity", {
  name: "shop",
  topology: "swarm",
  owner,
  engine: "S1",
  rounds: {},
});
const place = { node: "w1", nodeId: "id-w1", value: "abc123", spread: "shop/db", owner };
const volumeNode = known("platform-topologies:index:VolumeNode", "db-1-volume-node", { name: "shop.db-1", ...place });
const service = known("docker:index/service:Service", "web", {
  name: "shop-web",
  mode: { replicated: { replicas: 2 } },
});
const state = [identity, volumeNode, service];
const wishes: Wish[] = [
  { kind: "service", name: "shop-web", logical: "web" },
  { kind: "volume node", name: "shop.db-1", logical: "db-1-volume-node" },
];
const web = (more: Partial<Thing> = {}): Thing => ({
  kind: "service",
  name: "shop-web",
  labels: { "platform-topologies.name": "shop", "platform-topologies.owner": owner },
  scale: 2,
  ...more,
});

interface Case {
  readonly nodes?: Node[];
  readonly service?: Thing | undefined;
  readonly before?: Known[];
  readonly wanted?: Wish[];
  readonly words?: Record<string, string>;
  readonly engine?: string;
}

function found({
  nodes = [node("w1", mine), node("w2")],
  before = state,
  wanted = wishes,
  words = {},
  engine = "S1",
  ...more
}: Case) {
  const things = [
    ...("service" in more ? [more.service] : [web()]),
    ...volumeNodeThings("shop", ownerOf(before, "swarm"), before, nodes),
  ];
  const args = { component: "swarm", name: "shop", words, host: { key: "swarm.managers", value: "tcp://m1" }, types };
  return judge(args, wanted, before, { engine, things: things.filter((thing) => thing !== undefined) });
}

test("a secret or config that is gone is refused, with what makes it again; another stack's is not looked at", () => {
  const file = (type: string, called: string, stack = "shop") =>
    known(`docker:index/${type}`, called, {
      name: called,
      labels: [{ label: "platform-topologies.name", value: stack }],
    });
  const files = [file("secret:Secret", "db-password"), file("serviceConfig:ServiceConfig", "web-conf")];
  const others = [file("secret:Secret", "other", "shop-eu"), known("docker:index/secret:Secret", "x", { name: "x" })];
  const missing = (...there: string[]) =>
    missingFiles({ name: "shop", owner: undefined }, "tcp://m1", [...files, ...others], there).map(sentence);
  expect(missing("db-password", "web-conf")).toEqual([]);
  expect(missing("web-conf")).toEqual([
    'swarm.managers = "tcp://m1": the secret or config db-password of this stack was removed from the swarm: ' +
      "`pulumi refresh` forgets what is missing, then `pulumi up` makes it again",
  ]);
  expect(missing()).toEqual([expect.stringContaining("db-password and 1 more of this stack")]);
});

describe("services", () => {
  test("whole: nothing to say, nothing to do", () => {
    const { problems, healed, leftovers, broken, memory } = found({});
    expect({ problems, healed, leftovers, broken }).toEqual({ problems: [], healed: [], leftovers: [], broken: {} });
    expect(memory).toMatchObject({ owner, engine: "S1", rounds: {} });
  });

  test("removed: it is made again; scaled by hand: its gate puts the number back", () => {
    const gone = found({ service: undefined });
    expect(gone.healed).toEqual(["service shop-web is gone from the engine: it is made again"]);
    expect(gone.memory.rounds).toEqual({ "service web": 1 });
    const scaled = found({ service: web({ scale: 0 }) });
    expect(scaled.healed).toEqual(["service shop-web was scaled to 0: it is scaled back to 2"]);
    expect(scaled.memory.rounds).toEqual({ "gate web": 1 });
  });

  test("another state's is refused, what an interrupted run has left is this state's own", () => {
    const before = [identity, volumeNode];
    expect(found({ before }).leftovers.map(({ name }) => name)).toEqual(["shop-web"]);
    const { problems } = found({ before: [], nodes: [] });
    expect(problems.map(sentence)).toEqual([
      'name = "shop": service shop-web exists and belongs to another state: name the stack otherwise, or remove it',
    ]);
  });

  test("what does not work has its gate wait anew, but for a member that others stand in for", () => {
    const broken = { why: "its node w1 is drained" };
    expect(found({ service: web({ broken }) }).memory.rounds).toEqual({ "gate web": 1 });
    const wanted = wishes.map((wish) => ({ ...wish, spare: true }));
    const stoodIn = found({ service: web({ broken }), wanted });
    expect(stoodIn.broken).toEqual({ "service web": broken });
    expect(stoodIn.memory.rounds).toEqual({});
  });

  test.each([
    ["on each node, for the state", {}, 3],
    ["on each node, for the swarm", { mode: { replicated: { replicas: 2 } } }, undefined],
    ["as often as asked", { mode: { replicated: { replicas: 2 } } }, 2],
  ])("one that runs %s is not scaled back", (_, outputs, scale) => {
    const before = [identity, volumeNode, known(service.type, "web", { name: "shop-web", ...outputs })];
    const { healed, memory } = found({ before, service: web({ scale }) });
    expect([healed, memory.rounds]).toEqual([[], {}]);
  });
});

describe("volume nodes", () => {
  const refusals = (about: Case) => found(about).problems.map(sentence);

  test("a lost label is put back on its node; one that was moved is where it is", () => {
    expect(found({ nodes: [node("w1"), node("w2")] })).toMatchObject({
      problems: [],
      healed: ["volume node shop.db-1 has lost its label on the node w1: it is put back"],
      memory: { rounds: { "volume node db-1-volume-node": 1 } },
    });
    expect(found({ nodes: [node("w1"), node("w2", mine)] })).toMatchObject({ problems: [], healed: [] });
  });

  test("two nodes with one label", () => {
    expect(refusals({ nodes: [node("w1", mine), node("w2", mine)] })).toEqual([
      `disks.db-1: the nodes w1 and w2 have the label ${volumeNodeLabel}=abc123: leave it on the one with the volume ` +
        `shop-db-1-abc123, and take it from the others: \`docker node update --label-rm ${volumeNodeLabel} <node>\``,
    ]);
    // The one that is down is the same machine before it joined again.
    expect(refusals({ nodes: [node("w1", mine, { down: true }), node("w1", mine, { id: "new" })] })).toEqual([]);
  });

  test.each([
    ["a state that never knew it", [identity, service], mine, { "platform-topologies.owner.shop.db-1": "f0f0" }],
    ["a label without an owner", [identity, service], { [volumeNodeLabel]: "abc123" }, {}],
    ["an empty state", [], mine, {}],
    ["an old state, of another disk", state, mine, { [volumeNodeLabel]: "fff" }],
  ])("a volume node of another state is not adopted: %s", (_, before, labels, more) => {
    const said = refusals({ before, nodes: [node("w1", { ...labels, ...more }), node("w2")], service: undefined });
    expect(said[0]).toMatch(
      /^disks\.db-1: the node w1 has the label platform-topologies\.volume-node\.shop\.db-1=\w+ of another state/,
    );
    expect(said[0]).toContain(`\`docker node update --label-rm ${volumeNodeLabel} w1\``);
  });

  test("what an interrupted run of this state has left is adopted", () => {
    expect(found({ before: [identity, service] })).toMatchObject({ problems: [], leftovers: [], healed: [] });
  });

  test("a word makes a new disk, and is remembered without it", () => {
    const words = { "db-1": "today" };
    expect(found({ nodes: [node("w2")], words })).toMatchObject({ problems: [], memory: { words } });
    const before = [
      identity,
      service,
      known("platform-topologies:index:VolumeNode", "db-1-volume-node", { ...volumeNode.outputs, generation: "today" }),
    ];
    expect(found({ before })).toMatchObject({ memory: { words } });
  });

  test("one that the config has no use for goes by a word, or when its data are elsewhere", () => {
    const wanted = wishes.slice(0, 1);
    expect(refusals({ wanted })).toEqual([
      "disks.db-1: nothing in this config uses the volume node shop.db-1 any more, and its data would be forgotten (they stay on " +
        "its node): put back what used it; or, if they may go, say disks: { db-1: gone }",
    ]);
    expect(refusals({ wanted, words: { "db-1": "gone" } })).toEqual([]);
    const spare = known("platform-topologies:index:VolumeNode", "db-1-volume-node", {
      ...volumeNode.outputs,
      spare: true,
    });
    expect(refusals({ wanted, before: [identity, service, spare] })).toEqual([]);
  });

  test("with a new word the old one's state is no matter: neither two of it, nor none", () => {
    const words = { "db-1": "today" };
    for (const nodes of [
      [node("w1", mine), node("w2", mine)],
      [node("w1"), node("w2")],
    ]) {
      const { problems, healed, memory } = found({ nodes, words });
      expect([problems, healed, memory.rounds]).toEqual([[], [], {}]);
    }
  });

  test("a word is for a disk alone: not for one that is still to be made, nor for a node of its name", () => {
    const words = { "db-1": "today" };
    expect(refusals({ before: [identity, service], words, nodes: [node("w1")] })).toEqual([]);
    const labels = known("platform-topologies:index:NodeLabels", "labels", { node: "host-db-1", labels: {} });
    const lost: Thing = { kind: "node", name: "host-db-1", labels: {}, down: "has lost its labels" };
    const wanted: Wish[] = [{ kind: "node", name: "host-db-1", logical: "labels" }];
    expect(found({ before: [identity, labels], wanted, words, service: lost }).healed).toEqual([
      "node host-db-1 has lost its labels: it is put back",
    ]);
  });

  test("of several topologies in one state each has its own, and before an identity there is all are its own", () => {
    const other = known("platform-topologies:index:VolumeNode", "kv", { ...place, name: "shop.kv-1", owner: "f0f0" });
    const near = known("platform-topologies:index:VolumeNode", "eu", { ...place, name: "shop-eu.db-1" });
    expect(refusals({ before: [...state, other, near] })).toEqual([]);
    expect(refusals({ before: [volumeNode], wanted: [], service: undefined })).toEqual([
      expect.stringMatching(/^disks\.db-1: nothing in this config uses the volume node shop\.db-1 any more/),
    ]);
  });

  test("another name is refused", () => {
    const [olds, news] = [values({ name: "shop.db-1" }), values({ name: "other.db-1" })];
    expect(volumeNodeHandler.refuse?.(olds, news)).toContain(
      "the volume node shop.db-1 keeps a disk, and cannot become other.db-1",
    );
    expect(volumeNodeHandler.refuse?.(olds, olds)).toBeUndefined();
  });

  test("another swarm is refused; the same volume nodes under another id are the same swarm, made anew over its data", () => {
    expect(refusals({ engine: "S2", nodes: [node("w9")], service: undefined })).toEqual([
      'swarm.managers = "tcp://m1": another engine answers there (S2) than the one that has this stack\'s things (S1): ' +
        "put the old address back; to move, make a new stack with `restore` there",
    ]);
    expect(refusals({ engine: "S2" })).toEqual([]);
  });
});

describe("why a service does not work", () => {
  const runs: TaskView = {
    ...{ id: "t1", slot: "1", title: "shop-db-1.1 on node w1", state: "running", desired: "running" },
    ...{ error: "", spec: "new" },
  };
  const pends = {
    ...runs,
    state: "pending",
    error: "no suitable node (scheduling constraints not satisfied on 2 nodes)",
  };
  const failed = { ...runs, id: "t0", state: "failed", desired: "shutdown", error: "task: non-zero exit (1)" };
  const view: ServiceView = {
    ...{ spec: "new", update: undefined, rollsBack: true, wanted: 1, global: false, checksHealth: true },
    tasks: [pends],
  };
  const bound = [`node.labels.${volumeNodeLabel}==abc123`];
  const why = (
    nodes: Node[],
    tasks: TaskView[] = [pends],
    more: { constraints?: string[]; planned?: Node[]; update?: string; outputs?: Known["outputs"] } = {},
  ) => {
    const update = more.update === undefined ? undefined : { state: more.update, message: "" };
    const { constraints = bound, planned = nodes } = more;
    const said = brokenOf(
      "shop-db-1",
      { ...view, tasks, update },
      { constraints, nodes, planned, volumeNodes: [{}, more.outputs ?? volumeNode.outputs] },
    );
    return said && { ...said, text: `${said.why}: ${said.remedy ?? ""}` };
  };

  test("what starts, is updated or runs is well", () => {
    const starts = { ...runs, state: "starting" };
    expect(why([node("w1", mine)], [runs])).toBeUndefined();
    expect(why([node("w1", mine)], [runs, failed])).toBeUndefined(); // it was mended
    expect(why([node("w1", mine)], [starts])).toBeUndefined();
    expect(why([node("w1", mine)], [starts, failed], { update: "updating" })).toBeUndefined();
  });

  test("what fails is told with its task", () => {
    expect(why([node("w1", mine)], [{ ...runs, state: "starting" }, failed])).toMatchObject({
      why: "shop-db-1.1 on node w1 fails: task: non-zero exit (1)",
      spec: "new",
    });
  });

  test.each<[string, Node[], string]>([
    [
      "drained",
      [node("w1", mine, { is: "drain" }), node("w2")],
      "its node w1 is drained: `docker node update --availability active w1`",
    ],
    [
      "paused",
      [node("w1", mine, { is: "pause" })],
      "its node w1 is paused: `docker node update --availability active w1`",
    ],
    [
      "down",
      [node("w1", mine, { down: true }), node("w2")],
      "its node w1 is down: bring it back; or, for a new, empty disk elsewhere, which `restore` can fill, say disks: { db-1: <today> }",
    ],
    [
      "down, and joined again",
      [node("w1", mine, { down: true }), node("w1", {}, { id: "new" })],
      "its node w1 is down, and has joined the swarm again as new: look there for the volume shop-db-1-abc123; if it is " +
        `there, \`docker node update --label-add ${volumeNodeLabel}=abc123 --label-add platform-topologies.spread.shop.db-1=shop/db ` +
        `--label-add platform-topologies.owner.shop.db-1=${owner} new\`, else say disks: { db-1: <today> } for a new, empty ` +
        "one, then `docker node rm id-w1`",
    ],
    [
      "removed, and joined again",
      [node("w1", {}, { id: "new" })],
      "its node w1 has left the swarm: look there for the volume shop-db-1-abc123; if it is there, `docker node update " +
        `--label-add ${volumeNodeLabel}=abc123`,
    ],
    ["removed", [node("w2")], "its node w1 has left the swarm: bring it back; or, for a new, empty disk elsewhere"],
  ])("the node of its volume node is %s", (_, nodes, text) => {
    const said = why(nodes);
    expect(said?.text).toContain(text);
    expect(said?.fate).toBe("stays");
  });

  test("a service that this program has not made is not judged", () => {
    const around = { constraints: [], nodes: [], planned: [], volumeNodes: [] };
    expect(brokenOf("other", { ...view, spec: undefined, tasks: [pends] }, around)).toBeUndefined();
  });

  test("a node that has joined again gets all labels of the volume node, and no others", () => {
    const text = (outputs: object) =>
      why([node("w1", {}, { id: "new" })], [pends], { outputs: { ...volumeNode.outputs, ...outputs } })?.text;
    const adds = (labels: string) =>
      expect.stringContaining(
        `\`docker node update --label-add ${volumeNodeLabel}=abc123 --label-add platform-topologies.spread.shop.db-1=shop/db${labels} new\``,
      );
    const owns = ` --label-add platform-topologies.owner.shop.db-1=${owner}`;
    expect(text({})).toEqual(adds(owns));
    expect(text({ owner: undefined })).toEqual(adds(""));
    expect(text({ generation: "today" })).toEqual(
      adds(` --label-add platform-topologies.generation.shop.db-1=today${owns}`),
    );
    const down = node("w1", { ...mine, zone: "a", "platform-topologies.owner.shop.kv-1": "f0" }, { down: true });
    expect(why([down, node("w1", {}, { id: "new" })])?.text).toContain(`=${owner} new\``);
  });

  test("only a ready node of the same name is the same machine", () => {
    const down = node("w1", mine, { down: true });
    const remedy = expect.stringMatching(/^bring it back; or, for a new, empty disk elsewhere/);
    for (const other of [node("w2"), node("w1", {}, { id: "new", down: true })]) {
      expect(why([down, other])?.remedy).toEqual(remedy);
      if (other.ID !== "id-w1") expect(why([other])).toMatchObject({ why: "its node w1 has left the swarm", remedy });
    }
  });

  test("a node that is down is brought back, or its labels go elsewhere, where no disk is bound to it", () => {
    const constraints = ["node.labels.zone==a", "node.labels.disk==fast"];
    const down = node("w1", { zone: "a", disk: "fast" }, { down: true });
    expect(why([down], [pends], { constraints })?.text).toBe(
      "its node w1 is down: bring it back, or give another node its labels",
    );
    expect(why([node("w1")], [pends], { constraints })?.why).toBe(
      "no node of the swarm has node.labels.zone==a, node.labels.disk==fast",
    );
  });

  test("what this run mends is no error", () => {
    expect(why([node("w1"), node("w2")])?.why).toBe("the node w1 has lost its label");
    expect(why([node("w1"), node("w2", mine)])).toMatchObject({
      fate: "stays",
      why: expect.stringContaining("no node can take it"),
    }); // another one has it
    expect(why([node("w1")])).toMatchObject({ fate: "mended" }); // the label goes back
    const drained = [node("w1", mine, { is: "drain" })];
    expect(why(drained, [pends], { planned: [node("w1", mine)] })).toMatchObject({ fate: "mended" });
  });

  test("no node with its labels, or none with room", () => {
    expect(why([node("w1")], [pends], { constraints: ["node.labels.zone==a"] })?.text).toBe(
      "no node of the swarm has node.labels.zone==a: give one these labels, or ask for others",
    );
    const crowded = { ...pends, error: "no suitable node (insufficient resources on 1 node)" };
    expect(why([node("w1", mine)], [crowded])?.text).toContain(
      "insufficient resources on 1 node)): add a node, make room",
    );
  });
});

test("a node that has lost what the config gave it gets it back, whatever a word says of a disk of its name", () => {
  const wish = { kind: "node", name: "shop-db-1", logical: "swarm-shop-db-1" } as const;
  const before = [identity, known("platform-topologies:index:NodeLabels", wish.logical, { node: wish.name })];
  const args = { component: "swarm", name: "shop", host: { key: "swarm.managers", value: "tcp://m1" }, types };
  const at = (down: string | undefined, state = before) =>
    judge({ ...args, words: { "db-1": "today" } }, [wish], state, {
      engine: "S1",
      things: [{ kind: "node", name: wish.name, labels: {}, down }],
    });
  expect(at("has lost disk=fast").healed).toEqual(["node shop-db-1 has lost disk=fast: it is put back"]);
  expect(at("has lost disk=fast").memory.rounds).toEqual({ "node swarm-shop-db-1": 1 });
  expect(at(undefined).healed).toEqual([]);
  expect(at("has lost disk=fast", [identity]).healed).toEqual([]); // the first run gives it all anyway
});

test("a node's labels and availability are those of the state", () => {
  const labels = (name: string, disk: string) =>
    known("platform-topologies:index:NodeLabels", name, { node: "w1", labels: { disk }, availability: "active" });
  // Another swarm of the program has a node of this name.
  const described = [labels("swarm-w1", "fast"), labels("other-w1", "slow")];
  const of = (...nodes: Node[]) => nodeThings("swarm", described, nodes).map(({ name, down }) => [name, down]);
  expect(of(node("w1", { disk: "fast", theirs: "1" }))).toEqual([["w1", undefined]]);
  expect(of(node("w1", {}, { is: "drain" }))).toEqual([
    ["w1", "has lost disk=fast, and is in drain instead of active"],
  ]);
  // It has joined again: the ready one counts.
  expect(of(node("w1", { disk: "fast" }, { down: true, id: "old" }), node("w1"))).toEqual([
    ["w1", "has lost disk=fast"],
  ]);
});

test("volume nodes are those of this stack's name and owner, in the state or on a node; each has its disk and owner", () => {
  const things = (before: Known[], nodes: Node[]) => volumeNodeThings("shop", owner, before, nodes);
  const labels = { "platform-topologies.disk": "abc123", "platform-topologies.owner": owner };
  const own = { kind: "volume node", name: "shop.db-1", labels };
  expect(things(state, [node("w1", mine)])).toEqual([own]);
  const near = known("platform-topologies:index:VolumeNode", "eu", { ...place, name: "shop-eu.db-1" });
  const theirs = known("platform-topologies:index:VolumeNode", "kv", { ...place, name: "shop.kv-1", owner: "f0f0" });
  const alike = known("other:index:Thing", "cache", { ...place, name: "shop.cache-1" });
  const else_ = {
    zone: "a",
    "platform-topologies.volume-node.shop-eu.db-1": "x",
    "platform-topologies.volume-node.shop2.db-1": "x",
  };
  expect(things([...state, near, theirs, alike], [node("w1", mine), node("w2", else_)])).toEqual([own]);
  // An interrupted run of this state has left it: its disk is not known.
  const left = { ...own, labels: { ...labels, "platform-topologies.disk": "" } };
  expect(things([identity], [node("w1", mine)])).toEqual([left]);
  const nobodys = { [volumeNodeLabel]: "abc123" };
  for (const [of, given] of [
    [undefined, nobodys],
    [undefined, mine],
    ["f0f0", mine],
  ] as const)
    expect(volumeNodeThings("shop", of, [], [node("w1", given)])).toEqual([
      {
        ...{ kind: "volume node", name: "shop.db-1", refused: expect.stringContaining("of another state") },
        labels: { "platform-topologies.disk": "", ...(of === undefined ? {} : { "platform-topologies.owner": of }) },
      },
    ]);
  // Its services report a node that has left.
  expect(things(state, [node("w2")])).toEqual([]);
  const nameless = known(volumeNode.type, "db-1-volume-node", { ...volumeNode.outputs, node: "" });
  expect(things([nameless], [node("w1")])).toEqual([{ ...own, down: "has lost its label on the node id-w1" }]);
});

test("a node's description counts only where the state names a node that is there", () => {
  const labels = (outputs: Known["outputs"]) => known("platform-topologies:index:NodeLabels", "swarm-w1", outputs);
  expect(
    nodeThings("swarm", [labels({ node: "w1", labels: { a: "1", b: "2" } })], [node("w1"), node("w2", { a: "1" })]),
  ).toEqual([{ kind: "node", name: "w1", labels: {}, down: "has lost a=1, b=2" }]);
  expect(nodeThings("swarm", [labels({ node: "w1" })], [node("w2"), node("w1", {}, { is: "drain" })])).toEqual([
    { kind: "node", name: "w1", labels: {} },
  ]);
  expect(nodeThings("swarm", [labels({ node: "w1", labels: { a: "1" } })], [node("w2")])).toEqual([]);
  expect(
    nodeThings("swarm", [known("platform-topologies:index:NodeLabels", "swarm-undefined", {})], [node("w2")]),
  ).toEqual([]);
  expect(
    nodeThings("swarm", [known("other:index:Thing", "swarm-w1", { node: "w1", labels: { a: "1" } })], [node("w1")]),
  ).toEqual([]);
});
