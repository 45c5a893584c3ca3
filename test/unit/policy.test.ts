/** The rules of the policy pack: every ready stack keeps them, and each of them notices what it is there for. */
import { beforeAll, describe, expect, test } from "@jest/globals";

import { awsRules } from "../../policy/aws.ts";
import { findingsOf, type Made, type Rule } from "../../policy/rule.ts";
import { stackRules } from "../../policy/stack.ts";
import type { Registered } from "../support/mocks.ts";
import { protecting } from "../support/protected.ts";
import { readyConfig, recordReady } from "../support/ready.ts";

const rules: readonly Rule[] = [...awsRules, ...stackRules];
function madeOf(all: readonly Registered[]): Made[] {
  const types = new Map(all.filter(({ custom }) => !custom).map(({ name, type }) => [name, type]));
  return all.map(({ type, name, inputs, options, parent }) => ({
    ...{ type, name, protect: options.protect },
    props: { id: `${name}-id`, ...inputs },
    parent: { type: types.get(parent) ?? "", name: parent },
  }));
}

/** The first of a type, changed. */
function changed(all: readonly Made[], type: string, change: (made: Made) => Partial<Made>): Made[] {
  const at = all.findIndex((made) => made.type === type);
  const found = all[at];
  if (found === undefined) throw new Error(`no ${type}`);
  return all.with(at, { ...found, ...change(found) });
}
const props =
  (over: object) =>
  (made: Made): Partial<Made> => ({ props: { ...made.props, ...over } });
const without = (all: readonly Made[], type: string): Made[] => all.filter((made) => made.type !== type);
const another = (all: readonly Made[], made: Partial<Made> & { readonly type: string }): Made[] => [
  ...all,
  { name: "other", props: {}, protect: false, parent: { type: "", name: "" }, ...made },
];
/** The definition of the first task, its container changed. */
const container = (all: readonly Made[], over: object): Made[] =>
  changed(all, "aws:ecs/taskDefinition:TaskDefinition", ({ props: { containerDefinitions, ...rest } }) => {
    const [first, ...others] = JSON.parse(containerDefinitions as string) as object[];
    return { props: { ...rest, containerDefinitions: JSON.stringify([{ ...first, ...over }, ...others]) } };
  });

const told = (all: readonly Made[], those: readonly Rule[] = rules): string[] =>
  those.flatMap((rule) => findingsOf(rule, all).map(({ on, why }) => `${rule.name} ${on.name}: ${why}`));

const advice = rules.filter(({ advisory }) => advisory);
const orders = rules.filter(({ advisory }) => !advisory);

const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";
const withAgents = {
  arkindex: { bucketKeys: true, agents: { cpu: { farm }, gpu: { farm, gpus: 1, replicas: 2 } } },
  secrets: { "ponosSeed-cpu": "one-seed", "ponosSeed-gpu": "other-seed" },
};

test.each([
  ["arkindex", "as it is ready"],
  ["arkindex", "with agents"],
  ...["arkindex", "arangodb", "machines", "media", "pyrus"].map((system) => [system, "protected"]),
  ["pyrus", "with our own proxy, and ACM's certificate"],
  ["media", "protected, with AWS' own search"],
])("%s on AWS, %s, keeps every rule", async (system, how) => {
  const tls = { mode: "acm", certificate: "arn:aws:acm:eu-central-1:123456789012:certificate/c" };
  const { aws } = readyConfig(`stacks/${system}-aws.yaml`) as { aws: object };
  const config = {
    ...(how === "with agents" ? withAgents : how === "as it is ready" ? {} : protecting(`${system}-aws`)),
    ...(how.endsWith("own search") ? { media: { searchSpeaks: ["opensearch2"] } } : {}),
    ...(how.startsWith("with our own proxy") ? { aws: { ...aws, edge: "proxy", tls } } : {}),
  };
  const all = madeOf(await recordReady(`${system}-aws`, config));
  expect(all.length).toBeGreaterThan(system === "machines" ? 100 : 200);
  expect(told(all, orders)).toEqual([]);
  // Its Redis client speaks no TLS: docs/aws.md.
  const plain = "cache-tls-alone arkindex-redis: a cache takes TLS alone: `transitEncryptionMode: required`";
  expect(told(all, advice)).toEqual(system === "arkindex" ? [plain] : []);
});

test.each(["arkindex", "arangodb", "media", "pyrus", "shinyproxy"])(
  "%s on one host keeps every rule",
  async (system) => {
    expect(told(madeOf(await recordReady(`${system}-docker`)))).toEqual([]);
  },
);

const ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const machine = "aws:ec2/instance:Instance";
const template = "aws:ec2/launchTemplate:LaunchTemplate";
const definition = "aws:ecs/taskDefinition:TaskDefinition";
const balancer = "aws:lb/loadBalancer:LoadBalancer";
const listener = "aws:lb/listener:Listener";
const database = "aws:rds/instance:Instance";
const cache = "aws:elasticache/replicationGroup:ReplicationGroup";
const search = "aws:opensearch/domain:Domain";
const key = "aws:kms/key:Key";
const everything = JSON.stringify({ Statement: [{ Effect: "Allow", Action: ["*"], Resource: "*" }] });
const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * What each rule is there for: a protected Arkindex on AWS, with a media platform's search, in which one thing is wrong or
 * beside it.
 */
const broken: Record<string, (all: readonly Made[]) => Made[]> = {
  "vpc-default-group": (all) => without(all, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"),
  "vpc-flow-log": (all) => without(all, "aws:ec2/flowLog:FlowLog"),
  "vpc-default-group-empty": (all) =>
    changed(all, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", props({ egress: [{ protocol: "-1" }] })),
  "vpc-flow-log-rejected": (all) => changed(all, "aws:ec2/flowLog:FlowLog", props({ trafficType: "ACCEPT" })),
  "subnet-private-addresses": (all) => changed(all, "aws:ec2/subnet:Subnet", props({ mapPublicIpOnLaunch: true })),
  "security-group-rules-apart": (all) =>
    changed(all, "aws:ec2/securityGroup:SecurityGroup", props({ ingress: [{ protocol: "tcp" }] })),
  "world-reaches-web-ports-alone": (all) =>
    changed(all, ingress, props({ cidrIpv6: "::/0", fromPort: 443, toPort: 444 })),
  "instance-metadata-v2": (all) =>
    another(all, { type: machine, props: { metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 2 } } }),
  "instance-private": (all) =>
    another(all, {
      type: machine,
      props: { metadataOptions: { httpTokens: "required" }, associatePublicIpAddress: true },
    }),
  "machine-metadata-v2": (all) => changed(all, template, props({ metadataOptions: { httpTokens: "optional" } })),
  "machine-metadata-one-hop": (all) =>
    changed(all, template, props({ metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 2 } })),
  "machine-disk-encrypted": (all) =>
    changed(all, template, props({ blockDeviceMappings: [{ ebs: { encrypted: "false" } }] })),
  "machine-private": (all) =>
    changed(all, template, props({ networkInterfaces: [{ associatePublicIpAddress: "true" }] })),
  "disk-encrypted": (all) => changed(all, "aws:ebs/volume:Volume", props({ encrypted: undefined })),
  "group-from-template": (all) => changed(all, "aws:autoscaling/group:Group", props({ launchTemplate: undefined })),
  "cluster-insights": (all) =>
    changed(all, "aws:ecs/cluster:Cluster", props({ settings: [{ name: "containerInsights", value: "disabled" }] })),
  "service-private": (all) =>
    changed(all, "aws:ecs/service:Service", props({ networkConfiguration: { assignPublicIp: true } })),
  "service-rolls-back": (all) =>
    changed(all, "aws:ecs/service:Service", props({ deploymentCircuitBreaker: { enable: true, rollback: false } })),
  "task-own-network": (all) => changed(all, definition, props({ pidMode: "host" })),
  "task-unprivileged": (all) => container(all, { privileged: true }),
  "task-secrets-apart": (all) => container(all, { environment: [{ name: "DB_PASSWORD", value: "hush" }] }),
  "task-logs": (all) => container(all, { logConfiguration: undefined }),
  "log-days": (all) => changed(all, "aws:cloudwatch/logGroup:LogGroup", props({ retentionInDays: undefined })),
  "balancer-drops-bad-headers": (all) => changed(all, balancer, props({ dropInvalidHeaderFields: false })),
  "balancer-keeps-requests": (all) => changed(all, balancer, props({ accessLogs: { enabled: false } })),
  "balancer-stays": (all) =>
    changed(all, balancer, (made) => ({ ...props({ enableDeletionProtection: false })(made), protect: true })),
  "balancer-desync": (all) => changed(all, balancer, props({ desyncMitigationMode: "monitor" })),
  "balancer-zones": (all) => changed(all, balancer, props({ subnets: ["one"] })),
  "listener-redirects": (all) =>
    another(all, { type: listener, props: { protocol: "HTTP", defaultActions: [{ type: "forward" }] } }),
  "listener-tls": (all) =>
    another(all, { type: listener, props: { protocol: "HTTPS", sslPolicy: "ELBSecurityPolicy-2016-08" } }),
  "database-private": (all) => changed(all, database, props({ publiclyAccessible: true })),
  "database-encrypted": (all) => changed(all, database, props({ storageEncrypted: false })),
  "database-two-zones": (all) => changed(all, database, props({ multiAz: false })),
  "database-stays": (all) => changed(all, database, props({ finalSnapshotIdentifier: undefined })),
  "database-logs": (all) => changed(all, database, props({ enabledCloudwatchLogsExports: [] })),
  "database-backups": (all) => changed(all, database, props({ backupRetentionPeriod: 6 })),
  "database-minor-versions": (all) => changed(all, database, props({ autoMinorVersionUpgrade: false })),
  "database-snapshot-tags": (all) => changed(all, database, props({ copyTagsToSnapshot: undefined })),
  "database-tls": (all) => changed(all, "aws:rds/parameterGroup:ParameterGroup", props({ parameters: [] })),
  "cache-backups": (all) => changed(all, cache, props({ snapshotRetentionLimit: 0 })),
  "cache-minor-versions": (all) => changed(all, cache, props({ autoMinorVersionUpgrade: false })),
  "cache-failover": (all) => changed(all, cache, props({ automaticFailoverEnabled: false })),
  "cache-encrypted": (all) => changed(all, cache, props({ transitEncryptionEnabled: false })),
  "cache-tls-alone": (all) =>
    another(all, { type: cache, name: "plain", props: { transitEncryptionMode: "preferred" } }),
  "cache-own-subnets": (all) => changed(all, cache, props({ subnetGroupName: "default" })),
  "search-encrypted": (all) => changed(all, search, props({ encryptAtRest: undefined })),
  "search-private": (all) => changed(all, search, props({ vpcOptions: undefined })),
  "search-nodes-encrypted": (all) => changed(all, search, props({ nodeToNodeEncryption: { enabled: false } })),
  "search-logs": (all) => changed(all, search, props({ logPublishingOptions: [{ logType: "AUDIT_LOGS" }] })),
  "search-audit": (all) =>
    changed(all, search, props({ logPublishingOptions: [{ logType: "AUDIT_LOGS", enabled: false }] })),
  "search-zones": (all) =>
    changed(all, search, props({ clusterConfig: { instanceCount: 3, zoneAwarenessEnabled: false } })),
  "search-login": (all) => changed(all, search, props({ advancedSecurityOptions: { enabled: false } })),
  "search-tls": (all) =>
    changed(all, search, props({ domainEndpointOptions: { tlsSecurityPolicy: "Policy-Min-TLS-1-2-2019-07" } })),
  ...Object.fromEntries(
    [
      ["bucket-private", "PublicAccessBlock"],
      ["bucket-policy", "Policy"],
      ["bucket-no-acl", "OwnershipControls"],
      ["bucket-versions", "Versioning"],
      ["bucket-lifecycle", "LifecycleConfiguration"],
      ["bucket-encrypted", "ServerSideEncryptionConfiguration"],
    ].map(([name = "", part = ""]) => [
      name,
      (all: readonly Made[]) => without(all, `aws:s3/bucket${part}:Bucket${part}`),
    ]),
  ),
  "bucket-private-wholly": (all) =>
    changed(all, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", props({ blockPublicAcls: false })),
  "bucket-tls-alone": (all) =>
    changed(
      all,
      "aws:s3/bucketPolicy:BucketPolicy",
      props({ policy: JSON.stringify({ Statement: { Effect: "Allow" } }) }),
    ),
  "bucket-no-acl-wholly": (all) =>
    changed(
      all,
      "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
      props({ rule: { objectOwnership: "ObjectWriter" } }),
    ),
  "bucket-versions-on": (all) =>
    changed(
      all,
      "aws:s3/bucketVersioning:BucketVersioning",
      props({ versioningConfiguration: { status: "Suspended" } }),
    ),
  ...Object.fromEntries(
    ["role", "group", "user"].map((who) => [
      `no-full-rights-${who}-policy`,
      (all: readonly Made[]) =>
        another(all, { type: `aws:iam/${who}Policy:${upper(who)}Policy`, props: { policy: everything } }),
    ]),
  ),
  "no-full-rights-policy": (all) => another(all, { type: "aws:iam/policy:Policy", props: { policy: everything } }),
  "rights-by-group-own": (all) =>
    another(all, { type: "aws:iam/userPolicy:UserPolicy", props: { policy: JSON.stringify({ Statement: [] }) } }),
  "rights-by-group-attached": (all) => another(all, { type: "aws:iam/userPolicyAttachment:UserPolicyAttachment" }),
  "bucket-keeps-requests": (all) => without(all, "aws:s3/bucketLogging:BucketLogging"),
  "key-turns": (all) => another(all, { type: key, props: { enableKeyRotation: false } }),
  "key-stays": (all) => another(all, { type: key, protect: true, props: { deletionWindowInDays: 7 } }),
  "members-odd": (all) =>
    [1, 2].reduce<Made[]>(
      (so, number) =>
        another(so, {
          ...{ type: "platform-topologies:index:Volume", name: `arkindex-nats-${String(number)}`, protect: true },
          parent: { type: "platform-topologies:index:Nats", name: "arkindex-nats" },
        }),
      [...all],
    ),
  "copies-apart": (all) =>
    [1, 2].reduce<Made[]>(
      (so, number) =>
        another(so, {
          ...{ type: "aws:ebs/volume:Volume", name: `arkindex-more-${String(number)}`, protect: true },
          props: { encrypted: true, availabilityZone: "eu-central-1a" },
        }),
      [...all],
    ),
  "disks-backed-up": (all) => all.filter(({ name }) => name !== "arkindex-backup"),
  "disks-in-snapshots": (all) => without(all, "aws:dlm/lifecyclePolicy:LifecyclePolicy"),
  "stores-watched": (all) => all.filter(({ name }) => name !== "arkindex-solr-1-storage"),
  "stores-protected": (all) => changed(all, database, () => ({ protect: false })),
  "data-behind-applications": (all) =>
    another(all, {
      type: ingress,
      props: { securityGroupId: "aws-data-id", referencedSecurityGroupId: "aws-edge-id" },
    }),
  "images-pinned": (all) => container(all, { image: "registry.example.com:5000/shop" }),
  "container-memory": (all) => another(all, { type: "docker:index/container:Container" }),
  "container-unprivileged": (all) =>
    another(all, { type: "docker:index/container:Container", props: { memory: 64, networkMode: "host" } }),
};

describe("a rule", () => {
  let all: Made[];
  beforeAll(async () => {
    const own = { ...protecting("media-aws"), media: { searchSpeaks: ["opensearch2"] } };
    all = [
      ...madeOf(await recordReady("arkindex-aws", protecting("arkindex-aws"))),
      ...madeOf(await recordReady("media-aws", own)).filter(({ type }) => type === search),
    ];
  });

  test("is broken by one of these at least", () => {
    expect(Object.keys(broken).sort()).toEqual(rules.map(({ name }) => name).sort());
  });

  test.each(rules.map((rule) => [rule.name, rule] as const))("%s notices", (name, rule) => {
    const before = told(all, [rule]);
    const after = told(broken[name]?.(all) ?? all, [rule]);
    expect(after.length).toBeGreaterThan(before.length);
  });

  test("of the stores' network notices a source that is no group, and a container in both networks", () => {
    const [rule] = stackRules.filter(({ name }) => name === "data-behind-applications");
    const rows = [
      { type: ingress, props: { securityGroupId: "aws-data-id", cidrIpv4: "10.0.0.0/8" } },
      {
        type: "docker:index/container:Container",
        props: { networksAdvanced: [{ name: "shop-edge" }, { name: "shop-data" }] },
      },
      {
        type: "docker:index/service:Service",
        props: { taskSpec: { networksAdvanceds: [{ name: "shop-data" }, { name: "shop-edge" }] } },
      },
    ];
    for (const row of rows) expect(rule && findingsOf(rule, another(all, row))).toHaveLength(1);
  });

  test("of listeners notices a network load balancer's, too", () => {
    const [rule] = awsRules.filter(({ name }) => name === "listener-tls");
    const props = { protocol: "TLS", sslPolicy: "ELBSecurityPolicy-2016-08" };
    expect(rule && findingsOf(rule, another(all, { type: listener, props }))).toHaveLength(1);
  });

  test("of the stores' network notices our own proxies", () => {
    const [rule] = stackRules.filter(({ name }) => name === "data-behind-applications");
    const group = { type: "aws:ec2/securityGroup:SecurityGroup", name: "aws-proxy", props: { id: "aws-proxy-id" } };
    const props = { securityGroupId: "aws-data-id", referencedSecurityGroupId: "aws-proxy-id" };
    expect(rule && findingsOf(rule, another(another(all, group), { type: ingress, props }))).toHaveLength(1);
  });

  test("of tasks notices a right of root's that is added", () => {
    const [rule] = awsRules.filter(({ name }) => name === "task-unprivileged");
    const added = container(all, { linuxParameters: { capabilities: { add: ["SYS_PTRACE"] } } });
    expect(rule && findingsOf(rule, added)).toHaveLength(1);
  });

  test.each([
    ["r.example.com/shop@sha256:abc", true],
    ["r.example.com:5000/shop:1.2", true],
    ["shop:latest", false],
    ["r.example.com:5000/shop", false],
  ])("of images: %s is pinned: %s", (image, pinned) => {
    const [rule] = stackRules.filter(({ name }) => name === "images-pinned");
    const made = another([], { type: "docker:index/remoteImage:RemoteImage", props: { name: image } });
    expect(rule && findingsOf(rule, made)).toHaveLength(pinned ? 0 : 1);
  });
});
