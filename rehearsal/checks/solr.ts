import { Refusal, oneLine } from "../errors.ts";
import type { Check } from "./check.ts";
import { ask } from "./http.ts";

/** Adds this host's document to a collection, commits, queries it back and deletes it. `api` ends in `/solr/`. */
export function solr(api: string, collection: string, host: string): Check {
  const base = `${api.replace(/\/*$/, "/")}${collection}`;
  const id = `rehearsal-${host}`;
  return {
    name: "solr",
    target: base,
    required: true,
    run: async (signal) => {
      // With versions=true the answer to an add has the version that the query must then find.
      const added = await post(`${base}/update?commit=true&versions=true&wt=json`, [{ id }], signal);
      const wrote = versionIn(field(added, "adds"), id);
      const query = new URLSearchParams({ q: `id:"${id}"`, fl: "id,_version_", wt: "json" });
      const found = parse(base, await ask(`${base}/select?${query.toString()}`, { signal }), collection);
      const docs = field(field(found, "response"), "docs");
      const doc: unknown = Array.isArray(docs) ? docs[0] : undefined;
      if (field(doc, "id") !== id) throw new Refusal(`solr does not find the document that was just added`);
      if (wrote !== undefined && field(doc, "_version_") !== wrote) throw new Refusal("solr finds an older document");
      await post(`${base}/update?commit=true&wt=json`, { delete: { id } }, signal);
      return "document added, found and deleted";
    },
  };

  async function post(url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    return parse(url, await ask(url, { method: "POST", headers, body: JSON.stringify(body), signal }), collection);
  }
}

function parse(url: string, answer: { status: number; body: string }, collection: string): unknown {
  if (answer.status === 404) throw new Refusal(`solr has no collection ${collection}`);
  const json = safeJson(answer.body);
  if (answer.status === 200 && json !== undefined) return json;
  const message = field(field(json, "error"), "msg");
  const text = oneLine(typeof message === "string" ? message : answer.body);
  throw new Refusal(`${url.split("?")[0] ?? url} answers ${String(answer.status)}: ${text}`);
}

/** `adds` is `["id", version]` or `{id: version}`, by the server's version. */
function versionIn(adds: unknown, id: string): unknown {
  if (!Array.isArray(adds)) return field(adds, id);
  const at = adds.indexOf(id);
  return at < 0 ? undefined : adds[at + 1];
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
