/** Asks AWS for a stack's services, groups of machines and logs, with the credentials and the endpoint of its own gates. */
import type { AutoScalingGroup } from "@aws-sdk/client-auto-scaling";
import type { ECS, Service, Task } from "@aws-sdk/client-ecs";
import type { InstanceInformation } from "@aws-sdk/client-ssm";
import { z } from "zod";

import type { List } from "../../components/core/contracts.ts";
import { type AwsAccess, autoScalingOf, awsAccess, ecsOf, explainAws, logsOf, ssmOf } from "../../ops/aws.ts";
import { describe } from "../../ops/ecs-job.ts";
import { within } from "./limit.ts";
import { ofType, type Resource, type State } from "./state.ts";

/** Seconds: the SDK itself tries again for a minute where AWS limits an account's calls. */
const patience = 30;

export const awsServices = "aws:ecs/service:Service";
export const awsGroups = "aws:autoscaling/group:Group";
export const awsInstances = "aws:ec2/instance:Instance";

/** What a region has of the stack. */
export interface RegionSeen {
  readonly region: string;
  /** Why it cannot be asked; the rest is empty then. */
  readonly failed?: string;
  readonly services: List<Service>;
  readonly tasks: List<Task>;
  readonly groups: List<AutoScalingGroup>;
  /** Machines as Systems Manager knows them. */
  readonly machines: List<InstanceInformation>;
}

/** How the stack's own gates reach AWS, by the region. */
export function accessOf(state: State): ReadonlyMap<string, AwsAccess> {
  const all = state.resources.flatMap(({ outputs }) => {
    const { ecs } = z.object({ ecs: z.object({ at: z.unknown() }) }).safeParse(outputs).data ?? {};
    return awsAccess.safeParse(outputs.at ?? ecs?.at).data ?? [];
  });
  return new Map(all.map((at) => [at.region, at]));
}

/** The region in a resource's ARN. An instance has it in its outputs alone. */
export function regionOf({ outputs: { arn, region } }: Resource): string {
  return typeof arn === "string" ? (arn.split(":")[3] ?? "") : typeof region === "string" ? region : "";
}

export function askRegions(state: State): Promise<List<RegionSeen>> {
  return Promise.all(
    [...accessOf(state).values()].map(async (at): Promise<RegionSeen> => {
      const ours = (type: string): Resource[] =>
        ofType(state, type).filter((resource) => [at.region, ""].includes(regionOf(resource)));
      const { told, failed } = await within(patience, `AWS in ${at.region}`, async (abortSignal) => {
        const wish = { services: ours(awsServices), groups: ours(awsGroups), instances: ours(awsInstances) };
        try {
          return { region: at.region, ...(await look(at, wish, { abortSignal })) };
        } catch (error) {
          throw explainAws(error, at);
        }
      });
      return told ?? { region: at.region, failed, services: [], tasks: [], groups: [], machines: [] };
    }),
  );
}

interface Wish {
  readonly services: List<Resource>;
  readonly groups: List<Resource>;
  readonly instances: List<Resource>;
}
interface Options {
  readonly abortSignal: AbortSignal;
}

async function look(at: AwsAccess, { services, groups, instances }: Wish, options: Options) {
  const clusters = new Map<string, string[]>();
  for (const { outputs } of services)
    clusters.set(String(outputs.cluster), [...(clusters.get(String(outputs.cluster)) ?? []), String(outputs.name)]);
  const [ofEcs, found] = await Promise.all([
    Promise.all([...clusters].map(([cluster, names]) => lookAtCluster(at, cluster, names, options))),
    groups.length === 0
      ? []
      : lookAtGroups(
          at,
          groups.map(({ outputs }) => String(outputs.name)),
          options,
        ),
  ]);
  const ids = [
    ...instances.map(({ id = "" }) => id),
    ...found.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId = "" }) => InstanceId)),
  ];
  return {
    services: ofEcs.flatMap((each) => each.services),
    tasks: ofEcs.flatMap((each) => each.tasks),
    groups: found,
    machines: ids.length === 0 ? [] : await lookAtMachines(at, ids, options),
  };
}

async function lookAtCluster(at: AwsAccess, cluster: string, names: List<string>, options: Options) {
  const ecs = await ecsOf(at);
  const answers = await Promise.all(
    chunks(names, 10).map((services) => ecs.describeServices({ cluster, services }, options)),
  );
  return {
    services: answers.flatMap(({ services = [] }) => services),
    tasks: await tasksIn(ecs, cluster, options),
  };
}

async function tasksIn(ecs: ECS, cluster: string, options: Options): Promise<Task[]> {
  const arns: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ecs.listTasks({ cluster, ...(nextToken === undefined ? {} : { nextToken }) }, options);
    arns.push(...(page.taskArns ?? []));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return arns.length === 0 ? [] : describe(ecs, cluster, arns);
}

async function lookAtGroups(at: AwsAccess, names: List<string>, options: Options): Promise<AutoScalingGroup[]> {
  const client = await autoScalingOf(at);
  const answers = await Promise.all(
    chunks(names, 50).map((some) => client.describeAutoScalingGroups({ AutoScalingGroupNames: some }, options)),
  );
  return answers.flatMap(({ AutoScalingGroups = [] }) => AutoScalingGroups);
}

async function lookAtMachines(at: AwsAccess, ids: List<string>, options: Options): Promise<InstanceInformation[]> {
  const ssm = await ssmOf(at);
  const answers = await Promise.all(
    chunks(ids, 50).map((Values) =>
      ssm.describeInstanceInformation({ Filters: [{ Key: "InstanceIds", Values }], MaxResults: 50 }, options),
    ),
  );
  return answers.flatMap(({ InstanceInformationList = [] }) => InstanceInformationList);
}

/** Lines of a log group in which one of `phrases` is, since so many hours ago, oldest first. */
export async function linesWith(
  at: AwsAccess,
  logGroupName: string,
  phrases: List<string>,
  hours: number,
  options: Options,
): Promise<string[]> {
  const logs = await logsOf(at);
  const asked = {
    logGroupName,
    filterPattern: phrases.map((phrase) => `?"${phrase}"`).join(" "),
    startTime: Date.now() - hours * 3_600_000,
  };
  const lines: string[] = [];
  let nextToken: string | undefined;
  // A page may be empty although there are later ones.
  for (let pages = 0; pages < 20; pages++) {
    const page = await logs.filterLogEvents(nextToken === undefined ? asked : { ...asked, nextToken }, options);
    lines.push(...(page.events ?? []).map(({ message = "" }) => message));
    nextToken = page.nextToken;
    if (nextToken === undefined) break;
  }
  return lines;
}

/** The log group of a service, as its gate has it. */
export function logGroupOf(state: State, service: string): string | undefined {
  const gate = ofType(state, "platform-topologies:index:EcsGate").find(({ outputs }) => outputs.service === service);
  return typeof gate?.outputs.logGroup === "string" ? gate.outputs.logGroup : undefined;
}

function chunks<T>(all: List<T>, size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
