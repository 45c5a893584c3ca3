/** The simulated provider without an engine: names, differences, outputs, what it remembers and refuses. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";

import { aws } from "../../tools/simulate/aws/index.ts";
import { Faults, rules } from "../../tools/simulate/faults.ts";
import { HalfMade, Simulated } from "../../tools/simulate/simulated.ts";
import { Table } from "../../tools/simulate/table.ts";
import { unknownValue } from "../../tools/simulate/wire.ts";
import { World } from "../../tools/simulate/world.ts";
import { newFolder } from "../support/folder.ts";

import type { Bag } from "../../tools/simulate/wire.ts";

const table = new Table(aws);
// The first run on a machine reads the typings: seconds, and minutes on a busy one.
beforeAll(async () => {
  for (const token of [instance, bucket, target, secret, "aws:cognito/userPool:UserPool"]) await table.resource(token);
}, 600_000);

let folder = "";
let cloud: Simulated;
beforeEach(() => {
  folder = newFolder("world");
  cloud = withFaults({});
});

/** The same world, seen by a provider with these faults. */
function withFaults(env: Readonly<Record<string, string>>): Simulated {
  const world = new World(folder);
  const made = new Simulated(aws, table, world, new Faults(world, env));
  made.configure({
    region: "eu-central-1",
    allowedAccountIds: ["111122223333"],
    defaultTags: { tags: { owner: "us" } },
  });
  return made;
}

const urnOf = (token: string, name: string): string => `urn:pulumi:s::p::${token}::${name}`;
const instance = "aws:rds/instance:Instance";
const bucket = "aws:s3/bucket:Bucket";
const target = "aws:lb/targetGroup:TargetGroup";
const secret = "aws:secretsmanager/secret:Secret";
const database = {
  engine: "postgres",
  instanceClass: "db.t4g.micro",
  allocatedStorage: 20,
  username: "root",
  password: "hunter22",
  skipFinalSnapshot: true,
};

interface Made {
  urn: string;
  id: string;
  inputs: Bag;
  outputs: Bag;
}

async function make(token: string, name: string, given: Bag, by = cloud): Promise<Made> {
  const urn = urnOf(token, name);
  const { inputs, failures } = await by.check(urn, {}, given);
  expect(failures).toEqual([]);
  return { urn, inputs, ...(await by.create(urn, inputs, false)) };
}

async function changed({ urn, inputs, outputs }: Made, news: Bag, by = cloud) {
  const checked = await by.check(urn, inputs, news);
  return by.diff(urn, inputs, outputs, checked.inputs);
}

describe("names", () => {
  test("a name is made up once, and another one for what takes its place", async () => {
    const made = await make(bucket, "Data", {});
    expect(made.inputs.bucket).toMatch(/^data-[0-9a-f]{7}$/);
    expect((await cloud.check(made.urn, made.inputs, {})).inputs.bucket).toBe(made.inputs.bucket);
    expect((await cloud.check(made.urn, {}, {})).inputs.bucket).not.toBe(made.inputs.bucket);
  });

  test("one that is too long is refused, given or made up", async () => {
    const long = "a-name-of-thirty-three-characters";
    expect((await cloud.check(urnOf(target, "x"), {}, { name: long })).failures).toEqual([
      `expected length of name to be in the range (1 - 32), got ${long}. Examine values at 'x.name'.`,
    ]);
    const { failures } = await cloud.check(urnOf(target, long), {}, {});
    expect(failures).toEqual([expect.stringContaining("longer than the maximum length 32"), expect.anything()]);
  });

  test("two resources of a program that ask for one are refused in the preview", async () => {
    const ask = (name: string) => cloud.check(urnOf(target, name), {}, { name: "app" });
    expect((await ask("one")).failures).toEqual([]);
    expect((await ask("two")).failures).toEqual([
      expect.stringContaining("ELBv2 Target Group (app) already exists: one asks"),
    ]);
    const elsewhere = { name: "app", region: "eu-west-1" };
    expect((await cloud.check(urnOf(target, "three"), {}, elsewhere)).failures).toEqual([]);
  });

  test("one that is held is refused, and free when its holder is gone", async () => {
    const { id, urn, outputs } = await make(target, "one", { name: "app" });
    const other = withFaults({});
    await expect(make(target, "two", { name: "app" }, other)).rejects.toThrow("already exists");
    const free = await make(secret, "free", { name: "free" });
    await make(secret, "held", { name: "held" });
    await expect(cloud.update(free.id, free.urn, free.outputs, { name: "held" }, false)).rejects.toThrow(
      "already exists",
    );
    await cloud.delete(id, urn, outputs);
    await make(target, "two", { name: "app" }, other);
  });

  test("a secret's name is taken until its recovery window has ended", async () => {
    for (const days of [7, 0]) {
      const given = { name: `s${String(days)}`, recoveryWindowInDays: days };
      const { id, urn, outputs } = await make(secret, given.name, given);
      await cloud.delete(id, urn, outputs);
    }
    await expect(make(secret, "s7", { name: "s7" })).rejects.toThrow("already scheduled for deletion: s7");
    await make(secret, "s0", { name: "s0" });
  });
});

