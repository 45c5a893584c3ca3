import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { List, Member, Recipe } from "../core/contracts.ts";
import { numbered } from "../core/platform.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { shellWord, yaml } from "../core/syntax.ts";
import {
  admin,
  type Cluster,
  copies,
  dumpOf,
  jmxFile,
  jmxLogin,
  leaveScript,
  lostScript,
  nodetool,
  passwordPath,
  repairScript,
  setupScript,
  user,
} from "./cassandra-setup.ts";
import { fingerprint, named, quickNames, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";

const data = "/var/lib/cassandra";
const conf = "/run/cassandra";
const marker = ".disk";
const cql = 9042;
const jmx = 7199;
/** The seeds: a fixed number, so that node four changes no other node's configuration. */
const founders = 3;

/**
 * A Cassandra data centre. Members start one by one, each when the one before is `UN` and answers CQL. The server asks
 * for passwords, and the default superuser is shut out. Keyspaces, Cassandra's own too, have as many copies as there
 * are nodes, three at most. More nodes raise and repair the copies. Nothing lowers them, so `nodetool decommission`
 * refuses to take a node that the copies still need. Of the official image the recipe uses the programs on PATH, the
 * user (999) and the folder of the data.
 */
export const cassandra: Recipe<"cql"> = (p, name, ask) => {
  const password = p.shared(`${name}-password`, name); // roles are the cluster's, not a region's
  const adminPassword = p.shared(`${name}-admin-password`);
  const adminFile = { path: passwordPath(admin), content: adminPassword, secret: true };
  named(`${name}.keyspaces`, ask.keyspaces, /^[a-z][a-z0-9_]{0,47}$/, "lower-case letters, digits and _, at most 48");
  const dataCentre = p.region === "" ? "local" : p.region;
  const memoryMib = ask.memoryMib ?? 4096;
  const members = { count: ask.nodes, retired: ask.retired ?? [] } as const;
  const { image } = storeOptions(ask, "cassandra");
  const job = { image, tier: "data", cpu: 1, memoryMib: 384, user: "999:999", env: quickNames } as const;
  const ringJob = (script: string, seconds: number) =>
    ({ ...job, files: [adminFile], command: ["bash", "-euc", `${jmxLogin}\n${script}`], seconds }) as const;
  const slots = numbered(name, members, p.address.bind(p));
  const hosts = slots.map(({ host }) => host);
  const replaced = replacements(ask.retired ?? [], slots);

  const made = p.slots(name, members, (member, before) => ({
    ...storeOptions(ask, "cassandra"),
    tier: "data",
    cpu: ask.cpu ?? 2,
    memoryMib,
    user: "999:999",
    env: environment(member, memoryMib),
    files: [adminFile, { path: `${conf}/cassandra.yaml`, content: configuration(name, member, p.address.bind(p)) }],
    prepare: prepare(member, dataCentre, seedsOf(name, member, p.address.bind(p))),
    command: ["cassandra", "-f"],
    ports: { cql: { number: cql, protocol: "tcp" }, jmx: { number: jmx, protocol: "tcp" } },
    health: { ready: { command: ["bash", "-c", probe(member)] }, startSeconds: replaySeconds, stopSeconds: 120 },
    disk: {
      path: data,
      gib: ask.gib,
      marker,
      backup:
        member.number === first(ask)
          ? dumpOf({ hosts: [member.host], dataCentre, keyspaces: ask.keyspaces }, [adminFile])
          : { rebuilt: `the dump of ${name}-${String(first(ask))} is the whole cluster's; a lost member is a new one` },
    },
    leave: ringJob(leaveScript(member.host, hosts.slice(0, founders)), 24 * 3600),
    after: [...(replaced.get(member.number) ?? [])].map((lost) =>
      p.job(`${name}-lost-${String(lost)}`, {
        ...ringJob(
          lostScript(
            lost,
            before.map(({ host }) => host),
            ask.keyspaces,
          ),
          24 * 3600,
        ),
        trigger: "1",
        onlyOnTrigger: true,
        after: before,
      }),
    ),
  }));

  const cluster: Cluster = { hosts, dataCentre, keyspaces: ask.keyspaces };
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    env: quickNames,
    files: [adminFile, { path: passwordPath(user), content: password, secret: true }],
    command: ["bash", "-euc", setupScript(cluster)],
    trigger: fingerprint(password), // a new password: tell the server
    seconds: 600,
    after: made,
  });
  // Only a repair makes the copies that a raised number asks for.
  const { ready } =
    ask.nodes === 1
      ? setup
      : p.job(`${name}-repair`, {
          ...ringJob(repairScript(cluster), 24 * 3600),
          trigger: String(copies(cluster)),
          onlyOnTrigger: true, // new members alone are no reason: a node that joins takes its rows over
          after: [setup],
        });
  const [host = p.address(`${name}-1`)] = hosts;
  return { host, port: cql, members: slots.map((slot) => slot.name), user, password, ready };
};

