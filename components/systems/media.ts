import { type ComponentResourceOptions, output, type Output } from "@pulumi/pulumi";
import { z } from "zod";

import type { Dict, File, Given, Platform, System } from "../core/contracts.ts";
import { type SystemArgs, SystemComponent } from "../core/system.ts";
import { trusting, vouches } from "./trust.ts";

const size = z.int().min(1).max(1000);
const service = z.strictObject({
  /** The public path that the service answers. Unset: it is an indexer, which works from the queue alone. */
  path: z.string().startsWith("/", "begins with /").optional(),
  /** Where it answers inside its container. Default: 8080. */
  port: z.int().min(1).max(65535).default(8080),
  /** How many. Default: 1. */
  replicas: z
    .union(
      [
        size,
        z.strictObject({
          /** Never fewer. */
          min: size,
          /** Never more. */
          max: size,
        }),
      ],
      {
        error: "a number, or {min, max} where the topology follows the load",
      },
    )
    .default(1),
  /** Cores of each replica. Default: 1. */
  cpu: z.number().min(0.1).default(1),
  /** Memory of each replica, in MiB. Default: 1024. */
  memoryMib: z.int().min(64).default(1024),
  /** The largest request body that has to get through, in MiB. Default: what the edge lets through. */
  bodyMib: z.int().min(1).optional(),
});

/**
 * The microservices of a stack that names none. `indexer` brings what changed, in any region, into this region's
 * search.
 */
const usual: Dict<z.input<typeof service>> = {
  frontend: { path: "/" },
  assets: { path: "/API/assets/" },
  metadata: { path: "/API/metadata/" },
  files: { path: "/API/files/", bodyMib: 64 },
  search: { path: "/API/search/" },
  jobs: { path: "/API/jobs/" },
  users: { path: "/API/users/" },
  notifications: { path: "/API/notifications/" },
  indexer: {},
};

