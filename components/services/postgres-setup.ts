/** What PostgreSQL is told, however many servers there are: switches, databases, roles. */
import type { Output } from "@pulumi/pulumi";

import type { Ask, Dict, File, Platform } from "../core/contracts.ts";
import { fingerprint, named, replaySeconds, storeOptions, toolbox } from "../core/recipe.ts";
import { shellWord } from "../core/syntax.ts";
import type { Server } from "./postgres-backup.ts";

export const data = "/var/lib/postgresql/data";
export const password = "/run/postgres/password";
export const hbaFile = "/etc/postgres/pg_hba.conf";
const ownerPassword = "/run/postgres/owner-password";
const login = `PGPASSWORD="$(cat ${password})"; export PGPASSWORD`;

/** A password, and the file in which scripts find it. */
interface Secret {
  readonly value: Output<string>;
  readonly file: File;
}

function secretAt(path: string, value: Output<string>): Secret {
  return { value, file: { path, content: value, secret: true } };
}

export interface Logins {
  readonly admin: Secret;
  readonly owner: Secret;
}

/**
 * The superuser's, which is as old as the disk, and the owner's, which the set-up tells the server. `admin`: of a server
 * that has one already.
 */
export function loginsOf(p: Platform, name: string, admin = p.secret(`${name}-password`)): Logins {
  return { admin: secretAt(password, admin), owner: secretAt(ownerPassword, p.secret(`${name}-owner-password`, name)) };
}

/** What clients and operators are given of them. */
export function given(name: string, ask: Ask<"postgres">, { admin, owner }: Logins) {
  return { user: ownerOf(ask).name, password: owner.value, passwords: { [`${name}-admin`]: admin.value } };
}

/** The same for the backup: the stack's one toolbox has those of all its servers, each by its own `name`. */
export function saving(
  name: string,
  { admin, owner }: Logins,
  ask: Ask<"postgres">,
  role: Role = ownerOf(ask),
): Pick<Server, "passwordFile" | "ownerFile" | "setup"> {
  const ownerFile = { ...owner.file, path: `/run/postgres/${name}-owner-password` };
  return {
    passwordFile: { ...admin.file, path: `/run/postgres/${name}-password` },
    ownerFile,
    setup: (host) => databases(host, ask, { ...role, password: ownerFile.path }),
  };
}

type Owner = NonNullable<Ask<"postgres">["owner"]>;

/** `more`: statements for it. */
type Role = Owner & { readonly more?: string };

/** The role that owns the databases. */
export function ownerOf({ owner }: Ask<"postgres">): Owner {
  return owner ?? { name: "app", superuser: false };
}

/**
 * Refuses names that scripts cannot hold.
 * @throws ConfigError
 */
export function checkNames(name: string, ask: Ask<"postgres">): void {
  const plain = "letters, digits, _ and inner hyphens, at most 63";
  const { databases: names, extensions = [], outputPlugins = [] } = ask;
  const all = [...names, ownerOf(ask).name, ...extensions, ...outputPlugins];
  named(`${name}.databases`, all, /^[A-Za-z_][\w-]{0,62}$/, plain);
  named(`${name}.owner`, [ownerOf(ask).name], /^(?!postgres$)/, "a role of its own: postgres is the superuser");
}

/** A place's administrator is no superuser: it gives databases to a role, and reads their tables, as its member. */
export const joins = 'GRANT :"role" TO CURRENT_USER;';

/** What postgresql.conf would have. */
export function settingsOf({ gib, settings, outputPlugins }: Ask<"postgres">): Dict<string> {
  return {
    ...{ listen_addresses: "*", password_encryption: "scram-sha-256" },
    // The log for an application that has stopped reading would fill the disk: at half the disk its slot is lost.
    ...(outputPlugins ? { max_slot_wal_keep_size: halfOf(gib) } : {}),
    ...settings,
  };
}

/** Half of a disk. */
export function halfOf(gib: number): string {
  return `${String(Math.ceil(gib * 512))}MB`;
}

/** The server's switches. */
export function optionsOf(ask: Ask<"postgres">): string[] {
  const set = Object.entries(settingsOf(ask)).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  return ["-c", `hba_file=${hbaFile}`, ...set];
}

export function serverOf(ask: Ask<"postgres">, passwordFile: File, image = "postgis", hba = "") {
  return {
    ...storeOptions(ask, image),
    tier: "data",
    cpu: 2,
    user: "999:999",
    files: [passwordFile, { path: hbaFile, content: `local all all peer\nhost all all all scram-sha-256\n${hba}` }],
    ports: { sql: { number: 5432, protocol: "tcp" } },
    health: {
      ready: { command: ["pg_isready", "--host=127.0.0.1", "--quiet", "--timeout=8"] },
      startSeconds: replaySeconds,
      stopSeconds: 60,
    },
  } as const;
}

/** Makes the cluster where there is none, in a folder of another name: a kill in its middle leaves nothing that looks whole. */
export const founding = (more = ""): string => `rm -rf ${data}/pgdata.new
  initdb --pgdata=${data}/pgdata.new --username=postgres --pwfile=${password} --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256${more}
  mv ${data}/pgdata.new ${data}/pgdata`;

/** Refuses a disk of another version than the image's. */
export const sameVersion = (host: string): string => `disk="$(cat ${data}/pgdata/PG_VERSION)"
case "$(postgres --version)" in
  *" $disk."* | *" $disk"[a-z]*) ;;
  *) echo "${host}: this disk is of PostgreSQL $disk, the image has $(postgres --version): set the image back; for another version, a new stack with restore" >&2; exit 1 ;;
esac`;

/** A job that runs once, and again for another password of the owner. Its statements leave alone what is there. */
export function setUp(host: string, ask: Ask<"postgres">, { admin, owner }: Logins, role: Role = ownerOf(ask)) {
  const statements = databases(host, ask, { ...role, password: owner.file.path });
  return {
    ...toolbox,
    tier: "data",
    files: [admin.file, owner.file],
    command: ["sh", "-euc", `${login}\n${statements}`],
    trigger: fingerprint(owner.value),
    seconds: 300,
  } as const;
}

/**
 * The workers of a query share /dev/shm: 64 MiB are too little for six ordinary joins. Half of the memory, as on a
 * machine.
 */
export function memory(memoryMib = 1024) {
  return { memoryMib, shmMib: Math.min(memoryMib, Math.max(64, Math.floor(memoryMib / 2))) };
}

/**
 * Each statement leaves what is there alone, so that the job may run again. `password`: where the owner's lies. `more`: for
 * its role.
 */
function databases(
  host: string,
  { databases: names, extensions = [] }: Ask<"postgres">,
  { name: user, superuser, password, more = "" }: Role & { readonly password: string },
): string {
  // psql quotes its variables itself: :'name' is a string, :"name" an identifier.
  const sql = (database: string, values: Dict<string>, statement: string): string => {
    const set = Object.entries(values).map(([key, value]) => `--set=${key}=${shellWord(value)} `);
    return `psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 ${set.join("")}--host=${host} --username=postgres --dbname=${shellWord(database)} <<'SQL'\n${statement}\nSQL`;
  };
  return [
    sql(
      "postgres",
      { role: user },
      // A command line can be read by every process of the machine.
      `\\set pw \`cat ${password}\`\nSELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec\nALTER ROLE :"role" ${superuser ? "SUPERUSER " : ""}PASSWORD :'pw';${more}`,
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
