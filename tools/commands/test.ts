/**
 * `npm test [paths]`: the set-up, then format, lint and types, then jest's tiers from the cheapest to the dearest.
 * With paths, only the tests below them. The last line counts everything. `--proved`: the README's matrix is made anew
 * with what this run's stacks came through.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import process from "node:process";

import Docker from "dockerode";

import { allKeys } from "../images/index.ts";
import { stopOurs } from "../setup/docker.ts";
import { interrupted } from "../setup/interrupt.ts";
import { repo } from "../setup/paths.ts";
import { describe } from "../setup/problem.ts";
import { seconds } from "../setup/progress.ts";
import { setup } from "../setup/setup.ts";
import { stream } from "../setup/stream.ts";
import { sweep } from "../swarm/remove.ts";
import { writeProved } from "./proved.ts";
import { lineOf, ofCheck, ofReport, slowest, sum } from "./tally.ts";

import type { JestReport, Tally } from "./tally.ts";

const checks: readonly (readonly string[])[] = [
  ["prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."],
  ["eslint/bin/eslint.js", "--max-warnings", "0", "."],
  ["typescript/bin/tsc", "-p", ".", "--noEmit"],
];

/** A platform of a dozen servers and more: two of them at once keep two cores so busy that health checks come too late. */
const whole = "test/docker/(arangodb|arkindex|media|pyrus|shinyproxy)\\.test";

/** Other files run two at a time, where jest alone would leave one of two cores idle. */
const tiers: readonly (readonly string[])[] = [
  ["--maxWorkers=2", "test/unit", "test/inventory"],
  ["--maxWorkers=2", "test/engine"],
  ["--runInBand", whole],
  ["--maxWorkers=2", "--testPathIgnorePatterns", whole, "--", "test/docker"],
];

export function run(given: readonly string[]): Promise<number> {
  const args = given.filter((arg) => arg !== "--proved");
  const options = args.length === given.length ? {} : { proved: writeProved };
  if (args.length === 0) return runAll(checks, tiers, options);
  return runAll([], [["--runInBand", ...args]], { keys: keysFor(args), ...options });
}

/**
 * The images to make: none if only tests below these folders are asked for, else all, as a pattern may mean any test.
 */
export function keysFor(args: readonly string[]): readonly string[] {
  const below = (arg: string): boolean => /^test\/(unit|inventory)(\/|$)/.test(relative(repo, resolve(arg)));
  return args.every(below) ? [] : allKeys;
}

export interface RunOptions {
  readonly report?: (report: JestReport) => void;
  /** The keys of the images that the tests run. Default: all. */
  readonly keys?: readonly string[];
  /** Is given what the tests told of their stacks, a line each (test/support/proved.ts). */
  readonly proved?: (told: string) => Promise<void>;
}

