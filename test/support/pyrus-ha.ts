/** Pyrus, highly available, on a swarm of three managers and a worker. */
import type Docker from "dockerode";

import type { Cluster } from "../../tools/swarm/cluster.ts";
import { adminPassword, licence, small } from "./pyrus.ts";
import { succeeded, type TestStack } from "./stack.ts";
import { Client, swarmConfig, type SwarmTest, type Tally } from "./swarm-stack.ts";

export const name = "pyrus-ha";
/** Two balancers; each store that has one node has a machine to itself; one function has nodes of its own. */
export const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  m1: { apps: "yes", edge: "yes" },
  m2: { apps: "yes", edge: "yes" },
  m3: { apps: "yes", previews: "yes" },
  w1: { stores: "yes" },
};

/**
 * Two replicas of what a browser meets, one of the rest. With the vendor's 22 and three search nodes, which `ha` alone
 * gives, the stand-ins' checks would keep two cores busy, and one late answer would restart them all.
 */
export const replicas = {
  ...{ "web-api": 2, files: 2, bind: 2, "identity-server": 2 },
  ...{ "preview-generator": 1, "mail-sender": 1, "mail-reader": 1, "notification-service": 1, "async-worker": 1 },
};

/** The stand-ins ask their stores every fifteen seconds, not every five. */
const patient = `pulumi.runtime.registerResourceTransform((args) => {
  if (args.type !== "docker:index/service:Service") return undefined;
  const { containerSpec } = args.props.taskSpec;
  containerSpec.env = pulumi
    .output(containerSpec.env)
    .apply((env) => ("REHEARSAL_ROLE" in env ? { ...env, REHEARSAL_PATIENCE: "3" } : env));
  return { props: args.props, opts: args.opts };
});`;

const highlyAvailable = {
  ...small,
  memoryMib: { ...small.memoryMib, files: 512 }, // for files on their way from one store to the other
  ha: true,
};

/** The same with three copies of each store, on nodes that are all alike: the usual placement. */
export function copied(cluster: Cluster, stack: string): SwarmTest {
  return {
    ...{ cluster, name: stack, system: "pyrus", before: patient },
    config: { copies: 3, pyrus: { ...highlyAvailable, replicas } },
  };
}

export function ha(
  cluster: Cluster,
  pyrus: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, number>> = {},
): SwarmTest {
  const stores = { stores: "yes" };
  return {
    ...{ cluster, name, system: "pyrus", before: patient },
    config: {
      pyrus: {
        ...highlyAvailable,
        replicas: { ...replicas, ...more },
        elasticNodes: 1,
        nodes: {
          ...{ postgresql: stores, logs: stores, elasticsearch: stores, objects: stores },
          "preview-generator": { previews: "yes" },
        },
        ...pyrus,
      },
    },
    swarm: {
      nodes: Object.fromEntries(
        cluster.nodes.map((node) => [node, { address: cluster.address(node), labels: labels[node] ?? {} }]),
      ),
      place: { apps: "yes" },
      edge: { nodes: { edge: "yes" } },
    },
  };
}

export async function configure(stack: TestStack, test: SwarmTest, ownLicence = licence): Promise<void> {
  await stack.configure(await swarmConfig(test));
  const secrets = { pyrusLicence: ownLicence, pyrusAdminPassword: adminPassword };
  for (const [key, value] of Object.entries(secrets)) {
    const set = ["config", "set", "--path", "--secret", `platform-topologies:secrets.${key}`, value];
    succeeded(await stack.run(set));
  }
}

/** A service's container on a node. */
export async function containerOf(cluster: Cluster, node: string, service: string): Promise<Docker.Container> {
  const engine = cluster.dockerOf(node);
  const [found] = await engine.listContainers(running(service));
  if (found === undefined) throw new Error(`${service} does not run on ${node}`);
  return engine.getContainer(found.Id);
}

function running(service: string): Docker.ContainerListOptions {
  return { filters: { label: [`com.docker.swarm.service.name=${name}-${service}`], status: ["running"] } };
}

/**
 * Counts a service's containers every half second, on every node that has power. It does not ask the managers: for some
 * seconds they take a task on a node without power for a running one.
 */
export class Count {
  readonly #cluster: Cluster;
  readonly #service: string;
  readonly #over: Promise<void>;
  #ended = false;
  /** How often each count was seen: `[12, 340, 0]` is 12 times none and 340 times one. */
  readonly seen: number[] = [];
  /** The nodes where it ran, one after the other. */
  readonly nodes: string[] = [];

  constructor(cluster: Cluster, service: string) {
    this.#cluster = cluster;
    this.#service = service;
    this.#over = this.#watch();
  }

  async #watch(): Promise<void> {
    while (!this.#ended) {
      const on = await Promise.all(this.#cluster.nodes.map((node) => this.#on(node)));
      const here = on.flat();
      this.seen[here.length] = (this.seen[here.length] ?? 0) + 1;
      for (const node of here) if (this.nodes.at(-1) !== node) this.nodes.push(node);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  async #on(node: string): Promise<string[]> {
    const found = this.#cluster.dockerOf(node).listContainers(running(this.#service));
    return (await found.catch(() => [])).map(() => node); // its daemon has no power either
  }

  async stop(): Promise<void> {
    this.#ended = true;
    await this.#over;
  }
}

/** Writes rows through an edge node, one after the other, each once, and remembers those that were acknowledged. */
export class Writer {
  readonly acknowledged: string[] = [];
  readonly #over: Promise<void>;
  readonly #lost: string[] = [];
  #ended = false;
  #sent = 0;
  #slowest = 0;

  constructor(address: string, outputs: { readonly url: string; readonly ca: string }, mark: string) {
    this.#over = this.#write(new Client(address, outputs.ca, { keepAlive: false }), outputs.url, mark);
  }

  async #write(client: Client, url: string, mark: string): Promise<void> {
    const start = Date.now();
    while (!this.#ended) {
      const began = Date.now();
      const body = `${mark}-${String(this.#sent++)}`;
      const sent = client.call(`${url}/rehearsal/rows`, { method: "POST", body });
      const answer = await sent.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      if (typeof answer !== "string" && answer.status === 201) this.acknowledged.push(body);
      else {
        const why = typeof answer === "string" ? answer : `${String(answer.status)} ${answer.body.slice(0, 80)}`;
        this.#lost.push(`${String(began - start)}: ${why}`);
      }
      this.#slowest = Math.max(this.#slowest, Date.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await client.close();
  }

  /** What it has seen so far. */
  get tally(): Tally {
    return { sent: this.#sent, lost: [...this.#lost], slowest: this.#slowest };
  }

  async stop(): Promise<string[]> {
    this.#ended = true;
    await this.#over;
    return this.acknowledged;
  }
}
