/** The four stores of Arkindex in a throw-away network, started as plain containers. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { localImages } from "../../tools/images/list.ts";
import { local } from "../../tools/setup/paths.ts";
import { goodSecrets } from "../support/rehearsal.ts";
import { runLabel } from "../support/run.ts";

export async function docker(...args: readonly string[]): Promise<string> {
  return (await execa("docker", args)).stdout;
}

/** The image of a key: the one that set-up has made, else the public one. */
export async function imageOf(key: string): Promise<string> {
  const made: unknown = JSON.parse(await readFile(join(local, "images.json"), "utf8"));
  const tag: unknown = typeof made === "object" && made !== null ? Reflect.get(made, key) : undefined;
  const name = typeof tag === "string" ? tag : localImages.find((image) => image.key === key)?.official;
  if (name === undefined) throw new Error(`no image ${key}: run npm start or npm test, which make the local images`);
  return name;
}

export async function until(what: string, seconds: number, done: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await done().catch(() => false))) {
    if (Date.now() > end) throw new Error(`not within ${String(seconds)} s: ${what}`);
    await sleep(250);
  }
}

/** Containers on one network of their own; `remove` takes all of it away, by id. */
export class Stage {
  readonly network = `rehearsal-test-${String(process.pid)}`;
  readonly #ids: string[] = [];

  async open(...options: readonly string[]): Promise<void> {
    await docker("network", "create", "--label", runLabel, ...options, this.network);
  }

  async start(
    alias: string,
    key: string,
    options: readonly string[],
    command: readonly string[] = [],
  ): Promise<string> {
    const label = ["--label", runLabel];
    const network = ["--network", this.network, "--network-alias", alias];
    const image = await imageOf(key);
    const id = await docker("run", "-d", ...label, ...network, ...options, image, ...command);
    this.#ids.push(id);
    return id;
  }

  async remove(): Promise<void> {
    if (this.#ids.length > 0) await execa("docker", ["rm", "-f", "-v", ...this.#ids], { reject: false });
    await execa("docker", ["network", "rm", this.network], { reject: false });
  }
}

const [password, , s3Secret] = goodSecrets;

/** Keeps its data over a restart of the container. */
const startPostgres = `
data=/var/lib/postgresql/data/pg
if [ ! -s $data/PG_VERSION ]; then
  printf %s "$PASSWORD" > /tmp/password
  initdb -D $data -U arkindex --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null
  echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
  echo 'create database arkindex' | postgres --single -D $data postgres >/dev/null
fi
rm -f $data/postmaster.pid
exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
`;

/** Starts all four and waits until they serve; answers the id of the PostgreSQL container. */
export async function startStores(stage: Stage, buckets: readonly string[]): Promise<string> {
  const sh = ["--entrypoint", "sh"];
  const db = await stage.start(
    "db",
    "postgis",
    [...sh, "-u", "999:999", "-e", `PASSWORD=${password}`],
    ["-euc", startPostgres],
  );
  const redis = ["--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""];
  await stage.start("redis", "redis", ["--entrypoint", "redis-server"], redis);
  const origin = "MINIO_API_CORS_ALLOW_ORIGIN=https://arkindex.localhost";
  const login = ["-e", "MINIO_ROOT_USER=arkindex", "-e", `MINIO_ROOT_PASSWORD=${s3Secret}`, "-e", origin];
  const minio = await stage.start("objects", "minio", ["--entrypoint", "minio", ...login], ["server", "/data"]);
  const cloud = ["-e", "SOLR_HEAP=256m", "-e", "SOLR_HOST=solr", "-e", "SOLR_JETTY_HOST=0.0.0.0"];
  const solr = await stage.start("solr", "solr", cloud, ["solr", "start", "-f", "-c", "-p", "8983"]);

  const psql = ["psql", `postgres://arkindex:${password}@127.0.0.1/arkindex`, "-c"];
  await until("PostGIS", 60, () => works("exec", db, ...psql, "create extension if not exists postgis"));
  const make = `mc -q alias set at http://127.0.0.1:9000 arkindex "$MINIO_ROOT_PASSWORD" && mc -q mb -p ${buckets.map((b) => `at/${b}`).join(" ")}`;
  await until("buckets", 60, () => works("exec", "-e", "MC_CONFIG_DIR=/tmp/mc", minio, "sh", "-ec", make));
  const collections = "http://127.0.0.1:8983/solr/admin/collections?action=CREATE&name=arkindex&numShards=1";
  const create = `${collections}&replicationFactor=1&collection.configName=_default`;
  await until("Solr", 120, () => works("exec", solr, "curl", "-fsS", create));
  return db;
}

async function works(...args: readonly string[]): Promise<boolean> {
  return (await execa("docker", args, { reject: false })).exitCode === 0;
}
