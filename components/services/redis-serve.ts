/** How one of three Redis servers starts, finds out who leads, and hands over before it ends: shell in its container. */
import type { List } from "../core/contracts.ts";
import { paths } from "./redis-parts.ts";

export const sentinelPort = 26379;

/** Another server of the three, or this one. */
export interface Other {
  /** Its address: a name. */
  readonly host: string;
  /** Where its Redis listens: no two of the three alike, as the sentinels know servers by addresses, which change. */
  readonly port: number;
}

/** Who a server is among the three. */
export interface Member extends Other {
  /** The sentinels' name for the three. */
  readonly group: string;
  /** It leads where nobody ever did. */
  readonly first: boolean;
  readonly others: List<Other>;
  /** It has an append-only file. */
  readonly keep: boolean;
  /** The members sign in to each other. */
  readonly auth: boolean;
}

/** The sentinel's own file: it writes there whom it follows. */
const state = "/data/sentinel.conf";
/** It is there once the server has joined the others, or cannot yet. */
const joined = "/tmp/joined";
/** It is there while the server does not know who leads. */
const waits = "/tmp/waits";

/**
 * For the probe: a server that takes its data over is not ready, so that the next one stays until then. One that must
 * wait for others is: they come after it.
 */
export const settled = `[ -e ${joined} ] || { echo "Redis: joins the others"; exit 1; }
[ ! -e ${waits} ] || exit 0`;

/**
 * A server starts once it knows who leads: the one of the highest epoch that this sentinel or another one knows, and
 * another one must answer, as two of the three always know. Till it has all that the leader has, it cannot be elected. A
 * leader that starts again is down for the others until they have elected another, which has all that was acknowledged;
 * it leads again only if none of them can. Nobody leads with an empty disk but the first of three empty ones: it would
 * empty the others.
 *
 * Servers and sentinels are told addresses, no names: both stand still while they look one up, and the name of what is
 * gone takes long. A server is known by its port.
 */
