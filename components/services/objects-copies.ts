import { createHash, createPrivateKey, createPublicKey } from "node:crypto";

import { all, type Output } from "@pulumi/pulumi";

import type { Ask, Dict, List, Member, Platform, Recipe } from "../core/contracts.ts";
import { numbered } from "../core/platform.ts";
import { fingerprint, onlySaid, quick, storeOptions, toolbox } from "../core/recipe.ts";
import { curlOption } from "../core/syntax.ts";
import { objectsDump, rclone, region } from "./objects-backup.ts";

const s3 = 3900;
const rpc = 3901;
/** Where each answers those who have the token. */
export const adminPort = 3903;
const data = "/data";
const folder = "/run/garage";
const curl = `${folder}/curl`;
const marker = ".new";

/**
 * Three Garages, each with all objects. A write is acknowledged when two have it on their disks, a read asks two: one
 * may be lost. None of them leads. They answer together, at the edge and inside, and each forwards what it has not.
 * Between them everything is signed and encrypted with a secret that applications do not have.
 */
export const objectsCopies: Recipe<"objects"> = (p, name, ask) => {
  const secret = p.secret(`${name}-password`, name);
  const cluster = p.secret(`${name}-cluster`);
  // Garage never gives a key another secret: a rotated one is a new key, and the set-up deletes the old.
  const key = secret.apply((value) => `app-${hash(`key ${value}`).toString("hex").slice(0, 16)}`);
  const members = numbered(`${name}-garage`, { count: 3 }, p.address.bind(p));
  const servers = members.map(({ number, host }) => ({ host, key: cluster.apply((value) => nodeKey(number, value)) }));
  const login = { path: curl, content: cluster.apply(curlFile), secret: true };
  const host = p.address(name);
  const store = p.slots(`${name}-garage`, { count: 3 }, (member) => ({
    ...storeOptions({ ...ask, names: [name] }, "garage"),
    tier: "app",
    cpu: 2,
    memoryMib: 1024,
    user: "0:0", // without any capability; a new volume is root's
    files: [
      { path: `${folder}/garage.toml`, content: configOf(member, servers) },
      { path: `${folder}/node-key`, content: servers[member.number - 1]?.key.apply(keyFile) ?? "", secret: true },
      {
        path: `${folder}/rpc-secret`,
        content: cluster.apply((value) => hash(`rpc ${value}`).toString("hex")),
        secret: true,
      },
      { path: `${folder}/admin-token`, content: cluster, secret: true },
      login,
    ],
    prepare: prepare(member.name),
    command: ["garage", "--config", `${folder}/garage.toml`, "server"],
    ports: {
      s3: { number: s3, protocol: "http" },
      rpc: { number: rpc, protocol: "tcp" },
      admin: { number: adminPort, protocol: "http" },
    },
    ...(ask.browser
      ? { routes: [{ host: p.publicHost(name), path: "/", port: "s3", seconds: 3600, pool: name }] }
      : {}),
    health: {
      ready: { command: ["sh", "-c", ready(p, member, members)] },
      page: { http: "admin", path: "/health" },
      ...{ startSeconds: 300, stopSeconds: 30 },
    },
    disk: {
      path: data,
      gib: ask.gib,
      marker,
      backup: { rebuilt: "the other two have all objects, and fill an empty disk" },
    },
  }));
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "app",
    trigger: fingerprint(secret),
    files: [
      login,
      { path: `${folder}/layout`, content: layoutOf(servers, ask.gib) },
      { path: `${folder}/key`, content: all([key, secret]).apply(importOf), secret: true },
    ],
    command: ["bash", "-euo", "pipefail", "-c", setUp(members), "setup", JSON.stringify(corsOf(ask))],
    seconds: 600,
    after: store,
  });
  // A backup knows it by the name that one server has, so each can restore the other's.
  const section = rclone(name, "Other", all([key, secret]), `http://${host}:${String(s3)}`);
  p.dump(`${name}-1`, objectsDump(name, section), ask.nodeLabels);
  return {
    api: "s3",
    url: ask.browser ? p.publicUrl(name) : `http://${host}:${String(s3)}`,
    internal: { host, port: s3, members: members.map((member) => member.name) },
    region,
    key,
    secret,
    passwords: { [`${name}-garage`]: cluster },
    bucket: (bucket) => bucket,
    ready: setup.ready,
  };
};

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * The Ed25519 key by which the others know a server, as Garage keeps it, in hex: seed and public half. A server with a
 * new disk is the same to them, and they fill it.
 */
