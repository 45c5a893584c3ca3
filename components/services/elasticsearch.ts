import { type ComponentResourceOptions, output, type Output } from "@pulumi/pulumi";

import type { Ask, Certificate, File, List, Platform, Recipe, SearchProtocol } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { curlOption } from "../core/syntax.ts";
import { fingerprint, onlySaid, quick, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";

const home = "/usr/share/elasticsearch";
const data = `${home}/data`;
const certificates = `${home}/config/certs`; // Elasticsearch reads key files below its own config folder only
const folder = "/run/elasticsearch";
const password = `${folder}/password`;
const curl = `${folder}/curlrc`;
const marker = ".new";
const user = "elastic";

/**
 * Elasticsearch 7 or 8, one node or three, with a login. Three nodes speak TLS to each other, which Elasticsearch
 * insists on if it has a login. Clients speak plain HTTP inside the data network.
 */
export const elasticsearch: Recipe<"elasticsearch"> = (p, name, ask) => {
  const secret = p.secret(`${name}-password`, name);
  const heap = `${String(ask.heapMib ?? 1024)}m`;
  const major = ask.speaks.find(ours) === "elasticsearch7" ? 7 : 8;
  const members = Array.from({ length: ask.nodes }, (_, index) => `${name}-${String(index + 1)}`);
  const hosts = members.map((each) => p.address(each));
  const certificate = ask.nodes > 1 ? p.certificate(`${name}-transport`, hosts) : undefined;
  const login = loginFile(user, secret);
  // One by one: a change restarts one node at a time.
  const made = p.slots(name, { count: ask.nodes }, ({ host, number }) => ({
    ...storeOptions(ask, major === 7 ? "elasticsearch7" : "elasticsearch"),
    tier: "data",
    cpu: 2,
    memoryMib: 2 * (ask.heapMib ?? 1024), // the rest is for the page cache and what lies off the heap
    user: "1000:0",
    needs: ["max-map-count"],
    files: [
      { path: password, content: secret, secret: true },
      login,
      ...(certificate ? transportFiles(certificate) : []),
    ],
    env: { ES_JAVA_OPTS: `-Xms${heap} -Xmx${heap}` },
    prepare: prepare(host, ask.nodes > 1 && number === 1 ? hosts.filter((other) => other !== host) : []),
    command: ["elasticsearch", ...settings(`${p.name}-${name}`, host, hosts, major), ...watermarks(ask.gib)],
    ports: {
      http: { number: 9200, protocol: "http" },
      ...(certificate ? { transport: { number: 9300, protocol: "tcp" } } : {}),
    },
    health: { ready: { command: ["sh", "-c", healthy(p, host, hosts)] }, startSeconds: replaySeconds, stopSeconds: 60 },
    disk: {
      path: data,
      gib: ask.gib,
      ...(ask.nodes > 1 ? { marker } : {}),
      backup: { rebuilt: "the index is made again from the application's database" },
    },
  }));
  const host = ask.names?.[0] ?? p.address(`${name}-1`);
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    files: [login],
    command: [
      "sh",
      "-euc",
      [...hosts.map((each) => together(each, ask.nodes)), ...(ask.nodes > 1 ? [twice(hosts)] : [])].join("\n"),
    ],
    seconds: 300,
    after: made,
  });
  return { host, port: 9200, members, user, password: secret, ready: setup.ready };
};

/**
 * The same on a search that the place brings: OpenSearch, which takes TLS alone. A job signs in: a search that lets nobody
 * in, or has lost an index, is not ready, in the run that made it and in the next. Another password is tried before any
 * client has it.
 */
export const managedElasticsearch: Recipe<"elasticsearch"> = (p, name, ask) => {
  const search = p.managed("elasticsearch", name, ask);
  const hostFile = { path: `${folder}/host`, content: output(search.host) };
  const url = `"https://$(cat ${hostFile.path}):${String(search.port)}/_cluster/health?wait_for_status=yellow&timeout=5s"`;
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    files: [loginFile(search.user, search.password), hostFile],
    command: ["sh", "-euc", wait(url, `${name}: no whole cluster that accepts the login`)],
    trigger: fingerprint(search.password),
    seconds: 600,
    after: [search],
  });
  return { ...search, ready: setup.ready };
};

