import type { Dict } from "./contracts.ts";

/**
 * Public images have `ref`, `version`, `line`, `ran`, and one of `until` and `open`; `built`: ours, made by set-up;
 * else private.
 */
export interface ImageRow {
  readonly ref?: string;
  readonly version?: string;
  /** Filled in from a registry; a reference with a digest pulls exactly that. */
  readonly digest?: `sha256:${string}`;
  /** Of a public image: the name of the release line, for which its makers publish fixes. */
  readonly line?: string;
  /** The line's last day, as its makers say it, `2027-11-11`. */
  readonly until?: string;
  /** In the place of `until`: why no day is known. */
  readonly open?: string;
  /** The version that the recipe really ran with here. */
  readonly ran?: string;
  /** An older line cannot read what a newer one wrote: only the operator's word moves a disk to another line. */
  readonly data?: true;
  readonly built?: true;
  /** What a private image's reference looks like, for the error message. */
  readonly example?: string;
  /** The key of the stack's config that makes this image needless: something exists in its place. */
  readonly instead?: string;
  /** The HTTP client inside, for health checks. Default: none. */
  readonly client?: "curl" | "wget" | "python" | "bash";
  /** `env`: the image cannot read its secrets from files. */
  readonly secrets?: "env";
  /** The image that a rehearsal runs in the place of a private store's: a real server, not the rehearsal image. */
  readonly standIn?: string;
}

