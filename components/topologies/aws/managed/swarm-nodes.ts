/** What all machines of a swarm have in common. */
import type { CustomResourceOptions, Output, Resource } from "@pulumi/pulumi";
import { LaunchTemplate, type LaunchTemplateArgs } from "@pulumi/aws/ec2/launchTemplate.js";

import type { Dict, Machines } from "../../../core/contracts.ts";
import type { At } from "../../../core/topology.ts";
import { metadata, systemDisk, systemImage } from "../machines.ts";
import type { Region } from "../region.ts";
import { type NodeArgs, nodeUserData } from "../user-data.ts";

/** Seconds for a machine, its engine and its join. */
export const startSeconds = 1200;

/** What a role of machines may do. */
export interface Profile {
  readonly arn: Output<string>;
  readonly name: Output<string>;
  readonly ready: Resource[];
}

/** What each sort of machines is made with. */
export interface Nodes {
  readonly region: Region;
  readonly at: At;
  readonly options: CustomResourceOptions;
  readonly profiles: { readonly manager: Profile; readonly worker: Profile };
  /** The secret that has the managers' token. */
  readonly managerToken: Output<string>;
  readonly before: Resource[];
  /** What every agent is told. */
  readonly known: (labels: Dict<string>) => Output<NodeArgs>;
}

export function inBase64(data: Output<NodeArgs>): Output<string> {
  return data.apply((args) => Buffer.from(nodeUserData(args)).toString("base64"));
}

/** `more`: what machines without names have in common, too. */
export function templateOf(
  { region, at, options }: Nodes,
  group: string,
  { gib }: Machines,
  tags: Dict<string>,
  more: LaunchTemplateArgs = {},
): LaunchTemplate {
  return new LaunchTemplate(
    `${at.logicalName}-${group}`,
    {
      imageId: systemImage,
      blockDeviceMappings: [systemDisk(gib, region)],
      metadataOptions: metadata,
      tagSpecifications: ["instance", "volume"].map((resourceType) => ({ resourceType, tags })),
      updateDefaultVersion: true,
      ...more,
    },
    options,
  );
}
