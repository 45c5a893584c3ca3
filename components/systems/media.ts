import { output, type Output } from "@pulumi/pulumi";
import { z } from "zod";

import type { Dict, File, Given, Platform, System } from "../core/contracts.ts";

const size = z.int().min(1).max(1000);
const service = z.strictObject({
  /** The public path that it answers; unset: it works from the queue alone. */
  path: z.string().startsWith("/", "begins with /").optional(),
  port: z.int().min(1).max(65535).default(8080),
  replicas: z
    .union([size, z.strictObject({ min: size, max: size })], {
      error: "a number, or {min, max} where the topology follows the load",
    })
    .default(1),
  cpu: z.number().min(0.1).default(1),
  memoryMiB: z.int().min(64).default(1024),
  bodyMiB: z.int().min(1).optional(),
});

export const mediaConfig = z.strictObject({
  /**
   * The microservices, by name: each runs the image `media/<name>`. One without a path reads the queue, as the indexer
   * does that brings what other regions changed into this region's search.
   */
  services: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits, hyphens"), service),
  /** Cassandra nodes of each region, RabbitMQ beside them. */
  nodes: z.int().min(1).max(99).default(3),
  searchNodes: z.int().min(1).max(99).default(3),
  cassandraGib: z.int().min(1).default(100),
  searchGib: z.int().min(1).default(50),
  objectsGib: z.int().min(1).default(500),
  redisMemoryMiB: z.int().min(16).default(512),
});
export type MediaConfig = z.output<typeof mediaConfig>;

const folder = "/run/media";
const keyspace = "media";
const exchange = "index";

/**
 * A media platform's region. Cassandra spans the regions; each has a RabbitMQ of its own beside Cassandra's nodes, which
 * federates the exchange of index changes; search and cache are the region's own; files are mirrored. In one region
 * `peers` is empty and the rest is the same. Checked on paper; not deployable yet.
 */
export const media: System<MediaConfig> = (p, c) => {
  const cassandra = p.need("cql", "cassandra", {
    nodes: c.nodes,
    keyspaces: [keyspace],
    peers: p.peers,
    gib: c.cassandraGib,
  });
  const rabbit = p.need("amqp", "rabbit", {
    nodes: c.nodes,
    beside: cassandra.members,
    federate: p.peers,
    exchanges: [exchange],
  });
  const search = p.need("elasticsearch", "search", { major: 8, nodes: c.searchNodes, gib: c.searchGib });
  const redis = p.need("redis", "redis", {
    clientTls: true,
    clientAuth: true,
    keep: false,
    memoryMiB: c.redisMemoryMiB,
  });
  const mirrored = { cors: p.url, mirror: p.peers };
  const objects = p.need("objects", "objects", {
    apis: ["s3"],
    buckets: { originals: mirrored, proxies: mirrored, keyframes: mirrored },
    browser: true,
    gib: c.objectsGib,
  });
  const stores = { cassandra, rabbit, search, redis, objects };

  for (const [name, service] of Object.entries(c.services)) {
    p.run(name, {
      image: `media/${name}`,
      tier: "app",
      cpu: service.cpu,
      memoryMiB: service.memoryMiB,
      callsEdge: true, // the object store's public name
      files: [
        { path: `${folder}/stores.json`, content: storesJson(p, name, stores), secret: true },
        ...authorities(stores),
      ],
      env: { STORES_FILE: `${folder}/stores.json`, REGION: p.region },
      rehearsal: { REHEARSAL_ROLE: "media-service" },
      ports: { web: { number: service.port, protocol: "http" } },
      ...(service.path === undefined ? {} : { routes: [route(p, service.path, service.bodyMiB)] }),
      health: { ready: { http: "web", path: "/health" }, startSeconds: 180, stopSeconds: 60 },
      replicas: service.replicas,
      after: Object.values(stores),
    });
  }
};

function route({ hostname }: Platform, path: string, bodyMiB: number | undefined) {
  return { host: hostname, path, port: "web", ...(bodyMiB === undefined ? {} : { bodyMiB }) };
}

interface Stores {
  readonly cassandra: Given<"cql">;
  readonly rabbit: Given<"amqp">;
  readonly search: Given<"elasticsearch">;
  readonly redis: Given<"redis">;
  readonly objects: Given<"objects">;
}

/** How a service reaches everything. Its queue is the region's own: a message of another region comes by federation. */
function storesJson(
  { region }: Platform,
  name: string,
  { cassandra, rabbit, search, redis, objects }: Stores,
): Output<string> {
  return output({
    cassandra: { ...reach(cassandra), dataCentre: region, keyspace },
    rabbit: { ...reach(rabbit), exchange, queue: `${exchange}.${region === "" ? "local" : region}.${name}` },
    search: reach(search),
    redis: reach(redis),
    objects: {
      url: objects.url,
      region: objects.region,
      key: objects.key,
      secret: objects.secret,
      buckets: buckets(objects),
    },
  }).apply((stores) => JSON.stringify(stores, undefined, 2));
}

function reach({ host, members, port, ca, ...login }: Given<"redis">) {
  // Clients of a cluster get several members to begin with; a managed store has one address.
  const hosts = members.length > 0 ? [...members] : [host];
  const { user, password } = login;
  return {
    hosts,
    port,
    tls: ca !== undefined,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
  };
}

function buckets(objects: Given<"objects">): Dict<string> {
  return Object.fromEntries(["originals", "proxies", "keyframes"].map((name) => [name, objects.bucket(name)]));
}

/** What a store's certificate is checked against, where no public authority signed it. */
function authorities({ cassandra, rabbit, search, redis }: Stores): File[] {
  return Object.entries({ cassandra, rabbit, search, redis }).flatMap(([name, { ca }]) =>
    ca === undefined ? [] : [{ path: `${folder}/${name}-ca.pem`, content: ca }],
  );
}
