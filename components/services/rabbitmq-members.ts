/**
 * What a RabbitMQ cluster is told when members come and go: bash in RabbitMQ's own image, with the cluster's cookie.
 */
import type { List } from "../core/contracts.ts";

/** Where the server's files are. */
export const folder = "/run/rabbitmq";
export const nodeName = (host: string): string => `rabbit@${host}`;

/** RabbitMQ's commands are Erlang nodes, which the cookie lets in. */
const cookie = `install -m 0600 ${folder}/cookie "$HOME/.erlang.cookie"`;
const runs = (host: string): string => `rabbitmq-diagnostics -q -n ${nodeName(host)} check_running >/dev/null 2>&1`;

/** Gives new members copies of older queues: a queue that was declared before a member came has no copy on it. */
export function grow(hosts: List<string>): string {
  const [first = ""] = hosts;
  return [cookie, ...hosts.map((host) => `rabbitmq-queues -q -n ${nodeName(first)} grow ${nodeName(host)} all`)].join(
    "\n",
  );
}

/**
 * Before the first start on an empty disk: the others refuse a node that they know, and that does not know them. They
 * forget one only once they see it down, which takes ten seconds after its machine was lost.
 */
export function forgotten(host: string, others: List<string>): string {
  return `for try in $(seq 30); do
  known=
  for other in ${others.join(" ")}; do
    getent hosts "$other" >/dev/null || continue
    if said=$(rabbitmqctl -q -n rabbit@$other forget_cluster_node ${nodeName(host)} 2>&1); then break 2; fi
    case $said in ${stranger}) break 2 ;; esac
    known=yes
  done
  [ -n "$known" ] || break
  sleep 2
done`;
}
/** What the cluster says of a node that it does not have. */
const stranger = '*"not in the cluster"* | *not_a_cluster_node*';

/**
 * Runs before a member goes. The member gives up its copies of the queues and leaves the cluster, so that the others
 * count their majority without it. A lost member cannot do so: `left` takes it out.
 */
export function leave(host: string, stay: List<string>): string {
  return `${cookie}
by=
for other in ${stay.join(" ")}; do if ${runs("$other")}; then by=rabbit@$other; break; fi; done
if [ -z "$by" ]; then echo "${host} stays: none of ${stay.join(", ")} runs; bring the cluster back first" >&2; exit 1; fi
rabbitmq-queues -q -n $by shrink ${nodeName(host)}
queues=$(rabbitmqctl -q -n $by list_queues --no-table-headers name members)
kept=$(echo "$queues" | grep -F '${nodeName(host)}' | cut -f 1 || true)
if [ -n "$kept" ]; then echo "${host} stays: it has copies that no other member can do without, of" $kept >&2; exit 1; fi
if ${runs(host)}; then
  rabbitmqctl -q -n ${nodeName(host)} stop_app
  rabbitmqctl -q -n ${nodeName(host)} reset
fi`;
}

/**
 * Runs after the node is gone. The other nodes remove it from the cluster if it could not remove itself. RabbitMQ
 * allows that only once it sees the node down.
 */
export function left(host: string, stay: List<string>): string {
  return `${cookie}
for try in $(seq 60); do
  for other in ${stay.join(" ")}; do
    if ! ${runs("$other")}; then continue; fi
    if said=$(rabbitmqctl -q -n rabbit@$other forget_cluster_node ${nodeName(host)} 2>&1); then exit 0; fi
    case $said in ${stranger}) exit 0 ;; esac
    break
  done
  sleep 2
done
echo "${host} has gone, but the cluster does not strike it off: \${said:-no member runs}" >&2
exit 1`;
}
