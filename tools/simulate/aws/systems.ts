/** Systems Manager and Auto Scaling: each machine is there at once, and applies what it is told. */
import process from "node:process";

import { Refused } from "./answers.ts";
import { machineOf, start } from "./machines.ts";

import type { Answers } from "./answers.ts";
import type { Machine } from "./machines.ts";
import type { Bag } from "../wire.ts";
import type { Thing, World } from "../world.ts";

const token = "aws:autoscaling/group:Group";

export const ssm: Answers = {
  DescribeInstanceInformation: (asked, world) => {
    const filters = [asked.Filters, asked.InstanceInformationFilterList].flatMap((each) =>
      Array.isArray(each) ? (each as Bag[]) : [],
    );
    const ids = filters.flatMap(({ Key, key, Values, valueSet }) =>
      (Key ?? key) === "InstanceIds" ? ((Values ?? valueSet ?? []) as string[]) : [],
    );
    const found = reachable(world).filter(({ instance }) => filters.length === 0 || ids.includes(instance));
    return {
      InstanceInformationList: found.map(({ instance }) => ({
        InstanceId: instance,
        PingStatus: "Online",
        LastPingDateTime: Math.floor(Date.now() / 1000),
        AgentVersion: "3.3.0.0",
        PlatformType: "Linux",
        PlatformName: "Amazon Linux",
        ResourceType: "EC2Instance",
      })),
    };
  },
  SendCommand: (asked, world) => {
    const ids = (asked.InstanceIds ?? []) as string[];
    const missing = ids.find((id) => !reachable(world).some(({ instance }) => instance === id));
    if (missing !== undefined || ids.length === 0)
      throw new Refused(
        "InvalidInstanceId",
        `Instances not in a valid state for account: ${missing ?? "none is named"}`,
      );
    const number = world.next("commands").toString(16).padStart(12, "0");
    const command = {
      CommandId: `00000000-0000-4000-a000-${number}`,
      InstanceIds: ids,
      DocumentName: asked.DocumentName,
    };
    world.keep("commands", command.CommandId, command); // without its parameters, which may hold anything
    return { Command: { ...command, Status: "Pending", StatusDetails: "Pending" } };
  },
  GetCommandInvocation: (asked, world, faults) => {
    const { CommandId, InstanceId } = asked;
    const command = world.note("commands", String(CommandId));
    if (!command || !(command.InstanceIds as unknown[]).includes(InstanceId))
      throw new Refused(
        "InvocationDoesNotExist",
        "The command ID and instance ID you specified did not match any invocations.",
      );
    const name = reachable(world).find(({ instance }) => instance === InstanceId)?.name ?? "";
    const failed = faults.fails("call", `machine/${name}`);
    return {
      CommandId,
      InstanceId,
      DocumentName: command.DocumentName,
      Status: failed ? "Failed" : "Success",
      StatusDetails: failed ? "Failed" : "Success",
      ResponseCode: failed ? 1 : 0,
      StandardOutputContent: failed ? "" : "simulated: applied",
      StandardErrorContent: failed ? "simulated: the container is unhealthy, as SIMULATE_FAIL asks for it" : "",
    };
  },
};

export const groups: Answers = {
  DescribeAutoScalingGroups: (asked, world) => {
    const names = asked.AutoScalingGroupNames as string[] | undefined;
    const found = world.things(token).filter(({ facts }) => names?.includes(String(facts.name)) ?? true);
    return { AutoScalingGroups: found.map((group) => shown(group, world)) };
  },
  TerminateInstanceInAutoScalingGroup: (asked, world) => {
    const old = machines(world).find(({ instance }) => instance === asked.InstanceId);
    const group = world.things(token).find(({ id }) => id === old?.group);
    if (!old || !group)
      throw new Refused(
        "ValidationError",
        `Instance Id not found - No managed instance found for instance ID ${String(asked.InstanceId)}`,
      );
    start(world, old.group, group.facts);
    return {
      Activity: {
        ActivityId: "00000000-0000-4000-a000-000000000000",
        AutoScalingGroupName: old.group,
        Cause: "an instance was taken out of service in response to a user request",
        StartTime: new Date().toISOString(),
        StatusCode: "InProgress",
        Progress: 0,
      },
    };
  },
};

/** The stack's own account, as its config names it: whose else could these credentials be? */
export const simulatedAccount = (): string => process.env.SIMULATE_ACCOUNT ?? "123456789012";

/** A provider with a role asks for it first. */
export const sts: Answers = {
  GetCallerIdentity: () => ({
    UserId: "AIDASIMULATED",
    Account: simulatedAccount(),
    Arn: `arn:aws:iam::${simulatedAccount()}:user/simulated`,
  }),
  AssumeRole: ({ RoleArn, RoleSessionName }) => ({
    Credentials: {
      AccessKeyId: "simulated",
      SecretAccessKey: "simulated",
      SessionToken: "simulated",
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    },
    AssumedRoleUser: { AssumedRoleId: `AROASIMULATED:${String(RoleSessionName)}`, Arn: RoleArn },
  }),
};

/** Machines with the agent: those of groups, by the group, and those that stand alone, by their name tag. */
function reachable(world: World): { readonly instance: string; readonly name: string }[] {
  return [
    ...machines(world).map(({ instance, group }) => ({ instance, name: group })),
    ...world.things("aws:ec2/instance:Instance").map(({ id, facts }) => ({
      instance: id,
      name: (facts.tags as Record<string, string> | undefined)?.Name ?? id,
    })),
  ];
}

function machines(world: World): Machine[] {
  return world.notes("machines") as unknown as Machine[];
}

function shown({ id, facts }: Thing, world: World): Bag {
  const size = Number(facts.desiredCapacity ?? facts.maxSize ?? 1);
  const machine = size > 0 ? machineOf(world, id) : undefined;
  const template = (of: Machine): Bag => ({
    LaunchTemplateId: of.template.id,
    LaunchTemplateName: of.template.name,
    Version: of.template.version,
  });
  return {
    AutoScalingGroupName: facts.name,
    AutoScalingGroupARN: facts.arn,
    MinSize: size,
    MaxSize: size,
    DesiredCapacity: size,
    DefaultCooldown: 300,
    AvailabilityZones: facts.availabilityZones ?? [],
    HealthCheckType: "EC2",
    CreatedTime: "2026-01-01T00:00:00Z",
    Instances: machine
      ? [
          {
            InstanceId: machine.instance,
            AvailabilityZone: machine.zone,
            LifecycleState: "InService",
            HealthStatus: "Healthy",
            LaunchTemplate: template(machine),
            ProtectedFromScaleIn: false,
          },
        ]
      : [],
  };
}
