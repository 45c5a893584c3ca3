import { readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

import type { PostgresAccess } from "../checks/postgres.ts";
import { Refusal } from "../errors.ts";
import { eachText, parseConfig, readConfig } from "./file.ts";

const text = z.string().min(1);
const database = z.object({
  GF_DATABASE_TYPE: z.literal("postgres"),
  GF_DATABASE_HOST: z.string().regex(/^[^:]+:\d+$/, "host:port"),
  GF_DATABASE_NAME: text,
  GF_DATABASE_USER: text,
  GF_DATABASE_PASSWORD__FILE: text,
  GF_DATABASE_SSL_MODE: z.enum(["disable", "verify-full"]),
  GF_DATABASE_CA_CERT_PATH: text.optional(),
});

/** Where Grafana keeps what it is told; undefined: in a file on its disk. */
export function databaseOf(env: Readonly<Record<string, string | undefined>>): PostgresAccess | undefined {
  if (env.GF_DATABASE_TYPE === undefined) return undefined;
  const { data, error } = database.safeParse(env);
  if (data === undefined)
    throw new Refusal(error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  const [host = "", port] = data.GF_DATABASE_HOST.split(":");
  const ca = data.GF_DATABASE_CA_CERT_PATH;
  const verified = ca === undefined ? {} : { ca: readConfig(ca, "GF_DATABASE_CA_CERT_PATH") };
  return {
    ...{ host, port: Number(port), name: data.GF_DATABASE_NAME, user: data.GF_DATABASE_USER },
    password: readConfig(data.GF_DATABASE_PASSWORD__FILE, "GF_DATABASE_PASSWORD__FILE").trim(),
    tls: data.GF_DATABASE_SSL_MODE === "disable" ? "never" : verified,
  };
}

const datasource = z.strictObject({
  name: text,
  uid: text,
  type: z.literal("influxdb"),
  access: z.literal("proxy"),
  url: z.url(),
  user: text,
  jsonData: z.strictObject({ dbName: text }),
  secureJsonData: z.strictObject({ password: text }),
});
export type Datasource = z.output<typeof datasource>;
/** Grafana puts variables of its environment into provisioning files; `$$` is a dollar. We allow no variable. */
const datasources = z.preprocess(
  (file) => eachText(file, (text) => text.replaceAll(/\$(\$|\w+|\{[^}]*\})/g, (_, name) => (name === "$" ? "$" : ""))),
  z.strictObject({ apiVersion: z.literal(1), datasources: z.array(datasource) }),
);
const providers = z.strictObject({
  apiVersion: z.literal(1),
  providers: z.array(
    z.strictObject({
      name: text,
      type: z.literal("file"),
      disableDeletion: z.boolean().optional(),
      allowUiUpdates: z.boolean().optional(),
      options: z.strictObject({ path: text }),
    }),
  ),
});
const ref = z.strictObject({ type: z.literal("influxdb"), uid: text });
/** The parts of a dashboard that are drawn: Grafana's own model has far more. */
const dashboard = z.looseObject({
  uid: text,
  title: text,
  schemaVersion: z.int(),
  panels: z.array(
    z.looseObject({
      id: z.int(),
      title: text,
      type: z.enum(["timeseries", "stat", "table"]),
      gridPos: z.strictObject({ x: z.int(), y: z.int(), w: z.int().max(24), h: z.int() }),
      datasource: ref,
      fieldConfig: z.looseObject({ defaults: z.looseObject({ unit: z.string().optional() }) }).optional(),
      targets: z
        .array(
          z.looseObject({
            refId: z.string().regex(/^[A-Z]$/),
            datasource: ref,
            rawQuery: z.literal(true),
            query: text,
            alias: z.string().optional(),
            resultFormat: z.enum(["time_series", "table"]),
          }),
        )
        .min(1),
    }),
  ),
});
export type Dashboard = z.output<typeof dashboard>;

export interface Provisioned {
  readonly datasources: readonly Datasource[];
  readonly dashboards: readonly Dashboard[];
}

/**
 * Everything below GF_PATHS_PROVISIONING; malformed files, unknown keys and dashboards without their data source are
 * refused.
 */
export function provisioned(folder: string): Provisioned {
  const all = <T>(of: string, ending: RegExp, schema: z.ZodType<T>): T[] =>
    files(of, ending).map((path) => parseConfig(readConfig(path, "provisioning"), path, schema));
  const sources = all(join(folder, "datasources"), /\.ya?ml$/, datasources).flatMap((file) => file.datasources);
  const folders = all(join(folder, "dashboards"), /\.ya?ml$/, providers).flatMap((file) =>
    file.providers.map(({ options }) => options.path),
  );
  const dashboards = folders.flatMap((path) => all(path, /\.json$/, dashboard));
  for (const { title, panels } of dashboards)
    for (const { title: panel, targets } of panels)
      for (const {
        datasource: { uid },
      } of targets)
        if (!sources.some((source) => source.uid === uid))
          throw new Refusal(`${title}, ${panel}: no data source ${uid}`);
  return { datasources: sources, dashboards };
}

function files(folder: string, ending: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => ending.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    throw new Refusal(`${folder} does not exist, or may not be read by this user`);
  }
}
