/** A whole survey, from the state to its end: what it says, refuses, removes and pulls, and what waits for it. */
import { randomUUID } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { log, output, type Output, runtime } from "@pulumi/pulumi";
import * as store from "@pulumi/pulumi/runtime/state.js";

import type { Known } from "../../components/core/known.ts";
import { types } from "../../components/topologies/docker/look.ts";
import type { Broken, Survey, SurveyArgs, There, Thing, Wish } from "../../components/topologies/survey.ts";

const owner = "0a0b";
const known = (type: string, name: string, outputs: Known["outputs"]): Known => ({
  urn: `urn:pulumi:dev::p::${type}::${name}`,
  type,
  outputs,
});
const identityOf = (component: string, more: object = {}): Known =>
  known("platform-topologies:index:StackIdentity", `${component}-identity`, {
    ...{ name: "shop", topology: "docker", owner, engine: "E1", rounds: {}, ...more },
  });
const identity = identityOf("docker");
const container = known("docker:index/container:Container", "web", { name: "shop-web" });
const remote = known("docker:index/remoteImage:RemoteImage", "image-web", {
  ...{ name: "web:1", imageId: "sha256:1", repoDigest: "web@sha256:d" },
});
const web: Wish = { kind: "container", name: "shop-web", logical: "web" };
const image: Wish = { kind: "image", name: "web:1", logical: "image-web" };
const data: Wish = { kind: "network", name: "shop-data", logical: "data" };
const ours = (kind: Thing["kind"], name: string, more: Partial<Thing> = {}): Thing => ({
  kind,
  name,
  labels: { "platform-topologies.name": "shop", "platform-topologies.owner": owner },
  ...more,
});
const foreign: Thing = { kind: "container", name: "shop-web", labels: {} };

const sdk = store as unknown as { getStore(): { logErrorCount: number } };

/** What the user is told: `warning: …` and `error: …`, and the messages of errors that end the program. */
let said: string[] = [];
let ends: string[] = [];
const { warn, error } = console;
beforeEach(() => {
  [said, ends] = [[], []];
  const note = (text: unknown): void => {
    said.push(String(text).replace(" [runtime]", ""));
  };
  Object.assign(console, { warn: note, error: note });
});
afterEach(() => {
  Object.assign(console, { warn, error });
  sdk.getStore().logErrorCount = 0; // one process runs many programs here
  process.exitCode = undefined;
});

/** A program of its own, whose surveys know no others. `state`: undefined with mocks alone. */
async function program(state: readonly Known[] | undefined, preview = false) {
  const id = randomUUID(); // mutation tests run this file many times in one process
  const outputs = Object.fromEntries((state ?? []).map(({ urn, ...rest }) => [urn, rest]));
  await runtime.setMocks(
    { newResource: () => ({ id: "", state: {} }), call: () => ({ outputs }) },
    ...(["p", id, preview, state === undefined ? "" : "acme"] as const),
  );
  const module = `../../components/topologies/survey.ts#${id}`;
  const loaded = (await import(module)) as { readonly Survey: typeof Survey };
  return (there: Partial<There>, more: Partial<SurveyArgs> = {}): Survey =>
    begun(
      () =>
        new loaded.Survey({
          ...{ component: "docker", name: "shop", words: {}, host: { key: "docker.host", value: "unix:///d" }, types },
          look: () => Promise.resolve({ engine: "E1", things: [], ...there }),
          remove: () => Promise.resolve(),
          ...more,
        }),
    );
}

/** A survey ends the program by a promise that nobody handles. Here it is handled, and its message noted. */
function begun(make: () => Survey): Survey {
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { then } = Promise.prototype;
  Promise.prototype.then = function (this: Promise<unknown>, ...handlers: unknown[]) {
    const next = then.apply(this, handlers as []);
    const note = (end: unknown): void => void ends.push((end as Error).message);
    if (handlers.length === 1) void then.call(next, undefined, note);
    return next;
  } as typeof then;
  try {
    return make();
  } finally {
    Promise.prototype.then = then;
  }
}

const valueOf = <T>(of: Output<T>): Promise<T> => new Promise((resolve) => void of.apply(resolve));
/** Whether what waits for the survey may begin. A busy machine may take a while to say yes. */
const begins = (survey: Survey, within = 2000): Promise<boolean> =>
  Promise.race([survey.settled.then((all) => all.length === 0), sleep(within, false, { ref: false })]);
const waits = async (survey: Survey): Promise<boolean> => !(await begins(survey, 50));
const refusal = (...lines: string[]): string =>
  `${lines.length === 1 ? "1 problem" : `${String(lines.length)} problems`}, nothing was changed:\n${lines.map((line) => `  - ${line}`).join("\n")}`;
const belongs = "container shop-web exists and belongs to somebody else: name the stack otherwise, or remove it";

