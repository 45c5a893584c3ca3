/**
 * What AWS Foundational Security Best Practices (FSBP) and the CIS benchmark ask of the resources that AwsRegion makes.
 * Ids as prowler maps them; assumed are those of ELB.17 and EC2.170.
 */
import type { Unwrap } from "@pulumi/pulumi";
import type { GroupArgs } from "@pulumi/aws/autoscaling/group.js";
import type { LogGroupArgs } from "@pulumi/aws/cloudwatch/logGroup.js";
import type { VolumeArgs } from "@pulumi/aws/ebs/volume.js";
import type { DefaultSecurityGroupArgs } from "@pulumi/aws/ec2/defaultSecurityGroup.js";
import type { FlowLogArgs } from "@pulumi/aws/ec2/flowLog.js";
import type { InstanceArgs as MachineArgs } from "@pulumi/aws/ec2/instance.js";
import type { LaunchTemplateArgs } from "@pulumi/aws/ec2/launchTemplate.js";
import type { SecurityGroupArgs } from "@pulumi/aws/ec2/securityGroup.js";
import type { SubnetArgs } from "@pulumi/aws/ec2/subnet.js";
import type { ClusterArgs } from "@pulumi/aws/ecs/cluster.js";
import type { ServiceArgs } from "@pulumi/aws/ecs/service.js";
import type { TaskDefinitionArgs } from "@pulumi/aws/ecs/taskDefinition.js";
import type { ReplicationGroupArgs } from "@pulumi/aws/elasticache/replicationGroup.js";
import type { RolePolicyArgs } from "@pulumi/aws/iam/rolePolicy.js";
import type { KeyArgs } from "@pulumi/aws/kms/key.js";
import type { ListenerArgs } from "@pulumi/aws/lb/listener.js";
import type { LoadBalancerArgs } from "@pulumi/aws/lb/loadBalancer.js";
import type { DomainArgs } from "@pulumi/aws/opensearch/domain.js";
import type { InstanceArgs } from "@pulumi/aws/rds/instance.js";
import type { ParameterGroupArgs } from "@pulumi/aws/rds/parameterGroup.js";
import type { BucketOwnershipControlsArgs } from "@pulumi/aws/s3/bucketOwnershipControls.js";
import type { BucketPolicyArgs } from "@pulumi/aws/s3/bucketPolicy.js";
import type { BucketPublicAccessBlockArgs } from "@pulumi/aws/s3/bucketPublicAccessBlock.js";
import type { BucketVersioningArgs } from "@pulumi/aws/s3/bucketVersioning.js";
import type { SecurityGroupIngressRuleArgs } from "@pulumi/aws/vpc/securityGroupIngressRule.js";

import type { Made, ResourceRule, Rule, StackRule } from "./rule.ts";

type Row<Args> = Pick<ResourceRule, "name" | "controls" | "says" | "advisory"> & {
  readonly breaks: (props: Unwrap<Args>, made: Made) => boolean;
};

/** A network balancer passes TCP on: it sees no request. */
const readsRequests = (type: string | undefined): boolean => type !== "network";

/** Rules about one type. The engine has the inputs in the form of the SDK's own arguments. */
function of<Args>(type: string, rows: readonly Row<Args>[]): ResourceRule[] {
  return rows.map((row) => ({
    ...row,
    of: `aws:${type}`,
    breaks: (props, made) => row.breaks(props as unknown as Unwrap<Args>, made),
  }));
}

/** The types of which each has to have another beside it, by the name that both have in the program. */
function beside(name: string, controls: readonly string[], says: string, each: string, other: string): StackRule {
  return {
    ...{ name, controls, says },
    findings: (all) => {
      const there = new Set(all.filter(({ type }) => type === `aws:${other}`).map((made) => made.name));
      return all
        .filter((made) => made.type === `aws:${each}` && !there.has(made.name))
        .map((made) => ({ on: made, why: says }));
    },
  };
}

