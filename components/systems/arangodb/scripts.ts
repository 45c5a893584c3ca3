import { createHmac } from "node:crypto";

import type { List } from "../../core/contracts.ts";

/** The paths of a server's data, and of the secrets that must not be in its environment. */
export const paths = {
  disk: "/var/lib/arangodb3",
  jwt: "/run/arangodb/jwt",
  rootPassword: "/run/arangodb/root-password",
  login: "/run/arangodb/login.curl",
  member: "/run/arangodb/member.curl",
} as const;
export const port = 8529;
/** The name under which any coordinator answers. */
export const coordinatorsName = "coordinators";
export const at = (host: string): string => `tcp://${host}:${String(port)}`;

/** The file that a topology leaves on a new disk. */
export const marker = ".disk";
const { disk, rootPassword, login, member } = paths;
const api = `http://${coordinatorsName}:${String(port)}`;
const curl = `curl -fsS -m 90 -K ${member}`;
const curlAsRoot = `curl -fsS -m 90 -K ${login}`;

/**
 * What members sign in with at each other, and our jobs with them, so that another password of root is nothing to them. It may do
 * everything, without an end (docs.arango.ai, "Authentication": HS256, `server_id`).
 */
export function memberToken(secret: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = `${part({ alg: "HS256", typ: "JWT" })}.${part({ iss: "arangodb", server_id: "platform-topologies" })}`;
  return `${claims}.${createHmac("sha256", secret).update(claims).digest("base64url")}`;
}

/** Refuses a disk without its data: a member that comes back empty can replicate emptiness. */
export function neverEmpty(name: string, remedy: string): string {
  return `set -eu
[ -e ${disk}/ENGINE ] || [ -e ${disk}/${marker} ] || { echo "${name} has lost its data: ${remedy}" >&2; exit 1; }`;
}

/** From the second start on, the server itself refuses a disk without its id. */
export const persisted = `[ ! -e ${disk}/UUID ] || set -- "$@" --cluster.require-persisted-id=true`;

/**
 * A server of another version first brings its data up to date and ends (`--database.auto-upgrade`), then serves. The
 * script notes the version that ran last on the disk: a coordinator's directory has no note of its own.
 */
export const upgraded = `version=$(arangod --version | head -n 1)
if [ -e ${disk}/ENGINE ] && [ "$(cat ${disk}/.version 2>/dev/null)" != "$version" ]; then "$@" --database.auto-upgrade=true; fi
echo "$version" > ${disk}/.version
[ "$(cat /proc/sys/vm/max_map_count)" -ge 262144 ] || echo "vm.max_map_count is below 262144 on this host: raise it before there is much data (sysctl -w vm.max_map_count=262144)" >&2`;

/**
 * Root has this password until `rootLogin`, so a server never restarts for another one. A statement of its own: an unreadable
 * file stops the start, else root would have none.
 */
export const firstPassword = `ARANGODB_DEFAULT_ROOT_PASSWORD="$(cat ${paths.jwt})"; export ARANGODB_DEFAULT_ROOT_PASSWORD`;

/** jq: the members with this address, as `id status may-go`. An older server may have had the same address. */
const known = (host: string): string =>
  `jq -r '.Health | to_entries[] | select(.value.Endpoint == "${at(host)}") | "\\(.key) \\(.value.Status) \\(.value.CanBeDeleted)"'`;

/**
 * Runs before a DB server goes: its copies go elsewhere, or it stays. A failed server cannot move its copies: the
 * cluster makes new ones from the other servers' copies, and this waits until the cluster lists none for the failed
 * server.
 */
export function leave(host: string): string {
  return `health() { ${curl} ${api}/_admin/cluster/health; }
stay() { echo "${host} stays: $1" >&2; exit 1; }
inventories() { # a line for each database
  ${curl} ${api}/_api/database | jq -r '.result[]' >/tmp/dbs || return
  for db in $(cat /tmp/dbs); do
    ${curl} "${api}/_db/$db/_api/replication/clusterInventory?includeSystem=true" | jq -c --arg db "$db" '{$db} + .' || return
  done
}
books=$(health) || stay "no coordinator answers; bring the cluster back first"
others=$(echo "$books" | jq '[.Health[] | select(.Role == "DBServer" and .Status == "GOOD" and .Endpoint != "${at(host)}")] | length')
inventories >/tmp/inventories || stay "not every database tells its collections; bring the cluster back first"
jq -r '.db as $db | .collections[].parameters | select(.replicationFactor | type == "number") | "\\(.replicationFactor) \\($db)/\\(.name)"' /tmp/inventories | sort -rn >/tmp/kept
read -r most where </tmp/kept || stay "the coordinator names no collection, as its own are; bring the cluster back first"
[ "$most" -le "$others" ] || stay "$where keeps $most copies, and $others other DB servers are healthy; lower its replicationFactor, or keep this server in the config"
echo "$books" | ${known(host)} | while read -r id status gone; do
  for wait in 1 2 3 4 5 6; do
    [ "$status" = BAD ] || break
    sleep 5
    status=$(health | jq -r --arg id "$id" '.Health[$id].Status')
  done
  if [ "$status" = GOOD ]; then
    job=$(${curl} -X POST -d "{\\"server\\":\\"$id\\"}" ${api}/_admin/cluster/cleanOutServer | jq -er .id)
    unheard=0
    while true; do
      # Any coordinator is asked, and one may not have heard of the job yet.
      if ! answer=$(${curl} "${api}/_admin/cluster/queryAgencyJob?id=$job"); then
        unheard=$((unheard + 1))
        [ $unheard -lt 60 ] || stay "no coordinator says what became of its clean-out"
        sleep 1
        continue
      fi
      case $(echo "$answer" | jq -r .status) in
        Finished) break ;;
        Failed) stay "its shards cannot be moved: $(echo "$answer" | jq -r '.reason // "the cluster does not say why"')" ;;
      esac
      sleep 1
    done
  else
    began=$(date +%s)
    until [ "$gone" = true ]; do
      led=
      if inventories >/tmp/inventories; then led=$(jq -r --arg id "$id" '.db as $db | .collections[].parameters | select([.shards[][0]] | index($id)) | "\\($db)/\\(.name)"' /tmp/inventories); fi
      [ -z "$led" ] || [ $(($(date +%s) - began)) -lt 180 ] || stay "it failed with the only copy in sync of $(echo $led): bring its disk back, or restore these from a backup"
      sleep 2
      gone=$(health | jq -r --arg id "$id" '.Health[$id].CanBeDeleted // true')
    done
  fi
done`;
}

