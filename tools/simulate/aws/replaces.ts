/**
 * What makes another resource, besides what the typings say. From the schema of the upstream provider (Terraform's, June
 * 2026: `ForceNew`, `RequiresReplace`), which the real provider bridges; its conditions are below the table. A property of
 * a property is named with a dot. Tokens without `aws:`.
 */
import { isDeepStrictEqual } from "node:util";

import { isBag } from "../wire.ts";

import type { Bag } from "../wire.ts";

const always: Readonly<Record<string, string>> = {
  "acm/certificate:Certificate":
    "certificateAuthorityArn domainName keyAlgorithm subjectAlternativeNames validationMethod validationOptions",
  "acm/certificateValidation:CertificateValidation": "certificateArn validationRecordFqdns",
  "appautoscaling/policy:Policy": "name resourceId scalableDimension serviceNamespace",
  "appautoscaling/target:Target": "resourceId scalableDimension serviceNamespace",
  "autoscaling/group:Group": "initialLifecycleHooks name namePrefix",
  "backup/plan:Plan": "name",
  "backup/selection:Selection": "conditions iamRoleArn name notResources planId resources selectionTags",
  "backup/vault:Vault": "kmsKeyArn name",
  "cloudwatch/eventRule:EventRule": "eventBusName name namePrefix",
  "cloudwatch/eventTarget:EventTarget": "eventBusName rule targetId",
  "cloudwatch/logGroup:LogGroup": "logGroupClass name namePrefix",
  "cloudwatch/logMetricFilter:LogMetricFilter": "logGroupName name",
  "cloudwatch/logResourcePolicy:LogResourcePolicy": "policyName resourceArn",
  "cloudwatch/metricAlarm:MetricAlarm": "name",
  "cognito/resourceServer:ResourceServer": "identifier userPoolId",
  "cognito/userGroup:UserGroup": "name userPoolId",
  "cognito/userPool:UserPool": "aliasAttributes usernameAttributes usernameConfiguration.caseSensitive",
  "cognito/userPoolClient:UserPoolClient": "generateSecret userPoolId",
  "cognito/userPoolDomain:UserPoolDomain": "domain userPoolId",
  "dlm/lifecyclePolicy:LifecyclePolicy": "policyDetails.schedule.copyTags",
  "ebs/volume:Volume": "availabilityZone encrypted kmsKeyId multiAttachEnabled outpostArn snapshotId",
  "ec2/defaultSecurityGroup:DefaultSecurityGroup": "vpcId",
  "ec2/eip:Eip": "address domain ipamPoolId networkBorderGroup publicIpv4Pool",
  "ec2/eipAssociation:EipAssociation":
    "allocationId allowReassociation instanceId networkInterfaceId privateIpAddress publicIp",
  "ec2/flowLog:FlowLog":
    "deliverCrossAccountRole destinationOptions eniId iamRoleArn logDestination logDestinationType logFormat " +
    "maxAggregationInterval regionalNatGatewayId subnetId trafficType transitGatewayAttachmentId transitGatewayId " +
    "vpcId",
  "ec2/instance:Instance":
    "ami associatePublicIpAddress availabilityZone ebsOptimized ephemeralBlockDevices hibernation hostId " +
    "instanceMarketOptions keyName launchTemplate placementGroup placementGroupId placementPartitionNumber " +
    "privateDnsNameOptions privateIp securityGroups subnetId tenancy",
  "ec2/launchTemplate:LaunchTemplate": "name namePrefix",
  "ec2/natGateway:NatGateway": "allocationId availabilityMode connectivityType privateIp subnetId vpcId",
  "ec2/networkAcl:NetworkAcl": "vpcId",
  "ec2/networkInterface:NetworkInterface": "interfaceType subnetId",
  "ec2/route:Route": "destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId routeTableId",
  "ec2/routeTable:RouteTable": "vpcId",
  "ec2/routeTableAssociation:RouteTableAssociation": "gatewayId subnetId",
  "ec2/securityGroup:SecurityGroup": "description name namePrefix vpcId",
  "ec2/securityGroupRule:SecurityGroupRule":
    "cidrBlocks fromPort ipv6CidrBlocks prefixListIds protocol securityGroupId self sourceSecurityGroupId toPort " +
    "type",
  "ec2/subnet:Subnet":
    "availabilityZone availabilityZoneId cidrBlock ipv4IpamPoolId ipv4NetmaskLength ipv6IpamPoolId ipv6Native " +
    "ipv6NetmaskLength outpostArn vpcId",
  "ec2/volumeAttachment:VolumeAttachment": "deviceName instanceId volumeId",
  "ec2/vpc:Vpc": "cidrBlock ipv4IpamPoolId ipv4NetmaskLength",
  "ec2/vpcDhcpOptions:VpcDhcpOptions":
    "domainName domainNameServers ipv6AddressPreferredLeaseTime netbiosNameServers netbiosNodeType ntpServers",
  "ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation": "vpcId",
  "ec2/vpcEndpoint:VpcEndpoint":
    "dnsOptions.privateDnsPreference dnsOptions.privateDnsSpecifiedDomains resourceConfigurationArn serviceName " +
    "serviceNetworkArn serviceRegion vpcEndpointType vpcId",
  "ecr/lifecyclePolicy:LifecyclePolicy": "policy repository",
  "ecr/repository:Repository": "encryptionConfigurations name",
  "ecs/cluster:Cluster": "name",
  "ecs/clusterCapacityProviders:ClusterCapacityProviders": "clusterName",
  "ecs/service:Service": "cluster iamRole launchType name schedulingStrategy",
  "ecs/taskDefinition:TaskDefinition":
    "containerDefinitions cpu enableFaultInjection ephemeralStorage executionRoleArn family ipcMode memory " +
    "networkMode pidMode placementConstraints proxyConfiguration requiresCompatibilities runtimePlatform " +
    "taskRoleArn volumes",
  "efs/accessPoint:AccessPoint": "fileSystemId posixUser rootDirectory",
  "efs/fileSystem:FileSystem": "availabilityZoneName creationToken encrypted kmsKeyId performanceMode",
  "efs/mountTarget:MountTarget": "fileSystemId ipAddress ipAddressType ipv6Address subnetId",
  "elasticache/parameterGroup:ParameterGroup": "description family name",
  "elasticache/replicationGroup:ReplicationGroup":
    "atRestEncryptionEnabled dataTieringEnabled globalReplicationGroupId kmsKeyId networkType port " +
    "replicationGroupId securityGroupNames snapshotArns snapshotName subnetGroupName",
  "elasticache/subnetGroup:SubnetGroup": "name",
  "elasticache/user:User": "userId userName",
  "elasticache/userGroup:UserGroup": "userGroupId",
  "globalaccelerator/accelerator:Accelerator": "ipAddresses",
  "globalaccelerator/endpointGroup:EndpointGroup": "endpointGroupRegion listenerArn",
  "globalaccelerator/listener:Listener": "acceleratorArn",
  "iam/accessKey:AccessKey": "pgpKey user",
  "iam/groupPolicy:GroupPolicy": "group name namePrefix",
  "iam/groupPolicyAttachment:GroupPolicyAttachment": "group policyArn",
  "iam/instanceProfile:InstanceProfile": "name namePrefix path",
  "iam/policy:Policy": "description name namePrefix path",
  "iam/role:Role": "name namePrefix path",
  "iam/rolePolicy:RolePolicy": "name namePrefix role",
  "iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn role",
  "iam/serviceLinkedRole:ServiceLinkedRole": "awsServiceName customSuffix",
  "iam/userGroupMembership:UserGroupMembership": "user",
  "iam/userPolicy:UserPolicy": "name namePrefix user",
  "keyspaces/keyspace:Keyspace": "name replicationSpecification",
  "keyspaces/table:Table":
    "comment keyspaceName schemaDefinition.clusteringKey schemaDefinition.partitionKey " +
    "schemaDefinition.staticColumn tableName",
  "kms/alias:Alias": "name namePrefix",
  "kms/key:Key": "customKeyStoreId customerMasterKeySpec keyUsage multiRegion xksKeyId",
  "lb/listener:Listener": "loadBalancerArn",
  "lb/listenerCertificate:ListenerCertificate": "certificateArn listenerArn",
  "lb/listenerRule:ListenerRule": "listenerArn",
  "lb/loadBalancer:LoadBalancer": "customerOwnedIpv4Pool internal loadBalancerType name namePrefix",
  "lb/targetGroup:TargetGroup":
    "ipAddressType name namePrefix port protocol protocolVersion targetControlPort targetType vpcId",
  "lb/targetGroupAttachment:TargetGroupAttachment": "availabilityZone port quicServerId targetGroupArn targetId",
  "mq/broker:Broker":
    "brokerName dataReplicationPrimaryBrokerArn deploymentMode encryptionOptions engineType ldapServerMetadata " +
    "publiclyAccessible subnetIds",
  "mq/configuration:Configuration": "engineType engineVersion name",
  "opensearch/domain:Domain": "domainName encryptAtRest.kmsKeyId",
  "rds/cluster:Cluster":
    "availabilityZones clusterIdentifier clusterIdentifierPrefix clusterScalabilityType databaseName " +
    "dbSubnetGroupName dbSystemId engine engineMode kmsKeyId masterUsername restoreToPointInTime " +
    "s3Import.bucketName s3Import.bucketPrefix s3Import.ingestionRole s3Import.sourceEngine " +
    "s3Import.sourceEngineVersion snapshotIdentifier sourceRegion storageEncrypted",
  "rds/clusterInstance:ClusterInstance":
    "availabilityZone clusterIdentifier customIamInstanceProfile dbSubnetGroupName engine identifier " +
    "identifierPrefix",
  "rds/eventSubscription:EventSubscription": "name namePrefix",
  "rds/instance:Instance":
    "availabilityZone backupTarget characterSetName customIamInstanceProfile dbName engine kmsKeyId " +
    "ncharCharacterSetName restoreToPointInTime s3Import.bucketName s3Import.bucketPrefix s3Import.ingestionRole " +
    "s3Import.sourceEngine s3Import.sourceEngineVersion snapshotIdentifier storageEncrypted timezone username",
  "rds/parameterGroup:ParameterGroup": "description family name namePrefix",
  "rds/subnetGroup:SubnetGroup": "name namePrefix",
  "route53/record:Record": "name type zoneId",
  "route53/zone:Zone": "delegationSetId name",
  "s3/bucket:Bucket": "bucket bucketNamespace bucketPrefix objectLockConfiguration.objectLockEnabled objectLockEnabled",
  "s3/bucketCorsConfiguration:BucketCorsConfiguration": "bucket",
  "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "bucket expectedBucketOwner",
  "s3/bucketLogging:BucketLogging": "bucket",
  "s3/bucketObject:BucketObject": "bucket key",
  "s3/bucketObjectv2:BucketObjectv2": "bucket key",
  "s3/bucketOwnershipControls:BucketOwnershipControls": "bucket",
  "s3/bucketPolicy:BucketPolicy": "bucket",
  "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "bucket",
  "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "bucket",
  "s3/bucketVersioning:BucketVersioning": "bucket",
  "secretsmanager/secret:Secret": "name namePrefix",
  "secretsmanager/secretPolicy:SecretPolicy": "secretArn",
  "secretsmanager/secretVersion:SecretVersion": "secretBinary secretId secretString secretStringWoVersion",
  "servicediscovery/instance:Instance": "instanceId serviceId",
  "servicediscovery/privateDnsNamespace:PrivateDnsNamespace": "name vpc",
  "servicediscovery/service:Service":
    "dnsConfig.dnsRecords.type dnsConfig.namespaceId dnsConfig.routingPolicy healthCheckConfig.type " +
    "healthCheckCustomConfig name namespaceId type",
  "sns/topic:Topic": "fifoTopic name namePrefix",
  "sns/topicSubscription:TopicSubscription": "endpoint protocol topic",
  "ssm/document:Document": "name",
  "ssm/parameter:Parameter": "dataType name",
  "timestreaminfluxdb/dbInstance:DbInstance":
    "bucket dbParameterGroupIdentifier name networkType organization password publiclyAccessible username " +
    "vpcSecurityGroupIds vpcSubnetIds",
  "vpc/securityGroupEgressRule:SecurityGroupEgressRule": "securityGroupId",
  "vpc/securityGroupIngressRule:SecurityGroupIngressRule": "securityGroupId",
  "wafv2/webAcl:WebAcl": "name namePrefix scope",
  "wafv2/webAclAssociation:WebAclAssociation": "resourceArn webAclArn",
  "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "logDestinationConfigs resourceArn",
};

