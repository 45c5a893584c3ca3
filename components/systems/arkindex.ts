import { all, type ComponentResourceOptions, type Output } from "@pulumi/pulumi";
import { z } from "zod";

import type { Dict, Given, Health, Platform, Ready, System } from "../core/contracts.ts";
import { urlOf } from "../core/endpoint.ts";
import { javaProperties, yaml } from "../core/syntax.ts";
import { type SystemArgs, SystemComponent } from "../core/system.ts";
import { trusting, vouches } from "./trust.ts";

const uuid = z.uuid({ error: "a UUID, as the farm's page in Arkindex shows it" });

/** One agent a machine: it takes the farm's jobs and runs each as a container beside itself. */
const agentConfig = z
  .strictObject({
    /** The farm's id, as Arkindex shows it. */
    farm: uuid,
    /** One of docker.machines. Default: this host. A cloud rents a machine for each. */
    machine: z.string().optional(),
    /** Agents of this kind. More than one where a cloud rents the machines. */
    replicas: z.int().min(1).max(50).default(1),
    /** GPUs of each agent's machine. Refused where no machine has any. Default: none. */
    gpus: z.int().min(1).max(8).optional(),
    /** The least memory of each GPU. Default: any. */
    gpuMib: z.int().min(1).optional(),
    /** Cores for the tasks on a rented machine, beside the agent's own. Default: 1. */
    cpu: z.number().min(0.25).default(1),
    /** Memory in MiB for the same. Default: 6144. */
    memoryMib: z.int().min(256).default(6144),
    /** The disk in GiB for the same: it goes with the machine. Default: 100. */
    gib: z.int().min(1).max(16_000).default(100),
  })
  .refine(({ gpus, gpuMib }) => gpuMib === undefined || gpus !== undefined, {
    path: ["gpuMib"],
    error: "the memory of GPUs: set gpus, too",
  });

/** Sizes are for a pilot; facts and sources are in docs/arkindex.md. */
export const arkindexConfig = z.strictObject({
  /** Migrations run once for each version. */
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/, "a release, as 1.7.0")
    .default("1.7.0"),
  /** Replicas of the backend. Default: 1, where stores have three copies 2. */
  backends: z.int().min(1).max(50).optional(),
  /** Local workers: asynchronous tasks with direct access to the database. Default: as `backends`. */
  workers: z.int().min(1).max(50).optional(),
  /** Parts that are switched on or off, as config.yml has them. */
  features: z
    .strictObject({
      /** Strangers may make an account. Default: false. */
      signup: z.boolean(),
      /** Search, by Solr. Default: true. */
      search: z.boolean(),
      /** Import from a bucket. Default: true. */
      ingest: z.boolean(),
    })
    .partial()
    .default({}),
  /**
   * The `s3` part of this version's config.yml has a key for each bucket, as `staging_bucket`. Then a store may have them
   * under other names, as S3 does, where a name is given once in the world. Default: false, the bare names.
   */
  bucketKeys: z.boolean().default(false),
  /** Where browsers load the frontend's bundle from. */
  static: z
    .strictObject({
      /** The bundle's version. */
      frontend_version: z.string(),
      /** The address that has it. */
      cdn_assets_url: z.url(),
    })
    .partial()
    .default({}),
  /** The database's disk in GiB. Default: 20. */
  postgresGib: z.int().min(1).default(20),
  /** The search index's disk in GiB. Default: 10. */
  solrGib: z.int().min(1).default(10),
  /** Solr's heap in MiB. Default: 512. */
  solrMemoryMib: z.int().min(256).default(512),
  /** The most that the queue holds, in MiB. Default: 256. */
  redisMemoryMib: z.int().min(16).default(256),
  /** The object store's disk in GiB. Default: 100. */
  objectsGib: z.int().min(1).default(100),
  /** Ponos agents (Enterprise), by name. The seed of each is a secret: `secrets.ponosSeed-<name>`. */
  agents: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,20}$/, "lower-case letters, digits, hyphens"), agentConfig)
    .default({}),
});
/** What `Arkindex` is told, with its defaults filled in. @useDeclaredType */
export type ArkindexConfig = z.output<typeof arkindexConfig>;

/** The buckets of the documentation; browsers upload to `staging` directly. */
export const bucketNames = [
  "staging",
  "export",
  "thumbnails",
  "training",
  "ponos-artifacts",
  "ponos-logs",
  "iiif-cache",
  "uploads",
] as const;
const configPath = "/run/arkindex/config.yml";
const caPath = "/run/arkindex/ca.pem";

