/** Compares a stack's state with its region of AWS. Plain values in and out. */
import type { AutoScalingGroup, Instance } from "@aws-sdk/client-auto-scaling";
import type { Service, Task } from "@aws-sdk/client-ecs";
import { z } from "zod";

import type { List } from "../../components/core/contracts.ts";
import { lastPart } from "../../ops/aws.ts";
import { describeWait, judgeDeployment } from "../../ops/ecs-gate.ts";
import { judgeGroup } from "../../ops/machine.ts";
import { awsGroups, awsInstances, awsServices, logGroupOf, regionOf, type RegionSeen } from "./aws.ts";
import type { Around, Finding, Part, Seen } from "./model.ts";
import { ofType, type Resource, type State } from "./state.ts";

export function judgeRegions(state: State, regions: List<RegionSeen>, around: Around): Seen {
  const all = [
    ...ofType(state, awsServices).map((resource) => ({ resource, judge: serviceOf })),
    ...ofType(state, awsGroups).map((resource) => ({ resource, judge: groupOf })),
    ...ofType(state, awsInstances).map((resource) => ({ resource, judge: instanceOf })),
  ];
  const parts = all.flatMap(({ resource, judge }): Part[] => {
    const region = regions.find((each) => each.region === regionOf(resource)) ?? regions[0];
    return region === undefined ? [] : [judge(state, resource, region, around)];
  });
  const findings = regions.flatMap(({ region, failed }): Finding[] =>
    failed === undefined ? [] : [{ condition: "unknown", what: `AWS in ${region}`, why: failed }],
  );
  return { parts: [...parts, ...managed(state)], findings };
}

type Judge = (state: State, resource: Resource, region: RegionSeen, around: Around) => Part;

const serviceOf: Judge = (state, resource, { region, failed, services, tasks }, { stack, rehearsing, quote }) => {
  const { cluster, taskDefinition } = resource.outputs;
  const name = String(resource.outputs.name);
  const image = imageOf(state, String(taskDefinition), name);
  const rehearses = image !== undefined && rehearsing.includes(image);
  const own = { name, kind: "service" as const, image, ...(rehearses ? { rehearses } : {}) };
  if (failed !== undefined) return { ...own, condition: "unknown", where: [], why: `AWS in ${region} cannot be asked` };
  const found = services.find((each) => each.serviceArn === resource.id || each.serviceName === name);
  if (found === undefined)
    return { ...own, condition: "unwell", where: [], why: "is not in its cluster", look: refreshed(stack) };
  const mine = tasks.filter(({ group, lastStatus }) => group === `service:${name}` && lastStatus === "RUNNING");
  const zones = mine.flatMap(({ availabilityZone }) => availabilityZone ?? []);
  const { runningCount: running = 0, desiredCount: wanted = 0 } = found;
  const described = {
    ...own,
    where: zones.length === 0 ? [region] : [...new Set(zones)].sort(),
    since: sinceOf(found, mine),
    ...(wanted === 1 ? {} : { replicas: { running, wanted } }),
  };
  const log = logGroupOf(state, name) ?? `/${lastPart(String(cluster))}/${name}`;
  const look = `\`aws logs tail ${log} --since 1h --region ${region}\``;
  // Another definition is another run's: nothing is waited for here.
  const verdict = judgeDeployment(found, String(taskDefinition), Infinity);
  if (verdict.is === "failed") {
    const serves = running > 0 && running >= wanted; // an earlier version, or all tasks after some that failed
    return { ...described, condition: serves ? "care" : "unwell", why: quote(verdict.why), look };
  }
  const ill = mine.filter(({ healthStatus }) => healthStatus === "UNHEALTHY").length;
  if (running < wanted) {
    const why = quote(describeWait(found, String(taskDefinition)));
    return { ...described, condition: running === 0 ? "unwell" : "care", why, look };
  }
  if (wanted === 0 && Number(resource.outputs.desiredCount ?? 0) > 0)
    return { ...described, condition: "unwell", why: "was scaled to no task", look: refreshed(stack) };
  if (ill > 0) return { ...described, condition: "unwell", why: `${String(ill)} of its tasks are unhealthy`, look };
  if (verdict.is === "waiting") return { ...described, condition: "care", why: "its deployment is not complete", look };
  return { ...described, condition: "well" };
};

/** Since when its newest task runs, or it has had this deployment. */
function sinceOf({ deployments = [] }: Service, tasks: List<Task>): string | undefined {
  const starts = tasks.flatMap(({ startedAt }) => startedAt?.toISOString() ?? []).sort();
  return starts.at(-1) ?? deployments.find(({ status }) => status === "PRIMARY")?.updatedAt?.toISOString();
}

const definitions = z.array(z.object({ name: z.string(), image: z.string() }));

/** The image of the service's own container, by its task definition. */
function imageOf(state: State, taskDefinition: string, container: string): string | undefined {
  const found = ofType(state, "aws:ecs/taskDefinition:TaskDefinition").find(
    ({ outputs }) => outputs.arn === taskDefinition,
  );
  if (typeof found?.outputs.containerDefinitions !== "string") return undefined;
  const { data } = definitions.safeParse(JSON.parse(found.outputs.containerDefinitions));
  return data?.find(({ name }) => name === container)?.image;
}

