/** The loop that tells nginx where its backends are. */
import type { List } from "../core/contracts.ts";

/** nginx writes below this folder alone. */
export const work = "/tmp/nginx";
export const upstreamsFile = `${work}/upstreams.conf`;
/** Settings that only newer versions know. */
export const newerFile = `${work}/newer.conf`;
/** Where a route leads that has no backend at the moment: a server of ours that answers 503. */
export const nobody = `unix:${work}/nobody.sock`;

/** Most workers, old and new; two are new. With certificates and a hundred routes a worker takes about 3 MiB. */
const mostWorkers = 34;

export interface Upstream {
  readonly name: string;
  readonly port: number;
  /** Names; each may stand for any number of addresses. */
  readonly hosts: List<string>;
  /** Sessions stay with a replica; unset: all replicas in turn. */
  readonly sticky?: {
    /** nginx' variable with the mark that the visitor brought. */
    readonly brought: string;
    /** Variables that are made here: the upstream of that mark, and the mark of the replica that has answered. */
    readonly leads: string;
    readonly answered: string;
  };
}

/**
 * Shell before nginx: writes the upstreams once, then looks again every second in the background. The loop tells nginx
 * of changes only. nginx ends the requests under way with its old configuration. If a name is gone, its addresses go,
 * too: they are soon another container's. But while DNS itself fails (`ownName`, the edge's, is not found either) all
 * stay. `max_fails=0`: nginx counts an application's own 503 as a failure, and one visitor could put every replica out
 * of use.
 *
 * Each replica has an upstream of its own for its sessions, in which the others only stand by: a session stays,
 * whatever replicas come and go. A replica's mark is the same on every balancer. Only who has the secret file `key` can
 * make one.
 */
export function resolver(upstreams: List<Upstream>, configFile: string, key: string, ownName: string): string {
  return `set -eu
mkdir -p ${work}
rm -f ${work}/nobody.sock ${work}/nginx.pid ${work}/alive
resolve() {
  for name in "$@"; do
    getent ahostsv4 "$name" | while read -r address type rest; do [ "$type" != STREAM ] || echo "$address"; done
  done | sort -u
}
upstream() {
  name=$1 port=$2 brought=$3 leads=$4 answered=$5
  shift 5
  echo "upstream $name {"
  echo "  zone $name 64k;"
  addresses="$(resolve "$@")"
  for address in $addresses; do echo "  server $address:$port max_fails=0;"; done
  [ -n "$addresses" ] || echo "  server ${nobody};"
  echo "}"
  [ -z "$brought" ] || sticky
}
mark() { { echo "$1"; cat ${key}; } | sha256sum | cut -c -32; }
sticky() {
  lead="  default $name;"
  answer="  default '';"
  for address in $addresses; do
    mark="$(mark "$address")"
    echo "upstream $name-$mark {"
    echo "  server $address:$port max_fails=0;"
    for other in $addresses; do [ "$other" = "$address" ] || echo "  server $other:$port max_fails=0 backup;"; done
    echo "}"
    lead="$lead
  $mark $name-$mark;"
    answer="$answer
  '~(^|[ ,])$address:$port$' $mark;"
  done
  echo "map $brought $leads {"
  echo "$lead"
  echo "}"
  echo 'map $upstream_addr '"$answered {"
  echo "$answer"
  echo "}"
}
upstreams() {
  :
${upstreams.map(line).join("\n")}
}
dns() { getent ahostsv4 ${ownName} >/dev/null; }
changed() {
  dns && upstreams >${work}/next && dns || return 1
  [ "$(cat ${work}/next)" != "$(cat ${upstreamsFile})" ] || return 1
  mv ${work}/next ${upstreamsFile}
}
# Each change leaves workers that go on until their last request has ended, an hour where a websocket may last that long:
# of many the oldest end now, before the container's memory does.
fewer() {
  workers=
  # This loop is a child of nginx as well.
  for child in $(cat "/proc/$1/task/$1/children"); do
    read -r program <"/proc/$child/comm" && [ "$program" = nginx ] && workers="$workers $child"
  done
  set -- $workers
  while [ $# -gt ${String(mostWorkers)} ]; do kill -TERM "$1"; shift; done
}
upstreams >${upstreamsFile}
# Since 1.27.4: a kept connection of a client is not closed at a change while its next request may be on its way.
echo "keepalive_min_timeout 10s;" >${newerFile}
nginx -t -q -c ${configFile} 2>/dev/null || : >${newerFile}
(
  set +e
  tell=
  while sleep 1; do
    changed && tell=yes
    # Before nginx has written its number there is nobody to tell: again in a second.
    master="$(cat ${work}/nginx.pid 2>/dev/null)"
    [ -n "$tell" ] && kill -HUP "$master" 2>/dev/null && tell=
    fewer "$master" 2>/dev/null
    : >${work}/alive
  done
) &`;
}

function line({ name, port, hosts, sticky }: Upstream): string {
  const { brought = "", leads = "", answered = "" } = sticky ?? {};
  return `  upstream ${name} ${String(port)} '${brought}' '${leads}' '${answered}' ${hosts.join(" ")}`;
}
