/** A job's run as a swarm service in mode replicated-job: one task, never restarted. */
import type Docker from "dockerode";
import { z } from "zod";

import { ifThere, messageOf } from "./docker.ts";
import { fingerprint, label, mountsOf } from "./job-inputs.ts";
import type { JobInputs, Run, Runner } from "./job-inputs.ts";
import { fileReferences, removeFiles } from "./job-files.ts";
import { taskLines } from "./logs.ts";
import { credentials } from "./registry.ts";
import { listNodes, listTasks, removeService } from "./swarm.ts";
import type { Task } from "./swarm.ts";
import { swarmText } from "./template.ts";

/** How long we wait for a node that can take the task: one may just be coming back. */
const unplacedLimit = 20_000;
/** How long its node may be down: a busy one misses heartbeats, and its task goes on. */
const downLimit = 30_000;
/** How long a removed run's container may take to end. */
const endLimit = 15_000;

const serviceShape = z.object({
  ID: z.string(),
  Spec: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
});

export function serviceJobs(docker: Docker): Runner {
  return {
    takeOver: async (asked) => {
      const found = await leftover(docker, asked.name);
      if (!found) return undefined;
      const run = runOf(docker, found.id, asked);
      // A run that has failed, or is not what is asked for, is removed.
      if (found.fingerprint === fingerprint(asked)) {
        const ending = await run.ending();
        if (ending?.why === undefined) return run;
      }
      await remove(docker, found.id, asked.name);
      return undefined;
    },
    make: async (asked) => runOf(docker, await make(docker, asked), asked),
    clear: async (name) => {
      const found = await leftover(docker, name);
      if (found) await remove(docker, found.id, name);
      else await removeFiles(docker, name);
    },
  };
}

function runOf(docker: Docker, id: string, asked: JobInputs): Run {
  const { name } = asked;
  let unplacedSince: number | undefined;
  let downSince: number | undefined;
  let last: Task | undefined;
  return {
    ending: async () => {
      const tasks = await listTasks(docker, id);
      if (tasks.length === 0 && (await ifThere(docker.getService(id).inspect())) === undefined) {
        throw new Error(`${name} was removed by someone while it ran: run up again`);
      }
      last = tasks[0];
      if (last?.Status.State === "complete") return { why: undefined };
      if (last && ended.includes(last.Status.State)) return { why: await reason(docker, last, asked) };
      const down = last && (await downNode(docker, last));
      downSince = down === undefined ? undefined : (downSince ?? Date.now());
      if (down !== undefined && Date.now() - (downSince ?? 0) >= downLimit) return { why: waitsFor(down) };
      const { State, Err } = last?.Status ?? { State: "new", Err: "" };
      unplacedSince = State === "pending" && Err !== "" ? (unplacedSince ?? Date.now()) : undefined;
      if (Date.now() - (unplacedSince ?? Date.now()) < unplacedLimit) return undefined;
      return { why: `could not be placed: ${Err}` };
    },
    // Nobody can stop a service's task: it ends when the service goes.
    stop: () => Promise.resolve(),
    lines: (count, secrets) => (last ? taskLines(docker, last.ID, count, secrets) : Promise.resolve([])),
    remove: () => remove(docker, id, name),
  };
}

const ended = ["failed", "rejected", "shutdown", "orphaned", "remove"];

/** The task's node, if it is down: its task says nothing more, and the swarm makes no other. */
async function downNode(docker: Docker, { NodeID }: Task): Promise<string | undefined> {
  const node = (await listNodes(docker)).find(({ ID }) => ID === NodeID);
  return node?.Status.State === "down" ? node.Description.Hostname : undefined;
}

function waitsFor(node: string): string {
  return `waits for its node ${node}, which is down: start that machine; if it is gone for good, \`docker node rm --force ${node}\`, and up`;
}

async function reason(docker: Docker, { NodeID, Status }: Task, { image, memoryMib }: JobInputs): Promise<string> {
  const nodes = await listNodes(docker);
  const node = nodes.find(({ ID }) => ID === NodeID)?.Description.Hostname;
  const on = node === undefined ? "" : ` on node ${node}`;
  if (/no such image/i.test(Status.Err)) {
    return `could not be started${on}: the node cannot get the image ${image}: push it to a registry that the node reaches`;
  }
  const code = Status.ContainerStatus?.ExitCode ?? 0;
  if (Status.State === "failed" && code !== 0) {
    // The engine does not tell the swarm what killed the container.
    const why =
      code === 137 && memoryMib !== undefined ? ` (killed: the memory limit is ${String(memoryMib)} MiB)` : "";
    return `failed with exit code ${String(code)}${on}${why}`;
  }
  return `${Status.State === "rejected" ? "could not be started" : "failed"}${on}: ${Status.Err || Status.Message}`;
}

