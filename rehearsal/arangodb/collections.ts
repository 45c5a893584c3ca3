import { createHash } from "node:crypto";

import type { Agency } from "./agency.ts";
import { Refused } from "./fatal.ts";
import type { Request } from "./dbserver.ts";
import type { Answer, Asked } from "./http.ts";
import type { Document, How } from "./shards.ts";
import { type Collection, roomiest, type State, type View } from "./state.ts";

export interface Defaults {
  readonly replicationFactor: number;
  readonly systemReplicationFactor: number;
  readonly writeConcern: number;
}

/** Asks a shard's leader, wherever it is now. */
export type AskShard = (view: View, request: Request) => Promise<readonly Document[]>;

/** Databases, collections, documents: what a client of a coordinator uses. */
export class Collections {
  readonly #agency: Agency;
  readonly #ask: AskShard;
  readonly #defaults: Defaults;

  constructor(agency: Agency, ask: AskShard, defaults: Defaults) {
    this.#agency = agency;
    this.#ask = ask;
    this.#defaults = defaults;
  }

  /** undefined: the path is none of these. Another coordinator may have made an unknown thing a moment ago. */
  async route(asked: Asked): Promise<Answer | undefined> {
    try {
      return await this.#route(asked);
    } catch (error) {
      if (!(error instanceof Refused) || ![1203, 1228].includes(error.errorNum)) throw error;
      await this.#agency.refresh();
      return this.#route(asked);
    }
  }

  async #route(asked: Asked): Promise<Answer | undefined> {
    const { method, path } = asked;
    const [, api, kind, first = "", second = ""] = path.split("/");
    if (api !== "_api") return undefined;
    if (kind === "database") return this.#databases(asked, first);
    if (kind === "collection") return this.#collections(asked, first, second);
    if (kind === "document") return this.#documents(asked, first, second);
    if (kind === "stand-in" && first === "documents" && method === "GET")
      return { status: 200, body: await this.#all(asked.database, second) };
    return undefined;
  }

