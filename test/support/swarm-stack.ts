/** A stack of the project's own program on a test's swarm, and a client that counts what it loses. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { finished } from "node:stream/promises";

import type Docker from "dockerode";
import { Agent, request } from "undici";

import { hasImage } from "../../ops/docker.ts";
import type { Cluster } from "../../tools/swarm/cluster.ts";
import { arkindexProgram, keyed, project } from "./arkindex.ts";
import { repo, TestStack } from "./stack.ts";

export interface SwarmTest {
  readonly cluster: Cluster;
  /** Prefix of services, networks and volumes: one of its own for each test file. */
  readonly name: string;
  readonly system: string;
  /** Further or other keys of the config, without the project's prefix. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further or other keys below `swarm`. */
  readonly swarm?: Readonly<Record<string, unknown>>;
  /** References for images in the place of what set-up built. */
  readonly images?: Readonly<Record<string, string>>;
  /** TypeScript before the program: transforms that break something on purpose. */
  readonly before?: string;
}

export const ports = { http: 80, https: 443 } as const;

/** Other images in the place of these, by the same keys. */
export type Made = (own: Readonly<Record<string, string>>) => Promise<Readonly<Record<string, string>>>;

/**
 * The images that set-up built, or those of these keys alone, pushed to the cluster's registry (which is quick when they
 * are there already). `made`: what to do with them before.
 */
export async function pushed(
  cluster: Cluster,
  keys?: readonly string[],
  made: Made = (own) => Promise.resolve(own),
): Promise<Record<string, string>> {
  const local = JSON.parse(readFileSync(`${repo}/.local/images.json`, "utf8")) as Record<string, string>;
  const own = Object.fromEntries(Object.entries(local).filter(([key]) => keys?.includes(key) ?? true));
  const wanted = Object.entries(await made(own));
  const refs = await cluster.push(wanted.map(([, ref]) => ref));
  return Object.fromEntries(wanted.map(([key, ref]) => [key, refs[ref] ?? ref]));
}

/**
 * The same, and some of them on each node: a busy machine pulls for minutes, which no job waits for. A key without an image
 * of ours is pulled as it is.
 */
export async function onEachNode(
  cluster: Cluster,
  keys: readonly string[],
  nodes: readonly string[] = cluster.nodes,
): Promise<Record<string, string>> {
  const images = await pushed(cluster);
  for (const node of nodes) for (const key of keys) await pulled(cluster.dockerOf(node), images[key] ?? key);
  return images;
}

/** The whole config of such a stack, with full keys. */
export async function swarmConfig(test: SwarmTest): Promise<Record<string, unknown>> {
  const { cluster, name, system, config = {}, swarm = {}, images = {} } = test;
  return keyed({
    system,
    topology: "swarm",
    name,
    hostname: `${name}.example.com`,
    rehearsal: true,
    protect: false,
    images: { ...(await pushed(cluster)), ...images },
    swarm: {
      managers: cluster.nodes.filter((node) => node.startsWith("m")).map((node) => cluster.host(node)),
      nodes: Object.fromEntries(cluster.nodes.map((node) => [node, { address: cluster.address(node) }])),
      endpointMode: "dnsrr", // kernels of test machines have no IPVS
      socket: "/var/run/docker.sock", // on each node, for containers that are given it
      encrypted: false, // some have nothing of what IPsec needs
      ...swarm,
    },
    ...config,
  });
}

export async function swarmStack(test: SwarmTest): Promise<TestStack> {
  return TestStack.create({ project, program: arkindexProgram(test.before), config: await swarmConfig(test) });
}

/** Each service's tasks that should run: `backend` has `running m1`, `starting w2`. */
export async function tasksOf(manager: Docker, name: string): Promise<Record<string, string[]>> {
  const services = (await manager.listServices()) as ServiceName[];
  const mine = services.filter(({ Spec }) => Spec.Name.startsWith(`${name}-`));
  const tasks = Object.entries(await tasksOfServices(manager, mine));
  return Object.fromEntries(tasks.map(([service, all]) => [service.slice(name.length + 1), all]));
}

export interface ServiceName {
  readonly ID: string;
  readonly Spec: { readonly Name: string };
}

