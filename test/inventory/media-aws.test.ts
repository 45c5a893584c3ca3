/** A media platform on AWS whose search is AWS' own: what the domain is, who may call it, and what waits for it. */
import { beforeAll, expect, test } from "@jest/globals";

import { protecting } from "../support/protected.ts";
import { inventory, type Registered } from "../support/mocks.ts";
import { readyConfig, recordReady } from "../support/ready.ts";

const own = (over: object = {}) => ({ media: { searchSpeaks: ["opensearch2"], ...over } });
const type = "aws:opensearch/domain:Domain";

let all: Registered[];
let small: Registered[];
beforeAll(async () => {
  all = await recordReady("media-aws", { ...protecting("media-aws"), ...own() });
  small = await recordReady("media-aws", own({ searchNodes: 1, searchGib: 5 }));
});

const one = (of: string, name: string, from = all): Registered => {
  const found = from.find((each) => each.type === of && each.name === name);
  if (found === undefined) throw new Error(`no ${of} ${name}`);
  return found;
};
const domain = (from = all) => one(type, "media-elasticsearch", from);

test("inventory", () => {
  const counts = inventory(all);
  const kinds = ["aws:Domain", "aws:LogResourcePolicy", "aws:ReplicationGroup", "aws:ServiceLinkedRole", "aws:Volume"];
  expect(Object.fromEntries(kinds.map((kind) => [kind, counts[kind]]))).toEqual({
    "aws:Domain": 1,
    "aws:LogResourcePolicy": 1,
    "aws:ReplicationGroup": 1,
    "aws:ServiceLinkedRole": undefined, // the account has it
    "aws:Volume": 6, // of Cassandra and RabbitMQ
  });
  expect(all.filter(({ name }) => /elasticsearch-\d/.test(name))).toEqual([]);
});

test("the domain lies in the stores' network, encrypted, and takes TLS and a login alone", () => {
  const { inputs } = domain();
  expect(inputs).toMatchObject({
    domainName: "media-elasticsearch",
    vpcOptions: {
      subnetIds: ["a", "b", "c"].map((zone) => `aws-data-eu-central-1${zone}-id`),
      securityGroupIds: ["aws-data-id"],
    },
    encryptAtRest: { enabled: true },
    nodeToNodeEncryption: { enabled: true },
    domainEndpointOptions: { enforceHttps: true, tlsSecurityPolicy: "Policy-Min-TLS-1-2-PFS-2023-10" },
    advancedSecurityOptions: {
      enabled: true,
      internalUserDatabaseEnabled: true,
      masterUserOptions: { masterUserName: "app", masterUserPassword: "password-of-media-elasticsearch-master" },
    },
  });
  expect(JSON.parse(String(inputs.accessPolicies))).toMatchObject({
    Statement: [{ Resource: "arn:aws:es:eu-central-1:123456789012:domain/media-elasticsearch/*" }],
  });
});

test("its password has each class of characters that the service insists on", () => {
  expect(one("random:index/randomPassword:RandomPassword", "media-elasticsearch-master").inputs).toMatchObject({
    ...{ length: 32, overrideSpecial: "!", minSpecial: 1, minLower: 1, minUpper: 1, minNumeric: 1 },
  });
});

test("a protected stack has three nodes in three zones, whatever it asks; another what it asks, in one", async () => {
  const asked = await recordReady("media-aws", { ...protecting("media-aws"), ...own({ searchNodes: 1 }) });
  for (const from of [all, asked]) {
    expect(domain(from).inputs.clusterConfig).toMatchObject({
      ...{ instanceType: "t3.small.search", instanceCount: 3 },
      ...{ zoneAwarenessEnabled: true, zoneAwarenessConfig: { availabilityZoneCount: 3 } },
    });
    expect(domain(from).options.protect).toBe(true);
  }
  const { inputs, options } = domain(small);
  expect(inputs.clusterConfig).toMatchObject({ instanceCount: 1, zoneAwarenessEnabled: false });
  expect(inputs.clusterConfig).not.toHaveProperty("zoneAwarenessConfig");
  expect(inputs.vpcOptions).toMatchObject({ subnetIds: ["aws-data-eu-central-1a-id"] });
  expect(inputs.ebsOptions).toEqual({ ebsEnabled: true, volumeType: "gp3", volumeSize: 10 });
  expect(options.protect).toBe(false);
});

test("the operator's word lifts the protection of what may go", async () => {
  const word = { disks: { elasticsearch: "gone" } };
  const leaving = await recordReady("media-aws", { ...protecting("media-aws"), ...own(), ...word });
  expect(domain(leaving).options.protect).toBe(false);
});

