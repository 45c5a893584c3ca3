/**
 * A steady writer and reader of each store (ledger.py), which outlives what happens to them, and what it was told: no
 * acknowledged row may be lost, none may be there that the store has refused, or gone that it has shown.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { expect } from "@jest/globals";
import type Docker from "dockerode";

import { runLabels } from "./run.ts";

/** Where a client finds a store. */
export type Place =
  | {
      readonly kind: "postgres";
      readonly host: string;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    }
  | { readonly kind: "redis"; readonly host: string; readonly password?: string }
  /** Its collection `ledger`. */
  | { readonly kind: "solr"; readonly host: string }
  /** Its index `ledger`. */
  | { readonly kind: "search"; readonly host: string; readonly user: string; readonly password: string }
  /** Its bucket `ledger`. */
  | {
      readonly kind: "objects";
      readonly host: string;
      readonly port?: number;
      readonly region: string;
      readonly key: string;
      readonly secret: string;
    };
const ports = { postgres: 5432, redis: 6379, solr: 8983, search: 9200, objects: 3900 } as const;

/** Where the client runs: an engine that stays, the networks, and an image with Python and psycopg2 (`postgres-ha`). */
export interface Where {
  readonly engine: Docker;
  readonly image: string;
  readonly networks: readonly string[];
}

/** What a store's client has seen while something happened. Times in seconds. */
export interface Row {
  /** The store, by its name among the places. */
  readonly store: string;
  /** Writes that were answered. */
  readonly acknowledged: number;
  /** Answered by any writer so far, and not there. */
  readonly lost: number;
  /**
   * There though the store had refused it, or nobody had written it so; or gone though a reader was shown it.
   */
  readonly lies: number;
  /** Written without an answer, and there: a client has to bear that. */
  readonly unanswered: number;
  /** A row that had been answered, and that a reader was not shown. */
  readonly stale: number;
  /** Writes and reads that failed. None was tried again. */
  readonly failed: number;
  readonly readsFailed: number;
  /** The longest time without a write, and without a read. */
  readonly gap: number;
  readonly readGap: number;
  /** Why they failed: how often, by words. */
  readonly errors: Readonly<Record<string, number>>;
}

type Spans = readonly (readonly [number, number])[];
interface Told {
  readonly name: string;
  readonly last: number;
  readonly told: Spans;
  readonly refused: Spans;
  readonly seen: Spans;
  readonly failed: number;
  readonly readFailed: number;
  readonly stale: number;
  readonly gap: number;
  readonly readGap: number;
  readonly errors: Readonly<Record<string, number>>;
}
interface There {
  readonly name: string;
  readonly there: Spans;
  readonly wrong: Spans;
}

const program = readFileSync(join(import.meta.dirname, "ledger.py"), "utf8");
const open = new Set<Docker.Container>();

function lostOf(acknowledged: ReadonlySet<number>, rows: ReadonlySet<number>): number {
  return [...acknowledged].filter((n) => !rows.has(n)).length;
}

/** What a writer was told, beside what is there now. `first`: the last number of the writers before it. */
export function rowOf(
  told: Told,
  { there, wrong }: Omit<There, "name">,
  { acknowledged, first }: { readonly acknowledged: ReadonlySet<number>; readonly first: number },
): Row {
  const [rows, now, refused] = [setOf(there), setOf(told.told), setOf(told.refused)];
  const gone = [...setOf(told.seen)].filter((n) => !rows.has(n) && !now.has(n)).length;
  const tried = [...rows].filter((n) => n > first && n <= told.last);
  const made = [...rows].filter((n) => n > told.last).length;
  return {
    store: told.name,
    acknowledged: now.size,
    lost: lostOf(acknowledged, rows),
    lies: gone + setOf(wrong).size + tried.filter((n) => refused.has(n)).length + made,
    unanswered: tried.filter((n) => !now.has(n) && !refused.has(n)).length,
    ...{ stale: told.stale, failed: told.failed, readsFailed: told.readFailed },
    ...{ gap: told.gap, readGap: told.readGap, errors: told.errors },
  };
}

/** All rows of some stores, by any number of writers one after another. */
export class Ledger {
  /** Where the stores are: the same rows, elsewhere, where a test says so. */
  places: Readonly<Record<string, Place>>;
  readonly #pause: number;
  readonly #acknowledged = new Map<string, Set<number>>();
  readonly #last = new Map<string, number>();

  /** `pause`: seconds between two writes, and two reads. */
  constructor(places: Readonly<Record<string, Place>>, { pause = 0.05 }: { readonly pause?: number } = {}) {
    this.places = places;
    this.#pause = pause;
  }

  /** Every row that was acknowledged so far. */
  acknowledged(store: string): ReadonlySet<number> {
    return this.#acknowledged.get(store) ?? new Set();
  }

