/** What a test keeps in each of Arkindex' stores, to ask for it again after a loss. */
import type { Cluster } from "../../tools/swarm/cluster.ts";
import { eventually } from "../support/arkindex.ts";
import { type Answer, type Client, onNetwork } from "../support/swarm-stack.ts";

const stores = ["db-1", "objects-1", "redis-1", "solr-1"] as const;
export type Store = (typeof stores)[number];

export interface StoresArgs {
  readonly cluster: Cluster;
  /** Prefix of the stack's networks. */
  readonly name: string;
  readonly url: string;
  readonly toolbox: string;
}

/** Rows and objects go through the edge and the backend; Redis and Solr are called from a container of the data network. */
export class Stores {
  readonly #args: StoresArgs;
  readonly #written: Record<Store, string[]> = { "db-1": [], "objects-1": [], "redis-1": [], "solr-1": [] };

  constructor(args: StoresArgs) {
    this.#args = args;
  }

  /** One of each, but not into the stores that are off. */
  async write(client: Client, id: string, off: readonly string[] = []): Promise<void> {
    const { url } = this.#args;
    const to = stores.filter((store) => !off.includes(store));
    if (to.includes("db-1")) await put(client, `${url}/rehearsal/rows`, "POST", id);
    // The backend keeps connections to the objects' public name, perhaps through an edge that has gone meanwhile.
    if (to.includes("objects-1")) await eventually(() => put(client, `${url}/rehearsal/objects/${id}`, "PUT", id));
    const lines = [
      ...(to.includes("redis-1") ? [`redis-cli -h redis-1 set kept:${id} ${id} | grep -q OK`] : []),
      ...(to.includes("solr-1")
        ? [
            `curl -fsS -m 10 -o /dev/null -H 'content-type: application/json' -d '[{"id":"kept-${id}"}]' 'http://solr-1:8983/solr/arkindex/update?commit=true'`,
          ]
        : []),
    ];
    if (lines.length > 0) await this.#run(lines.join("\n"));
    for (const store of to) this.#written[store].push(id);
  }

  /** How many of them are gone. Throws while a store does not answer. */
  async lost(client: Client): Promise<number> {
    const { url } = this.#args;
    const { body, status } = await client.call(`${url}/rehearsal/rows`);
    if (status !== 200) throw new Error(`rows: ${String(status)} ${body}`);
    const { rows } = JSON.parse(body) as { rows: string[] };
    const objects: string[] = [];
    for (const id of this.#written["objects-1"]) {
      const object = await client.call(`${url}/rehearsal/objects/${id}`);
      if (object.status >= 500) throw new Error(`object: ${String(object.status)} ${object.body}`);
      if (object.body === id) objects.push(id);
    }
    const seen = await this.#run(`redis-cli -h redis-1 keys 'kept:*'
curl -fsS -m 10 'http://solr-1:8983/solr/arkindex/select?q=id:kept-*&fl=id&rows=1000&wt=json' | jq -r '.response.docs[].id'`);
    const words = new Set(seen.replaceAll('"', "").split(/\s+/));
    const { "db-1": db, "objects-1": s3, "redis-1": redis, "solr-1": solr } = this.#written;
    return (
      db.filter((id) => !rows.includes(id)).length +
      s3.filter((id) => !objects.includes(id)).length +
      redis.filter((id) => !words.has(`kept:${id}`)).length +
      solr.filter((id) => !words.has(`kept-${id}`)).length
    );
  }

  async #run(script: string): Promise<string> {
    const { cluster, name, toolbox } = this.#args;
    const engine = cluster.manager();
    const { status, output } = await onNetwork(engine, toolbox, `${name}-data`, `set -e\n${script}`);
    if (status !== 0) throw new Error(`${script}: ${output}`);
    return output;
  }
}

async function put(client: Client, url: string, method: string, body: string): Promise<Answer> {
  const answer = await client.call(url, { method, body });
  if (answer.status !== 201) throw new Error(`${url}: ${String(answer.status)} ${answer.body}`);
  return answer;
}
