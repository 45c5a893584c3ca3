/** Whether the stores of a stack on a swarm have all their copies, and who leads: asked in the servers' own containers. */
import type { Cluster } from "../../tools/swarm/cluster.ts";
import { answered, placeOf } from "./swarm-stack.ts";
import { eventually } from "./swarm.ts";

interface Member {
  readonly Member: string;
  readonly Role: string;
  readonly State: string;
}

const patroni = "timeout 8 patronictl list --format=json 2>/dev/null";
/** Every member answers, which one does only where it has a leader. */
const etcd = "timeout 10 etcdctl endpoint health >/dev/null 2>&1 && echo votes || echo lacks";
const replication = (n: number): string =>
  `REDISCLI_AUTH="$(cat /run/redis/password)" timeout 5 redis-cli -p ${String(6379 + n)} info replication`;
const garage = "curl -fsS -m 5 -K /run/garage/curl http://127.0.0.1:3903/v2/GetClusterHealth";
/** What an Elasticsearch's own container asks it. */
export const search = (path: string): string =>
  `curl -fsS -m 5 -K /run/elasticsearch/curlrc 'http://127.0.0.1:9200/${path}'`;

export type CopiedKind = "postgres" | "redis" | "search" | "objects";

/** Stores of three servers, by their names in the stack. */
export class Copies {
  readonly #cluster: Cluster;
  readonly #name: string;

  /** `name`: the stack's. */
  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#name = name;
  }

  /** What a server's container answers to a shell script; it fails where the server does not run. */
  async ask(slot: string, script: string): Promise<string> {
    const { container } = await placeOf(this.#cluster, this.#name, slot);
    return answered(container, script);
  }

  /** What the first of a store's servers says that says something good; else nothing. */
  async any(slots: string, script: (n: number) => string, good: (said: string) => boolean): Promise<string> {
    for (const n of [1, 2, 3]) {
      const answer = await this.ask(`${slots}-${String(n)}`, script(n)).catch(() => "");
      if (good(answer)) return answer;
    }
    return "";
  }

  async #patroni(store: string): Promise<Member[]> {
    const said = await this.any(
      store,
      () => patroni,
      (said) => said.startsWith("["),
    );
    return JSON.parse(said) as Member[];
  }

  /** Whether all three servers are there, and have all. */
  async isWhole(kind: CopiedKind, store: string): Promise<boolean> {
    switch (kind) {
      case "postgres": {
        const states = (await this.#patroni(store)).map(({ State }) => State);
        if (states.sort().join() !== "running,streaming,streaming") return false;
        const said = await this.any(
          `${store}-etcd`,
          () => etcd,
          (found) => found !== "",
        );
        return said === "votes";
      }
      case "redis": {
        const found = await this.any(store, replication, (said) => said.includes("role:master"));
        return found.match(/state=online/g)?.length === 2;
      }
      case "search": {
        const health = () => search("_cat/health?h=status,node.total");
        return /^green +3$/.test(await this.any(store, health, (said) => said !== ""));
      }
      case "objects": {
        const isJson = (said: string): boolean => said.startsWith("{");
        const found = await this.any(`${store}-garage`, () => garage, isJson);
        return (JSON.parse(found) as { status: string }).status === "healthy";
      }
    }
  }

  /** The slot of the server that leads; "" while none does. */
  async leader(kind: "postgres" | "redis", store: string): Promise<string> {
    if (kind === "postgres") {
      const members = await this.#patroni(store);
      return members.find(({ Role }) => Role === "Leader")?.Member ?? "";
    }
    for (const n of [1, 2, 3]) {
      const slot = `${store}-${String(n)}`;
      if ((await this.ask(slot, replication(n)).catch(() => "")).includes("role:master")) return slot;
    }
    return "";
  }

  /** The slot of the server that leads, once there is one. */
  async leads(kind: "postgres" | "redis", store: string): Promise<string> {
    return eventually(
      60,
      () => this.leader(kind, store).catch(() => ""),
      (slot) => slot !== "",
    );
  }

  /** The node where the leader runs, once there is one. */
  async leadsAt(kind: "postgres" | "redis", store: string): Promise<string> {
    return (await placeOf(this.#cluster, this.#name, await this.leads(kind, store))).node;
  }

  /** Waits until every one of them is whole. */
  async whole(stores: Readonly<Record<string, CopiedKind>>, seconds = 300): Promise<void> {
    await eventually(
      seconds,
      () => this.lacking(stores),
      (list) => list.length === 0,
    );
  }

  /** Those that are not whole. */
  async lacking(stores: Readonly<Record<string, CopiedKind>>): Promise<string[]> {
    const all = await Promise.all(
      Object.entries(stores).map(async ([store, kind]) =>
        (await this.isWhole(kind, store).catch(() => false)) ? [] : [store],
      ),
    );
    return all.flat();
  }
}
