/** Three Solrs that keep the same collections, and what one alone has in common with them. */
import type { Ask, Given, List, Member, Platform, Slot } from "../core/contracts.ts";
import { onlySaid, quickNames, replaySeconds, storeOptions, toolbox } from "../core/recipe.ts";
import { shellWord } from "../core/syntax.ts";
import { leaderProxy } from "./leader-proxy.ts";

/** Where Solr answers. */
export const port = 8983;
export const command = ["solr", "start", "-f", "-c", "-p", String(port)];
export const rebuilt = "the index is made again from the database: `arkindex reindex`";
const zookeeperPort = 9983; // of the ZooKeeper inside a single Solr, too
const zoo = "/var/solr/data/zoo_data"; // where that one has its data
const zooConf = "/run/solr/zoo.cfg";
/** Longer than any member's start takes to catch up, shorter than anybody waits for the end of one. */
const patienceSeconds = 300;
/** For how long a Solr that is told to end may do so. */
const endSeconds = 60;

/**
 * Each Solr has a ZooKeeper beside it in its container, on the disk of the one inside a single Solr, so that a first
 * member that was alone keeps its collections. Clients reach those that work by a pair of proxies, under one name.
 */
export function threeSolrs(p: Platform, name: string, ask: Ask<"solr">): Given<"solr"> {
  const members = [1, 2, 3].map((number) => `${name}-${String(number)}`);
  const hosts = members.map((each) => p.address(each));
  const [first = ""] = hosts;
  const { names, nodes, image } = storeOptions(ask, "solr");
  const made = p.slots(name, { count: hosts.length }, ({ host, number }): Slot => {
    const others = hosts.filter((other) => other !== host);
    return {
      image,
      ...(nodes === undefined ? {} : { nodes }),
      tier: "data",
      cpu: 2,
      memoryMib: ask.memoryMib * 2 + 256, // ZooKeeper's heap is 128
      user: "8983:8983",
      env: {
        ...environment(ask, host),
        ...quickNames,
        ZK_HOST: `127.0.0.1:${String(zookeeperPort)}`,
        SOLR_OPTS: `${freshNames} ${updateTimes} -DzkClientTimeout=10000 -DCoreInitFailedAction=fromleader`,
      },
      files: [{ path: zooConf, content: conf(hosts) }],
      prepare: prepare(p, { number, host }, others),
      command,
      ports: {
        http: { number: port, protocol: "http" },
        quorum: { number: 2888, protocol: "tcp" },
        election: { number: 3888, protocol: "tcp" },
      },
      health: {
        ready: { command: ["sh", "-c", probe(p, others)] },
        startSeconds: replaySeconds,
        stopSeconds: patienceSeconds + endSeconds + 30,
      },
      ...(host === first ? {} : { leave: { ...toolbox, tier: "data", command: leave(first, host), seconds: 600 } }),
      disk: { path: "/var/solr", gib: ask.gib, backup: { rebuilt } },
    };
  });
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    command: ["bash", "-euo", "pipefail", "-c", fill(hosts, ask)], // a Solr that does not answer yet is no empty answer
    eachDisk: true,
    seconds: 3600,
    after: made,
  });
  const proxy = leaderProxy(p, `${name}-proxy`, {
    hosts,
    ways: { http: { port, to: port, check: anyHealthy } },
    names,
    nodeLabels: ask.nodeLabels,
    after: made,
  });
  return { host: names?.[0] ?? proxy.host, port, members, ready: [...setup.ready, ...proxy.ready] };
}

/** Solr's own variables. */
export function environment({ memoryMib }: Pick<Ask<"solr">, "memoryMib">, host: string) {
  return { SOLR_HEAP: `${String(memoryMib)}m`, SOLR_HOST: host, SOLR_JETTY_HOST: "0.0.0.0" };
}

/** Java keeps a name's address for half a minute, and a member that starts again has another. */
const freshNames = "-Dsun.net.inetaddr.ttl=3 -Dsun.net.inetaddr.negative.ttl=1";

