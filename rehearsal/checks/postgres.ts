import pg from "pg";
import { Refusal } from "../errors.ts";
import { patience } from "../patience.ts";
import type { Check } from "./check.ts";

export interface PostgresAccess {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  readonly password: string;
  /**
   * As its driver does it. `prefer`, the default of libpq and Npgsql: TLS where the server has it, any certificate.
   * `never`: plain text. Else it is verified, by this authority (PEM) or by the public ones.
   */
  readonly tls: "prefer" | "never" | { readonly ca?: string };
}

/** Runs `work` on a connection of its own, so that each try resolves, connects and signs in afresh. */
export async function withPostgres<T>(access: PostgresAccess, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connected(access);
  try {
    return await work(client);
  } finally {
    leave(client);
  }
}

async function connected({ tls, ...access }: PostgresAccess): Promise<pg.Client> {
  if (tls === "never") return open(access, false);
  // By the host's name: the driver gives an IP address to nobody who verifies.
  if (tls !== "prefer") return open(access, { host: access.host, ...tls });
  try {
    return await open(access, { rejectUnauthorized: false });
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("does not support SSL")) throw error;
    return open(access, false);
  }
}

async function open({ name: database, ...rest }: Omit<PostgresAccess, "tls">, ssl: pg.ClientConfig["ssl"]) {
  const client = new pg.Client({
    ...rest,
    ...{ ssl, database },
    connectionTimeoutMillis: patience(process.env) * 7500,
    query_timeout: 10_000,
    application_name: "rehearsal",
  });
  client.on("error", () => undefined); // a server that goes away while idle must not end this process
  try {
    await client.connect();
    return client;
  } catch (error) {
    leave(client);
    throw error;
  }
}

/** Not awaited: the server may be gone, and end() would wait for it. */
function leave(client: pg.Client): void {
  void client.end().catch(() => undefined);
}

/** Signs in and asks for PostGIS. With `probe`, a table, it writes this host's row there and reads it back. */
export function postgres(access: PostgresAccess, options: { probe?: string; host: string }): Check {
  return {
    name: "postgres",
    target: `${access.host}:${String(access.port)}/${access.name}`,
    required: true,
    run: () =>
      withPostgres(access, async (client) => {
        await client.query("select 1");
        const postgis = await postgisVersion(client, access.name);
        if (options.probe === undefined) return `PostGIS ${postgis}`;
        return `PostGIS ${postgis}, ${await writeAndRead(client, options.probe, options.host)}`;
      }),
  };
}

async function postgisVersion(client: pg.Client, database: string): Promise<string> {
  try {
    const { rows } = await client.query<{ v: string }>("select postgis_version() as v");
    return rows[0]?.v.split(" ")[0] ?? "?";
  } catch (error) {
    if (sqlState(error) !== "42883") throw error;
    throw new Refusal(`database ${database} has no PostGIS: run "create extension postgis" in it`);
  }
}

export async function writeAndRead(client: pg.Client, table: string, host: string): Promise<string> {
  const value = String(Date.now());
  const name = client.escapeIdentifier(table);
  try {
    await client.query(
      `insert into ${name} (host, value) values ($1, $2) on conflict (host) do update set value = excluded.value`,
      [host, value],
    );
  } catch (error) {
    // Before the migrations there is no table, which the check `migrations` reports. The server has answered.
    if (sqlState(error) === "42P01") return "no table to write to yet";
    throw error;
  }
  const { rows } = await client.query<{ value: string }>(`select value from ${name} where host = $1`, [host]);
  if (rows[0]?.value !== value) throw new Refusal("postgres gave back another row than was written");
  return "row written and read back";
}

export function sqlState(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
