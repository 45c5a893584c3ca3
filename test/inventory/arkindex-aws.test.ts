/** Arkindex on AWS, as the program registers it: counts by type, and the values that matter. */
import { beforeAll, expect, test } from "@jest/globals";

import { siteOf, type SiteArgs } from "../../components/core/site.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { AwsRegion } from "../../components/topologies/aws/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

const registry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub";
const place = { endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: "backups", region: "eu-central-1" };

function deploy(over: Partial<SiteArgs> = {}) {
  return record(() => {
    const site = siteOf({
      name: "ark",
      hostname: "ark.example.com",
      mirror: registry,
      rehearsal: true,
      backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: { s3: place } },
      secrets: { backupKey: "the-key", backupSecret: "the-secret" },
      ...over,
    });
    const on = new AwsRegion("aws", {
      ...{ site, account: "123456789012", region: "eu-central-1", tls: { mode: "local" } },
      zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    });
    new Arkindex("arkindex", { bucketKeys: true, backends: 2, on });
  });
}

let all: Registered[];
beforeAll(async () => {
  all = await deploy();
});
const of = (type: string, from = all) => from.filter((each) => each.type === type);
const one = (type: string, name: string, from = all): Registered["inputs"] => {
  const found = of(type, from).find((each) => each.name === name);
  if (found === undefined)
    throw new Error(
      `no ${type} ${name}: ${of(type, from)
        .map((each) => each.name)
        .join(", ")}`,
    );
  return found.inputs;
};

test("inventory", () => {
  const counts = inventory(all);
  const parts = [
    "Bucket",
    "Cluster",
    "ListenerRule",
    "NatGateway",
    "ReplicationGroup",
    "Subnet",
    "TargetGroup",
    "Volume",
  ];
  expect(Object.fromEntries(parts.map((part) => [part, counts[`aws:${part}`]]))).toEqual({
    Bucket: 9, // eight of Arkindex', one for records of traffic
    Cluster: 1,
    ListenerRule: 2, // backend, cantaloupe
    NatGateway: 3,
    ReplicationGroup: 1,
    Subnet: 9, // three tiers in three zones
    TargetGroup: 2,
    Volume: 1, // Solr's
  });
  expect(
    of("aws:ecs/service:Service")
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["backend", "backup", "cantaloupe", "worker"].map((name) => `arkindex-${name}`));
  // The drill's server needs more shared memory than Fargate has.
  expect(
    of("aws:autoscaling/group:Group")
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["arkindex-db-drill-1", "arkindex-solr-1"]);
  expect(
    of("platform-topologies:index:Job")
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["db-setup", "migrate", "redis-setup", "solr-setup", "system-workers"].map((name) => `arkindex-${name}`));
});

test("everything is made by the explicit provider, which refuses nothing in a preview and marks all", () => {
  const strangers = all.filter(({ type, provider }) => type.startsWith("aws:") && !provider.includes("aws-aws"));
  expect(strangers.map(({ type, name }) => `${type} ${name}`)).toEqual([]);
  expect(one("pulumi:providers:aws", "aws-aws")).toMatchObject({
    region: "eu-central-1",
    skipRequestingAccountId: "true",
  });
});

test("nothing but the balancer has an address of the world's, and nobody but the world's two ports come in", () => {
  for (const { inputs } of of("aws:ecs/service:Service"))
    expect(inputs.networkConfiguration).toMatchObject({ assignPublicIp: false });
  for (const { inputs } of of("aws:ec2/subnet:Subnet")) expect(inputs.mapPublicIpOnLaunch).toBe(false);
  expect(one("aws:rds/instance:Instance", "arkindex-db").publiclyAccessible).toBe(false);
  const open = of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").filter(
    ({ inputs }) => "cidrIpv4" in inputs,
  );
  expect(open.map(({ inputs }) => [inputs.securityGroupId, inputs.fromPort]).sort()).toEqual([
    ["aws-edge-id", 443],
    ["aws-edge-id", 80],
  ]);
  const out = of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule").filter(
    ({ inputs }) => "cidrIpv4" in inputs,
  );
  expect(out.map(({ inputs }) => inputs.securityGroupId)).toEqual(["aws-app-id"]);
  const ways = of("aws:ec2/route:Route").filter(({ inputs }) => inputs.destinationCidrBlock === "0.0.0.0/0");
  expect(ways.map(({ inputs }) => inputs.routeTableId)).not.toContain("aws-data-id");
});