/** Runs the set-up, the checks, and jest once for each list of arguments. Then it removes what tests have left. */
export async function runAll(
  checks: readonly (readonly string[])[],
  tiers: readonly (readonly string[])[],
  { report, keys, proved }: RunOptions = {},
): Promise<number> {
  const tallies: Tally[] = [];
  let engine: Awaited<ReturnType<typeof setup>>["engine"] | undefined;
  const run = randomBytes(3).toString("hex");
  process.env.PLATFORM_TOPOLOGIES_TEST_RUN = run; // for test/support/run.ts in jest's processes
  const folder = await mkdtemp(join(tmpdir(), "test-"));
  const told = join(folder, "proved");
  await writeFile(told, "");
  process.env.PLATFORM_TOPOLOGIES_PROVED = told; // for test/support/proved.ts there
  try {
    ({ engine } = await setup(keys));
    for (const check of checks) tallies.push(await runCheck(check));
    for (const tier of tiers) {
      if (interrupted()) break;
      tallies.push(await runJest(tier, report));
    }
    await proved?.(await readFile(told, "utf8"));
  } catch (error) {
    process.stderr.write(`error: ${describe(error)}\n`);
    tallies.push(ofCheck(false));
  }
  for (const name of await sweep()) process.stderr.write(`removed the swarm ${name}, which a test left\n`);
  if (engine !== undefined) await takeDown(run);
  if (engine?.started === true && (await stopOurs()) === "ended")
    process.stderr.write("ended the Docker daemon that this run started\n");
  await rm(folder, { recursive: true, force: true });
  const total = sum(tallies);
  process.stdout.write(`${interrupted() ? "interrupted: " : ""}${lineOf(total)}\n`);
  if (interrupted()) return 130;
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function runCheck([script = "", ...args]: readonly string[]): Promise<Tally> {
  if (interrupted()) return sum([]);
  const began = Date.now();
  const file = join(repo, "node_modules", script);
  const passed = (await stream(process.execPath, [file, ...args], { cwd: repo, endGroup: true })) === 0;
  process.stdout.write(`${passed ? "PASS" : "FAIL"} ${script.split("/")[0] ?? script} (${seconds(began)})\n`);
  return ofCheck(passed);
}

async function runJest(args: readonly string[], seen: RunOptions["report"]): Promise<Tally> {
  const began = Date.now();
  const folder = await mkdtemp(join(tmpdir(), "jest-"));
  const report = join(folder, "report.json");
  const node = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
  const jest = [join(repo, "node_modules/jest/bin/jest.js"), "--passWithNoTests", "--json", `--outputFile=${report}`];
  try {
    // With an output file, jest writes its usual report to stderr and nothing to stdout.
    await stream(process.execPath, [...node, ...jest, ...args], { cwd: repo, endGroup: true });
    const told = JSON.parse(await readFile(report, "utf8")) as JestReport;
    seen?.(told);
    process.stdout.write(`${args.at(-1) ?? ""} in ${seconds(began)}; the slowest: ${slowest(told, 40)}\n`);
    return ofReport(told);
  } catch (error) {
    if (!interrupted()) process.stderr.write(`error: jest ended without a report: ${describe(error)}\n`);
    return ofCheck(false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Left {
  readonly what: string;
  readonly remove: () => Promise<unknown>;
}

/** What a run has left, containers first: networks and volumes go only when nothing uses them. */
async function ofRun(run: string): Promise<Left[]> {
  const engine = new Docker();
  const owners = await ownersOf(run);
  // The first label is on what tests make by hand, the others on what TestStack's stacks make.
  const labels = [`platform-topologies.test=${run}`, ...owners.map((owner) => `platform-topologies.owner=${owner}`)];
  const left: Left[] = [];
  for (const label of labels) {
    const filters = { label: [label] };
    for (const { Id, Names } of await engine.listContainers({ all: true, filters }))
      left.push({
        what: `container ${Names[0]?.slice(1) ?? Id}`,
        remove: () => engine.getContainer(Id).remove({ force: true, v: true }),
      });
  }
  for (const label of labels) {
    const filters = { label: [label] };
    for (const { Id, Name } of await engine.listNetworks({ filters }))
      left.push({ what: `network ${Name}`, remove: () => engine.getNetwork(Id).remove() });
    for (const { Name } of (await engine.listVolumes({ filters })).Volumes)
      left.push({ what: `volume ${Name}`, remove: () => engine.getVolume(Name).remove() });
  }
  return left;
}

/** The owner labels of this run's throw-away stacks (test/support/stack.ts) that are still there. */
async function ownersOf(run: string): Promise<string[]> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith(`stack-${run}-`));
  const owners: string[] = [];
  for (const folder of folders.map((name) => join(tmpdir(), name))) {
    const files = await readdir(join(folder, "state"), { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => name.endsWith(`/test-${run}.json`))) {
      const text = await readFile(join(folder, "state", file), "utf8");
      owners.push(...Array.from(text.matchAll(/"owner": ?"([0-9a-f]{8})"/g), ([, owner = ""]) => owner));
    }
  }
  return [...new Set(owners)];
}

/** Removes what this run left, and nothing of another run. */
async function takeDown(run: string): Promise<void> {
  for (const { what, remove } of await ofRun(run)) {
    await remove();
    process.stderr.write(`removed ${what}, which a test left\n`);
  }
}
