/** Whose credentials `up` has: asked by the real SDK, of the simulated AWS. */
import process from "node:process";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { at } from "../../components/core/formats.ts";
import { callerProblems, movedParts } from "../../components/topologies/aws/preflight.ts";
import type { Dict } from "../../components/core/contracts.ts";
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
const moved = (config: object, state = stateOf(), disks: Dict<string> = {}): string[] => {
  if (plan === undefined) throw new Error("no plan");
  return movedParts(state, { cidr, zones, ...config }, { name: "arangodb", disks }, plan).map(sentence);
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

describe("a key", () => {
  const known = (type: string, name: string, outputs: Known["outputs"]): Known => ({
    ...{ urn: `urn:pulumi:test::platform-topologies::${type}::${name}`, type, outputs },
  });
  const made = "arn:aws:kms:eu-central-1:123456789012:key/made";
  const given = "arn:aws:kms:eu-central-1:123456789012:key/given";
  /** A stack whose topic for alarms has this key. */
  const keyed = (kmsMasterKeyId: string | undefined): Known[] => [
    ...stateOf(),
    known("aws:sns/topic:Topic", "aws-alarms", { kmsMasterKeyId }),
    ...(kmsMasterKeyId === made ? [known("aws:kms/key:Key", "aws-key", { arn: made })] : []),
  ];

  test("that stays is no change, whoever made it", () => {
    expect(moved({}, keyed(undefined))).toEqual([]);
    expect(moved({}, keyed(""))).toEqual([]);
    expect(moved({ kmsKey: "create" }, keyed(made))).toEqual([]);
    expect(moved({ kmsKey: given }, keyed(given))).toEqual([]);
    expect(moved({ kmsKey: "create" }, [])).toEqual([]);
  });

  test.each([
    ["create", undefined, "AWS' own keys"],
    [given, "", "AWS' own keys"],
    [undefined, made, made],
    [given, made, made],
    ["create", given, given],
  ])("%s in the place of %s is refused, as it would replace the stores", (kmsKey, was, named) => {
    const [problem, ...others] = moved({ kmsKey }, keyed(was));
    expect(problem).toContain(`what the stack keeps is encrypted with ${named}: that stays`);
    expect(problem).toMatch(/^aws\.kmsKey/);
    expect(others).toEqual([]);
  });
});

test("the word that made a disk stays in the config, or an empty disk would take its place", () => {
  const disk = stateOf().map((each) =>
    each.type === "aws:ebs/volume:Volume" && at(each.outputs, ["tags", "slot"]) === "arangodb-agent-2"
      ? { ...each, outputs: { ...each.outputs, tags: { slot: "arangodb-agent-2", disk: "0123abcd" } } }
      : each,
  );
  const id = (word: string): Known => ({
    ...{ urn: "urn:agent-2-disk", type: "random:index/randomId:RandomId" },
    outputs: { hex: "0123abcd", keepers: { word } },
  });
  const refused = [
    "disks.agent-2: snap-0123 made the disk that is there: leave it in the config, or another, empty disk would be made",
  ];
  expect(moved({}, [...disk, id("snap-0123")])).toEqual(refused);
  expect(moved({}, [...disk, id("snap-0123")], { "agent-2": "gone" })).toEqual(refused);
  expect(moved({}, [...disk, id("snap-0123")], { "agent-2": "snap-0123" })).toEqual([]);
  expect(moved({}, [...disk, id("snap-0123")], { "agent-2": "snap-4567" })).toEqual([]);
  expect(moved({}, [...disk, id("")], { "agent-2": "gone" })).toEqual([]);
});
