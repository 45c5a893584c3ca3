import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { expect, test } from "@jest/globals";

import { matrix, merged, proved, type Seen, withMatrix } from "../../tools/commands/proved.ts";
import { newFolder } from "../support/folder.ts";
import { Proving } from "../support/proved.ts";
import { repo, type State } from "../support/stack.ts";

const at = { date: "2026-03-01", commit: "abc" };
const pyrus = { system: "pyrus", topology: "aws", level: "simulated" } as const;
const state: State = {
  resources: [
    { urn: "u", type: "platform-topologies:index:StackIdentity", custom: true, inputs: { ...pyrus, name: "x" } },
  ],
};

/** What these commands of one stack, with their exit codes, leave for the matrix. A word alone is a changed config. */
async function steps(...commands: readonly (readonly [string, number] | "changed")[]): Promise<string[]> {
  const file = join(newFolder("proved"), "told");
  writeFileSync(file, "");
  const before = process.env.PLATFORM_TOPOLOGIES_PROVED;
  process.env.PLATFORM_TOPOLOGIES_PROVED = file;
  try {
    const stack = new Proving("simulated");
    for (const command of commands) {
      if (command === "changed") stack.changed();
      else await stack.ended(command[0].split(" "), command[1], () => Promise.resolve(state));
    }
  } finally {
    if (before === undefined) delete process.env.PLATFORM_TOPOLOGIES_PROVED;
    else process.env.PLATFORM_TOPOLOGIES_PROVED = before;
  }
  return merged([], readFileSync(file, "utf8"), at).map(({ step }) => step);
}

test("only a command that ended well proves something, and what came before says what", async () => {
  expect(await steps("changed", ["up --yes", 0], ["up --yes", 0])).toEqual(["up"]);
  expect(await steps(["up", 1])).toEqual([]);
  expect(await steps(["up", 1], "changed", ["up", 0])).toEqual(["up after a failure"]);
  expect(await steps(["up", 0], "changed", ["up", 0])).toEqual(["up", "update"]);
  expect(await steps(["up", 0], ["preview", 0], ["preview --expect-no-changes", 1])).toEqual(["up"]);
  expect(await steps(["up", 0], ["preview --expect-no-changes", 0], ["destroy", 0], ["destroy", 0])).toEqual([
    "up",
    "empty preview",
    "destroy",
  ]);
  expect(await steps(["destroy", 0])).toEqual([]);
});

test("what a run saw takes the place of the older, and the rest stays", () => {
  const old: Seen[] = [
    { ...pyrus, step: "destroy", date: "2026-01-02", commit: "old" },
    { ...pyrus, step: "up", date: "2026-01-01", commit: "old" },
  ];
  const seen = merged(old, `${JSON.stringify({ ...pyrus, step: "up" })}\n`, at);
  expect(seen).toEqual([{ ...pyrus, step: "up", ...at }, old[0]]);
  expect(matrix(seen).split("\n").at(-1)).toBe("| pyrus on aws | up, destroy (2026-01-02) | – | – |");
});

test("the README's matrix is what docs/proved.json says", async () => {
  const page = readFileSync(join(repo, "README.md"), "utf8");
  const plain = (text: string): string => text.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");
  expect(plain(page)).toBe(plain(withMatrix(page, await proved())));
});
