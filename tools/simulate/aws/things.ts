/** Ids, ARNs and other outputs as AWS forms them. Tokens without `aws:`. The texts are templates (template.ts). */
import { textAt } from "../wire.ts";
import { region } from "./names.ts";
import { written } from "./template.ts";

import type { Making } from "../cloud.ts";
import type { Bag } from "../wire.ts";

interface Row {
  /** Unset: digits. */
  id?: string;
  /** Without `arn:aws:`. */
  arn?: string;
  /** Further outputs; a function where a text does not say it. */
  more?: Readonly<Record<string, string | number | ((making: Making, done: Bag) => unknown)>>;
  /** Goes up with each update. */
  counts?: string;
}

const here = "{region}:{account}";
const ec2 = (prefix: string, kind: string, more: Row["more"] = {}): Row => ({
  id: `${prefix}-0{16}`,
  arn: `ec2:${here}:${kind}/{id}`,
  more: { ownerId: "{account}", ...more },
});
const iam = (kind: string, id = "{name}"): Row => ({
  id,
  arn: `iam::{account}:${kind}/{name}`,
  more: { uniqueId: "AID{17}", createDate: "2026-01-01T00:00:00Z" },
});
const elb = `elasticloadbalancing:${here}`;

/** Of a network interface. No network knows it. */
const address = (digits: Making["digits"]): string =>
  `10.0.${String(parseInt(digits("address", 2), 16))}.${String(4 + (parseInt(digits("host", 2), 16) % 250))}`;