/** For how long a leader waits for a copy that answers no update before it goes on without it. Solr itself: ten minutes. */
const updateTimes = "-DdistribUpdateConnTimeout=5000 -DdistribUpdateSoTimeout=30000"; // ms

/** Each that answers has its part of the requests. One that takes no connection is left out of the same request. */
const anyHealthy = [
  "balance roundrobin",
  "option redispatch 1",
  "option httpchk GET /solr/admin/info/health",
  "http-check expect status 200",
];

/**
 * A power cut or a full disk leaves ZooKeeper a log without its header: empty (ZOOKEEPER-2332), or zeros where it had been
 * given room. ZooKeeper then never starts. The header is flushed before any transaction, so none that was answered is in it.
 */
export const mend = `for log in ${zoo}/version-2/log.*; do
      [ ! -f "$log" ] || [ -n "$(head -c 4 "$log" | tr -d '\\0')" ] || rm -f "$log"
    done`;

/**
 * Nobody outside a container asks its ZooKeeper: it listens to clients at home alone. The members' own two ports are
 * open in the data network, as Solr's is. A tick of a second: the others notice a lost leader after five.
 */
function conf(hosts: List<string>): string {
  return `tickTime=1000
initLimit=60
syncLimit=5
dataDir=${zoo}
clientPort=${String(zookeeperPort)}
clientPortAddress=127.0.0.1
maxClientCnxns=60
autopurge.snapRetainCount=3
autopurge.purgeInterval=1
4lw.commands.whitelist=srvr
admin.enableServer=false
${hosts.map((host, index) => `server.${String(index + 1)}=${host}:2888:3888\n`).join("")}`;
}

const full = `[ "$(df --output=avail -k /var/solr | tail -n 1)" -lt 1024 ]`;

const serves = `printf srvr | curl -s -m 2 telnet://127.0.0.1:${String(zookeeperPort)} | grep -q ^Mode`;

/**
 * ZooKeeper's program is Solr's own library, in the official image in two folders and in ours in one. An empty member has
 * no vote before it has the others' data (\`db.autocreate\`): two of them could form an ensemble without collections. The
 * first two have one at their first start, as nobody would have any.
 *
 * A ZooKeeper that could not write a transaction, as on a full disk, goes on in the same process: it joins again a thousand times a
 * minute, and once there is room its log may go on behind the missing transaction, which its next start would not know. So
 * it is killed at the word, and starts when there is room.
 *
 * Solr starts once the ensemble serves. Told to end, it first waits while another catches up: a swarm knows a member by
 * name only when it is healthy, so it is called healthy before it has caught up, and the next may be told at once.
 *
 * An index that a power cut broke is emptied (\`CoreInitFailedAction\`). Solr 9.10 then fails to open the empty one, as the
 * first try used up its configuration; the next start opens it, and the leader fills it.
 */
function prepare(p: Platform, { number, host }: Pick<Member, "number" | "host">, others: List<string>): string {
  const [config, written] = onlySaid(p) ? [zooConf, ""] : ["/tmp/zoo.cfg", addressed(number, host)];
  return `rm -f /tmp/ready /tmp/answered /tmp/room /tmp/launcher
mkdir -p ${zoo} && echo ${String(number)} >${zoo}/myid || exit 1
if ! find ${zoo}/version-2 -name 'log.*' -o -name 'snapshot.*' 2>/dev/null | grep -q .; then
  rm -rf ${zoo}/version-2${number < 3 ? `\n  touch ${zoo}/initialize` : ""}
fi
(
  while :; do
    while ${full}; do sleep 1; done
    ${mend}${written}
    sh -c 'echo $$ >/tmp/zookeeper; exec "$@"' sh java -Xms64m -Xmx128m -XX:+ExitOnOutOfMemoryError ${freshNames} -Dzookeeper.db.autocreate=false \\
      -Dorg.apache.logging.log4j.level=WARN \\
      -cp "/opt/solr/lib/*:/opt/solr/server/lib/ext/*:/opt/solr/server/solr-webapp/webapp/WEB-INF/lib/*" \\
      org.apache.zookeeper.server.quorum.QuorumPeerMain ${config} 2>&1 | while IFS= read -r line; do
      printf '%s\\n' "$line"
      case $line in *"Severe unrecoverable error"*) kill -9 "$(cat /tmp/zookeeper)" ;; esac
    done
    sleep 1
  done
) &
until ${serves}; do sleep 1; done
set -- sh -c ${shellWord(patient(others))} solr "$@"`;
}

