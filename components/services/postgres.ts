import { type ComponentResourceOptions, output } from "@pulumi/pulumi";

import { drillHost } from "../core/backup.ts";
import type { Ask, Dict, File, List, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { shellWord } from "../core/syntax.ts";
import { drillCommand, postgresDump } from "./postgres-backup.ts";
import { named, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";

const data = "/var/lib/postgresql/data";
const password = "/run/postgres/password";
const login = `PGPASSWORD="$(cat ${password})"; export PGPASSWORD`;

/**
 * One PostgreSQL server, with PostGIS at hand unless the application brings its own image. The recipe sets command,
 * user and configuration; of the official image it uses only the programs on PATH and the user postgres (999).
 */
export const postgres: Recipe<"postgres"> = (p, name, ask) => {
  const secret = p.secret(`${name}-password`);
  const secretFile = { path: password, content: secret, secret: true };
  const slot = `${name}-1`;
  const host = p.address(slot);
  const { name: user, superuser } = ask.owner ?? { name: "app", superuser: false };
  const plain = "letters, digits, _ and inner hyphens, at most 63";
  const { databases: names, extensions = [], outputPlugins = [] } = ask;
  named(`${name}.databases`, [...names, user, ...extensions, ...outputPlugins], /^[A-Za-z_][\w-]{0,62}$/, plain);
  const { memoryMib = 1024 } = ask;
  const drill = p.address(drillHost(slot));
  const options = optionsOf(ask);
  const server = serverOf(ask, secretFile);
  const [first] = p.slots(name, { count: 1 }, () => ({
    ...server,
    ...memory(memoryMib),
    // initdb works in a folder of another name, so that a kill in its middle leaves nothing that looks whole.
    prepare: `
set -eu
if [ ! -d ${data}/pgdata ]; then
  rm -rf ${data}/pgdata.new
  initdb --pgdata=${data}/pgdata.new --username=postgres --pwfile=${password} --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256
  mv ${data}/pgdata.new ${data}/pgdata
fi
disk="$(cat ${data}/pgdata/PG_VERSION)"
case "$(postgres --version)" in
  *" $disk."* | *" $disk"[a-z]*) ;;
  *) echo "${host}: this disk is of PostgreSQL $disk, the image has $(postgres --version): set the image back; for another version, a new stack with restore" >&2; exit 1 ;;
esac${trusted(ask.outputPlugins)}`,
    command: ["postgres", "-D", `${data}/pgdata`, ...options],
    disk: {
      path: data,
      gib: ask.gib,
      backup: {
        ...postgresDump({
          ...{ host, drill, setup: (at) => databases(at, ask, user, superuser) },
          // The stack's one toolbox has those of all its servers.
          passwordFile: { ...secretFile, path: `/run/postgres/${host}-password` },
        }),
        drillServer: { ...server, ...memory(512), names: [], command: drillCommand(password, options), replicas: 1 },
      },
    },
  }));
  // A server that answers is not enough: what waits for the store needs its databases.
  const setup = p.job(`${name}-setup`, {
    ...setUp(secretFile, databases(host, ask, user, superuser)),
    after: first ? [first] : [],
  });
  return { host: ask.names?.[0] ?? host, port: 5432, members: [slot], user, password: secret, ready: setup.ready };
};

/**
 * The same on a server that the place brings: RDS, Cloud SQL, Flexible Server. Its address is known only when it is
 * there, so scripts read it from a file. A drill restores into a container of ours.
 */
export const managedPostgres: Recipe<"postgres"> = (p, name, ask) => {
  const server = p.managed("postgres", name, ask);
  const { name: user } = ask.owner ?? { name: "app" };
  const secretFile = { path: password, content: server.password, secret: true };
  // The stack's one toolbox has those of all its servers.
  const hostFile = { path: `/run/postgres/${name}-host`, content: output(server.host) };
  const savedBy = { ...secretFile, path: `/run/postgres/${name}-password` };
  const host = `"$(cat ${hostFile.path})"`;
  const drill = p.address(drillHost(name));
  const setup = (at: string): string => databases(at, ask, user, false, joins);
  const made = p.job(`${name}-setup`, {
    ...setUp(secretFile, setup(host)),
    files: [secretFile, hostFile],
    after: [server],
  });
  const out = postgresDump({ host, drill, passwordFile: savedBy, setup });
  p.dump(name, {
    ...out,
    files: [savedBy, hostFile],
    drillServer: {
      ...serverOf(ask, secretFile),
      ...memory(512),
      names: [],
      command: drillCommand(password, optionsOf({ ...ask, gib: 1 })),
      replicas: 1,
    },
  });
  return { ...server, user, ready: made.ready };
};

/** A place's administrator is no superuser: it gives databases to a role, and reads their tables, as its member. */
const joins = 'GRANT :"role" TO CURRENT_USER;';

/** The server's switches. */
function optionsOf({ gib, settings, outputPlugins }: Ask<"postgres">): string[] {
  const all = {
    ...{ listen_addresses: "*", password_encryption: "scram-sha-256" },
    // The log for an application that has stopped reading would fill the disk: at half the disk its slot is lost.
    ...(outputPlugins ? { max_slot_wal_keep_size: `${String(Math.ceil(gib * 512))}MB` } : {}),
    ...settings,
  };
  const set = Object.entries(all).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  return ["-c", "hba_file=/etc/postgres/pg_hba.conf", ...set];
}

function serverOf(ask: Ask<"postgres">, passwordFile: File) {
  return {
    ...storeOptions(ask, "postgis"),
    tier: "data",
    cpu: 2,
    user: "999:999",
    files: [
      passwordFile,
      { path: "/etc/postgres/pg_hba.conf", content: "local all all peer\nhost all all all scram-sha-256\n" },
    ],
    ports: { sql: { number: 5432, protocol: "tcp" } },
    health: {
      ready: { command: ["pg_isready", "--host=127.0.0.1", "--quiet", "--timeout=8"] },
      startSeconds: replaySeconds,
      stopSeconds: 60,
    },
  } as const;
}

/** A one-time job. Its statements leave alone what is there. */
function setUp(passwordFile: File, statements: string) {
  return {
    ...toolbox,
    tier: "data",
    files: [passwordFile],
    command: ["sh", "-euc", `${login}\n${statements}`],
    seconds: 300,
  } as const;
}

/**
 * The workers of a query share /dev/shm: 64 MiB are too little for six ordinary joins. Half of the memory, as on a
 * machine.
 */
function memory(memoryMib: number) {
  return { memoryMib, shmMib: Math.min(memoryMib, Math.max(64, Math.floor(memoryMib / 2))) };
}

/** Minor releases of 2026 load only output plugins that a new setting names. Older ones refuse to start with it. */
function trusted(plugins: List<string> = []): string {
  if (plugins.length === 0) return "";
  return `
if known="$(postgres -D ${data}/pgdata -C output_plugin_libraries 2>/dev/null)"; then
  set -- "$@" -c "output_plugin_libraries=$known,${plugins.join(",")}"
fi`;
}

/** Each statement leaves what is there alone, so that the job may run again. */
function databases(
  host: string,
  { databases: names, extensions = [] }: Ask<"postgres">,
  user: string,
  superuser: boolean,
  more = "",
): string {
  // psql quotes its variables itself: :'name' is a string, :"name" an identifier.
  const sql = (database: string, values: Dict<string>, statement: string): string => {
    const set = Object.entries(values).map(([key, value]) => `--set=${key}=${shellWord(value)} `);
    return `psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=pw="$PGPASSWORD" ${set.join("")}--host=${host} --username=postgres --dbname=${shellWord(database)} <<'SQL'\n${statement}\nSQL`;
  };
  return [
    sql(
      "postgres",
      { role: user },
      `SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec\nALTER ROLE :"role" ${superuser ? "SUPERUSER " : ""}PASSWORD :'pw';${more}`,
    ),
    ...names.flatMap((name) => [
      sql(
        "postgres",
        { role: user, db: name },
        `SELECT format('CREATE DATABASE %I OWNER %I', :'db', :'role') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \\gexec`,
      ),
      ...extensions.map((extension) => sql(name, { extension }, `CREATE EXTENSION IF NOT EXISTS :"extension";`)),
    ]),
  ].join("\n");
}

/** PostgreSQL with PostGIS, its databases and their owner. */
export class Postgres extends Service<"postgres"> {
  /** How containers supply it. */
  static readonly recipe = postgres;

  constructor(name: string, args: ServiceArgs<"postgres">, opts?: ComponentResourceOptions) {
    super("Postgres", "postgres", postgres, name, args, opts);
  }
}
