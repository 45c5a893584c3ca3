/** Judges whether a swarm service has become what was asked for, from what a manager has told. */

export interface TaskView {
  readonly id: string;
  /** The replica's number, or a global task's node. */
  readonly slot: string;
  /** The task's name in messages: `shop-web.2 on node w1`. */
  readonly title: string;
  readonly state: string;
  readonly desired: string;
  readonly error: string;
  readonly spec: string | undefined;
}

export interface ServiceView {
  readonly spec: string | undefined;
  /** `updating`, `paused`, `completed`, `rollback_started`, `rollback_paused`, `rollback_completed`. */
  readonly update: { readonly state: string; readonly message: string } | undefined;
  readonly rollsBack: boolean;
  readonly wanted: number;
  readonly global: boolean;
  readonly checksHealth: boolean;
  /** Newest first. */
  readonly tasks: readonly TaskView[];
}

/** What the looks so far add up to, in milliseconds and counts. */
export interface Memory {
  /** The replica that has failed most often since the first look. */
  readonly failures: { readonly count: number; readonly task: TaskView } | undefined;
  /** A task whose node could not get the image. */
  readonly unpullable: TaskView | undefined;
  /** For how long no node could take a task. */
  readonly unplaced: number;
  /** For how long the same tasks have been running. */
  readonly steady: number;
  /** For how long the service has been something else, without a rollback. */
  readonly foreign: number;
}

export type Verdict =
  | { readonly is: "healthy" | "waiting" }
  | { readonly is: "failed"; readonly why: string; readonly task?: TaskView | undefined };

const times = { unplaced: 20_000, steady: 2000, foreign: 5000 } as const;
const mostFailures = 3;

export function judgeService(view: ServiceView, asked: string, memory: Memory): Verdict {
  const update = view.update?.state ?? "completed";
  const last = lastFailed(view, asked);
  if (view.spec !== asked) {
    if (update === "rollback_completed") {
      const advice = "mend it, or run `pulumi up --refresh` to try the same again";
      return fail(`its update was rolled back: the earlier version runs on${by(last)}; ${advice}`, last);
    }
    if (update === "rollback_paused") {
      return fail(`its update failed, and so did the rollback, which is paused${by(last)}`, last);
    }
    if (update === "rollback_started" || memory.foreign < times.foreign) return waiting;
    return fail("somebody else has changed the service meanwhile: `pulumi up --refresh` puts back what is asked for");
  }
  if (update === "paused") return fail(`its update is paused${by(last)}`, last);
  if (memory.unplaced >= times.unplaced) return fail(unplacedReason(view, asked) ?? "no node can take it");
  // If the swarm is about to roll back, we wait for that: until then the earlier version is not whole again.
  if (!(view.rollsBack && update === "updating")) {
    const { unpullable, failures } = memory;
    if (unpullable) return fail(`its image cannot be had: ${unpullable.title}: ${unpullable.error}`, unpullable);
    if (failures && failures.count >= mostFailures) {
      return fail(`a replica has failed ${String(failures.count)} times${by(failures.task)}`, failures.task);
    }
  }
  const done = update === "completed" || update === "rollback_completed";
  const enough = running(view, asked) >= view.wanted && !(view.global && view.wanted === 0);
  const strays = view.tasks.some(({ desired, spec }) => desired === "running" && spec !== asked);
  const steady = view.checksHealth || memory.steady >= times.steady;
  return done && enough && !strays && steady ? { is: "healthy" } : waiting;
}

const waiting: Verdict = { is: "waiting" };

function fail(why: string, task?: TaskView): Verdict {
  return { is: "failed", why, task };
}

function by(task: TaskView | undefined): string {
  return task ? ` (${task.title}: ${task.error})` : "";
}

/** Why no node takes a task, in the scheduler's words. */
export function unplacedReason({ global, wanted, tasks }: ServiceView, asked: string): string | undefined {
  if (global && wanted === 0) return "no suitable node: none that is ready and active satisfies its constraints";
  return tasks.find(({ state, desired, spec, error }) => {
    return state === "pending" && desired === "running" && spec === asked && error !== "";
  })?.error;
}

export function lastFailed({ tasks }: ServiceView, asked: string): TaskView | undefined {
  return tasks.find((task) => task.spec === asked && hasFailed(task));
}

function hasFailed({ state }: TaskView): boolean {
  return state === "failed" || state === "rejected";
}

function cannotPull({ state, error }: TaskView): boolean {
  return state === "rejected" && /no such image|manifest unknown|pull access denied/i.test(error);
}

export function running({ tasks }: ServiceView, asked: string): number {
  const found = tasks.filter((task) => task.state === "running" && task.desired === "running" && task.spec === asked);
  return new Set(found.map(({ slot }) => slot)).size;
}

/** What is still missing when the time is over. */
export function describeWait(view: ServiceView, asked: string): string {
  const parts = [`${String(running(view, asked))} of ${String(view.wanted)} tasks run`];
  const late = view.tasks.find((task) => task.desired === "running" && task.state !== "running");
  if (late) parts.push(`${late.title} is ${late.state}${late.error === "" ? "" : ` (${late.error})`}`);
  if (view.update && view.update.state !== "completed") parts.push(`its update is ${view.update.state}`);
  const last = lastFailed(view, asked);
  if (last) parts.push(`${last.title} has failed (${last.error})`);
  return parts.join(", ");
}

/** Adds up the looks of one gate. Failures before its first look do not count: their cause may have been put right. */
export class Watch {
  readonly #asked: string;
  #known: ReadonlySet<string> | undefined;
  readonly #failed = new Map<string, Set<string>>();
  #most: Memory["failures"];
  #unpullable: TaskView | undefined;
  #since: { unplaced?: number | undefined; foreign?: number | undefined; running: number; tasks: string };

  constructor(asked: string, now: number) {
    this.#asked = asked;
    this.#since = { running: now, tasks: "" };
  }

  look(view: ServiceView, now: number): Memory {
    const asked = this.#asked;
    const failed = view.tasks.filter((task) => task.spec === asked && hasFailed(task));
    this.#known ??= new Set(failed.map(({ id }) => id));
    for (const task of failed.filter(({ id }) => !this.#known?.has(id))) this.#count(task);
    const tasks = view.tasks
      .filter(({ state, desired }) => state === "running" && desired === "running")
      .map(({ id }) => id)
      .sort()
      .join();
    const same = tasks === this.#since.tasks;
    this.#since = {
      unplaced: unplacedReason(view, asked) === undefined ? undefined : (this.#since.unplaced ?? now),
      foreign: view.spec === asked ? undefined : (this.#since.foreign ?? now),
      running: same ? this.#since.running : now,
      tasks,
    };
    return {
      failures: this.#most,
      unpullable: this.#unpullable,
      unplaced: now - (this.#since.unplaced ?? now),
      foreign: now - (this.#since.foreign ?? now),
      steady: now - this.#since.running,
    };
  }

  #count(task: TaskView): void {
    const ids = this.#failed.get(task.slot) ?? new Set();
    this.#failed.set(task.slot, ids.add(task.id));
    if (ids.size >= (this.#most?.count ?? 1)) this.#most = { count: ids.size, task };
    if (cannotPull(task)) this.#unpullable = task;
  }
}