/** One of `other` for each of `each`: they are linked by ids, which a preview does not know. */
function asMany(name: string, controls: readonly string[], says: string, each: string, other: string): StackRule {
  return {
    ...{ name, controls, says },
    findings: (all) => {
      const found = all.filter(({ type }) => type === `aws:${each}`);
      const others = all.filter(({ type }) => type === `aws:${other}`);
      return found.slice(others.length).map((made) => ({ on: made, why: says }));
    },
  };
}

const network: Rule[] = [
  asMany(
    "vpc-default-group",
    ["EC2.2", "CIS AWS 6.5"],
    "the default security group of each VPC is adopted, without rules",
    "ec2/vpc:Vpc",
    "ec2/defaultSecurityGroup:DefaultSecurityGroup",
  ),
  asMany(
    "vpc-flow-log",
    ["EC2.6", "CIS AWS 4.7"],
    "each VPC keeps a record of its flows",
    "ec2/vpc:Vpc",
    "ec2/flowLog:FlowLog",
  ),
  ...of<DefaultSecurityGroupArgs>("ec2/defaultSecurityGroup:DefaultSecurityGroup", [
    {
      name: "vpc-default-group-empty",
      controls: ["EC2.2", "CIS AWS 6.5"],
      says: "the default security group has no rules",
      breaks: ({ ingress, egress }) => [...(ingress ?? []), ...(egress ?? [])].length > 0,
    },
  ]),
  ...of<FlowLogArgs>("ec2/flowLog:FlowLog", [
    {
      name: "vpc-flow-log-rejected",
      controls: ["EC2.6", "CIS AWS 4.7"],
      says: "a record of flows has what was refused",
      breaks: ({ trafficType }) => trafficType !== "ALL" && trafficType !== "REJECT",
    },
  ]),
  ...of<SubnetArgs>("ec2/subnet:Subnet", [
    {
      name: "subnet-private-addresses",
      controls: ["EC2.15"],
      says: "a subnet gives no public addresses by itself",
      breaks: ({ mapPublicIpOnLaunch }) => mapPublicIpOnLaunch === true,
    },
  ]),
  ...of<SecurityGroupArgs>("ec2/securityGroup:SecurityGroup", [
    {
      name: "security-group-rules-apart",
      controls: ["EC2.18", "EC2.19"],
      says: "rules are resources of their own, so that these rules see each",
      breaks: ({ ingress, egress }) => [...(ingress ?? []), ...(egress ?? [])].length > 0,
    },
  ]),
  ...of<SecurityGroupIngressRuleArgs>("vpc/securityGroupIngressRule:SecurityGroupIngressRule", [
    {
      name: "world-reaches-web-ports-alone",
      controls: ["EC2.13", "EC2.14", "EC2.18", "EC2.19", "CIS AWS 6.3", "CIS AWS 6.4"],
      says: "only the ports 80 and 443 are open to the world",
      breaks: ({ cidrIpv4, cidrIpv6, fromPort, toPort }) =>
        (cidrIpv4 === "0.0.0.0/0" || cidrIpv6 === "::/0") &&
        !(fromPort === toPort && (fromPort === 80 || fromPort === 443)),
    },
  ]),
];

