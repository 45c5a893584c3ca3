/** What the reconciler has replaced joins what the operator's config says. */
import { expect, test } from "@jest/globals";

import {
  nothingRetired,
  type Retirements,
  retirementsSchema,
  withRetirements,
} from "../../components/core/retirements.ts";

const retirable = { dbserver: ["dbservers"], cassandra: [] };
const of = (retired: Retirements["retired"], history: Retirements["history"] = []) => ({ retired, history });

test.each<[string, unknown, Record<string, number[]>, object]>([
  ["no number", { a: 1 }, { dbserver: [] }, { a: 1 }],
  ["a role that this system has not", { a: 1 }, { other: [1], constructor: [2] }, { a: 1 }],
  ["the first ever", { a: 1 }, { dbserver: [2] }, { a: 1, dbservers: { retired: [2] } }],
  [
    "further ones",
    { dbservers: { count: 3, retired: [1] } },
    { dbserver: [2, 1] },
    { dbservers: { count: 3, retired: [1, 2] } },
  ],
  ["a role at the top of the config", { nodes: 3 }, { cassandra: [2] }, { nodes: 3, retired: [2] }],
  ["two roles", {}, { cassandra: [2], dbserver: [1] }, { retired: [2], dbservers: { retired: [1] } }],
  ["beside what is no list", { dbservers: { retired: 7 } }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["beside what is no member's config", { dbservers: "three" }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["beside a list", { dbservers: [1] }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["beside nothing at all", { dbservers: null }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["in a config that is none", [1], { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["in a config that says nothing of its system", undefined, { cassandra: [2] }, { retired: [2] }],
])("%s", (_, system, retired, expected) => {
  const raw = { shop: system, other: { retired: 1 } };
  const before = JSON.stringify(raw);
  expect(withRetirements(raw, of(retired), "shop", retirable)).toStrictEqual({ ...raw, shop: expected });
  expect(JSON.stringify(raw)).toBe(before); // the operator's own config stays
});

test("nothing retired changes nothing, also where no role may be", () => {
  expect(withRetirements({ a: 1 }, nothingRetired, "shop")).toStrictEqual({ a: 1 });
  expect(withRetirements({ a: 1 }, of({ cassandra: [1] }), "shop")).toStrictEqual({ a: 1 });
});

test("a new disk is said until its deployment has ended well: the state remembers it from then on", () => {
  const at = "2026-01-31T04:00:00.000Z";
  const step = { at, member: "nats-2", why: "its disk", disk: true, outcome: "begun" } as const;
  const raw = { disks: { "nats-1": "today", "nats-2": "earlier" } };
  expect(withRetirements(raw, of({}, [step]), "shop")).toStrictEqual({
    disks: { "nats-1": "today", "nats-2": at },
  });
  expect(withRetirements({}, of({}, [step]), "shop")).toStrictEqual({ disks: { "nats-2": at } });
  expect(withRetirements(raw, of({}, [{ ...step, outcome: "done" }]), "shop")).toStrictEqual(raw);
  const number = { at, member: "nats-2", why: "its disk", outcome: "begun" } as const;
  expect(withRetirements(raw, of({}, [number]), "shop")).toStrictEqual(raw);
});

test("a version has numbers from 1 by role, and a history with each outcome", () => {
  const step = { at: "2026-01-31T04:00:00Z", member: "dbserver-2", why: "its disk", outcome: "begun" };
  const fine = (value: object): boolean => retirementsSchema.safeParse(value).success;
  expect(fine(nothingRetired)).toBe(true);
  expect(nothingRetired).toEqual({ retired: {}, history: [] });
  expect(fine({ retired: { dbserver: [1, 2] }, history: [step, { ...step, disk: true, outcome: "done" }] })).toBe(true);
  for (const wrong of [
    { retired: { dbserver: [0] }, history: [] },
    { retired: { dbserver: [1.5] }, history: [] },
    { retired: { dbserver: 1 }, history: [] },
    { retired: {} },
    { history: [] },
    { retired: {}, history: [{ ...step, outcome: "lost" }] },
    { retired: {}, history: [{ ...step, disk: false }] },
    ...Object.keys(step).map((key) => ({ retired: {}, history: [{ ...step, [key]: undefined }] })),
  ])
    expect([wrong, fine(wrong)]).toEqual([wrong, false]);
});
