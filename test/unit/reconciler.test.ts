/** What the reconciler thinks and writes down, without a swarm: judgement, decisions, the overlay. */
import { describe, expect, test } from "@jest/globals";

import {
  nothingRetired,
  type Retirements,
  type RetirementStore,
  type Version,
  withRetired,
} from "../../components/core/retirements.ts";
import { type Copies, judge, type Observed, type Seen, usual } from "../../reconciler/judgement.ts";
import { reconciler } from "../../reconciler/index.ts";
import { begin, decide } from "../../reconciler/retirement.ts";
import { once, type Reach } from "../../reconciler/watch.ts";

const now = Date.parse("2026-01-31T12:00:00Z");
const ago = (...seconds: number[]) => seconds.map((each) => now - each * 1000);
const five = { ends: ago(100, 80, 60, 40, 20), status: "FAILED" } as const;

function member(name: string, more: Partial<Seen> = {}): Seen {
  const [role = "", number] = name.split("-");
  if (role !== "agent" && role !== "dbserver" && role !== "coordinator") throw new Error(name);
  return { name, role, number: Number(number), ends: [], status: "GOOD", ...more };
}
const names = [
  "agent-1",
  "agent-2",
  "agent-3",
  "dbserver-1",
  "dbserver-2",
  "dbserver-3",
  "coordinator-1",
  "coordinator-2",
];
const everywhere: Copies = {
  shard: "shop/orders/s1",
  planned: ["dbserver-2", "dbserver-1", "dbserver-3"],
  inSync: ["dbserver-2", "dbserver-1", "dbserver-3"],
};
const observed = (changed: Record<string, Partial<Seen>> = {}, shards: Copies[] = [everywhere]): Observed => ({
  now,
  members: names.map((name) => member(name, changed[name])),
  shards,
});
const verdict = (of: Observed, name: string) => {
  const found = judge(of).find((each) => each.member.name === name);
  if (found === undefined) throw new Error(name);
  return found.is === "well" ? "well" : `${found.is}: ${found.why}`;
};

describe("a member has failed", () => {
  test.each<[string, Partial<Seen>, string]>([
    ["dbserver-2", {}, "well"],
    ["dbserver-2", { ends: ago(30, 20) }, "well"],
    ["dbserver-2", { ...five, status: "GOOD" }, "well"],
    ["dbserver-2", { ends: ago(40, 20), status: "FAILED" }, "wait: its process has ended 2 times, of 5"],
    ["dbserver-2", { ends: ago(700, 650, 601, 40, 20), status: "FAILED" }, "wait: its process has ended 2 times, of 5"],
    ["dbserver-2", { status: "FAILED" }, "wait: it does not answer the cluster"],
    ["dbserver-2", { status: "BAD" }, "well"],
    ["dbserver-2", five, "retire: its process has ended 5 times within 10 minutes"],
    ["dbserver-2", { ...five, status: "unknown" }, "retire: its process has ended 5 times within 10 minutes"],
    ["dbserver-2", { ...five, said: "exit 1" }, "retire: its process has ended 5 times within 10 minutes (exit 1)"],
    [
      "dbserver-2",
      { status: "FAILED", lostSince: now - 60_000 },
      "wait: its node has been away for 60 s, of 900 s that it may",
    ],
    [
      "dbserver-2",
      { status: "FAILED", lostSince: now - 901_000 },
      "retire: its node has been away for 901 s, of 900 s that it may",
    ],
    ["coordinator-1", five, "retire: its process has ended 5 times within 10 minutes"],
  ])("%s with %j: %s", (name, seen, expected) => {
    expect(verdict(observed({ [name]: seen }), name)).toBe(expected);
  });

  test("an agent is an operator's to make again", () => {
    const text = "help: its process has ended 5 times within 10 minutes; ";
    expect(verdict(observed({ "agent-1": five }), "agent-1")).toBe(
      `${text}an agent keeps its name: set arangodb.rebuild to ["agent-1"], up, and take it out again`,
    );
    expect(verdict(observed({ "agent-1": five, "agent-2": { status: "FAILED" } }), "agent-1")).toBe(
      `${text}bring another agent back first: without two there is no majority`,
    );
  });
});

