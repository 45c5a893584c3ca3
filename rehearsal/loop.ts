import type { Check } from "./checks/check.ts";
import { explain } from "./errors.ts";
import type { Secrets } from "./secrets.ts";

export interface Result {
  readonly name: string;
  readonly target: string;
  readonly required: boolean;
  /** undefined: not tried yet. */
  readonly ok: boolean | undefined;
  /** What was found, or what is wrong; scrubbed. */
  readonly detail: string;
  /** Milliseconds that the last try took. */
  readonly ms: number;
  /** When the last try ended; epoch milliseconds. */
  readonly at: number;
  /** When `ok` last changed; epoch milliseconds. */
  readonly since: number;
}

export interface Health {
  readonly ok: boolean;
  /** One entry for each reason, with the required checks that fail for it: `postgres: db:5432 refuses …`. */
  readonly failing: readonly string[];
}

export interface LoopOptions {
  readonly secrets: Secrets;
  readonly log: (line: string) => void;
  /** Milliseconds between the starts of two rounds while something is missing, half as often when all is well; 5000. */
  readonly every?: number;
  /** Milliseconds that one check may take; 8000, as a store on a busy machine is slow, not lost. */
  readonly timeout?: number;
  /** A result older than this many milliseconds says nothing any more; 30 000. */
  readonly stale?: number;
}

/** Runs all checks at once, again and again, and keeps the last result of each. Logs changes only. */
export class Loop {
  readonly #checks: readonly Check[];
  readonly #options: Required<LoopOptions>;
  readonly #results = new Map<string, Result>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(checks: readonly Check[], options: LoopOptions) {
    this.#checks = checks;
    this.#options = { every: 5000, timeout: 8000, stale: 30_000, ...options };
    for (const { name, target, required } of checks)
      this.#results.set(name, {
        name,
        target,
        required,
        ok: undefined,
        detail: "not tried yet",
        ms: 0,
        at: 0,
        since: 0,
      });
  }

  get results(): readonly Result[] {
    return [...this.#results.values()];
  }

  health(now = Date.now()): Health {
    // A store that is away fails many checks for one reason: it is said once.
    const names = new Map<string, string[]>();
    for (const { name, required, ok, at, detail } of this.results) {
      if (!required || (ok === true && now - at <= this.#options.stale)) continue;
      const reason = ok === true ? "no answer for a while" : detail;
      names.set(reason, [...(names.get(reason) ?? []), name]);
    }
    const failing = [...names].map(([reason, which]) => `${which.join(", ")}: ${reason}`);
    return { ok: failing.length === 0, failing };
  }

  start(): void {
    if (this.#stopped) return;
    const began = Date.now();
    void this.round().then(() => {
      if (this.#stopped) return;
      // The checks of many replicas are a load of their own, so a healthy stack is asked half as often. A failed check
      // is asked again soon, so that one slow answer does not look like the store's end.
      const every = this.health().ok ? this.#options.every * 2 : Math.min(this.#options.every, 5000);
      const rest = Math.max(0, every - (Date.now() - began));
      this.#timer = setTimeout(() => {
        this.start();
      }, rest);
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Runs every check once. Never rejects. */
  async round(): Promise<void> {
    await Promise.all(this.#checks.map((check) => this.#try(check)));
  }

  async #try(check: Check): Promise<void> {
    const began = Date.now();
    const { ok, text } = await this.#outcome(check);
    const detail = this.#options.secrets.scrub(text);
    const at = Date.now();
    const { name, target, required } = check;
    const before = this.#results.get(name);
    const same = before?.ok === ok;
    this.#results.set(name, {
      name,
      target,
      required,
      ok,
      detail,
      ms: at - began,
      at,
      since: same ? before.since : at,
    });
    const word = ok ? "found" : before?.ok === true ? "lost" : "missing";
    if (!same && !this.#stopped) this.#options.log(`${name} ${word}: ${detail}`);
  }

  async #outcome(check: Check): Promise<{ ok: boolean; text: string }> {
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const seconds = this.#options.timeout / 1000;
        reject(new Error(`no answer within ${String(seconds)} s`));
        controller.abort();
      }, this.#options.timeout);
    });
    try {
      return { ok: true, text: await Promise.race([check.run(controller.signal), late]) };
    } catch (error) {
      return { ok: false, text: explain(check.target, error) };
    } finally {
      clearTimeout(timer);
    }
  }
}
