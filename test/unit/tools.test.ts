import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";

import { expect, test } from "@jest/globals";
import { execa } from "execa";

import { named } from "../../tools/commands/pulumi.ts";
import { scores, unnoticed } from "../../tools/commands/test-mutation.ts";
import { lineOf, ofCheck, ofReport, slowest, sum } from "../../tools/commands/tally.ts";
import { isReachable, pulumiRelease } from "../../tools/setup/download.ts";
import { goBinary } from "../../tools/setup/go.ts";
import { repo } from "../../tools/setup/paths.ts";
import { describe as inWords, Problem } from "../../tools/setup/problem.ts";
import { isAtLeast } from "../../tools/setup/toolchain.ts";

import type { AddressInfo } from "node:net";

test.each([
  ["3.259.0", "3.259.0", true],
  ["3.260.0", "3.259.0", true],
  ["4.0.0", "3.259.0", true],
  ["3.259.1-dev.7", "3.259.0", true],
  ["3.258.9", "3.259.0", false],
  ["2.999.0", "3.259.0", false],
  ["", "3.259.0", false],
  ["command not found", "3.259.0", false],
])("%s is at least %s: %s", (a, b, expected) => {
  expect(isAtLeast(a, b)).toBe(expected);
});

test.each([
  [["up"], []],
  [["up", "--stack", "prod"], ["prod"]],
  [["up", "-s", "organization/platform-topologies/prod"], ["prod"]],
  [["preview", "--stack=prod", "--diff"], ["prod"]],
  [["stack", "init", "prod", "--no-select"], ["prod"]],
  [["stack", "output", "url"], []],
])("the stacks that %j names are %j", (args, stacks) => {
  expect(named(args)).toEqual(stacks);
});

test("the last line adds tests and checks, and files that could not be loaded", () => {
  const report = {
    numPassedTests: 5,
    numFailedTests: 1,
    numPendingTests: 2,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 1,
  };
  expect(lineOf(sum([ofCheck(true), ofCheck(false), ofReport(report)]))).toBe("6 passed, 3 failed, 2 skipped");
  expect(lineOf(sum([]))).toBe("0 passed, 0 failed");
});

test("the slowest files are told, the slowest first", () => {
  const file = (name: string, seconds: number) => ({
    ...{ name: `/repo/test/${name}.test.ts`, startTime: 5000, endTime: 5000 + seconds * 1000, assertionResults: [] },
  });
  const testResults = [file("unit/a", 1), file("docker/b", 71.4), file("docker/c", 20)];
  expect(slowest({ testResults }, 2)).toBe("docker/b 71 s, docker/c 20 s");
});

test("mutants are counted by folder, and those that nobody noticed are told with their line", () => {
  const mutant = (status: string, line: number) => ({
    ...{ status, mutatorName: "BooleanLiteral", replacement: "false", location: { start: { line } } },
  });
  const report = {
    files: {
      "components/core/a.ts": { source: "one\n  two\n", mutants: [mutant("Killed", 1), mutant("Survived", 2)] },
      "components/core/b.ts": { source: "three", mutants: [mutant("NoCoverage", 1), mutant("CompileError", 1)] },
      "components/deploy.ts": { source: "", mutants: [mutant("Timeout", 1)] },
      "ops/c.ts": { source: "", mutants: [mutant("Killed", 1)] },
    },
  };
  expect(Object.fromEntries(scores(report))).toEqual({
    "components/core": { made: 4, noticed: 1, survived: 1, idle: 1 },
    components: { made: 1, noticed: 1, survived: 0, idle: 0 },
    ops: { made: 1, noticed: 1, survived: 0, idle: 0 },
  });
  expect(unnoticed(report)).toEqual([
    "components/core/a.ts:2 survived: two => false",
    "components/core/b.ts:1 not run: three => false",
  ]);
});

test("errors are told in a sentence, without a stack", () => {
  expect(inWords(new Problem("it is missing: install it", "/tmp/x.log"))).toBe(
    "it is missing: install it\n  log: /tmp/x.log",
  );
  expect(inWords(Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" }))).toContain("make room");
  expect(inWords(new Error("plain"))).toBe("plain");
});

test("the official download is checked against its sums", async () => {
  const folder = await mkdtemp(join(tmpdir(), "release-"));
  const arch = process.arch === "x64" ? "x64" : "arm64";
  const file = `pulumi-v1.2.3-${process.platform}-${arch}.tar.gz`;
  await mkdir(join(folder, "pulumi"));
  await writeFile(join(folder, "pulumi/pulumi"), "the CLI");
  await execa("tar", ["-czf", join(folder, file), "-C", folder, "pulumi"]);
  const archive = await readFile(join(folder, file));
  let sum = createHash("sha256").update(archive).digest("hex");
  const server = createServer((request, response) => {
    if (request.url === "/pulumi-1.2.3-checksums.txt") response.end(`${sum}  ${file}\n`);
    else if (request.url === `/${file}`) response.end(archive);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const from = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const into = join(folder, "into");
  await mkdir(into);
  const say = (): void => undefined;
  try {
    expect(await isReachable("1.2.3", from)).toBe(true);
    expect(await isReachable("9.9.9", from)).toBe(false);
    await pulumiRelease("1.2.3", from).make(into, say);
    expect(await readFile(join(into, "pulumi/pulumi"), "utf8")).toBe("the CLI");
    await expect(pulumiRelease("9.9.9", from).make(into, say)).rejects.toThrow("answered 404");
    sum = "0".repeat(64);
    for (let round = 1; round <= 2; round++)
      await expect(pulumiRelease("1.2.3", from).make(into, say)).rejects.toThrow("is damaged");
  } finally {
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
  expect(await isReachable("1.2.3", from)).toBe(false);
});

test("a Go that is too old, or a module that does not build, is one sentence with the remedy", async () => {
  const folder = await mkdtemp(join(tmpdir(), "module-"));
  process.env.PLATFORM_TOPOLOGIES_CACHE = join(folder, "cache");
  const build = (): Promise<string> =>
    goBinary({ name: "thing", module: relative(repo, folder), package: ".", version: "1" });
  try {
    await writeFile(join(folder, "main.go"), "package main\nfunc main() {}\n");
    await writeFile(join(folder, "go.mod"), "module thing\ngo 9.99\n");
    for (let round = 1; round <= 2; round++)
      await expect(build()).rejects.toThrow(/is too old: install Go 9\.99 or later/);
    await writeFile(join(folder, "go.mod"), "module thing\ngo 1.20\n");
    const executable = await build();
    expect(executable).toMatch(/files\/thing$/);
    await writeFile(join(folder, "main.go"), "package main\nfunc main() { nothing() }\n");
    for (let round = 1; round <= 2; round++)
      await expect(build()).rejects.toThrow(/thing could not be built \(.*undefined: nothing\): see the log/);
    expect(await readFile(join(folder, "cache/logs/thing.log"), "utf8")).toContain("undefined: nothing");
  } finally {
    delete process.env.PLATFORM_TOPOLOGIES_CACHE;
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

test("an unknown command is one line that lists the known ones", async () => {
  const result = await execa(process.execPath, [join(repo, "tools/main.ts"), "begin"], { reject: false });
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(/^error: there is no command "begin": use start, stop, test, .*pulumi.*$/);
});
