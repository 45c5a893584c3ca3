import { Refused } from "./fatal.ts";
import type { Disk } from "./disk.ts";
import { type Answer, type Asked, call, Turns } from "./http.ts";
import { emptyState, type State, type Status, type View } from "./state.ts";
import { supervise } from "./supervision.ts";

/** A log of one entry, the whole state. An entry that a majority of agents has on disk is committed. */
interface Entry {
  term: number;
  index: number;
  state: State;
}
interface Kept {
  term: number;
  votedFor: string;
  entry: Entry;
}

export interface AgentArgs {
  readonly id: string;
  readonly address: string;
  readonly peers: readonly string[];
  readonly authorization: string;
  readonly disk: Disk;
  /** A server that is silent for so long has failed. */
  readonly failedSeconds: number;
  readonly say: (line: string) => void;
}

const beat = 300;
const lease = 1500;

/** One of three: a leader elected by majority (as Raft does it), writes by majority, supervision by the leader. */
export class Agent {
  readonly #args: AgentArgs;
  readonly #turns = new Turns();
  #kept: Kept;
  #committed: Entry | undefined;
  #leader: string | undefined;
  #heard = Date.now();
  #patience = patience();
  readonly #acks = new Map<string, { at: number; index: number; term: number }>();
  readonly #beats = new Map<string, number>();
  /** The ids of agents that are not in the pool yet, by address. */
  readonly #met = new Map<string, string>();

  constructor(args: AgentArgs) {
    this.#args = args;
    this.#kept = (args.disk.json("agency.json") as Kept | undefined) ?? {
      term: 0,
      votedFor: "",
      entry: { term: 0, index: 0, state: emptyState() },
    };
    setInterval(() => void this.#tick(), beat);
  }

