/** ECS and its logs: each task ends well as soon as somebody looks, each service has what it was given. */
import { Refused } from "./answers.ts";

import type { Answers } from "./answers.ts";
import type { Faults } from "../faults.ts";
import type { Bag } from "../wire.ts";
import type { Thing, World } from "../world.ts";

interface Task {
  taskArn: string;
  clusterArn: string;
  taskDefinitionArn: string;
  startedBy?: string;
  clientToken?: string;
  family: string;
  containers: string[];
  createdAt: number;
  stoppedAt?: number;
  stoppedReason?: string;
  exitCode?: number;
}

const definitions = "aws:ecs/taskDefinition:TaskDefinition";

export const ecs: Answers = {
  RunTask: (asked, world) => {
    const wanted = text(asked.taskDefinition);
    const definition = definitionOf(world, wanted);
    if (!definition) throw new Refused("ClientException", `Unable to describe task definition: ${wanted}`);
    const token = text(asked.clientToken);
    const before = token === "" ? undefined : tasks(world).find((task) => task.clientToken === token);
    if (before && before.taskDefinitionArn !== definition.facts.arn)
      throw new Refused("ConflictException", `The clientToken ${token} was used with other parameters`);
    return { tasks: [shown(before ?? started(asked, definition, world))], failures: [] };
  },
  ListTasks: (asked, world) => {
    const { startedBy, family, desiredStatus = "RUNNING" } = asked;
    const found = tasks(world).filter(
      (task) =>
        last(task.clusterArn) === last(text(asked.cluster)) &&
        (startedBy === undefined || task.startedBy === startedBy) &&
        (family === undefined || task.family === family) &&
        (task.stoppedAt === undefined) === (desiredStatus === "RUNNING"),
    );
    return { taskArns: found.map(({ taskArn }) => taskArn) };
  },
  DescribeTasks: (asked, world, faults) => {
    const arns = list(asked.tasks);
    const found = tasks(world).filter(({ taskArn }) => arns.some((arn) => last(arn) === last(taskArn)));
    const missing = arns.filter((arn) => !found.some(({ taskArn }) => last(arn) === last(taskArn)));
    return {
      tasks: found.map((task) => shown(ended(world, task, faults))),
      failures: missing.map((arn) => ({ arn, reason: "MISSING" })),
    };
  },
  StopTask: (asked, world) => {
    const task = tasks(world).find(({ taskArn }) => last(taskArn) === last(text(asked.task)));
    if (!task) throw new Refused("InvalidParameterException", "The referenced task was not found.");
    const stopped =
      task.stoppedAt === undefined
        ? { ...task, stoppedAt: now(), exitCode: 137, stoppedReason: text(asked.reason) }
        : task;
    world.keep("tasks", task.taskArn, { ...stopped });
    return { task: shown(stopped) };
  },
  DescribeServices: (asked, world, faults) => {
    const wanted = list(asked.services);
    const found = wanted.map((name) => serviceOf(world, asked.cluster, name));
    return {
      services: found.flatMap((service) => (service ? [described(service, world, faults)] : [])),
      failures: wanted.filter((_, index) => !found[index]).map((arn) => ({ arn, reason: "MISSING" })),
    };
  },
  ListServiceDeployments: (asked, world, faults) => {
    const service = serviceOf(world, asked.cluster, text(asked.service));
    if (!service) throw new Refused("ServiceNotFoundException", "Service not found.");
    const { arn, cluster } = service.facts;
    const failed = faults.fails("call", `service/${text(service.facts.name)}`);
    const deployment = {
      serviceDeploymentArn: `${text(arn).replace(":service/", ":service-deployment/")}/simulated`,
      serviceArn: arn,
      clusterArn: cluster,
      status: failed ? "ROLLBACK_FAILED" : "SUCCESSFUL",
      statusReason: failed ? reason : "",
      createdAt: now(),
    };
    return { serviceDeployments: [deployment] };
  },
};

const reason = "ECS deployment circuit breaker: tasks failed to start, as SIMULATE_FAIL asks for it.";

export const logs: Answers = {
  FilterLogEvents: () => ({ events: [], searchedLogStreams: [] }),
  GetLogEvents: ({ logStreamName }) => ({
    events: [
      { timestamp: Date.now(), ingestionTime: Date.now(), message: `simulated: ${text(logStreamName)} ran nothing` },
    ],
    nextForwardToken: "f/simulated",
    nextBackwardToken: "b/simulated",
  }),
};