/**
 * The retired numbers by the member that took their place. The members that came last are the replacements, in the order
 * in which numbers were retired; the first retired ones of more than there are members have none any more.
 */
function replacements(retired: List<number>, slots: List<Member>): Map<number, List<number>> {
  const skipped = [...new Set(retired)].filter((number) => number < (slots.at(-1)?.number ?? 0));
  return new Map(
    skipped.flatMap((lost, index): [number, List<number>][] => {
      const at = slots.length - skipped.length + index;
      const slot = at > 0 ? slots[at] : undefined;
      return slot === undefined ? [] : [[slot.number, [lost]]];
    }),
  );
}

/** The first number that is not retired: where one member is enough, this one stands for the cluster. */
function first({ retired = [] }: { readonly retired?: readonly number[] }): number {
  let number = 1;
  while (retired.includes(number)) number++;
  return number;
}

function environment({ host }: Member, memoryMib: number): Record<string, string> {
  const properties = {
    "cassandra.config": `file://${conf}/cassandra.yaml`,
    "cassandra-rackdc.properties": `file://${rackFile}`,
    // Container addresses change. A saved ring could map an address to the wrong node and lose one for good, so the
    // node asks the seeds (by name) at every start.
    "cassandra.load_ring_state": "false",
    // JMX answers other containers: the set-up repairs, and tells a member to leave, from there.
    "java.rmi.server.hostname": host,
    "com.sun.management.jmxremote.authenticate": "true",
    "com.sun.management.jmxremote.password.file": jmxFile,
  };
  return {
    ...quickNames,
    LOCAL_JMX: "no",
    MAX_HEAP_SIZE: `${String(Math.floor(memoryMib / 2))}M`,
    HEAP_NEWSIZE: `${String(Math.floor(memoryMib / 8))}M`, // for CMS alone; the official script may want both
    JVM_EXTRA_OPTS: [
      "--add-exports=java.management/com.sun.jmx.remote.security=ALL-UNNAMED", // the class that checks JMX passwords
      ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`),
    ].join(" "),
  };
}

/**
 * The member's addresses are its own name, as they may change: the server resolves the name when it starts. A member is
 * no seed of itself, as a seed takes no data over when it joins. Only the first of all is one, for there is no other.
 */
function configuration(name: string, member: Member, address: (slot: string) => string): string {
  const { host, number } = member;
  const seeds = [...(number === 1 ? [host] : []), ...seedsOf(name, member, address)];
  return yaml({
    cluster_name: name,
    num_tokens: 16,
    allocate_tokens_for_local_replication_factor: 3,
    partitioner: "org.apache.cassandra.dht.Murmur3Partitioner",
    endpoint_snitch: "GossipingPropertyFileSnitch",
    authenticator: "PasswordAuthenticator",
    authorizer: "CassandraAuthorizer",
    role_manager: "CassandraRoleManager",
    seed_provider: [
      { class_name: "org.apache.cassandra.locator.SimpleSeedProvider", parameters: [{ seeds: seeds.join(",") }] },
    ],
    listen_address: host,
    rpc_address: host,
    data_file_directories: [`${data}/data`],
    commitlog_directory: `${data}/commitlog`,
    saved_caches_directory: `${data}/saved_caches`,
    hints_directory: `${data}/hints`,
    commitlog_sync: "periodic",
    commitlog_sync_period: "10000ms",
    commitlog_disk_access_mode: "legacy",
    // A node that cannot write ends, and is started again until it can write. By default it would go on, look healthy,
    // and keep new data in memory alone.
    disk_failure_policy: "die",
    commit_failure_policy: "die",
    // Without this the snapshots of dropped and truncated tables stay on the disk.
    auto_snapshot_ttl: "30d",
  });
}

/** The founders but for the member itself. */
function seedsOf(name: string, { host }: Member, address: (slot: string) => string): List<string> {
  return Array.from({ length: founders }, (_, index) => address(`${name}-${String(index + 1)}`)).filter(
    (seed) => seed !== host,
  );
}

const rackFile = "/tmp/rackdc.properties";

/**
 * Refuses an emptied disk: the member would join as a new one under an old name, or, as a seed, own ranges without
 * rows. A rack is for life. A member takes its zone's, unless another of the three has fewer members when it joins: who
 * comes in the place of a lost one takes that one's, as each rack has a copy of every row.
 */
function prepare({ host, number, zone }: Member, dataCentre: string, seeds: List<string>): string {
  return `set -eu
if [ ! -e ${data}/${marker} ] && [ ! -d ${data}/data/system ]; then
  echo "${host} has lost its data: retire its number, ${String(number)}" >&2
  exit 1
fi
${jmxLogin}
rack=zone-${String(zone + 1)}
if [ -e ${data}/.rack ]; then rack=$(cat ${data}/.rack); elif [ ! -d ${data}/data/system ]; then
  for seed in ${seeds.join(" ")}; do
    getent hosts "$seed" >/dev/null || continue
    if ring=$(${nodetool("$seed")} status 2>/dev/null); then
      rack=$(printf '%s\n' "$ring" | awk -v own=$rack '/^[UD][NLJM] / {count[$NF]++} END {
        for (n = 1; n <= 3; n++) if (count["zone-" n] + 0 < count[own] + 0) own = "zone-" n
        print own
      }')
      break
    fi
  done
  echo "$rack" >${data}/.rack.new
  mv ${data}/.rack.new ${data}/.rack
fi
printf 'dc=%s\nrack=%s\n' ${shellWord(dataCentre)} "$rack" >${rackFile}`;
}

/**
 * Until the node has joined, the probe reads its line of `nodetool status`, which costs a second of Java. From then on
 * it asks the CQL port, which answers OPTIONS with SUPPORTED (code 6) without a login.
 */
function probe({ host }: Member): string {
  return `joined=/tmp/joined
if [ ! -e $joined ]; then
  read -r ip _ < <(getent ahostsv4 ${host})
  ${nodetool(host)} status | grep -q "^UN  *$ip " || exit 1
  touch $joined
fi
exec 3<>/dev/tcp/${host}/${String(cql)} || exit 1
printf '\\x04\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00' >&3
[ "$(head -c 5 <&3 | tail -c 1 | od -An -tx1)" = " 06" ]`;
}

/** A Cassandra cluster with its keyspaces and their owner. */
export class Cassandra extends Service<"cql"> {
  /** How containers supply it. */
  static readonly recipe = cassandra;

  constructor(name: string, args: ServiceArgs<"cql">, opts?: ComponentResourceOptions) {
    super("Cassandra", "cql", cassandra, name, args, opts);
  }
}
