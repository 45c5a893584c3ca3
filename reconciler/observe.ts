import type Docker from "dockerode";

import { listTasks, type Task } from "../ops/swarm.ts";
import { type Observed, type Policy, recentEnds, type Seen, type Standing } from "./judgement.ts";
import type { Store } from "./stores/index.ts";

/** What the swarm has of a member. */
type Process = Pick<Seen, "ends" | "said" | "lostSince"> & { readonly runs: boolean };

const ended = ["failed", "rejected", "complete"];

/** Asks the clusters of some stores; undefined: it does not answer. */
export type Asking = (stores: readonly Store[]) => Promise<ReadonlyMap<Store, unknown>>;

export interface ObserverArgs {
  /** A manager. */
  readonly engine: () => Promise<Docker>;
  /** Prefix of the stack's services. */
  readonly name: string;
  /** The stores as they are planned now: their members change. */
  readonly stores: () => Promise<readonly Store[]>;
  readonly ask: Asking;
  readonly policy: Policy;
}

/**
 * Observes a stack's members in the swarm, and in the clusters of those stores of which one does not run. A swarm forgets
 * tasks, so it remembers their ends.
 */
export class Observer {
  readonly #args: ObserverArgs;
  readonly #ends = new Map<string, Map<string, number>>();

  constructor(args: ObserverArgs) {
    this.#args = args;
  }

  async observe(): Promise<Observed> {
    const stores = await this.#args.stores();
    const processes = await this.#processes(stores);
    const now = await this.#now();
    const calm = ({ runs, ...process }: Process): boolean =>
      runs && recentEnds(process, now, this.#args.policy).length === 0;
    const disturbed = stores.filter(({ members }) =>
      members.some(({ name }) => !calm(processes.get(name) ?? { ends: [], runs: true })),
    );
    const answers = disturbed.length === 0 ? new Map() : await this.#args.ask(disturbed);
    const members = stores.flatMap((store) => {
      const standings = disturbed.includes(store) ? standingsOf(store, answers.get(store)) : undefined;
      return store.members.map((member): Seen => {
        const { ends = [], said, lostSince }: Partial<Process> = processes.get(member.name) ?? {};
        return {
          ...{ ...member, ends },
          ...(said === undefined ? {} : { said }),
          ...(lostSince === undefined ? {} : { lostSince }),
          ...(standings === undefined ? calmly : (standings[member.name] ?? unknown)),
        };
      });
    });
    return { now, members };
  }

  /** As the swarm has it, whose times are compared with it: by another's clock a member may have been away for long. */
  async #now(): Promise<number> {
    const { SystemTime } = (await (await this.#args.engine()).info()) as { SystemTime: string };
    return Date.parse(SystemTime);
  }

  /** Looks at the swarm alone, to see ends that the swarm would forget before the next whole look. */
  async glance(): Promise<void> {
    await this.#processes(await this.#args.stores());
  }

  async #processes(stores: readonly Store[]): Promise<Map<string, Process>> {
    const engine = await this.#args.engine();
    const names = new Set(stores.flatMap(({ members }) => members.map(({ name }) => name)));
    const services = (await engine.listServices()).flatMap(({ ID = "", Spec }) => {
      const name = Spec?.Name?.startsWith(`${this.#args.name}-`) ? Spec.Name.slice(this.#args.name.length + 1) : "";
      return names.has(name) ? [{ ID, name }] : [];
    });
    const tasks = services.length === 0 ? [] : await listTasks(engine, ...services.map(({ ID }) => ID));
    return new Map(
      services.map(({ ID, name }) => [
        name,
        this.#process(
          ID,
          tasks.filter(({ ServiceID }) => ServiceID === ID),
        ),
      ]),
    );
  }

  /** `tasks`: newest first. */
  #process(service: string, tasks: readonly Task[]): Process {
    const over = tasks.filter(({ Status }) => ended.includes(Status.State));
    const seen = this.#ends.get(service) ?? new Map<string, number>();
    for (const { ID, Status } of over) seen.set(ID, Date.parse(Status.Timestamp ?? ""));
    this.#ends.set(service, seen);
    const [newest] = tasks;
    const said = over[0]?.Status.Err ?? "";
    // A pending task has no node to run on: its own is away, and no other has its disk.
    const lost = newest?.Status.State === "pending" ? { lostSince: Date.parse(newest.CreatedAt) } : {};
    return { ends: [...seen.values()], runs: newest?.Status.State === "running", ...lost, ...(said ? { said } : {}) };
  }
}

/** Nobody was asked, as all of the store's members run. */
const calmly: Standing = { status: "well" };
const unknown: Standing = { status: "unknown", danger: "its cluster does not know it" };

/** An answer that cannot be read is none: the store's members wait for the next look. */
function standingsOf({ kind, members }: Store, answer: unknown): Readonly<Record<string, Standing>> {
  const hosts = members.map(({ name }) => name);
  try {
    if (answer !== undefined) return kind.read(answer, hosts);
  } catch (error) {
    return nobody(
      hosts,
      `its cluster's answer cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return nobody(hosts, "no member of its cluster answers");
}

function nobody(hosts: readonly string[], danger: string): Record<string, Standing> {
  return Object.fromEntries(hosts.map((host) => [host, { status: "unknown", danger }]));
}