/** Arkindex: stores, one-time jobs, backend, workers, IIIF server, agents, in the order in which they start. */
export const arkindex: System<ArkindexConfig> = (p, c) => {
  const db = p.need("postgres", "db", {
    databases: ["arkindex"],
    extensions: ["postgis"],
    clientTls: "if-asked", // Django connects by libpq, whose default is sslmode=prefer
    gib: c.postgresGib,
  });
  const redis = p.need("redis", "redis", {
    clientTls: "never", // config.yml has a host alone
    clientAuth: false,
    fixedPort: true,
    keep: true,
    memoryMib: c.redisMemoryMib,
  });
  const objects = p.need("objects", "objects", {
    apis: ["s3"],
    buckets: Object.fromEntries(bucketNames.map((name) => [name, name === "staging" ? { cors: p.url } : {}])),
    ...(c.bucketKeys ? {} : { fixedNames: true }), // the documented config.yml has no key for any
    browser: true,
    gib: c.objectsGib,
  });
  const solr = p.need("solr", "solr", { collections: ["arkindex"], gib: c.solrGib, memoryMib: c.solrMemoryMib });
  const stores = [db, redis, objects, solr];

  const trust = trusting(caPath, vouches(objects, p.ca), solr.ca);
  const app = {
    image: "arkindex/backend",
    tier: "app",
    cpu: 1,
    memoryMib: 1024,
    callsEdge: true, // the object store's public name
    files: [{ path: configPath, secret: true, content: configYml(p, c, db, redis, objects, solr) }, ...trust.files],
    env: { CONFIG_PATH: configPath, ...trust.env },
    rehearsal: {
      REHEARSAL_ROLE: "arkindex-backend",
      ARKINDEX_VERSION: c.version,
      REHEARSAL_BUCKETS: bucketNames.map((name) => objects.bucket(name)).join(","),
    },
  } as const;
  const replicas = p.copies === 1 ? 1 : 2;
  const migrate = p.job("migrate", {
    ...app,
    command: ["arkindex", "migrate"],
    trigger: c.version,
    seconds: 3600,
    after: stores,
  });
  const systemWorkers = p.job("system-workers", {
    ...app,
    command: ["arkindex", "update_system_workers"],
    trigger: c.version,
    seconds: 600,
    after: [migrate],
  });

  const backend = p.run("backend", {
    ...app,
    ports: { web: { number: 8000, protocol: "http" } },
    routes: [{ host: p.hostname, path: "/", port: "web", seconds: 300 }],
    health: { ready: { http: "web", path: "/api/v1/", below: 500 }, startSeconds: 120, stopSeconds: 30 },
    replicas: c.backends ?? replicas,
    after: [systemWorkers],
  });
  p.run("worker", {
    ...app,
    command: ["arkindex", "rqworker", "-v", "1", "default", "high"],
    rehearsal: { ...app.rehearsal, REHEARSAL_ROLE: "arkindex-worker" },
    health: {
      ready: { command: ["sh", "-c", "grep -q rqworker /proc/1/cmdline /proc/[0-9]*/cmdline"] },
      startSeconds: 120,
      stopSeconds: 60,
    },
    replicas: c.workers ?? replicas,
    after: [systemWorkers],
  });
  p.run("cantaloupe", {
    image: "arkindex/cantaloupe",
    tier: "app",
    cpu: 1,
    memoryMib: 1024,
    files: [
      { path: "/run/cantaloupe/cantaloupe.properties", secret: true, content: cantaloupeProperties(objects) },
      { path: delegatePath, content: delegateScript },
    ],
    env: { CANTALOUPE_CONFIG: "/run/cantaloupe/cantaloupe.properties" },
    rehearsal: {
      REHEARSAL_ROLE: "cantaloupe",
      REHEARSAL_BUCKETS: bucketNames.map((name) => objects.bucket(name)).join(","),
    },
    ports: { web: { number: 8182, protocol: "http" } },
    routes: [{ host: p.hostname, path: "/iiif/", port: "web", seconds: 300 }],
    health: { ready: { http: "web", path: "/health" }, startSeconds: 120, stopSeconds: 30 },
    replicas,
    after: [objects],
  });

  for (const [name, agent] of Object.entries(c.agents)) ponosAgent(p, name, agent, backend);
};

/**
 * A Ponos agent takes jobs of its farm and runs them as containers beside it, so it holds that host's Docker socket.
 */