  /** A new database with the collections that the server itself keeps. */
  create(state: State, health: View["health"], name: string): void {
    if (Object.hasOwn(state.databases, name)) throw new Refused(409, 1207, "duplicate name");
    const made: Record<string, Collection> = {};
    state.databases[name] = made;
    const own = { replicationFactor: this.#defaults.systemReplicationFactor, writeConcern: 1, numberOfShards: 1 };
    made[name === "_system" ? "_users" : "_graphs"] = this.#collection(state, health, own, true);
  }

  async #databases({ method, body, database }: Asked, name: string): Promise<Answer> {
    const { state, health } = this.#view();
    if (method === "GET" && name === "")
      return { status: 200, body: { error: false, code: 200, result: Object.keys(state.databases) } };
    if (database !== "_system") throw new Refused(403, 1230, "operation only allowed in system database");
    if (method === "POST") {
      const { name: wanted } = body as { name: string };
      await this.#agency.update((next) => {
        this.create(next, health, wanted);
      });
      return { status: 201, body: { error: false, code: 201, result: true } };
    }
    if (method === "DELETE") {
      await this.#agency.update((next) => {
        if (!Object.hasOwn(next.databases, name)) throw new Refused(404, 1228, "database not found");
        next.databases = without(next.databases, name);
      });
      return { status: 200, body: { error: false, code: 200, result: true } };
    }
    throw new Refused(405, 405, "method not supported");
  }

  async #collections({ method, body, database }: Asked, name: string, what: string): Promise<Answer> {
    const { state, health } = this.#view();
    const here = inDatabase(state, database);
    if (method === "GET" && name === "") {
      const result = Object.entries(here).map(([each, { system }]) => ({ name: each, isSystem: system, type: 2 }));
      return { status: 200, body: { error: false, code: 200, result } };
    }
    if (method === "POST") {
      const wanted = body as { name: string; replicationFactor?: number; writeConcern?: number };
      await this.#agency.update((next) => {
        const collections = inDatabase(next, database);
        if (Object.hasOwn(collections, wanted.name)) throw new Refused(409, 1207, "duplicate name");
        collections[wanted.name] = this.#collection(next, health, { ...this.#defaults, ...wanted }, false);
      });
      return { status: 200, body: { ...this.#properties(database, wanted.name), error: false, code: 200 } };
    }
    this.#find(database, name);
    if (method === "GET" && what === "count")
      return { status: 200, body: { name, count: (await this.#all(database, name)).length, error: false, code: 200 } };
    if (method === "PUT" && what === "properties") {
      const change = body as Partial<Pick<Collection, "replicationFactor" | "writeConcern">>;
      await this.#agency.update((next) => Object.assign(inDatabase(next, database)[name] ?? {}, change));
    }
    if (method === "DELETE")
      await this.#agency.update((next) => {
        next.databases[database] = without(inDatabase(next, database), name);
      });
    const properties = method === "DELETE" ? { id: name } : this.#properties(database, name);
    return { status: 200, body: { ...properties, error: false, code: 200 } };
  }

  async #documents({ method, body, database, query }: Asked, name: string, key: string): Promise<Answer> {
    if (method === "GET") {
      const [found] = await this.#shard(database, name, key, (shard) => ({ shard, do: "read", key }));
      if (found === undefined) throw new Refused(404, 1202, "document not found");
      return { status: 200, body: { ...found, _id: `${name}/${key}` } };
    }
    const given = (Array.isArray(body) ? body : [body ?? {}]) as Partial<Document>[];
    const mode = query.get("overwriteMode") === "replace" ? "upsert" : "insert";
    const how: How = method === "POST" ? mode : method === "DELETE" ? "remove" : "update";
    const documents = given.map((one) => ({ ...one, _key: key === "" ? (one._key ?? randomKey()) : key }));
    const byShard = new Map<string, Document[]>();
    for (const document of documents) {
      const shard = shardOf(this.#find(database, name), document._key);
      byShard.set(shard, [...(byShard.get(shard) ?? []), document]);
    }
    for (const batch of byShard.values()) {
      const changes = batch.map((one) => ({ key: one._key, document: how === "remove" ? null : one }));
      const [first] = batch;
      if (first === undefined) continue;
      await this.#shard(database, name, first._key, (shard) => ({ shard, do: "write", how, changes }));
    }
    const written = documents.map((one) => ({ _key: one._key, _id: `${name}/${one._key}` }));
    return { status: method === "POST" ? 201 : 200, body: Array.isArray(body) ? written : (written[0] ?? {}) };
  }

  async #all(database: string, name: string): Promise<readonly Document[]> {
    const parts = await Promise.all(
      Object.keys(this.#find(database, name).shards).map((shard) => this.#try({ shard, do: "read" })),
    );
    return parts.flat();
  }

  #shard(database: string, name: string, key: string, request: (shard: string) => Request) {
    return this.#try(request(shardOf(this.#find(database, name), key)));
  }

  /** As a coordinator does, waits for a new leader if one has failed. Repeats no write that may have been done. */
  async #try(request: Request): Promise<readonly Document[]> {
    for (const until = Date.now() + 30_000; ;) {
      try {
        return await this.#ask(this.#view(), request);
      } catch (error) {
        const again = error instanceof Refused ? error.status === 503 : request.do === "read" || neverArrived(error);
        if (!again || Date.now() > until)
          throw error instanceof Refused
            ? error
            : new Refused(503, 1478, `a DB server did not answer: ${String(error)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  #collection(
    state: State,
    health: View["health"],
    wanted: { replicationFactor: number; writeConcern: number; numberOfShards?: number },
    system: boolean,
  ): Collection {
    const { numberOfShards = 1 } = wanted;
    // A single server accepts the number of copies in a cluster's dump, and keeps one.
    const alone = Object.values(state.servers).some(({ role }) => role === "Single");
    const [replicationFactor, writeConcern] = alone ? [1, 1] : [wanted.replicationFactor, wanted.writeConcern];
    if (writeConcern > replicationFactor) throw new Refused(400, 10, "writeConcern is above replicationFactor");
    const shards: Collection["shards"] = {};
    const collection = { system, replicationFactor, writeConcern, shards };
    for (let number = 0; number < numberOfShards; number++) {
      const servers = roomiest(state, health).slice(0, replicationFactor);
      if (servers.length < replicationFactor)
        throw new Refused(
          400,
          1443,
          `not enough DB servers: ${String(servers.length)} for ${String(replicationFactor)} copies`,
        );
      shards[`s${String(++state.last)}`] = { servers, inSync: [...servers] };
    }
    return collection;
  }

  #properties(database: string, name: string): object {
    const { system, replicationFactor, writeConcern, shards } = this.#find(database, name);
    const numberOfShards = Object.keys(shards).length;
    return { name, type: 2, isSystem: system, replicationFactor, writeConcern, numberOfShards };
  }

  #find(database: string, name: string): Collection {
    const all = inDatabase(this.#view().state, database);
    const found = Object.hasOwn(all, name) ? all[name] : undefined;
    if (found === undefined) throw new Refused(404, 1203, `collection or view not found: ${name}`);
    return found;
  }

  #view(): View {
    const view = this.#agency.view();
    if (view === undefined) throw new Refused(503, 1505, "the agency does not answer");
    return view;
  }
}

function inDatabase(state: State, database: string): Record<string, Collection> {
  const found = Object.hasOwn(state.databases, database) ? state.databases[database] : undefined;
  if (found === undefined) throw new Refused(404, 1228, "database not found");
  return found;
}

function without<T>(record: Record<string, T>, key: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([each]) => each !== key));
}

function shardOf({ shards }: Collection, key: string): string {
  const ids = Object.keys(shards);
  return ids[createHash("md5").update(key).digest().readUInt32BE(0) % ids.length] ?? "";
}

function randomKey(): string {
  return String(Date.now() * 1000 + Math.floor(Math.random() * 1000));
}

/** Whether the connection was not made, so that no request has arrived. */
function neverArrived(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EHOSTUNREACH";
}