/** The same for these services, by their whole names. */
export async function tasksOfServices(manager: Docker, services: readonly ServiceName[]) {
  const nodes = (await manager.listNodes()) as { ID: string; Description: { Hostname: string } }[];
  const hostname = new Map(nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  const tasks = (await manager.listTasks({ filters: { "desired-state": ["running"] } })) as {
    ServiceID: string;
    NodeID?: string;
    Status: { State: string };
  }[];
  return Object.fromEntries(
    services.map(({ ID, Spec }) => [
      Spec.Name,
      tasks
        .filter(({ ServiceID }) => ServiceID === ID)
        .map(({ Status, NodeID = "" }) => `${Status.State} ${hostname.get(NodeID) ?? "nowhere"}`)
        .sort(),
    ]),
  );
}

/** The node, and the container there, that a slot runs in. */
export async function placeOf(cluster: Cluster, name: string, slot: string) {
  for (const node of cluster.nodes) {
    if (!(await cluster.isOn(node))) continue;
    const engine = cluster.dockerOf(node);
    const filters = { label: [`com.docker.swarm.service.name=${name}-${slot}`], status: ["running"] };
    const [found] = await engine.listContainers({ filters });
    if (found !== undefined) return { node, container: engine.getContainer(found.Id) };
  }
  throw new Error(`${slot} runs nowhere`);
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A client outside the swarm: whatever name it calls, it connects to this edge node. */
export class Client {
  readonly #agent: Agent;

  /** `keepAlive`: keeps connections, as a browser does; else each request has its own. */
  constructor(address: string, ca: string, { keepAlive = true }: { keepAlive?: boolean } = {}) {
    this.#agent = new Agent({
      connect: {
        ca,
        lookup: (_name, _options, done) => {
          done(null, [{ address, family: 4 }]);
        },
      },
      ...(keepAlive ? {} : { pipelining: 0 }),
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
      connectTimeout: 3000,
    });
  }

  async call(url: string, options: { method?: string; body?: string; headers?: Record<string, string> } = {}) {
    const { method = "GET", ...rest } = options;
    const { statusCode, headers, body } = await request(url, { dispatcher: this.#agent, method, ...rest });
    return { status: statusCode, headers, body: await body.text() } satisfies Answer;
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

/** The answers to a steady load. */
export interface Tally {
  readonly sent: number;
  /** `<milliseconds since the start>: <status or error>` for each request that was not answered below 400. */
  readonly lost: readonly string[];
  /** The longest answer, in milliseconds. */
  readonly slowest: number;
}

export interface LoadOptions {
  /** Default 20. */
  readonly perSecond?: number;
  /** Keeps connections, as a browser does. Default: each request has its own. */
  readonly keepAlive?: boolean;
  /** A session's cookie. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: a status below 400. A page behind a sign-in answers 302 to a client that has lost its session. */
  readonly good?: (answer: Answer) => boolean;
  /** How long each request is tried again, after 1, 2, 4 … seconds, in seconds. Default 0: each is sent once. */
  readonly patience?: number;
}

/**
 * Calls `url` on an edge node `perSecond` times a second until `stop`, without waiting for earlier answers. Each
 * request counts once, however often it is tried.
 */
export class Load {
  readonly #began = Date.now();
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  readonly #lost: string[] = [];
  readonly #headers: Record<string, string>;
  readonly #good: (answer: Answer) => boolean;
  readonly #patience: number;
  #sent = 0;
  #answered = 0;
  #slowest = 0;

  constructor(address: string, ca: string, url: string, options: LoadOptions = {}) {
    const { perSecond = 20, keepAlive = false, headers = {}, good = ({ status }) => status < 400 } = options;
    this.#patience = (options.patience ?? 0) * 1000;
    this.#headers = headers;
    this.#good = good;
    this.#client = new Client(address, ca, { keepAlive });
    this.#timer = setInterval(() => {
      const one = this.#one(url).finally(() => this.#open.delete(one));
      this.#open.add(one);
    }, 1000 / perSecond);
  }

  async #one(url: string): Promise<void> {
    const began = Date.now();
    this.#sent++;
    let seen = await this.#try(url);
    for (let wait = 1000; seen !== "" && Date.now() - began < this.#patience; wait *= 2) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      seen = await this.#try(url);
    }
    this.#slowest = Math.max(this.#slowest, Date.now() - began);
    if (seen === "") this.#answered++;
    else this.#lost.push(`${String(began - this.#began)}: ${seen}`);
  }

  /** Why it was not answered well; else nothing. */
  async #try(url: string): Promise<string> {
    try {
      const answer = await this.#client.call(url, { headers: this.#headers });
      return this.#good(answer) ? "" : `${String(answer.status)} ${answer.body.slice(0, 80)}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** How many requests were answered well so far; others may be under way. */
  get answered(): number {
    return this.#answered;
  }

  /** The tally so far. */
  get tally(): Tally {
    return { sent: this.#sent, lost: [...this.#lost], slowest: this.#slowest };
  }

  /** Stops the load. A second call returns the same tally. */
  stop(): Promise<Tally> {
    return (this.#stopped ??= this.#end());
  }
  #stopped?: Promise<Tally>;

  async #end(): Promise<Tally> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    await this.#client.close();
    return this.tally;
  }
}

/** Pulls an image on a node: the API pulls nothing when it makes a container. */
export async function pulled(engine: Docker, image: string): Promise<string> {
  if (!(await hasImage(engine, image))) await finished((await engine.pull(image)).resume());
  return image;
}

/** Runs a shell script in a new container of `image` on a node, on one of the stack's networks. */
export async function onNetwork(
  engine: Docker,
  image: string,
  network: string,
  script: string,
): Promise<{ readonly status: number; readonly output: string }> {
  await pulled(engine, image);
  const container = await engine.createContainer({
    Image: image,
    Entrypoint: ["sh", "-c", script],
    Cmd: [],
    Tty: true, // one plain stream
    Env: ["PAGER=cat"], // with a terminal psql would wait for a key on a screen of no lines
    Labels: { "platform-topologies.test": "client" },
    HostConfig: { NetworkMode: network },
  });
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    return { status: StatusCode, output: Buffer.concat(chunks).toString() };
  } finally {
    await container.remove({ force: true });
  }
}

/** What a shell script prints in a container. */
export async function said(container: Docker.Container, script: string): Promise<string> {
  const exec = await container.exec({ Cmd: ["sh", "-c", script], AttachStdout: true, Tty: true });
  let text = "";
  for await (const part of await exec.start({ Tty: true })) text += String(part);
  return text.trim();
}

/** As `said`, for 15 seconds. A container that the swarm takes away meanwhile may never end its answer. */
export async function answered(container: Docker.Container, script: string): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, 15_000, new Error("no answer"));
  });
  return Promise.race([said(container, script), late]).finally(() => {
    clearTimeout(timer);
  });
}

/** Whether something accepts a connection there. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", end(true)).on("error", end(false)).on("timeout", end(false));
  });
}