test("what holds data is encrypted, and a machine's metadata want a token", () => {
  expect(one("aws:rds/instance:Instance", "arkindex-db").storageEncrypted).toBe(true);
  expect(one("aws:ebs/volume:Volume", "arkindex-solr-1").encrypted).toBe(true);
  expect(one("aws:elasticache/replicationGroup:ReplicationGroup", "arkindex-redis")).toMatchObject({
    atRestEncryptionEnabled: true,
    transitEncryptionEnabled: true,
  });
  expect(of("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")).toHaveLength(9);
  for (const { inputs } of of("aws:ec2/launchTemplate:LaunchTemplate")) {
    expect(inputs.metadataOptions).toMatchObject({ httpTokens: "required", httpPutResponseHopLimit: 1 });
    expect(JSON.stringify(inputs.blockDeviceMappings)).toContain('"encrypted":"true"');
  }
});

test("a protected stack keeps its data in two zones, and refuses to lose them; another is small and goes", async () => {
  const small = await deploy({ protect: false });
  const facts = (from: readonly Registered[]) => {
    const db = one("aws:rds/instance:Instance", "arkindex-db", [...from]);
    const cache = one("aws:elasticache/replicationGroup:ReplicationGroup", "arkindex-redis", [...from]);
    const edge = one("aws:lb/loadBalancer:LoadBalancer", "arkindex-edge", [...from]);
    const bucket = one("aws:s3/bucket:Bucket", "arkindex-objects-staging", [...from]);
    const secret = one("aws:secretsmanager/secret:Secret", "arkindex-backend-secret", [...from]);
    return [
      ...[db.multiAz, db.deletionProtection, db.skipFinalSnapshot, db.backupRetentionPeriod],
      ...[cache.numCacheClusters, edge.enableDeletionProtection, bucket.forceDestroy, secret.recoveryWindowInDays],
      of("aws:ec2/natGateway:NatGateway", [...from]).length,
    ];
  };
  expect(facts(all)).toEqual([true, true, undefined, 14, 2, true, false, 7, 3]);
  expect(facts(small)).toEqual([false, false, true, 1, 1, false, true, 0, 1]);
});

test("each workload may read its own secret, and no other", () => {
  for (const { name, inputs } of of("aws:iam/rolePolicy:RolePolicy")) {
    const { Statement } = JSON.parse(String(inputs.policy)) as { Statement: { Action: string[]; Resource: unknown }[] };
    const secrets = Statement.filter(({ Action }) => Action.includes("secretsmanager:GetSecretValue"));
    const workload = name.replace(/-start$/, "");
    for (const { Resource } of secrets)
      expect([
        `arn:aws:secretsmanager/secret:Secret:${workload}-secret`,
        `arn:aws:secretsmanager/secret:Secret:${workload}-spec`,
      ]).toContain(Resource);
    expect(Statement.flatMap(({ Action }) => Action)).not.toContain("*");
  }
});

test("no password stands in a task definition, a machine's user data or a policy", () => {
  const texts = all
    .filter(({ type }) => /taskDefinition|launchTemplate|Policy$/.test(type))
    .map(({ inputs }) => JSON.stringify(inputs))
    .concat(
      of("aws:ec2/launchTemplate:LaunchTemplate").map(({ inputs }) =>
        Buffer.from(String(inputs.userData), "base64").toString(),
      ),
    );
  expect(texts.length).toBeGreaterThan(20);
  for (const text of texts) expect(text).not.toMatch(/password-of-|the-key|the-secret|key-of-/);
});

test("no log shows the password of a managed store, or the key of its buckets", () => {
  const { redact } = one("platform-topologies:index:Job", "arkindex-migrate");
  expect(redact).toEqual(expect.arrayContaining(["password-of-arkindex-db-master", "key-of-arkindex-objects"]));
});

test("a service gets its files from the very version of its secret, and its image from the account's registry", () => {
  const definition = one("aws:ecs/taskDefinition:TaskDefinition", "arkindex-backend");
  const [files, main] = JSON.parse(String(definition.containerDefinitions)) as Record<string, unknown>[];
  expect(files?.secrets).toEqual([
    {
      name: expect.stringMatching(/^FILE_/),
      valueFrom: expect.stringMatching(/:Secret:arkindex-backend-secret:FILE_\w+::version-of-arkindex-backend-secret$/),
    },
  ]);
  expect(main?.image).toMatch(new RegExp(`^${registry.replaceAll(".", "\\.")}/`));
  expect(definition).toMatchObject({ cpu: "1024", memory: "2048", networkMode: "awsvpc" });
});

test("a job's definition follows what makes it run again", async () => {
  const again = await deploy({ name: "ark" });
  const of_ = (from: Registered[]) =>
    one("aws:ecs/taskDefinition:TaskDefinition", "arkindex-migrate", from).containerDefinitions;
  expect(of_(again)).toBe(of_(all));
  expect(String(of_(all))).toContain("PLATFORM_TOPOLOGIES_RUN");
});
