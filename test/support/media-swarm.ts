/** A client of a media platform's region on a test's swarm, from outside through the edge and from inside. */
import { rm } from "node:fs/promises";

import { z } from "zod";

import type { Cluster } from "../../tools/swarm/cluster.ts";
import type { MediaOutputs } from "./media.ts";
import { succeeded, type TestStack } from "./stack.ts";
import {
  Client,
  Load,
  type LoadOptions,
  onNetwork,
  placeOf,
  pushed,
  said,
  swarmConfig,
  swarmStack,
  type SwarmTest,
  type Tally,
} from "./swarm-stack.ts";
import { eventually } from "./swarm.ts";

const created = z.object({ id: z.string() });
const listed = z.object({ ids: z.array(z.string()) });

export class MediaSwarm {
  readonly cluster: Cluster;
  readonly name: string;
  readonly stack: TestStack;
  /** The node whose edge is called, and where clients of the stores run. */
  readonly node: string;
  readonly #test: SwarmTest;
  readonly #toolbox: string;
  #outputs: MediaOutputs & { readonly places: { readonly slots: Readonly<Record<string, string>> } };
  readonly #client: Client;
  #rotate: Readonly<Record<string, string>> = {};

  private constructor(test: SwarmTest, stack: TestStack, outputs: unknown, toolbox: string, node = "m1") {
    this.cluster = test.cluster;
    this.node = node;
    this.name = test.name;
    this.stack = stack;
    this.#test = test;
    this.#toolbox = toolbox;
    this.#outputs = outputs as MediaSwarm["outputs"];
    this.#client = new Client(test.cluster.address(node), this.#outputs.ca, { keepAlive: false });
  }

  static async up(test: SwarmTest, media: object, closing: (() => Promise<unknown>)[]): Promise<MediaSwarm> {
    const stack = await swarmStack({ ...test, config: { ...test.config, media } });
    closing.push(() => rm(stack.folder, { recursive: true })); // what the stack made goes with the swarm
    succeeded(await stack.up());
    const { toolbox = "" } = await pushed(test.cluster);
    const made = new MediaSwarm(test, stack, await stack.outputs(), toolbox);
    closing.push(() => made.close());
    return made;
  }

