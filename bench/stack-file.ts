/** A stack's services as the swarm has them, and its jobs as the state has them, for `docker stack deploy`. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type Docker from "dockerode";
import { stringify } from "yaml";
import { z } from "zod";

import { diskMarker } from "../components/core/platform.ts";
import { job as jobShape, type JobInputs, mountsOf } from "../ops/job-inputs.ts";
import { listNodes } from "../ops/swarm.ts";
import { swarmText } from "../ops/template.ts";
import { literal } from "./compose.ts";
import { resourcesOf, unmarked } from "./definition.ts";

const text = z.string().default("");
const strings = z
  .array(z.string())
  .nullish()
  .transform((found) => found ?? []);
const file = z.object({ Name: z.string(), UID: z.string(), GID: z.string(), Mode: z.number() });
const rolling = z.object({
  Parallelism: z.number(),
  Delay: z.number().default(0),
  FailureAction: z.string(),
  Monitor: z.number(),
  MaxFailureRatio: z.number().default(0),
  Order: z.string(),
});
const mount = z.object({
  Type: z.string(),
  Source: text,
  Target: z.string(),
  ReadOnly: z.boolean().default(false),
  TmpfsOptions: z.object({ SizeBytes: z.number() }).optional(),
});
const service = z.object({
  Spec: z.object({
    Name: z.string(),
    Mode: z.object({ Replicated: z.object({ Replicas: z.number() }).optional() }),
    EndpointSpec: z.object({
      Mode: z.string(),
      Ports: z
        .array(z.object({ Protocol: z.string(), TargetPort: z.number(), PublishedPort: z.number(), PublishMode: text }))
        .default([]),
    }),
    UpdateConfig: rolling,
    RollbackConfig: rolling,
    TaskTemplate: z.object({
      Networks: z.array(z.object({ Target: z.string(), Aliases: strings })),
      Placement: z.object({ Constraints: strings }),
      Resources: z.object({
        Limits: z.object({ NanoCPUs: z.number(), MemoryBytes: z.number() }),
        Reservations: z.object({ MemoryBytes: z.number() }),
      }),
      RestartPolicy: z.object({ Condition: z.string(), Delay: z.number() }),
      ContainerSpec: z.object({
        Image: z.string(),
        Command: strings,
        Args: strings,
        Hostname: z.string().optional(),
        User: z.string().optional(),
        Env: strings,
        StopGracePeriod: z.number(),
        Init: z.boolean(),
        CapabilityDrop: strings,
        Sysctls: z.record(z.string(), z.string()).default({}),
        Mounts: z.array(mount).default([]),
        Secrets: z.array(z.object({ SecretID: z.string(), File: file })).default([]),
        Configs: z.array(z.object({ ConfigID: z.string(), File: file })).default([]),
        Healthcheck: z.object({
          Test: z.array(z.string()),
          Interval: z.number(),
          Timeout: z.number(),
          StartPeriod: z.number(),
          Retries: z.number(),
        }),
      }),
    }),
  }),
});
const network = z.object({ Name: z.string(), Internal: z.boolean(), Attachable: z.boolean() });
const config = z.object({ Spec: z.object({ Data: z.string() }) });
const secret = z.object({ inputs: z.object({ data: z.string() }) });

type Service = z.output<typeof service>["Spec"];

export interface StackFile {
  readonly path: string;
  readonly services: number;
  readonly jobs: number;
}

/**
 * Reads the stack while it is up. `exported`: of `pulumi stack export --show-secrets`. `prefix`: of its services. Secrets and
 * configs are written beside the file, into `folder`.
 */
