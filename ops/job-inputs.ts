/** The inputs of a job, and what a run of it can do. */
import { createHash } from "node:crypto";

import type Docker from "dockerode";
import { z } from "zod";

import { awsAccess } from "./aws.ts";
import type { Bag, Values } from "./wire.ts";

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

const task = z.object({
  at: awsAccess,
  cluster: z.string(),
  taskDefinition: z.string().regex(/\/[^/:]+:\d+$/, "is no ARN of a task definition with its revision"),
  container: z.string(),
  subnets: z.array(z.string()),
  securityGroups: z.array(z.string()),
  logGroup: z.string(),
});

/** A job on ECS. All else is its task definition's business. */
export const ecsJob = job
  .pick({ name: true, image: true, command: true, entrypoint: true, seconds: true })
  .extend({ ...job.pick({ trigger: true, disks: true, redact: true }).shape, ecs: task });

export type EcsJobInputs = z.infer<typeof ecsJob>;

/** Inputs with these keys, and with those alone of the form that is meant. */
export function inForm(keys: readonly string[], formOf: (given: Bag) => z.ZodObject): z.ZodObject {
  return z.object(Object.fromEntries(keys.map((key) => [key, z.unknown().optional()]))).superRefine((given, check) => {
    const { error } = formOf(given).strict().safeParse(given);
    for (const { path, message } of error?.issues ?? []) check.addIssue({ code: "custom", path, message });
  });
}

/** Without `ecs.at`, also in the job of a finalizer: it says where the work is done, so it is no difference. */
export function anywhere(values: Values): Values {
  const without = (bag: Bag): Bag =>
    Object.fromEntries(
      Object.entries(bag).map(([key, value]) => {
        if (typeof value !== "object" || value === null) return [key, value];
        if (key === "job") return [key, without(value as Bag)];
        return [key, key === "ecs" ? { ...value, at: undefined } : value];
      }),
    );
  return { ...values, plain: without(values.plain) };
}

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
  return hash(JSON.stringify(run.parse(asked)) + made.join());
}

const ecsRun = ecsJob.omit({ seconds: true, redact: true }).extend({ ecs: task.omit({ at: true, logGroup: true }) });

/**
 * The same for a run on ECS. The task definition is a part of it: ECS lists a run that has ended well for an hour, and
 * that of an earlier revision must not count.
 */
export function ecsFingerprint(asked: EcsJobInputs): string {
  return hash(JSON.stringify(ecsRun.parse(asked)));
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** `why` says in words how a run failed. */
export interface Ending {
  readonly why: string | undefined;
}

/** One run, once it is started or found again. */
export interface Run {
  /** Undefined while it goes on. */
  ending(): Promise<Ending | undefined>;
  stop(): Promise<void>;
  lines(count: number, secrets: readonly string[]): Promise<string[]>;
  /** Removes the run with all that was made for it. */
  remove(): Promise<void>;
}

/** Where jobs run: an engine's containers, a swarm's services, or tasks of ECS. */
export interface Runner<Asked = JobInputs> {
  /** The run of an interrupted create, if it still goes on or has ended well. Any other run of ours is removed. */
  takeOver(asked: Asked): Promise<Run | undefined>;
  make(asked: Asked): Promise<Run>;
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