/**
 * A member of a running ensemble that has a higher number takes no connection of a lower one: it makes one itself, to
 * whatever that one calls itself. A swarm knows a name only when it is healthy, and the first would never be.
 */
function addressed(number: number, host: string): string {
  const own = `server.${String(number)}`;
  return `
    sed "s/^${own.replace(".", "\\.")}=[^:]*/${own}=$(getent hosts ${host} | cut -d ' ' -f 1)/" ${zooConf} >/tmp/zoo.cfg`;
}

/**
 * On a full disk Solr leaves a copy an index without its list of segments, or an empty note of where its index is. It never
 * opens the first, and puts a new index in the place of the second, as up to date as the lost one for all it says. Told of
 * an index that is broken it does the right thing for both (`CoreInitFailedAction`): where another leads, it is filled from there.
 */
const emptied = `emptied() {
  for copy in /var/solr/data/*/data; do
    now=index
    if [ -s "$copy/index.properties" ]; then
      now=$(sed -n 's/^index=//p' "$copy/index.properties" | grep . || echo index)
    elif [ -e "$copy/index.properties" ]; then
      rm "$copy/index.properties"
      mkdir -p "$copy/index"
    fi
    [ -d "$copy/$now" ] || continue
    for list in "$copy/$now"/segments_*; do
      [ -e "$list" ] || printf '\\077\\327\\154\\027\\001x' >"$copy/$now/segments_1" # the beginning of some other file of Lucene's
    done
  done
}`;

/**
 * Copies are opened one by one after Solr has begun to answer, so one that cannot be opened is looked for for ten minutes.
 * Solr starts once more for it at once, then after a minute, three and seven: one that nothing opens must not end the others.
 *
 * A Solr with a copy that stands still waits for it when it is told to end, for minutes: it is given one. What it had
 * acknowledged is in its log.
 */
export function patient(others: List<string>): string {
  return `${emptied}
behind() {
  # One that answers nobody has nothing that another needs, and one whose disk was full gives it to nobody.
  [ ! -e /tmp/full ] && [ ! -e /tmp/room ] || return 1
  curl -s -m 2 -o /dev/null "http://127.0.0.1:${String(port)}/solr/admin/info/health" || return 1
  for other in ${others.join(" ")}; do
    code=$(curl -s -m 2 -o /dev/null -w '%{http_code}' "http://$other:${String(port)}/solr/admin/info/health?requireHealthyCores=true")
    [ "$code" != 503 ] || return 0
  done
  return 1
}
end() {
  kill $solr
  for second in $(seq ${String(endSeconds)}); do
    kill -0 $solr 2>/dev/null || return 0
    sleep 1
  done
  echo "Solr does not end" >&2
  kill -9 $solr
}
last=
trap 'last=1; for second in $(seq ${String(patienceSeconds)}); do behind || break; sleep 1; done; end' TERM
trap 'again=1; end' USR1
echo $$ >/tmp/launcher
looks=0
while [ -z "$last" ]; do
  again=
  emptied
  "$@" &
  solr=$!
  for look in $(seq 300); do
    sleep 2 & wait $!
    kill -0 $solr 2>/dev/null || break
    cores=$(curl -fs -m 4 "http://127.0.0.1:${String(port)}/solr/admin/cores?action=STATUS&indexInfo=false") || continue
    case $(echo "$cores" | tr -d ' \n') in *'"initFailures":{}'*) continue ;; esac
    [ $look -gt $looks ] || continue
    looks=$((looks * 2 + 30))
    echo "an index cannot be opened: Solr starts once more: $cores" >&2
    again=1
    end
    break
  done
  while wait $solr; code=$?; kill -0 $solr 2>/dev/null; do :; done
  [ -n "$again" ] || break
done
exit $code`;
}