  /**
   * Writes from five seconds before `happens` until it is over, which is when all has to be there; then looks. Where that
   * fails, what was written counts all the same: the next writer begins after it.
   */
  async during(where: Where, what: string, happens: () => Promise<unknown>): Promise<Row[]> {
    const container = await this.#container(where, "run");
    try {
      await container.start();
      await said(container, /^writes$/m);
      await sleep(5000);
      const [happened] = await Promise.allSettled([happens()]);
      await container.kill({ signal: "SIGTERM" });
      const told = lines<Told>(await ended(container));
      const firsts = told.map((each) => this.#note(each)); // also where nobody can look at a store
      const there = await this.there(where);
      const rows = told.map((each, i) => this.#row(each, there, firsts[i] ?? 0));
      for (const { errors, ...row } of rows)
        process.stdout.write(
          `${what}: ${JSON.stringify(row)}\n${Object.keys(errors).length > 0 ? `  ${JSON.stringify(errors)}\n` : ""}`,
        );
      if (happened.status === "rejected") throw happened.reason;
      return rows;
    } finally {
      await remove(container);
    }
  }

  /** How many acknowledged rows are not there, by the stores' names. */
  async lost(where: Where): Promise<Record<string, number>> {
    const there = await this.there(where);
    return Object.fromEntries(
      there.map((each) => [each.name, lostOf(this.acknowledged(each.name), setOf(each.there))]),
    );
  }

  async there(where: Where): Promise<There[]> {
    const container = await this.#container(where, "there");
    try {
      await container.start();
      return lines<There>(await ended(container));
    } finally {
      await remove(container);
    }
  }

  /** Keeps what a writer was told. Returns the last number of the writers before it. */
  #note(told: Told): number {
    const first = this.#last.get(told.name) ?? 0;
    this.#acknowledged.set(told.name, new Set([...this.acknowledged(told.name), ...setOf(told.told)]));
    this.#last.set(told.name, told.last);
    return first;
  }

  #row(told: Told, all: readonly There[], first: number): Row {
    const found = all.find(({ name }) => name === told.name);
    if (found === undefined) throw new Error(`nobody has looked at ${told.name}`);
    return rowOf(told, found, { acknowledged: this.acknowledged(told.name), first });
  }

  async #container({ engine, image, networks: [first = "none", ...more] }: Where, command: string) {
    const places = Object.fromEntries(
      Object.entries(this.places).map(([name, place]) => [
        name,
        { port: ports[place.kind], ...place, pause: this.#pause, from: this.#last.get(name) ?? 0 },
      ]),
    );
    const script = `cat >/tmp/ledger.py <<'PYTHON'\n${program}PYTHON\ncat >/tmp/places <<'PLACES'\n${JSON.stringify(places)}\nPLACES\nexec python3 /tmp/ledger.py ${command} /tmp/places`;
    const container = await engine.createContainer({
      Image: image,
      Entrypoint: ["sh", "-c", script],
      Cmd: [],
      User: "65534:65534",
      Labels: runLabels,
      HostConfig: { NetworkMode: first, Init: true },
    });
    open.add(container);
    for (const network of more) await engine.getNetwork(network).connect({ Container: container.id });
    return container;
  }

  /** For the end of a test's file: a writer that a failed test has left would keep its network. */
  static async sweep(): Promise<void> {
    for (const container of open) await remove(container);
  }
}

/** Nothing is lost, no store has lied, and none took no write for longer than this, in seconds. Returns the rows. */
export function held(rows: readonly Row[], seconds: number | Readonly<Record<string, number>>): readonly Row[] {
  for (const { store, lost, lies, acknowledged, gap } of rows) {
    expect([store, lost, lies]).toEqual([store, 0, 0]);
    expect(acknowledged).toBeGreaterThan(20);
    expect(gap).toBeLessThan(typeof seconds === "number" ? seconds : (seconds[store] ?? 0));
  }
  return rows;
}

async function remove(container: Docker.Container): Promise<void> {
  await container.remove({ force: true }).catch(() => undefined); // its node may have gone
  open.delete(container);
}

async function said(container: Docker.Container, words: RegExp): Promise<void> {
  for (let tries = 0; tries < 900; tries++) {
    const log = (await container.logs({ stdout: true, stderr: true, follow: false })).toString();
    if (words.test(log.replaceAll(/[^\n\x20-\x7e]+/g, ""))) return;
    if (!(await container.inspect()).State.Running) throw new Error(log);
    await sleep(200);
  }
  throw new Error(`not said within three minutes: ${String(words)}`);
}

async function ended(container: Docker.Container): Promise<string> {
  const { StatusCode } = (await container.wait()) as { StatusCode: number };
  const log = plain(await container.logs({ stdout: true, stderr: true, follow: false }));
  if (StatusCode !== 0) throw new Error(`the ledger ended with ${String(StatusCode)}: ${log}`);
  return log;
}

/** Docker's frames of eight bytes, taken off: a long line comes in several. */
function plain(log: Buffer): string {
  let text = "";
  for (let at = 0; at + 8 <= log.length;) {
    const size = log.readUInt32BE(at + 4);
    text += log.toString("utf8", at + 8, at + 8 + size);
    at += 8 + size;
  }
  return text;
}

function lines<T>(log: string): T[] {
  return log
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as T);
}

function setOf(spans: Spans): Set<number> {
  return new Set(spans.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, index) => from + index)));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
