/** Arkindex on AWS, as the program registers it: counts by type, and the values that matter. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { z } from "zod";

import { siteOf, type SiteArgs } from "../../components/core/site.ts";
import { Arkindex, type arkindexConfig } from "../../components/systems/arkindex.ts";
import { AwsRegion } from "../../components/topologies/aws/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

type ArkindexInput = z.input<typeof arkindexConfig>;

const registry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub";
const place = { endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: "backups", region: "eu-central-1" };

function deploy(over: Partial<SiteArgs> = {}, more: Partial<ArkindexInput> = {}, classes: Record<string, string> = {}) {
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
      classes,
    });
    new Arkindex("arkindex", { bucketKeys: true, backends: 2, ...more, on });
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

describe("Ponos agents", () => {
  const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";
  const seeds = { "ponosSeed-cpu": "seed-of-cpu", "ponosSeed-gpu": "seed-of-gpu" };
  const agents = { cpu: { farm }, gpu: { farm, gpus: 2, gpuMib: 20_000, gib: 500, replicas: 2 } };
  const names = ["arkindex-agent-cpu-1", "arkindex-agent-gpu-1", "arkindex-agent-gpu-2"];
  const template = "aws:ec2/launchTemplate:LaunchTemplate";
  let made: Registered[];
  let fewer: Registered[];
  beforeAll(async () => {
    const secrets = { backupKey: "the-key", backupSecret: "the-secret", ...seeds };
    const classes = { "agent-cpu": "m7i.2xlarge" };
    made = await deploy({ secrets }, { agents }, classes);
    fewer = await deploy({ secrets }, { agents: { ...agents, gpu: { ...agents.gpu, replicas: 1 } } }, classes);
  });
  const userDataOf = (name: string) => Buffer.from(String(one(template, name, made).userData), "base64").toString();

  test("each has a machine of its own: the operator's size, or the cheapest with its GPUs; their image, where there are some", () => {
    const facts = names.map((name) => {
      const { instanceType, imageId, blockDeviceMappings } = one(template, name, made);
      const [{ ebs }] = blockDeviceMappings as [{ ebs: object }];
      return [instanceType, String(imageId).includes("/ecs/optimized-ami/amazon-linux-2023/gpu/"), ebs];
    });
    const ebs = (volumeSize: number) => ({
      encrypted: "true",
      volumeType: "gp3",
      volumeSize,
      deleteOnTermination: "true",
    });
    expect(facts).toEqual([
      ["m7i.2xlarge", false, ebs(120)],
      ["g6.12xlarge", true, ebs(530)],
      ["g6.12xlarge", true, ebs(530)],
    ]);
    expect(userDataOf("arkindex-agent-gpu-1")).toContain("systemctl disable --now --no-block ecs ");
    expect(userDataOf("arkindex-agent-cpu-1")).toContain("dnf -y -q install docker");
  });

  test("in whatever zone has such a machine, apart from the stack's own parts: nobody calls them, and they call no store", () => {
    for (const name of names) {
      const group = one("aws:autoscaling/group:Group", name, made);
      expect(group.vpcZoneIdentifiers).toEqual(["a", "b", "c"].map((zone) => `aws-app-eu-central-1${zone}-id`));
      expect(group).not.toHaveProperty("availabilityZones");
      expect(group).toMatchObject({ minSize: 1, maxSize: 1, desiredCapacity: 1 });
      expect(one(template, name, made).vpcSecurityGroupIds).toEqual(["aws-guests-id"]);
    }
    const cards = of("aws:ec2/networkInterface:NetworkInterface", made).map(({ name }) => name);
    expect(cards.filter((name) => name.includes("agent"))).toEqual([]);
    const called = of("aws:servicediscovery/service:Service", made).map(({ name }) => name);
    expect(called.filter((name) => name.includes("agent"))).toEqual([]);
    const rules = (way: "Ingress" | "Egress") =>
      of(`aws:vpc/securityGroup${way}Rule:SecurityGroup${way}Rule`, made).map(({ inputs }) => inputs);
    expect(rules("Ingress").filter(({ securityGroupId }) => securityGroupId === "aws-guests-id")).toEqual([]);
    const calls = rules("Ingress").filter(
      ({ referencedSecurityGroupId }) => referencedSecurityGroupId === "aws-guests-id",
    );
    expect(calls.map(({ securityGroupId, fromPort }) => [securityGroupId, fromPort])).toEqual([
      ["aws-endpoints-id", 443],
    ]);
    const out = rules("Egress").filter(({ securityGroupId }) => securityGroupId === "aws-guests-id");
    const to = out.map(({ cidrIpv4, referencedSecurityGroupId }) => cidrIpv4 ?? referencedSecurityGroupId);
    expect(to.sort()).toEqual(["0.0.0.0/0", "aws-endpoints-id"]);
  });

  test("each may read its own secret, write its own log, and say that it is ill; its seed is nowhere else", () => {
    for (const name of names) {
      const { policy } = one("aws:iam/rolePolicy:RolePolicy", name, made);
      const { Statement } = JSON.parse(String(policy)) as { Statement: { Action: string[]; Resource: unknown }[] };
      const reads = Statement.filter(({ Action }) => Action.includes("secretsmanager:GetSecretValue"));
      expect(reads.map(({ Resource }) => Resource)).toEqual([`arn:aws:secretsmanager/secret:Secret:${name}-spec`]);
      expect(Statement.flatMap(({ Action }) => Action).filter((action) => action.startsWith("ec2:"))).toEqual([]);
    }
    const holders = made.filter(({ inputs }) => /seed-of-(cpu|gpu)/.test(JSON.stringify(inputs)));
    const told = holders.filter(({ type }) => type === "aws:secretsmanager/secretVersion:SecretVersion");
    expect(told.map(({ name }) => name).sort()).toEqual(names.map((name) => `${name}-spec`));
    // What is left is what logs may not show.
    const unredacted = (inputs: object) =>
      JSON.stringify(inputs, (key, value: unknown) => (key === "redact" ? undefined : value));
    for (const { inputs, type } of holders.filter((each) => !told.includes(each)))
      expect([type, unredacted(inputs)]).toEqual([type, expect.not.stringMatching(/seed-of-/)]);
  });

  test("the spec asks for the GPUs and the engine, and the gate waits for the machine", () => {
    const spec = (name: string) =>
      JSON.parse(
        String(one("aws:secretsmanager/secretVersion:SecretVersion", `${name}-spec`, made).secretString),
      ) as Record<string, unknown>;
    expect(spec("arkindex-agent-gpu-2")).toMatchObject({ name: "agent-gpu-2", gpus: 2, socket: true, memoryMib: 1024 });
    expect(spec("arkindex-agent-cpu-1")).not.toHaveProperty("gpus");
    const gates = of("platform-topologies:index:Machine", made).map(({ name }) => name);
    expect(gates.filter((name) => name.includes("agent")).sort()).toEqual(names);
  });

  test("one replica more changes nothing but the dashboard", () => {
    const key = ({ type, name }: Registered) => `${type} ${name}`;
    const now = new Map(made.map((each) => [key(each), each.inputs]));
    const changed = fewer.filter((each) => JSON.stringify(now.get(key(each))) !== JSON.stringify(each.inputs));
    expect(changed.map(({ name }) => name)).toEqual(["arkindex-alarms"]);
  });
});
