/** Adds up what passed and what failed. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of jest's `--json` report that counts. */
export interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** Test files that could not be loaded: the other numbers leave out their tests. */
  numRuntimeErrorTestSuites: number;
  testResults: readonly {
    /** The file's absolute path. */
    name: string;
    /** Milliseconds since 1970. */
    startTime?: number;
    endTime?: number;
    assertionResults: readonly { fullName: string; status: string; duration?: number | null }[];
  }[];
}

export function ofReport(report: Omit<JestReport, "testResults">): Tally {
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** The files that took longest, the longest first: `docker/media 182 s, docker/survey 140 s`. */
export function slowest({ testResults }: Pick<JestReport, "testResults">, count: number): string {
  return testResults
    .map(({ name, startTime = 0, endTime = 0 }) => ({ name, seconds: Math.round((endTime - startTime) / 1000) }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, count)
    .map(({ name, seconds }) => `${name.replace(/^.*\/test\/|\.test\.ts$/g, "")} ${String(seconds)} s`)
    .join(", ");
}

/** One check (lint, types), counted as a test. */
export function ofCheck(passed: boolean): Tally {
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
}

export function sum(tallies: readonly Tally[]): Tally {
  const add = (key: keyof Tally): number => tallies.reduce((total, tally) => total + tally[key], 0);
  return { passed: add("passed"), failed: add("failed"), skipped: add("skipped") };
}

/** The line that ends `npm test`. */
export function lineOf({ passed, failed, skipped }: Tally): string {
  return `${String(passed)} passed, ${String(failed)} failed${skipped > 0 ? `, ${String(skipped)} skipped` : ""}`;
}
