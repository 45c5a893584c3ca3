import { interpolate, jsonStringify } from "@pulumi/pulumi";
import { LogResourcePolicy } from "@pulumi/aws/cloudwatch/logResourcePolicy.js";
import { Domain } from "@pulumi/aws/opensearch/domain.js";

import type { Ask, Given } from "../../../core/contracts.ts";
import { own } from "../../../core/formats.ts";
import { newPassword } from "../../../core/real.ts";
import { protection } from "../../../core/site.ts";
import type { At } from "../../../core/topology.ts";
import type { Watched } from "../alarms.ts";
import { fit } from "../fit.ts";
import { allow } from "../policy.ts";
import { encryptedBy, guarded, makeLogGroup, type Region, tailOf } from "../region.ts";
import { searchClass } from "../sizes.ts";

/** The line of a new domain. A later release changes none that is there: an upgrade has no way back. */
const version = "OpenSearch_2.19";
/** May do everything, as the one user of a container does. */
const user = "app";
const logTypes = { application: "ES_APPLICATION_LOGS", audit: "AUDIT_LOGS" };

/**
 * OpenSearch in the stores' network: encrypted, TLS alone, with a login. In a protected stack three nodes in three zones,
 * whatever is asked: each elects without the others. Most changes are a second cluster and a copy of all data: they take
 * hours.
 */
export function makeSearch(region: Region, name: string, ask: Ask<"elasticsearch">, { parent, logicalName }: At) {
  const { site, account, network, classes, under } = region;
  const { protect } = site;
  const options = under(parent);
  const domainName = fit(`${site.name}-${name}`, 28);
  const arn = `arn:aws:es:${region.region}:${account}:domain/${domainName}`;
  const gib = Math.max(10, ask.gib);
  const nodes = protect ? 3 : ask.nodes;
  const subnets = network.subnets("data");
  const apart = nodes === subnets.length;
  const password = newPassword(`${logicalName}-master`, parent, protect, { special: "!" });
  const logs = Object.entries(logTypes).map(([key, logType]) => ({
    logType,
    group: makeLogGroup(region, `${name}-${key}`, { parent, logicalName: `${logicalName}-${key}` }),
  }));
  const mayLog = new LogResourcePolicy(
    logicalName,
    {
      policyName: `${site.name}-${name}`,
      policyDocument: jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            ...allow(
              ["logs:CreateLogStream", "logs:PutLogEvents"],
              logs.map(({ group }) => interpolate`${group.arn}:*`),
            ),
            Principal: { Service: "es.amazonaws.com" },
            Condition: { StringEquals: { "aws:SourceAccount": account }, ArnLike: { "aws:SourceArn": arn } },
          },
        ],
      }),
    },
    options,
  );
  const domain = new Domain(
    logicalName,
    {
      domainName,
      engineVersion: version,
      clusterConfig: {
        instanceType: own(classes, name) ?? searchClass(ask.heapMib ?? 1024, gib) ?? "",
        instanceCount: nodes,
        zoneAwarenessEnabled: apart,
        ...(apart ? { zoneAwarenessConfig: { availabilityZoneCount: nodes } } : {}),
      },
      ebsOptions: { ebsEnabled: true, volumeType: "gp3", volumeSize: gib },
      vpcOptions: {
        subnetIds: apart ? subnets : subnets.slice(0, 1),
        securityGroupIds: [network.group("data")],
      },
      encryptAtRest: { enabled: true, ...encryptedBy(region) },
      nodeToNodeEncryption: { enabled: true },
      domainEndpointOptions: { enforceHttps: true, tlsSecurityPolicy: "Policy-Min-TLS-1-2-PFS-2023-10" },
      advancedSecurityOptions: {
        enabled: true,
        internalUserDatabaseEnabled: true,
        masterUserOptions: { masterUserName: user, masterUserPassword: password },
      },
      // The network lets the applications in, and the login is OpenSearch's own: a request is not signed as AWS' are.
      accessPolicies: JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ ...allow(["es:ESHttp*"], `${arn}/*`), Principal: { AWS: "*" } }],
      }),
      logPublishingOptions: logs.map(({ logType, group }) => ({
        ...{ logType, enabled: true, cloudwatchLogGroupArn: group.arn },
      })),
      softwareUpdateOptions: { autoSoftwareUpdateEnabled: true },
    },
    {
      ...options,
      ...protection(guarded(site, name)),
      dependsOn: [mayLog, ...region.searchReady, ...network.ready],
      // Each would make an empty domain in the place of the old one.
      ignoreChanges: ["domainName", "engineVersion", "encryptAtRest", "nodeToNodeEncryption"],
    },
  );
  region.nodes[name] = domain;
  const watch = (
    what: string,
    watched: Pick<Watched, "says" | "metric" | "statistic" | "when" | "threshold">,
  ): void => {
    const look = `\`aws opensearch describe-domain-health --domain-name ${domainName} --region ${region.region}\`, then ${tailOf(region, `${name}-application`)}`;
    const from = { look, namespace: "AWS/ES", dimensions: { DomainName: domain.domainName, ClientId: account } };
    region.alarms.watch(`${logicalName}-${what}`, { ...from, ...watched, minutes: 5 }, options);
  };
  const above = { statistic: "Maximum", when: "above", threshold: 0 } as const;
  watch("red", { ...above, says: `${name}: an index has lost a part`, metric: "ClusterStatus.red" });
  watch("blocked", { ...above, says: `${name}: it takes no writes`, metric: "ClusterIndexWritesBlocked" });
  watch("snapshot", { ...above, says: `${name}: no snapshot was made`, metric: "AutomatedSnapshotFailure" });
  watch("storage", {
    says: `${name}: less than a quarter of a node's disk is free; it takes no writes below a fifth`,
    metric: "FreeStorageSpace", // MiB, of the fullest node
    statistic: "Minimum",
    when: "below",
    threshold: gib * 1024 * 0.25,
  });
  const given: Given<"elasticsearch"> = {
    host: domain.endpoint,
    port: 443,
    tls: true,
    members: [],
    user,
    password,
    ready: [domain],
  };
  return given;
}