describe("differences", () => {
  test.each<[string, Bag, Bag, string[]]>([
    [instance, database, { ...database, storageEncrypted: true }, ["storageEncrypted"]],
    [instance, database, { ...database, allocatedStorage: 30 }, []],
    [bucket, { bucketNamespace: "global" }, { bucketNamespace: "account-regional" }, ["bucketNamespace"]],
    ["aws:ecs/service:Service", { cluster: "a" }, { cluster: "b" }, ["cluster"]],
    ["aws:ecs/service:Service", { taskDefinition: "a:1" }, { taskDefinition: "a:2" }, []],
    [
      "aws:ecs/taskDefinition:TaskDefinition",
      { family: "f", containerDefinitions: "[]" },
      { family: "f", containerDefinitions: "[{}]" },
      ["containerDefinitions"],
    ],
    [
      "aws:cognito/userPool:UserPool",
      { usernameConfiguration: { caseSensitive: true } },
      { usernameConfiguration: { caseSensitive: false } },
      ["usernameConfiguration"],
    ],
    [
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      { securityGroupId: "sg", ipProtocol: "tcp", cidrIpv4: "10.0.0.0/8" },
      { securityGroupId: "sg", ipProtocol: "tcp", prefixListId: "pl" },
      ["cidrIpv4", "prefixListId"],
    ],
    [
      "aws:elasticache/replicationGroup:ReplicationGroup",
      { description: "d", engine: "valkey", engineVersion: "8.1" },
      { description: "d", engine: "valkey", engineVersion: "8.0" },
      ["engineVersion"],
    ],
  ])("%s %j to %j replaces %j", async (token, before, after, replaces) => {
    const made = await make(token, "x", before);
    const found = await changed(made, after);
    expect(found.changes.size).toBeGreaterThan(0);
    expect([...found.replaces].sort()).toEqual(replaces);
  });

  test("none without a change; one by its path", async () => {
    const given = {
      actions: [{ type: "forward" }],
      conditions: [{ pathPattern: { values: ["/a"] } }],
      listenerArn: "arn",
    };
    const made = await make("aws:lb/listenerRule:ListenerRule", "x", given);
    expect((await changed(made, given)).changes.size).toBe(0);
    const { changes } = await changed(made, { ...given, conditions: [{ pathPattern: { values: ["/b", "/c"] } }] });
    expect([...changes]).toEqual([
      ["conditions[0].pathPattern.values[0]", { kind: "update", replaces: false }],
      ["conditions[0].pathPattern.values[1]", { kind: "add", replaces: false }],
    ]);
  });

  test("what keeps a name of the program's goes before the next one comes", async () => {
    const given = { port: 80, protocol: "HTTP" };
    const fixed = await make(target, "fixed", { ...given, name: "app" });
    expect(await changed(fixed, { ...given, name: "app", port: 81 })).toMatchObject({ deleteBeforeReplace: true });
    expect(await changed(fixed, { ...given, name: "other" })).toMatchObject({ deleteBeforeReplace: false });
    const free = await make(target, "free", given);
    expect(await changed(free, { ...given, port: 81 })).toMatchObject({
      replaces: ["port"],
      deleteBeforeReplace: false,
    });
  });

  test("another region of the provider replaces everything", async () => {
    const made = await make(bucket, "x", {});
    cloud.configure({ region: "eu-west-1" });
    expect((await changed(made, {})).replaces).toEqual(["region"]);
  });
});

