/** Five stores of three copies each, and an application of two replicas, on a swarm of nodes in namespaces. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import Docker from "dockerode";

import { images as provide } from "../../tools/images/index.ts";
import { Cluster, type ClusterArgs } from "../../tools/swarm/cluster.ts";
import { Copies, search } from "./copies.ts";
import { lastWords } from "./failure.ts";
import { Ledger, type Place, type Where } from "./ledger.ts";
import { runLabels } from "./run.ts";
import { repo, succeeded, TestStack } from "./stack.ts";
import { Load, type Made, placeOf, pulled, pushed, tasksOf } from "./swarm-stack.ts";
import { eventually } from "./swarm.ts";

export const storeNames = ["db", "redis", "solr", "search", "objects"] as const;
export type StoreName = (typeof storeNames)[number];
/** Some of them alone, for a trial: `PLATFORM_TOPOLOGIES_STORES=redis,objects`. The application wants `db` and `redis`. */
const chosen = storeNames.filter((each) => {
  const only = process.env.PLATFORM_TOPOLOGIES_STORES;
  return only === undefined || only.split(",").includes(each);
});
const hasApp = chosen.includes("db") && chosen.includes("redis");

const images = {
  db: ["postgres-ha", "postgis", "haproxy"],
  redis: ["redis", "haproxy"],
  solr: ["solr", "haproxy"],
  search: ["elasticsearch7"],
  objects: ["garage"],
} as const satisfies Readonly<Record<StoreName, readonly string[]>>;

const keys = ["toolbox", "traefik", "postgres-ha", ...chosen.flatMap((each) => images[each])];

/** A store's servers, the process that is one, and the word by which each is told a new disk. */
export const servers = {
  db: { slot: (n: number) => `db-${String(n)}`, program: "postgres" },
  redis: { slot: (n: number) => `redis-${String(n)}`, program: "redis-server" },
  solr: { slot: (n: number) => `solr-${String(n)}`, program: "java" },
  search: { slot: (n: number) => `search-${String(n)}`, program: "java" },
  objects: { slot: (n: number) => `objects-garage-${String(n)}`, program: "garage" },
} as const satisfies Readonly<Record<StoreName, { readonly slot: (n: number) => string; readonly program: string }>>;

const kinds = { db: "postgres", redis: "redis", search: "search", objects: "objects" } as const;

const python = (file: string): string => readFileSync(join(import.meta.dirname, file), "utf8");

/** What of the stack changes meanwhile. */
interface Shape {
  readonly disks: Readonly<Record<string, string>>;
  readonly images: Readonly<Record<string, string>>;
  readonly rotate: Readonly<Record<string, string>>;
}

export class Stores {
  readonly cluster: Cluster;
  readonly name: string;
  readonly #copies: Copies;
  #shape: Shape;
  #stack!: TestStack;
  #ledger!: Ledger;
  #ca = "";

  private constructor(cluster: Cluster, name: string, images: Readonly<Record<string, string>>) {
    this.cluster = cluster;
    this.name = name;
    this.#copies = new Copies(cluster, name);
    this.#shape = { disks: {}, images, rotate: {} };
  }

  static readonly chosen = chosen;

  /**
   * `up` of all on three managers and two workers, and a ledger of it. `made`: what to do with each image of this machine
   * before the nodes get it.
   */
  static async start(
    args: Pick<ClusterArgs, "network" | "volumesMib"> & { readonly name: string },
    made?: Made,
  ): Promise<Stores> {
    const cluster = await Cluster.start({ managers: 3, workers: 2, ...args });
    try {
      return await Stores.#on(cluster, args.name, made);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  static async #on(cluster: Cluster, name: string, made?: Made): Promise<Stores> {
    await provide(() => undefined, keys); // Garage takes an hour, once on a machine
    // A machine with a registry has built ours alone.
    const stores = new Stores(cluster, name, await pushed(cluster, keys, made));
    stores.#stack = await TestStack.create({
      program: stores.#program(),
      config: { "pulumi:disable-default-providers": ["*"] },
    });
    const began = Date.now();
    succeeded(await stores.#stack.up());
    process.stdout.write(`up: ${String(Math.round((Date.now() - began) / 1000))} s\n`);
    const { ca, places } = await stores.#outputs();
    stores.#ca = ca;
    stores.#ledger = new Ledger(places, { pause: 0.1 });
    // The first rows, before anything happens.
    await stores.#ledger.during(await stores.on("m1"), "nothing", () => stores.whole());
    return stores;
  }

