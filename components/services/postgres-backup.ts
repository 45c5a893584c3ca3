/** How a PostgreSQL server gets out and back in: bash for the toolbox. */
import type { Dump, File, List } from "../core/contracts.ts";
import { asked, cluster, recovering, recovery } from "./postgres-recovery.ts";

/** A server and what its set-up makes in it. A drill restores into a second one. */
export interface Server {
  readonly host: string;
  readonly drill: string;
  /**
   * The port where a replica answers, of servers that keep their log for the backup: dump and base backup are its work, if
   * it can. Default: there is none, and no log is saved.
   */
  readonly replica?: number;
  readonly passwordFile: File;
  /** The owner's, for the set-up. */
  readonly ownerFile: File;
  /** The set-up's statements for the server at a host. */
  setup(host: string): string;
}

/**
 * The superuser saves and restores everything: all databases with rows, owners and grants, also of tables that the
 * application's role may not read; the operator's own extensions and settings; the roles, without their passwords. The
 * restore is compared with what the dump counted in its own snapshot.
 */
export function postgresDump(server: Server): Omit<Dump, "drillServer"> {
  const { host, drill, replica, passwordFile, ownerFile } = server;
  const restore = `${on(host, server)}\n${common}`;
  const drilled = `${on(drill, server)}\n${common}\n${emptied}\nempty\n${server.setup(drill)}\n${restored}\nempty`;
  const check = `${on(host, server)}\n${common}\n${checking}`;
  const out = {
    files: [passwordFile, ownerFile],
    restore: `${restore}\n${restored}\n${server.setup(host)}`,
  };
  if (replica === undefined)
    return { ...out, dump: `${on(host, server)}\n${common}\n${dumping}`, check, drill: drilled };
  return {
    ...out,
    dump: `${on(host, server)}\n${common}\n${onReplica(replica)}`,
    check: `${check}\nwal wait`,
    drill: `${drilled}\n${recovery(drill)}\n${drilledLog}`,
    log: `${on(host, server)}\nexec wal keep`,
    recover: `${restore}\n${emptied}\n${recovery(drill)}\n${restoredUntil}\n${server.setup(host)}`,
    prune: "wal prune",
  };
}

function on(host: string, { passwordFile }: Server): string {
  return `PGHOST=${host} PGUSER=postgres PGPASSWORD="$(cat ${passwordFile.path})"; export PGHOST PGUSER PGPASSWORD`;
}

/** A database's own relations, without those of its extensions. */
const own = (kinds: List<string>): string => `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN (${kinds.map((kind) => `'${kind}'`).join(", ")}) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

/** Each table with its rows, its owner and who may do what; large objects; extensions; the database's own. */
const content = `SELECT 'table', format('%I.%I', n.nspname, c.relname),
  (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM ONLY %I.%I', n.nspname, c.relname), false, true, '')))[1]::text,
  c.relowner::regrole,
  (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner))) a)
  ${own(["r"])} ORDER BY 2;
SELECT 'large objects', count(*) FROM pg_largeobject_metadata;
SELECT 'extension', extname FROM pg_extension ORDER BY 2;
SELECT 'database', datdba::regrole, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) a)
  FROM pg_database WHERE datname = current_database() AND datname <> 'postgres';
SELECT 'setting', setrole::regrole, unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
  WHERE datname = current_database() AND datname <> 'postgres' ORDER BY 2, 3;`;

/** PGDATABASE names the database: psql may take an argument for a connection string. */
const common = `sql() { PGDATABASE=$1 psql --no-psqlrc --quiet -At -F ' ' --set=ON_ERROR_STOP=1; }
file() { jq -rn --arg name "$1" '$name | @uri'; }
content() { sql "$1" <<'SQL'
SET search_path TO '';
${content}
SQL
}
# The head of a dump; what comes after it is not waited for.
head_of() { (set +o pipefail; backup get "$(file "$1").dump" 2> /dev/null | pg_restore "\${@:2}"); }`;

const dumping = `pg_dumpall --roles-only --no-role-passwords | backup put roles.sql
names=$(sql postgres <<< 'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1')
backup put databases <<< "$names"
rm -f /tmp/dumped
while IFS= read -r name <&3; do
  name="$name" file=$(file "$name")
  export name file
  # psql keeps the snapshot open that the dump and the counts are of.
  PGDATABASE=$name psql --no-psqlrc --quiet -At -F ' ' --set=ON_ERROR_STOP=1 --output=/tmp/content <<'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \\gset
