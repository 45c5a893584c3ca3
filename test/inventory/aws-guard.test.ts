/** What guards a stack on AWS: alarms, snapshots, records of requests, an operator's own key and firewall. Rules, not cases. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { beforeAll, describe, expect, test } from "@jest/globals";

import { inventory, type Registered } from "../support/mocks.ts";
import { protecting } from "../support/protected.ts";
import { readyConfig, recordReady } from "../support/ready.ts";

const stacks = ["arkindex-aws", "arangodb-aws", "machines-aws", "media-aws", "pyrus-aws"];

type All = readonly Registered[];
const of = (all: All, type: string): Registered[] => all.filter((each) => each.type === `aws:${type}`);
const alarms = (all: All): Registered[] => of(all, "cloudwatch/metricAlarm:MetricAlarm");
const alarm = (all: All, name: string): Registered["inputs"] => {
  const found = alarms(all).find((each) => each.name === name);
  if (found === undefined)
    throw new Error(
      `no alarm ${name}: ${alarms(all)
        .map((each) => each.name)
        .join(", ")}`,
    );
  return found.inputs;
};

/** A ready stack with more in its `aws`. */
async function withAws(stack: string, aws: object, over: object = {}): Promise<All> {
  const { aws: ready } = readyConfig(`stacks/${stack}.yaml`) as { aws: object };
  return recordReady(stack, { ...over, aws: { ...ready, ...aws } });
}

const certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/c";
const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";
interface Case {
  readonly how: string;
  readonly stack: string;
  readonly aws?: object;
  readonly over?: object;
}
/** Every ready stack, and what else there is on AWS. */
const cases: readonly Case[] = [
  ...stacks.map((stack) => ({ how: "as it is ready", stack })),
  {
    ...{ how: "with agents", stack: "arkindex-aws" },
    over: {
      arkindex: { bucketKeys: true, agents: { gpu: { farm, gpus: 1, replicas: 2 } } },
      secrets: { "ponosSeed-gpu": "a-seed" },
    },
  },
  { how: "with AWS' own search", stack: "media-aws", over: { media: { searchSpeaks: ["opensearch2"] } } },
  {
    ...{ how: "with our own proxy, and ACM's certificate", stack: "pyrus-aws" },
    aws: { edge: "proxy", tls: { mode: "acm", certificate } },
  },
];
/** One of them, with more in its `aws`. */
const deploy = ({ stack, aws = {}, over = {} }: Case, guard: { secrets?: object } = {}, more: object = {}) => {
  const { secrets = {} } = over as { secrets?: object };
  const all = guard.secrets === undefined ? over : { ...over, secrets: { ...guard.secrets, ...secrets } };
  return withAws(stack, { ...aws, ...more }, { ...guard, ...all });
};

test.each(stacks)("%s, as it is ready, has nothing that the emulated provider lacks", async (stack) => {
  const rows = readFileSync(join(import.meta.dirname, "../../tools/go/aws/resources.go"), "utf8").matchAll(
    /resource\("(\w+)", "(\w+)"\)/g,
  );
  const known = new Set(
    [...rows].map(
      ([, module = "", name = ""]) => `aws:${module}/${name.charAt(0).toLowerCase()}${name.slice(1)}:${name}`,
    ),
  );
  const types = new Set((await recordReady(stack)).map(({ type }) => type).filter((type) => type.startsWith("aws:")));
  expect([...types].filter((type) => !known.has(type))).toEqual([]);
});

