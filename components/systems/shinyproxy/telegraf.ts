import { all, type Output } from "@pulumi/pulumi";

import type { File, Given, Workload } from "../../core/contracts.ts";
import { urlOf } from "../../core/endpoint.ts";
import { curlOption, telegrafString } from "../../core/syntax.ts";
import { databases } from "./influx.ts";

const path = "/run/telegraf/telegraf.conf";
const caPath = "/run/telegraf/influx-ca.pem";
const host = "/hostfs";
const login = "/run/telegraf/influx.curl";

/**
 * Telegraf calls itself healthy whatever becomes of its points: after a wrong password it drops them, and without the
 * database it waits. So the probe writes, too. While InfluxDB is away Telegraf counts as healthy: a restart would lose
 * the points that it keeps.
 */
const probe = `curl -fsS -m 4 -o /dev/null http://127.0.0.1:8080/ || exit 1
answer="$(curl -sS -m 4 -X POST --data-binary '' --config ${login} -w '%{http_code}' 2>/dev/null)"
case $answer in *401 | *403 | *404) echo "InfluxDB takes nothing from Telegraf: $answer"; exit 1 ;; esac`;

/**
 * Points that wait while InfluxDB is away, for an hour and more; then the oldest go. A container makes 5 every 15 s, a
 * node some 10 every 10 s, more with more disks (docs/ha.md). They are in memory: Telegraf's buffer on disk is an
 * experiment that knows no limit, and would go with the container as well.
 */
const buffered = { cluster: 100_000, node: 20_000 };

const common = {
  image: "telegraf",
  tier: "data", // InfluxDB is there; Telegraf cannot reach out
  cpu: 0.5,
  memoryMib: 256,
  user: "65534:65534",
  command: ["telegraf", "--config", path],
  ports: { health: { number: 8080, protocol: "http" } },
  health: { ready: { command: ["sh", "-c", probe] }, startSeconds: 60, stopSeconds: 15 },
} as const;

/** Services, tasks and events, from one manager: all managers see the same, and two Telegrafs would count it twice. */
export function clusterTelegraf(
  influx: Given<"influx">,
  reader: Given<"containers">,
  nodes: Workload["nodes"],
): Workload {
  const inputs = `[agent]
  omit_hostname = true
[[inputs.docker]]
  endpoint = ${telegrafString(reader.url.replace("http:", "tcp:"))}
  timeout = "15s"
  interval = "15s"
  gather_services = ${String(reader.engine === "swarm")}
  perdevice_include = []
  total_include = ["cpu", "network"]
[[inputs.http]]
  urls = [${telegrafString(`${reader.url}/events/recent?seconds=60`)}]
  name_override = "docker_event"
  data_format = "json"
  tag_keys = ["type", "action", "scope"]
  json_string_fields = ["name", "id"]
  json_time_key = "time"
  json_time_format = "unix_ns"
`;
  return {
    ...common,
    networks: reader.networks,
    memoryMib: 512, // of which a full buffer takes 390
    env: { GOMEMLIMIT: "448MiB" },
    files: [...conf(influx, inputs, buffered.cluster), loginOf(influx)],
    replicas: 1,
    ...(nodes === undefined ? {} : { nodes }),
    after: [influx, reader],
  };
}

/**
 * Load, memory and disks of each node. On workers it is the one thing beside users' apps. It reads the machine's files
 * as the user nobody, without a capability and without the engine's socket.
 */
export function nodeTelegraf(influx: Given<"influx">): Workload {
  const inputs = `[agent]
  hostname = "\${NODE_NAME}"
[[inputs.cpu]]
  percpu = false
[[inputs.mem]]
[[inputs.swap]]
[[inputs.system]]
[[inputs.processes]]
[[inputs.diskio]]
[[inputs.disk]]
  ignore_fs = ["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs", "nsfs"]
`;
  return {
    ...common,
    mounts: [{ folder: "/", path: host, readOnly: true }],
    files: [...conf(influx, inputs, buffered.node), loginOf(influx)],
    env: {
      HOST_ETC: `${host}/etc`,
      HOST_PROC: `${host}/proc`,
      HOST_SYS: `${host}/sys`,
      HOST_MOUNT_PREFIX: host,
    },
    nodeName: "NODE_NAME", // unset: the machine's own file names the node
    prepare: `NODE_NAME="\${NODE_NAME:-$(cat ${host}/etc/hostname)}"; export NODE_NAME`,
    replicas: "each-node",
    after: [influx],
  };
}

function conf(influx: Given<"influx">, inputs: string, limit: number): File[] {
  const content: Output<string> = all([urlOf(influx), influx.password]).apply(
    ([url, password]) => `${inputs}[[outputs.influxdb]]
  urls = [${telegrafString(url)}]
  database = ${telegrafString(databases.metrics)}
  skip_database_creation = true
  metric_buffer_limit = ${String(limit)}
  username = ${telegrafString(influx.user)}
  password = ${telegrafString(password)}${influx.ca ? `\n  tls_ca = "${caPath}"` : ""}
[[outputs.health]]
  service_address = "http://:8080"
`,
  );
  return [{ path, content, secret: true }, ...(influx.ca === undefined ? [] : [{ path: caPath, content: influx.ca }])];
}

/** InfluxDB's login for the health check, which writes nothing. */
function loginOf(influx: Given<"influx">): File {
  const content = all([urlOf(influx), influx.password]).apply(
    ([url, password]) =>
      curlOption("url", `${url}/write?db=${databases.metrics}`) +
      curlOption("user", `${influx.user}:${password}`) +
      (influx.ca === undefined ? "" : curlOption("cacert", caPath)),
  );
  return { path: login, content, secret: true };
}
