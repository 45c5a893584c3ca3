import { Client, policies, type types } from "cassandra-driver";

import type { MediaStores } from "../config/media.ts";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

/**
 * One session for the whole process, as the driver wants it: the driver knows the cluster's nodes and tries another one
 * itself.
 */
export class Cassandra {
  readonly #access: MediaStores["cassandra"];
  readonly #patience: number;
  #session: Promise<Client> | undefined;

  /** `patience`: milliseconds that one answer may take. A new table takes seconds, as all nodes have to agree. */
  constructor(access: MediaStores["cassandra"], patience = 8000) {
    this.#access = access;
    this.#patience = patience;
  }

  get target(): string {
    const { hosts, port, keyspace } = this.#access;
    return `${hosts.join(",")}:${String(port)}/${keyspace}`;
  }

  /** Runs a query at LOCAL_QUORUM. If no session could be made, the next query tries again. */
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
      // 6 is LOCAL_QUORUM. Every statement here may run twice, so the driver asks another node if a node without power
      // is silent: for some seconds the driver still counts on that node.
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

/** The hosts' own errors, which "All host(s) tried failed" hides. */
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