describe("it is safe to put another in its place", () => {
  const only = (inSync: string[]) => [{ ...everywhere, inSync }];
  test.each<[string, Record<string, Partial<Seen>>, Copies[], boolean]>([
    ["another server has everything", { "dbserver-2": five }, only(["dbserver-2", "dbserver-1"]), true],
    ["nobody else has it in sync", { "dbserver-2": five }, only(["dbserver-2"]), false],
    [
      "the only other one has failed, too",
      { "dbserver-2": five, "dbserver-1": { status: "FAILED" } },
      only(["dbserver-2", "dbserver-1"]),
      false,
    ],
    [
      "the only other one is slow",
      { "dbserver-2": five, "dbserver-1": { status: "BAD" } },
      only(["dbserver-2", "dbserver-1"]),
      false,
    ],
    [
      "it holds nothing",
      { "dbserver-2": five },
      [{ ...everywhere, planned: ["dbserver-1"], inSync: ["dbserver-1"] }],
      true,
    ],
    ["planned, and not in sync with anybody", { "dbserver-2": five }, only([]), false],
  ])("%s", (_, seen, shards, safe) => {
    const said = verdict(observed(seen, shards), "dbserver-2");
    expect(said.split(":")[0]).toBe(safe ? "retire" : "help");
    if (!safe) expect(said).toContain("not safe to replace: no healthy server has shop/orders/s1 in sync");
  });

  test("the last coordinator stays", () => {
    const seen = { "coordinator-1": five, "coordinator-2": { status: "FAILED" } } as const;
    expect(verdict(observed(seen), "coordinator-1")).toContain("not safe to replace: no other coordinator is healthy");
  });
});

describe("one thing at a time", () => {
  const hour = { everySeconds: 3600 };
  const past = (seconds: number, outcome: "begun" | "done"): Retirements => ({
    retired: { dbserver: [9] },
    history: [{ at: new Date(now - seconds * 1000).toISOString(), member: "dbserver-9", why: "", outcome }],
  });
  const two = judge(observed({ "dbserver-2": five, "coordinator-1": five }));

  test("two failed: the first is retired, the other is only named", () => {
    const decision = decide(two, nothingRetired, now, hour);
    expect(decision).toMatchObject({ do: "retire", member: { name: "dbserver-2" } });
    expect(decision.say.map((line) => line.split(":")[0])).toEqual(["dbserver-2", "coordinator-1"]);
  });
  test("within the hour after one there is no other", () => {
    expect(decide(two, past(600, "done"), now, hour)).toMatchObject({
      do: "nothing",
      say: [
        expect.anything(),
        expect.anything(),
        "dbserver-2: waits another 3000 s (one retirement in 3600 s, the last was dbserver-9)",
      ],
    });
    expect(decide(two, past(3601, "done"), now, hour)).toMatchObject({ do: "retire" });
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

describe("the overlay", () => {
  test("two that retire at once: one is told that it was late", async () => {
    const store = new Memory();
    const seen = member("dbserver-2");
    const results = await Promise.all([begin(store, seen, "a", now), begin(store, seen, "b", now)]);
    expect(results.sort()).toEqual([false, true]);
    expect(store.versions.map(({ retirements }) => retirements.retired)).toEqual([{ dbserver: [2] }]);
  });

  test("retired numbers join the operator's own", () => {
    const raw = { replicationFactor: 2, dbservers: { count: 4, retired: [1] } };
    expect(
      withRetired(raw, { dbserver: [2, 1], coordinator: [3] }, { dbserver: "dbservers", coordinator: "coordinators" }),
    ).toEqual({
      replicationFactor: 2,
      dbservers: { count: 4, retired: [1, 2] },
      coordinators: { retired: [3] },
    });
    expect(withRetired(undefined, {}, { dbserver: "dbservers" })).toEqual({});
  });

  test("a deployment that fails is tried again before anything else, and noted when it ends well", async () => {
    const store = new Memory();
    const said: string[] = [];
    const outcomes = [false, true];
    const reach: Reach = {
      store,
      observe: () => Promise.resolve(observed({ "dbserver-2": five, "coordinator-1": five })),
      deploy: () => Promise.resolve({ ok: outcomes.shift() ?? true, said: "no room on any node" }),
      say: (line) => said.push(line),
    };
    const look = () => once(reach, usual, { everySeconds: 3600 });
    expect([await look(), await look(), await look()]).toEqual([false, true, false]);
    expect(store.versions.at(-1)?.retirements).toMatchObject({
      retired: { dbserver: [2] },
      history: [{ member: "dbserver-2", outcome: "done" }],
    });
    expect(said).toContain("the deployment failed and is tried again at the next look: no room on any node");
    expect(said.at(-1)).toContain("dbserver-2: waits another");
  });
});

test.each([
  [{ system: "arangodb", topology: "docker" }, "no second place for a member's data"],
  [{ system: "arkindex", topology: "swarm" }, "has no members that another can replace"],
])("%j is refused", async (raw, sentence) => {
  const pulumi = () => Promise.reject(new Error("not reached"));
  const args = {
    raw: { hostname: "db.example.com", ...raw },
    stack: "s",
    pulumi,
    say: () => undefined,
    policy: usual,
    limits: { everySeconds: 1 },
  };
  await expect(reconciler(args)).rejects.toThrow(sentence);
});
