/** A job's run as a task of ECS on Fargate. */
import type { ECS, Task } from "@aws-sdk/client-ecs";

import { lastPart, named, pauses, streamLines } from "./aws.ts";
import { ecsFingerprint } from "./job-inputs.ts";
import type { EcsJobInputs, Ending, Run, Runner } from "./job-inputs.ts";

/** How long ECS may not know a task that it has just started. */
const unknownLimit = 30_000;

export function taskJobs(ecs: ECS, asked: EcsJobInputs): Runner<EcsJobInputs> {
  return {
    takeOver: async () => {
      const mark = markOf(asked);
      const all = await tasksOf(ecs, asked);
      if (!all) throw new Error(`${asked.name}: the cluster ${asked.ecs.cluster} is gone: run \`pulumi up --refresh\``);
      const going = all.filter(goesOn);
      const run = going.find(({ startedBy, desiredStatus }) => startedBy === mark && desiredStatus !== "STOPPED");
      // Another run of this job, or one that somebody has stopped, must not go on beside the next.
      const others = going.filter((task) => task !== run);
      const ended = await end(ecs, asked, others);
      if (run) return runOf(ecs, arnOf(run), asked);
      const done = [...all, ...ended].find((task) => {
        const ending = endingOf(task, asked.ecs.container);
        return task.startedBy === mark && ending !== undefined && ending.why === undefined;
      });
      return done && runOf(ecs, arnOf(done), asked);
    },
    make: async () => {
      const earlier = (await tasksOf(ecs, asked))?.filter(({ startedBy }) => startedBy === markOf(asked));
      return runOf(ecs, await start(ecs, asked, earlier?.length ?? 0), asked);
    },
    clear: async () => {
      const all = (await tasksOf(ecs, asked)) ?? [];
      await end(ecs, asked, all.filter(goesOn));
    },
  };
}

function runOf(ecs: ECS, arn: string, asked: EcsJobInputs): Run {
  const { name, ecs: place } = asked;
  let last: Task | undefined;
  let unknownSince: number | undefined;
  return {
    ending: async () => {
      const [task] = await describe(ecs, place.cluster, [arn]);
      if (task === undefined) {
        unknownSince ??= Date.now();
        if (Date.now() - unknownSince < unknownLimit) return undefined;
        throw new Error(`${name}: ECS does not know its task ${lastPart(arn)} any more: run up again`);
      }
      unknownSince = undefined;
      last = task;
      return endingOf(task, place.container);
    },
    stop: () => stop(ecs, place.cluster, arn, `${name} did not end in ${String(asked.seconds)} s`),
    lines: async (count, secrets) => {
      const container = last && logged(last, place.container);
      if (container === undefined) return [];
      return streamLines(place.at, place.logGroup, streamOf(container, arn), count, secrets);
    },
    remove: () => Promise.resolve(), // ECS forgets a task by itself
  };
}

/** The log stream of a task's container, whose stream prefix is its name. */
export function streamOf(container: string, taskArn: string): string {
  return `${container}/${container}/${lastPart(taskArn)}`;
}

/** Says by whom a task was started. At most 128 letters, digits, `-`, `_` and `/`. */
export function markOf(asked: EcsJobInputs): string {
  return `${prefixOf(asked.name)}${ecsFingerprint(asked)}`;
}

function prefixOf(name: string): string {
  return `${name.replace(/[^\w/-]/g, "-").slice(0, 90)}-`;
}

/**
 * The tasks of this job, whatever it was asked for; undefined without the cluster. ECS lists stopped ones for an hour at least. A list by `startedBy`
 * takes no other filter, and has no stopped tasks then: so we list the family.
 */
async function tasksOf(
  ecs: ECS,
  { name, ecs: { cluster, taskDefinition } }: EcsJobInputs,
): Promise<Task[] | undefined> {
  const family = lastPart(taskDefinition).split(":")[0];
  const arns: string[] = [];
  try {
    for (const desiredStatus of ["RUNNING", "STOPPED"] as const) {
      let nextToken: string | undefined;
      do {
        const page = { cluster, family, desiredStatus, ...(nextToken === undefined ? {} : { nextToken }) };
        const listed = await ecs.listTasks(page);
        arns.push(...(listed.taskArns ?? []));
        nextToken = listed.nextToken;
      } while (nextToken !== undefined);
    }
  } catch (error) {
    if (named(error, "ClusterNotFoundException")) return undefined;
    throw error;
  }
  const prefix = prefixOf(name);
  return (await describe(ecs, cluster, arns)).filter(({ startedBy = "" }) => {
    return startedBy.startsWith(prefix) && /^[\da-f]{32}$/.test(startedBy.slice(prefix.length));
  });
}

export async function describe(ecs: ECS, cluster: string, arns: readonly string[]): Promise<Task[]> {
  const all: Task[] = [];
  for (let at = 0; at < arns.length; at += 100) {
    const { tasks = [] } = await ecs.describeTasks({ cluster, tasks: arns.slice(at, at + 100) });
    all.push(...tasks);
  }
  return all;
}

/** Stops the tasks that are not about to end, and returns all as they are at their end. */
async function end(ecs: ECS, { name, seconds, ecs: { cluster } }: EcsJobInputs, tasks: Task[]): Promise<Task[]> {
  const arns = tasks.map(arnOf);
  const running = tasks.filter(({ desiredStatus }) => desiredStatus !== "STOPPED");
  for (const task of running) await stop(ecs, cluster, arnOf(task), `${name} is not wanted any more`);
  const limit = Date.now() + seconds * 1000;
  const rest = pauses(`waiting for the end of an earlier run of ${name} was cancelled: run up again`);
  for (;;) {
    const now = await describe(ecs, cluster, arns);
    const going = now.find(goesOn);
    if (going === undefined) return now;
    if (Date.now() >= limit) {
      const id = lastPart(arnOf(going));
      throw new Error(`${name}: the task ${id} of an earlier run did not stop in ${String(seconds)} s: run up again`);
    }
    await rest();
  }
}