const machines: Rule[] = [
  ...of<MachineArgs>("ec2/instance:Instance", [
    {
      name: "instance-metadata-v2",
      controls: ["EC2.8", "CIS AWS 6.7"],
      says: "a machine's metadata want a token, and are out of its containers' reach",
      breaks: ({ metadataOptions }) =>
        metadataOptions?.httpTokens !== "required" || (metadataOptions.httpPutResponseHopLimit ?? 1) > 1,
    },
    {
      name: "instance-private",
      controls: ["EC2.9"],
      says: "a machine has no public address",
      breaks: ({ associatePublicIpAddress }) => associatePublicIpAddress === true,
    },
  ]),
  ...of<LaunchTemplateArgs>("ec2/launchTemplate:LaunchTemplate", [
    {
      name: "machine-metadata-v2",
      controls: ["EC2.8", "EC2.170", "AutoScaling.3", "CIS AWS 6.7"],
      says: "a machine's metadata want a token",
      breaks: ({ metadataOptions }) => metadataOptions?.httpTokens !== "required",
    },
    {
      name: "machine-metadata-one-hop",
      controls: ["AutoScaling.4"],
      says: "a machine's metadata are out of its containers' reach",
      breaks: ({ metadataOptions }) => (metadataOptions?.httpPutResponseHopLimit ?? 1) > 1,
    },
    {
      name: "machine-disk-encrypted",
      controls: ["EC2.3", "CIS AWS 6.1.1"],
      says: "the disks of a machine are encrypted",
      breaks: ({ blockDeviceMappings }) =>
        blockDeviceMappings === undefined ||
        blockDeviceMappings.some(({ ebs }) => ebs !== undefined && ebs.encrypted !== "true"),
    },
    {
      name: "machine-private",
      controls: ["EC2.9", "EC2.25"],
      says: "a machine has no public address",
      breaks: ({ networkInterfaces }) =>
        (networkInterfaces ?? []).some(({ associatePublicIpAddress }) => associatePublicIpAddress === "true"),
    },
  ]),
  ...of<VolumeArgs>("ebs/volume:Volume", [
    {
      name: "disk-encrypted",
      controls: ["EC2.3", "CIS AWS 6.1.1"],
      says: "a disk is encrypted",
      breaks: ({ encrypted }) => encrypted !== true,
    },
  ]),
  ...of<GroupArgs>("autoscaling/group:Group", [
    {
      name: "group-from-template",
      controls: ["AutoScaling.9"],
      says: "a group launches from a template",
      breaks: ({ launchTemplate, mixedInstancesPolicy }) =>
        launchTemplate === undefined && mixedInstancesPolicy === undefined,
    },
  ]),
];

/** A container of a task's definition, as far as the rules look. */
interface TaskContainer {
  readonly name?: string;
  readonly privileged?: boolean;
  readonly linuxParameters?: { readonly capabilities?: { readonly add?: readonly string[] } };
  readonly environment?: readonly { readonly name: string; readonly value?: string }[];
  readonly logConfiguration?: object;
}
const containersOf = ({ containerDefinitions }: Unwrap<TaskDefinitionArgs>): TaskContainer[] =>
  JSON.parse(containerDefinitions) as TaskContainer[];

/** Names by which a value is taken for a secret; a file's or a page's name is none. */
const secretName = /(password|passwd|secret|token|api_?key|access_?key|private_?key)$/i;

const tasks: Rule[] = [
  ...of<ClusterArgs>("ecs/cluster:Cluster", [
    {
      name: "cluster-insights",
      controls: ["ECS.12"],
      says: "a cluster has container insights",
      breaks: ({ settings }) =>
        !(settings ?? []).some(({ name, value }) => name === "containerInsights" && /^(enabled|enhanced)$/.test(value)),
    },
  ]),
  ...of<ServiceArgs>("ecs/service:Service", [
    {
      name: "service-private",
      controls: ["ECS.2"],
      says: "a task has no public address",
      breaks: ({ networkConfiguration }) => networkConfiguration?.assignPublicIp === true,
    },
    {
      name: "service-rolls-back",
      controls: [],
      says: "a roll that fails is rolled back by ECS",
      breaks: ({ deploymentCircuitBreaker, deploymentController }) =>
        deploymentController?.type !== "CODE_DEPLOY" && deploymentCircuitBreaker?.rollback !== true,
    },
  ]),
  ...of<TaskDefinitionArgs>("ecs/taskDefinition:TaskDefinition", [
    {
      name: "task-own-network",
      controls: ["ECS.1", "ECS.3"],
      says: "a task has a network and processes of its own",
      breaks: ({ networkMode, pidMode }) => networkMode !== "awsvpc" || pidMode === "host",
    },
    {
      name: "task-unprivileged",
      controls: ["ECS.4"],
      says: "no container is privileged, or has rights of root's added",
      breaks: (props) =>
        containersOf(props).some(
          ({ privileged, linuxParameters }) =>
            privileged === true || (linuxParameters?.capabilities?.add ?? []).length > 0,
        ),
    },
    {
      name: "task-secrets-apart",
      controls: ["ECS.8"],
      says: "no secret is in the environment: `secrets` takes it from Secrets Manager",
      breaks: (props) =>
        containersOf(props).some(({ environment = [] }) =>
          environment.some(({ name, value = "" }) => secretName.test(name) && value !== ""),
        ),
    },
    {
      name: "task-logs",
      controls: ["ECS.9"],
      says: "every container's log is kept",
      breaks: (props) => containersOf(props).some(({ logConfiguration }) => logConfiguration === undefined),
    },
  ]),
  ...of<LogGroupArgs>("cloudwatch/logGroup:LogGroup", [
    {
      name: "log-days",
      controls: ["CloudWatch.16"],
      says: "a log says how long it is kept",
      breaks: ({ retentionInDays }) => retentionInDays === undefined || retentionInDays < 1,
    },
  ]),
];