export const mediaConfig = z
  .strictObject({
    /** The version of the applications. Each new one runs the job that makes new and changed tables. */
    version: z.string().min(1).default("1"),
    /** The microservices, by name: each runs the image `media/<name>`. */
    services: z
      .record(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits, hyphens"), service)
      .default(z.record(z.string(), service).parse(usual)),
    /** Cassandra nodes of each region. */
    nodes: z.int().min(1).max(99).default(3),
    /** Numbers of Cassandra nodes that are lost for good: their place is taken by new ones under new numbers. */
    retired: z.array(z.int().min(1)).default([]),
    /** RabbitMQ nodes, on machines of Cassandra's. Default: three, or one beside a single Cassandra. */
    rabbitNodes: z
      .union([z.literal(1), z.literal(3), z.literal(5)], { error: "1, 3 or 5: a majority goes on" })
      .optional(),
    /** Nodes of the search. Default: the stack's `copies`; 3 in a cloud. */
    searchNodes: z.union([z.literal(1), z.literal(3)], { error: "1 or 3" }).optional(),
    /**
     * What the services' search clients speak, the best first. With `opensearch2` a cloud's own search is taken; the
     * official clients of Elasticsearch refuse it.
     */
    searchSpeaks: z
      .array(z.enum(["elasticsearch7", "elasticsearch8", "opensearch2"]))
      .min(1, "one at least")
      .default(["elasticsearch8"]),
    /** The disk of each Cassandra, in GiB. Default: 100. */
    cassandraGib: z.int().min(1).default(100),
    /** Of each node, half of it heap. */
    cassandraMemoryMib: z.int().min(768).default(4096),
    /** Cores of each Cassandra. Default: 2. */
    cassandraCpu: z.number().min(0.1).default(2),
    /** Memory of each RabbitMQ, in MiB. Default: 1024. */
    rabbitMemoryMib: z.int().min(256).default(1024),
    /** The disk of each node of the search, in GiB. Default: 50. */
    searchGib: z.int().min(1).default(50),
    /** The heap of each node of the search, in MiB. Default: 1024. */
    searchHeapMib: z.int().min(256).default(1024),
    /** The object store's disk in GiB. Default: 500. */
    objectsGib: z.int().min(1).default(500),
    /** The most that the cache holds, in MiB. Default: 512. */
    redisMemoryMib: z.int().min(16).default(512),
  })
  .superRefine(({ nodes, rabbitNodes = 1, services }, context) => {
    const say = (path: string, message: string): void => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    if (nodes === 2) say("nodes", "1 for a pilot, or 3 and more: of two neither may fail");
    if (rabbitNodes > nodes)
      say("rabbitNodes", `at most nodes, which is ${String(nodes)}: each is beside one of Cassandra's`);
    if (Object.keys(services).length === 0) say("services", "name one at least");
    for (const name of reserved)
      if (Object.hasOwn(services, name)) say("services", `"${name}" is the name of a store or a job`);
  });
/** What `MediaPlatform` is told, with its defaults filled in. @useDeclaredType */
export type MediaConfig = z.output<typeof mediaConfig>;
/** Names that a service may not have: another part of the stack may have a container `<name>-1`, too. */
const reserved = ["cassandra", "rabbit", "elasticsearch", "redis", "objects", "schema", "backup", "edge"];

const folder = "/run/media";
const caPath = `${folder}/edge-ca.pem`;
const keyspace = "media";
const exchange = "index";
const bucketNames = ["originals", "proxies", "keyframes"];

/**
 * A media platform's region. Cassandra spans the regions. Each region has a RabbitMQ of its own on Cassandra's
 * machines, which federates the exchange of index changes. Search and cache are the region's own; files are mirrored.
 * With one region `peers` is empty and the rest is the same.
 */
export const media: System<MediaConfig> = (p, c) => {
  const cassandra = p.need("cql", "cassandra", {
    nodes: c.nodes,
    retired: c.retired,
    keyspaces: [keyspace],
    peers: p.peers,
    gib: c.cassandraGib,
    memoryMib: c.cassandraMemoryMib,
    cpu: c.cassandraCpu,
  });
  const rabbit = p.need("amqp", "rabbit", {
    nodes: c.rabbitNodes ?? (c.nodes === 1 ? 1 : 3),
    colocate: cassandra.members,
    federate: p.peers,
    exchanges: [exchange],
    memoryMib: c.rabbitMemoryMib,
  });
  const search = p.need("elasticsearch", "elasticsearch", {
    speaks: c.searchSpeaks,
    clientTls: "verifies",
    nodes: c.searchNodes ?? (p.engine === undefined ? 3 : p.copies), // a cloud has no copies of ours, but slots in zones
    gib: c.searchGib,
    heapMib: c.searchHeapMib,
  });
  const redis = p.need("redis", "redis", {
    clientTls: "verifies",
    clientAuth: true,
    keep: false,
    memoryMib: c.redisMemoryMib,
  });
  const mirrored = { cors: p.url, mirror: p.peers };
  const objects = p.need("objects", "objects", {
    apis: ["s3"],
    buckets: Object.fromEntries(bucketNames.map((name) => [name, mirrored])),
    browser: true,
    gib: c.objectsGib,
  });
  const stores = { cassandra, rabbit, search, redis, objects };
  const trust = trusting(caPath, vouches(objects, p.ca));
  const application = (name: string, indexes: boolean) => ({
    tier: "app" as const,
    callsEdge: true, // the object store's public name
    files: [
      { path: `${folder}/stores.json`, content: storesJson(p, indexes ? name : undefined, stores), secret: true },
      ...authorities(stores),
      ...trust.files,
    ],
    env: {
      STORES_FILE: `${folder}/stores.json`,
      REGION: regionOf(p),
      SERVICE: name,
      ...trust.env,
    },
  });

  // Runs before any service: concurrent schema changes cause a schema disagreement in Cassandra.
  const schema = p.job("schema", {
    ...application("schema", false),
    image: "media/schema",
    cpu: 1,
    memoryMib: 512,
    rehearsal: { REHEARSAL_ROLE: "media-schema" },
    trigger: c.version,
    seconds: 900,
    after: [cassandra],
  });
  for (const [name, service] of Object.entries(c.services)) {
    p.run(name, {
      ...application(name, service.path === undefined),
      image: `media/${name}`,
      cpu: service.cpu,
      memoryMib: service.memoryMib,
      rehearsal: { REHEARSAL_ROLE: "media-service", PORT: String(service.port) },
      ports: { web: { number: service.port, protocol: "http" } },
      ...(service.path === undefined ? {} : { routes: [route(p, service.path, service.bodyMib)] }),
      health: { ready: { http: "web", path: "/health" }, startSeconds: 180, stopSeconds: 60 },
      replicas: service.replicas,
      after: [...Object.values(stores), schema],
    });
  }
};

const regionOf = ({ region }: Platform): string => (region === "" ? "local" : region);

function route({ hostname }: Platform, path: string, bodyMib: number | undefined) {
  return { host: hostname, path, port: "web", ...(bodyMib === undefined ? {} : { bodyMib }) };
}

interface Stores {
  readonly cassandra: Given<"cql">;
  readonly rabbit: Given<"amqp">;
  readonly search: Given<"elasticsearch">;
  readonly redis: Given<"redis">;
  readonly objects: Given<"objects">;
}

/**
 * How a service reaches everything. An indexer's queue is the region's own: federation brings the messages of other
 * regions.
 */
function storesJson(
  p: Platform,
  indexer: string | undefined,
  { cassandra, rabbit, search, redis, objects }: Stores,
): Output<string> {
  const region = regionOf(p);
  const queue = indexer === undefined ? {} : { queue: `${exchange}.${region}.${indexer}` };
  return output({
    // The driver learns all nodes from any node: a fourth one changes no service.
    cassandra: { ...reach(p, { ...cassandra, members: cassandra.members.slice(0, 3) }), dataCentre: region, keyspace },
    rabbit: { ...reach(p, rabbit), exchange, ...queue },
    search: reach(p, search),
    redis: reach(p, { ...redis, members: [] }), // of three copies one leads: its host leads there
    objects: {
      url: objects.url,
      region: objects.region,
      key: objects.key,
      secret: objects.secret,
      buckets: Object.fromEntries(bucketNames.map((name) => [name, objects.bucket(name)])),
    },
  }).apply((stores) => JSON.stringify(stores, undefined, 2));
}

function reach(p: Platform, { host, members, port, tls = false, ...login }: Given<"redis">) {
  // Clients of a cluster get several members to begin with; a managed store has one address.
  const hosts = members.length > 0 ? members.map((slot) => p.address(slot)) : [host];
  const { user, password } = login;
  return {
    hosts,
    port,
    tls,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
  };
}

/** The authorities of the stores whose certificates no public authority signed. */
function authorities({ cassandra, rabbit, search, redis }: Stores): File[] {
  return Object.entries({ cassandra, rabbit, search, redis }).flatMap(([name, { ca }]) =>
    ca === undefined ? [] : [{ path: `${folder}/${name}-ca.pem`, content: ca }],
  );
}

/** A media platform's region on a topology. A new version makes its tables first; the stores stay. */
export class MediaPlatform extends SystemComponent<MediaConfig> {
  constructor(name: string, args: SystemArgs<typeof mediaConfig>, opts?: ComponentResourceOptions) {
    super("MediaPlatform", media, mediaConfig, name, args, opts);
  }
}
