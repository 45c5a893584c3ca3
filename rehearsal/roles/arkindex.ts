import { withPostgres, postgres, sqlState, type PostgresAccess } from "../checks/postgres.ts";
import { redis, type RedisAccess, type RedisClient } from "../checks/redis.ts";
import { bucket, cors, s3Client } from "../checks/s3.ts";
import { solr } from "../checks/solr.ts";
import type { Check } from "../checks/check.ts";
import { arkindexConfig, originOf, type ArkindexConfig } from "../config/arkindex.ts";
import { readConfig } from "../config/file.ts";
import { Refusal } from "../errors.ts";
import type { Given } from "../role.ts";

/** What backend, worker and jobs of Arkindex have in common: one config file, the same stores. */
export interface Arkindex {
  readonly config: ArkindexConfig;
  readonly version: string;
  readonly database: PostgresAccess;
  readonly redis: RedisAccess;
  readonly s3: ReturnType<typeof s3Client>;
  readonly buckets: readonly string[];
}

const usualBuckets = "staging,export,thumbnails,training,ponos-artifacts,ponos-logs";

/** Reads `$CONFIG_PATH`. Throws a Refusal in one line that names what is missing. */
export function arkindex({ env, secrets }: Given): Arkindex {
  const path = env.CONFIG_PATH ?? "";
  if (path === "") throw new Refusal("CONFIG_PATH is not set: it must name Arkindex' config.yml");
  const version = env.ARKINDEX_VERSION ?? "";
  if (version === "") throw new Refusal("ARKINDEX_VERSION is not set: the rehearsal needs it in the image's place");
  const config = arkindexConfig(readConfig(path, "CONFIG_PATH"), path, secrets);
  const { endpoint, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey } = config.s3;
  return {
    config,
    version,
    database: { ...config.database, tls: "prefer" }, // psycopg is libpq
    redis: { host: config.redis.host, port: 6379 },
    s3: s3Client({ endpoint, region, accessKeyId, secretAccessKey }),
    buckets: (env.REHEARSAL_BUCKETS ?? usualBuckets).split(",").flatMap((name) => name.trim() || []),
  };
}

/** The stores themselves; true before the migrations have run as well. */
export function storeChecks(app: Arkindex, host: string, onRedis?: (client: RedisClient) => Promise<string>): Check[] {
  const { endpoint } = app.config.s3;
  const staging = app.buckets.find((name) => name.endsWith("staging"));
  return [
    postgres(app.database, { probe: "rehearsal_probe", host }),
    redis(app.redis, host, onRedis),
    ...app.buckets.map((name) => bucket(app.s3, endpoint, name, host)),
    ...(staging === undefined ? [] : [cors(endpoint, staging, originOf(app.config.public_hostname))]),
    solr(app.config.solr.api_url, "arkindex", host),
  ];
}

/** Whether `arkindex migrate` has run for this version. */
export function migrations(app: Arkindex): Check {
  const missing = new Refusal(`migrations have not run for version ${app.version}: run "arkindex migrate"`);
  return {
    name: "migrations",
    target: `${app.database.host}:${String(app.database.port)}/${app.database.name}`,
    required: true,
    run: () =>
      withPostgres(app.database, async (client) => {
        try {
          const { rowCount } = await client.query("select 1 from rehearsal_migrations where version = $1", [
            app.version,
          ]);
          if (rowCount !== 1) throw missing;
          return `applied for version ${app.version}`;
        } catch (error) {
          throw sqlState(error) === "42P01" ? missing : error;
        }
      }),
  };
}
