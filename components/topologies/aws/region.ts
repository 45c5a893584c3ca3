/** What everything in a stack's part of AWS shares: names, the private network, options, secrets. */
import type { CustomResourceOptions, Input, Resource } from "@pulumi/pulumi";
import { LogGroup } from "@pulumi/aws/cloudwatch/logGroup.js";
import { Role } from "@pulumi/aws/iam/role.js";
import { Secret, type SecretArgs } from "@pulumi/aws/secretsmanager/secret.js";
import { SecretVersion } from "@pulumi/aws/secretsmanager/secretVersion.js";

import type { AwsAccess } from "../../../ops/resources.ts";
import type { List, LogAlarm } from "../../core/contracts.ts";
import { own } from "../../core/formats.ts";
import type { At, Site } from "../../core/topology.ts";
import type { Alarms } from "./alarms.ts";
import type { AwsConfig } from "./config.ts";
import { fit } from "./fit.ts";
import type { Logs } from "./logs.ts";
import type { Network } from "./network.ts";
import { trust } from "./policy.ts";

/** With everything that the config says of it. */
export interface Region extends Omit<AwsConfig, "tls" | "kmsKey"> {
  /** The component's name, with which those of its children begin. */
  readonly name: string;
  readonly site: Site;
  /** The ARN of the key that encrypts what the stack keeps. Unset: AWS' own keys do. */
  readonly key: Input<string> | undefined;
  readonly network: Network;
  readonly logs: Logs;
  readonly alarms: Alarms;
  /** What a search of AWS' own waits for. */
  readonly searchReady: List<Resource>;
  /** Where our own provider does its work. */
  readonly at: AwsAccess;
  /** What runs, by its part's name: services, machines' groups, and managed stores. */
  readonly nodes: Record<string, Resource>;
  /** What may be pulled: statements of a policy. */
  readonly images: List<object>;
  /** The options of what is made below `parent`. Default: below the topology. */
  readonly under: (parent?: Resource) => CustomResourceOptions;
}

/** Whether a store refuses to go: in a protected stack, until the operator has said `gone` of it. */
export function guarded({ protect, disks }: Site, name: string): boolean {
  return protect && own(disks, name) !== "gone";
}

/** The argument of most resources that are encrypted with the stack's own key. */
export function encryptedBy({ key }: Pick<Region, "key">): { readonly kmsKeyId?: Input<string> } {
  return key === undefined ? {} : { kmsKeyId: key };
}

/** Seven days: the least that keeps a deleted secret. */
const recoveryDays = 7;

/** Its name is free again at once if the stack is not protected. */
export function secretArgs({ site, key }: Region, description: string): SecretArgs {
  return { description, recoveryWindowInDays: site.protect ? recoveryDays : 0, ...encryptedBy({ key }) };
}

/** A secret and its content. */
export function makeSecret(
  region: Region,
  logical: string,
  description: string,
  content: Input<string>,
  options: CustomResourceOptions,
) {
  const secret = new Secret(logical, secretArgs(region, description), options);
  const version = new SecretVersion(logical, { secretId: secret.id, secretString: content }, options);
  return { secret, version };
}

/** What a service of AWS may take on for a part. `does`: as people read it. */
export function makeRole(
  { site, account }: Region,
  logical: string,
  name: string,
  { service, does }: { readonly service: string; readonly does: string },
  options: CustomResourceOptions,
): Role {
  return new Role(
    logical,
    {
      namePrefix: fit(`${site.name}-${name}-`, 38),
      description: does,
      assumeRolePolicy: trust(service, account),
    },
    options,
  );
}

/** A part's own log. `path`: where AWS itself decides it. */
export function makeLogGroup(region: Region, name: string, { parent, logicalName }: At, path?: string): LogGroup {
  const args = { name: path ?? logOf(region, name), retentionInDays: region.logDays, ...encryptedBy(region) };
  return new LogGroup(`${logicalName}-log`, args, region.under(parent));
}

function logOf({ site }: Region, name: string): string {
  return `/${site.name}/${name}`;
}

/** How an operator reads a part's log. */
export function tailOf(region: Region, name: string): string {
  return `\`aws logs tail ${logOf(region, name)} --since 2h --region ${region.region}\``;
}

/** Watches for the lines of a log that its part names. */
export function watchLog(region: Region, name: string, alarms: List<LogAlarm>, log: Input<string>, at: At): void {
  for (const alarm of alarms) {
    const its = { name: `${region.site.name}-${name}-${alarm.key}`, logGroup: log, look: tailOf(region, name) };
    region.alarms.line(`${at.logicalName}-${alarm.key}`, its, alarm, region.under(at.parent));
  }
}