/**
 * A copy whose disk was full may never again answer an update, even if there is room again: it stands still while it
 * catches up, and the leader waits for it. One Solr alone mends itself. So the probe notes a full disk, and ends Solr as soon
 * as there is room.
 */
function roomAgain(p: Platform): string {
  return `if ${full}; then
  touch /tmp/full
  echo "Solr: the disk is full"${onlySaid(p) ? "\n  exit 1" : ""}
elif [ -e /tmp/full ]; then
  mv /tmp/full /tmp/room
  kill 1
  echo "Solr: the disk has room again, and it is started once more"
  exit 1
fi
`;
}

/**
 * An Overseer's seat that nobody sits on: a Solr wrote it while its ZooKeeper went, tried again, found its own entry, and took
 * that for another's. It is there as long as that Solr's session, all are candidates for ever, and no copy is led anew. So
 * that Solr starts once more, at the second look. Its ZooKeeper goes on: another member may be away just then.
 */
const emptySeat = `seated() {
  seat=$(curl -fs -m 2 "$admin/zookeeper?detail=true&path=/overseer_elect/leader" | grep -o "[0-9]*-$SOLR_HOST:${String(port)}_solr-n_[0-9]*" | head -n 1)
  [ -n "$seat" ] || return 0
  candidates=$(curl -fs -m 2 "$admin/zookeeper?detail=true&path=/overseer_elect/election") || return 0
  case $candidates in *"$seat"*) ;; *) return 1 ;; esac
}
if seated; then
  rm -f /tmp/seat
elif [ "$(cat /tmp/seat 2>/dev/null)" != "$seat" ]; then
  echo "$seat" >/tmp/seat
else
  rm -f /tmp/seat /tmp/answered
  kill -USR1 "$(cat /tmp/launcher)"
  echo "Solr: it has the Overseer's seat and is no candidate, so it is started once more"
  exit 1
fi
`;

const admin = `admin=http://127.0.0.1:${String(port)}/solr/admin`;

/**
 * Solr (9.7) calls itself healthy, and the collection green, even if it could not load a core, as after a power cut
 * that broke an index. Each search of that core fails. Only the list of cores tells.
 */
export const well = `${admin}
curl -fs -m 4 -o /dev/null "$admin/info/health?requireHealthyCores=true" || exit 1
cores=$(curl -fs -m 4 "$admin/cores?action=STATUS&indexInfo=false" | tr -d ' \\n') || exit 1
case $cores in *'"initFailures":{}'*) ;; *) echo "an index cannot be opened: $cores"; exit 1 ;; esac`;

/**
 * The first success waits until this member has caught up, so that the next one may stop. It does not wait while no
 * other serves, as after a start of all: a swarm's DNS has healthy members only. For the same reason a swarm waits for
 * Solr's answer alone. Until that has come once, Solr is only starting, which takes a busy machine longer than three
 * probes. Later it takes a lost ensemble, too: a member must not be restarted because it lost its peers.
 */
function probe(p: Platform, others: List<string>): string {
  const answers = `curl -fs -m 3 -o /dev/null "$admin/cores?action=STATUS&indexInfo=false"`;
  const [first, later] = onlySaid(p)
    ? [`(${well})`, well]
    : [answers, `if ${answers}; then touch /tmp/answered; else [ ! -e /tmp/answered ] || ! ${serves}; fi`];
  return `${roomAgain(p)}${admin}
${emptySeat}if [ -e /tmp/ready ]; then
  ${later.replaceAll("\n", "\n  ")}
  exit
fi
if ! ${first}; then
  printf srvr | curl -s -m 2 telnet://127.0.0.1:${String(zookeeperPort)} | grep -q . || exit 1
  for other in ${others.join(" ")}; do
    ! curl -fs -m 2 -o /dev/null "http://$other:${String(port)}/solr/admin/info/health" || exit 1
  done
fi
touch /tmp/ready`;
}

