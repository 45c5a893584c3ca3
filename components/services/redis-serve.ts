/** How one of three Redis servers starts, finds out who leads, and hands over before it ends: shell in its container. */
import type { List } from "../core/contracts.ts";
import { paths, port } from "./redis-parts.ts";

export const sentinelPort = 26379;

/** Who a server is among the three. */
export interface Member {
  /** The sentinels' name for the three. */
  readonly group: string;
  /** Its address. */
  readonly host: string;
  /** From 1 on. */
  readonly number: number;
  /** The addresses of the other two. */
  readonly others: List<string>;
  /** It has an append-only file. */
  readonly keep: boolean;
  /** The members sign in to each other. */
  readonly auth: boolean;
}

/** The sentinel's own file: it writes there whom it follows. */
const state = "/data/sentinel.conf";
/** It is there once the server has joined the others, or cannot yet. */
const joined = "/tmp/joined";

/** For the probe: a server that takes its data over is not ready, so that the next one stays until then. */
export const settled = `[ -e ${joined} ] || { echo "Redis: joins the others"; exit 1; }`;

/**
 * Every server starts as a replica of nobody, which cannot be elected and answers its own container alone. `join` finds
 * the leader: the one of the highest epoch that this sentinel or another one knows, and another one must answer, as two
 * of the three always know. A leader that starts again is down for the others until they have elected another, which has
 * all that was acknowledged; it leads again only if none of them can. Nobody leads with an empty disk but the first of
 * three empty ones: it would empty the others.
 */
export function serve({ group, host, number, others, keep, auth }: Member): string {
  return `umask 077
me=${host}
others="${others.join(" ")}"
${auth ? `word="$(cat ${paths.members})"\n` : ""}redis() { ${auth ? 'REDISCLI_AUTH="$word" ' : ""}timeout 2 redis-cli -e ${auth ? "--user member " : ""}-p ${String(port)} "$@"; }
sentinel() { ${auth ? 'REDISCLI_AUTH="$word" ' : ""}timeout 2 redis-cli -p ${String(sentinelPort)} "$@"; }
say() { [ "$1" = "$said" ] || echo "$me: $1"; said="$1"; }
said=
had=${keep ? "; ls /data/appendonlydir/*.manifest >/dev/null 2>&1 && had=yes" : ""}

# What the sentinel has written stays, with our settings of today. $1: whom it shall follow, if it follows nobody yet.
remember() {
  kept="$(grep -E '^sentinel (myid|(monitor|config-epoch|leader-epoch|known-replica|known-sentinel) ${group}|current-epoch) ' ${state} 2>/dev/null)"
  case "$kept" in
    *"sentinel monitor "*) ;;
    *) [ -z "$1" ] || kept="$kept
sentinel monitor ${group} $1 ${String(port)} 2" ;;
  esac
  cat ${paths.sentinel} >${state}.new
  case "$kept" in *"sentinel monitor "*) cat ${paths.group} >>${state}.new ;; esac
  echo "$kept" >>${state}.new
  mv ${state}.new ${state}
}
follow() {
  remember "$1"
  sentinel shutdown >/dev/null 2>&1 # it is started again below, and reads the file
}

opened=
open() { [ "$opened" = yes ] || { redis config set bind '* -::*' >/dev/null && opened=yes; }; }
lead() { redis replicaof no one >/dev/null && open; }

# Prints \`heard\`, and the epoch and the leader that a sentinel knows.
view() {
  printf 'ping\\nsentinel master ${group}\\n' | sentinel -h "$1" 2>/dev/null | awk '
    NR == 1 && $0 == "PONG" { print "heard" }
    $0 == "ip" { getline; ip = $0 }
    $0 == "config-epoch" { getline; epoch = $0 }
    END { if (ip != "") print epoch, ip }'
}

join() {
  own="$(view 127.0.0.1)"
  case "$own" in heard*) ;; *) return ;; esac
  heard=0; best="\${own#heard}"
  for other in $others; do
    its="$(view "$other")"
    case "$its" in heard*) heard=$((heard + 1)) ;; esac
    best="$best
\${its#heard}"
  done
  leader="$(echo "$best" | grep . | sort -n | tail -n 1 | cut -d ' ' -f 2)"
  if [ -z "$leader" ]; then
    touch ${joined}
    [ ${String(number)} = 1 ] || return
    if [ "$had" = yes ] || [ "$heard" = ${String(others.length)} ]; then
      say "is the first of three, and leads"
      follow "$me"
      lead
    fi
    return
  fi
  if [ "$heard" = 0 ]; then
    touch ${joined} # a swarm gives a name to nobody else
    say "waits for another sentinel: one of three does not know who leads"
    return
  fi
  case "$own" in *" "*) ;; *) follow "$leader" ;; esac
  if [ "$leader" != "$me" ]; then
    say "follows $leader"
    [ "$at" = "$leader" ] || redis replicaof "$leader" ${String(port)} >/dev/null && open
    return
  fi
  for other in $others; do
    case "$(redis -h "$other" info replication 2>/dev/null)" in
      *role:master* | *slave_priority:[1-9]*) say "led before it started, and waits until $other does"; return ;;
    esac
  done
  ${
    keep
      ? `if [ "$had" != yes ]; then
    say "has lost its data, and no other server is known to have it all. Choose one that has: redis-cli config set replica-priority 100"
    return
  fi
  `
      : ""
  }say "leads again: no other server can"
  lead
}

watch() {
  synced=; turns=0
  while sleep 1; do
    turns=$((turns + 1))
    facts="$(redis info replication 2>/dev/null | tr -d '\\r')" || continue
    at="$(echo "$facts" | sed -n 's/^master_host://p')"
    case "$facts" in
      *role:master*)
        # Once it leads no more, it has what the others have not, and cannot be elected until that is gone.
        [ "$synced" = leads ] || { redis config set replica-priority 0 >/dev/null && synced=leads; }
        touch ${joined} ;;
      *master_link_status:up*)
        [ "$synced" = yes ] || { redis config set replica-priority 100 >/dev/null && synced=yes; }
        touch ${joined} ;;
      *role:slave*)
        [ "$synced" != yes ] || continue
        synced=
        case "$facts" in *master_sync_in_progress:1*) ;; *) [ "$turns" -lt 10 ] || touch ${joined} ;; esac${
          keep
            ? ""
            : `
        [ "$turns" != 30 ] || redis config set replica-priority 100 >/dev/null # an empty cache is better than none`
        }
        join ;;
    esac
  done
}

# A leader that is told to end first gives its replicas all that they have not yet (shutdown-timeout). Then one of them
# leads at once: the sentinels need not find out.
end() {
  trap "" TERM
  led="$(redis info replication | grep '^role:master')"
  kill -TERM $server
  wait $server
  for other in $others; do
    [ -n "$led" ] || break
    case "$(view "$other")" in *" $me") ;; *) break ;; esac
    case "$(sentinel -h "$other" sentinel failover ${group} 2>&1)" in OK) break ;; esac
  done
}

remember ""
# A sentinel that was not run for two seconds elects nobody for half a minute: five seconds are enough.
while :; do
  redis-server ${state} --sentinel &
  sleep 1
  sentinel sentinel debug tilt-period 5000 >/dev/null
  wait $!
done &
redis-server ${paths.conf} --bind 127.0.0.1 --replicaof 127.0.0.1 1 --replica-priority 0 &
server=$!
trap end TERM
watch &
while kill -0 $server 2>/dev/null; do wait $server; code=$?; done
exit "$code"`;
}