export function serve({ group, host, port, first, others, keep, auth }: Member): string {
  const servers = [{ host, port }, ...others];
  return `umask 077
me=${String(port)}
others="${others.map((other) => String(other.port)).join(" ")}"
name() { case "$1" in ${servers.map((each) => `${String(each.port)}) echo ${each.host} ;;`).join(" ")} esac; }
address() { getent hosts "$(name "$1")" | awk '{ print $1; exit }'; }
${auth ? `word="$(cat ${paths.members})"\n` : ""}redis() { ${auth ? 'REDISCLI_AUTH="$word" ' : ""}timeout 2 redis-cli -e ${auth ? "--user member " : ""}"$@"; }
own() { redis -p $me "$@"; }
sentinel() { ${auth ? 'REDISCLI_AUTH="$word" ' : ""}timeout 2 redis-cli -h "$1" -p ${String(sentinelPort)} sentinel $2; }
say() { [ "$1" = "$said" ] || echo "${host}: $1"; said="$1"; }
said=
had=${keep ? "; ls /data/appendonlydir/*.manifest >/dev/null 2>&1 && had=yes" : ""}

# Writes the sentinel's file: our settings of today, and whom it follows: $1 the epoch, $2 the address, $3 the port.
# Without any, as the file before had it. A sentinel that knows no replica may be elected, and could promote none. On a
# full disk the file stays as it was: with a part of it no sentinel would start.
remember() {
  kept="$(grep -E '^sentinel (myid|(monitor|config-epoch|leader-epoch|known-sentinel) ${group}|current-epoch) ' ${state} 2>/dev/null)"
  [ -z "$3" ] || kept="$(echo "$kept" | grep -vE '^sentinel (monitor|config-epoch) ')
sentinel monitor ${group} $2 $3 2
sentinel config-epoch ${group} $1"
  text="$(
    cat ${paths.sentinel}
    case "$kept" in *"sentinel monitor "*) cat ${paths.group} ;; esac
    echo "$kept"
    for each in $me $others; do
      case "$kept" in *"sentinel monitor ${group} "*" $each 2"*) continue ;; *"sentinel monitor "*) ;; *) break ;; esac
      at="$(address $each)"
      [ -z "$at" ] || echo "sentinel known-replica ${group} $at $each"
    done
  )"
  printf '%s\n' "$text" >${state}.new 2>/dev/null
  if [ "$(cat ${state}.new)" != "$text" ]; then
    say "has no room on its disk for what its sentinel knows"
    return 1
  fi
  mv ${state}.new ${state}
}
# The sentinel follows a leader where it is now. It is started again below, and reads its file.
follow() {
  [ "$view" != "$*" ] || return 0
  remember "$@" || return
  ${auth ? 'REDISCLI_AUTH="$word" ' : ""}timeout 2 redis-cli -p ${String(sentinelPort)} shutdown >/dev/null 2>&1
  return 0
}

# What a sentinel says: \`heard\`, and the leader's epoch, address and port, if it knows one.
view() {
  sentinel "$1" masters 2>/dev/null | awk '
    $0 == "ip" { getline; ip = $0 }
    $0 == "port" { getline; port = $0 }
    $0 == "config-epoch" { getline; epoch = $0 }
    END { print "heard", epoch, ip, port }'
}
heard() { sentinel "$1" myid 2>/dev/null | grep -qE '^[0-9a-f]{40}$'; }

# Finds out who leads: $leader since $epoch, at $there, all of which the sentinel then follows. Fails while it must wait.
join() {
  heard 127.0.0.1 || return
  view="$(view 127.0.0.1)"; view="\${view#heard }"; view="\${view#  }"
  best="$view"; count=0
  for other in $others; do
    heard "$(name "$other")" || continue
    count=$((count + 1))
    its="$(view "$(name "$other")")"
    best="$best
\${its#heard }"
  done
  best="$(echo "$best" | grep '[0-9]' | sort -n | tail -n 1)"
  epoch="\${best%% *}"; leader="\${best##* }"; there="\${best#* }"; there="\${there% *}"
  if [ -z "$leader" ]; then
    touch ${joined}
    ${
      first
        ? `[ "$had" = yes ] || [ "$count" = ${String(others.length)} ] || return
    say "is the first of three, and leads"
    epoch=0; leader=$me`
        : "return 1"
    }
  elif [ "$count" = 0 ]; then
    touch ${joined} # a swarm gives a name to nobody else
    say "waits for another sentinel: one of three does not know who leads"
    return 1
  elif [ "$leader" = $me ]; then
    for other in $others; do
      case "$(redis -h "$(name "$other")" -p "$other" info replication 2>/dev/null)" in
        *role:master* | *slave_priority:[1-9]*) say "led before it started, and waits until $(name "$other") does"; return 1 ;;
      esac
    done
    ${
      keep
        ? `if [ "$had" != yes ]; then
      say "has lost its data, and no other server is known to have it all. Choose one that has: redis-cli config set replica-priority 100"
      return 1
    fi
    `
        : ""
    }say "leads again: no other server can"
  else
    say "follows $(name "$leader")"
  fi
  now="$(address "$leader")"
  there="\${now:-$there}"
  follow "$epoch" "$there" "$leader"
}

watch() {
  synced=; turns=0${keep ? "; full=0" : ""}
  while sleep 1; do
    turns=$((turns + 1))
    facts="$(own info replication 2>/dev/null | tr -d '\\r')"
    case "$facts" in
      *role:master*)
        # Once it leads no more, it has what the others have not, and cannot be elected until that is gone.
        [ "$synced" = leads ] || { own config set replica-priority 0 >/dev/null && synced=leads; }
        touch ${joined}${
          keep
            ? `
        # It answers each write with an error: another one leads, if one can. It is told some seconds later that it leads no more.
        case "$(own info persistence 2>/dev/null)" in *aof_last_write_status:err*) full=$((full + 1)) ;; *) full=0 ;; esac
        if [ "$full" -ge 3 ]; then
          full=0
          case "$(view 127.0.0.1)" in *" $me") say "cannot write to its disk, and hands over"; sentinel 127.0.0.1 "failover ${group}" >/dev/null ;; esac
        fi`
            : ""
        } ;;
      *master_link_status:up*)
        [ "$synced" = yes ] || { own config set replica-priority 100 >/dev/null && synced=yes; }
        touch ${joined} ;;
      *role:slave*)
        [ "$synced" != yes ] || continue
        synced=
        case "$facts" in *master_sync_in_progress:1*) continue ;; esac
        [ "$turns" -lt 10 ] || touch ${joined}${
          keep
            ? ""
            : `
        [ "$turns" != 30 ] || own config set replica-priority 100 >/dev/null # an empty cache is better than none`
        }
        join && [ "$leader" != $me ] || continue
        case "$facts" in
          *"master_host:$there
master_port:$leader"*) ;;
          *) own replicaof "$there" "$leader" >/dev/null ;;
        esac ;;
    esac
  done
}

# A leader that is told to end first gives its replicas all that they have not yet (shutdown-timeout). Then one of them
# leads at once: the sentinels need not find out.
end() {
  trap "" TERM
  led="$(own info replication | grep '^role:master')"
  kill -TERM $server
  wait $server
  for other in $others; do
    [ -n "$led" ] || break
    case "$(view "$(name "$other")")" in *" $me") ;; *) continue ;; esac
    case "$(sentinel "$(name "$other")" "failover ${group}" 2>&1)" in OK) break ;; esac
  done
}

rm -f ${joined}
touch ${waits}
remember
# A sentinel that was not run for two seconds elects nobody for half a minute: five seconds are enough.
while :; do
  [ -e ${state} ] || remember
  redis-server ${state} --sentinel &
  sleep 1
  sentinel 127.0.0.1 "debug tilt-period 5000" >/dev/null
  wait $!
done &
until join; do sleep 1; done
rm ${waits}
[ "$leader" = $me ] && role= || role="--replicaof $there $leader"
redis-server ${paths.conf} --replica-priority 0 $role &
server=$!
trap end TERM
watch &
while kill -0 $server 2>/dev/null; do wait $server; code=$?; done
exit "$code"`;
}
