import { createHash } from "node:crypto";

import { all, type ComponentResourceOptions } from "@pulumi/pulumi";

import type { Ask, List, Peer, Platform, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { regexText } from "../core/syntax.ts";
import { numbered } from "../core/platform.ts";
import { folder, forgotten, grow, leave, left, nodeName } from "./rabbitmq-members.ts";
import { onlySaid, openFiles, quickNames, replaySeconds, storeOptions } from "../core/recipe.ts";

const data = "/var/lib/rabbitmq";
const user = "app";
const amqp = 5672;
const management = 15672;
/** Peers that a node looks for: fixed, so that node four changes no other node's configuration. */
const founders = 3;

/**
 * A RabbitMQ cluster: durable topic exchanges, quorum queues by default, the federation plugin on every node, also
 * while there is no peer. Of the official image the recipe uses the programs on PATH, the user (999) and the folders.
 * 3.10 (Debian's) and 3.13 both know all of its settings.
 */
export const rabbitmq: Recipe<"amqp"> = (p, name, ask) => {
  const password = p.secret(`${name}-password`, name);
  const cookie = p.secret(`${name}-cookie`);
  // All regions share this password, so the operator sets it.
  const federation = ask.federate.length > 0 ? p.configured(`${name}Federation`) : "";
  const definitions = all([password, federation]).apply(([own, shared]) =>
    JSON.stringify(definitionsOf(name, ask, own, shared), undefined, 2),
  );
  const memoryMib = ask.memoryMib ?? 1024;
  const besides = new Map(ask.colocate.slice(0, ask.nodes).map((slot) => [numberOf(slot), slot]));
  // Each member has the number of the slot that it shares a machine with, and goes when that slot goes for good.
  const members = { count: ask.nodes, retired: missing([...besides.keys()]) } as const;
  const address = p.address.bind(p);
  const slots = numbered(name, members, address);
  const hosts = slots.map(({ host }) => host);
  const { image } = storeOptions(ask, "rabbitmq");
  const tool = {
    image,
    tier: "data",
    cpu: 1,
    memoryMib: 256,
    user: "999:999",
    env: { ...quickNames, ...longNames(p, name), HOME: "/tmp" },
    files: [{ path: `${folder}/cookie`, content: cookie, secret: true }],
  } as const;
  const job = (script: string, seconds: number) => ({ ...tool, command: ["bash", "-euc", script], seconds });
  const made = p.slots(name, members, ({ host, number }) => {
    const colocate = besides.get(number);
    const others = founding(name, address).filter((other) => other !== host);
    // Always list the three founders, even in a smaller cluster. If the list were empty at one node, `leave` would
    // disappear from a slot that stays, and Pulumi would run it.
    const stay = [...new Set([...hosts, ...founding(name, address)])].filter((other) => other !== host);
    return {
      ...storeOptions(ask, "rabbitmq"),
      ...(colocate === undefined ? {} : { colocate }),
      leave: job(leave(host, stay), 3600),
      left: job(left(host, stay), 600),
      tier: "data",
      cpu: 1,
      memoryMib,
      user: "999:999",
      env: {
        HOME: data, // the server and its commands look for the cookie there
        ...quickNames,
        ...longNames(p, name),
        RABBITMQ_NODENAME: nodeName(host),
        RABBITMQ_CONFIG_FILE: `${folder}/rabbitmq.conf`,
        RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/enabled_plugins`,
      },
      files: [
        { path: `${folder}/cookie`, content: cookie, secret: true },
        { path: `${folder}/password`, content: password, secret: true },
        { path: `${folder}/definitions.json`, content: definitions, secret: true },
        { path: `${folder}/rabbitmq.conf`, content: conf(p, name, host, memoryMib) },
        { path: `${folder}/enabled_plugins`, content: `[${plugins.join(",")}].\n` },
      ],
      prepare: prepare(host, others),
      command: ["rabbitmq-server"],
      ports: { amqp: { number: amqp, protocol: "tcp" }, management: { number: management, protocol: "http" } },
      health: { ready: { command: ["bash", "-c", probe(p)] }, startSeconds: replaySeconds, stopSeconds: 60 },
      disk: {
        path: data,
        gib: 8,
        backup: { rebuilt: "users, exchanges and policies are generated; messages in flight are published again" },
      },
    };
  });
  if (hosts.length > 1)
    p.job(`${name}-grow`, {
      ...job(grow(hosts), 3600),
      ...{ trigger: hosts.join(), onlyOnTrigger: true, eachDisk: true, after: made },
    });
  const [host = address(`${name}-1`)] = hosts;
  return {
    host,
    port: amqp,
    members: slots.map((slot) => slot.name),
    user,
    password,
    ready: made.flatMap((m) => m.ready),
  };
};

/** 4 of `cassandra-4`. */
function numberOf(slot: string): number {
  return Number(slot.slice(slot.lastIndexOf("-") + 1));
}

/** The numbers below the highest that are not in the list. */
function missing(numbers: List<number>): List<number> {
  return Array.from({ length: Math.max(0, ...numbers) }, (_, index) => index + 1).filter((n) => !numbers.includes(n));
}

const plugins = ["rabbitmq_federation", "rabbitmq_federation_management", "rabbitmq_management", "rabbitmq_prometheus"];

function founding(name: string, address: (slot: string) => string = (slot) => slot): List<string> {
  return Array.from({ length: founders }, (_, index) => address(`${name}-${String(index + 1)}`));
}

/** Erlang accepts a host name of several labels only if this variable says so. */
function longNames(p: Platform, name: string): { readonly RABBITMQ_USE_LONGNAME?: "true" } {
  return p.address(name).includes(".") ? { RABBITMQ_USE_LONGNAME: "true" } : {};
}

/** A node that is no founder looks for the founders and itself: its own name has to be in the list. */
function conf(p: Platform, name: string, host: string, memoryMib: number): string {
  const peers = [...new Set([...founding(name, p.address.bind(p)), host])];
  const settings = {
    cluster_name: `${p.name}-${name}`,
    "listeners.tcp.default": String(amqp),
    "management.tcp.port": String(management),
    "cluster_formation.peer_discovery_backend": "classic_config",
    ...Object.fromEntries(
      peers.map((peer, index) => [`cluster_formation.classic_config.nodes.${String(index + 1)}`, nodeName(peer)]),
    ),
    // An empty first node finds the others at once, or is the first of all. A node that joins must not give up so soon.
    "cluster_formation.discovery_retry_limit": host === peers[0] ? "1" : "20",
    "cluster_formation.discovery_retry_interval": "1000",
    cluster_partition_handling: "pause_minority",
    // After a power cut every change of the cluster (a declared queue, a binding) waits until the others give the lost
    // node up. Default: a minute.
    net_ticktime: "10",
    // Default: half an hour. A consumer that works on a message for longer loses it to the next one, without end.
    consumer_timeout: String(24 * 3600 * 1000),
    // Of the container's memory, not of the host's.
    "vm_memory_high_watermark.absolute": `${String(Math.floor(memoryMib * 0.6))}MiB`,
    "disk_free_limit.absolute": "512MiB",
    "definitions.import_backend": "local_filesystem",
    "definitions.local.path": `${folder}/definitions.json`,
    "definitions.skip_if_unchanged": "true",
    "log.console": "true",
    "log.file": "false",
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join("");
}

/**
 * The cookie must be the server's own file, readable by nobody else. At its start a node with data waits for the nodes
 * that were up when it stopped. If the whole cluster was taken away and comes back one by one, there are none: when no
 * other name resolves for half a minute, the first node starts from its own data.
 */
function prepare(host: string, others: List<string>): string {
  const database = `${data}/mnesia/${nodeName(host)}`;
  const lines = [
    "set -eu",
    openFiles,
    `install -m 0600 ${folder}/cookie ${data}/.erlang.cookie`,
    `if [ ! -e ${database} ]; then\n${forgotten(host, others)}\nfi`,
  ];
  if (!host.endsWith("-1")) return lines.join("\n");
  return [
    ...lines,
    `if grep -qs '${others.join("\\|")}' ${database}/nodes_running_at_shutdown; then`,
    "  alone=yes",
    "  for try in $(seq 15); do",
    `    for other in ${others.join(" ")}; do if getent hosts "$other" >/dev/null; then alone=; break 2; fi; done`,
    "    sleep 1",
    "  done",
    `  if [ -n "$alone" ]; then touch ${database}/force_load; fi`,
    "fi",
  ].join("\n");
}

/**
 * `check_running`, `check_local_alarms` and `check_port_listener` of rabbitmq-diagnostics, asked over HTTP: each
 * command of rabbitmq-diagnostics starts an Erlang machine, which costs a second of a core. At an alarm RabbitMQ stops
 * publishers until consumers have made room, and consumers need a server that runs. While another password goes from
 * node to node, one that still has the old one in its file is refused by itself: it answers, so it is at work.
 */
function probe(p: Platform): string {
  const checks = [...(onlySaid(p) ? ["local-alarms"] : []), `port-listener/${String(amqp)}`];
  return `login=$(printf '${user}:%s' "$(cat ${folder}/password)" | base64 -w0)
for check in ${checks.join(" ")}; do
  exec 3<>/dev/tcp/127.0.0.1/${String(management)} || exit 1
  printf 'GET /api/health/checks/%s HTTP/1.0\\r\\nAuthorization: Basic %s\\r\\n\\r\\n' "$check" "$login" >&3
  read -r status <&3
  case $status in *" 200 "* | *" 401 "*) ;; *) echo "$check: $status"; exit 1 ;; esac
  exec 3<&-
done`;
}

const federationUser = "federation";

/**
 * Every node imports them at its start, so another password is everywhere with the first one; an empty node then makes no
 * default user. Passwords are hashes alone.
 */
export function definitionsOf(
  name: string,
  { federate, exchanges }: Pick<Ask<"amqp">, "federate" | "exchanges">,
  own: string,
  federation: string,
) {
  const vhost = "/";
  const login = (who: string, secret: string, tags: string) => ({
    name: who,
    password_hash: passwordHash(secret),
    hashing_algorithm: "rabbit_password_hashing_sha256",
    tags,
  });
  const may = (who: string) => ({ user: who, vhost, configure: ".*", write: ".*", read: ".*" });
  const federated = federate.length > 0;
  return {
    // The health probe reads alarms with this user.
    users: [login(user, own, "monitoring"), ...(federated ? [login(federationUser, federation, "")] : [])],
    vhosts: [{ name: vhost, default_queue_type: "quorum" }], // 3.10 ignores this default: clients ask for quorum
    permissions: [may(user), ...(federated ? [may(federationUser)] : [])],
    exchanges: exchanges.map((exchange) => ({
      name: exchange,
      vhost,
      type: "topic",
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    })),
    parameters: federate.map((peer) => ({
      vhost,
      component: "federation-upstream",
      name: peer.region,
      // A message goes from one region to each other once, never on.
      value: { uri: upstream(name, peer, federation), "max-hops": 1, "ack-mode": "on-confirm" },
    })),
    policies: federated
      ? [
          {
            vhost,
            name: "federate",
            pattern: `^(${exchanges.map(regexText).join("|")})$`,
            "apply-to": "exchanges",
            definition: { "federation-upstream-set": "all" },
            priority: 0,
          },
        ]
      : [],
  };
}

/** The founders of another region: a link that ends tries the next one. A link between published regions speaks TLS. */
function upstream(name: string, peer: Peer, password: string): List<string> {
  const [scheme, port] = peer.reach === "published-tls" ? ["amqps", 5671] : ["amqp", amqp];
  return founding(name).map(
    (slot) => `${scheme}://${federationUser}:${encodeURIComponent(password)}@${peer.address(slot)}:${String(port)}`,
  );
}

/** RabbitMQ's own form, salt and SHA-256; the salt comes from the password, so that nothing changes from run to run. */
export function passwordHash(password: string): string {
  const salt = createHash("sha256").update(`salt ${password}`).digest().subarray(0, 4);
  const hash = createHash("sha256").update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString("base64");
}

/** A RabbitMQ cluster with its exchanges. */
export class RabbitMq extends Service<"amqp"> {
  /** How containers supply it. */
  static readonly recipe = rabbitmq;

  constructor(name: string, args: ServiceArgs<"amqp">, opts?: ComponentResourceOptions) {
    super("RabbitMq", "amqp", rabbitmq, name, args, opts);
  }
}