const rows: Readonly<Record<string, Row>> = {
  "acm/certificate:Certificate": {
    id: "{arn}",
    arn: `acm:${here}:certificate/{8}-{4}-4{3}-a{3}-{12}`,
    more: {
      status: "PENDING_VALIDATION",
      domainValidationOptions: ({ inputs, digits }) =>
        [...new Set([inputs.domainName, ...(list(inputs.subjectAlternativeNames) ?? [])])].map((domain) => ({
          domainName: domain,
          resourceRecordName: `_${digits(String(domain), 32)}.${String(domain).replace(/^\*\./, "")}.`,
          resourceRecordType: "CNAME",
          resourceRecordValue: `_${digits(`value ${String(domain)}`, 32)}.acm-validations.aws.`,
        })),
    },
  },
  "autoscaling/group:Group": {
    id: "{name}",
    arn: `autoscaling:${here}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}`,
    more: { desiredCapacity: ({ inputs }) => inputs.minSize },
  },
  "cloudwatch/logGroup:LogGroup": { id: "{name}", arn: `logs:${here}:log-group:{name}` },
  "cloudwatch/logMetricFilter:LogMetricFilter": { id: "{name}" },
  "cognito/userPool:UserPool": {
    id: "{region}_{9}",
    arn: `cognito-idp:${here}:userpool/{id}`,
    more: { endpoint: "cognito-idp.{region}.amazonaws.com/{id}" },
  },
  "cognito/userPoolClient:UserPoolClient": { id: "{26}", more: { clientSecret: "{51}" } },
  "cognito/userPoolDomain:UserPoolDomain": { id: "{domain}" },
  "dlm/lifecyclePolicy:LifecyclePolicy": { id: "policy-0{16}", arn: `dlm:${here}:policy/{id}` },
  "ebs/volume:Volume": ec2("vol", "volume"),
  "ec2/eip:Eip": ec2("eipalloc", "elastic-ip", {
    allocationId: "{id}",
    publicIp: ({ digits }) => `203.0.113.${String(parseInt(digits("publicIp", 2), 16))}`,
  }),
  "ec2/flowLog:FlowLog": ec2("fl", "vpc-flow-log"),
  "ec2/instance:Instance": ec2("i", "instance"),
  "ec2/internetGateway:InternetGateway": ec2("igw", "internet-gateway"),
  "ec2/launchTemplate:LaunchTemplate": {
    ...ec2("lt", "launch-template", { latestVersion: 1, defaultVersion: 1 }),
    counts: "latestVersion",
  },
  "ec2/natGateway:NatGateway": ec2("nat", "natgateway"),
  "ec2/networkAcl:NetworkAcl": ec2("acl", "network-acl"),
  "ec2/networkInterface:NetworkInterface": ec2("eni", "network-interface", {
    privateIp: ({ inputs, digits }) => list(inputs.privateIps)?.[0] ?? address(digits),
    privateIps: ({ digits }) => [address(digits)],
  }),
  "ec2/route:Route": { id: "r-{routeTableId}{10}" },
  "ec2/routeTable:RouteTable": ec2("rtb", "route-table"),
  "ec2/routeTableAssociation:RouteTableAssociation": { id: "rtbassoc-0{16}" },
  "ec2/securityGroup:SecurityGroup": ec2("sg", "security-group"),
  "ec2/defaultSecurityGroup:DefaultSecurityGroup": ec2("sg", "security-group"),
  "ec2/subnet:Subnet": ec2("subnet", "subnet"),
  "ec2/vpc:Vpc": ec2("vpc", "vpc", {
    defaultSecurityGroupId: "sg-0{16}",
    mainRouteTableId: "rtb-0{16}",
    defaultRouteTableId: "rtb-0{16}",
    defaultNetworkAclId: "acl-0{16}",
    instanceTenancy: "default",
  }),
  "ec2/vpcDhcpOptions:VpcDhcpOptions": ec2("dopt", "dhcp-options"),
  "ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation": { id: "{dhcpOptionsId}-{vpcId}" },
  "ec2/vpcEndpoint:VpcEndpoint": ec2("vpce", "vpc-endpoint", {
    prefixListId: ({ inputs, digits }) => (inputs.vpcEndpointType === "Interface" ? "" : `pl-${digits("pl", 8)}`),
  }),
  "ecr/repository:Repository": {
    id: "{name}",
    arn: `ecr:${here}:repository/{name}`,
    more: { repositoryUrl: "{account}.dkr.ecr.{region}.amazonaws.com/{name}", registryId: "{account}" },
  },
  "ecs/cluster:Cluster": { id: "{arn}", arn: `ecs:${here}:cluster/{name}` },
  "ecs/service:Service": { id: "{arn}", arn: `ecs:${here}:service/{cluster/}/{name}` },
  "ecs/taskDefinition:TaskDefinition": {
    id: "{family}",
    arn: `ecs:${here}:task-definition/{family}:{round family}`,
    more: {
      revision: (making, { arn }) => Number(String(arn).split(":").at(-1)),
      arnWithoutRevision: `arn:aws:ecs:${here}:task-definition/{family}`,
    },
  },
  "elasticache/replicationGroup:ReplicationGroup": {
    id: "{replicationGroupId}",
    arn: `elasticache:${here}:replicationgroup:{replicationGroupId}`,
    more: {
      port: 6379,
      primaryEndpointAddress: "master.{replicationGroupId}.{6}.{region}.cache.amazonaws.com",
      readerEndpointAddress: "replica.{replicationGroupId}.{6}.{region}.cache.amazonaws.com",
    },
  },
  "iam/accessKey:AccessKey": { id: "AKIASIMULATED{7}", more: { secret: "simulated{31}", status: "Active" } },
  "iam/group:Group": iam("group"),
  "iam/instanceProfile:InstanceProfile": iam("instance-profile"),
  "iam/policy:Policy": iam("policy", "{arn}"),
  "iam/role:Role": iam("role"),
  "iam/user:User": iam("user"),
  "kms/alias:Alias": { id: "{name}", arn: `kms:${here}:{name}` },
  "kms/key:Key": { id: "{uuid}", arn: `kms:${here}:key/{id}`, more: { keyId: "{id}" } },
  "lb/listener:Listener": { id: "{arn}", arn: "{loadBalancerArn:listener}/{16}" },
  "lb/listenerRule:ListenerRule": { id: "{arn}", arn: "{listenerArn:listener-rule}/{16}" },
  "lb/loadBalancer:LoadBalancer": {
    id: "{arn}",
    arn: `${elb}:loadbalancer/app/{name}/{16}`,
    more: {
      dnsName: "{name}-{10}.{region}.elb.amazonaws.com",
      zoneId: "Z{13}",
      arnSuffix: (_, { arn }) => String(arn).split(":loadbalancer/")[1] ?? "",
      loadBalancerType: "application",
    },
  },
  "lb/targetGroup:TargetGroup": {
    id: "{arn}",
    arn: `${elb}:targetgroup/{name}/{16}`,
    more: { arnSuffix: (_, { arn }) => String(arn).split(":").at(-1) ?? "" },
  },
  "opensearch/domain:Domain": {
    id: "{arn}",
    arn: `es:${here}:domain/{domainName}`,
    more: {
      domainId: "{account}/{domainName}",
      endpoint: "vpc-{domainName}-{26}.{region}.es.amazonaws.com",
      dashboardEndpoint: "vpc-{domainName}-{26}.{region}.es.amazonaws.com/_dashboards",
    },
  },
  "rds/instance:Instance": {
    id: "db-{26}",
    arn: `rds:${here}:db:{identifier}`,
    more: {
      port: ({ inputs }) => (inputs.engine === "postgres" ? 5432 : 3306),
      address: "{identifier}.{12}.{region}.rds.amazonaws.com",
      endpoint: ({ inputs }, { address, port }) => `${String(address)}:${String(inputs.port ?? port)}`,
      hostedZoneId: "Z{13}",
      resourceId: "{id}",
      availabilityZone: "{region}a",
      engineVersionActual: ({ inputs }) => `${textAt(inputs, "engineVersion") ?? "17"}.1`,
    },
  },
  "rds/parameterGroup:ParameterGroup": { id: "{name}", arn: `rds:${here}:pg:{name}` },
  "rds/subnetGroup:SubnetGroup": { id: "{name}", arn: `rds:${here}:subgrp:{name}` },
  "route53/zone:Zone": { id: "Z{19}", arn: "route53:::hostedzone/{id}", more: { zoneId: "{id}" } },
  "route53/record:Record": { id: "{zoneId}_{name}_{type}", more: { fqdn: "{name}" } },
  "s3/bucket:Bucket": {
    id: "{bucket}",
    arn: "s3:::{bucket}",
    more: {
      bucketDomainName: "{bucket}.s3.amazonaws.com",
      bucketRegionalDomainName: "{bucket}.s3.{region}.amazonaws.com",
      hostedZoneId: "Z{13}",
    },
  },
  "secretsmanager/secret:Secret": { id: "{arn}", arn: `secretsmanager:${here}:secret:{name}-{6}` },
  "secretsmanager/secretVersion:SecretVersion": {
    id: "{secretId}|{uuid}",
    arn: "{secretId:}",
    more: { versionId: "{uuid}", versionStages: () => ["AWSCURRENT"] },
  },
  "servicediscovery/privateDnsNamespace:PrivateDnsNamespace": {
    id: "ns-{16}",
    arn: `servicediscovery:${here}:namespace/{id}`,
    more: { hostedZone: "Z{19}" },
  },
  "servicediscovery/service:Service": { id: "srv-{16}", arn: `servicediscovery:${here}:service/{id}` },
  "servicediscovery/instance:Instance": { id: "{instanceId}" },
  "sns/topic:Topic": { id: "{arn}", arn: `sns:${here}:{name}` },
  "ssm/parameter:Parameter": {
    id: "{name}",
    arn: `ssm:${here}:parameter/{name}`,
    more: { version: 1 },
    counts: "version",
  },
  "vpc/securityGroupEgressRule:SecurityGroupEgressRule": ec2("sgr", "security-group-rule", {
    securityGroupRuleId: "{id}",
  }),
  "vpc/securityGroupIngressRule:SecurityGroupIngressRule": ec2("sgr", "security-group-rule", {
    securityGroupRuleId: "{id}",
  }),
};

