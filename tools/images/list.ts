/** The images that can be built here, in the order in which a deployment needs them. */
import { imageLock } from "../../components/core/image-lock.ts";
import {
  arangodb,
  arangodbTools,
  backup,
  cassandra,
  cqlsh,
  dockerProxy,
  elasticsearch,
  etcd,
  etcdctl,
  garage,
  mc,
  minio,
  nats,
  node,
  patroni,
  rehearsal,
  solr,
  telegraf,
  traefik,
} from "./parts.ts";

import type { Recipe } from "../setup/cache.ts";

export interface LocalImage {
  /** The key in `.local/images.json`, and the name of the folder with the Dockerfile. */
  key: string;
  /** The folder, if it is another image's. */
  folder?: string;
  version: string;
  /** The public image in whose place it is built if no registry can be reached. Unset: it is always built. */
  official?: string;
  /** The image on which it is built if the registry can be reached. */
  base?: string;
  /** Copied to `parts/<name>/` in the build's context. */
  parts?: readonly Recipe[];
  /** Parts for a machine that reaches no registry; else `base` has them. */
  offlineParts?: readonly Recipe[];
  /** Built in seconds from its parts, and often changed: the cache keeps the parts, but not the image. */
  quick?: boolean;
  /** Its parts take an hour to compile: it is made only where its key is asked for. */
  asked?: true;
  /** Of an image of our own: why no release publishes it. */
  unpublished?: string;
}

export const localImages: readonly LocalImage[] = [
  { key: "postgis", version: "15-3.3", official: inLock("postgis") },
  {
    key: "postgres-ha",
    version: ours("postgres-ha"),
    base: "debian:bookworm-slim",
    parts: [patroni, etcd, etcdctl],
  },
  { key: "postgres-cron", version: ours("postgres-cron"), base: "debian:bookworm-slim", parts: [patroni] },
  { key: "redis", version: "valkey-8.1", official: inLock("redis") },
  {
    key: "minio",
    version: "2026-02-12",
    official: inLock("minio"),
    parts: [minio, mc],
  },
  {
    key: "garage",
    version: ours("garage"),
    base: "debian:bookworm-slim",
    parts: [garage],
    unpublished: "its program is built for the processor of the machine that builds it",
    asked: true,
  },
  { key: "toolbox", version: ours("toolbox"), base: "debian:bookworm-slim" },
  { key: "traefik", version: "3.6.7", official: inLock("traefik"), parts: [traefik] },
  { key: "solr", version: "9.10.1", official: inLock("solr"), parts: [solr] },
  { key: "nats", version: "2.15.3", official: inLock("nats"), parts: [nats] },
  { key: "rabbitmq", version: "3.10", official: inLock("rabbitmq") },
  { key: "cassandra", version: "5.0.5", official: inLock("cassandra"), parts: [cassandra, cqlsh] },
  {
    key: "elasticsearch",
    version: "8-stand-in-opensearch-2.15.0",
    official: inLock("elasticsearch"),
    parts: [elasticsearch],
  },
  {
    key: "elasticsearch7",
    folder: "elasticsearch",
    version: "7-stand-in-opensearch-2.15.0",
    official: inLock("elasticsearch7"),
    parts: [elasticsearch],
    quick: true,
  },
  { key: "influxdb", version: "1.6", official: inLock("influxdb") },
  { key: "haproxy", version: "2.6", official: inLock("haproxy") },
  { key: "nginx", version: "1.22", official: inLock("nginx") },
  { key: "telegraf", version: "1.37.2", official: inLock("telegraf"), parts: [telegraf] },
  {
    key: "arangodb",
    version: "3.12-stand-in",
    official: inLock("arangodb"),
    parts: [arangodb],
    offlineParts: [node],
    quick: true,
  },
  {
    key: "arangodb-toolbox",
    version: ours("arangodb-toolbox"),
    base: inLock("arangodb"),
    parts: [backup],
    offlineParts: [arangodbTools],
    unpublished: "it has ArangoDB's own programs, and their licence lets nobody else give them out",
  },
  { key: "keepalived", version: ours("keepalived"), base: "debian:bookworm-slim" },
  { key: "shiny-demo", version: ours("shiny-demo"), base: "debian:bookworm-slim" },
  {
    key: "rehearsal",
    version: ours("rehearsal"),
    base: "node:24-slim",
    parts: [rehearsal],
    offlineParts: [node],
    quick: true,
  },
  {
    key: "docker-proxy",
    version: ours("docker-proxy"),
    base: "node:24-slim",
    parts: [dockerProxy],
    offlineParts: [node],
    quick: true,
  },
  // Stand-ins for servers that only a registry has.
  {
    key: "shinyproxy",
    version: "stand-in",
    official: inLock("shinyproxy"),
    parts: [rehearsal],
    offlineParts: [node],
    quick: true,
  },
  {
    key: "grafana",
    version: "stand-in",
    official: inLock("grafana"),
    parts: [rehearsal],
    offlineParts: [node],
    quick: true,
  },
];

/** What a release publishes, and what the lock file then has: our own images, stand-ins for public ones not among them. */
export const publishable: readonly LocalImage[] = localImages.filter(
  ({ official, unpublished }) => official === undefined && unpublished === undefined,
);

/** The version of an image of our own in the image lock file. */
function ours(key: string): string {
  const version = imageLock[key]?.version;
  if (version === undefined) throw new Error(`the image lock file has no version of ${key}`);
  return version;
}

/** The reference in the image lock file, where versions live. */
function inLock(key: string): string {
  const row = imageLock[key];
  if (row?.ref === undefined || row.version === undefined) throw new Error(`the image lock file has no public ${key}`);
  return `${row.ref}:${row.version}`;
}