/** Runs after a member has gone: the cluster removes it, once it has noticed. */
export function left(host: string): string {
  return `for try in $(seq 300); do
  ids=$(${curl} ${api}/_admin/cluster/health | ${known(host)} | cut -d ' ' -f 1)
  [ -n "$ids" ] || exit 0
  for id in $ids; do
    curl -sS -m 90 -K ${member} -o /dev/null -X POST -d "\\"$id\\"" ${api}/_admin/cluster/removeServer
  done
  sleep 2
done
echo "${host} has gone, but the cluster does not strike it off: see its health in the web interface" >&2
exit 1`;
}

/** Maintenance while versions change: no member takes over from one that restarts. It ends by itself after an hour. */
export function maintenance(mode: "on" | "off"): string {
  const begun = `code=$(curl -s -m 20 -o /dev/null -w '%{http_code}' -K ${member} ${api}/_api/version || true)
[ "$code" != 000 ] || exit 0 # no cluster yet, or none that could take over
`;
  return `${mode === "on" ? begun : ""}${curl} -X PUT -d '"${mode}"' ${api}/_admin/cluster/maintenance`;
}

/** Runs before an agent comes back empty: makes sure that the others are a majority without it. */
export function othersAgree(agent: string): string {
  return `good=$(${curl} ${api}/_admin/cluster/health | jq '[.Health[] | select(.Role == "Agent" and .Status == "GOOD" and .Endpoint != "${at(agent)}")] | length')
[ "$good" -ge 2 ] || { echo "${agent} cannot be made again: $good of the other two agents are healthy; bring them back first" >&2; exit 1; }`;
}

/**
 * Gives root the stack's password, as a member may, so another one needs no old one. A coordinator hears of it from the others
 * a moment later. Then the password is let in, and none is not.
 */
export const rootLogin = `jq -n --rawfile passwd ${rootPassword} '{$passwd}' | ${curl} -X PATCH -d @- -o /dev/null ${api}/_api/user/root
${curlAsRoot} --retry 10 --retry-delay 2 --retry-all-errors ${api}/_api/version
code=$(curl -sS -o /dev/null -w '%{http_code}' --user root: ${api}/_api/version)
[ "$code" = 401 ] || { echo "root has no password: change it before anything else" >&2; exit 1; }`;

const options = `--server.endpoint ${at(coordinatorsName)} --server.username root --server.password "$(cat ${rootPassword})" --all-databases true --include-system-collections true`;

const local = "/tmp/arangodb";

/** The dump has no users: root's password is this stack's own, and a restored one could be another stack's. */
export const dump = `trap 'rm -rf ${local}' EXIT
arangodump ${options} --ignore-collection _users --output-directory ${local} --overwrite true
(cd ${local} && find . -type f | sort) | backup put files
tar -C ${local} -c . | backup put dump.tar`;

export const restore = `${curlAsRoot} ${api}/_api/database | jq -e '.result == ["_system"]' >/dev/null || { echo "the cluster has databases: a restore goes into an empty one only" >&2; exit 1; }
mkdir -p ${local}
backup get dump.tar | tar -C ${local} -x
arangorestore ${options} --input-directory ${local} --create-database true`;

/**
 * The drill fills no server: each byte has to be there, and each file of the dump readable. An empty cluster has no
 * files.
 */
export const drill = `backup get files > /tmp/files
backup get dump.tar | tar -t --quoting-style=literal | sed '/\\/$/d' | sort | diff -q - /tmp/files > /dev/null || { echo "the dump does not have the files that were saved" >&2; exit 1; }`;

/** A job of the toolbox, in bash. */
export function bash(script: string): List<string> {
  return ["bash", "-euo", "pipefail", "-c", script];
}
