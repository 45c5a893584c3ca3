/** Machines of a swarm that come and go with a number. */
import type { Input, Resource } from "@pulumi/pulumi";
import { Group } from "@pulumi/aws/autoscaling/group.js";
import { LifecycleHook } from "@pulumi/aws/autoscaling/lifecycleHook.js";

import { SwarmNode } from "../../../../ops/resources.ts";
import type { Dict, List, Machines } from "../../../core/contracts.ts";
import { classOf } from "../machines.ts";
import { inBase64, type Nodes, startSeconds, templateOf } from "./swarm-nodes.ts";

/** Seconds that a machine which is to go may take to become empty. */
const drainSeconds = 900;

/** `manager`: the machine that knows when all are there. A machine that is to go waits until the leader has emptied it. */
export function makeGroup(
  nodes: Nodes,
  group: string,
  machines: Machines & { readonly labels: Dict<string> },
  manager: Input<string>,
  after: List<Resource>,
): SwarmNode {
  const { region, at, options, profiles, before, known } = nodes;
  const { site, network, zones, alarms } = region;
  const { count } = machines;
  const logical = `${at.logicalName}-${group}`;
  const tags = { Name: `${site.name}-${group}`, swarm: site.name };
  const template = templateOf(nodes, group, machines, tags, {
    instanceType: classOf(region, group, machines),
    vpcSecurityGroupIds: [network.group("app")],
    iamInstanceProfile: { arn: profiles.worker.arn },
    userData: inBase64(known({ ...machines.labels, group })),
  });
  const version = template.latestVersion.apply(String);
  const made = new Group(
    logical,
    {
      ...{ minSize: count, maxSize: count + 1, desiredCapacity: count },
      vpcZoneIdentifiers: zones.map((zone) => network.subnet("app", zone)),
      launchTemplate: { id: template.id, version },
      healthCheckType: "EC2",
      // A new machine is there before an old one goes.
      instanceMaintenancePolicy: { minHealthyPercentage: 100, maxHealthyPercentage: 110 },
      instanceRefresh: { strategy: "Rolling", preferences: { minHealthyPercentage: 100, maxHealthyPercentage: 110 } },
      waitForCapacityTimeout: "0", // our own gate waits
      enabledMetrics: ["GroupInServiceInstances"],
      tags: Object.entries(tags).map(([key, value]) => ({ key, value, propagateAtLaunch: true })),
    },
    { ...options, dependsOn: [...before, ...after] },
  );
  new LifecycleHook(
    logical,
    {
      name: "drain", // HOOK in node.py
      autoscalingGroupName: made.name,
      lifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeatTimeout: drainSeconds,
      defaultResult: "CONTINUE",
    },
    options,
  );
  alarms.watch(
    `${logical}-machines`,
    {
      says: `${group}: machines are missing`,
      look: `\`aws autoscaling describe-scaling-activities --region ${region.region}\``,
      ...{ namespace: "AWS/AutoScaling", metric: "GroupInServiceInstances", statistic: "Minimum" },
      dimensions: { AutoScalingGroupName: made.name },
      ...{ when: "below", threshold: count, minutes: 15, silence: "rings" },
    },
    options,
  );
  const wait = { at: region.at, name: `${site.name}-${group}`, instance: manager, seconds: startSeconds };
  const trigger = [version];
  return new SwarmNode(
    logical,
    { ...wait, groups: { [group]: count }, trigger },
    { parent: at.parent, dependsOn: [made] },
  );
}
