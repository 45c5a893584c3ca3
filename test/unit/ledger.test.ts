/** The ledger of the stores' tests itself: it tells what is lost, and what a store should not have. */
import { expect, jest, test } from "@jest/globals";

import type Docker from "dockerode";

import { held, Ledger, rowOf } from "../support/ledger.ts";

type Told = Parameters<typeof rowOf>[0];
const told: Told = {
  ...{ name: "db", last: 40, told: [[11, 35]], refused: [[36, 36]], seen: [[11, 34]] },
  ...{ failed: 5, readFailed: 0, stale: 0, gap: 2, readGap: 1, errors: {} },
};
/** 1 to 10 are of a writer before. */
const before = { acknowledged: new Set(Array.from({ length: 35 }, (_, n) => n + 1)), first: 10 };
const row = (there: readonly (readonly [number, number])[], more: Partial<Told> = {}, wrong: Told["told"] = []) =>
  rowOf({ ...told, ...more }, { there, wrong }, before);

test("all that was acknowledged is there", () => {
  const found = row([[1, 35]]);
  expect(found).toMatchObject({ store: "db", acknowledged: 25, lost: 0, lies: 0, unanswered: 0 });
  expect(held([found], 3)).toEqual([found]);
  expect(() => held([found], 1)).toThrow();
});

test("rows of this writer and of one before it are lost", () => {
  const found = row([
    [2, 30],
    [33, 35],
  ]);
  expect(found).toMatchObject({ lost: 3, lies: 0 });
  expect(() => held([found], 3)).toThrow();
});

test("an unanswered row that is there is none of them", () => {
  const there = [
    [1, 35],
    [37, 38],
  ] as const;
  expect(row(there)).toMatchObject({ lost: 0, lies: 0, unanswered: 2 });
});

test("lies: what was refused, what nobody wrote, what says something else, what was shown and is gone", () => {
  expect(row([[1, 36]])).toMatchObject({ lies: 1 });
  const invented = [
    [1, 35],
    [41, 42],
  ] as const;
  expect(row(invented)).toMatchObject({ lies: 2 });
  expect(row([[1, 35]], {}, [[7, 7]])).toMatchObject({ lies: 1 });
  const shown = row([[1, 35]], {
    seen: [
      [11, 35],
      [38, 38],
    ],
  });
  expect(shown).toMatchObject({ lost: 0, lies: 1 });
  expect(() => held([shown], 3)).toThrow();
});

/** An engine whose containers end with these codes, each after it has said these lines. */
function saying(...runs: readonly { readonly code?: number; readonly lines: readonly unknown[] }[]): Docker {
  const frame = (text: string): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([head, Buffer.from(text)]);
  };
  const left = [...runs];
  const done = () => Promise.resolve({});
  const createContainer = () => {
    const { code = 0, lines = [] } = left.shift() ?? {};
    const log = frame(["writes", ...lines.map((line) => JSON.stringify(line)), ""].join("\n"));
    const container = {
      start: done,
      kill: done,
      remove: done,
      inspect: () => Promise.resolve({ State: { Running: true } }),
    };
    return Promise.resolve({
      ...container,
      wait: () => Promise.resolve({ StatusCode: code }),
      logs: () => Promise.resolve(log),
    });
  };
  return { createContainer } as unknown as Docker;
}

test("where nobody could look, what was written counts for those who look later, and is no lie", async () => {
  const first = { ...told, last: 20, told: [[1, 20]] as const, refused: [], seen: [] };
  const second = { ...told, last: 40, told: [[21, 40]] as const, refused: [], seen: [] };
  const engine = saying(
    { lines: [first] },
    { code: 1, lines: [] },
    { lines: [second] },
    {
      lines: [
        {
          name: "db",
          there: [
            [1, 12],
            [14, 40],
          ],
          wrong: [],
        },
      ],
    },
  );
  const where = { engine, image: "it", networks: [] };
  const ledger = new Ledger({ db: { kind: "solr", host: "db" } });
  jest.useFakeTimers(); // a writer has five seconds before anything happens
  const look = async () => {
    const [looked] = await Promise.allSettled([
      ledger.during(where, "no leader", () => Promise.resolve()),
      jest.advanceTimersByTimeAsync(6000),
    ]);
    return looked;
  };
  expect(await look()).toMatchObject({ reason: { message: expect.stringContaining("the ledger ended with 1") } });
  expect(await look()).toMatchObject({ value: [{ lost: 1, lies: 0 }] });
  jest.useRealTimers();
});
