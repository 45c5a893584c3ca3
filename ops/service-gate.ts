import type Docker from "dockerode";
import { z } from "zod";

import { answered, explain, ifThere, reach, messageOf } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { pause } from "./lifetime.ts";
import { block, redact, taskLines } from "./logs.ts";
import { eligible } from "./placement.ts";
import { describeWait, judgeService, lastFailed, Watch } from "./service-verdict.ts";
import type { ServiceView, TaskView } from "./service-verdict.ts";
import { listNodes, listTasks } from "./swarm.ts";
import type { Node, Task } from "./swarm.ts";

const inputs = z.object({
  host: z.string(),
  service: z.string(),
  spec: z.string(),
  name: z.string(),
  replicas: z.number().optional(),
  together: z.array(z.string()).optional(),
  seconds: z.number().positive(),
  redact: z.array(z.string()).optional(),
});
type Asked = z.infer<typeof inputs>;

const specLabel = "platform-topologies.spec";
/** The same as a variable, as the Docker provider replaces a whole service for a changed label. */
const specVariable = "PLATFORM_TOPOLOGIES_SPEC=";
const interval = 500;

const strings = z.record(z.string(), z.string()).nullish();
/** A service in the API's form. */
export const serviceShape = z.object({
  Spec: z.object({
    Name: z.string(),
    TaskTemplate: z.object({
      ContainerSpec: z.object({
        Labels: strings,
        Env: z.array(z.string()).nullish(),
        Healthcheck: z.object({ Test: z.array(z.string()).nullish() }).nullish(),
      }),
      Placement: z.object({ Constraints: z.array(z.string()).nullish() }).nullish(),
    }),
    Mode: z.object({ Replicated: z.object({ Replicas: z.number().default(0) }).optional() }),
    UpdateConfig: z.object({ FailureAction: z.string().optional() }).nullish(),
  }),
  UpdateStatus: z.object({ State: z.string().default(""), Message: z.string().default("") }).nullish(),
});
type Service = z.infer<typeof serviceShape>;

/** A service with its whole spec, which an update has to send. */
const scaled = z.object({
  Version: z.object({ Index: z.number() }),
  Spec: z.looseObject({
    TaskTemplate: z.looseObject({
      ContainerSpec: z.looseObject({ Labels: strings, Env: z.array(z.string()).nullish() }),
    }),
    Mode: z.object({ Replicated: z.object({ Replicas: z.number().default(0) }).optional() }),
  }),
});

/** Done when a swarm service has become what was asked for. Throws why it does not, with its last log lines. */
export const serviceGate: Handler = {
  inputs,
  diff: compare(inputs, ["service", "spec", "replicas"], ["together"]),
  create: async (given) => {
    const asked = inputs.parse(given.plain);
    try {
      const docker = await reach(asked.host);
      await scale(docker, asked);
      const { together = [asked.name] } = asked;
      const own = together.indexOf(asked.name);
      const [before, after] = [together.slice(0, own), together.slice(own + 1)];
      if (after.length > 0 && (await noneOf(docker, after))) return {}; // they come now, and the last one waits for all
      const secrets = [...given.secrets, ...(asked.redact ?? [])];
      for (const name of before) await wait(docker, await itself(docker, name, asked), secrets);
      await wait(docker, asked, secrets);
    } catch (error) {
      throw explain(error, asked.host);
    }
    return {};
  },
  update: () => Promise.resolve({}),
};

async function noneOf(docker: Docker, services: readonly string[]): Promise<boolean> {
  const found = await Promise.all(services.map((name) => ifThere<unknown>(docker.getService(name).inspect())));
  return found.every((each) => each === undefined);
}

/** Another service, which is to be what its own spec says. */
async function itself(docker: Docker, name: string, asked: Asked): Promise<Asked> {
  const found: unknown = await docker.getService(name).inspect();
  const { ID, Spec } = serviceShape.extend({ ID: z.string() }).parse(found);
  return { ...asked, service: ID, name, spec: specOf(Spec.TaskTemplate.ContainerSpec) ?? "" };
}