/** The options of curl, with the login. */
function loginFile(name: string, secret: Output<string>): File {
  const content = secret.apply((value) => `${curlOption("user", `${name}:${value}`)}silent\nmax-time = 8\n`);
  return { path: curl, content, secret: true };
}

const ours = (each: SearchProtocol): boolean => each !== "opensearch2";

/** Settings as Elasticsearch documents them; every one may stand on the command line. */
function settings(cluster: string, host: string, hosts: List<string>, major: 7 | 8): string[] {
  const transport = "xpack.security.transport.ssl";
  const together = {
    "discovery.seed_hosts": hosts.join(","),
    // A node that stands still with a primary holds each write until three checks of it have failed; if it is the elected
    // master, too, after three by the others, and three by the next master. By default each takes 10 s.
    "cluster.fault_detection.follower_check.timeout": "2s",
    "cluster.fault_detection.leader_check.timeout": "2s",
    [`${transport}.enabled`]: "true",
    [`${transport}.verification_mode`]: "certificate", // one certificate for all nodes
    [`${transport}.certificate`]: `${certificates}/node.pem`,
    [`${transport}.key`]: `${certificates}/node.key`,
    [`${transport}.certificate_authorities`]: `${certificates}/ca.pem`,
  };
  const all = {
    "cluster.name": cluster,
    "node.name": host,
    "network.host": "0.0.0.0",
    "xpack.security.enabled": "true",
    "xpack.security.http.ssl.enabled": "false",
    // At its first start 8 would make certificates of its own for clients.
    ...(major === 8 ? { "xpack.security.autoconfiguration.enabled": "false" } : {}),
    "ingest.geoip.downloader.enabled": "false", // the data network has no way out
    ...(hosts.length > 1 ? together : { "discovery.type": "single-node" }),
  };
  return Object.entries(all).map(([key, value]) => `-E${key}=${value}`);
}

/**
 * Watermarks in bytes, of the disk size that was asked for. A volume is often a folder of a much larger disk, whose
 * last tenth is no reason to refuse an index.
 */
function watermarks(gib: number): string[] {
  const free = { low: 0.15, high: 0.1, flood_stage: 0.05 };
  return Object.entries(free).map(
    ([mark, part]) => `-Ecluster.routing.allocation.disk.watermark.${mark}=${String(Math.ceil(gib * part * 1024))}mb`,
  );
}

function transportFiles({ ca, cert, key }: Certificate): File[] {
  return [
    { path: `${certificates}/ca.pem`, content: ca },
    { path: `${certificates}/node.pem`, content: cert },
    { path: `${certificates}/node.key`, content: key, secret: true },
  ];
}

/**
 * Puts the password into the keystore, as the official entrypoint does. The entrypoint itself is no choice: it refuses
 * a password file that others may read, and our files are root's. The first node, which has `others`, forms the cluster
 * once, on a disk that was made for it, while no other node has an address: `initial_master_nodes` at any later start could
 * form a second cluster. A node whose disk lost its data, or is a new one, joins empty, and the others fill it.
 */
function prepare(host: string, others: List<string>): string {
  const form = `if [ ! -d ${data}/nodes ] && [ ! -d ${data}/_state ] && [ -e ${data}/${marker} ]; then
  alone=yes
  for try in 1 2 3; do
    for other in ${others.join(" ")}; do if ${quick} getent hosts "$other" >/dev/null; then alone=; fi; done
    sleep 1
  done
  if [ -n "$alone" ]; then set -- "$@" -Ecluster.initial_master_nodes=${host}; fi
fi`;
  return `set -eu
rm -f /tmp/ready
ELASTIC_PASSWORD="$(cat ${password})"; export ELASTIC_PASSWORD
if command -v elasticsearch-keystore >/dev/null; then
  [ -e ${home}/config/elasticsearch.keystore ] || elasticsearch-keystore create >/dev/null
  printf %s "$ELASTIC_PASSWORD" | elasticsearch-keystore add --stdin --force bootstrap.password
fi
if [ "$(cat /proc/sys/vm/max_map_count)" -lt 262144 ]; then
  echo "vm.max_map_count of this host is below 262144: files are not mapped, searches are slower (sysctl -w vm.max_map_count=262144)" >&2
  set -- "$@" -Enode.store.allow_mmap=false
fi${others.length > 0 ? `\n${form}` : ""}`;
}

