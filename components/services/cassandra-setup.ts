/** Sets a running Cassandra up: roles, copies, keyspaces. Dumps and restores its tables. */
import type { Dump, File, List } from "../core/contracts.ts";
import { shellWord, sqlIdentifier, sqlString } from "../core/syntax.ts";

/** The operator's role. The application's own role may do everything in its keyspaces and nothing else. */
export const admin = "admin";
export const user = "app";

const folder = "/run/cassandra";
/** The keyspace of roles and permissions. */
const auth = "system_auth";
/** Further keyspaces of Cassandra's own: it leaves their copies at one or two. */
const systemKeyspaces = ["system_distributed", "system_traces"];

export interface Cluster {
  readonly hosts: List<string>;
  readonly dataCentre: string;
  readonly keyspaces: List<string>;
}

export function passwordPath(role: string): string {
  return `${folder}/${role}-password`;
}

/** How many copies each row has: one on each of three nodes, or on all if there are fewer. */
export function copies({ hosts }: Cluster): number {
  return Math.min(3, hosts.length);
}

/**
 * Bash for the toolbox. The default superuser, `cassandra` with the password `cassandra`, makes the operator's role and
 * is then shut out; the server makes that superuser some seconds after its first answer. Every statement may run again.
 * Copies in this data centre are raised to what is wanted and never lowered; other data centres stay as they are.
 * Before it changes anything else, the script refuses fewer members than there are copies. It raises the copies of the
 * roles last: until their repair, one read of the roles in three finds nothing, not even the administrator's role.
 */
export function setupScript(cluster: Cluster): string {
  const { hosts, dataCentre, keyspaces } = cluster;
  const want = String(copies(cluster));
  const dc = shellWord(dataCentre);
  const raised = (names: List<string>) => `jq -r --arg dc ${dc} '${JSON.stringify(names)} as $names
  | select(.keyspace_name | IN($names[])) | select((.replication[$dc] // "0" | tonumber) < ${want})
  | "ALTER KEYSPACE \\"\\(.keyspace_name)\\" WITH replication = {" + (
      {class: "NetworkTopologyStrategy"} + (.replication | del(.class, .replication_factor)) + {($dc): "${want}"}
      | to_entries | map("\\u0027\\(.key)\\u0027: \\u0027\\(.value)\\u0027") | join(", ")) + "};"' /tmp/now`;
  const own = keyspaces.flatMap((keyspace) => [
    `CREATE KEYSPACE IF NOT EXISTS ${sqlIdentifier(keyspace)} WITH replication = {'class': 'NetworkTopologyStrategy', ${sqlString(dataCentre)}: '${want}'};`,
    `GRANT ALL PERMISSIONS ON KEYSPACE ${sqlIdentifier(keyspace)} TO ${user};`,
  ]);
  return `
as() { CQL_PASSWORD="$2" cql -h ${hosts.join(",")} -u "$1" --consistency LOCAL_QUORUM; }
admin=$(cat ${passwordPath(admin)})
app=$(cat ${passwordPath(user)})
string() { local q="'"; printf %s "$q\${1//$q/$q$q}$q"; } # of CQL
now() { as ${admin} "$admin" <<<'SELECT JSON keyspace_name, replication FROM system_schema.keyspaces' >/tmp/now; }
made=
for try in $(seq 30); do
  if now 2>/tmp/why; then made=yes; break; fi
  as cassandra cassandra <<<"CREATE ROLE IF NOT EXISTS ${admin} WITH PASSWORD = $(string "$admin") AND SUPERUSER = true AND LOGIN = true" >/tmp/why 2>&1 || sleep 2
done
if [ -z "$made" ]; then cat /tmp/why >&2; echo "neither ${admin} nor the default superuser can sign in" >&2; exit 1; fi
crowded=$(jq -r --arg dc ${dc} 'select((.replication[$dc] // "0" | tonumber) > ${String(hosts.length)}) | "\\(.keyspace_name) (\\(.replication[$dc]))"' /tmp/now | paste -sd , -)
if [ -n "$crowded" ]; then
  echo "nodes = ${String(hosts.length)}: too few for the copies of $crowded; keep as many nodes as copies, or lower these first (ALTER KEYSPACE)" >&2
  exit 1
fi
random=$(head -c 24 /dev/urandom | base64 | tr -dc A-Za-z0-9)
{
  ${raised([...systemKeyspaces, ...keyspaces])}
  cat <<CQL
ALTER ROLE cassandra WITH PASSWORD = '$random' AND SUPERUSER = false AND LOGIN = false;
CREATE ROLE IF NOT EXISTS ${user} WITH PASSWORD = $(string "$app") AND LOGIN = true;
ALTER ROLE ${user} WITH PASSWORD = $(string "$app");
${own.join("\n")}
CQL
  ${raised([auth])}
} >/tmp/statements
as ${admin} "$admin" </tmp/statements`;
}

/** Makes the copies that a raised number asks for: each node brings its own ranges up to date, logins first. */
export function repairScript({ hosts, keyspaces }: Pick<Cluster, "hosts" | "keyspaces">): string {
  return [auth, ...keyspaces]
    .flatMap((keyspace) => hosts.map((host) => `${nodetool(host)} repair --full -pr ${keyspace}`))
    .join("\n");
}

/** The lines of `nodetool status` that are members, as the first of these hosts that answers has them, in `$ring`. */
function ringOf(hosts: List<string>, otherwise: string): string {
  return `ring=
for host in ${hosts.join(" ")}; do
  if ring=$(${nodetool("$host")} status 2>/tmp/why | grep -E '^[UD?][NLJM] '); then break; fi
done
if [ -z "$ring" ]; then cat /tmp/why >&2; echo "${otherwise}" >&2; exit 1; fi`;
}

