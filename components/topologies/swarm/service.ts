import { createHash } from "node:crypto";

import { type Input, type Output, output } from "@pulumi/pulumi";
import type * as docker from "@pulumi/docker";

import type { Container, Dict, Health, List } from "../../core/contracts.ts";
import type { Image } from "../../core/images.ts";
import { swarmText } from "../../core/syntax.ts";
import type { Site } from "../../core/topology.ts";
import {
  entry,
  environment,
  healthTest,
  healthTimes,
  keyAndValue,
  labels,
  shortDuration,
  userOf,
} from "../containers.ts";
import type { UpdateArgs } from "./args.ts";
import type { Files } from "./files.ts";

type Mount = docker.types.input.ServiceTaskSpecContainerSpecMount;

/** A container of a plan with all that the swarm decides about it. */
export interface Part {
  readonly name: string;
  readonly container: Container & { readonly health: Health };
  readonly image: Image;
  /** The image's reference with its digest. */
  readonly ref: Input<string>;
  readonly files: Files;
  /** The owner that is written on everything. */
  readonly owner: Input<string>;
  readonly networks: List<{ readonly id: Input<string>; readonly aliases: List<string> }>;
  /** Its names. The first is its own, which no other service has. */
  readonly aliases: readonly [string, ...string[]];
  readonly constraints: List<Input<string>>;
  readonly mounts: List<Mount>;
  readonly replicas: number | "each-node";
  readonly hostname?: string;
  /** It runs in the node's own network, with these rights there. Default: in `networks`, without any. */
  readonly onNode?: List<string>;
  readonly endpointMode: "vip" | "dnsrr";
  readonly ports?: docker.types.input.ServiceEndpointSpecPort[];
  /** The old task has to stop before the new one starts, as both need the same disk or the same port. */
  readonly stopFirst: boolean;
  readonly update: UpdateArgs;
}

/** A service as the Docker provider wants it, and the hash by which its gate knows it. */
export interface Spec {
  readonly args: docker.ServiceArgs;
  readonly hash: Output<string>;
}

/**
 * The variable with the spec's hash. A label would be better, but the provider replaces the service for it: an outage.
 */
const specVariable = "PLATFORM_TOPOLOGIES_SPEC";

export function serviceSpec(site: Site, part: Part): Spec {
  const { name, container, replicas } = part;
  const containerSpec = containerSpecOf(site, part);
  const taskSpec = {
    networksAdvanceds: part.networks.map(({ id, aliases }) => ({
      id,
      ...(aliases.length > 0 ? { aliases: [...aliases].sort() } : {}),
    })),
    placement: { constraints: [...part.constraints] },
    resources: {
      limits: { nanoCpus: Math.round(container.cpu * 1e9), memoryBytes: container.memoryMib * 1024 * 1024 },
      // No node is promised more memory than it has.
      reservation: { memoryBytes: container.memoryMib * 1024 * 1024 },
    },
    // All four are set: the provider reads back one that is left out, as a difference.
    restartPolicy: { condition: "any", delay: "2s", maxAttempts: 0, window: "0s" },
    logDriver: { name: "json-file", options: { "max-size": "10m", "max-file": "3" } },
  };
  const rolling = rollingOf(part);
  const mode = replicas === "each-node" ? { global: true } : { replicated: { replicas } };
  const shape = {
    name: `${site.name}-${name}`,
    labels: labels(site, name, part.owner),
    endpointSpec: { mode: part.endpointMode, ...(part.ports ? { ports: part.ports } : {}) },
    updateConfig: { ...rolling, failureAction: "rollback" },
    rollbackConfig: { ...rolling, failureAction: "pause" },
  };
  // The hash leaves out the number of replicas: tasks carry it, and another number must not roll them.
  const hash = hashOf({ ...shape, taskSpec, containerSpec });
  const env = output(containerSpec.env).apply((own) => hash.apply((value) => ({ ...own, [specVariable]: value })));
  const whole = { ...containerSpec, env, ...(part.onNode === undefined ? { sysctl: sysctlOf(part) } : {}) };
  return { args: { ...shape, mode, taskSpec: { ...taskSpec, containerSpec: whole } }, hash };
}

/**
 * Nobody answers for a node without power. Linux sends again for a quarter of an hour (15 times) before a connection
 * fails; four times are some 6 seconds, less than a store's failover and than most clients' patience. Who has ports has
 * callers from outside as well, whose network may be away for longer: six times, 25 s. A new connection is given up
 * after 7 s, not two minutes, as a name has further addresses. Whoever waits for an answer sends nothing: a client that
 * keeps its connections alive asks after 5 seconds of silence, not after two hours, and gives up after 11.
 */
