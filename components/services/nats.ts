import { all, type ComponentResourceOptions } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { natsString } from "../core/syntax.ts";
import { onlySaid, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";

const conf = "/run/nats/nats.conf";
const login = "/run/nats/login";
const user = "app";

/**
 * NATS with JetStream on disk, one server or a cluster of three. Clients log in; the servers have a login of their own
 * for each other. The configuration is a file of ours. Of the official image the recipe uses only the program on PATH.
 */
export const nats: Recipe<"nats"> = (p, name, ask) => {
  const password = p.secret(`${name}-password`, name);
  const routes = ask.nodes > 1 ? p.secret(`${name}-routes-password`) : undefined;
  const memoryMib = ask.memoryMib ?? 512;
  const members = Array.from({ length: ask.nodes }, (_, index) => `${name}-${String(index + 1)}`);
  const hosts = members.map((each) => p.address(each));
  // One by one: a change restarts one server at a time, so the other two keep the quorum.
  const made = p.slots(name, { count: ask.nodes }, ({ host }) => ({
    ...storeOptions(ask, "nats"),
    tier: "data",
    cpu: 1,
    memoryMib,
    user: "0:0", // without any capability; a new volume is root's
    files: [
      {
        path: conf,
        secret: true,
        content: all([password, routes ?? ""]).apply(([client, route]) =>
          [
            server(host, ask.maxPayloadBytes),
            // Half: the server itself, its connections and the write buffers of the file store need the rest.
            `jetstream { store_dir: "/data", max_memory_store: ${String(Math.floor(memoryMib / 2))}MB, max_file_store: ${String(ask.jetstreamGib)}GB }`,
            `authorization { user: ${user}, password: ${natsString(client)}, timeout: 3 }`,
            ...(ask.nodes > 1 ? [cluster(`${p.name}-${name}`, hosts, route)] : []),
            "",
          ].join("\n"),
        ),
      },
    ],
    command: ["nats-server", "--config", conf],
    ports: {
      client: { number: 4222, protocol: "tcp" },
      ...(routes ? { routes: { number: 6222, protocol: "tcp" } } : {}),
    },
    // Without `js-enabled-only` the first of three would wait for a quorum that cannot be there yet.
    health: {
      ready: {
        command: [
          "sh",
          "-c",
          [...alive, ...(ask.nodes > 1 ? [whole(ask.nodes)] : []), ...(onlySaid(p) ? [served] : [])].join("\n"),
        ],
      },
      startSeconds: replaySeconds,
      stopSeconds: 30,
    },
    disk: {
      path: "/data",
      gib: ask.jetstreamGib,
      backup: { rebuilt: "streams and messages in flight: the applications make their streams again at their start" },
    },
  }));
  // A cluster works only when its servers have elected a leader: what waits for NATS waits for JetStream's answer.
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    files: [{ path: login, content: password.apply(connect), secret: true }],
    command: [
      "bash",
      "-euc",
      ask.nodes > 1 ? [...hosts.map(answers), copies(hosts)].join("\n") : answers(p.address(`${name}-1`)),
    ],
    seconds: 300,
    after: made,
  });
  return { host: ask.names?.[0] ?? p.address(`${name}-1`), port: 4222, members, user, password, ready: setup.ready };
};

const alive = [
  "set -e",
  "wget -q -O /dev/null 'http://127.0.0.1:8222/healthz?js-enabled-only=true'",
  "facts=$(wget -q -O - http://127.0.0.1:8222/jsz | tr -d ' \\n')",
];

/**
 * Servers that found each other too late (2.10) elect a leader that never takes in the third server. All three call
 * themselves healthy, but a stream of three copies has `no suitable peers`. A restart heals it.
 */
function whole(nodes: number): string {
  return `! echo "$facts" | grep -qE '"leader":"[^"]+".*"cluster_size":[1-${String(nodes - 1)}],' || exit 1`;
}

