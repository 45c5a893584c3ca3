/** How Patroni runs PostgreSQL on three servers: its files, its checks, and how it hears of another setting. */
import { all, type Output } from "@pulumi/pulumi";

import type { Ask, File, List, Member } from "../core/contracts.ts";
import { yaml } from "../core/syntax.ts";
import type { Etcd } from "./etcd.ts";
import { data, founding, halfOf, hbaFile, sameVersion, settingsOf } from "./postgres-setup.ts";

export const api = 8008;
/** Where what is asked for a store lies in etcd. */
const namespace = "/service/";
const conf = "/run/postgres/patroni.yml";
const launcher = "/run/postgres/patroni.py";
const asked = "/run/postgres/asked.json";
/** Of the container's own: it goes with it. */
const work = "/tmp/patroni";

/**
 * Seconds. A leader that is silent for `ttl` is replaced. Patroni gives up within `loop_wait` + 2 × `retry_timeout`, so
 * `ttl` may not be less.
 */
const times = { ttl: 8, loop_wait: 2, retry_timeout: 3 };

/** MiB: a leader whose disk has less hands over, to a member whose disk has no less than the other. */
const room = { leader: 8, successor: 64 };

/** The slot of the backup's log (the toolbox's `wal`). */
const archive = "archive";

/** Who Patroni is to etcd, to the other members and to its own servers. */
export interface Patroni {
  /** The store's name, and the cluster's. */
  readonly scope: string;
  readonly etcd: Etcd;
  /** Of the superuser, who also copies the log and rewinds. */
  readonly password: Output<string>;
  /** Of whoever commands Patroni by its REST API. */
  readonly apiPassword: Output<string>;
}

/**
 * What all members are told, kept in etcd: a change is no other container. A commit is answered when two servers have
 * it, and waits where there is no second one. `archived`: the backup follows the log, which is kept for it.
 */
export function askedOf(ask: Ask<"postgres">, archived: boolean): object {
  // Patroni says itself where a server listens.
  const settings = Object.entries(settingsOf(ask)).filter(([key]) => key !== "listen_addresses");
  return {
    ...times,
    synchronous_mode: "quorum",
    synchronous_mode_strict: true,
    failsafe_mode: true,
    // The second server has every answered row: it is quicker than a start with all of the log since the last checkpoint.
    primary_start_timeout: 0,
    // The log for a member that is away is kept for a day, if half of the disk has room.
    member_slots_ttl: "1d",
    ...(archived ? { slots: { [archive]: { type: "physical" } } } : {}),
    ...(ask.outputPlugins === undefined
      ? {}
      : { ignore_slots: ask.outputPlugins.map((plugin) => ({ type: "logical", plugin })) }),
    postgresql: {
      use_pg_rewind: true,
      // A rewind that fails, as on a full disk, leaves nothing that a server starts with. Such a member copies the leader.
      remove_data_directory_on_rewind_failure: true,
      parameters: {
        // A dump on a replica must find the rows that it began with.
        hot_standby_feedback: "on",
        wal_log_hints: "on", // for pg_rewind, also on a disk without checksums
        max_slot_wal_keep_size: halfOf(ask.gib),
        // A server without power is silent.
        ...{ wal_sender_timeout: "8s", wal_receiver_timeout: "8s", wal_retrieve_retry_interval: "1s" },
        ...{
          tcp_user_timeout: "5s",
          tcp_keepalives_idle: "5",
          tcp_keepalives_interval: "2",
          tcp_keepalives_count: "3",
        },
        ...Object.fromEntries(settings),
      },
    },
  };
}

/** The lines of pg_hba.conf by which members copy from each other. */
export const replicationLines = "local replication postgres peer\nhost replication postgres all scram-sha-256\n";

/** A member's files, beside its password. */
export function memberFiles(patroni: Patroni, { name, host }: Member): File[] {
  const { password, apiPassword } = patroni;
  const own = all([password, apiPassword]).apply(([superuser, caller]) =>
    yaml({
      ...common(patroni, caller),
      name,
      restapi: {
        listen: `0.0.0.0:${String(api)}`,
        connect_address: `${host}:${String(api)}`,
        authentication: { username: "patroni", password: caller },
      },
      postgresql: {
        listen: "*:5432",
        connect_address: `${host}:5432`,
        data_dir: `${data}/pgdata`,
        // Beside the data: one server alone reads the files that initdb has left there.
        config_dir: work,
        custom_conf: `${work}/own.conf`,
        pgpass: `${work}/pgpass`,
        use_unix_socket: true,
        authentication: {
          superuser: { username: "postgres", password: superuser },
          replication: { username: "postgres", password: superuser },
        },
        basebackup: [{ checkpoint: "fast" }],
        parameters: { hba_file: hbaFile },
      },
    }),
  );
  return [
    { path: conf, content: own, secret: true },
    { path: launcher, content: launch },
    ...Object.values(patroni.etcd.files),
  ];
}