\\setenv SNAPSHOT :snapshot
\\! bash -euo pipefail -c 'PGDATABASE=$name pg_dump --snapshot="$SNAPSHOT" --create --format=custom | backup put "$file.dump"; touch /tmp/dumped'
SET search_path TO '';
${content}
SQL
  [ -e /tmp/dumped ] || { echo "database $name could not be dumped" >&2; exit 1; }
  rm /tmp/dumped
  backup put "$file.content" < /tmp/content
done 3<<< "$names"`;

/**
 * All of a dump is of one server. A replica ends a dump that is in the way of what it has to copy, as a table that goes:
 * then the leader makes it.
 */
function onReplica(port: number): string {
  return `leader=$PGHOST
dump_all() {
${dumping}
${based}
}
replica=$(PGDATABASE=postgres PGPORT=${String(port)} psql --no-psqlrc -At <<< 'SELECT host(inet_server_addr())' || :)
done=1
if [ -n "$replica" ]; then
  set +e
  (set -e; export PGHOST=$replica; dump_all)
  done=$?
  set -e
fi
[ $done = 0 ] || dump_all`;
}

/**
 * All files of the server, as they are while it works: with the log from their beginning on they become those of any
 * second after their end. A replica's begin where it has replayed a checkpoint, so the leader makes one.
 */
const based = `checkpoint=$(PGHOST=$leader sql postgres <<< 'CHECKPOINT; SELECT pg_walfile_name(redo_lsn), checkpoint_lsn FROM pg_control_checkpoint()')
read -r first point <<< "$checkpoint"
for try in $(seq 60); do
  replayed=$(sql postgres <<< "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() > '$point'") || replayed=f
  [ "$replayed" = f ] || break
  sleep 1
done
[ "$replayed" = t ] || { echo "$PGHOST does not replay the leader's checkpoint: it is not copied" >&2; exit 1; }
pg_basebackup --pgdata=- --format=tar --wal-method=none --checkpoint=fast --compress=client-gzip:1 --no-password 2> /tmp/base \\
  | backup put base.tar.gz || { tail -n 2 /tmp/base >&2; exit 1; }
PGHOST=$leader sql postgres <<SQL | backup put base.json
SELECT json_build_object('cluster', system_identifier::text, 'first', '$first', 'ended', ceil(extract(epoch FROM clock_timestamp()))::bigint)
FROM pg_control_system()
SQL`;

/** The dump begins with a list of all that is in it. Every owner has to be among the roles. */
const checking = `roles=$(backup get roles.sql | sed -n 's/^CREATE ROLE \\(.*\\);$/\\1/p')
names=$(backup get databases)
while IFS= read -r name <&3; do
  head_of "$name" --list > /tmp/list
  backup get "$(file "$name").content" > /tmp/content
  tables=$(grep -c '^table ' /tmp/content || :)
  listed=$(grep -c ' TABLE DATA ' /tmp/list || :)
  [ "$listed" -ge "$tables" ] || { echo "the dump of database $name lists $listed of its $tables tables" >&2; exit 1; }
  for owner in $(awk '$1 == "table" && $0 !~ /"/ { print $4 }' /tmp/content | sort -u); do
    grep -qx "$owner" <<< "$roles" || { echo "the roles of the dump do not have $owner, who owns tables of database $name" >&2; exit 1; }
  done
done 3<<< "$names"`;

/**
 * A restore never overwrites rows: it refuses a database with tables, before anything is changed. The dump's own
 * statements make an empty database again, with its owner, settings and grants, and fill it in one transaction.
 */
const vacant = `names=$(backup get databases)
existing=$(sql postgres <<< 'SELECT datname FROM pg_database')
while IFS= read -r name <&3; do
  grep -qxF "$name" <<< "$existing" || continue
  tables=$(sql "$name" <<< "SELECT count(*) ${own(["r", "p", "v", "m", "f"])}")
  if [ "$tables" != 0 ]; then echo "database $name has $tables tables: restore goes into an empty database only" >&2; exit 1; fi
