/** What everything in a stack's part of AWS shares: names, the private network, options, secrets. */
import type { CustomResourceOptions, Input, Resource } from "@pulumi/pulumi";
import { LogGroup } from "@pulumi/aws/cloudwatch/logGroup.js";
import { Role } from "@pulumi/aws/iam/role.js";
import { Secret } from "@pulumi/aws/secretsmanager/secret.js";
import { SecretVersion } from "@pulumi/aws/secretsmanager/secretVersion.js";

import type { AwsAccess } from "../../../ops/resources.ts";
import type { List } from "../../core/contracts.ts";
import { own } from "../../core/formats.ts";
import type { At, Site } from "../../core/topology.ts";
import type { Alarms } from "./alarms.ts";
import type { AwsConfig } from "./config.ts";
import { fit } from "./fit.ts";
import type { Logs } from "./logs.ts";
import type { Network } from "./network.ts";
import { trust } from "./policy.ts";

/** With everything that the config says of it. */
export interface Region extends Omit<AwsConfig, "tls"> {
  /** The component's name, with which those of its children begin. */
  readonly name: string;
  readonly site: Site;
  readonly network: Network;
  readonly logs: Logs;
  readonly alarms: Alarms;
  /** What a search of AWS' own waits for. */
  readonly searchReady: List<Resource>;
  /** Where our own provider does its work. */
  readonly at: AwsAccess;
  /** What may be pulled: statements of a policy. */
  readonly images: List<object>;
  /** The options of what is made below `parent`. Default: below the topology. */
  readonly under: (parent?: Resource) => CustomResourceOptions;
}

/** Whether a store refuses to go: in a protected stack, until the operator has said `gone` of it. */
export function guarded({ protect, disks }: Site, name: string): boolean {
  return protect && own(disks, name) !== "gone";
}

/** Seven days: the least that keeps a deleted secret. */
export const recoveryDays = 7;

/** A secret and its content. Its name is free again at once if the stack is not protected. */
export function makeSecret(
  site: Site,
  logical: string,
  description: string,
  content: Input<string>,
  options: CustomResourceOptions,
) {
  const secret = new Secret(logical, { description, recoveryWindowInDays: site.protect ? recoveryDays : 0 }, options);
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

/** A part's own log. */
export function makeLogGroup({ site, logDays, under }: Region, name: string, { parent, logicalName }: At): LogGroup {
  const args = { name: `/${site.name}/${name}`, retentionInDays: logDays };
  return new LogGroup(`${logicalName}-log`, args, under(parent));
}
