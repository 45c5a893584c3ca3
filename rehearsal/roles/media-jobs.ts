import type { Given } from "../role.ts";
import { media } from "./media.ts";

/**
 * Makes the tables, before any service starts: tables that several make at once split a Cassandra cluster's mind.
 */
export async function mediaSchema(given: Given, say: (line: string) => void): Promise<void> {
  const app = media(given);
  await app.cassandra.execute("CREATE TABLE IF NOT EXISTS probe (host text PRIMARY KEY, value text)");
  await app.cassandra.execute("CREATE TABLE IF NOT EXISTS assets (id uuid PRIMARY KEY, title text, version bigint)");
  say("the tables are there");
}