async function stop(ecs: ECS, cluster: string, task: string, reason: string): Promise<void> {
  try {
    await ecs.stopTask({ cluster, task, reason });
  } catch (error) {
    if (!named(error, "InvalidParameterException")) throw error; // the task has ended and is forgotten
  }
}

/** Starts a task, and tries again while there is no capacity, or IAM has not spread a new role. */
async function start(ecs: ECS, asked: EcsJobInputs, earlier: number): Promise<string> {
  const { name, seconds } = asked;
  const limit = Date.now() + seconds * 1000;
  const rest = pauses(`${name} was cancelled before it could be started: run up again`);
  for (let tries = 0; ; tries++) {
    // The first token is the same in the next `up`: if only the answer was lost, that gets the task.
    const token = `${ecsFingerprint(asked)}-${String(earlier)}${tries === 0 ? "" : `-${String(tries)}`}`;
    const { arn, why } = await startOnce(ecs, asked, token);
    if (arn !== undefined) return arn;
    if (!passing.test(why) || Date.now() >= limit) throw new Error(`${name} could not be started: ${advised(why)}`);
    await rest();
  }
}

const passing = /^RESOURCE:|capacity is unavailable|unable to assume/i;

async function startOnce(ecs: ECS, { ecs: place, ...asked }: EcsJobInputs, clientToken: string) {
  const { cluster, taskDefinition, subnets, securityGroups } = place;
  try {
    const { tasks = [], failures = [] } = await ecs.runTask({
      ...{ cluster, taskDefinition, clientToken, launchType: "FARGATE", count: 1 },
      startedBy: markOf({ ecs: place, ...asked }),
      networkConfiguration: { awsvpcConfiguration: { subnets, securityGroups, assignPublicIp: "DISABLED" } },
      propagateTags: "TASK_DEFINITION",
    });
    const { reason = "ECS says nothing", detail } = failures[0] ?? {};
    return { arn: tasks[0]?.taskArn, why: detail === undefined ? reason : `${reason}: ${detail}` };
  } catch (error) {
    if (error instanceof Error && passing.test(error.message)) return { arn: undefined, why: error.message };
    throw error;
  }
}

/** What has stopped a task that would have gone on. */
const outside = ["UserInitiated", "ServiceSchedulerInitiated", "SpotInterruption", "TerminationNotice"];

/** How a task has ended. Its exit code is known before the task is STOPPED, while Fargate takes the network back. */
export function endingOf(task: Task, container: string): Ending | undefined {
  const { lastStatus, stopCode, stoppedReason = stopCode, containers = [] } = task;
  const main = containers.find(({ name }) => name === container);
  const whole = lastStatus === "STOPPED";
  if (!whole && !(stopCode === "EssentialContainerExited" && main?.exitCode !== undefined)) return undefined;
  if (stopCode && outside.includes(stopCode)) return { why: `was stopped from outside: ${String(stoppedReason)}` };
  if (main?.exitCode === 0) return { why: undefined };
  if (main?.exitCode !== undefined) return { why: failed(main) };
  const other = containers.find(({ exitCode = 0 }) => exitCode !== 0);
  if (other) return { why: `could not be started: its container ${String(other.name)} ${failed(other)}` };
  return { why: `could not be started: ${advised(causeOf(task))}` };
}

type Container = NonNullable<Task["containers"]>[number];

function failed({ exitCode, reason }: Container): string {
  return `failed with exit code ${String(exitCode)}${reason ? ` (${reason})` : ""}`;
}

/** Whose log tells most: the job's own container, or the one that failed before it. */
function logged({ containers = [] }: Task, container: string): string | undefined {
  const ran = containers.filter(({ exitCode, lastStatus }) => exitCode !== undefined || lastStatus === "RUNNING");
  return (ran.find(({ name }) => name === container) ?? ran.find(({ exitCode = 0 }) => exitCode !== 0))?.name;
}

/** Why a task has stopped, in the words of ECS. */
export function causeOf({ stoppedReason, containers = [] }: Task): string {
  const whole = stoppedReason ?? "ECS gives no reason";
  const parts = containers.flatMap(({ name, exitCode, reason }) => {
    if (reason !== undefined && reason !== "" && !whole.includes(reason)) return [`${String(name)}: ${reason}`];
    return exitCode === undefined || exitCode === 0 ? [] : [`${String(name)}: exit code ${String(exitCode)}`];
  });
  return [whole.replace(/\.$/, ""), ...parts].join("; ");
}

const remedies: readonly [RegExp, string][] = [
  [/CannotPull|pull image|image manifest/i, "push the image to a registry that the subnets reach"],
  [/secret|parameter/i, "check that the secret exists, that the execution role may read it, and the way to it"],
  [/limit on the number/i, "raise the account's Fargate quota for this region"],
  [/capacity/i, "AWS has no room for it in these zones now: run up again later"],
  [/assume/i, "check that the role exists and trusts ecs-tasks.amazonaws.com"],
  [/Timeout|ResourceInitializationError/i, "check the subnets' way to AWS: NAT or endpoints, and the security groups"],
];

/** With what can be done about it, where we know. */
export function advised(why: string): string {
  const remedy = remedies.find(([pattern]) => pattern.test(why))?.[1];
  return remedy === undefined ? why : `${why}: ${remedy}`;
}

function goesOn({ lastStatus }: Task): boolean {
  return lastStatus !== "STOPPED";
}

function arnOf({ taskArn = "" }: Task): string {
  return taskArn;
}
