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
import { storeProblems } from "../../components/topologies/aws/stores.ts";
import { identity } from "../../ops/stack-identity.ts";
import { values } from "../../ops/wire.ts";
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

test("a program that imports AwsRegion is refused at its first resource", async () => {
  const asked = (number: string) =>
    values({ topology: "aws", name: "shop", account: { number, at: { ...caller, roleArn: role } } });
  await expect(identity.create(asked("999999999999"))).rejects.toThrow(
    /^the credentials are of the account 123456789012: take those of 999999999999/,
  );
  expect(await identity.create(asked("123456789012"))).toEqual({ owner: expect.stringMatching(/^[0-9a-f]{8}$/) });
  // Another profile is no change of the stack.
  const other = values({ topology: "aws", name: "shop", account: { number: "123456789012", at: caller } });
  expect(identity.diff(asked("123456789012"), other).changes).toBe(false);
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
  return movedParts(state, { cidr, zones, edge: "balancer", ...config }, { name: "arangodb", disks }, plan).map(
    sentence,
  );
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

describe("stores", () => {
  const place = { account: "123456789012", region: "eu-central-1" };
  const known = (type: string, logical: string, outputs: Known["outputs"]): Known => ({
    urn: `urn:pulumi:test::platform-topologies::a$aws:${type}::${logical}`,
    type: `aws:${type}`,
    outputs,
  });
  const bucket = (name: string) => ({ bucket: `arkindex-${name}-123456789012-eu-central-1-an` });
  const arkindex = [
    known("rds/instance:Instance", "arkindex-db", { engineVersion: "15.7", maxAllocatedStorage: 80 }),
    known("elasticache/replicationGroup:ReplicationGroup", "arkindex-redis", {}),
    known("ebs/volume:Volume", "arkindex-solr-1", { size: 10, tags: { slot: "arkindex-solr-1" } }),
    ...["staging", "export", "thumbnails", "training", "ponos-artifacts", "ponos-logs", "iiif-cache", "uploads"].map(
      (name) => known("s3/bucket:Bucket", `arkindex-objects-${name}`, bucket(name)),
    ),
    known("s3/bucket:Bucket", "aws-records", bucket("records")),
  ];
  const machines = [
    known("ec2/instance:Instance", "machines-swarm-manager-1", { tags: { Name: "machines-manager-1" } }),
    known("ec2/instance:Instance", "machines-swarm-stores-1", { tags: { Name: "machines-stores-1" } }),
    known("cognito/userPool:UserPool", "machines-sign-in", {}),
  ];
  const found = (stack: string, state: Known[], over: object = {}, versions: Record<string, string> = {}): string[] => {
    const { whole, problems } = planReady(stack, over);
    if (whole === undefined || problems.length > 0) throw new Error(JSON.stringify(problems));
    return storeProblems(state, { ...place, versions }, whole.site, whole.plan, whole.settings.system).map(sentence);
  };
  const asked = (more: object) => ({ arkindex: { version: "1.7.0", bucketKeys: true, ...more } });
  const kept = { machines: { sshKeys: ["ssh-ed25519 AAAA you"], workers: { stores: { keeps: true, count: 1 } } } };

  test("that are in the config are nobody's concern, those of a stack that is not there yet neither", () => {
    expect(found("arkindex-aws", arkindex)).toEqual([]);
    expect(found("arkindex-aws", [])).toEqual([]);
    expect(found("machines-aws", machines, { ...kept, machines: { ...kept.machines, signIn: {} } })).toEqual([]);
  });

  test.each<[string, string, Known[], object, string[]]>([
    ["a database", "arkindex-aws", arkindex, { data: { db: "container" } }, ["db"]],
    ["a cache", "arkindex-aws", arkindex, { data: { redis: "container" } }, ["redis"]],
    [
      "a bucket",
      "arkindex-aws",
      arkindex,
      { data: { objects: "container" } },
      ["staging", "export", "thumbnails", "training", "ponos-artifacts", "ponos-logs", "iiif-cache", "uploads"],
    ],
    [
      "a disk",
      "arangodb-aws",
      [known("ebs/volume:Volume", "arangodb-dbserver-4", { size: 20, tags: { slot: "arangodb-dbserver-4" } })],
      {},
      ["dbserver-4"],
    ],
    [
      "a search",
      "media-aws",
      [known("opensearch/domain:Domain", "media-elasticsearch", {})],
      { media: { searchSpeaks: ["elasticsearch8"] } },
      ["elasticsearch"],
    ],
    [
      "a machine with a disk, and a pool of users",
      "machines-aws",
      machines,
      { machines: { sshKeys: kept.machines.sshKeys } },
      ["stores-1", "sign-in"],
    ],
  ])("%s that the config has no more is refused, until it may go", (_, stack, state, over, lost) => {
    const problems = found(stack, state, over);
    expect(problems.map((each) => each.split(":")[0])).toEqual(lost.map((name) => `disks.${name}`));
    for (const [index, name] of lost.entries())
      expect(problems[index]).toContain(`put it back; or, if it may go, say disks: { ${name}: gone }`);
    const words = Object.fromEntries(lost.map((name) => [name, "gone"]));
    expect(found(stack, state, { ...over, disks: words })).toEqual([]);
  });

  test("AWS makes no disk smaller; a database's that has grown by itself stays as it was asked for", () => {
    const grown = known("rds/instance:Instance", "arkindex-db", {
      engineVersion: "15",
      allocatedStorage: 70,
      maxAllocatedStorage: 80,
    });
    expect(found("arkindex-aws", [grown])).toEqual([]);
    expect(found("arkindex-aws", arkindex, asked({ solrGib: 9 }))).toEqual([
      "solr-1.gib = 9: its disk has 10 GiB, and AWS makes none smaller: leave it, or take a new stack with `restore`",
    ]);
    const large = known("rds/instance:Instance", "arkindex-db", { engineVersion: "15", maxAllocatedStorage: 400 });
    expect(found("arkindex-aws", [large], asked({ postgresGib: 99 }))).toEqual([
      expect.stringMatching(/^db\.gib = 99: its disk has 100 GiB, and AWS makes none smaller/),
    ]);
    expect(found("arkindex-aws", [large], asked({ postgresGib: 100 }))).toEqual([]);
  });

  test.each<[string, string, string | undefined, RegExp | undefined]>([
    ["the same", "15.12", undefined, undefined],
    ["the same by word", "16", "16", undefined],
    ["a later one by word", "15.7", "17", undefined],
    [
      "a later one by the default alone",
      "14.9",
      undefined,
      /the database is of PostgreSQL 14, and the default is now 15: name/,
    ],
    ["an earlier one by the default", "16.3", undefined, /is of PostgreSQL 16, and RDS goes back to none: name that/],
    [
      "an earlier one by word",
      "17",
      "16",
      /^aws\.versions\.db = "16": the database is of PostgreSQL 17, and RDS goes back/,
    ],
  ])("PostgreSQL's major version: %s", (_, was, word, refused) => {
    const state = [known("rds/instance:Instance", "arkindex-db", { engineVersion: was, maxAllocatedStorage: 80 })];
    const problems = found("arkindex-aws", state, {}, word === undefined ? {} : { db: word });
    expect(problems).toEqual(refused === undefined ? [] : [expect.stringMatching(refused)]);
  });

  test("a machine of a swarm that has its own disk stays in its zone", () => {
    const { whole } = planReady("machines-aws");
    if (whole === undefined) throw new Error("no plan");
    const card = (number: number, zone: string | undefined): Known =>
      known("ec2/networkInterface:NetworkInterface", `machines-swarm-manager-${String(number)}`, {
        tags: { Name: `machines-manager-${String(number)}`, zone },
      });
    const state = [card(1, zones[0]), card(2, zones[1])];
    const third = card(3, zones[0]);
    const of = (more: Known[]) =>
      movedParts(more, { cidr, zones, edge: "balancer" }, { name: "machines", disks: {} }, whole.plan).map(sentence);
    expect(of(state)).toEqual([]);
    expect(of([...state, third])).toEqual([expect.stringContaining("the disk of manager-3 lies in eu-central-1a")]);
  });
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