test("without a state, as with mocks, nothing is looked at, and everything begins", async () => {
  const survey = (await program(undefined))({}, { look: () => Promise.reject(new Error("looked")) });
  expect(await Promise.all([survey.wants(web), survey.gate(web), survey.word("db")].map(valueOf))).toEqual([
    ...["0", "0", ""],
  ]);
  expect(await survey.memory).toEqual({ owner: undefined, engine: undefined, rounds: {}, words: {} });
  survey.complain(web, output("x"));
  expect(await begins(survey)).toBe(true);
  expect([said, ends]).toEqual([[], []]);
});

test("what was removed is made again: its trigger counts, and the user is told once", async () => {
  const before = [
    identityOf("docker", { rounds: { "container web": 2, "gate web": 4 }, words: { db: "may" } }),
    container,
  ];
  const survey = (await program(before))({});
  const [round, gate, word, none] = [survey.wants(web), survey.gate(web), survey.word("db"), survey.word("kv")];
  expect(await Promise.all([round, gate, word, none].map(valueOf))).toEqual(["3", "4", "may", ""]);
  expect(await survey.memory).toMatchObject({ owner, engine: "E1", rounds: { "container web": 3 } });
  expect(await begins(survey)).toBe(true);
  expect(said).toEqual(["warning: container shop-web is gone from the engine: it is made again"]);
});

test("what does not fit ends the program in one message, and nothing that waits begins", async () => {
  const survey = (await program([]))({ things: [foreign] });
  survey.wants(web);
  expect(await waits(survey)).toBe(true);
  expect(ends).toEqual([refusal(`name = "shop": ${belongs}`)]);
});

test("problems of all topologies come in one message, each with its topology's name; the ones without wait for ever", async () => {
  const survey = await program([]);
  const removed: string[] = [];
  const all = ["one", "two", "three"].map((component, index) => {
    const things = index === 0 ? [] : [foreign];
    const remove = ({ name }: Thing) => Promise.resolve(void removed.push(name));
    const made = survey({ engine: component, things }, { component, remove });
    made.wants(web);
    return made;
  });
  expect(await Promise.all(all.map(waits))).toEqual([true, true, true]);
  expect(ends).toEqual([refusal(`two: name = "shop": ${belongs}`, `three: name = "shop": ${belongs}`)]);
  expect(removed).toEqual([]);
});

test("an engine that cannot be asked ends the program with its error, and holds all others", async () => {
  const survey = await program([]);
  const fails = survey({}, { look: () => Promise.reject(new Error("E9 refuses")) });
  expect(await Promise.all([fails, survey({ engine: "E2" }, { component: "two" })].map(waits))).toEqual([true, true]);
  expect(ends).toEqual(["E9 refuses"]);
});

test("nothing begins before every engine of the program has been looked at", async () => {
  const survey = await program([]);
  let answer: (there: There) => void = () => undefined;
  const late = new Promise<There>((resolve) => (answer = resolve));
  const [first, second] = [survey({}), survey({}, { component: "two", look: () => late })];
  expect(await Promise.all([first, second].map(waits))).toEqual([true, true]);
  answer({ engine: "E2", things: [] });
  expect(await Promise.all([first, second].map((each) => begins(each)))).toEqual([true, true]);
});

test("nothing begins before what an interrupted run has left on another engine is gone", async () => {
  const survey = await program([identityOf("two")]);
  let done: () => void = () => undefined;
  const removal = new Promise<void>((resolve) => (done = resolve));
  const there = { engine: "E1", things: [ours("container", "shop-web")] };
  const [first, second] = [survey({ engine: "E2" }), survey(there, { component: "two", remove: () => removal })];
  second.wants(web);
  expect(await Promise.all([first, second].map(waits))).toEqual([true, true]);
  done();
  expect(await Promise.all([first, second].map((each) => begins(each)))).toEqual([true, true]);
});

test.each<[string, Partial<There>, Partial<There>, string, boolean]>([
  ["the same engine", { engine: "E1" }, { engine: "E1" }, "shop", false],
  ["the same engine, under another name", { engine: "E1" }, { engine: "E1" }, "shop2", true],
  ["two engines", { engine: "E1" }, { engine: "E2" }, "shop", true],
  ["engines of one id at two places", { places: ["E1 a"] }, { places: ["E1 b"] }, "shop", true],
  [
    "engines with one place in common",
    { places: ["E1 a", "n1"] },
    { engine: "S", places: ["n2", "n1"] },
    "shop",
    false,
  ],
])("two topologies of a program on %s", async (_, first, second, name, fine) => {
  const survey = await program([]);
  const both = [survey(first), survey(second, { component: "two", name })];
  expect(await Promise.all(both.map((each) => (fine ? begins(each) : waits(each))))).toEqual([true, true]);
  const remedy = "another topology of this program has this name on the same engine: give each site a name of its own";
  expect(ends).toEqual(fine ? [] : [refusal(`two: name = "shop": ${remedy}`)]);
});

test("an error of the program itself keeps the survey from every change", async () => {
  const removed: Thing[] = [];
  const survey = (await program([identity]))(
    { things: [ours("container", "shop-web")] },
    { remove: (thing) => Promise.resolve(void removed.push(thing)) },
  );
  survey.wants(web);
  await log.error("the program has failed");
  expect(await waits(survey)).toBe(true);
  expect([removed, said]).toEqual([[], ["error: the program has failed"]]);
});

