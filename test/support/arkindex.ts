/** The project's own program on this machine's engine as a throw-away stack: for any system, and for Arkindex. */
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { request } from "node:https";
import process from "node:process";

import Docker from "dockerode";

import { runLabels } from "./run.ts";
import { repo, TestStack } from "./stack.ts";

export const engine = new Docker();

export interface DockerTest {
  /** Prefix of containers, networks and volumes: one of its own for each test file. */
  readonly name: string;
  /** The edge's port for https; the one below it is for http. */
  readonly https: number;
  /** Further or other keys of the config, without the project's prefix. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** TypeScript before the program: transforms that break something on purpose. */
  readonly before?: string;
  /** Further environment for every run of the CLI. */
  readonly env?: Readonly<Record<string, string>>;
}

export const project = "platform-topologies";

/** A config with full keys. */
export function keyed(own: object): Record<string, unknown> {
  return {
    "pulumi:disable-default-providers": ["*"],
    ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${project}:${key}`, value as unknown])),
  };
}

/** `own`: keys that every test of the system has; the test's further keys come last. */
export function dockerConfig({ name, https, config }: DockerTest, own: { system: string; [key: string]: unknown }) {
  return keyed({
    topology: "docker",
    name,
    hostname: `${name}.localhost`,
    rehearsal: true,
    protect: false,
    localImages: true,
    docker: { address: "127.0.0.1", ports: { http: https - 1, https } },
    ...own,
    ...config,
  });
}

export async function dockerStack(test: DockerTest, config: Readonly<Record<string, unknown>>): Promise<TestStack> {
  await sweep(test.name);
  return TestStack.create({ project, program: arkindexProgram(test.before), config, env: test.env ?? {} });
}

export function arkindexConfig(test: DockerTest): Record<string, unknown> {
  const backup = { everyHours: 24, to: { volume: `${test.name}-backup` } };
  return dockerConfig(test, { system: "arkindex", backup, arkindex: { version: "1.7.0" } });
}

/** The program of index.ts, after `before`. */
export function arkindexProgram(before = ""): string {
  return `import * as pulumi from "@pulumi/pulumi";
${before}
export default (await import("${repo}/index.ts")).default;
void pulumi;
`;
}

/** A transform that adds an environment variable to one container, or to one job. */
export function withEnvironment(resource: string, key: string, value: string): string {
  return `pulumi.runtime.registerResourceTransform((args) => {
  if (args.name !== "${resource}") return undefined;
  if (args.type === "docker:index/container:Container") {
    args.props.envs = pulumi.output(args.props.envs).apply((envs) => [...envs, "${key}=${value}"].sort());
  } else if (args.type === "platform-topologies:index:Job") {
    args.props.env = pulumi.output(args.props.env).apply((env) => ({ ...env, "${key}": "${value}" }));
  } else return undefined;
  return { props: args.props, opts: args.opts };
});`;
}

/**
 * The stand-in's own health is that of all its stores, so that one store's loss would restart the whole application. The
 * real images are asked for themselves alone, and so are these here.
 */
export const asProbedForReal = `
const curl = (url) => ["CMD", "curl", "-sf", "-m", "4", "-o", "/dev/null", url];
const probes = {
  "arkindex-backend": curl("http://127.0.0.1:8000/api/v1/"),
  "arkindex-cantaloupe": curl("http://127.0.0.1:8182/rehearsal.json"),
  "arkindex-worker": ["CMD", "sh", "-c", "grep -q rqworker /proc/1/cmdline"],
};
pulumi.runtime.registerResourceTransform(({ type, name, props, opts }) => {
  if (type !== "docker:index/service:Service" || !(name in probes)) return undefined;
  const { containerSpec } = props.taskSpec;
  const healthcheck = { ...containerSpec.healthcheck, tests: probes[name] };
  return { props: { ...props, taskSpec: { ...props.taskSpec, containerSpec: { ...containerSpec, healthcheck } } }, opts };
});`;

export function arkindexStack(test: DockerTest): Promise<TestStack> {
  return dockerStack(test, arkindexConfig(test));
}

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers?: IncomingHttpHeaders;
}

/**
 * A request through the edge, as a browser makes it: the public name, the stack's own authority, this machine's
 * loopback.
 */
export function call(
  url: string,
  ca: string,
  options: { method?: string; body?: string; headers?: Record<string, string>; address?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { host, hostname, port, pathname, search } = new URL(url);
    const { method = "GET", body, headers = {}, address = "127.0.0.1" } = options;
    const sent = request(
      {
        host: address,
        port: port === "" ? 443 : Number(port),
        path: pathname + search,
        method,
        ca,
        servername: hostname,
        headers: { host, ...headers },
        agent: false, // a connection of its own: a server may close a kept one at any time
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    sent.setTimeout(10_000, () => sent.destroy(new Error(`${url} took longer than 10 s`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Polls until `probe` returns something; fails with its last error. */
export async function eventually<T>(probe: () => Promise<T | undefined>, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown = new Error("nothing came");
  while (Date.now() < end) {
    try {
      const found = await probe();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw last;
}

/**
 * Runs a shell script in a container of this stack, or in a new one of `image` on its networks; output and exit code.
 */
export async function inContainer(
  where:
    { container: string } | { image: string; network: string; also?: readonly string[]; binds?: readonly string[] },
  script: string,
): Promise<Reply> {
  if ("container" in where) {
    const exec = await engine
      .getContainer(where.container)
      .exec({ Cmd: ["sh", "-c", script], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({});
    const body = await collect(stream);
    const { ExitCode } = await exec.inspect();
    return { status: ExitCode ?? -1, body };
  }
  const container = await engine.createContainer({
    Image: where.image,
    Entrypoint: ["sh", "-c", script],
    Cmd: [],
    Labels: runLabels,
    HostConfig: { NetworkMode: where.network, Binds: [...(where.binds ?? [])] },
  });
  try {
    for (const more of where.also ?? []) await engine.getNetwork(more).connect({ Container: container.id });
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const body = collect(stream);
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    return { status: StatusCode, body: await body };
  } finally {
    await container.remove({ force: true });
  }
}

/** Docker's stream of frames: 8 bytes of header, then that many of either output. */
async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  const all = Buffer.concat(chunks);
  let text = "";
  for (let at = 0; at + 8 <= all.length; at += 8 + all.readUInt32BE(at + 4))
    text += all.subarray(at + 8, at + 8 + all.readUInt32BE(at + 4)).toString();
  return text;
}

/**
 * Kills a container's first process as a crash would. A container that is about to start again has the number 0 for it,
 * and a signal to 0 would end this very test with all its processes.
 */
export async function killProcess(container: Docker.Container): Promise<void> {
  const pid = await eventually(async () => {
    const { State } = await container.inspect();
    return State.Running && State.Pid > 0 ? State.Pid : undefined;
  });
  process.kill(pid, "SIGKILL");
}

/** The images that set-up built here, by key. */
export function localImages(): Record<string, string> {
  return JSON.parse(readFileSync(`${repo}/.local/images.json`, "utf8")) as Record<string, string>;
}

export function localImage(key: string): string {
  const found = localImages()[key];
  if (found === undefined) throw new Error(`no local image ${key}: npm run images -- build builds it`);
  return found;
}

/** Ids of the stack's containers by their workload's name. */
export async function containerIds(name: string): Promise<Record<string, string>> {
  const all = await engine.listContainers({ all: true, filters: { label: [`platform-topologies.name=${name}`] } });
  return Object.fromEntries(all.map(({ Id, Names }) => [Names[0]?.slice(name.length + 2) ?? Id, Id]));
}

/** Docker runs a container's probe once an interval: its verdict may come that much later than the end of an `up`. */
export async function untilHealthy(ids: readonly string[], docker = engine): Promise<void> {
  const late = async (): Promise<string[]> => {
    const all = await Promise.all(ids.map((id) => docker.getContainer(id).inspect()));
    return all.filter(({ State }) => State.Health?.Status !== "healthy").map(({ Name }) => Name);
  };
  await eventually(async () => {
    const names = await late();
    if (names.length > 0) throw new Error(`not healthy: ${names.join(", ")}`);
    return true;
  });
}

/** Removes a volume that the program leaves, if it is there: a backup's place, an agent's data. */
export async function removeVolume(name: string): Promise<void> {
  const { Volumes } = await engine.listVolumes({ filters: { name: [name] } });
  if (Volumes.some(({ Name }) => Name === name)) await engine.getVolume(name).remove({ force: true });
}

/** Containers and networks that are orphaned or lost: only the engine has them, or only the state. */
export async function strays(stack: TestStack, name: string): Promise<string[]> {
  const filters = { label: [`platform-topologies.name=${name}`] };
  const containers = Object.entries(await containerIds(name));
  const networks = (await engine.listNetworks({ filters })).map(({ Name, Id }) => [Name, Id] as const);
  const there = new Map([...containers, ...networks].map(([key, id]) => [id, `${key}, which the state does not know`]));
  const types = ["docker:index/container:Container", "docker:index/network:Network"];
  const known = (await stack.state()).resources
    .filter(({ type }) => types.includes(type))
    .map(({ id = "", urn }) => [id, `${urn.split("::").at(-1) ?? urn}, which only the state knows`] as const);
  const lost = known.filter(([id]) => !there.has(id)).map(([, what]) => what);
  for (const [id] of known) there.delete(id);
  return [...there.values(), ...lost];
}

/** Ends a test file whatever has happened: destroys the stack, then removes all that carries its name. */
export async function cleanUp(stack: TestStack | undefined, name: string): Promise<void> {
  try {
    await stack?.heal();
    await stack?.run(["state", "unprotect", "--all", "--yes"]);
    await stack?.dispose();
  } finally {
    await sweep(name);
  }
}

/** Removes all that carries a test's name. Called before a test, too, as a killed run may have left some. */
export async function sweep(name: string): Promise<void> {
  for (const id of Object.values(await containerIds(name)))
    await engine.getContainer(id).remove({ force: true, v: true });
  const filters = { label: [`platform-topologies.name=${name}`] };
  for (const { Id } of await engine.listNetworks({ filters })) await engine.getNetwork(Id).remove();
  const { Volumes } = await engine.listVolumes({ filters });
  for (const { Name } of Volumes) await removeVolume(Name);
  await removeVolume(`${name}-backup`);
}

/** The lines of text that the rehearsing backend has kept in PostgreSQL. */
export async function rows(url: string, ca: string): Promise<string[]> {
  const { status, body } = await call(`${url}/rehearsal/rows`, ca);
  if (status !== 200) throw new Error(`rows: ${String(status)} ${body}`);
  return (JSON.parse(body) as { rows: string[] }).rows;
}

/** Writes a line into PostgreSQL and an object of the same name and content into the object store. */
export async function write(url: string, ca: string, text: string): Promise<void> {
  const row = await call(`${url}/rehearsal/rows`, ca, { method: "POST", body: text });
  const object = await call(`${url}/rehearsal/objects/${text}`, ca, { method: "PUT", body: text });
  if (row.status !== 201 || object.status !== 201) throw new Error(`${row.body} ${object.body}`);
}

/** Whether what `write` wrote is there. */
export async function isKept(url: string, ca: string, text: string): Promise<boolean> {
  const object = await call(`${url}/rehearsal/objects/${text}`, ca);
  return (await rows(url, ca)).includes(text) && object.status === 200 && object.body === text;
}