  /** The same by another node. */
  through(node: string): MediaSwarm {
    return new MediaSwarm(this.#test, this.stack, this.#outputs, this.#toolbox, node);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  get outputs() {
    return this.#outputs;
  }

  /** Reads the stack's outputs anew, after a change of a password. */
  async refresh(): Promise<void> {
    this.#outputs = (await this.stack.outputs()) as unknown as MediaSwarm["outputs"];
  }

  /**
   * Deploys the stack with another config of the system, and the nodes that the swarm has now. `rotate`: stores whose
   * clients get other passwords, with the word for each, which later changes keep.
   */
  async change(media: object, rotate: Readonly<Record<string, string>> = {}) {
    this.#rotate = { ...this.#rotate, ...rotate };
    const config = { ...this.#test.config, media, rotate: this.#rotate };
    await this.stack.configure(await swarmConfig({ ...this.#test, config }));
    return this.stack.up();
  }

  async create(title: string): Promise<string> {
    const sent = { method: "POST", body: JSON.stringify({ title }) };
    const { status, body } = await this.#client.call(`${this.#outputs.url}/API/assets/`, sent);
    if (status !== 201) throw new Error(`${String(status)} ${body}`);
    return created.parse(JSON.parse(body)).id;
  }

  async ids(path: string): Promise<string[]> {
    const { status, body } = await this.#client.call(this.#outputs.url + path);
    if (status !== 200) throw new Error(`${String(status)} ${body}`);
    return listed.parse(JSON.parse(body)).ids;
  }

  /** Which of these assets no member has. Not those that are written meanwhile. */
  async gone(written: readonly string[]): Promise<string[]> {
    const before = [...written];
    const there = new Set(
      await eventually(
        60,
        () => this.ids("/API/assets/").catch(() => []),
        (all) => all.length > 0,
      ),
    );
    return before.filter((id) => !there.has(id));
  }

  /** Waits until each of these Cassandras sees all of them up, and nobody else. */
  async ringIs(...numbers: number[]): Promise<void> {
    const hosts = numbers.map((n) => `cassandra-${String(n)}`);
    for (const host of hosts)
      await eventually(
        300,
        () => this.exec(host, `nodetool -h ${host} -u admin -pwf /tmp/jmx status`).catch(String),
        (status) => status.match(/^[UD][NLJM] /gm)?.join("") === "UN ".repeat(hosts.length),
      );
  }

  /** A load that reads one asset, which Cassandra alone answers. Default: ten a second. */
  reads(id: string, options: LoadOptions = {}): Load {
    return this.load(`/API/assets/${id}`, { perSecond: 10, ...options });
  }

  /** A load of a path. */
  load(path: string, options: LoadOptions): Load {
    return new Load(this.cluster.address(this.node), this.#outputs.ca, this.#outputs.url + path, options);
  }

  /** Runs a script on a network of the stack, with the stores' clients at hand. */
  async inside(script: string, network = "data") {
    const { status, output } = await onNetwork(
      this.cluster.dockerOf(this.node),
      this.#toolbox,
      `${this.name}-${network}`,
      script,
    );
    return { status, output: output.replaceAll("\r", "").trim() };
  }

  cql(member: string, consistency: string, statement: string) {
    const password = this.#outputs.passwords.cassandra ?? "";
    return this.inside(
      `CQL_PASSWORD='${password}' cql -h ${member} -u app --consistency ${consistency} -e "${statement}"`,
    );
  }

  /** Asks RabbitMQ's HTTP API at the first of these members that answers. */
  async rabbit(members: readonly string[], method: string, path: string, body?: object): Promise<unknown> {
    const login = `app:${this.#outputs.passwords.rabbit ?? ""}`;
    const sent = body === undefined ? "" : `-H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
    const calls = members.map(
      (at) => `curl -sf -m 5 -u '${login}' -X ${method} ${sent} http://${at}:15672/api/${path}`,
    );
    const { status, output } = await this.inside(calls.join(" || "));
    if (status !== 0) throw new Error(`${method} ${path}: ${String(status)} ${output}`);
    return output === "" ? undefined : JSON.parse(output);
  }

  /** Runs a script in a slot's own container. Returns its output. */
  async exec(slot: string, script: string): Promise<string> {
    const { container } = await placeOf(this.cluster, this.name, slot);
    return said(container, script);
  }
}

/** Writes new assets at a steady pace. Each answered one has to stay for ever. Each request counts once. */
export class Writer {
  readonly written: string[] = [];
  readonly title: string;
  readonly #media: MediaSwarm;
  readonly #timer: NodeJS.Timeout;
  readonly #began = Date.now();
  readonly #open = new Set<Promise<void>>();
  readonly #lost: string[] = [];
  #sent = 0;
  #slowest = 0;

  /** `title`: one word for all assets, by which the index finds them. */
  constructor(media: MediaSwarm, title: string, perSecond = 2) {
    this.#media = media;
    this.title = title;
    this.#timer = setInterval(() => {
      const one = this.#one().finally(() => this.#open.delete(one));
      this.#open.add(one);
    }, 1000 / perSecond);
  }

  async #one(): Promise<void> {
    const began = Date.now();
    this.#sent++;
    try {
      this.written.push(await this.#media.create(`${this.title} ${String(this.#sent)}`));
    } catch (error) {
      this.#lost.push(`${String(began - this.#began)}: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#slowest = Math.max(this.#slowest, Date.now() - began);
  }

  async stop(): Promise<Tally> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    return { sent: this.#sent, lost: this.#lost, slowest: this.#slowest };
  }
}
