import { Client, policies, type types } from "cassandra-driver";

import type { MediaStores } from "../config/media.ts";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

/** One session for the whole process, as the driver wants it: it knows the cluster's nodes and tries another itself. */
export class Cassandra {
  readonly #access: MediaStores["cassandra"];
  readonly #patience: number;
  #session: Promise<Client> | undefined;

  /** `patience`: milliseconds that one answer may take; a new table takes seconds, as all nodes agree on it. */
  constructor(access: MediaStores["cassandra"], patience = 8000) {
    this.#access = access;
    this.#patience = patience;
  }

  get target(): string {
    const { hosts, port, keyspace } = this.#access;
    return `${hosts.join(",")}:${String(port)}/${keyspace}`;
  }

  /** At LOCAL_QUORUM. A session that could not be made is made anew the next time. */
  async execute(query: string, values: readonly unknown[] = []): Promise<types.ResultSet> {
    this.#session ??= this.#connect().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return (await this.#session).execute(query, [...values], { prepare: values.length > 0 });
  }

  async #connect(): Promise<Client> {
    const { hosts, port, user, password, dataCentre, keyspace, tls } = this.#access;
    const client = new Client({
      contactPoints: [...hosts],
      protocolOptions: { port },
      localDataCenter: dataCentre,
      keyspace,
      credentials: { username: user, password },
      socketOptions: { connectTimeout: 7500, readTimeout: this.#patience },
      // LOCAL_QUORUM. Every statement here may run twice, so another node is asked when one that has lost its power is
      // silent: it stays among the driver's own for some seconds.
      queryOptions: { consistency: 6, isIdempotent: true },
      policies: {
        speculativeExecution: new policies.speculativeExecution.ConstantSpeculativeExecutionPolicy(500, 2),
      },
      ...(tls === undefined ? {} : { sslOptions: { rejectUnauthorized: true, ...tls } }),
    });
    try {
      await client.connect();
    } catch (error) {
      await client.shutdown().catch(() => undefined);
      throw reason(error);
    }
    return client;
  }
}

/** "All host(s) tried failed" hides what each said. */
function reason(error: unknown): unknown {
  const inner: unknown =
    error instanceof Error && "innerErrors" in error ? Object.values(error.innerErrors ?? {})[0] : undefined;
  return inner instanceof Error ? inner : error;
}

/** Writes this host's row and reads it back, both at LOCAL_QUORUM. */
export function cassandra(cluster: Cassandra, host: string): Check {
  return {
    name: "cassandra",
    target: cluster.target,
    required: true,
    run: async () => {
      const value = String(Date.now());
      await cluster.execute("INSERT INTO probe (host, value) VALUES (?, ?)", [host, value]);
      const { rows } = await cluster.execute("SELECT value FROM probe WHERE host = ?", [host]);
      if (rows[0]?.get("value") !== value) throw new Refusal("cassandra gave back another row than was written");
      return "row written and read at LOCAL_QUORUM";
    },
  };
}