/** Makes what is not there yet. */
export function collections(
  host: string,
  { collections: names }: Pick<Ask<"solr">, "collections">,
  copies = 1,
): string {
  const api = `http://${host}:${String(port)}/solr/admin/collections`;
  return names
    .map(
      (collection) =>
        `curl -fsS '${api}?action=LIST' | jq -se --arg it ${shellWord(collection)} '.[0].collections | index($it)' >/dev/null || ` +
        `curl -fsS --get --data-urlencode name=${shellWord(collection)} '${api}?action=CREATE&numShards=1&replicationFactor=${String(copies)}&collection.configName=_default'`,
    )
    .join("\n");
}

const shards = ".cluster.collections | to_entries[] | .key as $collection | .value.shards | to_entries[]";
/** As the cluster calls a member. */
export const nodeName = (host: string): string => `${host}:${String(port)}_solr`;

/**
 * Copies that the cluster counts on a node, but that may be lost. The last one that works is never such: to take it out of
 * the books deletes what it may have yet.
 */
const doubtful = `.cluster.live_nodes as $live | ${shards} | .key as $shard | .value.replicas
  | select(any(.[]; .state == "active" and .node_name != $node and (.node_name | IN($live[]))))
  | to_entries[] | select(.value.node_name == $node and .value.state == "down") | [$collection, $shard, .key, .value.core] | @tsv`;

/**
 * Gives every member a copy of each collection, whoever made it: one that was alone has all of them, and a new disk has
 * none of those that the cluster still counts on it. Solr opens its copies after it has begun to answer, and its list has none
 * that it still opens; asked for one by name it tells.
 */
export function fill(hosts: List<string>, ask: Pick<Ask<"solr">, "collections">): string {
  const [first = ""] = hosts;
  const without = `${shards} | select([.value.replicas[].node_name] | index($node) | not) | [$collection, .key] | @tsv`;
  const late = `. as $all | [($ARGS.positional[] as $node | $all | ${shards} | .value.replicas | map(select(.node_name == $node))
    | select(any(.[]; .state == "active") | not) | "\\($collection) on \\($node)")] | join(", ")`;
  const headless = `[.cluster.live_nodes as $live | ${shards} | select(any(.value.replicas[]; .state == "active" and (.node_name | IN($live[]))) | not)
    | "\\($collection) \\(.key)"] | join(", ")`;
  return `ask() { action=$1; shift; curl -fsS -m 300 --get "$@" "http://${first}:${String(port)}/solr/admin/collections?action=$action"; }
cluster() { ask CLUSTERSTATUS >/tmp/cluster && jq -r "$@" </tmp/cluster; }
until_none() {
  for attempt in $(seq "$1"); do
    left=$(cluster "$3" --args ${hosts.map(nodeName).join(" ")}) || left="Solr does not answer"
    [ -n "$left" ] || return 0
    sleep 2
  done
  echo "$2: $left" >&2
  exit 1
}
until_none 120 "not in the cluster" '$ARGS.positional - .cluster.live_nodes | join(", ")'
${collections(first, ask, hosts.length)}
until_none 600 "no copy works" '${headless}'
for host in ${hosts.join(" ")}; do
  node="$host:${String(port)}_solr"
  cluster --arg node "$node" '${doubtful}' >/tmp/doubtful
  while read -r collection shard replica core; do
    curl -fsS -m 60 "http://$host:${String(port)}/solr/admin/cores?action=STATUS&indexInfo=false&core=$core" >/tmp/core
    jq -e --arg core "$core" '(.status[$core] // {}) == {} and (.initFailures | has($core) | not)' /tmp/core >/dev/null || continue
    ask DELETEREPLICA -d "collection=$collection" -d "shard=$shard" -d "replica=$replica" -d onlyIfDown=true
  done </tmp/doubtful
  cluster --arg node "$node" '${without}' >/tmp/without
  while read -r collection shard; do
    ask ADDREPLICA -d "collection=$collection" -d "shard=$shard" --data-urlencode "node=$node"
  done </tmp/without
done
until_none 1500 "not copied yet" '${late}'`;
}

/** The cluster forgets a member's copies. The first one stays. */
function leave(first: string, host: string): string[] {
  const api = `http://${first}:${String(port)}/solr/admin/collections?action=DELETENODE`;
  return ["curl", "-fsS", "--get", "--data-urlencode", `node=${nodeName(host)}`, api];
}
