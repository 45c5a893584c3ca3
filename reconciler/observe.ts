import type Docker from "dockerode";

import type { Ask } from "./edge.ts";
import type { Copies, Observed, Role, Seen } from "./judgement.ts";

interface Task {
  readonly ID: string;
  readonly ServiceID: string;
  readonly CreatedAt: string;
  readonly Status: { readonly State: string; readonly Timestamp: string; readonly Err?: string };
}
interface Service {
  readonly ID: string;
  readonly Spec: { readonly Name: string };
}
interface Health {
  readonly Endpoint: string;
  readonly Status: "GOOD" | "BAD" | "FAILED";
  readonly ShortName?: string;
}
type Shard = Readonly<Record<string, { readonly leader: string; readonly followers: readonly string[] }>>;
type Distribution = Readonly<Record<string, { readonly Plan: Shard; readonly Current: Shard }>>;

const ended = ["failed", "rejected", "complete"];

/** Observes a stack's members in the swarm and in the cluster. A swarm forgets tasks, so it remembers their ends. */
export class Observer {
  readonly #engine: () => Promise<Docker>;
  readonly #name: string;
  readonly #ask: Ask;
  readonly #ends = new Map<string, Map<string, number>>();

  constructor(engine: () => Promise<Docker>, name: string, ask: Ask) {
    this.#engine = engine;
    this.#name = name;
    this.#ask = ask;
  }

  async observe(): Promise<Observed> {
    const { Health } = await this.#ask<{ Health: Record<string, Health> }>("/_admin/cluster/health");
    const members = await this.#members(Object.values(Health));
    return { now: Date.now(), members, shards: await this.#shards(Object.values(Health)) };
  }

  /** Looks at the swarm alone, to see ends that the swarm would forget before the next whole look. */
  async glance(): Promise<void> {
    await this.#members([]);
  }

  async #members(health: readonly Health[]): Promise<Seen[]> {
    const engine = await this.#engine();
    const services = (await engine.listServices()) as Service[];
    const tasks = (await engine.listTasks()) as Task[];
    return services.flatMap(({ ID, Spec }) => {
      const name = Spec.Name.startsWith(`${this.#name}-`) ? Spec.Name.slice(this.#name.length + 1) : "";
      const [, role, number] = /^(agent|dbserver|coordinator)-(\d+)$/.exec(name) ?? [];
      if (role === undefined || number === undefined) return [];
      const own = tasks
        .filter(({ ServiceID }) => ServiceID === ID)
        .sort((a, b) => a.CreatedAt.localeCompare(b.CreatedAt));
      const over = own.filter(({ Status }) => ended.includes(Status.State));
      const seen = this.#ends.get(ID) ?? new Map<string, number>();
      for (const task of over) seen.set(task.ID, Date.parse(task.Status.Timestamp));
      this.#ends.set(ID, seen);
      const newest = own.at(-1);
      const said = over.at(-1)?.Status.Err;
      // A pending task has no node to run on: its own is away, and no other has its disk.
      const lost = newest?.Status.State === "pending" ? { lostSince: Date.parse(newest.CreatedAt) } : {};
      const status = statusOf(name, health);
      return [
        {
          name,
          role: role as Role,
          number: Number(number),
          ends: [...seen.values()],
          status,
          ...lost,
          ...(said ? { said } : {}),
        },
      ];
    });
  }

  async #shards(health: readonly Health[]): Promise<Copies[]> {
    const names = new Map(health.map(({ Endpoint, ShortName = "" }) => [ShortName, new URL(Endpoint).hostname]));
    const hosts = (shard: Shard[string] | undefined): string[] =>
      shard === undefined
        ? []
        : [shard.leader, ...shard.followers]
            .map((each) => each.replace(/^_/, ""))
            .map((each) => names.get(each) ?? each);
    const { result } = await this.#ask<{ result: string[] }>("/_api/database");
    const all = await Promise.all(
      result.map(async (database) => {
        const path = `/_db/${encodeURIComponent(database)}/_admin/cluster/shardDistribution`;
        const { results } = await this.#ask<{ results: Distribution }>(path);
        return Object.entries(results).flatMap(([collection, { Plan, Current }]) =>
          Object.entries(Plan).map(([id, planned]) => ({
            shard: `${database}/${collection}/${id}`,
            planned: hosts(planned),
            inSync: hosts(Current[id]),
          })),
        );
      }),
    );
    return all.flat();
  }
}

/** The cluster may list an older server of the same address, too: the best status counts. */
function statusOf(name: string, health: readonly Health[]): Seen["status"] {
  const found = health.filter(({ Endpoint }) => new URL(Endpoint).hostname === name).map(({ Status }) => Status);
  return (["GOOD", "BAD", "FAILED"] as const).find((status) => found.includes(status)) ?? "unknown";
}