const edge: Rule[] = [
  ...of<LoadBalancerArgs>("lb/loadBalancer:LoadBalancer", [
    {
      name: "balancer-drops-bad-headers",
      controls: ["ELB.4"],
      says: "headers that are none are dropped",
      breaks: ({ dropInvalidHeaderFields, loadBalancerType }) =>
        readsRequests(loadBalancerType) && dropInvalidHeaderFields !== true,
    },
    {
      name: "balancer-keeps-requests",
      controls: ["ELB.5", "CIS AWS 4.10"],
      says: "requests are recorded",
      breaks: ({ accessLogs, loadBalancerType }) => readsRequests(loadBalancerType) && accessLogs?.enabled !== true,
    },
    {
      name: "balancer-stays",
      controls: ["ELB.6"],
      says: "a balancer of a protected stack cannot be deleted",
      breaks: ({ enableDeletionProtection }, { protect }) => protect && enableDeletionProtection !== true,
    },
    {
      name: "balancer-desync",
      controls: ["ELB.12"],
      says: "requests that two servers would read differently are refused",
      breaks: ({ desyncMitigationMode, loadBalancerType }) =>
        readsRequests(loadBalancerType) && desyncMitigationMode !== "defensive" && desyncMitigationMode !== "strictest",
    },
    {
      name: "balancer-zones",
      controls: ["ELB.13"],
      says: "a balancer is in two zones at least",
      breaks: ({ subnets, subnetMappings }) => (subnets ?? subnetMappings ?? []).length < 2,
    },
  ]),
  ...of<ListenerArgs>("lb/listener:Listener", [
    {
      name: "listener-redirects",
      controls: ["ELB.1"],
      says: "plain HTTP is sent to HTTPS",
      breaks: ({ protocol, defaultActions }) =>
        protocol === "HTTP" && !defaultActions.every(({ redirect }) => redirect?.protocol === "HTTPS"),
    },
    {
      name: "listener-tls",
      controls: ["ELB.17"],
      says: "TLS is 1.2 or later, with a policy that has 1.3",
      breaks: ({ protocol, sslPolicy }) =>
        (protocol === "HTTPS" || protocol === "TLS") && !/TLS13-1-[23]/.test(sslPolicy ?? ""),
    },
  ]),
];

