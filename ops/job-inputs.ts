/** What a job is asked to be, and the runs that are made of it. */
import { createHash } from "node:crypto";

import type Docker from "dockerode";
import { z } from "zod";

const file = z.object({
  path: z.string().startsWith("/"),
  content: z.string(),
  mode: z.number().int().optional(),
  uid: z.number().int().optional(),
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
 * What a run depends on, its disks included: what was done for one is not done for another. `made`: the marks of the
 * volumes that are these disks. Who can read the label can read the container's environment and files as well.
 */
export function fingerprint(asked: JobInputs, made: readonly string[] = []): string {
  return createHash("sha256")
    .update(JSON.stringify(run.parse(asked)) + made.join())
    .digest("hex")
    .slice(0, 32);
}

/** What one run is to be, once started or found again. */
export interface Run {
  /** Undefined while it goes on; `why` says in words how it failed. */
  ending(): Promise<{ readonly why: string | undefined } | undefined>;
  stop(): Promise<void>;
  lines(count: number, secrets: readonly string[]): Promise<string[]>;
  /** With all that was made for it. */
  remove(): Promise<void>;
}

/** Where jobs run: an engine's containers, or a swarm's services. */
export interface Runner {
  /** The run of an earlier, interrupted create, if it still goes on or has ended well. Any other of ours makes way. */
  takeOver(asked: JobInputs): Promise<Run | undefined>;
  make(asked: JobInputs): Promise<Run>;
  /** Whatever is left of a run. Throws when the name is somebody else's. */
  clear(name: string): Promise<void>;
}

/** As the engine's API has them. */
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
