/** What the reconciler thinks and writes down, without a swarm: judgement, decisions, what it keeps. */
import { describe, expect, test } from "@jest/globals";

import {
  nothingRetired,
  type Retirements,
  type RetirementStore,
  type Version,
} from "../../components/core/retirements.ts";
import { reconciler } from "../../reconciler/index.ts";
import { type Instead, judge, type Observed, type Seen, usual } from "../../reconciler/judgement.ts";
import { begin, decide } from "../../reconciler/replacement.ts";
import { once, type Reach } from "../../reconciler/watch.ts";

const now = Date.parse("2026-01-31T12:00:00Z");
const ago = (...seconds: number[]) => seconds.map((each) => now - each * 1000);
const five = { ends: ago(100, 80, 60, 40, 20), status: "down" } as const;

const insteads: Record<string, (number: number) => Instead> = {
  agent: () => ({ by: "operator", remedy: "an agent keeps its name" }),
  dbserver: (number) => ({ by: "number", role: "dbserver", number }),
  nats: () => ({ by: "disk" }),
};
function member(name: string, more: Partial<Seen> = {}): Seen {
  const [role = "", number] = name.split("-");
  const instead = insteads[role]?.(Number(number));
  if (instead === undefined) throw new Error(name);
  return { name, instead, ends: [], status: "well", ...more };
}
const names = ["agent-1", "dbserver-1", "dbserver-2", "nats-1", "nats-2"];
const observed = (changed: Record<string, Partial<Seen>> = {}): Observed => ({
  now,
  members: names.map((name) => member(name, changed[name])),
});
const verdict = (of: Observed, name: string) => {
  const found = judge(of).find((each) => each.member.name === name);
  if (found === undefined) throw new Error(name);
  return found.is === "well" ? "well" : `${found.is}: ${found.why}`;
};

describe("a member has failed", () => {
  const often = "its process has ended 5 times within 10 minutes";
  test.each<[string, Partial<Seen>, string]>([
    ["dbserver-2", {}, "well"],
    ["dbserver-2", { ends: ago(30, 20) }, "well"],
    ["dbserver-2", { ...five, status: "well" }, "well"],
    ["dbserver-2", { ends: ago(40, 20), status: "down" }, "wait: its process has ended 2 times, of 5"],
    ["dbserver-2", { ends: ago(700, 650, 601, 40, 20), status: "down" }, "wait: its process has ended 2 times, of 5"],
    ["dbserver-2", { status: "down" }, "wait: it does not answer its cluster"],
    ["dbserver-2", { status: "unknown" }, "well"],
    ["dbserver-2", five, `replace: ${often}`],
    ["dbserver-2", { ...five, status: "unknown" }, `replace: ${often}`],
    ["dbserver-2", { ...five, said: "exit 1" }, `replace: ${often} (exit 1)`],
    [
      "dbserver-2",
      { status: "down", lostSince: now - 60_000 },
      "wait: its node has been away for 60 s, of 900 s that it may",
    ],
    [
      "dbserver-2",
      { status: "down", lostSince: now - 901_000 },
      "replace: its node has been away for 901 s, of 900 s that it may",
    ],
    ["nats-2", five, `replace: ${often}`],
    ["nats-2", { ...five, danger: "it is the only one" }, `help: ${often}; not safe to replace: it is the only one`],
    ["nats-2", { danger: "it is the only one" }, "well"],
    ["nats-2", { ...five, beside: "dbserver-2" }, `replace: ${often}`],
    [
      "nats-2",
      { status: "down", lostSince: now - 901_000, beside: "dbserver-2" },
      "wait: its node has been away for 901 s, of 900 s that it may; it goes with dbserver-2, whose machine it shares",
    ],
    ["agent-1", five, `help: ${often}; an agent keeps its name`],
    ["agent-1", { ...five, danger: "no majority" }, `help: ${often}; not safe to replace: no majority`],
  ])("%s with %j: %s", (name, seen, expected) => {
    expect(verdict(observed({ [name]: seen }), name)).toBe(expected);
  });
});

describe("one thing at a time, over all stores", () => {
  const hour = { everySeconds: 3600 };
  const past = (seconds: number, outcome: "begun" | "done"): Retirements => ({
    retired: { dbserver: [9] },
    history: [{ at: new Date(now - seconds * 1000).toISOString(), member: "dbserver-9", why: "", outcome }],
  });
  const two = judge(observed({ "dbserver-2": five, "nats-1": five }));

  test("two failed: the first is replaced, the other is only named", () => {
    const decision = decide(two, nothingRetired, now, hour);
    expect(decision).toMatchObject({ do: "replace", member: { name: "dbserver-2" } });
    expect(decision.say.map((line) => line.split(":")[0])).toEqual(["dbserver-2", "nats-1"]);
  });
  test("within the hour after one there is no other", () => {
    expect(decide(two, past(600, "done"), now, hour)).toMatchObject({
      do: "nothing",
      say: [
        expect.anything(),
        expect.anything(),
        "dbserver-2: waits another 3000 s (one replacement in 3600 s, the last was dbserver-9)",
      ],
    });
    expect(decide(two, past(3601, "done"), now, hour)).toMatchObject({ do: "replace" });
  });
  test("an unfinished one comes first, however old", () => {
    expect(decide(two, past(600, "begun"), now, hour)).toMatchObject({ do: "finish" });
    expect(decide(judge(observed()), past(9999, "begun"), now, hour)).toMatchObject({ do: "finish" });
  });
  test("all well: nothing to do or to say", () => {
    expect(decide(judge(observed()), past(9999, "done"), now, hour)).toEqual({ do: "nothing", say: [] });
  });
});

