/** The containers of a stack as its state has them, so that peers bring up exactly the same. */
import { z } from "zod";

import { diskMarker } from "../components/core/platform.ts";

const strings = z.array(z.string());
const file = z.object({ path: z.string(), content: z.string(), mode: z.number() });

export interface Health {
  readonly test: readonly string[];
  readonly interval: string;
  readonly timeout: string;
  readonly startPeriod: string;
  readonly retries: number;
}

/** A container that runs on (`health`), or to its end (a job). */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user?: string;
  readonly hostname?: string;
  readonly env: readonly string[];
  readonly files: readonly z.output<typeof file>[];
  readonly networks: readonly { readonly name: string; readonly aliases: readonly string[] }[];
  readonly volumes: readonly { readonly source: string; readonly path: string }[];
  readonly ports: readonly { readonly ip: string; readonly port: number }[];
  readonly memoryMib: number;
  readonly cpus: number;
  readonly health?: Health;
  readonly after: readonly string[];
}

export interface Definition {
  readonly networks: readonly {
    readonly name: string;
    readonly internal: boolean;
    readonly options: Record<string, string>;
  }[];
  readonly volumes: readonly string[];
  readonly containers: readonly Container[];
}

const resource = z.object({
  urn: z.string(),
  type: z.string(),
  id: z.string().default(""),
  inputs: z.record(z.string(), z.unknown()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
  dependencies: strings.default([]),
});
type Resource = z.output<typeof resource>;

const network = z.object({
  name: z.string(),
  internal: z.boolean().default(false),
  options: z.record(z.string(), z.string()).default({}),
});
const container = z.object({
  name: z.string(),
  image: z.string(),
  entrypoints: strings.default([]),
  command: strings.default([]),
  user: z.string().optional(),
  hostname: z.string().optional(),
  envs: strings.default([]),
  uploads: z.array(z.object({ file: z.string(), content: z.string(), permissions: z.string() })).default([]),
  networksAdvanced: z.array(z.object({ name: z.string(), aliases: strings.default([]) })).default([]),
  volumes: z
    .array(z.object({ volumeName: z.string().optional(), hostPath: z.string().optional(), containerPath: z.string() }))
    .default([]),
  ports: z.array(z.object({ internal: z.number(), ip: z.string() })).default([]),
  memory: z.number(),
  cpus: z.string(),
  healthcheck: z.object({
    tests: strings,
    interval: z.string(),
    timeout: z.string(),
    startPeriod: z.string(),
    retries: z.number(),
  }),
});
const job = z.object({
  name: z.string(),
  image: z.string(),
  entrypoint: strings.default([]),
  command: strings.default([]),
  user: z.string().optional(),
  env: z.record(z.string(), z.string()).default({}),
  files: z.array(file).default([]),
  networks: strings.default([]),
  mounts: z.array(z.object({ source: z.string(), path: z.string() })).default([]),
  memoryMib: z.number(),
  cpu: z.number(),
});

/** The resources of a type in what `pulumi stack export --show-secrets` says, secrets in plain text. */
export function resourcesOf(exported: unknown): (type: string) => Resource[] {
  const { deployment } = z.object({ deployment: z.object({ resources: z.array(resource) }) }).parse(exported);
  const all = deployment.resources.map((each) => ({ ...each, inputs: plain(each.inputs) as Resource["inputs"] }));
  return (type) => all.filter((each) => each.type === type);
}

/** Of `pulumi stack export --show-secrets`. */
export function definitionOf(exported: unknown): Definition {
  const of = resourcesOf(exported);
  const networks = of("docker:index/network:Network").map(({ id, inputs }) => ({ id, ...network.parse(inputs) }));
  const nameOf = (id: string): string => networks.find((each) => each.id === id)?.name ?? id;
  const running = of("docker:index/container:Container");
  const jobs = of("platform-topologies:index:Job");
  const byUrn = new Map<string, string>();
  for (const { urn, inputs } of [...running, ...jobs]) byUrn.set(urn, String(inputs.name));
  // A gate stands for the container that it waits for.
  for (const { urn, dependencies } of of("platform-topologies:index:Gate"))
    byUrn.set(urn, dependencies.flatMap((each) => byUrn.get(each) ?? [])[0] ?? "");
  const after = ({ dependencies }: Resource): string[] => [
    ...new Set(dependencies.flatMap((each) => byUrn.get(each) ?? [])),
  ];
  return {
    networks: networks.map(({ name, internal, options }) => ({ name, internal, options })),
    volumes: of("docker:index/volume:Volume").map(({ inputs }) => String(inputs.name)),
    containers: [
      ...running.map((each) => ({ ...ofContainer(container.parse(each.inputs), nameOf), after: after(each) })),
      ...jobs.map((each) => ({ ...ofJob(job.parse(each.inputs), nameOf), after: after(each) })),
    ],
  };
}

function ofContainer(given: z.output<typeof container>, nameOf: (id: string) => string): Omit<Container, "after"> {
  const { tests: test, ...health } = given.healthcheck;
  return {
    name: given.name,
    image: given.image,
    entrypoint: given.entrypoints.map(unmarked),
    command: given.command,
    ...(given.user === undefined ? {} : { user: given.user }),
    ...(given.hostname === undefined ? {} : { hostname: given.hostname }),
    env: given.envs,
    files: given.uploads.map(({ file: path, content, permissions }) => ({
      path,
      content,
      mode: parseInt(permissions, 8),
    })),
    networks: given.networksAdvanced.map(({ name, aliases }) => ({ name: nameOf(name), aliases })),
    volumes: given.volumes.map(({ volumeName, hostPath, containerPath }) => ({
      source: volumeName ?? hostPath ?? "",
      path: containerPath,
    })),
    ports: given.ports.map(({ internal, ip }) => ({ ip, port: internal })),
    memoryMib: given.memory,
    cpus: Number(given.cpus),
    health: { test, ...health },
  };
}

function ofJob(given: z.output<typeof job>, nameOf: (id: string) => string): Omit<Container, "after"> {
  return {
    name: given.name,
    image: given.image,
    entrypoint: given.entrypoint,
    command: given.command,
    ...(given.user === undefined ? {} : { user: given.user }),
    env: Object.entries(given.env).map(([key, value]) => `${key}=${value}`),
    files: given.files,
    networks: given.networks.map((id) => ({ name: nameOf(id), aliases: [] })),
    volumes: given.mounts,
    ports: [],
    memoryMib: given.memoryMib,
    cpus: given.cpu,
  };
}

/** Our provider leaves a marker on a new disk, and a server that does not find it refuses to start. Peers leave none. */
export function unmarked(script: string): string {
  const lines = script.split("\n");
  return lines.filter((line) => !(line.startsWith("[ -e ") && line.includes(`/${diskMarker} ]`))).join("\n");
}

/** Secrets are envelopes in an export, the plain text a JSON text inside. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const text: unknown = Reflect.get(value, "plaintext");
  if (typeof text === "string") return plain(JSON.parse(text));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