  get stack(): TestStack {
    return this.#stack;
  }
  get ledger(): Ledger {
    return this.#ledger;
  }

  /** An `up` that gives these slots new disks. */
  async replaceDisks(slots: readonly string[]): Promise<void> {
    const word = `lost-${String(Date.now())}`;
    await this.#change({ disks: { ...this.#shape.disks, ...Object.fromEntries(slots.map((slot) => [slot, word])) } });
  }

  /** An `up` with another image of each server, and of the application. */
  async roll(): Promise<void> {
    const word = `again-${String(Date.now())}`;
    const before = JSON.parse(readFileSync(join(repo, ".local/images.json"), "utf8")) as Record<string, string>;
    const engine = new Docker();
    const other = async (key: string): Promise<[string, string]> => {
      const ref = before[key] ?? "";
      const container = await engine.createContainer({ Image: ref, Labels: runLabels });
      const [repo = ""] = ref.split(":");
      await container.commit({ repo, tag: word, changes: `LABEL again=${word}` });
      await container.remove();
      try {
        return [key, (await this.cluster.push([`${repo}:${word}`]))[`${repo}:${word}`] ?? ""];
      } finally {
        await engine.getImage(`${repo}:${word}`).remove();
      }
    };
    const keys = ["postgres-ha", ...chosen.map((each) => images[each][0])].filter((key) => key in before);
    const others = await Promise.all([...new Set(keys)].map(other));
    await this.#change({ images: { ...this.#shape.images, ...Object.fromEntries(others) } });
  }

  /** An `up` with this machine's own images, whatever the stores began with. */
  async update(): Promise<void> {
    await this.#change({ images: await pushed(this.cluster, keys) });
  }

  /** An `up` that gives the clients of each store that can have one another password. */
  async rotate(): Promise<void> {
    const word = `rotated-${String(Date.now())}`;
    const able = chosen.filter((each) => each !== "solr");
    await this.#change({ rotate: Object.fromEntries(able.map((each) => [each, word])) });
    this.#ledger.places = (await this.#outputs()).places;
  }

  async #outputs(): Promise<{ readonly ca: string; readonly places: Readonly<Record<string, Place>> }> {
    return (await this.#stack.outputs()) as { ca: string; places: Record<string, Place> };
  }

  async #change(shape: Partial<Shape>): Promise<void> {
    this.#shape = { ...this.#shape, ...shape };
    await this.#stack.rewrite(this.#program());
    succeeded(await this.#stack.up());
  }

  async stop(): Promise<void> {
    await Ledger.sweep();
    // The nodes' disks go with the cluster.
    await this.cluster.stop();
  }

