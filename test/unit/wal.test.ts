/** The toolbox's `wal`: where it goes on after a failover, after a gap, and after a timeline that was lost. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { afterAll, expect, test } from "@jest/globals";

import { repo } from "../support/stack.ts";

const size = 16 * 1024 * 1024;

/** The program's own functions, in one Python for the whole file. */
const python = spawn("python3", [
  "-B",
  "-c",
  `import importlib.machinery, importlib.util, json, sys
loader = importlib.machinery.SourceFileLoader("wal", sys.argv[1])
wal = importlib.util.module_from_spec(importlib.util.spec_from_loader("wal", loader))
loader.exec_module(wal)
for line in sys.stdin:
    name, args = json.loads(line)
    print(json.dumps(getattr(wal, name)(*args)), flush=True)`,
  join(repo, "tools/images/toolbox/wal.py"),
]);
const answers = createInterface(python.stdout)[Symbol.asyncIterator]();
afterAll(() => {
  python.stdin.end();
});

async function call(name: string, ...args: readonly unknown[]): Promise<unknown> {
  python.stdin.write(`${JSON.stringify([name, args])}\n`);
  const { value } = await answers.next();
  return JSON.parse(String(value)) as unknown;
}

const segment = (timeline: number, number: number): string =>
  `${timeline.toString(16).padStart(8, "0")}00000000${number.toString(16).padStart(8, "0")}`.toUpperCase();

test("a place in the log, its segment's number and name are one", async () => {
  expect(await call("number", "1/5000060", size)).toBe(261);
  expect(await call("name_of", 2, 261, size)).toBe("000000020000000100000005");
  expect(await call("parts_of", "000000020000000100000005", size)).toEqual([2, 261]);
  expect(await call("lsn_of", 261, size)).toBe("1/5000000");
  expect(await call("name_of", 1, 5, 4 * size)).toBe("000000010000000000000005");
});

interface Found {
  readonly last?: string;
  readonly timeline?: number;
  readonly history?: string;
  readonly known?: string;
  readonly held?: number;
}
/** `held`: the servers keep everything, unless it is said. */
const following = ({ last, timeline = 1, history = "", known = "", held = 0 }: Found): Promise<unknown> =>
  call("following", last, timeline, history, known, held, size);
const second = "1\t0/7000060\tno recovery target specified";
const third = `${second}\n\n2\t0/9000060\tno recovery target specified\n`;

test("an empty place begins with what the servers keep", async () => {
  expect(await following({ held: 5 })).toEqual([1, 5, false]);
  // On the timeline that it was written on.
  expect(await following({ timeline: 3, history: third, held: 5 })).toEqual([1, 5, false]);
  expect(await following({ timeline: 3, history: third, held: 8 })).toEqual([2, 8, false]);
  expect(await following({ timeline: 3, history: third, held: 10 })).toEqual([3, 10, false]);
});

test("it goes on after the newest whole segment", async () => {
  expect(await following({ last: segment(1, 5), held: 6 })).toEqual([1, 6, false]);
  expect(await following({ last: segment(2, 8), timeline: 2, history: second, known: second })).toEqual([2, 9, false]);
});

test("after a failover it follows the new leader from where it left, whatever the old one has said since", async () => {
  expect(await following({ last: segment(1, 5), timeline: 2, history: second })).toEqual([1, 6, false]);
  expect(await following({ last: segment(1, 6), timeline: 2, history: second })).toEqual([1, 7, false]);
  expect(await following({ last: segment(1, 7), timeline: 2, history: second })).toEqual([2, 7, false]);
  expect(await following({ last: segment(1, 8), timeline: 2, history: second })).toEqual([2, 7, false]);
  // Two failovers, in which nobody followed.
  expect(await following({ last: segment(1, 8), timeline: 3, history: third })).toEqual([2, 7, false]);
  expect(await following({ last: segment(2, 9), timeline: 3, history: third })).toEqual([3, 9, false]);
});

test("a timeline of the same number by another server takes the place of the lost one", async () => {
  const other = "1\t0/8000060\tno recovery target specified";
  expect(await following({ last: segment(2, 9), timeline: 2, history: other, known: second })).toEqual([2, 8, false]);
});

test("log that the servers do not keep any more is a gap", async () => {
  expect(await following({ last: segment(1, 5), held: 9 })).toEqual([1, 9, true]);
  expect(await following({ last: segment(4, 5), timeline: 3, history: third, held: 9 })).toEqual([2, 9, true]);
});