function common({ scope, etcd: { hosts, files } }: Patroni, caller: string) {
  return {
    scope,
    namespace,
    ctl: { authentication: { username: "patroni", password: caller } },
    etcd3: {
      hosts: [...hosts],
      protocol: "https",
      cacert: files.ca.path,
      cert: files.cert.path,
      key: files.key.path,
    },
  };
}

/** `patronictl` finds its configuration by it. */
export const ctlEnv = { PATRONICTL_CONFIG_FILE: conf };

/** What starts a member, and shows that its image has Patroni. */
export const memberCommand = ["python3", launcher, conf];

/**
 * Patroni takes no `ttl` below 20 s. Its rule between the three times is kept, and a commit waits for a second server
 * whoever thinks that it leads, so that a shorter one costs no row.
 *
 * Patroni measures its waits by the clock of the day. One that is set back has a leader sleep, lose its lease, and take
 * itself for the leader until the old time is there again. So it is told the time of its start, and how long that is ago.
 *
 * A leader that ends gives its lock back by one request, and looks at no answer. A node that is drained takes the etcd
 * with it that was asked, and nobody led until the lease ended. It may always ask again: the lock is deleted if it is its own.
 *
 * A leader whose disk is full goes on, and refuses each row that needs room. A member that has some takes its place.
 */
const launch = `import sys
import time


def passed(began=time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)):
    return began + time.clock_gettime(time.CLOCK_BOOTTIME)


time.time = passed
sys.path.insert(0, "/opt/patroni")

from patroni.config import Config

adjust = Config._Config__get_and_maybe_adjust_int_value


def adjusted(self, config, param, least):
    return adjust(self, config, param, ${String(times.ttl)} if param == "ttl" else least)


Config._Config__get_and_maybe_adjust_int_value = adjusted

# Patroni starts its server by a process that reads this file again.
if __name__ == "__main__":
    if sys.argv[1:2] == ["new"]:
        from patroni.dcs import get_dcs

        cluster = get_dcs(Config("${conf}")).get_cluster()
        # Without the settings, which come first, etcd has lost a cluster.
        sys.exit(0 if cluster.initialize is None and cluster.config else 3)

    import logging
    import os

    from patroni.__main__ import Patroni, main
    from patroni.dcs.etcd3 import Etcd3
    from patroni.ha import Ha

    release = Etcd3._delete_leader
    Etcd3._delete_leader = lambda self, leader: any(release(self, leader) for _ in range(3))

    def room():
        disk = os.statvfs("${data}")
        return disk.f_bavail * disk.f_frsize / 2**20

    tags = Patroni.tags.fget
    Patroni.tags = property(lambda self: dict(tags(self), **({"full": True} if room() < ${String(room.successor)} else {})))
    switch = Ha.process_manual_failover_from_leader

    def switched(self):
        if room() < ${String(room.leader)} and not self.cluster.failover and not self.is_paused():
            others = [each for each in self.get_failover_candidates(False) if not each.tags.get("full")]
            well = [each.member.name for each in self.fetch_nodes_statuses(others) if not each.failover_limitation()]
            if well:
                logging.getLogger("patroni").warning("its disk is full: it hands over to %s", well[0])
                self.dcs.manual_failover(self.state_handler.name, well[0])
        return switch(self)

    Ha.process_manual_failover_from_leader = switched
    main()
`;

/**
 * Before a member starts. The first founds the cluster, where etcd knows none; the others copy whoever leads. An image of
 * a minor release of 2026 loads only the output plugins that a new setting names.
 */
export function prepare({ number, host }: Member, plugins: List<string> = []): string {
  return `set -eu
rm -f ${joined}
mkdir -p ${work}
${
  number === 1
    ? `if [ ! -d ${data}/pgdata ]; then
  known=0
  python3 ${launcher} new || known=$?
  case $known in 0 | 3) ;; *) exit 1 ;; esac
fi
if [ ! -d ${data}/pgdata ] && [ $known = 0 ]; then
  ${founding(" --data-checksums")}
fi
`
    : ""
}if [ -e ${data}/pgdata/PG_VERSION ]; then
  ${sameVersion(host).replaceAll("\n", "\n  ")}
fi
echo "include_if_exists '${data}/pgdata/postgresql.conf'" >${work}/own.conf${plugins.length === 0 ? "" : adopting(plugins)}`;
}

/**
 * An application makes its slot itself, and no configuration knows its name. The leader tells Patroni of it, which then
 * keeps it on every member.
 */
