import type { Deployment, ECS, Service, Task } from "@aws-sdk/client-ecs";
import { z } from "zod";

import { awsAccess, ecsOf, explainAws, lastPart, named, pauses, streamLines } from "./aws.ts";
import { advised, causeOf, describe, streamOf } from "./ecs-job.ts";
import type { Verdict } from "./gate.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { block, redact } from "./logs.ts";

const inputs = z.object({
  at: awsAccess,
  cluster: z.string(),
  service: z.string(),
  taskDefinition: z.string(),
  name: z.string(),
  seconds: z.number().positive(),
  logGroup: z.string(),
  container: z.string(),
  redact: z.array(z.string()).optional(),
});
type Asked = z.infer<typeof inputs>;

/** ECS may still tell the deployment before ours. */
const foreignLimit = 5000;

/** Done when a service of ECS runs what was asked for. Throws why it does not, with its last log lines. */
export const ecsGate: Handler = {
  inputs,
  diff: compare(inputs, ["service", "taskDefinition"], ["at"]),
  create: async (given) => {
    const asked = inputs.parse(given.plain);
    try {
      await wait(await ecsOf(asked.at), asked, [...given.secrets, ...(asked.redact ?? [])]);
    } catch (error) {
      throw explainAws(error, asked.at);
    }
    return {};
  },
  update: () => Promise.resolve({}),
};

async function wait(ecs: ECS, asked: Asked, secrets: readonly string[]): Promise<void> {
  const { name, seconds, taskDefinition } = asked;
  const limit = Date.now() + seconds * 1000;
  const rest = pauses(`waiting for ${name} was cancelled: run up again`);
  let foreignSince: number | undefined;
  for (;;) {
    const service = await look(ecs, asked);
    const primary = service && primaryOf(service);
    foreignSince = primary?.taskDefinition === taskDefinition ? undefined : (foreignSince ?? Date.now());
    const verdict = judgeDeployment(service, taskDefinition, Date.now() - (foreignSince ?? Date.now()));
    if (verdict.is === "healthy") return;
    if (verdict.is === "failed" || Date.now() >= limit) {
      const late = `${describeWait(service, taskDefinition)} after ${String(seconds)} s`;
      const why = verdict.is === "failed" ? verdict.why : late;
      const said = service ? await evidence(ecs, asked, service, secrets) : "";
      throw new Error(`${name} did not become healthy: ${redact(why, secrets)}${said}`);
    }
    await rest();
  }
}

async function look(ecs: ECS, { cluster, service }: Asked): Promise<Service | undefined> {
  try {
    return (await ecs.describeServices({ cluster, services: [service] })).services?.[0];
  } catch (error) {
    if (named(error, "ClusterNotFoundException")) return undefined;
    throw error;
  }
}

/** `foreign`: for how many milliseconds another task definition has been the service's. */
export function judgeDeployment(service: Service | undefined, asked: string, foreign: number): Verdict {
  if (service === undefined || ["DRAINING", "INACTIVE"].includes(service.status ?? "")) {
    return fail("its service is gone: run `pulumi up --refresh`");
  }
  const primary = primaryOf(service);
  if (primary === undefined) return { is: "waiting" };
  const { taskDefinition = "", rolloutState, rolloutStateReason, desiredCount } = primary;
  const reason = rolloutStateReason ? ` (${rolloutStateReason})` : "";
  if (taskDefinition !== asked) {
    const runs = `${lastPart(taskDefinition)} runs`;
    const advice = "mend it, or run `pulumi up --refresh` to try the same again";
    const ours = service.deployments?.find((one) => one.taskDefinition === asked);
    if (ours?.rolloutState === "FAILED" || /roll(ing|ed) back/i.test(rolloutStateReason ?? "")) {
      return fail(`its deployment was rolled back: ${runs}${reason}; ${advice}`);
    }
    if (foreign < foreignLimit) return { is: "waiting" };
    return fail(`it was rolled back, or somebody else has changed it: ${runs}, not ${lastPart(asked)}; ${advice}`);
  }
  if (rolloutState === "FAILED") return fail(`its deployment failed${reason}`);
  const none = desiredCount === 0 && primary.runningCount === 0;
  return { is: rolloutState === "COMPLETED" || none ? "healthy" : "waiting" };
}