export function nodeKey(number: number, cluster: string): string {
  const seed = hash(`node ${String(number)} ${cluster}`);
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPublicKey(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));
  return Buffer.concat([seed, key.export({ format: "der", type: "spki" }).subarray(-32)]).toString("hex");
}

interface Server {
  readonly host: string;
  readonly key: Output<string>;
}

const idOf = (key = ""): string => key.slice(64);
const keyFile = (key: string): string => `${Buffer.from(key, "hex").toString("base64")}\n`;
/** As curl's configuration has it. */
export const tokenHeader = (token: string): string => curlOption("header", `Authorization: Bearer ${token}`);
const curlFile = (token: string): string => `${tokenHeader(token)}silent\nshow-error\nfail-with-body\nmax-time = 20\n`;

/** `fsync`: a machine that loses its power loses nothing that it has acknowledged. Default: a cut may even break LMDB. */
function configOf({ host }: Member, servers: List<Server>): Output<string> {
  const others = servers.filter((other) => other.host !== host);
  return all(others.map(({ key }) => key)).apply((keys) => {
    const peers = others.map((other, index) => `${idOf(keys[index])}@${other.host}:${String(rpc)}`);
    return `metadata_dir = "${data}/meta"
data_dir = "${data}/objects"
db_engine = "lmdb"
metadata_fsync = true
data_fsync = true
replication_factor = 3
rpc_bind_addr = "0.0.0.0:${String(rpc)}"
rpc_public_addr = "${host}:${String(rpc)}"
rpc_secret_file = "${folder}/rpc-secret"
allow_world_readable_secrets = true
# A server whose node has lost its power answers nothing: another is asked after this time.
rpc_timeout_msec = 5000
rpc_ping_timeout_msec = 2000
bootstrap_peers = ${JSON.stringify(peers)}
[s3_api]
api_bind_addr = "0.0.0.0:${String(s3)}"
s3_region = "${region}"
[admin]
api_bind_addr = "0.0.0.0:${String(adminPort)}"
admin_token_file = "${folder}/admin-token"
`;
  });
}

/** Each server in a zone of its own, so each has all. */
function layoutOf(servers: List<Server>, gib: number): Output<string> {
  return all(servers.map(({ key }) => key)).apply((keys) =>
    JSON.stringify({
      roles: keys.map((key, index) => ({
        id: idOf(key),
        zone: servers[index]?.host ?? "",
        capacity: gib * 1024 ** 3,
        tags: [],
      })),
    }),
  );
}

function importOf([key, secret]: [string, string]): string {
  return JSON.stringify({ accessKeyId: key, secretAccessKey: secret, name: "app" });
}

/** By the buckets' names, in Garage's words. */
function corsOf({ buckets }: Ask<"objects">): Dict<object[]> {
  const rule = (origin: string) => ({
    AllowedOrigin: [origin],
    AllowedMethod: ["PUT", "GET", "HEAD"],
    AllowedHeader: ["*"],
    ExposeHeader: ["ETag"],
  });
  return Object.fromEntries(
    Object.entries(buckets).map(([bucket, { cors }]) => [bucket, cors === undefined ? [] : [rule(cors)]]),
  );
}

/**
 * An empty disk is filled at once: the others are told to compare their tables with it. By themselves they do that every
 * ten minutes.
 */
function prepare(name: string): string {
  return `set -eu
umask 077
rm -f /tmp/ready
mkdir -p ${data}/meta ${data}/objects
base64 -d ${folder}/node-key >/tmp/node-key
if [ -e ${data}/meta/node_key ]; then
  cmp -s /tmp/node-key ${data}/meta/node_key || { echo "${name} has the disk of another store: bring its own back" >&2; exit 1; }
else
  tail -c 32 /tmp/node-key >${data}/meta/node_key.pub
  cp /tmp/node-key ${data}/meta/node_key.new
  mv ${data}/meta/node_key.new ${data}/meta/node_key
  ask() { curl -K ${curl} "http://127.0.0.1:${String(adminPort)}/v2/$@"; }
  (
    until ask GetClusterHealth 2>/dev/null | grep -Eq '"status": *"(healthy|degraded)"'; do sleep 2; done
    ask 'LaunchRepairOperation?node=*' --data '{"repairType":"tables"}' >/dev/null
  ) &
fi
rm /tmp/node-key`;
}