/**
 * The first success waits until no shard is being copied any more, and none is looked for on the node that has come back,
 * so that the next node may stop. A shard that no node can take, as one is lost for good, is not waited for. It does not
 * wait while the other nodes have no address, as after a start of all: a swarm's DNS has healthy nodes only, so one
 * has to be healthy first. Later probes ask for a master and for indices that take writes. On a swarm they take any
 * answer: a node must not be restarted because it lost its peers.
 */
function healthy(p: Platform, host: string, hosts: List<string>): string {
  const base = "http://127.0.0.1:9200";
  const query = "master_timeout=2s&timeout=3s&wait_for_status=yellow&wait_for_no_initializing_shards=true";
  const pending = "wait_for_events=languid&filter_path=delayed_unassigned_shards,number_of_in_flight_fetch";
  const ask =
    hosts.length === 1
      ? `curl -K ${curl} -f -o /dev/null "${base}/_cluster/health?${query}"`
      : `[ "$(curl -K ${curl} -f "${base}/_cluster/health?${query}&${pending}")" = '{"delayed_unassigned_shards":0,"number_of_in_flight_fetch":0}' ]`;
  const answers = `curl -K ${curl} -o /dev/null ${base}/`;
  const alone = hosts.filter((other) => other !== host).map((other) => `! ${quick} getent hosts ${other} >/dev/null`);
  const first =
    alone.length === 0 ? ask : `${ask} || { ${[answers, ...alone].join(" && ")} && touch /tmp/ready && exit; }`;
  return `if [ ! -e /tmp/ready ]; then
  ${first} || exit 1
  touch /tmp/ready
fi
${
  onlySaid(p)
    ? `blocks=$(curl -K ${curl} -f '${base}/_cluster/state/blocks?filter_path=blocks.indices&master_timeout=3s') || exit 1
case $blocks in *allow?delete*) echo "indices take no writes, as the disk is almost full: $blocks"; exit 1 ;; esac`
    : answers
}`;
}

/** Waits until the login works and all nodes have found each other. */
function together(host: string, nodes: number): string {
  const url = `'http://${host}:9200/_cluster/health?wait_for_nodes=${String(nodes)}&timeout=5s'`;
  return wait(url, `${host}: no cluster of ${String(nodes)} that accepts the login`);
}

/** An index that was made without a copy, as on one node alone, gets one: it would be lost with its node. */
function twice([first = ""]: List<string>): string {
  const settings = "_settings?flat_settings=true&expand_wildcards=open";
  const single = `to_entries[] | select(.key[:1] != "." and .value.settings["index.number_of_replicas"] == "0"
  and (.value.settings["index.auto_expand_replicas"] // "false") == "false") | .key`;
  return `curl -K ${curl} -fS 'http://${first}:9200/${settings}' >/tmp/settings
jq -r '${single}' /tmp/settings >/tmp/single
while read -r index; do
  curl -K ${curl} -fS -o /dev/null -X PUT -H 'content-type: application/json' -d '{"index.number_of_replicas":1}' "http://${first}:9200/$index/_settings"
done </tmp/single`;
}

/** `url`: a word of the shell. */
function wait(url: string, otherwise: string): string {
  return `for attempt in $(seq 30); do
  if curl -K ${curl} -fS -o /dev/null ${url}; then break; fi
  [ "$attempt" -lt 30 ] || { echo "${otherwise}" >&2; exit 1; }
  sleep 2
done`;
}

/** Elasticsearch with a login. */
export class Elasticsearch extends Service<"elasticsearch"> {
  /** How containers supply it. */
  static readonly recipe = elasticsearch;

  /** Why a container of ours is not for this ask; undefined: it is. */
  static unfit({ speaks }: Ask<"elasticsearch">): string | undefined {
    return speaks.some(ours)
      ? undefined
      : "the application's clients speak OpenSearch alone, and a container of ours is Elasticsearch: name what they speak of it, too, or an OpenSearch under `existing`";
  }

  constructor(name: string, args: ServiceArgs<"elasticsearch">, opts?: ComponentResourceOptions) {
    super("Elasticsearch", "elasticsearch", elasticsearch, name, args, opts);
  }
}
