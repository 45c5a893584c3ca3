import { interpolate } from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import { ParameterGroup } from "@pulumi/aws/elasticache/parameterGroup.js";
import { ReplicationGroup } from "@pulumi/aws/elasticache/replicationGroup.js";
import { SubnetGroup } from "@pulumi/aws/elasticache/subnetGroup.js";

import type { Ask, Given } from "../../../core/contracts.ts";
import { own } from "../../../core/formats.ts";
import { newPassword } from "../../../core/real.ts";
import { protection } from "../../../core/site.ts";
import type { At } from "../../../core/topology.ts";
import type { Watched } from "../alarms.ts";
import { fit } from "../fit.ts";
import { encryptedBy, guarded, type Region } from "../region.ts";
import { cacheClass } from "../sizes.ts";

/**
 * ElastiCache with Valkey, which every Redis client speaks to. A client that speaks no TLS is let in with plain text: the
 * preview says so. `keep`: nothing is dropped for room; what is in memory is kept by a replica in another zone and by
 * snapshots, as there is no append-only file.
 */
export function makeRedis(region: Region, name: string, ask: Ask<"redis">, { parent, logicalName }: At) {
  const { site, network, classes, under } = region;
  const { protect } = site;
  const options = under(parent);
  const subnets = new SubnetGroup(logicalName, { subnetIds: network.subnets("data") }, options);
  const parameters = new ParameterGroup(
    logicalName,
    {
      family: "valkey8",
      parameters: [{ name: "maxmemory-policy", value: ask.keep ? "noeviction" : "allkeys-lru" }],
    },
    options,
  );
  const token = ask.clientAuth ? newPassword(`${logicalName}-token`, parent, protect) : undefined;
  const last = new RandomId(`${logicalName}-last`, { byteLength: 4 }, { parent });
  const id = fit(`${site.name}-${name}`, 40);
  const group = new ReplicationGroup(
    logicalName,
    {
      replicationGroupId: id,
      description: `${site.name} ${name}`,
      engine: "valkey",
      engineVersion: "8.0",
      clusterMode: "disabled",
      nodeType: own(classes, name) ?? cacheClass(ask.memoryMib) ?? "",
      numCacheClusters: protect ? 2 : 1,
      automaticFailoverEnabled: protect,
      multiAzEnabled: protect,
      port: 6379,
      subnetGroupName: subnets.name,
      securityGroupIds: [network.group("data")],
      parameterGroupName: parameters.name,
      atRestEncryptionEnabled: true,
      ...encryptedBy(region),
      transitEncryptionEnabled: true,
      transitEncryptionMode: ask.clientTls === "never" ? "preferred" : "required",
      ...(token === undefined ? {} : { authToken: token, authTokenUpdateStrategy: "ROTATE" }),
      autoMinorVersionUpgrade: true,
      snapshotRetentionLimit: protect ? 7 : 1,
      ...(protect ? { finalSnapshotIdentifier: interpolate`${site.name}-${name}-${last.hex}` } : {}),
      applyImmediately: true,
    },
    {
      ...options,
      ...protection(guarded(site, name)),
      ignoreChanges: ["snapshotName", "snapshotArns", "port", "atRestEncryptionEnabled", "kmsKeyId"],
    },
  );
  region.nodes[name] = group;
  const watch = (what: string, node: string, watched: Pick<Watched, "says" | "metric" | "threshold">): void => {
    const its = { CacheClusterId: interpolate`${group.replicationGroupId}-${node}` };
    const from = { namespace: "AWS/ElastiCache", dimensions: its, statistic: "Average" } as const;
    const look = `\`aws elasticache describe-replication-groups --replication-group-id ${id} --region ${region.region}\`, and its metrics`;
    region.alarms.watch(`${logicalName}-${what}`, { ...from, look, ...watched, when: "above", minutes: 10 }, options);
  };
  // A replica has the same data.
  watch("memory", "001", {
    says: `${name}: more than 85 % of its memory is full; a larger one: aws.classes`,
    metric: "DatabaseMemoryUsagePercentage",
    threshold: 85,
  });
  // The two change places, and only the replica has the metric.
  for (const node of protect ? ["001", "002"] : [])
    watch(`lag-${node}`, node, {
      says: `${name}: its replica is more than 30 s late`,
      metric: "ReplicationLag",
      threshold: 30,
    });
  const given: Given<"redis"> = {
    host: group.primaryEndpointAddress,
    port: 6379,
    ...(ask.clientTls === "never" ? {} : { tls: true }),
    members: [],
    ...(token === undefined ? {} : { user: "default", password: token }),
    ready: [group],
  };
  return given;
}
