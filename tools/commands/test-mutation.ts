/**
 * `npm run test:mutation [-- paths] [--share 0.1] [--tests edge,routes] [--summary <file>]`: changes the code in one place
 * after the other, and counts the changes that no test of the cheap tiers notices. `--share` draws so many of them, the
 * same ones each time; `--tests` runs only files of tests with one of these words in their name.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { stream } from "../setup/stream.ts";
import { formatted } from "./formatted.ts";

const folder = join(repo, "tools/mutation");
const reportFile = join(repo, ".local/mutation.json");

interface Mutant {
  readonly status: string;
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: { readonly start: { readonly line: number } };
}
export interface MutationReport {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

export async function run(args: readonly string[]): Promise<number> {
  const { paths, share, tests, summary } = read(args);
  const stryker = join(repo, "node_modules/@stryker-mutator/core/bin/stryker.js");
  const mutate = paths.length > 0 ? ["--mutate", [...paths, "!**/main.ts"].join(",")] : [];
  await mkdir(join(repo, ".local"), { recursive: true });
  const began = new Date();
  const code = await stream(process.execPath, [stryker, "run", join(folder, "stryker.config.js"), ...mutate], {
    cwd: repo,
    env: { MUTATION_SHARE: String(share), MUTATION_TESTS: tests },
    endGroup: true,
  });
  if (code !== 0) return code;
  const report = JSON.parse(await readFile(reportFile, "utf8")) as MutationReport;
  process.stdout.write(`${unnoticed(report).join("\n")}\n`);
  if (summary !== undefined) {
    const { stdout: commit } = await execa("git", ["rev-parse", "--short=12", "HEAD"], { cwd: repo });
    await writeFile(summary, await formatted(summary, page(report, { began, commit, share })));
    process.stderr.write(`summary in ${summary}\n`);
  }
  return 0;
}

function read(args: readonly string[]) {
  try {
    const options = {
      share: { type: "string", default: "1" },
      tests: { type: "string", default: "" },
      summary: { type: "string" },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const share = Number(values.share);
    if (!(share > 0 && share <= 1)) throw new Error(`--share ${values.share} is not above 0 and at most 1`);
    return {
      share,
      tests: values.tests,
      summary: values.summary,
      paths: positionals.map((path) => (path.includes(".ts") ? path : `${path}/**/*.ts`)),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem(`${why}: use npm run test:mutation -- [--share 0.1] [--tests words] [--summary <file>] [paths]`);
  }
}

export interface Score {
  readonly made: number;
  readonly noticed: number;
  readonly survived: number;
  /** Of code that no test runs. */
  readonly idle: number;
}

/** By folder: what Stryker made, and what became of the drawn ones. */
export function scores({ files }: MutationReport): Map<string, Score> {
  const folders = new Map<string, Score>();
  for (const [file, { mutants }] of Object.entries(files)) {
    const [first = "", second = ""] = file.split("/");
    const name = first === "components" && !second.endsWith(".ts") ? `${first}/${second}` : first;
    const count = (...statuses: string[]): number => mutants.filter(({ status }) => statuses.includes(status)).length;
    const score = {
      made: mutants.length,
      noticed: count("Killed", "Timeout", "RuntimeError"),
      survived: count("Survived"),
      idle: count("NoCoverage"),
    };
    folders.set(name, sum([folders.get(name) ?? none, score]));
  }
  return folders;
}

const none: Score = { made: 0, noticed: 0, survived: 0, idle: 0 };

function sum(scores: readonly Score[]): Score {
  const add = (key: keyof Score): number => scores.reduce((total, score) => total + score[key], 0);
  return { made: add("made"), noticed: add("noticed"), survived: add("survived"), idle: add("idle") };
}

/** One line for each mutant that no test noticed. */
export function unnoticed({ files }: MutationReport): string[] {
  return Object.entries(files).flatMap(([file, { source, mutants }]) => {
    const lines = source.split("\n");
    return mutants
      .filter(({ status }) => status === "Survived" || status === "NoCoverage")
      .map(({ status, replacement, location: { start } }) => {
        const line = (lines[start.line - 1] ?? "").trim();
        return `${file}:${String(start.line)} ${status === "Survived" ? "survived" : "not run"}: ${line} => ${replacement}`;
      });
  });
}

interface Told {
  readonly began: Date;
  readonly commit: string;
  readonly share: number;
}

function page(report: MutationReport, { began, commit, share }: Told): string {
  const all = [...scores(report)].sort(([a], [b]) => (a < b ? -1 : 1));
  const row = (name: string, { made, noticed, survived, idle }: Score): string => {
    const drawn = noticed + survived + idle;
    const percent = drawn === 0 ? "–" : `${((100 * noticed) / drawn).toFixed(0)} %`;
    return `| ${[name, made, drawn, noticed, survived, idle, percent].join(" | ")} |`;
  };
  const total = sum(all.map(([, score]) => score));
  const minutes = ((Date.now() - began.getTime()) / 60_000).toFixed(0);
  return `# Mutation tests

\`npm run test:mutation -- --share ${String(share)}\`, ${began.toISOString().slice(0, 10)}, commit ${commit}, ${minutes} minutes. StrykerJS changes
the code in one place (a condition reversed, a text emptied, a block left out), and runs the tests of test/unit and
test/inventory that reach it; those that start stand-ins or plan every system several times are left out. A mutant is
noticed if one of them fails. Of each folder the same share is drawn in each run; so a score of a hundred drawn ones is
right to within seven points.

| folder | mutants | drawn | noticed | survived | not run | score |
| --- | --: | --: | --: | --: | --: | --: |
${all.map(([name, score]) => row(name, score)).join("\n")}
${row("all", total)}
`;
}
