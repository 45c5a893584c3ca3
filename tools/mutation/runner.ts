/**
 * Stryker's test runner for the cheap tiers. Jest makes a world of its own for each test file, which costs a second or
 * two, and dozens of files run a mutant. This one runs the files in Node itself, where the SDKs are loaded once.
 */
import { globSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

import { declareClassPlugin, PluginKind } from "@stryker-mutator/api/plugin";
import { DryRunStatus, TestStatus, toMutantRunResult } from "@stryker-mutator/api/test-runner";
import { addEventHandler, type Event, resetState, run } from "jest-circus";

import type { InstrumenterContext } from "@stryker-mutator/api/core";
import type {
  DryRunOptions,
  DryRunResult,
  MutantRunOptions,
  MutantRunResult,
  TestResult,
  TestRunner,
} from "@stryker-mutator/api/test-runner";

type Test = Extract<Event, { name: "test_done" }>["test"];

/** Instrumented code looks here which mutant is active, and writes here what runs. */
const context: { [K in keyof InstrumenterContext]: InstrumenterContext[K] | undefined } = {};
Object.assign(globalThis, { __stryker__: context });

/** Stryker's copy of the repository. */
let root = "";
/** Node keeps modules by their address: with a new number it loads them anew. */
const age = { tests: 0, source: 0 };
const below = (url: string, ...paths: string[]): boolean =>
  paths.some((path) => url.startsWith(pathToFileURL(join(root, path)).href));

registerHooks({
  resolve(specifier, from, next) {
    if (specifier === "@jest/globals") return next(new URL("globals.ts", import.meta.url).href, from);
    const found = next(specifier, from);
    const url = found.url.split("?")[0] ?? "";
    if (below(url, "test/")) return { ...found, url: `${url}?${String(age.tests)}` };
    if (age.source > 0 && below(url, "components/", "ops/", "docker-proxy/", "index.ts"))
      return { ...found, url: `${url}?${String(age.source)}` };
    return found;
  },
});

/** The file that runs, and what of it. */
const running = { file: "", only: undefined as ReadonlySet<string> | undefined, began: 0 };
let results: TestResult[] = [];
/** Thrown outside of a test: while the file loads, in a hook, or by nobody's promise. */
let outside: Error[] = [];
let bail = true;

const idOf = (test: Test): string => {
  const names: string[] = [test.name];
  for (let block = test.parent; block.parent !== undefined; block = block.parent) names.unshift(block.name);
  return `${running.file} ${names.join(" ")}`;
};
const stopped = (): boolean =>
  bail && (outside.length > 0 || results.some(({ status }) => status === TestStatus.Failed));

addEventHandler((event) => {
  if (event.name === "test_start") {
    const id = idOf(event.test);
    if (stopped() || running.only?.has(id) === false) event.test.mode = "skip";
    context.currentTestId = id;
    running.began = performance.now();
  } else if (event.name === "test_done" && event.test.mode !== "skip") {
    note(idOf(event.test), performance.now() - running.began, event.test.errors[0]);
    context.currentTestId = running.file;
  }
});
for (const kind of ["uncaughtException", "unhandledRejection"] as const)
  process.on(kind, (error: unknown) => {
    outside.push(asError(error));
  });

function note(id: string, timeSpentMs: number, thrown: unknown): void {
  const told = { id, name: id, fileName: join(root, running.file), timeSpentMs };
  if (thrown === undefined) results.push({ ...told, status: TestStatus.Success });
  else results.push({ ...told, status: TestStatus.Failed, failureMessage: asError(thrown).stack ?? "" });
}

/** Circus pairs what was thrown with an error that has a better stack. */
function asError(thrown: unknown): Error {
  const [error] = Array.isArray(thrown) ? (thrown as unknown[]) : [thrown];
  return error instanceof Error ? error : new Error(String(error));
}

/** Runs a test file, or some of its tests. What runs outside of a test is the test of the file's name to Stryker. */
async function runFile(file: string, only?: ReadonlySet<string>): Promise<void> {
  Object.assign(running, { file, only });
  context.currentTestId = file;
  const began = performance.now();
  outside = [];
  resetState();
  try {
    await import(pathToFileURL(join(root, file)).href);
    const loaded = performance.now() - began;
    const { unhandledErrors } = await run();
    note(file, loaded, [...outside, ...unhandledErrors][0]);
  } catch (error) {
    note(file, performance.now() - began, error);
  } finally {
    context.currentTestId = undefined;
  }
}

class CheapTiers implements TestRunner {
  #files: string[] = [];

  capabilities() {
    return { reloadEnvironment: true };
  }

  init(): Promise<void> {
    root = process.cwd(); // Stryker goes to its copy after it has loaded this module
    const words = (process.env.MUTATION_TESTS ?? "").split(",");
    // The cheapest come first, as the first failure ends a mutant. Those left out are dear, or of the tools.
    this.#files = ["test/unit/**/*.test.ts", "test/inventory/**/*.test.ts"]
      .flatMap((pattern) => globSync(pattern, { cwd: root }).sort())
      .filter((file) => !/(unit\/(tools|arangodb-stand-in)|inventory\/(names|one-more))/.test(file))
      .filter((file) => words.some((word) => file.includes(word)));
    return Promise.resolve();
  }

  async dryRun({ files = [] }: DryRunOptions): Promise<DryRunResult> {
    context.mutantCoverage = { static: {}, perTest: {} };
    // What runs when a module is loaded belongs to no test, whichever loads it first.
    for (const file of files) await import(pathToFileURL(file).href);
    bail = false;
    results = [];
    for (const file of this.#files) await runFile(file);
    return { status: DryRunStatus.Complete, tests: results, mutantCoverage: context.mutantCoverage };
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    const { testFilter, activeMutant, mutantActivation, disableBail, hitLimit } = options;
    age.tests++;
    if (mutantActivation === "static") age.source++;
    context.hitLimit = hitLimit;
    context.hitCount = hitLimit === undefined ? undefined : 0;
    context.activeMutant = activeMutant.id;
    process.env.__STRYKER_ACTIVE_MUTANT__ = activeMutant.id; // for programs that tests start
    bail = !disableBail;
    results = [];
    const asked = testFilter === undefined ? undefined : new Set(testFilter);
    try {
      for (const file of this.#files) {
        const only = asked?.has(file) === true ? undefined : asked;
        if (only !== undefined && ![...only].some((id) => id.startsWith(`${file} `))) continue;
        await runFile(file, only); // it forgets what the last mutant threw too late for its own run
        if (stopped()) break;
      }
    } finally {
      context.activeMutant = undefined;
      delete process.env.__STRYKER_ACTIVE_MUTANT__;
    }
    return toMutantRunResult({ status: DryRunStatus.Complete, tests: results }, disableBail);
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, "cheap-tiers", CheapTiers)];