/**
 * At its start the server leaves out a stream that it cannot read, or that (2.10) does not fit `max_file_store` any
 * more. It says so in one line of its log.
 */
const served = `kept=$(ls -d /data/jetstream/*/streams/*/meta.inf 2>/dev/null | wc -l)
streams=$(echo "$facts" | grep -oE '"streams":[0-9]+' | head -n 1 | cut -d : -f 2)
if [ "$kept" -gt "\${streams:-0}" ]; then echo "$kept streams are on the disk, $streams are served: the log says why (a store that was made smaller?)"; exit 1; fi`;

function server(host: string, maxPayloadBytes: number | undefined): string {
  return `server_name: ${host}
listen: 0.0.0.0:4222
http: 127.0.0.1:8222${maxPayloadBytes === undefined ? "" : `\nmax_payload: ${String(maxPayloadBytes)}`}`;
}

/** `no_advertise`: clients keep the names that they were given, which lead to every server. */
function cluster(name: string, hosts: readonly string[], password: string): string {
  return `cluster {
  name: ${name}
  listen: 0.0.0.0:6222
  no_advertise: true
  authorization { user: route, password: ${natsString(password)}, timeout: 3 }
  routes: [ ${hosts.map((host) => `"nats-route://route:${encodeURIComponent(password)}@${host}:6222"`).join(", ")} ]
}`;
}

/** Makes a stream that all servers keep, and deletes it. Uses the last `try` of `answers`. */
function copies(hosts: readonly string[]): string {
  const stream = JSON.stringify({
    ...{ name: "SETUP_PROBE", subjects: ["setup.probe"], storage: "memory", max_msgs: 1, max_bytes: 1024 },
    num_replicas: hosts.length,
  });
  return `api() {
  printf 'PUB $JS.API.STREAM.%s setup.answer %s\\r\\n%s\\r\\n' "$1" "\${#2}" "$2" >&3
  while IFS= read -r -t 10 line <&3; do
    case "$line" in
      *'"error"'* | -ERR*) echo "nats: $line" >&2; return 1 ;;
      *"$3"*) return 0 ;;
    esac
  done
  return 1
}
keep() { try && api CREATE.SETUP_PROBE '${stream}' stream_create_response && api DELETE.SETUP_PROBE '' stream_delete_response; }
for attempt in $(seq 60); do
  if (keep); then break; fi
  [ "$attempt" -lt 60 ] || { echo "${hosts.join(", ")}: they do not keep a stream together" >&2; exit 1; }
  sleep 2
done`;
}

/** A client's first message, in JSON. It lies in a file, as the shell could not write every password. */
export function connect(password: string): string {
  const client = { verbose: false, pedantic: false, lang: "bash", version: "1" };
  return JSON.stringify({ user, pass: password, ...client });
}

/** Asks JetStream through one server, in NATS' own protocol, until it answers without an error. */
function answers(host: string): string {
  return `try() {
  exec 3<>"/dev/tcp/${host}/4222" || return 1
  printf 'CONNECT %s\\r\\nSUB setup.answer 1\\r\\nPUB $JS.API.INFO setup.answer 0\\r\\n\\r\\n' "$(cat ${login})" >&3
  while IFS= read -r -t 5 line <&3; do
    case "$line" in
      *'"error"'* | -ERR*) echo "${host}: $line" >&2; return 1 ;;
      *account_info_response*) return 0 ;;
    esac
  done
  return 1
}
for attempt in $(seq 60); do
  if (try); then break; fi
  [ "$attempt" -lt 60 ] || { echo "${host}: JetStream does not answer" >&2; exit 1; }
  sleep 2
done`;
}

/** NATS with JetStream and a login. */
export class Nats extends Service<"nats"> {
  /** How containers supply it. */
  static readonly recipe = nats;

  constructor(name: string, args: ServiceArgs<"nats">, opts?: ComponentResourceOptions) {
    super("Nats", "nats", nats, name, args, opts);
  }
}
