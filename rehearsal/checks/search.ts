import { z } from "zod";

import type { MediaStores } from "../config/media.ts";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";
import { type Answer, ask } from "./http.ts";

const hits = z.object({ hits: z.object({ hits: z.array(z.object({ _id: z.string() })) }) });
const found = z.object({ _source: z.record(z.string(), z.unknown()) });

/** A client of Elasticsearch, or of a server with its API: it asks one node after the other until one answers. */
export class Search {
  readonly #access: MediaStores["search"];

  constructor(access: MediaStores["search"]) {
    this.#access = access;
  }

  get target(): string {
    return `${this.#access.hosts.join(",")}:${String(this.#access.port)}`;
  }

  /** Writes only if `version` is newer than the stored one: a message that comes twice, or late, changes nothing. */
  async write(index: string, id: string, version: number, document: object, signal?: AbortSignal): Promise<void> {
    const path = `/${index}/_doc/${id}?version=${String(version)}&version_type=external`;
    const { status, body } = await this.#ask("PUT", path, document, signal);
    if (status >= 300 && status !== 409) throw new Refusal(`search answers ${String(status)}: ${body.slice(0, 200)}`);
  }

  async read(index: string, id: string, signal?: AbortSignal): Promise<Record<string, unknown> | undefined> {
    const { status, body } = await this.#ask("GET", `/${index}/_doc/${id}`, undefined, signal);
    if (status === 404) return undefined;
    if (status >= 300) throw new Refusal(`search answers ${String(status)}: ${body.slice(0, 200)}`);
    return found.parse(JSON.parse(body))._source;
  }

  /** The ids of the matching documents. A new document is found a second after it was written. */
  async query(index: string, text: string): Promise<string[]> {
    const query = { size: 1000, query: { multi_match: { query: text, fields: ["title"] } } };
    const { status, body } = await this.#ask("POST", `/${index}/_search?ignore_unavailable=true`, query);
    if (status >= 300) throw new Refusal(`search answers ${String(status)}: ${body.slice(0, 200)}`);
    return hits.parse(JSON.parse(body)).hits.hits.map(({ _id }) => _id);
  }

  async #ask(method: string, path: string, document?: object, signal?: AbortSignal): Promise<Answer> {
    const { hosts, port, user, password, tls } = this.#access;
    const headers = {
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
      "content-type": "application/json",
    };
    const options = {
      method,
      headers,
      ...(document === undefined ? {} : { body: JSON.stringify(document) }),
      ...tls,
      ...(signal === undefined ? {} : { signal }),
    };
    let last: unknown;
    for (const host of hosts) {
      try {
        return await ask(`${tls === undefined ? "http" : "https"}://${host}:${String(port)}${path}`, options);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

/** Writes this host's document with an external version and reads it back. */
export function search(cluster: Search, host: string): Check {
  return {
    name: "search",
    target: cluster.target,
    required: true,
    run: async (signal) => {
      const version = Date.now();
      await cluster.write("rehearsal-probe", host, version, { version }, signal);
      const document = await cluster.read("rehearsal-probe", host, signal);
      if (document?.version !== version) throw new Refusal("search gave back another document than was written");
      return "document written and read";
    },
  };
}