/** Every image that a system may name: versions live here and nowhere else. */
export const imageLock: Dict<ImageRow> = {
  postgis: {
    ref: "docker.io/postgis/postgis",
    version: "15-3.3",
    line: "PostgreSQL 15",
    until: "2027-11-11",
    ran: "PostgreSQL 15.20 with PostGIS 3.3.2",
    data: true,
  },
  redis: {
    ref: "docker.io/valkey/valkey",
    version: "8.1",
    line: "Valkey 8.1",
    until: "2030-03-31",
    ran: "Valkey 8.1.1",
    data: true,
  },
  minio: {
    ref: "quay.io/minio/minio",
    version: "RELEASE.2025-09-07T16-13-09Z",
    line: "MinIO community edition",
    until: "2025-10-15",
    ran: "MinIO 2026-02-12, from source",
  },
  solr: {
    ref: "docker.io/library/solr",
    version: "9.10",
    line: "Solr 9",
    open: "mended until Solr 11 is out; only in its newest version",
    ran: "Solr 9.10.1",
    data: true,
    client: "curl",
  },
  traefik: {
    ref: "docker.io/library/traefik",
    version: "v3.7.13",
    line: "Traefik 3.7",
    open: "mended until Traefik 3.8 is out",
    ran: "Traefik 3.6.7",
  },
  nats: {
    ref: "docker.io/library/nats",
    version: "2.15-alpine",
    line: "NATS 2.15",
    open: "mended until NATS 2.17 is out",
    ran: "NATS 2.15.3",
    data: true,
    client: "wget",
  },
  rabbitmq: {
    ref: "docker.io/library/rabbitmq",
    version: "3.13-management",
    line: "RabbitMQ 3.13",
    until: "2024-09-17",
    ran: "RabbitMQ 3.10.8, and 4.3.6 once",
    data: true,
  },
  cassandra: {
    ref: "docker.io/library/cassandra",
    version: "5.0",
    line: "Cassandra 5.0",
    open: "mended until three newer lines are out",
    ran: "Cassandra 5.0.5",
    data: true,
  },
  elasticsearch: {
    ref: "docker.io/library/elasticsearch",
    version: "8.19.20",
    line: "Elasticsearch 8",
    until: "2027-07-15",
    ran: "none: OpenSearch 2.15.0 stands in",
    data: true,
    client: "curl",
  },
  elasticsearch7: {
    ref: "docker.io/library/elasticsearch",
    version: "7.17.29",
    line: "Elasticsearch 7",
    until: "2026-01-15",
    ran: "none: OpenSearch 2.15.0 stands in",
    data: true,
    client: "curl",
  },
  influxdb: {
    ref: "docker.io/library/influxdb",
    version: "1.8",
    line: "InfluxDB 1.8",
    until: "2021-12-31",
    ran: "InfluxDB 1.6.7",
    data: true,
    client: "curl",
  },
  nginx: {
    ref: "docker.io/library/nginx",
    version: "1.30",
    line: "nginx 1.30",
    open: "mended until nginx 1.32 is out",
    ran: "nginx 1.22.1, and 1.30.6 once",
    client: "curl",
  },
  haproxy: {
    ref: "docker.io/library/haproxy",
    version: "3.2",
    line: "HAProxy 3.2",
    until: "2030-04-01",
    ran: "HAProxy 2.6.12",
    client: "bash",
  },
  // Its official image has no shell, which a swarm's health checks and every `prepare` need.
  garage: { built: true, version: "2.5.0", client: "curl" },
  toolbox: { built: true, version: "1", client: "curl" },
  "arangodb-toolbox": { built: true, version: "1", client: "curl" },
  "shiny-demo": { built: true, version: "1", client: "curl" },
  "docker-proxy": { built: true, version: "1" },
  keepalived: { built: true, version: "1" },
  rehearsal: { built: true, version: "1", client: "curl" },
  "arkindex/backend": { example: "registry.gitlab.teklia.com/arkindex/backend:1.7.0", client: "python" },
  "arkindex/cantaloupe": { example: "registry.gitlab.teklia.com/iiif/cantaloupe:5.0.5", client: "curl" },
  "arkindex/ponos-agent": { example: "registry.gitlab.teklia.com/arkindex/ponos-agent:0.1.0" },
  arangodb: {
    ref: "docker.io/library/arangodb",
    version: "3.12.4",
    line: "ArangoDB 3.12",
    open: "no day is announced",
    ran: "none: a program of ours stands in",
    data: true,
    client: "wget",
  },
  openid: { example: "none: sign-in is by a provider that exists", instead: "existing.sign-in" },
  shinyproxy: {
    ref: "docker.io/openanalytics/shinyproxy",
    version: "3.2.3",
    line: "ShinyProxy 3",
    open: "no days are published; only the newest version is mended",
    ran: "none: a program of ours stands in",
    client: "curl",
  },
  grafana: {
    ref: "docker.io/grafana/grafana",
    version: "12.4.9",
    line: "Grafana 12.4",
    until: "2027-05-24",
    ran: "none: a program of ours stands in",
    data: true,
    client: "wget",
  },
  telegraf: {
    ref: "docker.io/library/telegraf",
    version: "1.40",
    line: "Telegraf 1.40",
    open: "mended until Telegraf 1.42 is out",
    ran: "Telegraf 1.37.2, and 1.39.3 once",
    client: "curl",
  },
  "postgres-ha": { built: true, version: "15", client: "bash" },
  "postgres-cron": { built: true, version: "15" },
  "pyrus/*": { example: "registry.example.com/pyrus-<name>:1.22.1", secrets: "env", client: "bash" },
  "pyrus/pgsql-16": { example: "registry.example.com/pyrus-pgsql-16:1.22.1", standIn: "postgres-cron" },
  "pyrus/logs-pgsql-16": { example: "registry.example.com/pyrus-logs-pgsql-16:latest", standIn: "postgres-cron" },
  "pyrus/elastic": {
    example: "registry.example.com/elastic-selfhosted:7.17.10",
    client: "curl",
    standIn: "elasticsearch7",
  },
  "media/*": { example: "registry.example.com/media/<name>:1.0.0" },
};

/**
 * Our own images, by key, as the last release has published them: references with their digests. `npm run images -- lock`
 * writes it; what is not here is built and pushed by whoever needs it.
 */
export const published: Dict<string> = {};