test("no later release, and no change of the config, makes an empty domain in its place", () => {
  for (const from of [all, small])
    expect(domain(from).options.ignoreChanges).toEqual(
      expect.arrayContaining(["domainName", "engineVersion", "encryptAtRest", "nodeToNodeEncryption"]),
    );
});

test("its logs are kept, and it alone may write them, before it is there", () => {
  expect(domain().inputs.logPublishingOptions).toEqual(
    ["application", "audit"].map((log) => ({
      logType: log === "audit" ? "AUDIT_LOGS" : "ES_APPLICATION_LOGS",
      enabled: true,
      cloudwatchLogGroupArn: `arn:aws:cloudwatch/logGroup:LogGroup:media-elasticsearch-${log}-log`,
    })),
  );
  const { inputs } = one("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "media-elasticsearch");
  const policy = JSON.parse(String(inputs.policyDocument)) as { Statement: unknown[] };
  expect(policy.Statement).toEqual([
    expect.objectContaining({
      Principal: { Service: "es.amazonaws.com" },
      Condition: {
        StringEquals: { "aws:SourceAccount": "123456789012" },
        ArnLike: { "aws:SourceArn": "arn:aws:es:eu-central-1:123456789012:domain/media-elasticsearch" },
      },
    }),
  ]);
  expect(domain().options.dependsOn).toContain("LogResourcePolicy media-elasticsearch");
});

test("the account's role is made where the config says so, before the domain, and stays", async () => {
  const aws = { ...(readyConfig("stacks/media-aws.yaml").aws as object), searchRole: true };
  const made = await recordReady("media-aws", { ...own(), aws });
  const role = one("aws:iam/serviceLinkedRole:ServiceLinkedRole", "aws-search", made);
  expect(role.inputs.awsServiceName).toBe("opensearchservice.amazonaws.com");
  expect(domain(made).options.dependsOn).toContain("ServiceLinkedRole aws-search");
});

test("one Cassandra and one service more change nothing of it", async () => {
  const services = { search: { path: "/" }, indexer: {} };
  const parts = async (over: object) => {
    const made = await recordReady("media-aws", own({ services, ...over }));
    return made
      .filter(({ name }) => name.includes("elasticsearch"))
      .map(({ type: of, name, inputs }) => [of, name, { ...inputs, redact: undefined }]);
  };
  const before = await parts({});
  expect(before.length).toBeGreaterThan(12);
  expect(await parts({ nodes: 4, services: { ...services, stats: {} } })).toEqual(before);
});

test("an alarm rings for a lost index, for refused writes, a missing snapshot and a full disk", () => {
  const alarms = all.filter(
    ({ type: of, name }) => of === "aws:cloudwatch/metricAlarm:MetricAlarm" && name.startsWith("media-elasticsearch-"),
  );
  expect(alarms.map(({ inputs }) => [inputs.metricName, inputs.threshold]).sort()).toEqual([
    ["AutomatedSnapshotFailure", 0],
    ["ClusterIndexWritesBlocked", 0],
    ["ClusterStatus.red", 0],
    ["FreeStorageSpace", 12_800], // MiB: a quarter of 50 GiB
  ]);
  for (const { inputs } of alarms)
    expect(inputs.dimensions).toEqual({ DomainName: "media-elasticsearch", ClientId: "123456789012" });
});

test("a job signs in before any service starts, and services are given the address over TLS", () => {
  const job = one("platform-topologies:index:Job", "media-elasticsearch-setup");
  expect(JSON.stringify(job.inputs.command)).toContain("/_cluster/health?wait_for_status=yellow");
  expect(job.options.dependsOn).toContain("Domain media-elasticsearch");
  expect(one("aws:ecs/service:Service", "media-search").options.dependsOn).toContain("Job media-elasticsearch-setup");
  const secret = one("aws:secretsmanager/secretVersion:SecretVersion", "media-search-secret");
  const [file] = Object.values(JSON.parse(String(secret.inputs.secretString)) as Record<string, string>)
    .filter((text) => text.startsWith("{"))
    .map((text) => JSON.parse(text) as { search: unknown });
  expect(file?.search).toEqual({
    ...{ hosts: ["media-elasticsearch.es.invalid"], port: 443, tls: true },
    ...{ user: "app", password: "password-of-media-elasticsearch-master" },
  });
});

test("no log, policy or definition has its password", () => {
  for (const { inputs } of all.filter(({ type: of }) => /taskDefinition|Policy$/.test(of)))
    expect(JSON.stringify(inputs)).not.toContain("password-of-");
  expect(one("platform-topologies:index:Job", "media-schema").inputs.redact).toContain(
    "password-of-media-elasticsearch-master",
  );
});
