import { oneLine, Refusal } from "../errors.ts";
import type { Check } from "./check.ts";
import { type Answer, ask } from "./http.ts";

export interface ElasticAccess {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

/** Each try calls `access`, as an application reads it from its database. */
export function elasticsearch(
  access: () => Promise<ElasticAccess>,
  target: string,
  index: string,
  host: string,
): Check {
  return {
    name: "elasticsearch",
    target,
    required: true,
    run: async (signal) => {
      const at = await access();
      const path = `/${index}/_doc/rehearsal-${host}`;
      const value = String(Date.now());
      await elastic(at, "PUT", `${path}?refresh=true`, { value }, signal);
      const query = { query: { ids: { values: [`rehearsal-${host}`] } } };
      const found = await elastic(at, "POST", `/${index}/_search`, query, signal);
      if (!found.includes(`"${value}"`))
        throw new Refusal("elasticsearch does not find the document that was just added");
      await elastic(at, "DELETE", path, undefined, signal);
      return "document added, found and deleted";
    },
  };
}

/** The answer's text. */
export async function elastic(
  { url, user, password }: ElasticAccess,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<string> {
  const headers = {
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const text = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer: Answer = await ask(url + path, { method, headers, signal, ...text });
  if (answer.status === 401) throw new Refusal("elasticsearch does not accept this user and password");
  if (answer.status >= 300)
    throw new Refusal(`elasticsearch answers ${String(answer.status)}: ${oneLine(answer.body).slice(0, 200)}`);
  return answer.body;
}