function tasks(world: World): Task[] {
  return world.notes("tasks") as unknown as Task[];
}

function started(asked: Bag, definition: Thing, world: World): Task {
  const cluster = text(asked.cluster);
  const arn = text(definition.facts.arn);
  const place = arn.split(":").slice(0, 5).join(":");
  const number = world.next("tasks").toString(16).padStart(32, "0");
  const task: Task = {
    taskArn: `${place}:task/${last(cluster)}/${number}`,
    clusterArn: cluster.startsWith("arn:") ? cluster : `${place}:cluster/${cluster}`,
    taskDefinitionArn: arn,
    family: text(definition.facts.family),
    containers: list(definition.facts.containers),
    createdAt: now(),
    ...(asked.startedBy === undefined ? {} : { startedBy: text(asked.startedBy) }),
    ...(asked.clientToken === undefined ? {} : { clientToken: text(asked.clientToken) }),
  };
  world.keep("tasks", task.taskArn, { ...task });
  return task;
}

/** A task that runs has ended when it is looked at. */
function ended(world: World, task: Task, faults: Faults): Task {
  if (task.stoppedAt !== undefined) return task;
  const exitCode = faults.fails("call", `task/${task.family}`) ? 1 : 0;
  const done = { ...task, stoppedAt: now(), exitCode, stoppedReason: "Essential container in task exited" };
  world.keep("tasks", task.taskArn, done);
  return done;
}

function shown(task: Task): Bag {
  const { taskArn, clusterArn, taskDefinitionArn, startedBy, createdAt, stoppedAt, stoppedReason, exitCode } = task;
  const lastStatus = stoppedAt === undefined ? "PENDING" : "STOPPED";
  const stopped = stoppedAt === undefined ? {} : { stoppedAt, stoppedReason, stopCode: "EssentialContainerExited" };
  return {
    taskArn,
    clusterArn,
    taskDefinitionArn,
    ...(startedBy === undefined ? {} : { startedBy }),
    lastStatus,
    desiredStatus: stoppedAt === undefined ? "RUNNING" : "STOPPED",
    createdAt,
    ...stopped,
    containers: task.containers.map((name) => ({
      name,
      lastStatus,
      taskArn,
      ...(exitCode === undefined ? {} : { exitCode }),
    })),
  };
}

function described({ facts }: Thing, world: World, faults: Faults): Bag {
  const { name, cluster, desiredCount = 1 } = facts;
  const taskDefinition = definitionOf(world, text(facts.taskDefinition))?.facts.arn ?? facts.taskDefinition;
  const failed = faults.fails("call", `service/${text(name)}`);
  const running = failed ? 0 : desiredCount;
  const deployment = {
    id: "ecs-svc/simulated",
    status: "PRIMARY",
    taskDefinition,
    desiredCount,
    runningCount: running,
    pendingCount: 0,
    failedTasks: failed ? 3 : 0,
    rolloutState: failed ? "FAILED" : "COMPLETED",
    rolloutStateReason: failed ? reason : "ECS deployment completed.",
    createdAt: now(),
    updatedAt: now(),
  };
  return {
    serviceArn: facts.arn,
    serviceName: name,
    clusterArn: cluster,
    status: "ACTIVE",
    taskDefinition,
    desiredCount,
    runningCount: running,
    pendingCount: 0,
    deployments: [deployment],
    events: [],
  };
}

function serviceOf(world: World, cluster: unknown, name: string): Thing | undefined {
  return world
    .things("aws:ecs/service:Service")
    .find(({ facts }) => last(text(facts.arn)) === last(name) && last(text(facts.cluster)) === last(text(cluster)));
}

/** By its ARN, by `family:revision`, or the newest of a family. */
function definitionOf(world: World, wanted: string): Thing | undefined {
  const all = world.things(definitions);
  const exact = all.find(({ facts }) => last(text(facts.arn)) === last(wanted));
  if (exact) return exact;
  const revision = ({ facts }: Thing): number => Number(text(facts.arn).split(":").at(-1));
  return all.filter(({ facts }) => facts.family === wanted).sort((a, b) => revision(b) - revision(a))[0];
}

function last(arn: string): string {
  return arn.split("/").at(-1) ?? "";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** Seconds since 1970, as the protocol has times. */
function now(): number {
  return Math.floor(Date.now() / 1000);
}