async function make(docker: Docker, asked: JobInputs): Promise<string> {
  try {
    // Without a second argument, dockerode would send the first as the credentials, too.
    const auth = (await credentials(asked.image, asked.swarm?.registries ?? [])) ?? {};
    return (await docker.createService(auth, await specOf(docker, asked))).id;
  } catch (error) {
    await removeFiles(docker, asked.name).catch(() => undefined);
    throw new Error(`${asked.name} could not be created: ${messageOf(error)}`, { cause: error });
  }
}

/** Engines before 25 ignore it. */
const privileges: Docker.Privileges & { NoNewPrivileges: boolean } = { NoNewPrivileges: true };

async function specOf(docker: Docker, asked: JobInputs): Promise<Docker.CreateServiceOptions> {
  const { Secrets, Configs } = await fileReferences(docker, asked);
  const env = Object.entries({ ...asked.env, ...asked.secretEnv }).map(([key, value]) => `${key}=${swarmText(value)}`);
  return {
    Name: asked.name,
    Labels: { ...asked.labels, [label]: fingerprint(asked) },
    Mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } },
    TaskTemplate: {
      ContainerSpec: {
        Image: asked.image,
        Args: asked.command,
        ...(asked.entrypoint ? { Command: asked.entrypoint } : {}),
        Env: env,
        ...(asked.user === undefined ? {} : { User: asked.user }),
        Labels: { ...asked.labels },
        CapabilityDrop: ["ALL"],
        Privileges: privileges,
        Mounts: [...mountsOf({ ...asked, mounts: asked.mounts?.map(written) }), ...sharedMemory(asked)],
        Secrets,
        Configs,
      },
      Resources: {
        Limits: {
          ...(asked.memoryMib === undefined ? {} : { MemoryBytes: asked.memoryMib * 1024 * 1024 }),
          ...(asked.cpu === undefined ? {} : { NanoCPUs: Math.round(asked.cpu * 1e9) }),
        },
      },
      RestartPolicy: { Condition: "none" },
      Placement: { Constraints: asked.swarm?.constraints ?? [] },
      Networks: asked.networks.map((network) => ({ Target: network })),
      LogDriver: { Name: "json-file", Options: { "max-size": "10m" } },
    },
  };
}

/** /dev/shm as a mount: a service has no other way to get more of it than Docker's 64 MiB. */
function sharedMemory({ shmMib }: JobInputs): Docker.MountSettings[] {
  if (shmMib === undefined) return [];
  return [
    { Type: "tmpfs", Source: "", Target: "/dev/shm", TmpfsOptions: { SizeBytes: shmMib * 1024 * 1024, Mode: 0o1777 } },
  ];
}

/** A mount as a template from which the swarm writes what was asked for. */
function written({ source, path, driverOptions, ...mount }: NonNullable<JobInputs["mounts"]>[number]) {
  const options = Object.entries(driverOptions ?? {}).map(([key, value]) => [key, swarmText(value)] as const);
  return {
    ...mount,
    source: swarmText(source),
    path: swarmText(path),
    ...(driverOptions === undefined ? {} : { driverOptions: Object.fromEntries(options) }),
  };
}

async function leftover(docker: Docker, name: string): Promise<{ id: string; fingerprint: string } | undefined> {
  const inspected = await ifThere<unknown>(docker.getService(name).inspect());
  if (inspected === undefined) return undefined;
  const { ID, Spec } = serviceShape.parse(inspected);
  const found = Spec.Labels?.[label];
  if (found !== undefined) return { id: ID, fingerprint: found };
  throw new Error(`a service ${name} exists that is not this job's: remove or rename it`);
}

/** Removes the service, and waits for its container's end: the next run must not begin beside it. */
async function remove(docker: Docker, id: string, name: string): Promise<void> {
  await removeService(docker, id, endLimit);
  await removeFiles(docker, name);
}