/** What makes another resource only in some changes. */
const sometimes: Readonly<Record<string, (olds: Bag, news: Bag) => string[]>> = {
  // A rule stays as long as its kind of other side does.
  "vpc/securityGroupEgressRule:SecurityGroupEgressRule": otherSide,
  "vpc/securityGroupIngressRule:SecurityGroupIngressRule": otherSide,
  "elasticache/replicationGroup:ReplicationGroup": (olds, news) => [
    ...(olds.engine === "valkey" && news.engine !== "valkey" ? ["engine"] : []),
    ...(older(news.engineVersion, olds.engineVersion) ? ["engineVersion"] : []),
    ...(older(olds.engineVersion, "7.0.5") ? ["transitEncryptionEnabled"] : []),
  ],
  "opensearch/domain:Domain": (olds, news) => [
    ...((olds.vpcOptions === undefined) === (news.vpcOptions === undefined) ? [] : ["vpcOptions"]),
    ...["encryptAtRest", "nodeToNodeEncryption", "advancedSecurityOptions"].filter(
      (key) => isOn(olds[key]) && !isOn(news[key]),
    ),
  ],
  // The first address is the interface's own.
  "ec2/networkInterface:NetworkInterface": (olds, news) =>
    isDeepStrictEqual(first(olds.privateIps), first(news.privateIps)) ? [] : ["privateIps"],
  "ec2/vpcEndpoint:VpcEndpoint": (_, news) => (news.vpcEndpointType === "Interface" ? [] : ["privateDnsEnabled"]),
  "ec2/instance:Instance": (_, news) => (news.userDataReplaceOnChange === true ? ["userData", "userDataBase64"] : []),
};