/**
 * Before a member joins in the place of a retired one: strikes off who is down. All who come before the new member have to
 * be up, by their own addresses, so it is none of those that stay. What an answered write left on one of them alone is
 * repaired, as a member that joins takes its rows from either.
 */
export function lostScript(number: number, stay: List<string>, keyspaces: List<string>): string {
  return `${ringOf(stay, `none of ${stay.join(", ")} tells who is in the ring`)}
away=$(echo "$ring" | grep -v '^UN ' || true)
if [ -z "$away" ]; then exit 0; fi # it leaves by itself, or has left
for host in ${stay.join(" ")}; do
  read -r ip _ < <(getent ahostsv4 "$host") || ip=none
  if ! echo "$ring" | grep -q "^UN  *$ip "; then
    echo "number ${String(number)} is not struck off: $host is not up either; bring it back first" >&2
    exit 1
  fi
done
if [ "$(echo "$away" | wc -l)" -gt 1 ] || ! echo "$away" | grep -q '^DN '; then
  echo "number ${String(number)} is not struck off, as more is wrong with the ring: strike off who is lost with nodetool removenode <host id>" >&2
  echo "$away" >&2
  exit 1
fi
address=$(echo "$away" | awk '{print $2}')
id=$(echo "$away" | grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
${nodetool("$host")} removenode "$id" || ${nodetool("$host")} assassinate "$address"
${repairScript({ hosts: stay, keyspaces })}`;
}

/** A member that leaves hands its rows over. One that is lost has left once it is in nobody's ring, as `some` have it. */
export function leaveScript(host: string, some: List<string>): string {
  const others = some.filter((other) => other !== host);
  const leaves = `if ${nodetool(host)} info >/dev/null 2>&1; then ${nodetool(host)} decommission; exit; fi`;
  if (others.length === 0) return `${leaves}\necho "${host} does not answer: bring it back first" >&2\nexit 1`;
  return `${leaves}
${ringOf(others, `${host} does not answer, and none of the others tells whether it has left`)}
if echo "$ring" | grep -q '^D'; then
  echo "${host} does not answer, and somebody who is down is in the ring: bring it back; or, if its disk is lost, retire its number, which strikes it off" >&2
  exit 1
fi`;
}

/** nodetool on the node of another container. It reads its password from a file of its own format. */
export function nodetool(host: string): string {
  return `nodetool -h ${host} -u ${admin} -pwf ${jmxFile}`;
}
export const jmxFile = "/tmp/jmx";
/** The server has the same file as its list of logins: the file must be the server's own and closed to others. */
export const jmxLogin = `(umask 077; echo "${admin} $(cat ${passwordPath(admin)})" > ${jmxFile})`;

/**
 * Dumps through any node, as a table is the cluster's, not a member's. All keyspaces but Cassandra's own are in the
 * dump, whoever made them. Rows are JSON, without their time of writing and their time to live.
 */
export function dumpOf({ hosts }: Cluster, files: List<File>): Dump {
  const common = `CQL_PASSWORD_FILE=${passwordPath(admin)}; export CQL_PASSWORD_FILE
cql() { command cql -h ${hosts.join(",")} -u ${admin} "$@"; }
tables() { cql -e "SELECT table_name FROM system_schema.tables WHERE keyspace_name = '$1'" | jq -r .table_name; }`;
  return {
    files,
    dump: `${common}
cql -e 'SELECT keyspace_name FROM system_schema.keyspaces' | jq -r .keyspace_name > /tmp/all
grep -vE '^system(_|$)' /tmp/all > /tmp/keyspaces || [ $? = 1 ]
for keyspace in $(cat /tmp/keyspaces); do
  tables "$keyspace" > /tmp/tables
  for table in $(cat /tmp/tables); do
    cql -e "SELECT JSON * FROM \\"$keyspace\\".\\"$table\\"" | backup put "$keyspace.$table.json"
  done
  cql -e "DESCRIBE KEYSPACE \\"$keyspace\\"" | jq -r '.create_statement' | sed 's/^CREATE KEYSPACE /CREATE KEYSPACE IF NOT EXISTS /' | backup put "$keyspace.cql"
  backup put "$keyspace.tables" < /tmp/tables
done
backup put keyspaces < /tmp/keyspaces`,
    restore: `${common}
backup get keyspaces > /tmp/keyspaces
for keyspace in $(cat /tmp/keyspaces); do
  tables "$keyspace" > /tmp/tables
  if [ -s /tmp/tables ]; then echo "keyspace $keyspace has tables: restore goes into an empty keyspace only" >&2; exit 1; fi
done
for keyspace in $(cat /tmp/keyspaces); do
  backup get "$keyspace.cql" > /tmp/schema.cql
  cql -f /tmp/schema.cql
  backup get "$keyspace.tables" > /tmp/tables
  for table in $(cat /tmp/tables); do
    backup get "$keyspace.$table.json" | cql --insert "$keyspace.$table"
  done
done`,
    // The drill reads each row, and fills no server: that would need as much memory as a member.
    drill: `backup get keyspaces > /tmp/keyspaces
for keyspace in $(cat /tmp/keyspaces); do
  backup get "$keyspace.tables" > /tmp/tables
  for table in $(cat /tmp/tables); do backup get "$keyspace.$table.json" | jq empty; done
done`,
  };
}
