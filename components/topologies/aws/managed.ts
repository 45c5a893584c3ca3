/** What AWS has itself for a kind, and why it may not fit. Without any SDK: `managed/` makes it. */
import { managedElasticsearch } from "../../services/elasticsearch.ts";
import { managedPostgres } from "../../services/postgres.ts";
import { managedObjects } from "../../services/objects.ts";
import { managedOidc } from "../../services/oidc.ts";
import { managedRedis } from "../../services/redis.ts";
import { MachineSwarm, managedSwarm } from "../../services/swarm.ts";
import { containerServices } from "../../services/index.ts";
import type { Managed, Services } from "../../core/topology.ts";
import { cacheClass, databaseClass, searchClass } from "./sizes.ts";

/** Extensions that RDS for PostgreSQL brings, from 15 on, and our systems ask for. */
const extensions = ["postgis", "pg_stat_statements", "pg_trgm", "unaccent", "uuid-ossp", "hstore", "citext", "pg_cron"];

/** Plugins that every domain of OpenSearch 2 has (assumed, after its developer guide); others are packages to add. */
const searchPlugins = [
  ...["analysis-icu", "analysis-kuromoji", "analysis-phonetic", "analysis-smartcn", "analysis-stempel"],
  ...["analysis-ukrainian", "mapper-murmur3"],
];

/** Containers, and what only a place with machines for rent has. */
export const awsServices: Services = { ...containerServices, swarm: MachineSwarm };

export const awsManaged: Managed = {
  postgres: {
    name: "Amazon RDS for PostgreSQL",
    unfit: ({ owner, image, clientTls, extensions: asked = [], memoryMib = 1024 }) => {
      if (owner?.superuser === true) return "the application wants a superuser, which Amazon RDS gives to nobody";
      if (image !== undefined) return `the application brings its own server, ${image}`;
      if (clientTls === "never") return "the application speaks no TLS, which Amazon RDS forces";
      if (clientTls === "verifies")
        return "the application wants the server's authority, and nothing hands it Amazon's own yet";
      const missing = asked.filter((extension) => !extensions.includes(extension));
      if (missing.length > 0) return `Amazon RDS has no ${missing.join(", ")}`;
      return databaseClass(memoryMib) === undefined ? `Amazon RDS has no ${String(memoryMib)} MiB` : undefined;
    },
    recipe: managedPostgres,
  },
  redis: {
    name: "Amazon ElastiCache",
    unfit: ({ image, clientTls, clientAuth, memoryMib }) => {
      if (image !== undefined) return `the application brings its own server, ${image}`;
      if (clientAuth && clientTls === "never")
        return "the application signs in without TLS, and ElastiCache takes a password over TLS alone";
      return cacheClass(memoryMib) === undefined ? `ElastiCache has no ${String(memoryMib)} MiB` : undefined;
    },
    recipe: managedRedis,
  },
  elasticsearch: {
    name: "Amazon OpenSearch Service",
    unfit: ({ speaks, image, clientTls = "never", plugins = [], heapMib = 1024, gib }) => {
      if (image !== undefined) return `the application brings its own server, ${image}`;
      if (!speaks.includes("opensearch2"))
        return `the application's clients speak ${speaks.join(" and ")}, and nobody says that they take OpenSearch`;
      if (clientTls === "never") return "the application speaks no TLS, which Amazon OpenSearch Service forces";
      const missing = plugins.filter((plugin) => !searchPlugins.includes(plugin));
      if (missing.length > 0) return `Amazon OpenSearch Service has no ${missing.join(", ")}`;
      return searchClass(heapMib, gib) === undefined
        ? `Amazon OpenSearch Service has no node with a heap of ${String(heapMib)} MiB and ${String(gib)} GiB`
        : undefined;
    },
    recipe: managedElasticsearch,
  },
  objects: {
    name: "Amazon S3",
    unfit: ({ apis, fixedNames }) => {
      if (!apis.includes("s3")) return "the application speaks no S3";
      return fixedNames === true
        ? "the application knows its buckets by names that S3 gives once in the world"
        : undefined;
    },
    recipe: managedObjects,
  },
  oidc: { name: "a user pool of Amazon Cognito", unfit: () => undefined, recipe: managedOidc },
  swarm: { name: "machines of Amazon EC2", unfit: () => undefined, recipe: managedSwarm },
};
