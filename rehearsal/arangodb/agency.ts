import { Refused } from "./fatal.ts";
import type { Disk } from "./disk.ts";
import { call } from "./http.ts";
import { emptyState, type State, type View } from "./state.ts";

/** The agency as members use it. */
export interface Agency {
  /** The last view; undefined if it is too old to act on. */
  view(): View | undefined;
  /** Asks for a new view. */
  refresh(): Promise<View>;
  /**
   * Changes the state: `change` may run several times, on a copy each time. @throws Refused what `change` throws, or
   * 503.
   */
  update(change: (state: State) => void): Promise<View>;
}

export class RemoteAgency implements Agency {
  readonly #endpoints: readonly string[];
  readonly #authorization: string;
  readonly #fresh: number;
  #leader: string | undefined;
  #view: { at: number; view: View } | undefined;

  /** `fresh`: how old a view may be, in ms. For a leader of shards far less than the time until another one leads. */
  constructor(endpoints: readonly string[], authorization: string, id: string, fresh: number) {
    this.#fresh = fresh;
    this.#endpoints = endpoints;
    this.#authorization = authorization;
    const beat = (): void => {
      void this.#ask("heartbeat", { id })
        .catch(() => undefined)
        .finally(() => setTimeout(beat, 400));
    };
    beat();
  }

  view(): View | undefined {
    return this.#view !== undefined && Date.now() - this.#view.at < this.#fresh ? this.#view.view : undefined;
  }

  refresh(): Promise<View> {
    return this.#ask("heartbeat", { id: "" });
  }

  async update(change: (state: State) => void): Promise<View> {
    for (const until = Date.now() + 10_000; ;) {
      const { index, state } = await this.#ask("heartbeat", { id: "" }, until);
      const next = structuredClone(state);
      change(next);
      try {
        return await this.#ask("write", { index, state: next }, until);
      } catch (error) {
        if (!(error instanceof Refused && error.status === 412 && Date.now() < until)) throw error;
      }
    }
  }

  /** Asks the leader, wherever it is. */
  async #ask(what: string, body: unknown, until = 0): Promise<View> {
    const leader = this.#leader;
    for (const endpoint of [...(leader ? [leader] : []), ...this.#endpoints.filter((other) => other !== leader)]) {
      try {
        const started = Date.now();
        const answer = await call(endpoint, this.#authorization, `/_api/agency/${what}`, body, 6000);
        if (answer.status === 412) throw new Refused(412, 1200, "changed meanwhile");
        if (answer.status !== 200) continue;
        this.#leader = endpoint;
        const view = answer.body as View;
        this.#view = { at: started, view };
        return view;
      } catch (error) {
        if (error instanceof Refused) throw error;
      }
    }
    this.#leader = undefined;
    if (Date.now() > until) throw new Refused(503, 1505, "no agent leads");
    await new Promise((resolve) => setTimeout(resolve, 300)); // while the agents elect a leader
    return this.#ask(what, body, until);
  }
}

/** The agency inside a single server. */
export class LocalAgency implements Agency {
  readonly #disk: Disk;
  readonly #id: string;
  #state: State;
  #index = 0;

  constructor(disk: Disk, id: string) {
    this.#disk = disk;
    this.#id = id;
    this.#state = (disk.json("agency.json") as State | undefined) ?? emptyState();
  }
  view(): View {
    return { index: this.#index, state: this.#state, health: { [this.#id]: "GOOD" } };
  }
  refresh(): Promise<View> {
    return Promise.resolve(this.view());
  }
  update(change: (state: State) => void): Promise<View> {
    const next = structuredClone(this.#state);
    change(next);
    this.#disk.write("agency.json", JSON.stringify(next));
    this.#state = next;
    this.#index++;
    return Promise.resolve(this.view());
  }
}
