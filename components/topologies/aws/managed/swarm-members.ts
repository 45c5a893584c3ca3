/** Machines of a swarm that keep their names, addresses and disks: the managers, and workers with volumes. */
import { all, type Output, type Resource } from "@pulumi/pulumi";
import { Instance } from "@pulumi/aws/ec2/instance.js";
import { NetworkInterface } from "@pulumi/aws/ec2/networkInterface.js";

import { SwarmNode } from "../../../../ops/resources.ts";
import type { Dict, List, Machines } from "../../../core/contracts.ts";
import { protection } from "../../../core/site.ts";
import type { At } from "../../../core/topology.ts";
import { hostOf, zoneOf } from "../addresses.ts";
import { classOf, metadata } from "../machines.ts";
import { guarded, type Region } from "../region.ts";
import { managersGroup } from "../sizes.ts";
import type { NodeArgs } from "../user-data.ts";
import { inBase64, type Nodes, startSeconds, templateOf } from "./swarm-nodes.ts";

export interface SwarmMember {
  readonly host: string;
  readonly instance: Instance;
  readonly address: Output<string>;
  readonly gate: SwarmNode;
}

/** An address for each, one zone after another. All managers' are known before the first machine is made. */
export function cardsOf(region: Region, group: string, count: number, { parent, logicalName }: At): NetworkInterface[] {
  const { site, network, zones, under } = region;
  return Array.from({ length: count }, (_, index) => {
    const host = hostOf(group, index);
    const zone = zoneOf(zones, index);
    const args = {
      subnetId: network.subnet("app", zone),
      securityGroups: [network.group("app")],
      description: `${site.name} ${host}`,
      tags: { Name: `${site.name}-${host}`, zone }, // preflight reads both: the machine cannot move
    };
    return new NetworkInterface(`${logicalName}-${host}`, args, under(parent));
  });
}

/** One after another: each is a node before the next one is made or changed. */
export function makeMembers(
  nodes: Nodes,
  group: string,
  machines: Machines & { readonly labels: Dict<string> },
  cards: List<NetworkInterface>,
  after: List<Resource>,
): SwarmMember[] {
  const { region, at, options, profiles, before, known, managerToken } = nodes;
  const { site, alarms } = region;
  const isManager = group === managersGroup;
  const tags = { Name: `${site.name}-${group}`, swarm: site.name, backup: site.name };
  const template = templateOf(nodes, group, machines, tags);
  const made: SwarmMember[] = [];
  for (const [index, card] of cards.entries()) {
    const host = hostOf(group, index);
    const key = `${at.logicalName}-${host}`;
    const data = all([known({ ...machines.labels, group }), card.privateIp, managerToken]).apply(
      ([shared, address, token]): NodeArgs => ({
        ...shared,
        ...{ host, address },
        ...(isManager ? { managerToken: token } : {}),
        ...(isManager && index === 0 ? { first: true } : {}),
      }),
    );
    const keeps = guarded(site, host);
    const last = made.at(-1);
    const instance = new Instance(
      key,
      {
        launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
        instanceType: classOf(region, group, machines),
        primaryNetworkInterface: { networkInterfaceId: card.id },
        iamInstanceProfile: profiles[isManager ? "manager" : "worker"].name,
        metadataOptions: metadata,
        disableApiTermination: keeps,
        monitoring: true,
        ebsOptimized: true,
        userDataBase64: inBase64(data),
        tags: { ...tags, Name: `${site.name}-${host}` },
      },
      {
        ...options,
        ...protection(keeps),
        // A newer agent, or another disk, would replace or stop the machine: they come with the next one.
        ignoreChanges: ["launchTemplate", "userDataBase64"],
        deleteBeforeReplace: true, // its address and its name are single
        dependsOn: [...before, ...after, ...(last === undefined ? [] : [last.gate])],
      },
    );
    const gate = new SwarmNode(
      key,
      {
        ...{ at: region.at, name: `${site.name}-${host}`, instance: instance.id, seconds: startSeconds },
        trigger: [instance.instanceType],
      },
      { parent: at.parent },
    );
    alarms.watch(
      `${key}-machine`,
      {
        says: `${host} is ill, or gone`,
        look: `\`aws ec2 describe-instance-status --include-all-instances --region ${region.region}\`, then docs/machines.md`,
        ...{ namespace: "AWS/EC2", metric: "StatusCheckFailed", statistic: "Maximum" },
        dimensions: { InstanceId: instance.id },
        ...{ when: "above", threshold: 0, minutes: 5, silence: "rings" },
      },
      options,
    );
    made.push({ host, instance, address: card.privateIp, gate });
  }
  return made;
}