class Memory implements RetirementStore {
  readonly versions: Version[] = [];
  latest(): Promise<Version> {
    return Promise.resolve(this.versions.at(-1) ?? { number: 0, retirements: nothingRetired });
  }
  add(version: Version): Promise<boolean> {
    if (this.versions.some(({ number }) => number === version.number)) return Promise.resolve(false);
    this.versions.push(version);
    return Promise.resolve(true);
  }
}

describe("what is kept", () => {
  test("two that begin at once, at different stores: one is told that it was late", async () => {
    const store = new Memory();
    const results = await Promise.all([
      begin(store, member("dbserver-2"), "a", now),
      begin(store, member("nats-1"), "b", now),
    ]);
    expect(results.sort()).toEqual([false, true]);
    expect(store.versions).toHaveLength(1);
    // Whoever comes later sees that one is under way.
    expect(await begin(store, member("nats-1"), "b", now)).toBe(false);
  });

  test("a number joins those of its role; a new disk is in the history alone", async () => {
    const store = new Memory();
    await store.add({ number: 1, retirements: { retired: { dbserver: [1] }, history: [] } });
    expect(await begin(store, member("dbserver-2"), "a", now)).toBe(true);
    expect(store.versions.at(-1)?.retirements).toEqual({
      retired: { dbserver: [1, 2] },
      history: [{ at: "2026-01-31T12:00:00.000Z", member: "dbserver-2", why: "a", outcome: "begun" }],
    });
    await store.add({ number: 3, retirements: { retired: { dbserver: [1, 2] }, history: [] } });
    expect(await begin(store, member("nats-1"), "b", now)).toBe(true);
    expect(store.versions.at(-1)?.retirements).toEqual({
      retired: { dbserver: [1, 2] },
      history: [{ at: "2026-01-31T12:00:00.000Z", member: "nats-1", why: "b", disk: true, outcome: "begun" }],
    });
  });

  test("the history keeps twenty", async () => {
    const entry = { at: "2026-01-01T00:00:00Z", member: "dbserver-1", why: "", outcome: "done" as const };
    const store = new Memory();
    const history = Array.from({ length: 20 }, () => entry);
    await store.add({ number: 1, retirements: { retired: {}, history } });
    await begin(store, member("nats-1"), "", now);
    const kept = store.versions.at(-1)?.retirements.history ?? [];
    expect([kept.length, kept.at(-1)?.member]).toEqual([20, "nats-1"]);
  });

  test("a deployment that fails is tried again before anything else, and noted when it ends well", async () => {
    const store = new Memory();
    const said: string[] = [];
    const outcomes = [false, true];
    const reach: Reach = {
      store,
      observe: () => Promise.resolve(observed({ "dbserver-2": five, "nats-1": five })),
      deploy: () => Promise.resolve({ ok: outcomes.shift() ?? true, said: "no room on any node" }),
      say: (line) => said.push(line),
    };
    const look = () => once(reach, usual, { everySeconds: 3600 });
    expect([await look(), await look(), await look()]).toEqual([false, false, false]); // another one waits all the time
    expect(store.versions.at(-1)?.retirements).toMatchObject({
      retired: { dbserver: [2] },
      history: [{ member: "dbserver-2", outcome: "done" }],
    });
    expect(said).toContain(
      "dbserver-2: retired, because its process has ended 5 times within 10 minutes; deploying the stack",
    );
    expect(said).toContain("the deployment failed and is tried again at the next look: no room on any node");
    expect(said.at(-1)).toContain("dbserver-2: waits another");
  });

  test("all is well again with the last one that was to be replaced", async () => {
    const store = new Memory();
    const lost = observed({ "dbserver-2": five });
    const reach: Reach = {
      store,
      observe: () => Promise.resolve(lost),
      deploy: () => Promise.resolve({ ok: true, said: "" }),
      say: () => undefined,
    };
    expect(await once(reach, usual, { everySeconds: 0 })).toBe(true);
    // An interrupted one is finished by the next look.
    await begin(store, member("dbserver-2"), "a", now);
    expect(await once(reach, usual, { everySeconds: 0 })).toBe(true);
    const two = { ...lost, members: [...lost.members, ...observed({ "nats-1": five }).members] };
    const with2 = { ...reach, store: new Memory(), observe: () => Promise.resolve(two) };
    expect(await once(with2, usual, { everySeconds: 0 })).toBe(false);
  });

  test("another reconciler was faster: nothing is deployed", async () => {
    const store = new Memory();
    const said: string[] = [];
    const reach: Reach = {
      store: { latest: () => store.latest(), add: () => Promise.resolve(false) },
      observe: () => Promise.resolve(observed({ "nats-1": five })),
      deploy: () => Promise.reject(new Error("deployed")),
      say: (line) => said.push(line),
    };
    expect(await once(reach, usual, { everySeconds: 1 })).toBe(false);
    expect(said.at(-1)).toBe("nats-1: another reconciler was faster");
  });
});

test("a topology without a second place for the data is refused", async () => {
  const args = {
    config: () => Promise.resolve({ hostname: "db.example.com", system: "arangodb", topology: "docker" }),
    stack: "s",
    pulumi: () => Promise.reject(new Error("not reached")),
    say: () => undefined,
    policy: usual,
    limits: { everySeconds: 1 },
  };
  await expect(reconciler(args)).rejects.toThrow("no second place for a member's data");
});
