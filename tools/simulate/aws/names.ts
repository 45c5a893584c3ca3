/**
 * Names that AWS takes once in an account and region, and how long they may be. Sources: the API references (lengths), the
 * bridge's own settings (which property it names by itself, how long, in lower case). Tokens without `aws:`.
 */
import { textAt } from "../wire.ts";

import type { Config, Name } from "../cloud.ts";
import type { Bag } from "../wire.ts";

type Where = "region" | "account" | "world";

interface Row {
  property?: string;
  longest: number;
  lower?: true;
  /** Where it is taken once; unset: others may have the same. */
  once?: Where;
  /** The API's error, with the name in the place of %. */
  taken?: string;
  /** Besides the name, what tells two apart: a cluster, a repository. */
  within?: string;
}

const rows: Readonly<Record<string, Row>> = {
  "autoscaling/group:Group": {
    longest: 255,
    once: "region",
    taken: "api error AlreadyExists: AutoScalingGroup by this name already exists - %",
  },
  "cloudwatch/logGroup:LogGroup": {
    longest: 512,
    once: "region",
    taken: "api error ResourceAlreadyExistsException: The specified log group already exists: %",
  },
  "cloudwatch/eventRule:EventRule": { longest: 64 },
  "cloudwatch/logMetricFilter:LogMetricFilter": { longest: 512 },
  "cloudwatch/metricAlarm:MetricAlarm": { longest: 255 },
  "cognito/userPoolDomain:UserPoolDomain": {
    property: "domain",
    longest: 63,
    once: "region",
    taken: "api error InvalidParameterException: Domain already associated with another user pool: %",
  },
  "ec2/launchTemplate:LaunchTemplate": {
    longest: 128,
    once: "region",
    taken: "api error InvalidLaunchTemplateName.AlreadyExistsException: Launch template name already in use: %",
  },
  "ec2/securityGroup:SecurityGroup": {
    longest: 255,
    once: "region",
    within: "vpcId",
    taken: "api error InvalidGroup.Duplicate: The security group '%' already exists for this VPC",
  },
  "ecr/repository:Repository": {
    longest: 256,
    once: "region",
    taken: "api error RepositoryAlreadyExistsException: The repository with name '%' already exists in the registry",
  },
  "ecs/service:Service": {
    longest: 255,
    once: "region",
    within: "cluster",
    taken: "api error InvalidParameterException: Creation of service was not idempotent: %",
  },
  "ecs/taskDefinition:TaskDefinition": { property: "family", longest: 255 },
  "efs/fileSystem:FileSystem": { property: "creationToken", longest: 64 },
  "elasticache/parameterGroup:ParameterGroup": { longest: 255, once: "region", taken: group("Cache parameter group") },
  "elasticache/replicationGroup:ReplicationGroup": {
    property: "replicationGroupId",
    longest: 40,
    lower: true,
    once: "region",
    taken: "api error ReplicationGroupAlreadyExists: Replication group already exists: %",
  },
  "elasticache/subnetGroup:SubnetGroup": { longest: 255, once: "region", taken: group("Cache subnet group") },
  "iam/group:Group": { longest: 128, once: "account", taken: entity("Group") },
  "iam/instanceProfile:InstanceProfile": { longest: 128, once: "account", taken: entity("Instance Profile") },
  "iam/policy:Policy": { longest: 128, once: "account", taken: entity("Policy") },
  "iam/role:Role": { longest: 64, once: "account", taken: entity("Role") },
  "iam/serviceLinkedRole:ServiceLinkedRole": {
    property: "awsServiceName",
    longest: 128,
    once: "account",
    taken: "api error InvalidInput: the service-linked role of % has been taken in this account",
  },
  "iam/user:User": { longest: 64, once: "account", taken: entity("User") },
  "kms/alias:Alias": {
    longest: 256,
    once: "region",
    taken: "api error AlreadyExistsException: An alias with the name % already exists",
  },
  "lb/loadBalancer:LoadBalancer": {
    longest: 32,
    once: "region",
    taken: "ELBv2 Load Balancer (%) already exists",
  },
  "lb/targetGroup:TargetGroup": { longest: 32, once: "region", taken: "ELBv2 Target Group (%) already exists" },
  "mq/broker:Broker": {
    property: "brokerName",
    longest: 50,
    once: "region",
    taken: "api error ConflictException: The specified broker name [%] is already in use",
  },
  "opensearch/domain:Domain": {
    property: "domainName",
    longest: 28,
    once: "region",
    taken: "api error ResourceAlreadyExistsException: OpenSearch domain % already exists",
  },
  "rds/instance:Instance": {
    property: "identifier",
    longest: 63,
    once: "region",
    taken: "api error DBInstanceAlreadyExists: DB instance already exists: %",
  },
  "rds/parameterGroup:ParameterGroup": { longest: 255, once: "region", taken: group("Parameter group") },
  "rds/subnetGroup:SubnetGroup": { longest: 255, once: "region", taken: group("DB subnet group") },
  "route53/record:Record": { longest: 0 }, // a name here is the record's own
  "route53/zone:Zone": { longest: 1024 },
  "s3/bucket:Bucket": {
    property: "bucket",
    longest: 63,
    lower: true,
    once: "world",
    taken: "api error BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded: %",
  },
  "secretsmanager/secret:Secret": {
    longest: 512,
    once: "region",
    taken: "api error ResourceExistsException: The operation failed because the secret % already exists.",
  },
  "servicediscovery/privateDnsNamespace:PrivateDnsNamespace": { longest: 1024 },
  "servicediscovery/service:Service": { longest: 127 },
  "sns/topic:Topic": { longest: 256, once: "region", taken: "api error InvalidParameter: Topic already exists: %" },
  "ssm/document:Document": {
    longest: 128,
    once: "region",
    taken: "api error DocumentAlreadyExists: Document with name % already exists",
  },
  "ssm/parameter:Parameter": {
    longest: 2048,
    once: "region",
    taken: "api error ParameterAlreadyExists: The parameter already exists: %",
  },
  "wafv2/webAcl:WebAcl": {
    longest: 128,
    once: "region",
    taken: "api error WAFDuplicateItemException: AWS WAF couldn't perform the operation because % already exists",
  },
};

function entity(kind: string): string {
  return `api error EntityAlreadyExists: ${kind} with name % already exists.`;
}

function group(kind: string): string {
  return `api error AlreadyExists: ${kind} % already exists`;
}

const reserved =
  "api error InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion: %";

export function nameOf(token: string): Name | undefined {
  const key = token.replace(/^aws:/, "");
  const row = Object.hasOwn(rows, key) ? rows[key] : undefined;
  if (!row) return undefined;
  const { property = "name", longest, lower, once, taken = "% is taken", within } = row;
  const claim = (inputs: Bag, config: Config): string | undefined => {
    const name = textAt(inputs, property);
    const inside = within === undefined ? "" : textAt(inputs, within);
    if (name === undefined || (within !== undefined && inputs[within] !== undefined && inside === undefined))
      return undefined;
    const place = { world: "", account: config.account, region: `${config.account} ${region(inputs, config)}` };
    return once === undefined ? undefined : [key, place[once], inside, name].join(" ");
  };
  return {
    property,
    longest,
    ...(lower ? { lower } : {}),
    ...(once === undefined ? {} : { claim }),
    taken: (name, holder) => (holder === "reserved" ? reserved : taken).replace("%", name),
  };
}

/** A resource may be in another region than its provider. */
export function region(inputs: Bag, config: Config): string {
  return textAt(inputs, "region") ?? config.region;
}