function ponosAgent(p: Platform, name: string, agent: z.output<typeof agentConfig>, backend: Ready): void {
  const { farm, machine, replicas, cpu, memoryMib, gib, gpus = 0, gpuMib } = agent;
  const path = "/run/ponos/agent.yml";
  const data = "/usr/share/ponos/data";
  const content = p
    .configured(`ponosSeed-${name}`)
    .apply((seed) => yaml({ url: p.url, farm_id: farm, seed, data_dir: data, docker: {} }));
  const health: Health = { ready: { command: ["sh", "-c", "test -d /proc/1"] }, startSeconds: 120, stopSeconds: 60 };
  const trust = trusting(caPath, p.ca);
  p.run(`agent-${name}`, {
    image: "arkindex/ponos-agent",
    tier: "app",
    cpu: 1,
    memoryMib: 1024,
    user: "0:0", // the socket's owner; it has no capability
    callsEdge: true,
    needs: ["container-api"],
    room: { cpu, memoryMib, gib, gpus, ...(gpuMib === undefined ? {} : { gpuMib }) },
    mounts: [{ volume: `${p.name}-ponos-${name}`, path: data }],
    files: [{ path, secret: true, content }, ...trust.files],
    env: { PONOS_CONFIG: path, ...trust.env },
    rehearsal: { REHEARSAL_ROLE: "ponos-agent" },
    health,
    replicas,
    after: [backend], // the agent signs in at once
    ...(machine === undefined ? {} : { machine }),
  });
}

/** config.yml of backend and worker: keys as documented for 1.6 to 1.12. */
function configYml(
  p: Platform,
  c: ArkindexConfig,
  db: Given<"postgres">,
  redis: Given<"redis">,
  objects: Given<"objects">,
  solr: Given<"solr">,
): Output<string> {
  const django = p.secret("secret-key");
  return all([db.host, db.password, redis.host, objects.key, objects.secret, urlOf(solr), django]).apply(
    ([host, password, redisHost, key, secret, solrUrl, secretKey]) =>
      yaml({
        secret_key: secretKey,
        public_hostname: p.url,
        database: { host, port: db.port, name: "arkindex", user: db.user, password },
        redis: { host: redisHost },
        s3: {
          ...{ access_key_id: key, secret_access_key: secret, endpoint: objects.url, region: objects.region },
          ...(c.bucketKeys ? bucketKeys(objects) : {}),
        },
        solr: { api_url: `${solrUrl}/solr/` },
        cache: { type: "redis" },
        features: { signup: false, search: true, ingest: true, ...c.features },
        static: c.static,
        ingest: { extra_buckets: [] },
      }),
  );
}

/** `iiif-cache` is Cantaloupe's, and `uploads` nobody's but the operator's. */
function bucketKeys(objects: Given<"objects">): Dict<string> {
  const own = bucketNames.filter((name) => name !== "iiif-cache" && name !== "uploads");
  return Object.fromEntries(own.map((name) => [`${name.replaceAll("-", "_")}_bucket`, objects.bucket(name)]));
}

const delegatePath = "/run/cantaloupe/delegates.rb";

/**
 * `bucket%2Fkey` serves every bucket. The basic strategy takes an identifier for a key of one bucket (S3Source.java).
 */
const delegateScript = `class CustomDelegate
  attr_accessor :context

  def s3source_object_info(options = {})
    bucket, key = context['identifier'].split('/', 2)
    key.nil? ? nil : { 'bucket' => bucket, 'key' => key }
  end

  def pre_authorize(options = {})
    true
  end

  def authorize(options = {})
    true
  end
end
`;

/** Cantaloupe's configuration. Cantaloupe calls the store inside the stack, not through the edge. */
function cantaloupeProperties(objects: Given<"objects">): Output<string> {
  return all([urlOf(objects.internal), objects.key, objects.secret]).apply(([endpoint, key, secret]) => {
    const keys: Dict<string> = {
      "endpoint.health.enabled": "true",
      "source.static": "S3Source",
      "S3Source.endpoint": endpoint,
      "S3Source.region": objects.region,
      "S3Source.access_key_id": key,
      "S3Source.secret_key": secret,
      "S3Source.lookup_strategy": "ScriptLookupStrategy",
      "delegate_script.enabled": "true",
      "delegate_script.pathname": delegatePath,
      "cache.server.derivative.enabled": "true",
      "cache.server.derivative": "S3Cache",
      "S3Cache.endpoint": endpoint,
      "S3Cache.region": objects.region,
      "S3Cache.access_key_id": key,
      "S3Cache.secret_key": secret,
      "S3Cache.bucket.name": objects.bucket("iiif-cache"),
    };
    return javaProperties(keys);
  });
}

/**
 * Arkindex on a topology. A changed version replaces backend and worker and runs the migrations again; stores stay.
 */
export class Arkindex extends SystemComponent<ArkindexConfig> {
  constructor(name: string, args: SystemArgs<typeof arkindexConfig>, opts?: ComponentResourceOptions) {
    super("Arkindex", arkindex, arkindexConfig, name, args, opts);
  }
}