  /** A client of the stores on a node. */
  async on(node: string): Promise<Where> {
    const engine = this.cluster.dockerOf(node);
    const image = await pulled(engine, this.#shape.images["postgres-ha"] ?? "");
    return { engine, image, networks: [`${this.name}-data`, `${this.name}-app`] };
  }

  readonly hasApp = hasApp;

  /** A steady load of the application by a manager's edge. */
  load(node: string, path: "once" | "retried"): Load {
    return new Load(this.cluster.address(node), this.#ca, `https://${this.name}.example.com/${path}`, { perSecond: 5 });
  }

  /** Waits until every server of each store is well, and every service has its tasks. */
  async whole(seconds = 420): Promise<void> {
    const lacking = async (): Promise<string[]> => {
      const all = await Promise.all(
        chosen.map(async (each) => ((await this.#isWhole(each).catch(() => false)) ? [] : [each])),
      );
      return [...all.flat(), ...(await this.#missing())];
    };
    await eventually(seconds, lacking, (list) => list.length === 0).catch(async (error: unknown) => {
      for (const store of chosen) {
        if (await this.#isWhole(store).catch(() => false)) continue;
        // The nodes go with the test.
        for (const slot of [1, 2, 3].map(servers[store].slot))
          process.stdout.write(await lastWords(this.cluster, this.name, slot));
      }
      throw error;
    });
  }

  /** Services with fewer tasks than they should have. */
  async #missing(): Promise<string[]> {
    const { manager } = this;
    if (manager === undefined) return ["managers"];
    try {
      const services = (await manager.listServices()) as {
        Spec: { Name: string; Mode: { Replicated?: { Replicas: number } } };
      }[];
      const tasks = await tasksOf(manager, this.name);
      return services.flatMap(({ Spec: { Name, Mode } }) => {
        const wanted = Mode.Replicated?.Replicas ?? 1;
        const now = (tasks[Name.slice(this.name.length + 1)] ?? []).filter((task) => task.startsWith("running "));
        return now.length < wanted ? [Name] : [];
      });
    } catch {
      return ["managers"]; // they have lost their leader
    }
  }
  get manager(): Docker | undefined {
    try {
      return this.cluster.manager();
    } catch {
      return undefined;
    }
  }

  async #solr(): Promise<SolrStatus["cluster"]> {
    const isStatus = (said: string): boolean => said.includes('"cluster"');
    return (JSON.parse(await this.#copies.any("solr", () => solrStatus, isStatus)) as SolrStatus).cluster;
  }

  async #isWhole(store: StoreName): Promise<boolean> {
    if (store !== "solr") return this.#copies.isWhole(kinds[store], store);
    const cluster = await this.#solr();
    const replicas = Object.values(cluster.collections.ledger.shards).flatMap((each) => Object.values(each.replicas));
    // Each asks the ZooKeeper beside it.
    const books = await Promise.all([1, 2, 3].map((n) => this.#copies.ask(servers.solr.slot(n), solrBooks)));
    return (
      cluster.live_nodes.length === 3 &&
      replicas.filter(({ state }) => state === "active").length === 3 &&
      new Set(books).size === 1
    );
  }

  /** The slot of the server that leads; of objects, where none does, the first. */
  async leader(store: StoreName): Promise<string> {
    const ask = async (): Promise<string> => {
      switch (store) {
        case "db":
        case "redis":
          return this.#copies.leader(kinds[store], store);
        case "solr": {
          const { shards } = (await this.#solr()).collections.ledger;
          const leads = Object.values(shards).flatMap(({ replicas }) =>
            Object.values(replicas).filter(({ leader }) => leader === "true"),
          );
          return leads[0]?.node_name.split(":")[0] ?? "";
        }
        case "search": {
          const shards = await this.#copies.any(
            store,
            () => search("_cat/shards/ledger?h=prirep,node"),
            (said) => said !== "",
          );
          return /^p +(\S+)/m.exec(shards)?.[1] ?? "";
        }
        case "objects":
          return servers.objects.slot(1);
      }
    };
    return eventually(
      60,
      () => ask().catch(() => ""),
      (slot) => slot !== "",
    );
  }

  /** The node of each server. */
  async nodesOf(store: StoreName): Promise<string[]> {
    return Promise.all(
      [1, 2, 3].map(async (n) => (await placeOf(this.cluster, this.name, servers[store].slot(n))).node),
    );
  }

  /** The servers that a node has. */
  async slotsOn(node: string): Promise<string[]> {
    const slots = chosen.flatMap((store) => [1, 2, 3].map(servers[store].slot));
    const tasks = await tasksOf(this.cluster.manager(), this.name);
    return slots.filter((slot) => tasks[slot]?.includes(`running ${node}`));
  }

  /** The same in words. */
  async serversOn(node: string): Promise<string> {
    const here = await this.slotsOn(node);
    const leaders = await Promise.all(chosen.map((each) => this.leader(each)));
    return here.map((slot) => (leaders.includes(slot) ? `${slot} (leads)` : slot)).join(", ") || "no store";
  }

  #program(): string {
    const { cluster, name } = this;
    const site = { name, hostname: `${name}.example.com`, protect: false, ...this.#shape };
    const swarm = {
      managers: cluster.nodes.filter((node) => node.startsWith("m")).map((node) => cluster.host(node)),
      ...{ endpointMode: "dnsrr", encrypted: false, tls: { mode: "local" } },
    };
    const has = (each: StoreName): string => String(chosen.includes(each));
    return `import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { siteOf } from "${repo}/components/core/site.ts";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { Swarm } from "${repo}/components/topologies/swarm/index.ts";

const places = {};
const put = (name, place) => { places[name] = pulumi.output(place); };
const system = (p) => {
  const after = [];
  if (${has("db")}) {
    const { host, user, password, ready } = p.need("postgres", "db", { databases: ["shop"], clientTls: "never", gib: 4, copies: 3 });
    after.push({ ready });
    put("db", { kind: "postgres", host, user, password, database: "shop" });
  }
  if (${has("redis")}) {
    const { host, password, ready } = p.need("redis", "redis", { clientTls: "never", clientAuth: true, keep: true, memoryMib: 64, copies: 3 });
    after.push({ ready });
    put("redis", { kind: "redis", host, password });
  }
  if (${has("solr")}) {
    const { host } = p.need("solr", "solr", { collections: ["ledger"], gib: 1, memoryMib: 256, copies: 3 });
    put("solr", { kind: "solr", host });
  }
  if (${has("search")}) {
    const { user, password } = p.need("elasticsearch", "search", { speaks: ["elasticsearch7"], nodes: 3, gib: 1, heapMib: 256, names: ["own-search"] });
    put("search", { kind: "search", host: "own-search", user, password });
  }
  if (${has("objects")}) {
    const { internal, region, key, secret } = p.need("objects", "objects", { apis: ["s3"], buckets: { ledger: {} }, browser: false, gib: 1, copies: 3 });
    put("objects", { kind: "objects", host: internal.host, port: internal.port, region, key, secret });
  }
  if (!${String(hasApp)}) return;
  p.run("app", {
    image: "postgres-ha", tier: "app", cpu: 1, memoryMib: 128, user: "65534:65534",
    files: [
      { path: "/run/app/app.py", content: ${JSON.stringify(python("stores-app.py"))} },
      { path: "/run/app/ledger.py", content: ${JSON.stringify(python("ledger.py"))} },
      {
        path: "/run/app/places", secret: true,
        content: pulumi.all([places.db, places.redis]).apply(([db, redis]) =>
          JSON.stringify({ db: { port: 5432, ...db }, redis: { port: 6379, ...redis } })),
      },
    ],
    command: ["python3", "/run/app/app.py"],
    ports: { web: { number: 8000, protocol: "http" } },
    routes: [{ host: p.hostname, path: "/", port: "web" }],
    health: { ready: { http: "web", path: "/health" }, startSeconds: 120, stopSeconds: 15 },
    replicas: 2,
    after,
  });
};
class Stores extends SystemComponent {
  constructor(name, args) { super("Stores", system, z.any(), name, args); }
}
const site = siteOf(${JSON.stringify(site)});
const on = new Swarm("swarm", { site, ...${JSON.stringify(swarm)} });
new Stores("stores", { on });
export const ca = on.ca;
const secrets = pulumi.secret(places);
export { secrets as places };
`;
  }
}

const solrStatus = "curl -fsS -m 5 'http://127.0.0.1:8983/solr/admin/collections?action=CLUSTERSTATUS'";
const book = (path: string): string =>
  `curl -fsS -m 5 'http://127.0.0.1:8983/solr/admin/zookeeper?detail=true&path=/collections/ledger/${path}'`;
/** What ZooKeeper has of the copies: their states, and which of them have all that was acknowledged. */
const solrBooks = `${book("state.json")} && ${book("terms/shard1")}`;
interface SolrStatus {
  readonly cluster: {
    readonly live_nodes: readonly string[];
    readonly collections: {
      readonly ledger: {
        readonly shards: Readonly<
          Record<
            string,
            { readonly replicas: Readonly<Record<string, { state: string; leader?: string; node_name: string }>> }
          >
        >;
      };
    };
  };
}
