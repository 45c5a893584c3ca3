import { type CustomResourceOptions, interpolate } from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import { RolePolicyAttachment } from "@pulumi/aws/iam/rolePolicyAttachment.js";
import { Instance } from "@pulumi/aws/rds/instance.js";
import { ParameterGroup } from "@pulumi/aws/rds/parameterGroup.js";
import { SubnetGroup } from "@pulumi/aws/rds/subnetGroup.js";

import type { Ask, Given } from "../../../core/contracts.ts";
import { own } from "../../../core/formats.ts";
import { newPassword } from "../../../core/real.ts";
import { protection } from "../../../core/site.ts";
import type { At } from "../../../core/topology.ts";
import type { Watched } from "../alarms.ts";
import { fit } from "../fit.ts";
import { encryptedBy, guarded, makeLogGroup, makeRole, type Region } from "../region.ts";
import { databaseClass, databaseGib, postgresVersion } from "../sizes.ts";

/** Days. */
const backups = 14;

const exported = ["postgresql", "upgrade"];

/**
 * PostgreSQL on RDS: private, encrypted, TLS forced, in two zones where the stack is protected. Its name, its snapshot's
 * name and its password are in the state, so that nothing of them changes later.
 */
export function makePostgres(region: Region, name: string, ask: Ask<"postgres">, { parent, logicalName }: At) {
  const { site, network, classes, versions, under } = region;
  const { protect } = site;
  const options = under(parent);
  const version = own(versions, name);
  const keeps = guarded(site, name);
  const gib = databaseGib(ask.gib);
  const memoryMib = ask.memoryMib ?? 1024;
  const password = newPassword(`${logicalName}-master`, parent, protect);
  const last = new RandomId(`${logicalName}-last`, { byteLength: 4 }, { parent });
  const subnets = new SubnetGroup(logicalName, { subnetIds: network.subnets("data") }, options);
  const parameters = new ParameterGroup(
    logicalName,
    {
      family: `postgres${version ?? postgresVersion}`,
      parameters: Object.entries({ "rds.force_ssl": "1", ...settings(ask) })
        .sort(([a], [b]) => (a < b ? -1 : 1))
        // A static one takes effect with a restart alone, and RDS refuses any other word for it.
        .map(([key, value]) => ({ name: key, value, applyMethod: "pending-reboot" })),
    },
    options,
  );
  const monitor = protect ? monitoring(region, name, logicalName, options) : undefined;
  const most = gib * 4;
  const identifier = fit(`${site.name}-${name}`, 63);
  // RDS would make them itself, and keep them for ever.
  const logs = exported.map((log) => {
    const at = { parent, logicalName: `${logicalName}-${log}` };
    return makeLogGroup(region, name, at, `/aws/rds/instance/${identifier}/${log}`);
  });
  const instance = new Instance(
    logicalName,
    {
      identifier,
      engine: "postgres",
      engineVersion: version ?? postgresVersion,
      // The operator's word: preflight refuses another version without it.
      ...(version === undefined ? {} : { allowMajorVersionUpgrade: true }),
      instanceClass: own(classes, name) ?? databaseClass(memoryMib) ?? "",
      allocatedStorage: gib,
      maxAllocatedStorage: most,
      storageType: "gp3",
      storageEncrypted: true,
      ...encryptedBy(region),
      username: "postgres",
      password,
      dbSubnetGroupName: subnets.name,
      vpcSecurityGroupIds: [network.group("data")],
      parameterGroupName: parameters.name,
      publiclyAccessible: false,
      multiAz: protect,
      caCertIdentifier: "rds-ca-rsa2048-g1",
      autoMinorVersionUpgrade: true,
      backupRetentionPeriod: protect ? backups : 1,
      copyTagsToSnapshot: true,
      deleteAutomatedBackups: !protect,
      deletionProtection: keeps,
      ...(protect
        ? { finalSnapshotIdentifier: interpolate`${site.name}-${name}-${last.hex}` }
        : { skipFinalSnapshot: true }),
      enabledCloudwatchLogsExports: exported,
      performanceInsightsEnabled: true,
      ...(region.key === undefined ? {} : { performanceInsightsKmsKeyId: region.key }),
      ...(monitor === undefined ? {} : { monitoringInterval: 60, monitoringRoleArn: monitor.arn }),
      applyImmediately: true,
    },
    {
      ...options,
      ...protection(keeps),
      dependsOn: logs,
      // Each would make an empty database in the place of the old one; the last one's key never changes.
      ignoreChanges: [
        ...["snapshotIdentifier", "username", "storageEncrypted", "engine", "availabilityZone", "dbName"],
        ...["kmsKeyId", "performanceInsightsKmsKeyId"],
      ],
    },
  );
  region.nodes[name] = instance;
  const watch = (what: string, watched: Pick<Watched, "says" | "metric" | "when" | "threshold">): void => {
    const look = `\`aws rds describe-events --source-type db-instance --source-identifier ${identifier} --duration 1440 --region ${region.region}\`, and its Performance Insights`;
    const from = { look, namespace: "AWS/RDS", dimensions: { DBInstanceIdentifier: instance.identifier } };
    region.alarms.watch(`${logicalName}-${what}`, { ...from, ...watched, statistic: "Average", minutes: 15 }, options);
  };
  const low = gib * 0.1 * 2 ** 30;
  watch("storage", {
    says: `${name}: less than a tenth of its disk is free, though RDS makes it larger by itself, up to ${String(most)} GiB`,
    metric: "FreeStorageSpace",
    when: "below",
    threshold: low,
  });
  watch("cpu", {
    says: `${name}: its processors are busy; a larger one: aws.classes`,
    metric: "CPUUtilization",
    when: "above",
    threshold: 90,
  });
  const given: Given<"postgres"> = {
    host: instance.address,
    port: 5432,
    tls: true,
    members: [],
    user: "postgres",
    password,
    ready: [instance],
  };
  return given;
}

/** What lets RDS write the machine's own numbers (FSBP RDS.6). */
function monitoring(region: Region, name: string, logical: string, options: CustomResourceOptions) {
  const trusted = { service: "monitoring.rds.amazonaws.com", does: `watches ${name}` };
  const role = makeRole(region, `${logical}-monitor`, name, trusted, options);
  new RolePolicyAttachment(
    `${logical}-monitor`,
    { role: role.name, policyArn: "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole" },
    options,
  );
  return role;
}

function settings({ settings: asked = {}, outputPlugins = [] }: Ask<"postgres">): Record<string, string> {
  const { wal_level: level, ...others } = asked;
  return { ...others, ...(level === "logical" || outputPlugins.length > 0 ? { "rds.logical_replication": "1" } : {}) };
}
