/** A writer with a ledger: one document after another into a store by HTTP, and what was acknowledged, and when. */
import process from "node:process";

import type Docker from "dockerode";

import { engine, localImage } from "./arkindex.ts";
import { runLabels } from "./run.ts";

export interface Written {
  /** Numbers of the documents that the store has acknowledged. */
  readonly acknowledged: readonly string[];
  /** Requests that failed: the answer's status (000: none came within five seconds), and how many. */
  readonly refused: Readonly<Record<string, number>>;
  /** The longest time without an acknowledged write, in seconds. */
  readonly gap: number;
  /** The same of a search. */
  readonly readGap: number;
}

/** Writes and searches by turns, each without a second try, from a container in the store's network until `stop`. */
export class Ledger {
  static readonly #open = new Set<Docker.Container>();
  readonly #container: Docker.Container;
  readonly #all: string[];

  private constructor(container: Docker.Container, all: string[]) {
    this.#container = container;
    this.#all = all;
  }

  /**
   * `write`: words of curl that put document `$n`; `read`: words of one that searches. `all`: the documents that were
   * acknowledged so far, to which this writer's are added at its end.
   */
  static async start(network: string, { write, read, all }: { write: string; read: string; all: string[] }) {
    const script = `send() { curl -s -m 5 -o /dev/null -w '%{http_code}' "$@"; }
n=${String(all.length * 10 + 1)}
while :; do
  echo "w $n $(send ${write}) $(date +%s%3N)"
  echo "r $n $(send ${read}) $(date +%s%3N)"
  n=$((n + 1))
  sleep 0.1
done`;
    const container = await engine.createContainer({
      Image: localImage("toolbox"),
      Entrypoint: ["bash", "-c", script],
      Cmd: [],
      Labels: runLabels,
      HostConfig: { NetworkMode: network, Init: true },
    });
    Ledger.#open.add(container);
    await container.start();
    return new Ledger(container, all);
  }

  /** For the end of a test's file: a writer that a failed test has left would keep its network. */
  static async sweep(): Promise<void> {
    for (const container of Ledger.#open) await container.remove({ force: true });
    Ledger.#open.clear();
  }

  /** Ends the writer, and tells what it saw. `what`: the store, and what happened to it. */
  async stop(what: string): Promise<Written> {
    await this.#container.kill();
    const log = (await this.#container.logs({ stdout: true, follow: false })).toString();
    await this.#container.remove({ force: true });
    Ledger.#open.delete(this.#container);
    const lines = [...log.matchAll(/([wr]) (\d+) (\d{3}) (\d{13})/g)].map(([, kind = "", n = "", code = "", at]) => ({
      ...{ kind, n, code, at: Number(at) },
    }));
    const good = lines.filter(({ code }) => code.startsWith("2"));
    const refused: Record<string, number> = {};
    for (const { kind, code } of lines)
      if (!code.startsWith("2")) refused[`${kind} ${code}`] = (refused[`${kind} ${code}`] ?? 0) + 1;
    const of = (kind: string) => good.filter((line) => line.kind === kind);
    const acknowledged = of("w").map(({ n }) => n);
    const [gap, readGap] = [longest(of("w").map(({ at }) => at)), longest(of("r").map(({ at }) => at))];
    this.#all.push(...acknowledged);
    process.stdout.write(
      `${what}: ${String(acknowledged.length)} writes, none for ${String(gap)} s, no search for ${String(readGap)} s, refused ${JSON.stringify(refused)}\n`,
    );
    return { acknowledged, refused, gap, readGap };
  }
}

function longest(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((at, index) => at - (times[index] ?? at))) / 1000;
}
