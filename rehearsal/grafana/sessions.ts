/** Who has signed in: in this process, or, as Grafana itself keeps it, in the database that its replicas share. */
import type pg from "pg";

import type { Check } from "../checks/check.ts";
import { folder } from "../checks/folder.ts";
import { type PostgresAccess, withPostgres } from "../checks/postgres.ts";

export interface Sessions {
  add(session: string): Promise<void>;
  has(session: string): Promise<boolean>;
  /** Of the place where they are. */
  readonly check: Check;
}

/** One replica. What Grafana has beside them is on its disk. */
export function inMemory(): Sessions {
  const known = new Set<string>();
  return {
    add: (session) => {
      known.add(session);
      return Promise.resolve();
    },
    has: (session) => Promise.resolve(known.has(session)),
    check: folder("disk", "/var/lib/grafana"),
  };
}

export function inPostgres(access: PostgresAccess): Sessions {
  const onTable = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> =>
    withPostgres(access, async (client) => {
      // Two replicas that begin at once would both make it: the lock lets one after the other.
      await client.query("select pg_advisory_lock(1)");
      await client.query("create table if not exists user_auth_token (auth_token text primary key)");
      return work(client);
    });
  return {
    add: (session) =>
      onTable(async (client) => {
        await client.query("insert into user_auth_token values ($1)", [session]);
      }),
    has: (session) =>
      onTable(
        async (client) =>
          (await client.query("select from user_auth_token where auth_token = $1", [session])).rowCount === 1,
      ),
    check: {
      name: "database",
      target: `${access.host}:${String(access.port)}/${access.name}`,
      required: true,
      run: () => onTable(() => Promise.resolve("signed in, and its table is there")),
    },
  };
}