describe.each(cases)("$stack, protected, $how", (its) => {
  const { stack } = its;
  let all: All;
  beforeAll(async () => {
    all = await deploy(its, protecting(stack));
  });

  test("each disk, database, cache and search has an alarm that rings before it is full; so have all machines", () => {
    const watched = (metric: string, by: string, value: string): boolean =>
      alarms(all).some(({ inputs: { metricName, dimensions } }) => {
        const its = dimensions as Record<string, string> | undefined;
        return metricName === metric && its?.[by] === value;
      });
    for (const { name } of of(all, "ebs/volume:Volume")) {
      const log = of(all, "cloudwatch/logGroup:LogGroup").find((each) => each.name === `${name}-log`)?.inputs.name;
      expect([name, watched("DiskUsed", "LogGroup", String(log))]).toEqual([name, true]);
    }
    for (const { name } of of(all, "rds/instance:Instance"))
      expect([name, watched("FreeStorageSpace", "DBInstanceIdentifier", name)]).toEqual([name, true]);
    for (const { name, inputs } of of(all, "elasticache/replicationGroup:ReplicationGroup")) {
      const node = `${String(inputs.replicationGroupId)}-001`;
      expect([name, watched("DatabaseMemoryUsagePercentage", "CacheClusterId", node)]).toEqual([name, true]);
    }
    for (const { name, inputs } of of(all, "opensearch/domain:Domain"))
      expect([name, watched("FreeStorageSpace", "DomainName", String(inputs.domainName))]).toEqual([name, true]);
    for (const { name, inputs } of of(all, "autoscaling/group:Group").filter(({ inputs }) => inputs.maxSize === 1)) {
      const slot = (inputs.tags as { key: string; value: string }[]).find(({ key }) => key === "slot");
      if (slot === undefined) continue; // a swarm's
      const log = of(all, "cloudwatch/logGroup:LogGroup").find((each) => each.name === `${name}-log`)?.inputs.name;
      expect([name, watched("DiskUsed", "LogGroup", String(log))]).toEqual([name, true]);
    }
    const machines = of(all, "ec2/instance:Instance").length;
    expect(machines === 0 || watched("DiskUsed", "LogGroup", "/machines/swarm")).toBe(true);
  });

  test("every service, machine, group and target has an alarm, and everything rings at one topic", () => {
    const names = alarms(all).map(({ name }) => name);
    for (const { name } of of(all, "ecs/service:Service")) expect(names).toContain(`${name}-tasks`);
    for (const { name } of [...of(all, "autoscaling/group:Group"), ...of(all, "ec2/instance:Instance")])
      expect(names.some((each) => each === `${name}-machine` || each === `${name}-machines`)).toBe(true);
    for (const { name } of of(all, "lb/targetGroup:TargetGroup")) expect(names).toContain(`${name}-unhealthy`);
    for (const { inputs } of alarms(all)) expect(inputs.alarmActions).toEqual(["arn:aws:sns/topic:Topic:aws-alarms"]);
  });

  test("each alarm says what is wrong and where to look, and CloudWatch can look back that far", () => {
    expect(alarms(all).length).toBeGreaterThan(4);
    const logs = of(all, "cloudwatch/logGroup:LogGroup").map(({ inputs }) => inputs.name);
    for (const { name, inputs } of alarms(all)) {
      const { alarmDescription, period, evaluationPeriods } = inputs as Record<string, number | string>;
      expect([name, alarmDescription]).toEqual([name, expect.stringMatching(/^\S.{10,}\. Look: .*(`[^`]+`|docs\/)/)]);
      const tails = [...String(alarmDescription).matchAll(/aws logs tail (\S+)/g)].map(([, log]) => log);
      expect(logs).toEqual(expect.arrayContaining(tails));
      expect(String(alarmDescription).length).toBeLessThanOrEqual(1024);
      const seconds = Number(period) * Number(evaluationPeriods);
      expect([name, Number.isInteger(evaluationPeriods)]).toEqual([name, true]);
      expect(seconds).toBeLessThanOrEqual(Number(period) < 3600 ? 86_400 : 604_800);
    }
    // A widget has a hundred at most.
    expect(alarms(all).length).toBeLessThanOrEqual(100);
  });

  test("every log ends, those of the databases too", () => {
    const logs = of(all, "cloudwatch/logGroup:LogGroup");
    for (const { inputs } of logs) expect(inputs.retentionInDays).toBe(30);
    const paths = logs.map(({ inputs }) => inputs.name);
    for (const { inputs } of of(all, "rds/instance:Instance"))
      for (const log of inputs.enabledCloudwatchLogsExports as string[])
        expect(paths).toContain(`/aws/rds/instance/${String(inputs.identifier)}/${log}`);
  });

  test("disks with data are in the nightly snapshots, and the same stack without protection has none", async () => {
    const [policy] = of(all, "dlm/lifecyclePolicy:LifecyclePolicy");
    const { name } = readyConfig(`stacks/${stack}.yaml`);
    expect(policy?.inputs.policyDetails).toMatchObject({ targetTags: { backup: name } });
    for (const { inputs } of of(all, "ebs/volume:Volume")) expect(inputs.tags).toMatchObject({ backup: name });
    const kept = of(all, "ec2/launchTemplate:LaunchTemplate").filter((each) => each.name.endsWith("-managers"));
    for (const { inputs } of kept)
      expect(JSON.stringify(inputs.tagSpecifications)).toContain(`"backup":"${String(name)}"`);
    const bare = await deploy(its);
    expect(inventory([...bare])).not.toHaveProperty("aws:LifecyclePolicy");
    expect(inventory([...bare])).not.toHaveProperty("aws:BucketLogging");
  });

  test("requests to each of its buckets are recorded, but for those of the records", () => {
    const logged = of(all, "s3/bucketLogging:BucketLogging").map(({ name }) => name);
    const buckets = of(all, "s3/bucket:Bucket").map(({ name }) => name);
    expect(logged.sort()).toEqual(buckets.filter((name) => !name.endsWith("-records")).sort());
  });

  test("with a key of its own all that is encrypted has that key, but for the records, which no balancer could write", async () => {
    const keyed = await deploy(its, protecting(stack), { kmsKey: "create" });
    const key = "arn:aws:kms/key:Key:aws-key";
    const found: Record<string, number> = {};
    for (const { type, name, inputs } of keyed) {
      const row = keys[type.replace(/^aws:/, "")];
      if (row === undefined || name === "aws-records") continue;
      found[type] = (found[type] ?? 0) + 1;
      for (const value of row(inputs)) expect([type, name, value]).toEqual([type, name, key]);
    }
    expect(Object.keys(found).length).toBeGreaterThan(2);
    const [made] = of(keyed, "kms/key:Key");
    expect(made?.options.protect).toBe(true);
    // Nothing else has a key, and nothing is left that could have one.
    for (const each of keyed.filter(({ type }) => type.startsWith("aws:") && keys[type.slice(4)] === undefined))
      expect([each.name, JSON.stringify(each.inputs).includes(key)]).toEqual([each.name, false]);
  });
});

type Inputs = Registered["inputs"];
/** Where the key of each thing that is encrypted stands. */
const keys: Readonly<Record<string, (inputs: Inputs) => unknown[]>> = {
  "cloudwatch/logGroup:LogGroup": ({ kmsKeyId }) => [kmsKeyId],
  "ebs/volume:Volume": ({ kmsKeyId }) => [kmsKeyId],
  "ec2/launchTemplate:LaunchTemplate": ({ blockDeviceMappings }) =>
    (blockDeviceMappings as { ebs: { kmsKeyId?: string } }[]).map(({ ebs }) => ebs.kmsKeyId),
  "elasticache/replicationGroup:ReplicationGroup": ({ kmsKeyId }) => [kmsKeyId],
  "opensearch/domain:Domain": ({ encryptAtRest }) => [(encryptAtRest as { kmsKeyId?: string }).kmsKeyId],
  "rds/instance:Instance": ({ kmsKeyId, performanceInsightsKmsKeyId }) => [kmsKeyId, performanceInsightsKmsKeyId],
  "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ({ rules }) =>
    (rules as { applyServerSideEncryptionByDefault: { kmsMasterKeyId?: string } }[]).map(
      (rule) => rule.applyServerSideEncryptionByDefault.kmsMasterKeyId,
    ),
  "secretsmanager/secret:Secret": ({ kmsKeyId }) => [kmsKeyId],
  "sns/topic:Topic": ({ kmsMasterKeyId }) => [kmsMasterKeyId],
};

describe("arkindex-aws", () => {
  let all: All;
  beforeAll(async () => {
    all = await recordReady("arkindex-aws", protecting("arkindex-aws"));
  });

  test("rings when no backup has got through for twice the time, and when one cannot be restored", () => {
    const filters = of(all, "cloudwatch/logMetricFilter:LogMetricFilter");
    expect(filters.map(({ inputs }) => [inputs.logGroupName, inputs.pattern])).toEqual([
      ["/arkindex/backup", '"is complete"'],
      ["/arkindex/backup", '"cannot be restored"'],
    ]);
    const [counted] = filters.map(({ inputs }) => inputs.metricTransformation as { namespace: string; name: string });
    expect(alarm(all, "arkindex-backup-missing")).toMatchObject({
      ...{ namespace: counted?.namespace, metricName: counted?.name, statistic: "Sum" },
      ...{ comparisonOperator: "LessThanThreshold", threshold: 1, treatMissingData: "breaching" },
      ...{ period: 3600, evaluationPeriods: 49 },
    });
    expect(alarm(all, "arkindex-backup-drill")).toMatchObject({
      ...{ comparisonOperator: "GreaterThanThreshold", threshold: 0, treatMissingData: "notBreaching" },
    });
  });

  test("watches the lag of both nodes of a cache, as they change places", () => {
    const lag = alarms(all).filter(({ inputs }) => inputs.metricName === "ReplicationLag");
    expect(lag.map(({ inputs }) => (inputs.dimensions as { CacheClusterId: string }).CacheClusterId)).toEqual([
      "arkindex-redis-001",
      "arkindex-redis-002",
    ]);
  });

  test("a certificate that has ended has no metric, and does not pass for well", () => {
    expect(alarm(all, "aws-edge-certificate")).toMatchObject({ treatMissingData: "ignore", period: 86_400 });
  });

  test("an alarm of a machine's disk waits until the machine has said how full that is", () => {
    const found = alarms(all).find(({ name }) => name === "arkindex-solr-1-storage");
    expect(found?.options.dependsOn).toContain("Machine arkindex-solr-1");
  });

  test("an operator's key is named where one is asked for, and his firewall stands before the balancer", async () => {
    const kmsKey = "arn:aws:kms:eu-central-1:123456789012:key/0123-abcd";
    const firewall = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/ours/0123";
    const own = await withAws("arkindex-aws", { kmsKey, firewall });
    expect(of(own, "kms/key:Key")).toEqual([]);
    expect(of(own, "rds/instance:Instance").map(({ inputs }) => inputs.kmsKeyId)).toEqual([kmsKey]);
    expect(of(own, "wafv2/webAclAssociation:WebAclAssociation").map(({ inputs }) => inputs)).toEqual([
      { resourceArn: "arn:aws:lb/loadBalancer:LoadBalancer:arkindex-edge", webAclArn: firewall },
    ]);
    expect(of(all, "wafv2/webAclAssociation:WebAclAssociation")).toEqual([]);
  });

  test("no changed key replaces what holds data", () => {
    for (const type of ["ebs/volume:Volume", "rds/instance:Instance", "elasticache/replicationGroup:ReplicationGroup"])
      for (const { options } of of(all, type)) expect(options.ignoreChanges).toContain("kmsKeyId");
  });

  test("the policy of a key lets the services of its account use it, and nobody of another", async () => {
    const [key] = of(await withAws("arkindex-aws", { kmsKey: "create" }), "kms/key:Key");
    const { Statement } = JSON.parse(String(key?.inputs.policy)) as { Statement: Statement[] };
    const everybody = Statement.filter(({ Principal }) => Principal.AWS === "*");
    expect(everybody).toHaveLength(4);
    for (const { Condition } of everybody) expect(JSON.stringify(Condition)).toContain("123456789012");
    const services = Statement.flatMap(({ Principal }) => Principal.Service ?? []);
    expect(services).toEqual(["logs.eu-central-1.amazonaws.com", "cloudwatch.amazonaws.com"]);
  });

  test("a disk is made of the snapshot that its word names; any other word makes an empty one", async () => {
    const disk = async (word: string) => {
      const [volume] = of(await recordReady("arkindex-aws", { disks: { "solr-1": word } }), "ebs/volume:Volume");
      return volume?.inputs.snapshotId;
    };
    expect(await disk("snap-0123456789abcdef0")).toBe("snap-0123456789abcdef0");
    expect(await disk("2026-03-01")).toBeUndefined();
  });
});

interface Statement {
  readonly Principal: { readonly AWS?: string; readonly Service?: string };
  readonly Condition?: object;
}