const stores: Rule[] = [
  ...of<InstanceArgs>("rds/instance:Instance", [
    {
      name: "database-private",
      controls: ["RDS.2", "CIS AWS 3.2.3"],
      says: "a database has no public address",
      breaks: ({ publiclyAccessible }) => publiclyAccessible === true,
    },
    {
      name: "database-encrypted",
      controls: ["RDS.3", "CIS AWS 3.2.1"],
      says: "a database is encrypted",
      breaks: ({ storageEncrypted }) => storageEncrypted !== true,
    },
    {
      name: "database-two-zones",
      controls: ["RDS.5", "CIS AWS 3.2.4"],
      says: "a protected database has a copy in another zone",
      breaks: ({ multiAz }, { protect }) => protect && multiAz !== true,
    },
    {
      name: "database-stays",
      controls: ["RDS.8"],
      says: "a protected database cannot be deleted, and leaves a snapshot",
      breaks: ({ deletionProtection, skipFinalSnapshot, finalSnapshotIdentifier }, { protect }) =>
        protect && (deletionProtection !== true || skipFinalSnapshot === true || finalSnapshotIdentifier === undefined),
    },
    {
      name: "database-logs",
      controls: ["RDS.9", "RDS.36"],
      says: "a database's log is in CloudWatch",
      breaks: ({ enabledCloudwatchLogsExports }) => (enabledCloudwatchLogsExports ?? []).length === 0,
    },
    {
      name: "database-backups",
      controls: ["RDS.11"],
      says: "a protected database has backups of seven days at least",
      breaks: ({ backupRetentionPeriod }, { protect }) => (backupRetentionPeriod ?? 0) < (protect ? 7 : 1),
    },
    {
      name: "database-minor-versions",
      controls: ["RDS.13", "CIS AWS 3.2.2"],
      says: "a database takes minor versions by itself",
      breaks: ({ autoMinorVersionUpgrade }) => autoMinorVersionUpgrade === false,
    },
    {
      name: "database-snapshot-tags",
      controls: ["RDS.17"],
      says: "a snapshot has the tags of its database",
      breaks: ({ copyTagsToSnapshot }) => copyTagsToSnapshot !== true,
    },
  ]),
  ...of<ParameterGroupArgs>("rds/parameterGroup:ParameterGroup", [
    {
      name: "database-tls",
      controls: ["RDS.38"],
      says: "PostgreSQL refuses what is not TLS",
      breaks: ({ family, parameters }) =>
        /^(aurora-)?postgres/.test(family) &&
        !(parameters ?? []).some(({ name, value }) => name === "rds.force_ssl" && value === "1"),
    },
  ]),
  ...of<ReplicationGroupArgs>("elasticache/replicationGroup:ReplicationGroup", [
    {
      name: "cache-backups",
      controls: ["ElastiCache.1"],
      says: "a cache has snapshots",
      breaks: ({ snapshotRetentionLimit }) => (snapshotRetentionLimit ?? 0) < 1,
    },
    {
      name: "cache-minor-versions",
      controls: ["ElastiCache.2"],
      says: "a cache takes minor versions by itself",
      breaks: ({ autoMinorVersionUpgrade }) => autoMinorVersionUpgrade === false,
    },
    {
      name: "cache-failover",
      controls: ["ElastiCache.3"],
      says: "a protected cache fails over to a copy",
      breaks: ({ automaticFailoverEnabled }, { protect }) => protect && automaticFailoverEnabled !== true,
    },
    {
      name: "cache-encrypted",
      controls: ["ElastiCache.4", "ElastiCache.5"],
      says: "a cache is encrypted, on its disks and on its ways",
      breaks: ({ atRestEncryptionEnabled, transitEncryptionEnabled }) =>
        atRestEncryptionEnabled !== true || transitEncryptionEnabled !== true,
    },
    {
      name: "cache-tls-alone",
      controls: [],
      says: "a cache takes TLS alone: `transitEncryptionMode: required`",
      advisory: true,
      breaks: ({ transitEncryptionMode }) => transitEncryptionMode === "preferred",
    },
    {
      name: "cache-own-subnets",
      controls: ["ElastiCache.7"],
      says: "a cache has subnets of its own",
      breaks: ({ subnetGroupName }) => subnetGroupName === undefined || subnetGroupName === "default",
    },
  ]),
  ...of<DomainArgs>("opensearch/domain:Domain", [
    {
      name: "search-encrypted",
      controls: ["Opensearch.1"],
      says: "a search is encrypted",
      breaks: ({ encryptAtRest }) => encryptAtRest?.enabled !== true,
    },
    {
      name: "search-private",
      controls: ["Opensearch.2"],
      says: "a search has no public address",
      breaks: ({ vpcOptions }) => (vpcOptions?.subnetIds ?? []).length === 0,
    },
    {
      name: "search-nodes-encrypted",
      controls: ["Opensearch.3"],
      says: "a search's nodes speak TLS to each other",
      breaks: ({ nodeToNodeEncryption }) => nodeToNodeEncryption?.enabled !== true,
    },
    ...(
      [
        ["search-logs", "Opensearch.4", "a search's log is in CloudWatch", "ES_APPLICATION_LOGS"],
        ["search-audit", "Opensearch.5", "who may do what in a search, and did, has a log in CloudWatch", "AUDIT_LOGS"],
      ] as const
    ).map(([name, control, says, type]) => ({
      ...{ name, controls: [control], says },
      breaks: ({ logPublishingOptions }: Unwrap<DomainArgs>) =>
        !(logPublishingOptions ?? []).some(({ logType, enabled }) => logType === type && enabled !== false),
    })),
    {
      name: "search-zones",
      controls: ["Opensearch.6"],
      says: "a protected search has three nodes at least, in more zones than one",
      breaks: ({ clusterConfig }, { protect }) =>
        protect && ((clusterConfig?.instanceCount ?? 1) < 3 || clusterConfig?.zoneAwarenessEnabled !== true),
    },
    {
      name: "search-login",
      controls: ["Opensearch.7"],
      says: "a search has users of its own, and knows what each may do",
      breaks: ({ advancedSecurityOptions }) => advancedSecurityOptions?.enabled !== true,
    },
    {
      name: "search-tls",
      controls: ["Opensearch.8"],
      says: "a search takes TLS alone, 1.2 or later with forward secrecy",
      breaks: ({ domainEndpointOptions }) =>
        domainEndpointOptions?.enforceHttps === false ||
        !/^Policy-Min-TLS-1-2-(PFS|RFC|FIPS)/.test(domainEndpointOptions?.tlsSecurityPolicy ?? ""),
    },
  ]),
];