/**
 * The first success waits until all that have an address are connected with each other, so that the next one may stop:
 * the others look for a server that is back every half a minute. On a swarm later probes take any answer: a server must
 * not be restarted because it lost its peers.
 */
function ready(p: Platform, { host }: Member, members: List<Member>): string {
  const ask = (at: string): string => `curl -K ${curl} -m 4 "http://${at}"`;
  const others = members.flatMap((other) => (other.host === host ? [] : [other.host])).join(" ");
  return `curl -s -o /dev/null -m 4 http://127.0.0.1:${String(s3)}/ || exit 1
if [ ! -e /tmp/ready ]; then
  up=127.0.0.1
  for other in ${others}; do if ${quick} getent hosts "$other" >/dev/null; then up="$up $other"; fi; done
  wanted=$(set -- $up && echo $#)
  for each in $up; do
    connected=$(${ask(`$each:${String(adminPort)}/v2/GetClusterHealth`)} | grep -Eo '"connectedNodes": *[0-9]+' | grep -Eo '[0-9]+')
    [ "\${connected:-0}" -ge "$wanted" ] || { echo "$each is connected with \${connected:-0} of $wanted"; exit 1; }
  done
  touch /tmp/ready
${
  onlySaid(p)
    ? `elif [ -e ${data}/meta/cluster_layout ]; then
  ${ask(`127.0.0.1:${String(adminPort)}/health`)}
`
    : ""
}fi`;
}

/** Once: which servers keep the data. At each run: the key, the buckets, who may use them, their CORS. */
function setUp(members: List<Member>): string {
  return `ask() { curl -K ${curl} "http://$host:${String(adminPort)}/v2/$1" "\${@:2}"; }
for host in ${members.map(({ host }) => host).join(" ")}; do if ask GetClusterHealth >/dev/null; then break; fi; done
for attempt in $(seq 60); do
  health=$(ask GetClusterHealth) || health={}
  version=$(ask GetClusterLayout | jq .version) || version=unknown
  if [ "$version" != 0 ]; then
    if [ "$(jq -r .status <<<"$health")" != unavailable ]; then break; fi
  elif [ "$(jq .connectedNodes <<<"$health")" -ge ${String(members.length)} ]; then
    ask UpdateClusterLayout --data @${folder}/layout >/dev/null
    ask ApplyClusterLayout --data '{"version":1}' >/dev/null
  fi
  [ "$attempt" -lt 60 ] || { echo "$host: no quorum of the servers: $health" >&2; exit 1; }
  sleep 2
done
key=$(jq -r .accessKeyId ${folder}/key)
ask "GetKeyInfo?id=$key" >/dev/null 2>&1 || ask ImportKey --data @${folder}/key >/dev/null
ask "UpdateKey?id=$key" --data '{"allow":{"createBucket":true}}' >/dev/null
for bucket in $(jq -r 'keys[]' <<<"$1"); do
  found=$(ask "GetBucketInfo?globalAlias=$bucket" 2>/dev/null) || found=$(ask CreateBucket --data "{\\"globalAlias\\":\\"$bucket\\"}")
  jq --arg bucket "$bucket" '{corsRules: .[$bucket]}' <<<"$1" | ask "UpdateBucket?id=$(jq -r .id <<<"$found")" --data @- >/dev/null
done
# A bucket that a client has made has its name for that client's key alone.
ask ListBuckets | jq -c '.[] | select(.globalAliases == []) | {bucketId: .id, globalAlias: .localAliases[0].alias}' |
  while read -r alias; do ask AddBucketAlias --data "$alias" >/dev/null; done
ask ListBuckets | jq -c --arg key "$key" '.[] | {bucketId: .id, accessKeyId: $key, permissions: {read: true, write: true, owner: true}}' |
  while read -r may; do ask AllowBucketKey --data "$may" >/dev/null; done
olds=$(ask ListKeys | jq -r --arg key "$key" '.[] | select(.name == "app" and .id != $key) | .id')
for old in $olds; do
  ask "DeleteKey?id=$old" --data '' >/dev/null
done`;
}
