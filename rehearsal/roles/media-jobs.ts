import { Cassandra } from "../checks/cassandra.ts";
import { mediaStores } from "../config/media.ts";
import type { Given } from "../role.ts";

/**
 * Makes the tables before any service starts: concurrent schema changes cause a schema disagreement in Cassandra.
 */
export async function mediaSchema(given: Given, say: (line: string) => void): Promise<void> {
  const cassandra = new Cassandra(mediaStores(given).cassandra, 60_000);
  await cassandra.execute("CREATE TABLE IF NOT EXISTS probe (host text PRIMARY KEY, value text)");
  await cassandra.execute("CREATE TABLE IF NOT EXISTS assets (id uuid PRIMARY KEY, title text, version bigint)");
  say("the tables are there");
}
