/** The command that holds assumptions against an account, on the simulated cloud. */
import process from "node:process";

import { expect, test } from "@jest/globals";
import { execa } from "execa";

import { repo } from "../support/stack.ts";

const zones = ["a", "b", "c"].map((zone) => `eu-central-1${zone}`).join(",");
const args = [
  ...["aws", "--simulated", "--yes", "--account", "123456789012", "--region", "eu-central-1", "--zones", zones],
  ...["--mirror", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/platforms"],
];

async function verify(env: Record<string, string> = {}) {
  const command = [`${repo}/tools/main.ts`, "verify-cloud", ...args];
  const { all, exitCode } = await execa(process.execPath, command, { cwd: repo, env, all: true, reject: false });
  const rows = all.split("\n").filter((line) => /^(passed|failed|unreached) /.test(line));
  return { all, exitCode, rows: rows.map((row) => row.split(/ +/).slice(0, 2).join(" ")) };
}

test("every check passes where the cloud is as we think, and nothing is left", async () => {
  const { all, exitCode, rows } = await verify();
  expect(all).toContain("roughly 1 US dollar");
  expect(rows).toHaveLength(12);
  expect(rows.filter((row) => !row.startsWith("passed "))).toEqual([]);
  expect(all).toMatch(/- \d+ deleted/);
  expect(exitCode).toBe(0);
}, 600_000);

test("one that fails is told with its reason, keeps no other back, and all of it goes", async () => {
  const { all, exitCode, rows } = await verify({ SIMULATE_FAIL: "task/verify-port-80" });
  expect(rows).toContain("failed port-80");
  expect(rows.filter((row) => row.startsWith("passed "))).toHaveLength(11);
  expect(all).toMatch(/failed +port-80 .*\n +verify-port-80 failed/);
  expect(all).toMatch(/- \d+ deleted/);
  expect(exitCode).toBe(1);
}, 600_000);
