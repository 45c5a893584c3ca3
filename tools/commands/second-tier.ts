/** What the second tiers have in common: their tests one after the other, without a limit of time, and a summary. */
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { commitBut } from "./commit.ts";
import { formatted } from "./formatted.ts";
import { provedFiles, writeProved } from "./proved.ts";
import { lineOf, ofReport } from "./tally.ts";
import { runAll, type RunOptions } from "./test.ts";

import type { JestReport } from "./tally.ts";

export interface Tier {
  /** As in `npm run <command>`. */
  readonly command: string;
  /** The folders of its tests. */
  readonly folders: readonly string[];
  /** The keys of the images that they run. Default: all. */
  readonly keys?: RunOptions["keys"];
  /** Markdown that comes before the list of tests: what they found. */
  readonly told: () => Promise<readonly string[]>;
}

/**
 * `[paths] [--summary <file>]`: the summary says what ran, when, on which commit, and for how long, and the README's
 * matrix what the stacks came through. Each test file has a
 * jest of its own: one that is killed after two hours takes nothing of the others with it.
 */
export async function runTier({ command, folders, keys, told }: Tier, args: readonly string[]): Promise<number> {
  const { summary, paths } = read(command, args);
  const began = new Date();
  const reports: JestReport[] = [];
  const files = await filesOf(paths.length > 0 ? paths : folders);
  const code = await runAll(
    [],
    files.map((file) => ["--runInBand", file]),
    {
      report: (its) => reports.push(its),
      ...(summary === undefined ? {} : { proved: writeProved }),
      ...(keys === undefined ? {} : { keys }),
    },
  );
  if (summary !== undefined) {
    const report = whole(files, reports);
    const text = summaryOf({
      command,
      report,
      began,
      commit: await commitBut(summary, ...provedFiles),
      told: await told(),
    });
    await writeFile(summary, await formatted(summary, text));
    process.stderr.write(`summary in ${summary}\n`);
  }
  return code;
}

/** The test files that these patterns mean, as jest reads them. */
async function filesOf(paths: readonly string[]): Promise<string[]> {
  const jest = [join(repo, "node_modules/jest/bin/jest.js"), "--listTests", ...paths];
  const { stdout } = await execa(process.execPath, jest, { cwd: repo });
  const files = stdout.split("\n").filter((file) => file !== "");
  if (files.length === 0) throw new Problem(`${paths.join(" ")}: there is no test file of this name`);
  return files.sort();
}

/** One report of all: a file whose jest left none has failed. */
export function whole(files: readonly string[], reports: readonly JestReport[]): JestReport {
  const results = reports.flatMap(({ testResults }) => testResults);
  const lost = files.filter((file) => !results.some(({ name }) => name === file));
  const add = (key: Exclude<keyof JestReport, "testResults">): number =>
    reports.reduce((total, report) => total + report[key], 0);
  return {
    numPassedTests: add("numPassedTests"),
    numFailedTests: add("numFailedTests"),
    numPendingTests: add("numPendingTests"),
    numTodoTests: add("numTodoTests"),
    numRuntimeErrorTestSuites: add("numRuntimeErrorTestSuites") + lost.length,
    testResults: [
      ...results,
      ...lost.map((name) => ({
        name,
        assertionResults: [{ fullName: "its jest ended without a report, or never began", status: "failed" }],
      })),
    ],
  };
}

function read(command: string, args: readonly string[]): { summary: string | undefined; paths: string[] } {
  try {
    const options = { summary: { type: "string" } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { summary: values.summary, paths: positionals };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem(`${why}: use npm run ${command} -- [--summary <file>] [paths]`);
  }
}

export interface Ran {
  readonly command: string;
  readonly report: JestReport;
  readonly began: Date;
  readonly commit: string;
  readonly told: readonly string[];
}

/** Markdown: what was found, and one table a file. */
export function summaryOf({ command, report, began, commit, told }: Ran): string {
  const minutes = ((Date.now() - began.getTime()) / 60_000).toFixed(1);
  const lines = [
    `# The last whole run of \`npm run ${command}\``,
    "",
    `${began.toISOString().slice(0, 16).replace("T", " ")} UTC, commit ${commit}: **${lineOf(ofReport(report))}**, ${minutes} minutes with set-up.`,
    "",
    ...told,
  ];
  for (const { name, assertionResults } of report.testResults) {
    lines.push(`## ${relative(repo, name)}`, "", "| test | result | seconds |", "| --- | --- | --- |");
    for (const { fullName, status, duration } of assertionResults)
      lines.push(`| ${fullName.replaceAll("|", "\\|")} | ${status} | ${((duration ?? 0) / 1000).toFixed(1)} |`);
    lines.push("");
  }
  return lines.join("\n");
}