  async route({ path, body }: Asked): Promise<Answer> {
    switch (path) {
      case "/_api/agency/append":
        return { status: 200, body: this.#append(body as { term: number; leader: string; entry: Entry }) };
      case "/_api/agency/vote":
        return { status: 200, body: this.#vote(body as { term: number; id: string; address: string; entry: Entry }) };
      case "/_api/agency/heartbeat":
        this.#view(); // only the leader counts heartbeats
        this.#beats.set((body as { id: string }).id, Date.now());
        return { status: 200, body: this.#view() };
      case "/_api/agency/write":
        return { status: 200, body: await this.#write(body as { index: number; state: State }) };
      default:
        throw new Refused(404, 404, `the stand-in's agency has nothing at ${path}`);
    }
  }

  /** @throws Refused 503 if another agent leads, or if this one cannot be sure that it leads. */
  #view(): View {
    const fresh = [...this.#acks.values()].filter(({ at }) => Date.now() - at < lease).length;
    if (this.#leader !== this.#args.address || this.#committed === undefined || fresh + 1 < this.#majority)
      throw new Refused(503, 1501, this.#leader ?? "");
    const { index, state } = this.#committed;
    return { index, state, health: this.#health(state) };
  }

  #health(state: State): Record<string, Status> {
    const { failedSeconds, address } = this.#args;
    const status = (silent: number): Status =>
      silent > failedSeconds * 1000 ? "FAILED" : silent > 3000 ? "BAD" : "GOOD";
    const servers = Object.keys(state.servers).map((id) => {
      // Whoever leads, a failed server stays failed until it is heard again; a new server gets its time, too.
      const failed = state.failed.includes(id);
      const heard = this.#beats.get(id) ?? (failed ? 0 : Date.now());
      this.#beats.set(id, heard);
      return [id, failed && Date.now() - heard > beat * 4 ? "FAILED" : status(Date.now() - heard)];
    });
    const agents = Object.entries(state.pool).map(([at, id]) => [
      id,
      at === address ? "GOOD" : status(Date.now() - (this.#acks.get(at)?.at ?? 0)),
    ]);
    return Object.fromEntries([...servers, ...agents]) as Record<string, Status>;
  }

  #write({ index, state }: { index: number; state: State }): Promise<View> {
    return this.#turns.take(async () => {
      if (this.#view().index !== index) throw new Refused(412, 1200, "the state has changed meanwhile");
      await this.#propose(state);
      return this.#view();
    });
  }

  /** Done when a majority has it. */
  async #propose(state: State): Promise<void> {
    const { term, entry } = this.#kept;
    this.#keep({ entry: { term, index: entry.index + 1, state } });
    const mine = this.#kept.entry;
    for (const until = Date.now() + 5000; Date.now() < until && this.#leads(term);) {
      await this.#spread();
      const have = [...this.#acks.values()].filter((ack) => ack.term === mine.term && ack.index === mine.index).length;
      if (have + 1 >= this.#majority && this.#leads(term)) {
        this.#committed = mine;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Refused(503, 1505, "no majority of agents answers");
  }

  #leads(term: number): boolean {
    return this.#leader === this.#args.address && this.#kept.term === term;
  }
  get #majority(): number {
    return Math.floor((this.#args.peers.length + 1) / 2) + 1;
  }

  async #tick(): Promise<void> {
    try {
      if (this.#leader === this.#args.address) {
        await this.#spread();
        await this.#turns.take(() => this.#supervise());
      } else if (Date.now() - this.#heard > this.#patience) await this.#stand();
    } catch {
      // There is no majority now: the next tick tries again.
    }
  }

  async #supervise(): Promise<void> {
    const { state, health } = this.#view();
    const next = structuredClone(state);
    const { address, id } = this.#args;
    for (const [at, other] of [...this.#met, [address, id] as const]) next.pool[at] ??= other;
    const said = supervise(next, health, Date.now());
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    await this.#propose(next);
    for (const line of said) this.#args.say(line);
  }

  /** Tells every other agent who leads, and the last entry. */
  async #spread(): Promise<void> {
    const { term, entry } = this.#kept;
    await Promise.all(
      this.#args.peers.map(async (peer) => {
        const sent = { term, leader: this.#args.address, entry };
        const reply = await this.#ask<{ term: number; id: string }>(peer, "append", sent);
        if (reply === undefined) return;
        if (!this.#admits(peer, reply.id)) return;
        if (reply.term > this.#kept.term) this.#follow(reply.term);
        else this.#acks.set(peer, { at: Date.now(), index: entry.index, term: entry.term });
      }),
    );
  }

  /** Whether an agent is a member. One that lost its disk is none, unless it is told its old id: it has another id. */
  #admits(address: string, id: string): boolean {
    const { pool } = this.#kept.entry.state;
    const known = pool[address];
    if (known === id) return true;
    if (known !== undefined) {
      if (this.#met.get(address) !== id)
        this.#args.say(`${address} is ${id}, but the agency knows it as ${known}: it does not count`);
      this.#met.set(address, id);
      return false;
    }
    this.#met.set(address, id);
    return true;
  }

  #append({ term, leader, entry }: { term: number; leader: string; entry: Entry }): { term: number; id: string } {
    const { id } = this.#args;
    if (term < this.#kept.term) return { term: this.#kept.term, id };
    if (this.#leader !== leader) this.#args.say(`following ${leader}`);
    const mine = this.#kept.entry;
    const other = mine.term !== entry.term || mine.index !== entry.index;
    if (term !== this.#kept.term) this.#keep({ term, votedFor: "" });
    if (other) this.#keep({ entry });
    this.#leader = leader;
    this.#heard = Date.now();
    return { term, id };
  }

  #vote(asked: { term: number; id: string; address: string; entry: Pick<Entry, "term" | "index"> }) {
    const { entry } = this.#kept;
    const known = entry.state.pool[asked.address] ?? asked.id;
    if (known !== asked.id) return { granted: false, term: 0, id: this.#args.id };
    if (asked.term > this.#kept.term) this.#follow(asked.term);
    const newer =
      asked.entry.term > entry.term || (asked.entry.term === entry.term && asked.entry.index >= entry.index);
    const free = this.#kept.votedFor === "" || this.#kept.votedFor === asked.address;
    const granted = asked.term === this.#kept.term && newer && free;
    if (granted) {
      this.#keep({ votedFor: asked.address });
      this.#heard = Date.now();
    }
    return { granted, term: this.#kept.term, id: this.#args.id };
  }

  async #stand(): Promise<void> {
    const { address, id, peers } = this.#args;
    this.#patience = patience();
    this.#heard = Date.now();
    this.#leader = undefined;
    this.#keep({ term: this.#kept.term + 1, votedFor: address });
    const { term, entry } = this.#kept;
    const asked = { term, id, address, entry: { term: entry.term, index: entry.index } };
    const asking = peers.map(async (peer) => {
      const reply = await this.#ask<{ granted: boolean; term: number; id: string }>(peer, "vote", asked);
      return reply !== undefined && this.#admits(peer, reply.id) ? reply : undefined;
    });
    const replies = await Promise.all(asking);
    const higher = Math.max(...replies.map((reply) => reply?.term ?? 0));
    if (higher > this.#kept.term) this.#follow(higher);
    const votes = replies.filter((reply) => reply?.granted).length;
    if (votes + 1 < this.#majority || this.#kept.term !== term) return;
    this.#leader = address;
    this.#committed = undefined;
    this.#acks.clear();
    this.#beats.clear();
    this.#args.say(`leading the agency, term ${String(term)}`);
    // An entry that an earlier leader left is committed together with an entry of this term.
    await this.#turns.take(() => this.#propose(structuredClone(this.#kept.entry.state)));
  }

  #follow(term: number): void {
    this.#keep({ term, votedFor: "" });
    this.#leader = undefined;
  }

  #keep(changes: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...changes };
    this.#args.disk.write("agency.json", JSON.stringify(this.#kept));
  }

  async #ask<T>(peer: string, what: string, body: unknown): Promise<T | undefined> {
    try {
      const { status, body: reply } = await call(peer, this.#args.authorization, `/_api/agency/${what}`, body, 1000);
      return status === 200 ? (reply as T) : undefined;
    } catch {
      return undefined;
    }
  }
}

function patience(): number {
  return lease + Math.random() * lease;
}
