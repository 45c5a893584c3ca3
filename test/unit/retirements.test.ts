/** Members that were retired for good join the numbers that the operator's config retires. */
import { expect, test } from "@jest/globals";

import { nothingRetired, retirementsSchema, withRetired } from "../../components/core/retirements.ts";

const keys = { dbserver: "dbservers" };

test.each<[string, unknown, Record<string, number[]>, object]>([
  ["nothing", undefined, {}, {}],
  ["no number", { a: 1 }, { dbserver: [] }, { a: 1 }],
  ["a role that this system has not", { a: 1 }, { other: [1], constructor: [2] }, { a: 1 }],
  ["the first ever", { a: 1 }, { dbserver: [2] }, { a: 1, dbservers: { retired: [2] } }],
  [
    "further ones",
    { dbservers: { count: 3, retired: [1] } },
    { dbserver: [2, 1] },
    { dbservers: { count: 3, retired: [1, 2] } },
  ],
  ["beside what is no list", { dbservers: { retired: 7 } }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["beside what is no member's config", { dbservers: "three" }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["beside a list", { dbservers: [1] }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["beside nothing at all", { dbservers: null }, { dbserver: [2] }, { dbservers: { retired: [2] } }],
  ["in a config that is none", [1], { dbserver: [2] }, { dbservers: { retired: [2] } }],
])("%s", (_, raw, retired, expected) => {
  const before = JSON.stringify(raw);
  expect(withRetired(raw, retired, keys)).toStrictEqual(expected);
  expect(JSON.stringify(raw)).toBe(before); // the operator's own config stays
});

test("a version has numbers from 1 by role, and a history with each outcome", () => {
  const step = { at: "2026-01-31T04:00:00Z", member: "dbserver-2", why: "its disk", outcome: "begun" };
  const fine = (value: object): boolean => retirementsSchema.safeParse(value).success;
  expect(fine(nothingRetired)).toBe(true);
  expect(nothingRetired).toEqual({ retired: {}, history: [] });
  expect(fine({ retired: { dbserver: [1, 2] }, history: [step, { ...step, outcome: "done" }] })).toBe(true);
  for (const wrong of [
    { retired: { dbserver: [0] }, history: [] },
    { retired: { dbserver: [1.5] }, history: [] },
    { retired: { dbserver: 1 }, history: [] },
    { retired: {} },
    { history: [] },
    { retired: {}, history: [{ ...step, outcome: "lost" }] },
    ...Object.keys(step).map((key) => ({ retired: {}, history: [{ ...step, [key]: undefined }] })),
  ])
    expect([wrong, fine(wrong)]).toEqual([wrong, false]);
});