describe("outputs", () => {
  test("a preview knows the inputs and nothing else", async () => {
    const { outputs } = await cloud.create(urnOf(instance, "db"), database, true);
    expect(outputs).toMatchObject({ engine: "postgres", address: unknownValue, arn: unknownValue });
  });

  test("they have the account, the region and the default tags of the provider", async () => {
    const { id, outputs } = await make("aws:ec2/vpc:Vpc", "vpc", { cidrBlock: "10.0.0.0/16", tags: { name: "x" } });
    expect(id).toMatch(/^vpc-0[0-9a-f]{16}$/);
    expect(outputs.arn).toBe(`arn:aws:ec2:eu-central-1:111122223333:vpc/${id}`);
    expect(outputs.tagsAll).toEqual({ owner: "us", name: "x" });
    expect(outputs.enableDnsSupport).toBe(true);
  });

  test("they are the same in each run, and others for what takes the place", async () => {
    const first = await make(instance, "db", database);
    const again = await cloud.update(first.id, first.urn, first.outputs, { ...first.inputs, multiAz: true }, false);
    expect(again).toEqual({ ...first.outputs, multiAz: true });
    expect((await make(instance, "db", database)).id).not.toBe(first.id);
    folder = newFolder("world");
    expect((await make(instance, "db", database, withFaults({}))).outputs).toEqual(first.outputs);
  });

  test("a secret is where it was given, and nowhere else, not even in what is remembered", async () => {
    const { outputs } = await make(instance, "db", database);
    const { password, ...others } = outputs;
    expect(password).toBe("hunter22");
    expect(JSON.stringify(others)).not.toContain("hunter22");
    expect(outputs.endpoint).toBe(`${String(outputs.address)}:5432`);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const kept = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8")).join();
    expect(kept).toContain(instance);
    expect(kept).not.toContain("hunter22");
  });

  test("versions count up: of a template by updates, of a definition by new ones, of a secret by content", async () => {
    const template = await make("aws:ec2/launchTemplate:LaunchTemplate", "t", {});
    expect(template.outputs.latestVersion).toBe(1);
    const news = { ...template.inputs, imageId: "ami" };
    const preview = await cloud.update(template.id, template.urn, template.outputs, news, true);
    expect(preview.latestVersion).toBe(unknownValue);
    expect((await cloud.update(template.id, template.urn, template.outputs, news, false)).latestVersion).toBe(2);

    const definition = { family: "f", containerDefinitions: "[]" };
    const arns = [];
    for (let round = 1; round <= 2; round++)
      arns.push((await make("aws:ecs/taskDefinition:TaskDefinition", "d", definition)).outputs.arn);
    expect(arns).toEqual([
      expect.stringMatching(/task-definition\/f:1$/),
      expect.stringMatching(/task-definition\/f:2$/),
    ]);

    const version = await make("aws:secretsmanager/secretVersion:SecretVersion", "v", {
      secretId: "s",
      secretString: "a",
    });
    expect(version.outputs.versionId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect((await changed(version, { secretId: "s", secretString: "b" })).replaces).toEqual(["secretString"]);
  });

  test("a list that only the cloud makes has a member", async () => {
    const { outputs } = await make(instance, "db", {
      ...database,
      password: undefined,
      manageMasterUserPassword: true,
    });
    expect(outputs.masterUserSecrets).toEqual([expect.objectContaining({ secretArn: expect.any(String) })]);
  });
});

test("what is deprecated is warned of", async () => {
  const told: string[] = [];
  const world = new World(folder);
  const warning = new Simulated(aws, table, world, new Faults(world, {}), (_, message) => told.push(message));
  await warning.check(urnOf(bucket, "x"), {}, { bucket: "x", versioning: { enabled: true } });
  expect(told).toEqual([expect.stringMatching(/^versioning is deprecated: /)]);
});

describe("what the API refuses", () => {
  test.each<[string, Bag, Bag, string]>([
    [bucket, {}, { forceDestroy: true }, "BucketNotEmpty"],
    [instance, { ...database, deletionProtection: true }, { deletionProtection: false }, "deletion protection"],
    [
      instance,
      { ...database, skipFinalSnapshot: false },
      { finalSnapshotIdentifier: "last" },
      "final_snapshot_identifier",
    ],
  ])("%s is not deleted as %j, but with %j", async (token, given, remedy, why) => {
    const filled = withFaults({ SIMULATE_FILLED: "x" });
    const { id, urn, outputs } = await make(token, "x", given);
    await expect(filled.delete(id, urn, outputs)).rejects.toThrow(why);
    await filled.delete(id, urn, { ...outputs, ...remedy });
    expect(filled.read(id, urn, outputs)).toBeUndefined();
  });

  test("a bucket holds what the program puts into it", async () => {
    const { id, urn, outputs } = await make(bucket, "b", { bucket: "b" });
    const object = await make("aws:s3/bucketObjectv2:BucketObjectv2", "o", { bucket: "b", key: "k" });
    await expect(cloud.delete(id, urn, outputs)).rejects.toThrow("BucketNotEmpty");
    await cloud.delete(object.id, object.urn, object.outputs);
    await cloud.delete(id, urn, outputs);
  });

  test("Fargate has no such machine", async () => {
    const given = { family: "f", containerDefinitions: "[]", requiresCompatibilities: ["FARGATE"], cpu: "256" };
    const ask = async (memory: string) =>
      (await cloud.check(urnOf("aws:ecs/taskDefinition:TaskDefinition", "d"), {}, { ...given, memory })).failures;
    expect(await ask("512")).toEqual([]);
    expect(await ask("4096")).toEqual([expect.stringContaining("No Fargate configuration exists")]);
  });

  test("look-ups, of functions and of things that no run made", () => {
    expect(() => cloud.invoke("aws:ec2/getAmi:getAmi")).toThrow("aws:ec2/getAmi:getAmi: no look-ups in a preview");
    expect(() => cloud.read("vpc-1", urnOf("aws:ec2/vpc:Vpc", "v"), {})).toThrow("cannot be looked up");
  });
});

describe("faults", () => {
  const urn = urnOf(bucket, "data");
  const create = (by: Simulated): Promise<unknown> => by.create(urn, { bucket: "data" }, false);

  test("a refusal leaves nothing, a lost answer leaves the thing", async () => {
    await expect(create(withFaults({ SIMULATE_FAIL: "create data" }))).rejects.toThrow("as SIMULATE_FAIL asks for it");
    await expect(create(withFaults({ SIMULATE_LOSE: "create data" }))).rejects.toThrow("connection reset by peer");
    await expect(create(cloud)).rejects.toThrow("BucketAlreadyOwnedByYou");
  });

  test("other operations and other resources are not meant", async () => {
    await create(withFaults({ SIMULATE_FAIL: "delete data, create other" }));
  });

  test("too many requests, the first times, over all runs", async () => {
    const throttled = { SIMULATE_THROTTLE: "2 create" };
    for (let round = 1; round <= 2; round++)
      await expect(create(withFaults(throttled))).rejects.toThrow("Rate exceeded");
    await create(withFaults(throttled));
  });

  test("what is late is made, and the engine is told", async () => {
    const late = create(withFaults({ SIMULATE_TIMEOUT: "data" }));
    await expect(late).rejects.toBeInstanceOf(HalfMade);
    await expect(late).rejects.toMatchObject({ id: "data", outputs: { bucket: "data" } });
  });

  test("a fault that cannot be read is refused", () => {
    expect(rules(" 2 create db , Vpc::x")).toEqual([
      { amount: 2, operation: "create", part: "db" },
      { amount: undefined, operation: undefined, part: "Vpc::x" },
    ]);
    expect(() => rules("create a b")).toThrow('"create a b" is no fault');
  });
});

describe("a search", () => {
  const search = "aws:opensearch/domain:Domain";
  const login = { masterUserName: "app", masterUserPassword: "Passw0rd!" };
  const good = {
    domainName: "shop-search",
    clusterConfig: { instanceCount: 3, zoneAwarenessEnabled: true, zoneAwarenessConfig: { availabilityZoneCount: 3 } },
    vpcOptions: { subnetIds: ["a", "b", "c"] },
    encryptAtRest: { enabled: true },
    nodeToNodeEncryption: { enabled: true },
    domainEndpointOptions: { enforceHttps: true },
    advancedSecurityOptions: { enabled: true, internalUserDatabaseEnabled: true, masterUserOptions: login },
  };
  const said = async (over: object) => (await cloud.check(urnOf(search, "search"), {}, { ...good, ...over })).failures;

  test("is what the API takes, at an address of the private network", async () => {
    expect(await said({})).toEqual([]);
    const { outputs } = await make(search, "search", good);
    expect(outputs.endpoint).toMatch(/^vpc-shop-search-[0-9a-f]{26}\.eu-central-1\.es\.amazonaws\.com$/);
  });

  test.each<[string, object, RegExp]>([
    ["a subnet too few for its zones", { vpcOptions: { subnetIds: ["a", "b"] } }, /exactly 3 subnets/],
    [
      "an odd number of nodes in two zones",
      { clusterConfig: { instanceCount: 3, zoneAwarenessEnabled: true }, vpcOptions: { subnetIds: ["a", "b"] } },
      /even number of data nodes/,
    ],
    [
      "two nodes in three zones",
      { clusterConfig: { ...good.clusterConfig, instanceCount: 2 } },
      /minimum of three data nodes/,
    ],
    ["a login without encryption", { nodeToNodeEncryption: { enabled: false } }, /You must enable HTTPS/],
    [
      "a password without a special character",
      {
        advancedSecurityOptions: {
          ...good.advancedSecurityOptions,
          masterUserOptions: { ...login, masterUserPassword: "Passw0rds" },
        },
      },
      /one special character/,
    ],
  ])("with %s is refused", async (_, over, expected) => {
    expect((await said(over)).join("\n")).toMatch(expected);
  });
});
