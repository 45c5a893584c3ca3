/** The README's matrix: what a run of tests saw of each system on each topology, at which level, on which commit. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { repo } from "../setup/paths.ts";
import { commitBut } from "./commit.ts";
import { formatted } from "./formatted.ts";

/** `simulated`: our own cloud. `emulated`: the provider's own code, somebody else's cloud. `real`: engines and servers. */
export const levels = ["simulated", "emulated", "real"] as const;
export type Level = (typeof levels)[number];

/** What a Pulumi command did when it ended well. In the order of the matrix. */
export const steps = ["up", "empty preview", "update", "up after a failure", "destroy"] as const;
export type Step = (typeof steps)[number];

/** One line of what tests tell. */
export interface Proof {
  readonly system: string;
  readonly topology: string;
  readonly level: Level;
  readonly step: Step;
}

/** When and on which commit it was seen last. */
export interface Seen extends Proof {
  readonly date: string;
  readonly commit: string;
}

export const provedFiles = ["docs/proved.json", "README.md"] as const;
const [file, readme] = [join(repo, provedFiles[0]), join(repo, provedFiles[1])];

const keyOf = ({ system, topology, level, step }: Proof): string =>
  [system, topology, String(levels.indexOf(level)), String(steps.indexOf(step))].join(" ");

/** What is known with what this run saw in the place of the older. */
export function merged(known: readonly Seen[], told: string, at: Pick<Seen, "date" | "commit">): Seen[] {
  const lines = told.split("\n").filter((line) => line !== "");
  const fresh = lines.map((line): Seen => ({ ...(JSON.parse(line) as Proof), ...at }));
  const all = new Map([...known, ...fresh].map((seen) => [keyOf(seen), seen]));
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, seen]) => seen);
}

/** The table: a line for each system on each topology, a column for each level. */
export function matrix(seen: readonly Seen[]): string {
  const rows = new Map<string, Seen[]>();
  for (const each of seen) {
    const row = `${each.system} on ${each.topology}`;
    rows.set(row, [...(rows.get(row) ?? []), each]);
  }
  const cell = (row: readonly Seen[], level: Level): string => {
    const its = row.filter((each) => each.level === level);
    const oldest = its.map(({ date }) => date).sort()[0];
    return oldest === undefined ? "–" : `${its.map(({ step }) => step).join(", ")} (${oldest})`;
  };
  return [
    `| system on topology | ${levels.join(" | ")} |`,
    `| --- | ${levels.map(() => "---").join(" | ")} |`,
    ...[...rows].map(([name, row]) => `| ${name} | ${levels.map((level) => cell(row, level)).join(" | ")} |`),
  ].join("\n");
}

const [begin, end] = ["<!-- made by the tests: docs/proved.json -->", "<!-- end of it -->"];

/** The page with this table in the place of the one that it has. */
export function withMatrix(page: string, seen: readonly Seen[]): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${matrix(seen)}\n\n${page.slice(to)}`;
}

export async function proved(): Promise<Seen[]> {
  return JSON.parse(await readFile(file, "utf8")) as Seen[];
}

/** Adds what this run saw to docs/proved.json, and makes the README's matrix of it. */
export async function writeProved(told: string): Promise<void> {
  const at = { date: new Date().toISOString().slice(0, 10), commit: await commitBut(...provedFiles) };
  const seen = merged(await proved(), told, at);
  await writeFile(file, await formatted(file, JSON.stringify(seen)));
  await writeFile(readme, await formatted(readme, withMatrix(await readFile(readme, "utf8"), seen)));
}
