/** Whose credentials `up` has: asked by the real SDK, of the simulated AWS. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { callerProblems } from "../../components/topologies/aws/preflight.ts";
import { type Simulation, simulation } from "../../tools/simulate/simulation.ts";
import { newFolder } from "../support/folder.ts";

const before = { ...process.env };
const running: Simulation[] = [];
beforeAll(async () => {
  const made = await simulation(newFolder("world"));
  running.push(made);
  Object.assign(process.env, made.env, { SIMULATE_ACCOUNT: "123456789012" });
});
afterAll(async () => {
  for (const key of Object.keys(process.env)) if (!(key in before)) Reflect.deleteProperty(process.env, key);
  Object.assign(process.env, before);
  for (const each of running) await each.close();
});

const caller = { region: "eu-central-1" };
const role = "arn:aws:iam::123456789012:role/deploy";

test("credentials of the stack's own account pass, with a role, too", async () => {
  expect(await callerProblems("123456789012", caller)).toEqual([]);
  expect(await callerProblems("123456789012", { ...caller, role })).toEqual([]);
});

test("credentials of another account are refused, with both numbers", async () => {
  const problems = await callerProblems("999999999999", caller);
  expect(problems.map(sentence)).toEqual([
    'aws.account = "999999999999": the credentials are of the account 123456789012: take those of 999999999999, or mend aws.account',
  ]);
});

test("what AWS says instead is one sentence", async () => {
  process.env.SIMULATE_FAIL = "GetCallerIdentity";
  const problems = await callerProblems("123456789012", caller);
  delete process.env.SIMULATE_FAIL;
  expect(problems.map(sentence)).toEqual([expect.stringMatching(/^aws: AWS in eu-central-1.* refuses a call/)]);
});