const buckets: Rule[] = [
  ...(
    [
      ["bucket-private", ["S3.1", "S3.8", "CIS AWS 3.1.4"], "a bucket refuses public access", "PublicAccessBlock"],
      ["bucket-policy", ["S3.5", "CIS AWS 3.1.1"], "a bucket has a policy", "Policy"],
      ["bucket-no-acl", ["S3.12"], "a bucket belongs to its account alone", "OwnershipControls"],
      ["bucket-versions", ["S3.14"], "a bucket keeps versions", "Versioning"],
      ["bucket-lifecycle", ["S3.10", "S3.13"], "a bucket says what goes when", "LifecycleConfiguration"],
      ["bucket-encrypted", ["S3.17"], "a bucket names its encryption", "ServerSideEncryptionConfiguration"],
    ] as const
  ).map(([name, controls, says, part]) =>
    beside(name, controls, says, "s3/bucket:Bucket", `s3/bucket${part}:Bucket${part}`),
  ),
  {
    name: "bucket-keeps-requests",
    controls: ["S3.9"],
    says: "requests to a protected bucket are recorded",
    findings: (all) => {
      const there = new Set(
        all.filter(({ type }) => type === "aws:s3/bucketLogging:BucketLogging").map(({ name }) => name),
      );
      return all
        .filter(({ type, name, protect }) => type === "aws:s3/bucket:Bucket" && protect && !there.has(name))
        .map((on) => ({ on, why: "nobody could say who has read it: give it a BucketLogging" }));
    },
  },
  ...of<BucketPublicAccessBlockArgs>("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", [
    {
      name: "bucket-private-wholly",
      controls: ["S3.1", "S3.8"],
      says: "public access is blocked in all four ways",
      breaks: ({ blockPublicAcls, blockPublicPolicy, ignorePublicAcls, restrictPublicBuckets }) =>
        ![blockPublicAcls, blockPublicPolicy, ignorePublicAcls, restrictPublicBuckets].every((each) => each === true),
    },
  ]),
  ...of<BucketPolicyArgs>("s3/bucketPolicy:BucketPolicy", [
    {
      name: "bucket-tls-alone",
      controls: ["S3.5", "CIS AWS 3.1.1"],
      says: "a bucket refuses what is not TLS",
      breaks: ({ policy }) =>
        !statementsOf(policy).some(
          ({ Effect, Condition }) => Effect === "Deny" && Condition?.Bool?.["aws:SecureTransport"] === "false",
        ),
    },
  ]),
  ...of<BucketOwnershipControlsArgs>("s3/bucketOwnershipControls:BucketOwnershipControls", [
    {
      name: "bucket-no-acl-wholly",
      controls: ["S3.12"],
      says: "lists of access are off",
      breaks: ({ rule }) => rule.objectOwnership !== "BucketOwnerEnforced",
    },
  ]),
  ...of<BucketVersioningArgs>("s3/bucketVersioning:BucketVersioning", [
    {
      name: "bucket-versions-on",
      controls: ["S3.14"],
      says: "versions are kept",
      breaks: ({ versioningConfiguration }) => versioningConfiguration.status !== "Enabled",
    },
  ]),
];