function fail(why: string): Verdict {
  return { is: "failed", why };
}

function primaryOf({ deployments = [] }: Service): Deployment | undefined {
  return deployments.find(({ status }) => status === "PRIMARY");
}

/** What is still missing when the time is over. */
export function describeWait(service: Service | undefined, asked: string): string {
  const primary = service && primaryOf(service);
  if (primary?.taskDefinition !== asked) return "its deployment has not begun";
  const { runningCount = 0, desiredCount = 0, failedTasks = 0, rolloutStateReason } = primary;
  return [
    `${String(runningCount)} of ${String(desiredCount)} tasks run`,
    ...(failedTasks === 0 ? [] : [`${String(failedTasks)} have failed`]),
    ...(rolloutStateReason ? [rolloutStateReason.replace(/\.$/, "")] : []),
  ].join(", ");
}

/** What ECS says of the deployment, why tasks have stopped, and the log of the last one. Each only where it answers. */
async function evidence(ecs: ECS, asked: Asked, service: Service, secrets: readonly string[]): Promise<string> {
  const { at, logGroup, container } = asked;
  const tasks = await tasksOf(ecs, asked).catch((): Task[] => []);
  const stopped = tasks.filter(({ lastStatus }) => lastStatus === "STOPPED");
  const said = await deploymentReason(ecs, asked).catch(() => undefined);
  const words = [...(said === undefined ? [] : [said]), ...(stopped.length === 0 ? eventsOf(service, asked) : [])];
  const causes = [...new Set(stopped.map((task) => advised(causeOf(task))))].slice(0, 3);
  const last = (stopped[0] ?? tasks[0])?.taskArn;
  const log = last === undefined ? [] : await streamLines(at, logGroup, streamOf(container, last), 20, secrets);
  return [
    ...(words.length === 0 ? [] : [block("ECS says", shown(words, secrets))]),
    ...(causes.length === 0 ? [] : [block("stopped tasks", shown(causes, secrets))]),
    ...(last === undefined ? [] : [block(`last log lines of task ${lastPart(last)}`, log)]),
  ].join("");
}

function shown(words: readonly string[], secrets: readonly string[]): string[] {
  return words.flatMap((word) => redact(word, secrets).split("\n"));
}

/** The tasks of what was asked for, those that stopped last first. */
async function tasksOf(ecs: ECS, { cluster, service, taskDefinition }: Asked): Promise<Task[]> {
  const listed = await Promise.all(
    (["STOPPED", "RUNNING"] as const).map((desiredStatus) =>
      ecs.listTasks({ cluster, serviceName: lastPart(service), desiredStatus }),
    ),
  );
  const tasks = await describe(
    ecs,
    cluster,
    listed.flatMap(({ taskArns = [] }) => taskArns),
  );
  const time = ({ stoppedAt }: Task): number => stoppedAt?.getTime() ?? 0;
  return tasks
    .filter(({ taskDefinitionArn }) => taskDefinitionArn === taskDefinition)
    .sort((a, b) => time(b) - time(a));
}

async function deploymentReason(ecs: ECS, { cluster, service }: Asked): Promise<string | undefined> {
  const { serviceDeployments = [] } = await ecs.listServiceDeployments({ cluster, service });
  const made = (at: Date | undefined): number => at?.getTime() ?? 0;
  return serviceDeployments.toSorted((a, b) => made(b.createdAt) - made(a.createdAt))[0]?.statusReason;
}

/** The last event since our deployment began that tells more than its course: no capacity, a role, a target group. */
function eventsOf({ deployments = [], events = [] }: Service, { taskDefinition }: Asked): string[] {
  const since = deployments.find((one) => one.taskDefinition === taskDefinition)?.createdAt;
  const course = /steady state|has started|has begun|registered|deployment completed/;
  const found = events.find(({ message = "", createdAt }) => {
    return since !== undefined && createdAt !== undefined && createdAt >= since && !course.test(message);
  });
  return found?.message === undefined ? [] : [found.message];
}