/** Gives a service its replicas back that somebody has scaled by hand: the Docker provider does not look. */
async function scale(docker: Docker, { service: id, spec: asked, replicas }: Asked): Promise<void> {
  const service = docker.getService(id);
  for (let tries = 1; replicas !== undefined; tries++) {
    const found = await ifThere<unknown>(service.inspect());
    if (found === undefined) return; // the wait reports that
    const { Version, Spec } = scaled.parse(found);
    const is = Spec.Mode.Replicated?.Replicas;
    if (is === undefined || is === replicas || specOf(Spec.TaskTemplate.ContainerSpec) !== asked) return;
    try {
      // The update sends no credentials: the manager keeps those that it has.
      const spec = { ...Spec, Mode: { Replicated: { Replicas: replicas } } };
      await service.update({ _query: { version: Version.Index }, _body: spec });
      return;
    } catch (error) {
      if (tries >= 20 || !messageOf(error).includes("update out of sequence")) throw error;
      await pause(50 * tries * Math.random(), "was cancelled");
    }
  }
}

async function wait(docker: Docker, asked: Asked, secrets: readonly string[]): Promise<void> {
  const limit = Date.now() + asked.seconds * 1000;
  const watch = new Watch(asked.spec, Date.now());
  for (;;) {
    const view = await look(docker, asked.service);
    if (!view) throw new Error(`${asked.name} did not become healthy: its service is gone`);
    const verdict = judgeService(view, asked.spec, watch.look(view, Date.now()));
    if (verdict.is === "healthy") return;
    if (verdict.is === "failed") return fail(docker, asked, secrets, verdict.why, verdict.task);
    if (Date.now() >= limit) {
      const why = `${describeWait(view, asked.spec)} after ${String(asked.seconds)} s`;
      const late = view.tasks.find(({ desired, state }) => desired === "running" && state === "starting");
      return fail(docker, asked, secrets, why, late ?? lastFailed(view, asked.spec));
    }
    await pause(interval, `waiting for ${asked.name} was cancelled: run up again`);
  }
}

async function fail(
  docker: Docker,
  { name }: Asked,
  secrets: readonly string[],
  why: string,
  task: TaskView | undefined,
): Promise<never> {
  const log = task ? block(`last log lines of ${task.title}`, await taskLines(docker, task.id, 20, secrets)) : "";
  throw new Error(`${name} did not become healthy: ${redact(why, secrets)}${log}`);
}

async function look(docker: Docker, id: string): Promise<ServiceView | undefined> {
  try {
    const service: unknown = await docker.getService(id).inspect();
    return viewOf(serviceShape.parse(service), await listTasks(docker, id), await listNodes(docker));
  } catch (error) {
    if (answered(error, 404)) return undefined;
    throw error;
  }
}

export function viewOf({ Spec, UpdateStatus }: Service, tasks: readonly Task[], nodes: readonly Node[]): ServiceView {
  const { TaskTemplate, Mode, UpdateConfig } = Spec;
  const global = Mode.Replicated === undefined;
  const due = nodes.filter((node) => eligible(node, TaskTemplate.Placement?.Constraints ?? []));
  const names = new Map(nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  const test = TaskTemplate.ContainerSpec.Healthcheck?.Test ?? [];
  return {
    spec: specOf(TaskTemplate.ContainerSpec),
    update: UpdateStatus ? { state: UpdateStatus.State, message: UpdateStatus.Message } : undefined,
    rollsBack: UpdateConfig?.FailureAction === "rollback",
    wanted: Mode.Replicated?.Replicas ?? due.length,
    global,
    checksHealth: test.length > 0 && test[0] !== "NONE",
    tasks: tasks
      // The manager still lists the global task of a node that is down.
      .filter(({ NodeID }) => !global || NodeID === "" || due.some(({ ID }) => ID === NodeID))
      .map((task) => ({
        id: task.ID,
        slot: global ? task.NodeID : String(task.Slot),
        title: titleOf(task, Spec.Name, names, global),
        state: task.Status.State,
        desired: task.DesiredState,
        error: task.Status.Err === "" ? task.Status.Message : task.Status.Err,
        spec: specOf(task.Spec.ContainerSpec ?? {}),
      })),
  };
}

type Carrier = {
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly Env?: readonly string[] | null | undefined;
};

function specOf({ Labels, Env }: Carrier): string | undefined {
  return Labels?.[specLabel] ?? Env?.find((pair) => pair.startsWith(specVariable))?.slice(specVariable.length);
}

function titleOf({ Slot, NodeID }: Task, service: string, nodes: ReadonlyMap<string, string>, global: boolean): string {
  const node = nodes.get(NodeID);
  return `${global ? service : `${service}.${String(Slot)}`}${node === undefined ? "" : ` on node ${node}`}`;
}
