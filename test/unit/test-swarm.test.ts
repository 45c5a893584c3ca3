import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { failuresOf, failureTable } from "../../tools/commands/failures.ts";
import { summaryOf, whole } from "../../tools/commands/second-tier.ts";
import { type JestReport, ofReport } from "../../tools/commands/tally.ts";
import { repo } from "../../tools/setup/paths.ts";
import { nodeOf, placeOf } from "../../tools/swarm/record.ts";

import type { ClusterRecord } from "../../tools/swarm/record.ts";

test("the summary of a run has its date, commit, counts and each test's seconds", () => {
  const summary = summaryOf({
    command: "test:swarm",
    report: {
      numPassedTests: 1,
      numFailedTests: 1,
      numPendingTests: 0,
      numTodoTests: 0,
      numRuntimeErrorTestSuites: 0,
      testResults: [
        {
          name: join(repo, "test/swarm/a.test.ts"),
          assertionResults: [
            { fullName: "a | b", status: "passed", duration: 61_240 },
            { fullName: "c", status: "failed", duration: null },
          ],
        },
      ],
    },
    began: new Date("2026-01-02T03:04:05Z"),
    commit: "0123456789ab",
    told: failureTable(
      failuresOf('{"system":"s","killed":"w1: a | b","sent":9,"lost":0,"slowest":80,"elsewhere":7.5,"rows":0}\n'),
    ),
  });
  expect(summary).toMatch(/2026-01-02 03:04 UTC, commit 0123456789ab: \*\*1 passed, 1 failed\*\*/);
  expect(summary).toContain("| s | w1: a \\| b | 9 | 0 | 80 ms | 7.5 s | – | 0 |\n");
  expect(summary).toContain("## test/swarm/a.test.ts\n");
  expect(summary).toContain("| a \\| b | passed | 61.2 |\n| c | failed | 0.0 |");
});

test("addresses, interface names and hardware addresses are functions of the record, and fit", () => {
  const cluster: ClusterRecord = { name: "dev", network: "10.213.249", owner: null, complete: true, nodes: [] };
  const places = [nodeOf("manager", 1), nodeOf("manager", 3), nodeOf("worker", 1), nodeOf("worker", 99)].map((node) =>
    placeOf(cluster, node),
  );
  expect(places.map(({ address }) => address)).toEqual([
    "10.213.249.11",
    "10.213.249.13",
    "10.213.249.21",
    "10.213.249.119",
  ]);
  for (const { veth, mac } of places) {
    expect(veth.length).toBeLessThanOrEqual(15); // the kernel's limit
    expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  }
  expect(new Set(places.map(({ mac }) => mac)).size).toBe(4);
});

describe("one report of all files", () => {
  const one = (name: string, failed = 0): JestReport => ({
    ...{ numPassedTests: 2, numFailedTests: failed, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 0 },
    testResults: [{ name, assertionResults: [] }],
  });

  test("adds them up", () => {
    const all = whole(["/a", "/b"], [one("/a", 1), one("/b")]);
    expect(ofReport(all)).toEqual({ passed: 4, failed: 1, skipped: 0 });
    expect(all.testResults.map(({ name }) => name)).toEqual(["/a", "/b"]);
  });

  test("a file whose jest was killed has failed, and the others count", () => {
    const all = whole(["/a", "/b", "/c"], [one("/a"), one("/c")]);
    expect(ofReport(all)).toEqual({ passed: 4, failed: 1, skipped: 0 });
    expect(all.testResults.at(-1)).toMatchObject({ name: "/b", assertionResults: [{ status: "failed" }] });
  });
});