done 3<<< "$names"`;

const restored = `${vacant}
# Roles that are there keep their passwords; others come back without one. What cannot be said of a role is named.
backup get roles.sql | sed 's/^CREATE ROLE .*;$/DO $do$ BEGIN & EXCEPTION WHEN duplicate_object THEN NULL; END $do$;/' \\
  | PGDATABASE=postgres psql --no-psqlrc --quiet > /dev/null
while IFS= read -r name <&3; do
  if [ "$name" != postgres ]; then
    head_of "$name" --create --list > /tmp/all
    grep -E '^[0-9]+; [0-9]+ [0-9]+ (ACL|COMMENT|SECURITY LABEL) - DATABASE ' /tmp/all > /tmp/of-database || [ $? = 1 ]
    head_of "$name" --create --no-tablespaces --use-list=/tmp/of-database --file=/tmp/database.sql
    PGDATABASE=postgres psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=name="$name" <<< 'DROP DATABASE IF EXISTS :"name";'
    PGDATABASE=postgres psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --file=/tmp/database.sql > /dev/null
  fi
  quoted=\${name//\\\\/\\\\\\\\}
  backup get "$(file "$name").dump" \\
    | pg_restore --exit-on-error --single-transaction --no-tablespaces --dbname="dbname='\${quoted//\\'/\\\\\\'}'"
  content "$name" > /tmp/restored
  backup get "$(file "$name").content" | diff - /tmp/restored > /tmp/differs || { echo "database $name is not what was saved: $(grep '^[<>]' /tmp/differs | head -n 3 | tr '\\n' ' ')" >&2; exit 1; }
done 3<<< "$names"`;

/** The throw-away server makes itself anew whenever it ends. */
const emptied = `started() { sql postgres <<< 'SELECT pg_postmaster_start_time()' 2> /dev/null; }
empty() {
  local before after
  before=$(started || :)
  sql postgres <<< "COPY (SELECT 1) TO PROGRAM 'kill -INT \\$(head -n 1 postmaster.pid)'" > /dev/null 2>&1 || :
  for try in $(seq 120); do
    after=$(started || :)
    if [ -n "$after" ] && [ "$after" != "$before" ]; then return; fi
    sleep 1
  done
  echo "$PGHOST, the server that drills restore into, does not answer" >&2
  exit 1
}`;

/** By a dump of the throw-away server: what it holds goes into empty databases alone, as every restore. */
const restoredUntil = `look "$UNTIL"
${vacant}
become
export TO=/tmp/recovered STAMP=recovered AT=recovered
(
  export PGHOST=$drill
${dumping}
)
${restored}
(export PGHOST=$drill; empty)`;

/** The newest second, and each row is read once. A run of one server has no base backup. */
const drilledLog = `if rclone lsf "$TO/$AT/base.json.sum" > /dev/null 2>&1; then
  look latest
  become
  names=$(sql postgres <<< 'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate')
  while IFS= read -r name <&3; do content "$name" > /dev/null; done 3<<< "$names"
  empty
fi`;

/**
 * Data lies in the container's own files, never on a volume. Restored jobs may do nothing here: pg_cron has no host.
 * `recovers`: the server can become what a cluster was at a time, and finds `fetcher` for that.
 */
export function drillCommand(password: string, settings: List<string>, recovers = false): List<string> {
  const recover = `
  if [ -e ${asked} ]; then recovered "$@" ${harmless}; continue; fi`;
  const script = `trap 'kill -INT "$server" 2>/dev/null; exit 0' TERM INT${recovers ? `\n${recovering(password)}` : ""}
while true; do
  rm -rf ${cluster}${recovers ? recover : ""}
  initdb --pgdata=${cluster} --username=postgres --pwfile=${password} --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --no-sync > /dev/null
  postgres -D ${cluster} "$@" ${harmless} &
  server=$!
  wait "$server" || true
done`;
  return ["sh", "-euc", script, "drill", ...settings];
}

const harmless = "-c fsync=off -c cron.host=/nowhere";
