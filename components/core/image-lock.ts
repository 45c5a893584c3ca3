import type { Dict } from "./contracts.ts";

/** Public images have `ref` and `version`; `built`: ours, made by set-up; else private. */
export interface ImageRow {
  readonly ref?: string;
  readonly version?: string;
  /** Filled in from a registry; a reference with a digest pulls exactly that. */
  readonly digest?: `sha256:${string}`;
  readonly built?: true;
  /** What a private image's reference looks like, for the error message. */
  readonly example?: string;
  /** The key of the stack's config that makes this image needless: something exists in its place. */
  readonly instead?: string;
  /** The HTTP client inside, for health checks. Default: none. */
  readonly client?: "curl" | "wget" | "python" | "bash";
  /** `env`: the image cannot read its secrets from files. */
  readonly secrets?: "env";
  /** The image that stands in for a private store's in a rehearsal: a real server, where an application's is ours. */
  readonly standIn?: string;
}

/** Every image that a system may name: versions live here and nowhere else. */
export const imageLock: Dict<ImageRow> = {
  postgis: { ref: "docker.io/postgis/postgis", version: "15-3.3" },
  redis: { ref: "docker.io/library/redis", version: "7.0" },
  minio: { ref: "quay.io/minio/minio", version: "RELEASE.2025-09-07T16-13-09Z" },
  solr: { ref: "docker.io/library/solr", version: "9.7", client: "curl" },
  traefik: { ref: "docker.io/library/traefik", version: "v3.6.7" },
  nats: { ref: "docker.io/library/nats", version: "2.10-alpine", client: "wget" },
  rabbitmq: { ref: "docker.io/library/rabbitmq", version: "3.13-management" },
  cassandra: { ref: "docker.io/library/cassandra", version: "5.0" },
  elasticsearch: { ref: "docker.io/library/elasticsearch", version: "8.19.3", client: "curl" },
  elasticsearch7: { ref: "docker.io/library/elasticsearch", version: "7.17.29", client: "curl" },
  influxdb: { ref: "docker.io/library/influxdb", version: "1.8", client: "curl" },
  nginx: { ref: "docker.io/library/nginx", version: "1.28", client: "curl" },
  toolbox: { built: true, version: "1", client: "curl" },
  "arangodb-toolbox": { built: true, version: "1", client: "curl" },
  "shiny-demo": { built: true, version: "1", client: "curl" },
  "docker-proxy": { built: true, version: "1" },
  rehearsal: { built: true, version: "1", client: "curl" },
  "arkindex/backend": { example: "registry.gitlab.teklia.com/arkindex/backend:1.7.0", client: "python" },
  "arkindex/cantaloupe": { example: "registry.gitlab.teklia.com/iiif/cantaloupe:5.0.5", client: "curl" },
  "arkindex/ponos-agent": { example: "registry.gitlab.teklia.com/arkindex/ponos-agent:0.1.0" },
  arangodb: { ref: "docker.io/library/arangodb", version: "3.12.4", client: "wget" },
  openid: { example: "none: sign-in is by a provider that exists", instead: "existing.sign-in" },
  shinyproxy: { ref: "docker.io/openanalytics/shinyproxy", version: "3.2.3", client: "curl" },
  grafana: { ref: "docker.io/grafana/grafana", version: "12.3.1", client: "wget" },
  telegraf: { ref: "docker.io/library/telegraf", version: "1.37", client: "curl" },
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