test.each([
  [false, ["shop-web", "shop-data"]],
  [true, []],
])("what an interrupted run has left goes, a network after who is in it (in a preview: %s)", async (preview, names) => {
  const removed: string[] = [];
  const remove = ({ name }: Thing) => Promise.resolve(void removed.push(name));
  const survey = (await program([identity], preview))(
    { things: [ours("network", "shop-data"), ours("container", "shop-web")] },
    { remove },
  );
  for (const wish of [data, web]) survey.wants(wish);
  expect(await begins(survey)).toBe(true);
  expect(removed).toEqual(names);
  expect(said).toHaveLength(2);
});

describe("an image that was pruned", () => {
  const asked: unknown[] = [];
  const again = async (pull: SurveyArgs["pull"], preview = false, before = {}) => {
    asked.length = 0;
    const noted: SurveyArgs["pull"] = pull && ((of) => (asked.push(of), pull(of)));
    const survey = (await program([identityOf("docker", { rounds: before }), remote], preview))(
      {},
      noted ? { pull: noted } : {},
    );
    return { survey, round: survey.wants(image) };
  };
  const rounds = async (...args: Parameters<typeof again>) => valueOf((await again(...args)).round);

  test("is pulled by its digest, and where the same one comes back, nothing else changes", async () => {
    expect(await rounds(() => Promise.resolve(true))).toBe("0");
    expect(asked).toEqual([{ ref: "web:1", id: "sha256:1", digest: "web@sha256:d" }]);
  });

  test("is made again, each time anew, where another one comes back or nobody can pull", async () => {
    expect(await rounds(() => Promise.resolve(false))).toBe("1");
    expect(await rounds(() => Promise.resolve(false), false, { "image image-web": 4 })).toBe("5");
    expect(await rounds(undefined)).toBe("1");
  });

  test("is not pulled in a preview", async () => {
    expect(await rounds(() => Promise.resolve(false), true)).toBe("0");
    expect(asked).toEqual([]);
  });

  test("that no registry has ends the program with the way to get it", async () => {
    const { survey } = await again(() => Promise.reject(new Error("it cannot be pulled")));
    expect(await waits(survey)).toBe(true);
    const why = "was removed from the engine, and it cannot be pulled: build, push or pull it";
    expect(ends).toEqual([refusal(`images = "web:1": ${why}`)]);
  });
});

describe("a thing that does not work", () => {
  const why = "its health check fails";
  const gone = known("docker:index/network:Network", "data", { name: "shop-data" });
  interface Case {
    readonly preview?: boolean;
    readonly broken?: Broken;
    readonly spare?: boolean;
    /** This run makes something else again. */
    readonly heals?: boolean;
    /** The spec that this run gives it. */
    readonly spec?: string;
  }
  test.each<[string, Case, "error" | "warning" | "nothing"]>([
    ["in a preview that would leave it so", {}, "error"],
    ["in an up, where its gate decides", { preview: false }, "warning"],
    ["where others stand in for it", { spare: true }, "warning"],
    ["where this run brings back what it may need", { heals: true }, "warning"],
    ["where nothing that this run brings back can help", { heals: true, broken: { why, fate: "stays" } }, "error"],
    ["where this run mends it", { broken: { why, fate: "mended" } }, "nothing"],
    ["with the spec that it has already", { broken: { why, spec: "a" }, spec: "a" }, "error"],
    ["with another spec", { broken: { why, spec: "a" }, spec: "b" }, "nothing"],
  ])("%s", async (_, { preview = true, broken = { why }, spare = false, heals = false, spec }, expected) => {
    const state = [identity, container, ...(heals ? [gone] : [])];
    const survey = (await program(state, preview))({ things: [ours("container", "shop-web", { broken })] });
    const wish = { ...web, spare };
    survey.wants(wish);
    if (heals) survey.wants(data);
    survey.complain(wish, output("same"), spec === undefined ? undefined : output(spec));
    expect(await begins(survey)).toBe(true);
    await sleep(20);
    const told = said.filter((each) => each.includes("shop-web"));
    const read = "look at its log; what is changed elsewhere to mend it is deployed by `pulumi up --skip-preview`";
    const sentence = `container shop-web does not work: its health check fails: ${read}`;
    expect(told).toEqual(expected === "nothing" ? [] : [`${expected}: ${sentence}`]);
    expect(process.exitCode).toBe(expected === "error" ? 32 : undefined);
  });

  test("has its own remedy, if there is one, and its topology's name, if there are several", async () => {
    const survey = await program([identity, identityOf("two", { owner: "f0", engine: "E2" }), container], true);
    const first = survey({ things: [ours("container", "shop-web", { broken: { why, remedy: "do this" } })] });
    const both = [first, survey({ engine: "E2" }, { component: "two" })];
    first.wants(web);
    first.complain(web, output("same"));
    await Promise.all(both.map((each) => begins(each)));
    await sleep(20);
    expect(said).toEqual([`error: docker: container shop-web does not work: ${why}: do this`]);
  });
});
