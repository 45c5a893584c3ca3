/** The toolbox's `wal`: where it goes on after a failover, after a gap, and after a timeline that was lost. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { repo } from "../support/stack.ts";

const size = 16 * 1024 * 1024;

/** Calls a function of the program's with these arguments. */
function call(name: string, ...args: readonly unknown[]): unknown {
  const script = `import importlib.machinery, importlib.util, json, sys
loader = importlib.machinery.SourceFileLoader("wal", sys.argv[1])
wal = importlib.util.module_from_spec(importlib.util.spec_from_loader("wal", loader))
loader.exec_module(wal)
print(json.dumps(getattr(wal, sys.argv[2])(*json.loads(sys.argv[3]))))`;
  const words = ["-B", "-c", script, join(repo, "tools/images/toolbox/wal.py"), name, JSON.stringify(args)];
  const { stdout, stderr } = spawnSync("python3", words, { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

const segment = (timeline: number, number: number): string => call("name_of", timeline, number, size) as string;

test("a place in the log, its segment's number and name are one", () => {
  expect(call("number", "1/5000060", size)).toBe(261);
  expect(segment(2, 261)).toBe("000000020000000100000005");
  expect(call("parts_of", "000000020000000100000005", size)).toEqual([2, 261]);
  expect(call("lsn_of", 261, size)).toBe("1/5000000");
  expect(call("name_of", 1, 5, 4 * size)).toBe("000000010000000000000005");
});

interface Found {
  readonly last?: string;
  readonly timeline?: number;
  readonly history?: string;
  readonly known?: string;
  readonly held?: number;
}
/** `held`: the servers keep everything, unless it is said. */
const following = ({ last, timeline = 1, history = "", known = "", held = 0 }: Found): unknown =>
  call("following", last, timeline, history, known, held, size);
const second = "1\t0/7000060\tno recovery target specified";
const third = `${second}\n\n2\t0/9000060\tno recovery target specified\n`;

test("an empty place begins with what the servers keep", () => {
  expect(following({ held: 5 })).toEqual([1, 5, false]);
  expect(following({ timeline: 3, history: third, held: 5 })).toEqual([3, 5, false]);
});

test("it goes on after the newest whole segment", () => {
  expect(following({ last: segment(1, 5), held: 6 })).toEqual([1, 6, false]);
  expect(following({ last: segment(2, 8), timeline: 2, history: second, known: second })).toEqual([2, 9, false]);
});

test("after a failover it follows the new leader from where it left, whatever the old one has said since", () => {
  expect(following({ last: segment(1, 5), timeline: 2, history: second })).toEqual([1, 6, false]);
  expect(following({ last: segment(1, 6), timeline: 2, history: second })).toEqual([1, 7, false]);
  expect(following({ last: segment(1, 7), timeline: 2, history: second })).toEqual([2, 7, false]);
  expect(following({ last: segment(1, 8), timeline: 2, history: second })).toEqual([2, 7, false]);
  // Two failovers, in which nobody followed.
  expect(following({ last: segment(1, 8), timeline: 3, history: third })).toEqual([2, 7, false]);
  expect(following({ last: segment(2, 9), timeline: 3, history: third })).toEqual([3, 9, false]);
});

test("a timeline of the same number by another server takes the place of the lost one", () => {
  const other = "1\t0/8000060\tno recovery target specified";
  expect(following({ last: segment(2, 9), timeline: 2, history: other, known: second })).toEqual([2, 8, false]);
});

test("log that the servers do not keep any more is a gap", () => {
  expect(following({ last: segment(1, 5), held: 9 })).toEqual([1, 9, true]);
  expect(following({ last: segment(4, 5), timeline: 3, history: third, held: 9 })).toEqual([3, 9, true]);
});
