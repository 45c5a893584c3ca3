import type { Agency } from "./agency.ts";
import type { Disk } from "./disk.ts";
import { Refused } from "./fatal.ts";
import { type Answer, type Asked, call, refusedBy, Turns } from "./http.ts";
import { type Change, type Document, type How, ShardFile } from "./shards.ts";
import { type Placed, shardsOf } from "./state.ts";

export interface DbServerArgs {
  readonly id: string;
  readonly agency: Agency;
  readonly authorization: string;
  readonly disk: Disk;
  readonly say: (line: string) => void;
}

export type Request =
  | { readonly shard: string; readonly do: "read"; readonly key?: string }
  | { readonly shard: string; readonly do: "write"; readonly how: How; readonly changes: readonly Change[] };
/** A message from a shard's leader to its followers. */
type FromLeader = { readonly shard: string; readonly leader: string; readonly index: number } & (
  { readonly changes: readonly Change[] } | { readonly all: readonly Document[] }
);

/** Error number: another server leads the shard. */
const notLeader = 1496;
/** Error number: fewer copies are in sync than the write concern asks for. */
const tooFewCopies = 1429;

/** Holds copies of shards. The leader of one writes to all followers in sync, and brings the others up to date. */
export class DbServer {
  readonly #args: DbServerArgs;
  readonly #files = new Map<string, ShardFile>();
  readonly #turns = new Map<string, Turns>();

  constructor(args: DbServerArgs) {
    this.#args = args;
    const tend = (): void => {
      void this.#tend()
        .catch(() => undefined)
        .finally(() => setTimeout(tend, 500));
    };
    tend();
  }

  async route({ path, body }: Asked): Promise<Answer> {
    if (path === "/_api/stand-in/shard") return { status: 200, body: await this.ask(body as Request) };
    if (path === "/_api/stand-in/follow") return { status: 200, body: this.#follow(body as FromLeader) };
    throw new Refused(404, 404, `the stand-in's DB server has nothing at ${path}`);
  }

  /** Returns documents for a read, by key or all; nothing for a write. */
  ask(request: Request): Promise<readonly Document[]> {
    if (request.do === "write") return this.#turn(request.shard, () => this.#write(request));
    this.#led(request.shard);
    const { documents } = this.#file(request.shard);
    if (request.key === undefined) return Promise.resolve([...documents.values()]);
    const found = documents.get(request.key);
    return Promise.resolve(found === undefined ? [] : [found]);
  }

  async #write({ shard, how, changes }: Request & { do: "write" }): Promise<readonly Document[]> {
    const { shard: copies, collection } = this.#led(shard);
    this.#enough(copies.inSync.length, collection.writeConcern);
    const file = this.#file(shard);
    file.check(changes, how);
    file.apply(changes);
    const followers = copies.inSync.filter((server) => server !== this.#args.id);
    const silent = await this.#tell(shard, followers, { changes });
    if (silent.length === 0) return [];
    const view = await this.#args.agency.update((state) => {
      const now = shardsOf(state).find(({ id }) => id === shard)?.shard;
      if (now?.servers[0] !== this.#args.id) throw new Refused(503, notLeader, "another server leads now");
      now.inSync = now.inSync.filter((server) => !silent.includes(server));
    });
    const left = shardsOf(view.state).find(({ id }) => id === shard)?.shard.inSync.length ?? 0;
    this.#enough(left, collection.writeConcern);
    return [];
  }

  #enough(copies: number, concern: number): void {
    if (copies < concern)
      throw new Refused(403, tooFewCopies, `${String(copies)} copies in sync, write concern is ${String(concern)}`);
  }

  /** Sends to followers. Returns those that did not take it. */
  async #tell(
    shard: string,
    followers: readonly string[],
    what: { changes: readonly Change[] } | { all: readonly Document[] },
  ): Promise<string[]> {
    const view = this.#args.agency.view();
    const sent = { shard, leader: this.#args.id, index: view?.index ?? 0, ...what };
    const results = await Promise.allSettled(
      followers.map(async (server) => {
        const endpoint = view?.state.servers[server]?.endpoint ?? "tcp://unknown.invalid";
        const answer = await call(endpoint, this.#args.authorization, "/_api/stand-in/follow", sent, 2000);
        if (answer.status !== 200) throw refusedBy(answer);
      }),
    );
    return followers.filter((_, index) => results[index]?.status === "rejected");
  }

  #follow(sent: FromLeader): object {
    const view = this.#args.agency.view();
    const leader = this.#placed(sent.shard)?.shard.servers[0];
    if (view !== undefined && view.index >= sent.index && leader !== sent.leader)
      throw new Refused(503, notLeader, `${sent.leader} does not lead ${sent.shard}`);
    if ("all" in sent) this.#file(sent.shard).replace(sent.all);
    else this.#file(sent.shard).apply(sent.changes);
    return {};
  }

  /** As a leader: brings a follower up to date that is not in sync, and has it counted again. */
  async #tend(): Promise<void> {
    const { id: me, agency, say } = this.#args;
    const view = agency.view();
    if (view === undefined) return;
    for (const { id, shard } of shardsOf(view.state).filter((placed) => placed.shard.servers[0] === me)) {
      for (const follower of shard.servers.filter((server) => !shard.inSync.includes(server))) {
        if (view.health[follower] !== "GOOD") continue;
        await this.#turn(id, async () => {
          const all = [...this.#file(id).documents.values()];
          if ((await this.#tell(id, [follower], { all })).length > 0) return;
          await agency.update((state) => {
            const now = shardsOf(state).find((placed) => placed.id === id)?.shard;
            if (now?.servers[0] !== me || !now.servers.includes(follower)) return;
            if (!now.inSync.includes(follower)) now.inSync.push(follower);
          });
          say(`${id}: ${follower} is in sync (${String(all.length)} documents)`);
        });
      }
    }
  }

  #placed(shard: string): Placed | undefined {
    const view = this.#args.agency.view();
    return view && shardsOf(view.state).find(({ id }) => id === shard);
  }

  /** @throws Refused unless this server leads the shard, and is sure of it. */
  #led(shard: string): Placed {
    const placed = this.#placed(shard);
    if (placed?.shard.servers[0] !== this.#args.id || !placed.shard.inSync.includes(this.#args.id))
      throw new Refused(503, notLeader, `this server does not lead ${shard}`);
    return placed;
  }

  #file(shard: string): ShardFile {
    const file = this.#files.get(shard) ?? new ShardFile(this.#args.disk, shard);
    this.#files.set(shard, file);
    return file;
  }

  #turn<T>(shard: string, work: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(shard) ?? new Turns();
    this.#turns.set(shard, turns);
    return turns.take(work);
  }
}
