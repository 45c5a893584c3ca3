/** The inputs of a job, and what a run of it can do. */
import { createHash } from "node:crypto";

import type Docker from "dockerode";
import { z } from "zod";

const file = z.object({
  path: z.string().startsWith("/"),
  content: z.string(),
  mode: z.number().int().optional(),
  secret: z.boolean().optional(),
});

const mount = z.object({
  source: z.string(),
  path: z.string().startsWith("/"),
  driver: z.string().optional(),
  driverOptions: z.record(z.string(), z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

export const job = z.object({
  host: z.string(),
  name: z.string(),
  image: z.string(),
  ref: z.string().optional(),
  registries: z.array(z.string()).optional(),
  command: z.array(z.string()),
  entrypoint: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  secretEnv: z.record(z.string(), z.string()).optional(),
  files: z.array(file).optional(),
  networks: z.array(z.string()),
  user: z.string().optional(),
  memoryMib: z.number().positive().optional(),
  shmMib: z.number().positive().optional(),
  cpu: z.number().positive().optional(),
  seconds: z.number().positive(),
  trigger: z.string(),
  disks: z.record(z.string(), z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  redact: z.array(z.string()).optional(),
  mounts: z.array(mount).optional(),
  swarm: z
    .object({ constraints: z.array(z.string()).optional(), registries: z.array(z.string()).optional() })
    .optional(),
});

export type JobInputs = z.infer<typeof job>;

/** Marks a container or service as a job's and says which. */
export const label = "platform-topologies.job";

const run = job.omit({
  ...{ host: true, labels: true, redact: true, ref: true, registries: true, seconds: true },
});

/**
 * A hash of what a run depends on, its disks included: work for one disk is not done for another. `made`: the marks of
 * the volumes that are these disks. Those who can read the label can read the container's environment and files as
 * well.
 */
export function fingerprint(asked: JobInputs, made: readonly string[] = []): string {
  return createHash("sha256")
    .update(JSON.stringify(run.parse(asked)) + made.join())
    .digest("hex")
    .slice(0, 32);
}

/** One run, once it is started or found again. */
export interface Run {
  /** Undefined while it goes on; `why` says in words how it failed. */
  ending(): Promise<{ readonly why: string | undefined } | undefined>;
  stop(): Promise<void>;
  lines(count: number, secrets: readonly string[]): Promise<string[]>;
  /** Removes the run with all that was made for it. */
  remove(): Promise<void>;
}

/** Where jobs run: an engine's containers, or a swarm's services. */
export interface Runner {
  /** The run of an interrupted create, if it still goes on or has ended well. Any other run of ours is removed. */
  takeOver(asked: JobInputs): Promise<Run | undefined>;
  make(asked: JobInputs): Promise<Run>;
  /** Removes whatever is left of a run. Throws if the name is somebody else's. */
  clear(name: string): Promise<void>;
}

/** The mounts in the form of the engine's API. */
export function mountsOf({ mounts = [] }: JobInputs): Docker.MountSettings[] {
  return mounts.map(({ source, path, driver, driverOptions, labels }) => {
    if (source.startsWith("/")) return { Type: "bind", Source: source, Target: path };
    const options = {
      NoCopy: false,
      Labels: labels ?? {},
      DriverConfig: { Name: driver ?? "local", Options: driverOptions ?? {} },
    };
    return {
      Type: "volume",
      Source: source,
      Target: path,
      ...((driver ?? driverOptions ?? labels) ? { VolumeOptions: options } : {}),
    };
  });
}