export async function stackFile(
  manager: Docker,
  exported: unknown,
  prefix: string,
  folder: string,
): Promise<StackFile> {
  const of = resourcesOf(exported);
  const data = new Map(of("docker:index/secret:Secret").map((each) => [each.id, secret.parse(each).inputs.data]));
  const nodes = await listNodes(manager);
  const networks = new Map<string, z.output<typeof network>>();
  const files = { secrets: new Map<string, string>(), configs: new Map<string, string>() };
  const volumes = new Set<string>();

  /** A file of the stack's, under a key that the engine's limit for names leaves room for. */
  const kept = async (kind: keyof typeof files, content: Buffer): Promise<string> => {
    const key = `${kind.slice(0, 1)}${String(files[kind].size)}`;
    const path = join(folder, key);
    await writeFile(path, content, { mode: 0o600 });
    files[kind].set(key, path);
    return key;
  };
  const named = async (id: string): Promise<string> => {
    const found = networks.get(id) ?? network.parse(await manager.getNetwork(id).inspect());
    networks.set(id, found);
    return found.Name;
  };
  /** The nodes' labels go with our stack. */
  const placed = (constraint: string): string => {
    const [, label = "", value] = /^node\.labels\.(\S+?)\s*==\s*(.+)$/.exec(constraint) ?? [];
    if (!label.startsWith("platform-topologies.")) return constraint;
    const node = nodes.find(({ Spec }) => Spec.Labels[label] === value);
    if (node === undefined) throw new Error(`no node has ${constraint}`);
    return `node.hostname == ${node.Description.Hostname}`;
  };
  const mounted = (mounts: readonly z.output<typeof mount>[]): object[] =>
    mounts.map(({ Type, Source, Target, ReadOnly, TmpfsOptions }) => {
      if (Type === "volume") volumes.add(Source);
      return {
        ...{ type: Type, target: Target, read_only: ReadOnly },
        ...(Source === "" ? {} : { source: Source }),
        ...(TmpfsOptions === undefined ? {} : { tmpfs: { size: TmpfsOptions.SizeBytes } }),
      };
    });

  const long = async ({ Mode, EndpointSpec, UpdateConfig, RollbackConfig, TaskTemplate }: Service): Promise<object> => {
    const { ContainerSpec: c, Placement, Resources, RestartPolicy } = TaskTemplate;
    const joined = await Promise.all(
      TaskTemplate.Networks.map(async ({ Target, Aliases }) => [await named(Target), { aliases: Aliases }] as const),
    );
    const used = async (
      kind: keyof typeof files,
      content: string | undefined,
      { File }: { File: z.output<typeof file> },
    ) => {
      if (content === undefined) throw new Error(`the state has not what is in ${File.Name}`);
      const source = await kept(kind, Buffer.from(content, "base64"));
      return { source, target: File.Name, uid: File.UID, gid: File.GID, mode: File.Mode };
    };
    const secrets = [];
    for (const each of c.Secrets) secrets.push(await used("secrets", data.get(each.SecretID), each));
    const configs = [];
    for (const each of c.Configs) {
      const { Spec } = config.parse(await manager.getConfig(each.ConfigID).inspect());
      configs.push(await used("configs", Spec.Data, each));
    }
    return {
      image: c.Image,
      ...(c.Command.length > 0 ? { entrypoint: c.Command.map(unmarked).map(founding).map(literal) } : {}),
      ...(c.Args.length > 0 ? { command: c.Args.map(literal) } : {}),
      ...(c.Hostname === undefined ? {} : { hostname: c.Hostname }),
      ...(c.User === undefined ? {} : { user: c.User }),
      environment: c.Env.map(literal),
      ...{
        init: c.Init,
        cap_drop: c.CapabilityDrop,
        sysctls: c.Sysctls,
        stop_grace_period: nanoseconds(c.StopGracePeriod),
      },
      ...{ volumes: mounted(c.Mounts), networks: Object.fromEntries(joined), secrets, configs },
      ports: EndpointSpec.Ports.map(({ Protocol, TargetPort, PublishedPort, PublishMode }) => ({
        ...{ target: TargetPort, published: PublishedPort, protocol: Protocol, mode: PublishMode },
      })),
      healthcheck: {
        test: c.Healthcheck.Test.map(literal),
        interval: nanoseconds(c.Healthcheck.Interval),
        timeout: nanoseconds(c.Healthcheck.Timeout),
        start_period: nanoseconds(c.Healthcheck.StartPeriod),
        retries: c.Healthcheck.Retries,
      },
      deploy: {
        ...(Mode.Replicated === undefined ? { mode: "global" } : { replicas: Mode.Replicated.Replicas }),
        endpoint_mode: EndpointSpec.Mode,
        placement: { constraints: Placement.Constraints.map(placed) },
        resources: {
          limits: { cpus: String(Resources.Limits.NanoCPUs / 1e9), memory: `${String(Resources.Limits.MemoryBytes)}b` },
          reservations: { memory: `${String(Resources.Reservations.MemoryBytes)}b` },
        },
        restart_policy: { condition: RestartPolicy.Condition, delay: nanoseconds(RestartPolicy.Delay) },
        update_config: rolled(UpdateConfig),
        rollback_config: rolled(RollbackConfig),
      },
    };
  };

  /** Nobody says when its server is there, so that it is tried until it ends well. */
  const job = async (asked: JobInputs): Promise<object> => {
    const used = { secrets: new Array<object>(), configs: new Array<object>() };
    for (const { path: target, content, mode = 0o444, secret: hidden = false } of asked.files ?? []) {
      const kind = hidden ? "secrets" : "configs";
      used[kind].push({ source: await kept(kind, Buffer.from(content)), target, mode });
    }
    const env = Object.entries({ ...asked.env, ...asked.secretEnv });
    const { cpu, memoryMib, shmMib } = asked;
    return {
      image: asked.image,
      ...(asked.entrypoint === undefined ? {} : { entrypoint: asked.entrypoint.map(literal) }),
      command: asked.command.map(literal),
      ...(asked.user === undefined ? {} : { user: asked.user }),
      environment: env.map(([key, value]) => literal(`${key}=${swarmText(value)}`)),
      cap_drop: ["ALL"],
      volumes: [
        ...mounted(mountsOf(asked).map((each) => mount.parse(each))),
        ...(shmMib === undefined ? [] : [{ type: "tmpfs", target: "/dev/shm", tmpfs: { size: shmMib * 1024 * 1024 } }]),
      ],
      networks: await Promise.all(asked.networks.map(named)),
      ...used,
      deploy: {
        mode: "replicated-job",
        restart_policy: { condition: "on-failure", delay: "2s" },
        placement: { constraints: (asked.swarm?.constraints ?? []).map(placed) },
        resources: {
          limits: {
            ...(cpu === undefined ? {} : { cpus: String(cpu) }),
            ...(memoryMib === undefined ? {} : { memory: `${String(memoryMib)}M` }),
          },
        },
      },
    };
  };

  const services: Record<string, object> = {};
  const own = (name: string): string => name.slice(prefix.length + 1);
  const running = z
    .array(service)
    .parse(await manager.listServices())
    .map(({ Spec }) => Spec);
  for (const each of running) services[own(each.Name)] = await long(each);
  const jobs = of("platform-topologies:index:Job")
    .map(({ inputs }) => jobShape.parse(inputs))
    .filter((each) => !marks(each));
  for (const each of jobs) services[own(each.name)] = await job(each);
  const path = join(folder, "stack.yaml");
  const there = (from: ReadonlyMap<string, string>) =>
    Object.fromEntries([...from].map(([key, written]) => [key, { file: written }]));
  await writeFile(
    path,
    stringify({
      ...{ version: "3.13", services, secrets: there(files.secrets), configs: there(files.configs) },
      networks: Object.fromEntries(
        [...networks.values()].map(({ Name: name, Internal: internal, Attachable: attachable }) => [
          name,
          { name, driver: "overlay", internal, attachable },
        ]),
      ),
      volumes: Object.fromEntries([...volumes].map((name) => [name, { name }])),
    }),
    { mode: 0o600 },
  );
  return { path, services: running.length, jobs: jobs.length };
}

/**
 * With us the first PostgreSQL starts once its settings are in etcd, and founds no cluster where there are none. Here it
 * fails until they are there.
 */
function founding(script: string): string {
  const either = "case $known in 0 | 3)";
  if (script.includes("$known") && !script.includes(either)) throw new Error(`a script has no more ${either}`);
  return script.replace(either, "case $known in 0)");
}

/** Whether a job leaves the marker on a slot's new disk, which no peer looks for. */
function marks({ command }: JobInputs): boolean {
  return command.at(-2) === "mark" && command.at(-1)?.endsWith(`/${diskMarker}`) === true;
}

function rolled({
  Parallelism,
  Delay,
  FailureAction,
  Monitor,
  MaxFailureRatio,
  Order,
}: z.output<typeof rolling>): object {
  return {
    ...{ parallelism: Parallelism, delay: nanoseconds(Delay), failure_action: FailureAction },
    ...{ monitor: nanoseconds(Monitor), max_failure_ratio: MaxFailureRatio, order: Order },
  };
}

function nanoseconds(value: number): string {
  return `${String(value)}ns`;
}
