/** What a swarm's managers know, and changes of its nodes. */
import { setTimeout as sleep } from "node:timers/promises";

import type Docker from "dockerode";
import { z } from "zod";

import { answered, explain, ifThere, reach, messageOf } from "./docker.ts";

const strings = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {});

const nodeShape = z.object({
  ID: z.string(),
  Version: z.object({ Index: z.number() }),
  Spec: z.looseObject({ Labels: strings, Role: z.string(), Availability: z.string() }),
  // A node that has never reported has none.
  Description: z
    .object({
      Hostname: z.string().default(""),
      Platform: z.object({ OS: z.string().default(""), Architecture: z.string().default("") }).prefault({}),
      Engine: z.object({ Labels: strings }).prefault({}),
    })
    .prefault({}),
  Status: z.object({ State: z.string() }),
});

/** A node in the API's form. `Status.State` is `ready`, `down`, `unknown` or `disconnected`. */
export type Node = z.infer<typeof nodeShape>;

const taskShape = z.object({
  ID: z.string(),
  ServiceID: z.string().default(""),
  CreatedAt: z.string(),
  NodeID: z.string().default(""),
  Slot: z.number().default(0),
  DesiredState: z.string(),
  Spec: z.object({ ContainerSpec: z.object({ Labels: strings, Env: z.array(z.string()).nullish() }).optional() }),
  Status: z.object({
    State: z.string(),
    /** When it came into this state. */
    Timestamp: z.string().optional(),
    Message: z.string().default(""),
    Err: z.string().default(""),
    ContainerStatus: z.object({ ExitCode: z.number().optional() }).optional(),
  }),
});

export type Task = z.infer<typeof taskShape>;

export async function listNodes(docker: Docker): Promise<Node[]> {
  const nodes: unknown = await docker.listNodes();
  return z
    .array(nodeShape)
    .parse(nodes)
    .sort((a, b) => compareText(a.Description.Hostname, b.Description.Hostname));
}

/** The tasks of these services, newest first. */
export async function listTasks(docker: Docker, ...services: readonly string[]): Promise<Task[]> {
  const tasks: unknown = await docker.listTasks({ filters: { service: [...services] } });
  return z
    .array(taskShape)
    .parse(tasks)
    .sort((a, b) => compareText(b.CreatedAt, a.CreatedAt));
}

const endedStates = ["complete", "failed", "rejected", "shutdown", "orphaned", "remove"];

/** Removes a service, and waits up to `limit` ms for the end of its tasks: what comes next may need their disk. */
export async function removeService(docker: Docker, id: string, limit: number): Promise<void> {
  const tasks = await listTasks(docker, id).catch((error: unknown) => {
    if (answered(error, 404)) return [];
    throw error;
  });
  await ifThere(docker.getService(id).remove());
  const ready = new Set((await listNodes(docker)).flatMap(({ ID, Status }) => (Status.State === "ready" ? [ID] : [])));
  const end = Date.now() + limit;
  for (const { ID, NodeID, Status } of tasks) {
    if (endedStates.includes(Status.State) || !ready.has(NodeID)) continue; // a dead node does not answer
    while (Date.now() < end && (await runs(docker, ID))) await sleep(300);
  }
}

async function runs(docker: Docker, task: string): Promise<boolean> {
  const found = await ifThere<unknown>(docker.getTask(task).inspect());
  return found !== undefined && !endedStates.includes(taskShape.pick({ Status: true }).parse(found).Status.State);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** The nodes as a list for an error message. */
export function describeNodes(nodes: readonly Node[]): string {
  const described = nodes.map(({ Description, Spec, Status }) => {
    const labels = Object.entries(Spec.Labels)
      .filter(([key]) => !key.startsWith("platform-topologies."))
      .map(([key, value]) => `${key}=${value}`);
    return `${Description.Hostname} (${[Spec.Role, Status.State, Spec.Availability, ...labels].join(", ")})`;
  });
  return described.length === 0 ? "no nodes at all" : described.join(", ");
}

type NodeSpec = Node["Spec"];

/**
 * Changes a node's spec to what `edit` returns; undefined: no change. The engine takes whole specs, so if somebody else
 * has changed it meanwhile, this begins again. Returns whether there is such a node.
 */
export async function editNode(
  docker: Docker,
  id: string,
  edit: (spec: NodeSpec) => NodeSpec | undefined,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      const found: unknown = await docker.getNode(id).inspect();
      const node = nodeShape.parse(found);
      const spec = edit(node.Spec);
      if (spec) await docker.getNode(id).update({ version: node.Version.Index, ...spec });
      return true;
    } catch (error) {
      if (answered(error, 404)) return false;
      if (tries >= 20 || !messageOf(error).includes("update out of sequence")) throw error;
      await sleep(50 * tries * Math.random());
    }
  }
}

/** Labels without `gone`, and with `set`. */
export function relabel(
  labels: NodeSpec["Labels"],
  gone: readonly string[],
  set: Readonly<Record<string, string>>,
): NodeSpec["Labels"] {
  return { ...Object.fromEntries(Object.entries(labels).filter(([key]) => !gone.includes(key))), ...set };
}

/**
 * Does `work` on the swarm of the managers in `host`, one at a time in this process, so that each choice counts the
 * last.
 */
export function onSwarm<T>(host: string, work: (docker: Docker) => Promise<T>): Promise<T> {
  const result = last.then(async () => {
    try {
      return await work(await reach(host));
    } catch (error) {
      if (answered(error, 503)) {
        throw new Error(`the engine at ${host} is no manager of a swarm: ${messageOf(error)}`, { cause: error });
      }
      throw explain(error, host);
    }
  });
  last = result.catch(() => undefined);
  return result;
}
let last: Promise<unknown> = Promise.resolve();
