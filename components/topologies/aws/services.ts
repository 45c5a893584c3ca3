/** Runs workloads as services of ECS, each behind a gate. */
import type { ProviderResource, Resource } from "@pulumi/pulumi";
import { Policy } from "@pulumi/aws/appautoscaling/policy.js";
import { Target } from "@pulumi/aws/appautoscaling/target.js";
import { Service } from "@pulumi/aws/ecs/service.js";

import { EcsGate } from "../../../ops/resources.ts";
import type { List, Ready, Workload } from "../../core/contracts.ts";
import type { At } from "../../core/topology.ts";
import type { Targets } from "./balancer.ts";
import type { Names } from "./names.ts";
import { type Region, tailOf, watchLog } from "./region.ts";
import type { Tasks } from "./tasks.ts";

export interface ServiceParts {
  readonly region: Region;
  readonly tasks: Tasks;
  readonly names: Names;
  /** What of a balancer leads to it. */
  readonly targets: List<Targets>;
  /** A proxy of the edge. Default: an application. */
  readonly kind?: "proxy";
  /** Of the gate. Default: its parent's. */
  readonly ops?: ProviderResource;
  /** Seconds for which its callers remember its addresses. Default: the domain's. */
  readonly remembered?: number;
  readonly redact: ConstructorParameters<typeof EcsGate>[1]["redact"];
}

/** Half of a task's CPU time is where a further one is started. */
const busyPercent = 60;

/** A workload as a service: ready when the gate has seen the new revision run everywhere. */
export function runService(name: string, workload: Workload, at: At, after: Resource[], parts: ServiceParts): Ready {
  const { region, tasks, names, targets, kind = "service", ops, remembered, redact } = parts;
  const { health, replicas, update, ports = {} } = workload;
  if (replicas === "each-node") throw new Error(`${name}: not checked before it was made`);
  const { parent, logicalName: logical } = at;
  const { site, under } = region;
  const task = tasks.task(name, workload, at, kind);
  const listens = Object.keys(ports).length > 0;
  const follows = typeof replicas !== "number";
  const wanted = follows ? replicas.min : replicas;
  const service = new Service(
    logical,
    {
      name,
      cluster: tasks.cluster.arn,
      taskDefinition: task.definition,
      launchType: "FARGATE",
      platformVersion: "LATEST",
      desiredCount: wanted,
      // Never two at once: the old one ends first, and no other zone gets a second one to even things out.
      ...(update === "stop-first"
        ? {
            ...{ deploymentMaximumPercent: 100, deploymentMinimumHealthyPercent: 0 },
            availabilityZoneRebalancing: "DISABLED",
          }
        : { deploymentMaximumPercent: 200, deploymentMinimumHealthyPercent: 100 }),
      deploymentCircuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriodSeconds: Math.ceil(health.startSeconds),
      networkConfiguration: { ...task.place, assignPublicIp: false },
      ...(listens ? { serviceRegistries: { registryArn: names.ofTasks(name, at, remembered) } } : {}),
      ...(targets.length > 0
        ? {
            loadBalancers: targets.map(({ group, port }) => ({
              targetGroupArn: group.arn,
              containerName: name,
              containerPort: port,
            })),
          }
        : {}),
      propagateTags: "SERVICE",
      // Our own gate waits: the provider's wait leaves a record when it fails, and the next run would pass.
      waitForSteadyState: false,
    },
    {
      ...under(parent),
      dependsOn: [...after, ...task.needs, ...targets.flatMap(({ rules }) => rules)],
      ...(follows ? { ignoreChanges: ["desiredCount"] } : {}),
    },
  );
  region.nodes[name] = service;
  if (follows) scale(logical, service, replicas, site.name, name, under(parent));
  names.aliases(workload.names ?? [], name, at);
  region.alarms.watch(
    `${logical}-tasks`,
    {
      says: `${name}: fewer than ${String(wanted)} of its tasks run`,
      look: `\`aws ecs describe-services --cluster ${site.name} --services ${name} --query 'services[].events[:5]' --region ${region.region}\`, then ${tailOf(region, name)}`,
      ...{ namespace: "ECS/ContainerInsights", metric: "RunningTaskCount", statistic: "Minimum" },
      dimensions: { ClusterName: tasks.cluster.name, ServiceName: service.name },
      ...{ when: "below", threshold: wanted, minutes: 15, silence: "rings" },
    },
    under(parent),
  );
  watchLog(region, name, workload.alarms ?? [], task.logGroup, at);
  const gate = new EcsGate(
    logical,
    {
      at: region.at,
      cluster: tasks.cluster.name,
      service: service.name,
      taskDefinition: task.definition,
      name: `${site.name}-${name}`,
      seconds: health.startSeconds + startMargin,
      logGroup: task.logGroup,
      container: name,
      ...(redact === undefined ? {} : { redact }),
    },
    { parent, ...(ops === undefined ? {} : { provider: ops }) },
  );
  return { ready: [gate] };
}

/** Seconds for what comes before and after a start: a network interface, the image, the balancer's own checks. */
const startMargin = 600;

function scale(
  logical: string,
  service: Service,
  { min, max }: { readonly min: number; readonly max: number },
  cluster: string,
  name: string,
  options: ReturnType<Region["under"]>,
): void {
  const target = new Target(
    logical,
    {
      minCapacity: min,
      maxCapacity: max,
      resourceId: `service/${cluster}/${name}`,
      scalableDimension: "ecs:service:DesiredCount",
      serviceNamespace: "ecs",
    },
    { ...options, dependsOn: [service] },
  );
  new Policy(
    logical,
    {
      policyType: "TargetTrackingScaling",
      resourceId: target.resourceId,
      scalableDimension: target.scalableDimension,
      serviceNamespace: target.serviceNamespace,
      targetTrackingScalingPolicyConfiguration: {
        targetValue: busyPercent,
        predefinedMetricSpecification: { predefinedMetricType: "ECSServiceAverageCPUUtilization" },
      },
    },
    options,
  );
}