function row(token: string): Row {
  const key = token.replace(/^aws:/, "");
  return (Object.hasOwn(rows, key) ? rows[key] : undefined) ?? {};
}

/** The version that goes up with each update. */
export function counted(token: string): string[] {
  const { counts } = row(token);
  return counts === undefined ? [] : [counts];
}

export function idOf(making: Making): string {
  const { id = "{20}" } = row(making.token);
  return written(id, making, id.includes("{arn}") ? { arn: arnOf(making, "") } : {});
}

export function outputs(making: Making, id: string): Bag {
  const { inputs, token } = making;
  const { more = {} } = row(token);
  const tags = { ...making.config.tags, ...(inputs.tags as Bag | undefined) };
  // ARNs of ECS services and of what has no id yet are known by the id.
  const arn = id.startsWith("arn:aws:") && !id.includes("|") ? id : arnOf(making, id);
  const done: Record<string, unknown> = { id, arn, tagsAll: tags, region: region(inputs, making.config) };
  for (const [key, value] of Object.entries(more))
    if (typeof value !== "function")
      done[key] = typeof value === "string" ? written(value, making, { id, arn }) : value;
  for (const [key, value] of Object.entries(more)) if (typeof value === "function") done[key] = value(making, done);
  return done;
}

function arnOf(making: Making, id: string): string {
  const [service = "", rest = ""] = making.token.replace(/^aws:/, "").split("/");
  const kind = rest.split(":")[0]?.toLowerCase() ?? "";
  const { arn = `${service}:${here}:${kind}/${id === "" ? "{20}" : "{id}"}` } = row(making.token);
  const text = written(arn, making, { id });
  return text.startsWith("arn:") ? text : `arn:aws:${text}`;
}

function list(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? (value as unknown[]) : undefined;
}