function sysctlOf({ ports }: Part): Readonly<Record<string, string>> {
  return {
    "net.ipv4.tcp_retries2": ports === undefined ? "4" : "6",
    "net.ipv4.tcp_syn_retries": "2",
    "net.ipv4.tcp_keepalive_time": "5",
    "net.ipv4.tcp_keepalive_intvl": "2",
    "net.ipv4.tcp_keepalive_probes": "3",
  };
}
/**
 * The provider replaces a service for another one, which is an outage. A service keeps what it was made with, and its
 * hash has nothing of it.
 */
export const sysctlPath = "taskSpec.containerSpec.sysctl";

function containerSpecOf(site: Site, part: Part) {
  const { name, container, image, ref, files, mounts, hostname, onNode } = part;
  const { entrypoints, command } = entry(container);
  const user = userOf(container, image);
  return {
    image: ref,
    ...(entrypoints ? { commands: entrypoints } : {}),
    ...(command ? { args: command } : {}),
    ...(user === undefined ? {} : { user }),
    ...(hostname === undefined ? {} : { hostname }),
    env: environment(container, image).apply((pairs) => templates(pairs, container)),
    ...(files.secrets.length > 0 ? { secrets: files.secrets } : {}),
    ...(files.configs.length > 0 ? { configs: files.configs } : {}),
    ...(mounts.length > 0 ? { mounts: [...mounts] } : {}),
    healthcheck: {
      // The node's own network has no name of the swarm's.
      tests: onNode ? healthTest(container, image) : named(healthTest(container, image), part.aliases),
      ...healthTimes,
      ...(hostname === undefined ? { retries: patience } : {}),
      startPeriod: shortDuration(container.health.startSeconds),
    },
    stopGracePeriod: shortDuration(container.health.stopSeconds),
    init: true,
    ...(onNode ? { capAdds: [...onNode] } : {}),
    capDrops: ["ALL"], // services have no no-new-privileges before Engine 26
    labels: labels(site, name, part.owner),
  };
}

/**
 * How many probes in a row have to fail before the swarm starts a replica again, 5 s from one to the next: half a minute.
 * A replica that says it is not ready while its store's next leader is chosen (some 15 s) lives, and all replicas say so at
 * once: started again together, they would be away for longer than the store. A slot is a store itself, and has the usual
 * three.
 */
const patience = 6;

/**
 * A health check that fails, too, if the swarm's DNS does not know the task half a minute after its first healthy
 * answer. A task that starts while the managers elect a leader may never get its name (moby 35508, 37535): it would run
 * for ever, healthy and found by nobody. So the swarm starts another. `tasks.<alias>` has the addresses of all
 * replicas, /etc/hosts the task's own. The check waits half a minute, as the host's name servers are asked for names
 * that the swarm does not know yet. Images without getent skip it.
 */
function named([, ...command]: List<string>, [alias]: Part["aliases"]): string[] {
  const script = `"$@" || exit 1
read -r now _ </proc/uptime
[ -e ${since} ] || echo "\${now%.*}" >${since}
read -r first <${since}
[ $((\${now%.*} - first)) -ge 30 ] && command -v getent >/dev/null || exit 0
known="
$(RES_OPTIONS='timeout:2 attempts:1' getent hosts tasks.${alias})"
while read -r own _; do
  case $known in *"
$own "*) exit 0 ;; esac
done </etc/hosts
echo "the swarm's DNS does not know this task as ${alias}: another has to take its place"
exit 1`;
  return ["CMD", "sh", "-c", script, "health", ...command];
}

/**
 * A file with the time when the task was first healthy, in seconds of the machine's uptime. It goes with the container.
 */
const since = "/dev/shm/healthy-since";

function rollingOf({ update, stopFirst }: Part) {
  return {
    parallelism: update.parallelism,
    delay: shortDuration(update.delaySeconds),
    monitor: shortDuration(update.monitorSeconds),
    maxFailureRatio: "0.0",
    order: stopFirst ? "stop-first" : "start-first",
  };
}

/** The hash is a secret if the spec has one: nobody must guess a password of the environment from it. */
function hashOf(spec: object): Output<string> {
  return output<object>(spec).apply((plain) =>
    createHash("sha256").update(canonical(plain)).digest("hex").slice(0, 16),
  );
}

/** JSON with sorted keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === undefined) return "null";
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]: [string, unknown]) => `${JSON.stringify(key)}:${canonical(inner)}`)
    .join()}}`;
}

/**
 * Variables as templates from which the swarm writes each task's: values as they are, and the node's name if asked for.
 */
function templates(pairs: List<string>, { nodeName }: Container): Dict<string> {
  const own = Object.fromEntries(pairs.map(keyAndValue).map(([key, value]) => [key, swarmText(value)]));
  return nodeName === undefined ? own : { ...own, [nodeName]: "{{.Node.Hostname}}" };
}
