/** What a survey makes of a state and an engine that do not fit: plain values, without an engine. */
import { describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import type { Known } from "../../components/core/known.ts";
import { otherStack } from "../../components/topologies/identity.ts";
import { machineTypes, placesOf, types } from "../../components/topologies/docker/look.ts";
import { judge, type There, type Thing, type Wish } from "../../components/topologies/survey.ts";

const args = {
  component: "docker",
  name: "shop",
  words: {},
  host: { key: "docker.host", value: "unix:///d.sock" },
  types,
} as const;
const owner = "0a0b0c0d";
const disk = "d15c";

const urn = (type: string, name: string): string => `urn:pulumi:dev::p::platform-topologies:index:X$${type}::${name}`;
const known = (type: string, name: string, outputs: Known["outputs"]): Known => ({
  urn: urn(type, name),
  type,
  outputs,
});
const state: Known[] = [
  known("platform-topologies:index:StackIdentity", "docker-identity", {
    name: "shop",
    topology: "docker",
    owner,
    engine: "E1",
    rounds: {},
  }),
  known("docker:index/container:Container", "db-1", { name: "shop-db-1" }),
  known("docker:index/network:Network", "data", { name: "shop-data" }),
  known("docker:index/remoteImage:RemoteImage", "image-postgis", { name: "postgis:15", imageId: "sha256:1" }),
  known("random:index/randomId:RandomId", "db-1-disk", { hex: disk }),
  known("platform-topologies:index:Volume", "db-1", { name: "shop-db-1", disk, word: "", spare: false }),
];
const wishes: Wish[] = [
  { kind: "container", name: "shop-db-1", logical: "db-1" },
  { kind: "network", name: "shop-data", logical: "data" },
  { kind: "image", name: "postgis:15", logical: "image-postgis" },
  { kind: "volume", name: "shop-db-1", logical: "db-1" },
];
const ours = (kind: Thing["kind"], name: string, more: Partial<Thing> = {}): Thing => ({
  kind,
  name,
  labels: { "platform-topologies.name": "shop", "platform-topologies.owner": owner },
  ...more,
});
const volume = (id: string): Thing =>
  ours("volume", "shop-db-1", { labels: { "platform-topologies.name": "shop", "platform-topologies.disk": id } });
const image: Thing = { kind: "image", name: "sha256:1", labels: {} };
const whole: There = {
  engine: "E1",
  things: [ours("container", "shop-db-1"), ours("network", "shop-data"), image, volume(disk)],
};

interface Case {
  readonly there?: There;
  readonly before?: readonly Known[];
  readonly wanted?: readonly Wish[];
  readonly words?: Readonly<Record<string, string>>;
}
const look = ({ there = whole, before = state, wanted = wishes, words = {} }: Case = {}) => {
  const { problems, ...rest } = judge({ ...args, words }, wanted, before, there);
  return { ...rest, said: problems.map(sentence) };
};
const but = (kind: Thing["kind"], thing?: Thing): There => ({
  ...whole,
  things: [...whole.things.filter((each) => each.kind !== kind), ...(thing ? [thing] : [])],
});

test("what is as the state has it is left alone", () => {
  expect(look()).toMatchObject({ said: [], healed: [], leftovers: [], pruned: [], broken: {} });
  expect(look().memory).toEqual({ owner, engine: "E1", rounds: {}, words: {} });
});

test("an empty state on an empty engine is the beginning", () => {
  expect(look({ before: [], there: { engine: "E1", things: [] } })).toMatchObject({ said: [], healed: [] });
});

test.each([
  ["removed", undefined, "container shop-db-1 is gone from the engine: it is made again"],
  ["stopped", "does not run (Exited (0))", "container shop-db-1 does not run (Exited (0)): it is made again"],
])("a container that was %s is made again, each time anew, and said", (_, down, healed) => {
  const there = but("container", down === undefined ? undefined : ours("container", "shop-db-1", { down }));
  const first = look({ there });
  expect(first).toMatchObject({ said: [], healed: [healed], memory: { rounds: { "container db-1": 1 } } });
  const identity = { ...state[0], outputs: { ...state[0]?.outputs, rounds: first.memory.rounds } } as Known;
  const before = [identity, ...state.slice(1)];
  expect(look({ before }).memory.rounds).toEqual({ "container db-1": 1 }); // remembered, or it would be made again
  expect(look({ before, there }).memory.rounds).toEqual({ "container db-1": 2 });
});

test("a network that was removed is made again", () => {
  expect(look({ there: but("network") }).healed).toEqual([
    "network shop-data is gone from the engine: it is made again",
  ]);
});

test("an image that was pruned is pulled again", () => {
  const found = look({ there: but("image") });
  expect(found.healed).toEqual(["image postgis:15 is gone from the engine: it is pulled again"]);
  expect(found.pruned).toMatchObject([{ ref: "postgis:15", id: "sha256:1" }]);
  const wanted = wishes.map((wish) => (wish.kind === "image" ? { ...wish, name: "postgis:16" } : wish));
  expect(look({ there: but("image"), wanted })).toMatchObject({ healed: [], pruned: [] });
});

test("what does not work is told, and its gate waits anew", () => {
  const there = but("container", ours("container", "shop-db-1", { broken: { why: "its health check fails" } }));
  expect(look({ there })).toMatchObject({
    said: [],
    healed: [],
    broken: { "container db-1": { why: "its health check fails" } },
    memory: { rounds: { "gate db-1": 1 } },
  });
});

test("a volume that is gone is never made anew without the operator's word", () => {
  const there = but("volume");
  expect(look({ there }).said).toEqual([
    "disks.db-1: the volume shop-db-1 is gone, and with it the data of db-1: bring it back; or say disks: { db-1: " +
      "<today> } for a new, empty one, which `restore` can fill from a backup",
  ]);
  const said = look({ there, words: { "db-1": "2026-03-01" } });
  expect(said).toMatchObject({ said: [], memory: { words: { "db-1": "2026-03-01" } } });
});

test("a word that has been said counts once, and is remembered when the config has it no more", () => {
  const made = known("platform-topologies:index:Volume", "db-1", { name: "shop-db-1", disk, word: "2026-03-01" });
  const before = [...state.slice(0, -1), made];
  expect(look({ before, words: { "db-1": "2026-03-01" }, there: but("volume") }).said).toHaveLength(1);
  expect(look({ before }).memory.words).toEqual({ "db-1": "2026-03-01" });
});

test.each([
  ["another disk of that name", but("volume", volume("other")), state],
  ["a volume that no state knows", but("volume", volume("other")), []],
  ["a volume of another tool", but("volume", { kind: "volume", name: "shop-db-1", labels: {} }), []],
])("%s is refused", (_, { engine, things }, before) => {
  const there = { engine, things: before.length === 0 ? things.filter(({ kind }) => kind === "volume") : things };
  expect(look({ before, there }).said).toEqual([
    expect.stringMatching(
      /^name = "shop": volume shop-db-1 exists and belongs to (another state|somebody else): name the stack otherwise, or remove it$/,
    ),
  ]);
});

test("a volume whose id was noted before it was made is this state's own", () => {
  expect(look({ before: state.slice(0, -1) })).toMatchObject({ said: [], leftovers: [] });
});

test("another checkout's things are refused whole, in one sentence", () => {
  expect(look({ before: [] }).said).toEqual([
    'name = "shop": volume shop-db-1, container shop-db-1, network shop-data exist and belong to another state: name ' +
      "the stack otherwise, or remove them",
  ]);
});

test("what the state does not have is this stack's by its owner alone", () => {
  const before = state.filter(({ type }) => !type.includes("ontainer"));
  const labels = { "platform-topologies.name": "shop", "platform-topologies.owner": "f0f0" };
  const there = but("container", ours("container", "shop-db-1", { labels }));
  expect(look({ before, there })).toMatchObject({ leftovers: [], healed: [] });
  expect(look({ before, there }).said).toEqual([expect.stringContaining("belongs to another state")]);
});

test("a word for a disk that is still to be made says nothing: a volume that is there is refused as without", () => {
  const [before, words] = [state.slice(0, 4), { "db-1": "today" }];
  expect(look({ before, words, there: but("volume") })).toMatchObject({ said: [], memory: { words } });
  const there = but("volume", volume("other"));
  expect(look({ before, words, there }).said).toEqual([expect.stringContaining("volume shop-db-1 exists")]);
});

test("what an interrupted run of this very state has left makes way", () => {
  const found = look({ before: state.filter(({ type }) => !type.includes("ontainer")) });
  expect(found).toMatchObject({ said: [], leftovers: [{ kind: "container", name: "shop-db-1" }] });
  expect(found.healed).toEqual(["container shop-db-1 was left by a run that was interrupted: it is made anew"]);
});

test.each(["container", "network"] as const)("a %s of a replacement that was interrupted makes way", (kind) => {
  const before = state.map((known) =>
    known.type.toLowerCase().endsWith(kind) ? { ...known, outputs: { ...known.outputs, id: "old" } } : known,
  );
  const there = (id: string) => ({
    ...whole,
    things: whole.things.map((thing) => (thing.kind === kind ? { ...thing, id } : thing)),
  });
  const { name } = whole.things.find((thing) => thing.kind === kind) ?? { name: "" };
  const found = look({ before, there: there("new") });
  expect(found).toMatchObject({ said: [], leftovers: [{ kind, name, id: "new" }] });
  expect(found.healed).toEqual([`${kind} ${name} is another one than the state has: it is made anew`]);
  expect(Object.keys(found.memory.rounds)).toEqual([expect.stringContaining(kind)]);
  expect(look({ before, there: there("old") })).toMatchObject({ said: [], leftovers: [], healed: [] });
});

test("another engine is refused, but not one that has all the disks", () => {
  const other = { engine: "E2", things: [] };
  expect(look({ there: other }).said).toEqual([
    'docker.host = "unix:///d.sock": another engine answers there (E2) than the one that has this stack\'s things (E1): ' +
      "put the old address back; to move, make a new stack with `restore` there",
  ]);
  expect(look({ there: other }).memory.rounds).toEqual({}); // nothing of the first one is gone
  expect(look({ there: { ...whole, engine: "E2" } })).toMatchObject({ said: [], memory: { engine: "E2" } });
});

describe("a further machine, which has none of the disks", () => {
  const far = {
    ...args,
    types: machineTypes,
    machine: "gpu1",
    host: { key: "docker.machines.gpu1", value: "ssh://gpu1" },
  };
  const agent = { kind: "container", name: "shop-agent-1", logical: "agent-1" } as const;
  const identity = (more: object) => ({ ...state[0], outputs: { ...state[0]?.outputs, ...more } }) as Known;
  const before = [
    identity({ machines: { gpu1: "E9" } }),
    ...state.slice(1),
    known("docker:index/container:Container", "agent-1", { name: agent.name }),
  ];
  const at = (engine: string, things: Thing[] = [ours("container", agent.name)], was = before) =>
    judge(far, [agent], was, { engine, things });

  test("the host's disks are not its own to miss", () => {
    expect(at("E9")).toMatchObject({ problems: [], healed: [], memory: { engine: "E9" } });
  });

  test("another engine than the host's is right, another than last time is refused", () => {
    expect(at("E9", undefined, [identity({}), ...before.slice(1)]).problems).toEqual([]);
    expect(at("E1").problems.map(sentence)).toEqual([
      'docker.machines.gpu1 = "ssh://gpu1": another engine answers there (E1) than the one that has this stack\'s ' +
        "things (E9): put the old address back; to move, deploy once without what runs there, then with it under the " +
        "new address",
    ]);
  });

  test("what is made again there counts on from what the identity remembers", () => {
    const was = [identity({ machines: { gpu1: "E9" }, rounds: { "container agent-1": 2 } }), ...before.slice(1)];
    expect(at("E9", [], was)).toMatchObject({ memory: { rounds: { "container agent-1": 3 } } });
    expect(at("E9", undefined, was)).toMatchObject({ healed: [], memory: { rounds: { "container agent-1": 2 } } });
  });
});

test("things of another stack in the same program, whose name begins with this one's, are not looked at", () => {
  const labels = { "platform-topologies.name": "shop-eu" };
  const listed = Object.entries(labels).map(([label, value]) => ({ label, value }));
  const other = [
    known("platform-topologies:index:Volume", "eu-db-1", {
      name: "shop-eu-db-1",
      disk: "e",
      word: "",
      spare: false,
      labels,
    }),
    known("docker:index/network:Network", "data", { name: "shop-eu-data", labels: listed }),
  ];
  expect(look({ before: [...state, ...other] })).toMatchObject({ said: [], healed: [], memory: { words: {} } });
});

test("engines of copied machines, with one id, are two; a host that is a swarm's node is that node", () => {
  const [one, other] = [placesOf({ ID: "E1", Name: "a" }), placesOf({ ID: "E1", Name: "b", Swarm: { NodeID: "n1" } })];
  expect([one, other]).toEqual([["E1 a"], ["E1 b", "n1"]]);
  expect(placesOf({ ID: "E1", Name: "a", Swarm: { NodeID: "" } })).toEqual(one);
});

test("of two topologies of one name, one that is new has nothing of the other's to miss", () => {
  const labels = { "platform-topologies.name": "shop", "platform-topologies.owner": owner };
  const marked = state.map((each) => ({ ...each, outputs: { ...each.outputs, labels } }));
  const there = { engine: "E2", things: [] };
  const { problems, healed } = judge({ ...args, component: "second" }, [], marked, there);
  expect([problems, healed]).toEqual([[], []]);
  // And once both are there, each sees its own alone.
  const second = known("platform-topologies:index:StackIdentity", "second-identity", {
    ...{ name: "shop", topology: "docker", owner: "0e0f", engine: "E2", rounds: {} },
  });
  expect(judge({ ...args, component: "second" }, [], [...marked, second], there).problems).toEqual([]);
  expect(judge(args, wishes, [...marked, second], but("volume")).problems.map(sentence)).toEqual([
    expect.stringContaining("the volume shop-db-1 is gone"),
  ]);
});

test("a disk that nothing uses any more goes by the operator's word alone", () => {
  const wanted = wishes.filter(({ kind }) => kind !== "volume");
  expect(look({ wanted }).said).toEqual([expect.stringContaining("say disks: { db-1: gone }")]);
  expect(look({ wanted, words: { "db-1": "gone" } }).said).toEqual([]);
  // While its slot is there, the word takes nothing away.
  expect(look({ words: { "db-1": "gone" } })).toMatchObject({ said: [], memory: { words: {} } });
  expect(look({ there: but("volume"), words: { "db-1": "gone" } }).said).toHaveLength(1);
  const spare = known("platform-topologies:index:Volume", "db-1", { name: "shop-db-1", disk, word: "", spare: true });
  expect(look({ wanted, before: [...state.slice(0, -1), spare] }).said).toEqual([]);
});

test.each([
  [{ system: "pyrus" }, 'system = "pyrus": this stack is arkindex on docker'],
  [{ topology: "swarm" }, 'topology = "swarm": this stack is arkindex on docker'],
  [{ name: "ark-2" }, 'name = "ark-2": this stack is named ark, as all of its things are: set name: ark'],
])("a stack that becomes %j is refused with the way", (change, begins) => {
  const identity = known("platform-topologies:index:StackIdentity", "identity", {
    system: "arkindex",
    topology: "docker",
    name: "ark",
  });
  const wanted = { system: "arkindex", topology: "docker", name: "ark" };
  expect(otherStack([identity], wanted)).toEqual([]);
  expect(otherStack([...state.slice(1), identity], wanted)).toEqual([]); // nothing else says what a stack is
  const [said, ...more] = otherStack([identity], { ...wanted, ...change }).map(sentence);
  expect(more).toEqual([]);
  expect(said?.startsWith(begins)).toBe(true);
  expect(said).toContain("`restore`");
});

describe("whose a thing of the state is", () => {
  const dropped = (more: Known[], component = "docker", before = state) =>
    judge({ ...args, component }, wishes, [...before, ...more], whole).problems.map(sentence);
  const lost = (name: string, outputs: object = {}): Known =>
    known("platform-topologies:index:Volume", name, { name, disk: "e", word: "", spare: false, ...outputs });

  test("one that nothing wants any more is this stack's if its name begins with the stack's name, and a hyphen", () => {
    expect(dropped([lost("shop-kv-1")])).toEqual([
      "disks.kv-1: nothing in this config uses the volume shop-kv-1 any more, and its data would be deleted: put back " +
        "what used it; or, if they may go, say disks: { kv-1: gone }",
    ]);
    expect(dropped([lost("shops-kv-1"), lost("other")])).toEqual([]);
  });

  test("another number of copies that would put other servers in a store's place is told, with the old number", () => {
    const [one, three] = [["objects-1"], ["objects-garage-1", "objects-garage-2", "objects-garage-3"]];
    const changed = (before: string[], now: string[], stores: string[]) =>
      judge(
        { ...args, stores },
        [...wishes, ...now.map((slot): Wish => ({ kind: "volume", name: `shop-${slot}`, logical: slot }))],
        [...state, ...before.map((slot) => lost(`shop-${slot}`))],
        whole,
      ).problems.map(sentence);
    expect(changed(one, three, ["db", "objects"])).toEqual([
      "disks.objects-1: nothing in this config uses the volume shop-objects-1 any more, and its data would be deleted: " +
        "objects would have other servers: to keep these say copies: { objects: 1 }, and docs/ha.md has the way to carry " +
        "the data over; or, if they may go, say disks: { objects-1: gone }",
    ]);
    const back = changed(three, one, ["objects"]);
    expect(back).toHaveLength(3);
    for (const each of back) expect(each).toContain("say copies: { objects: 3 }");
    // A store that is no store of copies, one that has gone, and another disk of the same servers.
    for (const [before, now, stores] of [
      [["grafana-1"], ["grafana-db-1", "grafana-db-2"], ["grafana-db"]],
      [one, [], []],
      [["kv-2"], ["kv-4"], ["kv"]],
    ] as const)
      expect(changed([...before], [...now], [...stores])).toEqual([expect.stringContaining("put back what used it;")]);
  });

  test("one with another owner is another topology's", () => {
    const labels = (of: string) => ({ labels: { "platform-topologies.owner": of } });
    expect(dropped([lost("shop-kv-1", labels("f0f0"))])).toEqual([]);
    expect(dropped([lost("shop-kv-1", labels(owner))])).toHaveLength(1);
  });

  test("a resource without a name is passed over", () => {
    expect(dropped([known("docker:index/container:Container", "odd", {})])).toEqual([]);
  });

  test("an identity is known by its topology's name, wherever it stands in the state", () => {
    const others = [
      known("platform-topologies:index:StackIdentity", "second-identity", { ...state[0]?.outputs, owner: "0e0f" }),
      known("other:index:Identity", "docker-identity", { ...state[0]?.outputs, owner: "0d0d" }),
    ];
    expect(look({ before: [...others, ...state] }).memory).toMatchObject({ owner, engine: "E1" });
  });

  test("before there is an identity a thing without an owner is nobody's, and not what a run has left", () => {
    const there = { engine: "E1", things: [{ kind: "container", name: "shop-db-1", labels: {} } as const] };
    expect(look({ before: [], there })).toMatchObject({
      said: [
        'name = "shop": container shop-db-1 exists and belongs to somebody else: name the stack otherwise, or remove it',
      ],
      healed: [],
      leftovers: [],
    });
  });
});

test("of many foreign things the first three are named, volumes first; one with our label is another state's", () => {
  const wanted = ["a", "b", "c", "d"].map(
    (logical) => ({ kind: "container", name: `shop-${logical}`, logical }) as const,
  );
  const things = wanted.map(({ kind, name }): Thing => ({ kind, name, labels: {} }));
  const said = (more: Thing[], count = 4) =>
    look({
      before: [],
      wanted: [...wanted.slice(0, count), ...wishes.slice(3)],
      there: { engine: "E1", things: [...things, ...more] },
    }).said;
  const remedy = "name the stack otherwise, or remove them";
  expect(said([])).toEqual([
    `name = "shop": container shop-a, container shop-b, container shop-c and 1 more exist and belong to somebody else: ${remedy}`,
  ]);
  expect(said([volume("other")])).toEqual([
    `name = "shop": volume shop-db-1, container shop-a, container shop-b and 2 more exist and belong to another state: ${remedy}`,
  ]);
  expect(said([], 3)).toEqual([
    `name = "shop": container shop-a, container shop-b, container shop-c exist and belong to somebody else: ${remedy}`,
  ]);
});

test.each<[string, Known["outputs"], boolean]>([
  ["the id that the state noted for it", { hex: disk }, true],
  ["another id", { hex: "other" }, false],
])("a volume that the state has not made, with %s", (_, outputs, ours) => {
  const before = [...state.slice(0, 4), known("random:index/randomId:RandomId", "db-1-disk", outputs)];
  expect(look({ before }).said).toHaveLength(ours ? 0 : 1);
});

test("a volume without an id, or with a value that is no noted id, is not this state's own", () => {
  const before = [...state.slice(0, 4), known("random:index/randomId:RandomId", "db-1-disk", {})];
  expect(look({ before, there: but("volume", ours("volume", "shop-db-1")) }).said).toHaveLength(1);
  const password = known("random:index/randomPassword:RandomPassword", "db-1-password", { hex: disk });
  expect(look({ before: [...state.slice(0, 4), password] }).said).toHaveLength(1);
});

test("an engine that has some of the disks alone is another one", () => {
  const second = known("platform-topologies:index:Volume", "db-2", {
    name: "shop-db-2",
    disk: "d2",
    word: "",
    spare: false,
  });
  const wanted = [...wishes, { kind: "volume", name: "shop-db-2", logical: "db-2" } as const];
  const at = (...more: Thing[]) =>
    look({ before: [...state, second], wanted, there: { engine: "E2", things: [...whole.things, ...more] } }).said;
  expect(at()).toEqual([expect.stringContaining("another engine answers there (E2)")]);
  const labels = { "platform-topologies.disk": "d2" };
  expect(at({ kind: "volume", name: "shop-db-2", labels })).toEqual([]);
});

test("a word that was said stays, whatever else of the slot the state has, and wherever it stands", () => {
  const identity = { ...state[0], outputs: { ...state[0]?.outputs, words: { "db-1": "may" } } } as Known;
  const made = known("platform-topologies:index:Volume", "db-1", {
    name: "shop-db-1",
    disk,
    word: "may",
    spare: false,
  });
  expect(look({ before: [identity, made, ...state.slice(1, 5)] }).memory.words).toEqual({ "db-1": "may" });
  // A disk without a word has been made without one, whatever was said before.
  expect(look({ before: [identity, ...state.slice(1)] }).memory.words).toEqual({});
});

test.each([
  ["postgis@sha256:d", "postgis@sha256:d"],
  ["", undefined],
  [undefined, undefined],
])("an image that a registry gave the digest %j is pulled again by it", (repoDigest, digest) => {
  const outputs = { name: "postgis:15", imageId: "sha256:1", ...(repoDigest === undefined ? {} : { repoDigest }) };
  const before = state.map((each) =>
    each.type.includes("emoteImage") ? known(each.type, "image-postgis", outputs) : each,
  );
  expect(look({ before, there: but("image") }).pruned).toEqual([
    { ref: "postgis:15", id: "sha256:1", digest, wish: wishes[2] },
  ]);
});

test("an image whose id the state does not have is no pruned one", () => {
  const before = state.map((each) =>
    each.type.includes("emoteImage") ? known(each.type, "image-postgis", { name: "postgis:15" }) : each,
  );
  expect(look({ before, there: but("image") })).toMatchObject({ pruned: [], healed: [] });
});

test("a container that another state has made meanwhile is refused, not mended", () => {
  const labels = { "platform-topologies.name": "shop", "platform-topologies.owner": "f0f0" };
  const found = look({ there: but("container", ours("container", "shop-db-1", { labels, down: "is paused" })) });
  expect(found.said).toEqual([expect.stringContaining("container shop-db-1 exists and belongs to another state")]);
  expect(found.healed).toEqual([]);
});
