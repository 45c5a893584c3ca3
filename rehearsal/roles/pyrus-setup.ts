/** Pyrus' setup programs, as far as we know their command lines. What they do inside is our own. */
import { elastic } from "../checks/elasticsearch.ts";
import { withNats } from "../checks/nats.ts";
import { withPostgres } from "../checks/postgres.ts";
import { pyrusConfig, type PyrusConfig } from "../config/pyrus.ts";
import { Refusal } from "../errors.ts";
import type { Given } from "../role.ts";
import { elasticAccess, index, parametersOf, s3Keys, store } from "./pyrus.ts";

type Say = (line: string) => void;

const probe = "create table if not exists rehearsal_probe (host text primary key, value text not null);";
const tables = `${probe}
create table if not exists rehearsal_version (version text primary key, at timestamptz not null default now());
create table if not exists rehearsal_parameters (id text primary key, value text not null);
create table if not exists rehearsal_rows (id bigint generated always as identity primary key, body text not null);
create table if not exists rehearsal_ticks (id bigint generated always as identity primary key, host text not null, at timestamptz not null default now());
`;

/** `dotnet Pyrus.DataMigrations.dll …` */
export async function pyrusSetup(given: Given, say: Say): Promise<void> {
  const config = pyrusConfig(given);
  const [first] = given.args;
  const flags = flagsOf(given.args);
  switch (first) {
    case "--version": {
      const version = await versionOf(config);
      if (version === undefined) throw new Refusal("there is no database of Pyrus yet");
      say(`Database version is ${version}`);
      return;
    }
    case "--create":
      given.secrets.add(flags.get("--adminpassword"));
      await create(config, need(flags, "--email"), need(flags, "--adminpassword"));
      say(`database created at version ${config.version}`);
      return;
    case "--update":
      await withPostgres(config.databases.MAIN_CONN_STRING, (client) =>
        client.query("insert into rehearsal_version (version) values ($1) on conflict do nothing", [config.version]),
      );
      if (given.env.REHEARSAL_FAIL === "update")
        throw new Refusal("the update failed as told by REHEARSAL_FAIL=update");
      say(`updated to version ${config.version}`);
      return;
    case "--setup":
      await set(config, [[need(flags, "-id"), need(flags, "-v")]]);
      say(`parameter ${need(flags, "-id")} set`);
      return;
    case "--configure-s3": {
      const entries = s3Keys.map((key): [string, string] => [key, need(flags, key.replace("s3.", "--"))]);
      given.secrets.add(...entries.slice(0, 2).map(([, value]) => value));
      await set(config, entries);
      await tryStore(config, given);
      say("object store configured");
      return;
    }
    case "-ct":
      await track(config);
      say("change tracking started");
      return;
    default:
      throw new Refusal(`the rehearsal's setup does not know ${first ?? "no argument"}`);
  }
}

/** `pyrus-elastic-console <flag>`: makes an index, or fills it again. */
export async function pyrusElasticConsole(given: Given, say: Say): Promise<void> {
  const config = pyrusConfig(given);
  const flag = given.args[0] ?? "";
  if (!["-it", "-ti", "-in", "-ic", "-ip", "-rt", "-wgall", "-wcall", "-wpall", "-wnall"].includes(flag))
    throw new Refusal(`the rehearsal's elastic console does not know ${flag}`);
  const access = elasticAccess(await parametersOf(config, given));
  const signal = AbortSignal.timeout(60_000);
  const there = await elastic(access, "GET", `/_cat/indices/${index}*?format=json`, undefined, signal);
  if (!there.includes(`"${index}"`)) await elastic(access, "PUT", `/${index}`, {}, signal);
  await elastic(access, "PUT", `/${index}/_doc/setup${flag}?refresh=true`, { at: Date.now() }, signal);
  say(`elasticsearch: ${flag} done`);
}

/** The database's version; undefined before `--create`. */
async function versionOf({ databases }: PyrusConfig): Promise<string | undefined> {
  return withPostgres(databases.MAIN_CONN_STRING, async (client) => {
    const { rows: there } = await client.query<{ at: string | null }>("select to_regclass('rehearsal_version') as at");
    if (there[0]?.at === null) return undefined;
    const { rows } = await client.query<{ version: string }>(
      "select version from rehearsal_version order by string_to_array(version, '.')::int[] desc limit 1",
    );
    return rows[0]?.version;
  });
}

/** Writes to both servers, and makes in the main one what only a superuser may make. */
async function create(config: PyrusConfig, email: string, password: string): Promise<void> {
  const { MAIN_CONN_STRING: main, PRIVATE_LOGS_CONN_STRING: logs } = config.databases;
  await withPostgres({ ...main, name: "postgres" }, (client) => client.query("create extension if not exists pg_cron"));
  await withPostgres(logs, (client) => client.query(probe));
  await withNats(config.nats, (connection) => connection.flush());
  await withPostgres(main, async (client) => {
    await client.query("begin"); // a connection that ends without commit rolls back
    await client.query("select pg_advisory_xact_lock(hashtext('rehearsal'))");
    await client.query(tables);
    await client.query("insert into rehearsal_version (version) values ($1) on conflict do nothing", [config.version]);
    if (password.length < 8) throw new Refusal("the administrator's password needs eight characters");
    await client.query("insert into rehearsal_parameters values ('admin', $1) on conflict do nothing", [email]);
    await client.query("commit");
  });
}

/**
 * Makes a replication slot that ends with the connection. One that stayed without a reader would keep the whole log.
 */
async function track(config: PyrusConfig): Promise<void> {
  await withPostgres(config.databases.MAIN_CONN_STRING, async (client) => {
    await client.query("select pg_create_logical_replication_slot('rehearsal_probe', 'wal2json', true)");
    await client.query("insert into rehearsal_rows (body) values ('tracked')");
    const { rows } = await client.query<{ data: string }>(
      "select data from pg_logical_slot_get_changes('rehearsal_probe', null, null)",
    );
    if (!rows.some(({ data }) => data.includes("tracked"))) throw new Refusal("logical replication shows no change");
    await client.query("delete from rehearsal_rows where body = 'tracked'");
  });
}

async function set(config: PyrusConfig, entries: readonly [string, string][]): Promise<void> {
  const upsert =
    "insert into rehearsal_parameters (id, value) values ($1, $2) on conflict (id) do update set value = excluded.value";
  await withPostgres(config.databases.MAIN_CONN_STRING, async (client) => {
    for (const entry of entries) await client.query(upsert, entry);
  });
}

async function tryStore(config: PyrusConfig, given: Given): Promise<void> {
  const { client, bucket, endpoint } = store(await parametersOf(config, given));
  const { bucket: check } = await import("../checks/s3.ts");
  await check(client, endpoint, bucket, given.host).run(AbortSignal.timeout(10_000));
}

function flagsOf(args: readonly string[]): ReadonlyMap<string, string> {
  return new Map(args.flatMap((flag, at) => (flag.startsWith("-") ? [[flag, args[at + 1] ?? ""] as const] : [])));
}

function need(flags: ReadonlyMap<string, string>, flag: string): string {
  const value = flags.get(flag) ?? "";
  if (value === "") throw new Refusal(`${flag} is missing`);
  return value;
}