const groupOf: Judge = (state, resource, { region, failed, groups, machines }, { stack }) => {
  const { name: called, desiredCapacity } = resource.outputs;
  const gate = ofType(state, "platform-topologies:index:Machine").find(({ outputs }) => outputs.group === called);
  const name = gate?.outputs.name;
  const own = { name: typeof name === "string" ? name : resource.name, kind: "machine" } as const;
  if (failed !== undefined) return { ...own, condition: "unknown", where: [], why: `AWS in ${region} cannot be asked` };
  const found = groups.find(({ AutoScalingGroupName }) => AutoScalingGroupName === called);
  if (found === undefined)
    return { ...own, condition: "unwell", where: [], why: "its Auto Scaling group is gone", look: refreshed(stack) };
  const instances = inService(found);
  const wanted = Number(desiredCapacity ?? 1);
  const described = {
    ...own,
    where: [...new Set(instances.flatMap(({ AvailabilityZone }) => AvailabilityZone ?? []))].sort(),
    ...(wanted === 1 ? {} : { replicas: { running: instances.length, wanted } }),
  };
  const look = `\`aws autoscaling describe-scaling-activities --auto-scaling-group-name ${String(called)} --max-items 5 --region ${region}\``;
  if (instances.length < wanted) {
    const verdict = judgeGroup(found, "", undefined);
    const count = `${String(instances.length)} of ${String(wanted)} machines are in service`;
    const why = "why" in verdict ? `${count}: ${verdict.why}` : count;
    return { ...described, condition: instances.length === 0 ? "unwell" : "care", why, look };
  }
  const silent = instances.filter(
    ({ InstanceId }) => machines.find((each) => each.InstanceId === InstanceId)?.PingStatus !== "Online",
  );
  if (silent.length > 0) {
    const why = `AWS has no word of its machine ${silent.map(({ InstanceId }) => InstanceId).join(", ")}`;
    return { ...described, condition: "unwell", why, look: consoleOf(silent[0]?.InstanceId, region) };
  }
  const template = gate?.outputs.template;
  const old = typeof template === "string" && instances.some((each) => each.LaunchTemplate?.Version !== template);
  if (old)
    return { ...described, condition: "care", why: "its machine is of another template", look: refreshed(stack) };
  return { ...described, condition: "well" };
};

function inService({ Instances = [] }: AutoScalingGroup): Instance[] {
  return Instances.filter(
    ({ LifecycleState, HealthStatus }) => LifecycleState === "InService" && HealthStatus !== "Unhealthy",
  );
}

const instanceOf: Judge = (_state, resource, { region, failed, machines }) => {
  const { tags, availabilityZone } = resource.outputs;
  const named = z.object({ Name: z.string() }).safeParse(tags).data?.Name;
  const own = { name: named ?? resource.name, kind: "machine" } as const;
  if (failed !== undefined) return { ...own, condition: "unknown", where: [], why: `AWS in ${region} cannot be asked` };
  const found = machines.find(({ InstanceId }) => InstanceId === resource.id);
  const where = typeof availabilityZone === "string" ? [availabilityZone] : [region];
  if (found?.PingStatus === "Online") return { ...own, condition: "well", where };
  const since = found?.LastPingDateTime?.toISOString();
  const why = `AWS has no word of its machine ${resource.id ?? ""}`;
  return { ...own, condition: "unwell", where, since, why, look: consoleOf(resource.id, region) };
};

function consoleOf(instance: string | undefined, region: string): string {
  return `\`aws ec2 get-console-output --latest --instance-id ${instance ?? ""} --region ${region}\``;
}

const refreshed = (stack: string): string => `\`npm run pulumi -- up --refresh --stack ${stack}\``;

/** The stores that AWS runs itself, with the command that tells of each. */
const stores: Readonly<Record<string, readonly [string, string]>> = {
  "aws:rds/instance:Instance": ["identifier", "rds describe-db-instances --db-instance-identifier"],
  "aws:elasticache/replicationGroup:ReplicationGroup": [
    "replicationGroupId",
    "elasticache describe-replication-groups --replication-group-id",
  ],
  "aws:opensearch/domain:Domain": ["domainName", "opensearch describe-domain --domain-name"],
};

function managed(state: State): Part[] {
  return state.resources.flatMap((resource): Part[] => {
    const row = stores[resource.type];
    if (row === undefined) return [];
    const [key, command] = row;
    const { engine, engineVersion, engineVersionActual = engineVersion } = resource.outputs;
    const name = String(resource.outputs[key]);
    const region = regionOf(resource);
    return [
      {
        ...{ name, kind: "managed", condition: "unasked", where: [region] },
        image: [engine, engineVersionActual].filter((each) => typeof each === "string").join(" ") || undefined,
        look: `\`aws ${command} ${name} --region ${region}\``,
      },
    ];
  });
}
