/** Whose credentials `up` has: asked by the real SDK, of the simulated AWS. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { callerProblems, movedParts } from "../../components/topologies/aws/preflight.ts";
import type { Known } from "../../components/core/known.ts";
import { subnetRange } from "../../components/topologies/aws/addresses.ts";
import { type Simulation, simulation } from "../../tools/simulate/simulation.ts";
import { newFolder } from "../support/folder.ts";
import { planReady } from "../support/ready.ts";

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

const zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];
const cidr = "10.80.0.0/16";

/** The network, and the disks of three agents in three zones, as the state has them. */
function stateOf(): Known[] {
  const known = (type: string, outputs: Known["outputs"]): Known => ({
    urn: `urn:${type}`,
    type: `aws:${type}`,
    outputs,
  });
  return [
    known("ec2/vpc:Vpc", { cidrBlock: cidr }),
    ...zones.flatMap((zone, number) => [
      known("ec2/subnet:Subnet", { availabilityZone: zone, cidrBlock: subnetRange(cidr, "app", number) }),
      known("ebs/volume:Volume", {
        availabilityZone: zone,
        tags: { slot: `arangodb-agent-${String(number + 1)}` },
      }),
    ]),
  ];
}
const plan = planReady("arangodb-aws").whole?.plan;
const moved = (config: object, state = stateOf()): string[] => {
  if (plan === undefined) throw new Error("no plan");
  return movedParts(state, { cidr, zones, edge: "balancer", ...config }, "arangodb", plan).map(sentence);
};

test("a stack that is not there yet, and one that stays where it is, have nothing that would move", () => {
  expect(moved({ cidr: "10.90.0.0/16" }, [])).toEqual([]);
  expect(moved({})).toEqual([]);
});

test("a zone more, or one less, that sends a slot away from its disk is refused, with the slot", () => {
  expect(moved({ zones: zones.slice(0, 2) })).toEqual([
    'aws.zones = "eu-central-1a, eu-central-1b": the disk of agent-3 lies in eu-central-1c, and its machine would be in eu-central-1a: leave the zones as they were',
  ]);
  const two = stateOf().filter(({ outputs }) => outputs.availabilityZone !== "eu-central-1c");
  expect(moved({}, two)).toEqual([]);
});

test("zones in another order, and another network, are refused: both are where things are", () => {
  expect(moved({ zones: ["eu-central-1b", "eu-central-1a", "eu-central-1c"] })).toEqual([
    expect.stringMatching(/^aws\.zones = .*eu-central-1a had another place in it: new ones come last/),
  ]);
  expect(moved({ cidr: "10.90.0.0/16" })).toEqual([
    'aws.cidr = "10.90.0.0/16": the stack\'s network is 10.80.0.0/16: it stays as long as the stack does',
  ]);
});

test("another edge is refused as long as AWS keeps the balancer of this one", () => {
  const balancer = (loadBalancerType: string, enableDeletionProtection: boolean): Known[] => [
    ...stateOf(),
    {
      urn: "urn:lb",
      type: "aws:lb/loadBalancer:LoadBalancer",
      outputs: { loadBalancerType, enableDeletionProtection },
    },
  ];
  for (const [edge, its, other] of [
    ["balancer", "application", "network"],
    ["proxy", "network", "application"],
  ] as const) {
    expect(moved({ edge }, balancer(its, true))).toEqual([]);
    expect(moved({ edge }, balancer(other, false))).toEqual([]);
    expect(moved({ edge }, balancer(other, true))).toEqual([
      expect.stringMatching(
        new RegExp(`^aws\\.edge = "${edge}": the stack is protected, and its balancer, .*docs/aws.md`),
      ),
    ]);
  }
});
