/** What Pyrus' applications read: connection strings of .NET in JSON, in the environment. */
import { readFileSync } from "node:fs";

import { z } from "zod";

import type { PostgresAccess } from "../checks/postgres.ts";
import { Refusal } from "../errors.ts";
import type { Given } from "../role.ts";

const connection = z.object({
  ConnectionName: z.string(),
  ConnectionString: z.string(),
  DatabaseEngine: z.literal("Postgres"),
  DatabaseType: z.string(),
});

const variables = {
  MAIN_CONN_STRING: { name: "default", type: "Data" },
  FILES_CONN_STRING: { name: "files", type: "Files" },
  PRIVATE_LOGS_CONN_STRING: { name: "privateLogs", type: "PrivateLogs" },
  PUBLIC_LOGS_CONN_STRING: { name: "publicLogs", type: "PublicLogs" },
} as const;

export interface PyrusConfig {
  readonly databases: { readonly [V in keyof typeof variables]: PostgresAccess };
  readonly nats: { readonly host: string; readonly user: string; readonly password: string; readonly replicas: number };
  readonly version: string;
}

/** Throws a Refusal in one line that names the variable and never a value. */
export function pyrusConfig({ env, secrets }: Given): PyrusConfig {
  const need = (name: string): string => {
    const value = env[name] ?? "";
    if (value === "") throw new Refusal(`${name} is not set`);
    return value;
  };
  const database = (name: keyof typeof variables): PostgresAccess => {
    const text = need(name);
    const { data } = connection.safeParse(json(text));
    if (data === undefined) throw new Refusal(`${name} is not the JSON that Pyrus reads`);
    if (data.ConnectionName !== variables[name].name || data.DatabaseType !== variables[name].type)
      throw new Refusal(`${name} must be connection ${variables[name].name} of type ${variables[name].type}`);
    const access = postgresAccess(name, data.ConnectionString);
    secrets.add(text, data.ConnectionString, access.password);
    return access;
  };
  const password = need("NATS_PASSWORD");
  secrets.add(password);
  const replicas = Number(need("NATS_HA_REPLICAS"));
  if (replicas !== 1 && replicas !== 3) throw new Refusal("NATS_HA_REPLICAS must be 1 or 3");
  return {
    databases: {
      MAIN_CONN_STRING: database("MAIN_CONN_STRING"),
      FILES_CONN_STRING: database("FILES_CONN_STRING"),
      PRIVATE_LOGS_CONN_STRING: database("PRIVATE_LOGS_CONN_STRING"),
      PUBLIC_LOGS_CONN_STRING: database("PUBLIC_LOGS_CONN_STRING"),
    },
    nats: { host: "pyrus-nats", user: need("NATS_USER"), password, replicas },
    version: need("REHEARSAL_VERSION"),
  };
}

/** `Key=value;Key="va;lue";` */
function postgresAccess(variable: string, text: string): PostgresAccess {
  const found = new Map<string, string>();
  for (const [, key = "", quoted, plain = ""] of text.matchAll(/\s*([^=;]+)=(?:"((?:[^"]|"")*)"|([^;]*))(?:;|$)/g))
    found.set(key.toLowerCase(), quoted?.replaceAll('""', '"') ?? plain);
  const need = (key: string): string => {
    const value = found.get(key.toLowerCase()) ?? "";
    if (value === "") throw new Refusal(`${variable} has no ${key}`);
    return value;
  };
  const mode = found.get("ssl mode");
  if (mode !== undefined && mode !== "VerifyFull") throw new Refusal(`${variable}: SSL Mode is not one of ours`);
  const authority = found.get("root certificate");
  const verified = authority === undefined ? {} : { ca: readFileSync(authority, "utf8") };
  return {
    host: need("Server"),
    port: Number(need("Port")),
    name: need("Database"),
    user: need("Username"),
    password: need("Password"),
    tls: mode === undefined ? "prefer" : verified,
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