function adopting(plugins: List<string>): string {
  return `
postgres --describe-config | awk -F '\\t' -v more=${plugins.join(",")} -v quote="'" '$1 == "output_plugin_libraries" {
  print $1 " = " quote ($5 == "" ? "" : $5 ",") more quote
}' >>${work}/own.conf
adopt() {
  found="$(psql --no-psqlrc -XAt --username=postgres 2>/dev/null <<'SQL'
SELECT json_build_object('slots', json_object_agg(slot_name, json_build_object('type', 'logical', 'database', database, 'plugin', plugin) ORDER BY slot_name))
FROM pg_replication_slots WHERE NOT pg_is_in_recovery() AND NOT temporary AND plugin IN (${plugins.map((plugin) => `'${plugin}'`).join(", ")}) HAVING count(*) > 0;
SQL
)" || return 0
  [ -n "$found" ] && [ "$found" != "$told" ] || return 0
  printf '%s' "$found" | patronictl edit-config --force --quiet --apply - && told=$found
}
export PATH="/opt/patroni/bin:$PATH"
told=
while sleep 5; do adopt || :; done &`;
}

const joined = `${work}/joined`;

/**
 * A member that starts is healthy when it leads or copies whoever leads; while nobody leads, when its server answers, as
 * members have to find each other first. Later: while Patroni does its rounds, and its server has not failed to start.
 */
export const probe = `ask() {
  exec 3<>/dev/tcp/127.0.0.1/${String(api)} || exit 1
  printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$1" >&3
  IFS= read -r -d '' -t 8 -u 3 answer
  exec 3>&-
}
ask /patroni
if [ ! -e ${joined} ]; then
  state=$answer
  ask /readiness
  case $answer in *' 200 '*) touch ${joined}; exit 0 ;; esac
  case $state in *'"state": "running"'*'"cluster_unlocked": true'*) exit 0 ;; esac
  exit 1
fi
case $answer in *'"state": "start failed"'*) echo "PostgreSQL does not start"; exit 1 ;; esac
ask /liveness
case $answer in *' 200 '*) exit 0 ;; esac
echo "Patroni's rounds stand still"; exit 1`;

/** What the job of the settings is given. */
export function settingsFiles(patroni: Patroni, settings: object): File[] {
  return [
    {
      path: conf,
      content: patroni.apiPassword.apply((caller) => yaml(common(patroni, caller))),
      secret: true,
    },
    { path: asked, content: `${JSON.stringify(settings, undefined, 2)}\n` },
    ...Object.values(patroni.etcd.files),
  ];
}

/**
 * Writes the settings where members read them, and restarts the members that need it: replicas first, one after another.
 * A setting that is lowered has to reach the leader before the replicas, so there is a second round. What the operator or
 * an application has added (a pause, slots) stays.
 */
export function settingsScript(scope: string): string {
  const key = `${namespace}${scope}/config`;
  return `for try in $(seq 60); do
  if old="$(etcdctl --command-timeout=5s get --print-value-only ${key} 2>/tmp/why)"; then break; fi
  old=none
  sleep 1
done
if [ "$old" = none ]; then echo "etcd does not answer: $(tail -n 1 /tmp/why)" >&2; exit 1; fi
: "\${old:=null}"
new="$(jq -c --argjson old "$old" '((($old // {}).slots // {} | del(.${archive})) + (.slots // {})) as $slots
  | . + (($old // {}) | with_entries(select(.key == "pause"))) | del(.slots) + if $slots == {} then {} else {slots: $slots} end' ${asked})"
if jq -en --argjson old "$old" --argjson new "$new" '$old == $new' >/dev/null; then
  wait=0
else
  etcdctl put ${key} "$new" >/dev/null
  wait=${String(3 * times.loop_wait)} # until each member has read them
fi
known="$(etcdctl get --prefix --keys-only ${namespace}${scope}/members/)"
if [ -z "$known" ]; then exit; fi
sleep $wait
members() { patronictl list --format=json; }
pending() { members | jq -r 'sort_by(.Role == "Leader")[] | select(."Pending restart" == "*").Member'; }
settled() {
  for try in $(seq 300); do
    if members | jq -e 'all(.[]; .State == "running" or .State == "streaming") and any(.[]; .Role == "Leader")' >/dev/null; then return; fi
    sleep 1
  done
  echo "a member does not come back with the new settings:" >&2
  members >&2
  exit 1
}
for round in 1 2; do
  waiting="$(pending)"
  for member in $waiting; do
    settled
    patronictl restart ${scope} "$member" --pending --force
    settled
  done
done
left="$(pending)"
if [ -n "$left" ]; then echo "still with their old settings: $left" >&2; exit 1; fi`;
}
