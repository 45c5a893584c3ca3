/**
 * `npm run test:swarm [-- paths] [--summary <file>]`: the heavy scenarios, on swarms of several daemons and on this
 * machine's engine (test/long), one after the other and without a limit of time. The summary says what ran, when, on
 * which commit, and for how long.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { possible } from "../swarm/claim.ts";
import { failuresOf, failureTable } from "./failures.ts";
import { formatted } from "./formatted.ts";
import { lineOf, ofReport } from "./tally.ts";
import { runAll } from "./test.ts";

import type { Failure } from "./failures.ts";
import type { JestReport } from "./tally.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { summary, paths } = read(args);
  await possible({ name: "test" });
  const began = new Date();
  let report: JestReport | undefined;
  const tier = ["--runInBand", ...(paths.length > 0 ? paths : ["test/swarm", "test/long"])];
  const folder = await mkdtemp(join(tmpdir(), "test-swarm-"));
  const failures = join(folder, "failures");
  try {
    await writeFile(failures, "");
    process.env.PLATFORM_TOPOLOGIES_FAILURES = failures; // for jest's processes
    const code = await runAll([], [tier], { report: (told) => (report = told) });
    if (summary !== undefined && report !== undefined) {
      const told = text(report, began, await commit(), failuresOf(await readFile(failures, "utf8")));
      await writeFile(summary, await formatted(summary, told));
      process.stderr.write(`summary in ${summary}\n`);
    }
    return code;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function read(args: readonly string[]): { summary: string | undefined; paths: string[] } {
  try {
    const options = { summary: { type: "string" } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { summary: values.summary, paths: positionals };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem(`${why}: use npm run test:swarm -- [--summary <file>] [paths]`);
  }
}

/** The commit that ran, and whether files differed from it (the summary itself aside). */
async function commit(): Promise<string> {
  const git = async (...args: string[]): Promise<string> => (await execa("git", args, { cwd: repo })).stdout.trim();
  const changed = await git("status", "--porcelain", "--", ".", ":!docs/test-swarm.md");
  return `${await git("rev-parse", "--short=12", "HEAD")}${changed === "" ? "" : ", with uncommitted changes"}`;
}

/** Markdown: what was lost, and one table a file. */
export function text(report: JestReport, began: Date, commit: string, failures: readonly Failure[]): string {
  const minutes = ((Date.now() - began.getTime()) / 60_000).toFixed(1);
  const lines = [
    "# The last whole run of `npm run test:swarm`",
    "",
    `${began.toISOString().slice(0, 16).replace("T", " ")} UTC, commit ${commit}: **${lineOf(ofReport(report))}**, ${minutes} minutes with set-up.`,
    "",
    ...failureTable(failures),
  ];
  for (const { name, assertionResults } of report.testResults) {
    lines.push(`## ${relative(repo, name)}`, "", "| test | result | seconds |", "| --- | --- | --- |");
    for (const { fullName, status, duration } of assertionResults)
      lines.push(`| ${fullName.replaceAll("|", "\\|")} | ${status} | ${((duration ?? 0) / 1000).toFixed(1)} |`);
    lines.push("");
  }
  return lines.join("\n");
}