interface Statement {
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: { readonly Bool?: Readonly<Record<string, string>> };
}
/** `policy`: JSON, or the object that it is the text of. */
function statementsOf(policy: unknown): Statement[] {
  const { Statement: all } = (typeof policy === "string" ? JSON.parse(policy) : policy) as {
    Statement: Statement | Statement[];
  };
  return [all].flat();
}

/** Every action on everything, or every action of a service on everything. */
function unbounded(policy: unknown): boolean {
  return statementsOf(policy).some(
    ({ Effect, Action = [], Resource = [] }) =>
      Effect === "Allow" && [Action].flat().includes("*") && [Resource].flat().includes("*"),
  );
}

const keys: Rule[] = of<KeyArgs>("kms/key:Key", [
  {
    name: "key-turns",
    controls: ["KMS.4", "CIS AWS 4.6"],
    says: "a key is another one each year, and reads what the old ones wrote",
    breaks: ({ enableKeyRotation }) => enableKeyRotation !== true,
  },
  {
    name: "key-stays",
    controls: ["KMS.3"],
    says: "a protected key is not gone at once",
    breaks: ({ deletionWindowInDays }, { protect }) => protect && (deletionWindowInDays ?? 30) < 30,
  },
]);

const rights: Rule[] = [
  ...[
    "iam/rolePolicy:RolePolicy",
    "iam/groupPolicy:GroupPolicy",
    "iam/userPolicy:UserPolicy",
    "iam/policy:Policy",
  ].flatMap((type) =>
    of<RolePolicyArgs>(type, [
      {
        name: `no-full-rights-${/(\w+):/.exec(type)?.[1]?.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) ?? ""}`,
        controls: ["IAM.1"],
        says: "nobody may do everything",
        breaks: ({ policy }) => unbounded(policy),
      },
    ]),
  ),
  ...["iam/userPolicy:UserPolicy", "iam/userPolicyAttachment:UserPolicyAttachment"].flatMap((type) =>
    of<object>(type, [
      {
        name: `rights-by-group-${type.endsWith("Attachment") ? "attached" : "own"}`,
        controls: ["IAM.2"],
        says: "a user has rights by a group alone",
        breaks: () => true,
      },
    ]),
  ),
];

/** In the order of a stack. */
export const awsRules: readonly Rule[] = [...[network, machines, tasks, edge, stores, buckets, keys, rights].flat()];
