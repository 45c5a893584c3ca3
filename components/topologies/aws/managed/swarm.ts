/** A swarm of EC2's machines. The agent on each (node.py) joins it; our own gate waits until it has. */
import {
  all,
  type CustomResourceOptions,
  interpolate,
  jsonStringify,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import { Group } from "@pulumi/aws/autoscaling/group.js";
import { LifecycleHook } from "@pulumi/aws/autoscaling/lifecycleHook.js";
import { Instance } from "@pulumi/aws/ec2/instance.js";
import { LaunchTemplate } from "@pulumi/aws/ec2/launchTemplate.js";
import { NetworkInterface } from "@pulumi/aws/ec2/networkInterface.js";
import { InstanceProfile } from "@pulumi/aws/iam/instanceProfile.js";
import { RolePolicy } from "@pulumi/aws/iam/rolePolicy.js";
import { Secret } from "@pulumi/aws/secretsmanager/secret.js";

import { SwarmNode } from "../../../../ops/resources.ts";
import type { Ask, Dict, Given, Machines } from "../../../core/contracts.ts";
import { own } from "../../../core/formats.ts";
import type { At } from "../../../core/topology.ts";
import { zoneOf } from "../addresses.ts";
import { systemImage, systemDisk, metadata } from "../machines.ts";
import { allow, toBeReached, toStart } from "../policy.ts";
import { makeLogGroup, makeRole, recoveryDays, type Region } from "../region.ts";
import { machineClass, managersGroup } from "../sizes.ts";
import { type NodeArgs, nodeUserData } from "../user-data.ts";
import { swarmEdge } from "./swarm-edge.ts";

/** Seconds for a machine, its engine and its join. */
const startSeconds = 1200;
/** Seconds that a machine which is to go may take to become empty. */
const drainSeconds = 900;

/** Members of the swarm that keep their names, addresses and disks. */
interface Member {
  readonly host: string;
  readonly instance: Instance;
  readonly address: Output<string>;
  readonly gate: SwarmNode;
}

/**
 * Managers stay what they are: each has an address of its own, and AWS moves it to other hardware with its disk. They
 * come and change one after another, so that a majority is there at any time. Groups without `keeps` follow a number,
 * and a machine of theirs goes only when the leader has emptied it. The tokens are in two secrets that the managers
 * write and nobody else sees: they are in no state, and in no user data.
 */
export function makeSwarm(region: Region, name: string, ask: Ask<"swarm">, at: At): Given<"swarm"> {
  const { site, network, under } = region;
  const { parent, logicalName: logical } = at;
  const options = under(parent);
  network.swarm();
  const log = makeLogGroup(region, name, at);
  const days = site.protect ? recoveryDays : 0;
  const token = (role: string): Secret =>
    new Secret(
      `${logical}-${role}-token`,
      { description: `joins ${role}s`, recoveryWindowInDays: days },
      { ...options, protect: site.protect },
    );
  const tokens = { manager: token("manager"), worker: token("worker") };
  const profiles = {
    manager: profileOf("manager", [tokens.manager.arn, tokens.worker.arn]),
    worker: profileOf("worker", [tokens.worker.arn]),
  };
  const before: Resource[] = [...network.ready, ...profiles.manager.ready, ...profiles.worker.ready];

  /** What a role of machines may do. Only managers write the tokens, and end what AWS holds back. */
  function profileOf(role: "manager" | "worker", readable: Output<string>[]) {
    const key = `${logical}-${role}`;
    const made = makeRole(region, key, `${name}-${role}`, { service: "ec2.amazonaws.com", does: `${role}s` }, options);
    const Statement = [
      ...toStart(region.images, log.arn, undefined),
      ...toBeReached,
      allow(["secretsmanager:GetSecretValue"], readable),
      ...(role === "manager" ? toLead(region, readable) : []),
    ];
    const policy = new RolePolicy(
      key,
      { role: made.id, policy: jsonStringify({ Version: "2012-10-17", Statement }) },
      options,
    );
    const profile = new InstanceProfile(key, { role: made.name }, options);
    return { arn: profile.arn, name: profile.name, ready: [policy, profile] };
  }

  const cards = (group: string, count: number): NetworkInterface[] =>
    Array.from({ length: count }, (_, index) => {
      const host = `${group === managersGroup ? "manager" : group}-${String(index + 1)}`;
      const subnetId = network.subnet("app", zoneOf(region.zones, index));
      const args = { subnetId, securityGroups: [network.group("app")], description: `${site.name} ${host}` };
      return new NetworkInterface(`${logical}-${host}`, args, options);
    });
  const managerCards = cards(managersGroup, ask.managers.count);
  const managers = all(managerCards.map(({ privateIp }) => privateIp));
  const known = (labels: Dict<string>) =>
    all([tokens.worker.arn, log.name, managers]).apply(([workerToken, logGroup, addresses]) => ({
      ...{
        region: region.region,
        swarm: site.name,
        managers: addresses,
        workerToken,
        logGroup,
        labels,
        keys: ask.keys,
      },
    }));

  /** Machines with names, one after another. */
  function members(group: string, machines: Machines & { readonly labels: Dict<string> }, after: Resource[]): Member[] {
    const isManager = group === managersGroup;
    const its = isManager ? managerCards : cards(group, machines.count);
    const made: Member[] = [];
    const profile = profiles[isManager ? "manager" : "worker"];
    const tags = { Name: `${site.name}-${group}`, swarm: site.name, backup: site.name };
    const template = templateOf(region, `${logical}-${group}`, machines, { tags, group }, options);
    for (const [index, card] of its.entries()) {
      const host = `${isManager ? "manager" : group}-${String(index + 1)}`;
      const key = `${logical}-${host}`;
      const data = all([known({ ...machines.labels, group }), card.privateIp, tokens.manager.arn]).apply(
        ([shared, address, managerToken]): NodeArgs => ({
          ...shared,
          ...{ host, address },
          ...(isManager ? { managerToken } : {}),
          ...(isManager && index === 0 ? { first: true as const } : {}),
        }),
      );
      const last = made.at(-1);
      const instance = new Instance(
        key,
        {
          launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
          instanceType: classOf(region, group, machines),
          primaryNetworkInterface: { networkInterfaceId: card.id },
          iamInstanceProfile: profile.name,
          metadataOptions: metadata,
          disableApiTermination: site.protect,
          monitoring: true,
          ebsOptimized: true,
          userDataBase64: inBase64(data),
          tags: { ...tags, Name: `${site.name}-${host}` },
        },
        {
          ...options,
          protect: site.protect,
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
        { parent },
      );
      watchMember(region, key, host, instance, options);
      made.push({ host, instance, address: card.privateIp, gate });
    }
    return made;
  }

  const managerMembers = members(managersGroup, { ...ask.managers, labels: {} }, []);
  const managerGates = managerMembers.map(({ gate }) => gate);
  const kept = Object.entries(ask.workers).flatMap(([group, machines]) =>
    machines.keeps ? members(group, machines, managerGates) : [],
  );
  const [first] = managerMembers;
  const groups = Object.entries(ask.workers).flatMap(([group, machines]) => {
    if (machines.keeps || first === undefined) return [];
    const data = inBase64(known({ ...machines.labels, group }));
    const parts = { group, profile: profiles.worker.arn, userData: data, after: [...before, ...managerGates] };
    const scaled = groupOf(region, `${logical}-${group}`, machines, parts, options);
    return new SwarmNode(
      `${logical}-${group}`,
      {
        ...{ at: region.at, name: `${site.name}-${group}`, instance: first.instance.id, seconds: startSeconds },
        groups: { [group]: machines.count },
        trigger: [scaled.launchTemplate.apply(({ version }) => version)],
      },
      { parent, dependsOn: [scaled] },
    );
  });
  const edge = swarmEdge(region, ask.ports, managerMembers, at);
  return {
    managers: managerMembers.map(({ instance }) => interpolate`ssh://ec2-user@${instance.id}`),
    nodes: [...managerMembers, ...kept].map(({ host }) => host),
    address: edge.dnsName,
    ready: [...managerGates, ...kept.map(({ gate }) => gate), ...groups, ...edge.ready],
  };
}

function classOf({ classes }: Region, group: string, { cpu, memoryMib }: Machines): string {
  return own(classes, group) ?? machineClass(cpu, memoryMib) ?? "";
}

/** What the leader does: hands out tokens, sees which machines there are, lets an empty one go. */
function toLead({ site, region, account }: Region, tokens: Output<string>[]): object[] {
  const groups = `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:*`;
  const own = { StringEquals: { "aws:ResourceTag/swarm": site.name } };
  return [
    allow(["secretsmanager:PutSecretValue"], tokens),
    allow(["ec2:DescribeInstances", "autoscaling:DescribeAutoScalingGroups"], "*"),
    { ...allow(["autoscaling:CompleteLifecycleAction"], groups), Condition: own },
  ];
}

interface TemplateParts {
  readonly group: string;
  readonly tags: Dict<string>;
  /** What machines with names bring themselves. */
  readonly nameless?: { readonly profile: Output<string>; readonly userData: Output<string> };
}

function templateOf(
  region: Region,
  logical: string,
  machines: Machines,
  { group, tags, nameless }: TemplateParts,
  options: CustomResourceOptions,
): LaunchTemplate {
  return new LaunchTemplate(
    logical,
    {
      imageId: systemImage,
      blockDeviceMappings: [systemDisk(machines.gib)],
      metadataOptions: metadata,
      tagSpecifications: ["instance", "volume"].map((resourceType) => ({ resourceType, tags })),
      updateDefaultVersion: true,
      ...(nameless === undefined
        ? {}
        : {
            instanceType: classOf(region, group, machines),
            vpcSecurityGroupIds: [region.network.group("app")],
            iamInstanceProfile: { arn: nameless.profile },
            userData: nameless.userData,
          }),
    },
    options,
  );
}

function inBase64(data: Output<NodeArgs>): Output<string> {
  return data.apply((args) => Buffer.from(nodeUserData(args)).toString("base64"));
}

interface GroupParts {
  readonly group: string;
  readonly profile: Output<string>;
  readonly userData: Output<string>;
  readonly after: Resource[];
}

/** Machines that come and go. One that is to go waits until the leader has moved its tasks elsewhere. */
function groupOf(
  region: Region,
  logical: string,
  machines: Machines,
  { group, profile, userData, after }: GroupParts,
  options: CustomResourceOptions,
): Group {
  const { site, network, zones } = region;
  const tags = { Name: `${site.name}-${group}`, swarm: site.name };
  const template = templateOf(region, logical, machines, { tags, group, nameless: { profile, userData } }, options);
  const made = new Group(
    logical,
    {
      ...{ minSize: machines.count, maxSize: machines.count + 1, desiredCapacity: machines.count },
      vpcZoneIdentifiers: zones.map((zone) => network.subnet("app", zone)),
      launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
      healthCheckType: "EC2",
      // A new machine is there before an old one goes.
      instanceMaintenancePolicy: { minHealthyPercentage: 100, maxHealthyPercentage: 110 },
      instanceRefresh: { strategy: "Rolling", preferences: { minHealthyPercentage: 100, maxHealthyPercentage: 110 } },
      waitForCapacityTimeout: "0", // our own gate waits
      enabledMetrics: ["GroupInServiceInstances"],
      tags: Object.entries(tags).map(([key, value]) => ({ key, value, propagateAtLaunch: true })),
    },
    { ...options, dependsOn: after },
  );
  new LifecycleHook(
    logical,
    {
      name: "drain",
      autoscalingGroupName: made.name,
      lifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeatTimeout: drainSeconds,
      defaultResult: "CONTINUE",
    },
    options,
  );
  region.alarms.watch(
    `${logical}-machines`,
    {
      says: `${group}: machines are missing`,
      ...{ namespace: "AWS/AutoScaling", metric: "GroupInServiceInstances", statistic: "Minimum" },
      dimensions: { AutoScalingGroupName: made.name },
      ...{ when: "below", threshold: machines.count, minutes: 15, silence: "rings" },
    },
    options,
  );
  return made;
}

function watchMember(
  region: Region,
  key: string,
  host: string,
  { id }: Instance,
  options: CustomResourceOptions,
): void {
  region.alarms.watch(
    `${key}-machine`,
    {
      says: `${host} is ill, or gone`,
      ...{ namespace: "AWS/EC2", metric: "StatusCheckFailed", statistic: "Maximum" },
      dimensions: { InstanceId: id },
      ...{ when: "above", threshold: 0, minutes: 5, silence: "rings" },
    },
    options,
  );
}
