import { setTimeout as sleep } from "node:timers/promises";

import { withPostgres } from "../checks/postgres.ts";
import { Refusal } from "../errors.ts";
import { Loop } from "../loop.ts";
import type { Given } from "../role.ts";
import { arkindex, migrations, storeChecks, type Arkindex } from "./arkindex.ts";

type Say = (line: string) => void;

const tables = `
create table if not exists rehearsal_migrations (version text primary key, applied_at timestamptz not null default now());
create table if not exists rehearsal_system_workers (version text primary key, at timestamptz not null default now());
create table if not exists rehearsal_probe (host text primary key, value text not null);
create table if not exists rehearsal_rows (id bigint generated always as identity primary key, body text not null);
`;

/** `arkindex migrate`: needs every store, makes the tables and notes the version, all in one transaction. */
export async function migrate(given: Given, say: Say): Promise<void> {
  const app = arkindex(given);
  await stores(app, given);
  const applied = await withPostgres(app.database, async (client) => {
    await client.query("begin"); // a connection that ends without commit rolls back
    await client.query("select pg_advisory_xact_lock(hashtext('rehearsal'))"); // "if not exists" alone races
    await client.query(tables);
    const insert = "insert into rehearsal_migrations (version) values ($1) on conflict do nothing";
    const { rowCount } = await client.query(insert, [app.version]);
    if (given.env.REHEARSAL_FAIL === "migrate")
      throw new Refusal(`migration to ${app.version} failed as told by REHEARSAL_FAIL=migrate; nothing was changed`);
    await client.query("commit");
    return rowCount === 1;
  });
  say(applied ? `migrated to version ${app.version}` : `version ${app.version} was applied before: nothing to do`);
}

/** `arkindex update_system_workers`: needs the migrations, notes the version. */
export async function updateSystemWorkers(given: Given, say: Say): Promise<void> {
  const app = arkindex(given);
  await migrations(app).run(AbortSignal.timeout(15_000));
  const insert = `insert into rehearsal_system_workers (version) values ($1)
    on conflict (version) do update set at = excluded.at`;
  await withPostgres(app.database, (client) => client.query(insert, [app.version]));
  say(`system workers updated for version ${app.version}`);
}

/** `arkindex check`: everything once, each result a line. */
export async function check(given: Given, say: Say): Promise<void> {
  const app = arkindex(given);
  const loop = new Loop([...storeChecks(app, given.host), migrations(app)], { secrets: given.secrets, log: say });
  await loop.round();
  const { failing } = loop.health();
  if (failing.length > 0) throw new Refusal(`check failed: ${failing.join("; ")}`);
}

/** Checks the stores up to three times: a store that has just come up may be slow, and a job has only one run. */
async function stores(app: Arkindex, given: Given): Promise<void> {
  const loop = new Loop(storeChecks(app, given.host), { secrets: given.secrets, log: () => undefined });
  for (let look = 1; ; look++) {
    await loop.round();
    const { failing } = loop.health();
    if (failing.length === 0) return;
    if (look === 3) throw new Refusal(`cannot migrate: ${failing.join("; ")}`);
    await sleep(1000);
  }
}