export function replaces(token: string, olds: Bag, news: Bag): string[] {
  const key = token.replace(/^aws:/, "");
  const words = Object.hasOwn(always, key) ? (always[key] ?? "").split(" ") : [];
  const conditional = Object.hasOwn(sometimes, key) ? (sometimes[key]?.(olds, news) ?? []) : [];
  return [...words, ...conditional];
}

/** The bridge makes none of these before the old one is gone: it would take away what it has just made. */
const alone = new Set([
  "cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
  "ec2/securityGroupRule:SecurityGroupRule",
  "ecr/lifecyclePolicy:LifecyclePolicy",
  "efs/mountTarget:MountTarget",
  "iam/groupPolicyAttachment:GroupPolicyAttachment",
  "iam/policyAttachment:PolicyAttachment",
  "iam/rolePolicyAttachment:RolePolicyAttachment",
  "iam/userPolicyAttachment:UserPolicyAttachment",
]);

export function deletesFirst(token: string): boolean {
  return alone.has(token.replace(/^aws:/, ""));
}

function otherSide(olds: Bag, news: Bag): string[] {
  const kinds = ["cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"];
  const changed = kinds.filter((key) => (olds[key] === undefined) !== (news[key] === undefined));
  return changed.length > 1 ? changed : [];
}

function isOn(value: unknown): boolean {
  return isBag(value) && value.enabled === true;
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? (value[0] as unknown) : undefined;
}

/** Whether version `a` is before version `b`; false for what is not known. */
function older(a: unknown, b: unknown): boolean {
  if (typeof a !== "string" || typeof b !== "string" || a === "" || b === "") return false;
  const [x, y] = [a.split(".").map(Number), b.split(".").map(Number)];
  const index = x.findIndex((part, at) => y[at] !== undefined && part !== y[at]);
  return index >= 0 && (x[index] ?? 0) < (y[index] ?? 0);
}
