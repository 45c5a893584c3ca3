import { all, type Output } from "@pulumi/pulumi";
import { z } from "zod";

import type { Dict, Given, Health, Platform, Port, Ready, Route, System, Workload } from "../core/contracts.ts";

/** The applications whose replicas a cluster raises. The scheduler is not one of them: two would do everything twice. */
const scaled = [
  "web-api",
  "files",
  "bind",
  "identity-server",
  "mail-sender",
  "mail-reader",
  "notification-service",
  "async-worker",
  "preview-generator",
] as const;
type App = (typeof scaled)[number] | "scheduler";

const clusterSize = z.union([z.literal(1), z.literal(3)], {
  error: "1, or 3 for a cluster that survives the loss of one",
});

export const pyrusConfig = z.strictObject({
  /** Setup runs once for each version; go through the releases one by one. */
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+$/, "a release, as 1.22.1")
    .default("1.22.1"),
  /** By application; unset: 1. The vendor's cluster has 3 of web-api, files and preview-generator, 2 of the others. */
  replicas: z.partialRecord(z.enum(scaled), z.int().min(1).max(50)).default({}),
  /** Labels of the nodes that an application is kept to: nodes dedicated to one function. */
  nodes: z.partialRecord(z.enum([...scaled, "scheduler"]), z.record(z.string(), z.string())).default({}),
  natsNodes: clusterSize.default(1),
  elasticNodes: clusterSize.default(1),
  /** The domain of the first organisation's users. */
  domain: z.string().regex(/^[a-z0-9.-]+\.[a-z]+$/, "a DNS name, as example.com"),
  postgresGib: z.int().min(1).default(50),
  logsGib: z.int().min(1).default(20),
  elasticGib: z.int().min(1).default(30),
  filesGib: z.int().min(1).default(100),
});
export type PyrusConfig = z.output<typeof pyrusConfig>;

const hour = 3600;
const web: Port = { number: 80, protocol: "http" };
const uploads = ["/uploads/", "/downloads/", "/avatars/"] as const; // assumed: the vendor's ingress has the real list

/**
 * Pyrus: two PostgreSQL servers, Elasticsearch, NATS and an object store, the chain of setup jobs, ten applications;
 * with the edge the fifteen containers of the single host, and one for the store that 1.12.1 made compulsory. Checked
 * on paper; not deployable yet.
 */
export const pyrus: System<PyrusConfig> = (p, c) => {
  const stores = {
    main: p.need("postgres", "postgresql", {
      ...{
        names: ["pyrus-postgresql"],
        image: "pyrus/pgsql",
        databases: ["pyrus", "files"],
        gib: c.postgresGib,
        clientTls: false,
      },
      extensions: ["pg_cron"],
      settings: { wal_level: "logical", shared_preload_libraries: "pg_cron", "cron.database_name": "pyrus" },
    }),
    logs: p.need("postgres", "logs", {
      ...{
        names: ["pyrus-logs-pgsql"],
        image: "pyrus/logs-pgsql",
        databases: ["private_logs", "public_logs"],
        gib: c.logsGib,
        clientTls: false,
      },
    }),
    elastic: p.need("elasticsearch", "elasticsearch", {
      ...{
        names: ["pyrus-elastic"],
        image: "pyrus/elastic",
        major: 7,
        plugins: ["analysis-morphology"],
        nodes: c.elasticNodes,
        gib: c.elasticGib,
      },
    }),
    nats: p.need("nats", "nats", {
      names: ["pyrus-nats"],
      nodes: c.natsNodes,
      jetstreamGib: 4,
      maxPayloadBytes: 2_000_000,
    }),
    objects: p.need("objects", "objects", {
      apis: ["s3", "azure-blob"],
      buckets: { files: {} },
      browser: false,
      gib: c.filesGib,
    }),
  };
  const env = { NATS_HA_REPLICAS: String(c.natsNodes) };
  const secretEnv = connections(stores);
  const setup = setUp(p, c, stores, { env, secretEnv });

  const run = (name: App, given: Partial<Workload>): Ready =>
    p.run(name, {
      image: `pyrus/${name}`,
      tier: "app",
      cpu: 1,
      memoryMiB: 1024,
      needs: ["short-names"], // they call each other, NATS and Elasticsearch by one-label names
      secretEnv,
      ports: { web },
      health: ready("web"),
      replicas: name === "scheduler" ? 1 : (c.replicas[name] ?? 1),
      after: [setup],
      rehearsal: { REHEARSAL_ROLE: `pyrus-${name}` },
      ...(c.nodes[name] === undefined ? {} : { nodes: c.nodes[name] }),
      ...given,
      env: { ...env, APPLICATION_NAME: name, ...given.env },
    });

  const identity = run("identity-server", { names: ["pyrus-identity-server"] });
  run("files", {
    ports: { web: { number: 18888, protocol: "http" } },
    routes: uploads.map((path): Route => ({ host: p.hostname, path, port: "web", bodyMiB: 2048, seconds: hour })),
    after: [setup, identity],
  });
  run("bind", {
    env: { HOST: "bind" },
    routes: [{ host: p.hostname, path: "/bind", port: "web", websocket: true, seconds: hour }],
  });
  run("web-api", {
    // Its replicas keep a session's state. /api/ and /v4/ are below "/".
    routes: [
      {
        host: p.hostname,
        path: "/",
        port: "web",
        sticky: { cookie: "pyrus-node", seconds: 1200 },
        hidden: ["/metrics"],
      },
    ],
  });
  for (const name of ["mail-sender", "mail-reader", "notification-service", "scheduler"] as const) run(name, {});
  for (const name of ["async-worker", "preview-generator"] as const) {
    run(name, {
      ...(name === "preview-generator" ? { env: { ALL_IMAGES_COUNT: "3" } } : {}),
      needs: ["short-names", "exec-probe"],
      ports: {},
      health: alive,
    });
  }
};

interface Stores {
  readonly main: Given<"postgres">;
  readonly logs: Given<"postgres">;
  readonly elastic: Given<"elasticsearch">;
  readonly nats: Given<"nats">;
  readonly objects: Given<"objects">;
}

/** The vendor's chain, one after another; a step runs again for each release. Returns the last. */
function setUp(p: Platform, c: PyrusConfig, stores: Stores, given: Pick<Workload, "env" | "secretEnv">): Ready {
  const { main, logs, elastic, nats, objects } = stores;
  const steps: Dict<Dict<Output<string>>> = {
    database: {},
    elastic: { ELASTIC_PASSWORD: elastic.password, NATS_PASSWORD: nats.password },
    s3: { S3_ACCESS_KEY: objects.key, S3_SECRET_KEY: objects.secret },
    licence: { LICENCE: p.configured("pyrusLicence") },
    domain: {},
  };
  let last: Ready = { ready: [main, logs, elastic, nats, objects].flatMap(({ ready }) => ready) };
  for (const [step, secrets] of Object.entries(steps)) {
    last = p.job(`setup-${step}`, {
      image: "pyrus/setup",
      tier: "app",
      cpu: 1,
      memoryMiB: 1024,
      needs: ["short-names"],
      env: {
        ...given.env,
        SETUP_STEP: step,
        DOMAIN: c.domain,
        S3_ENDPOINT: objects.url,
        S3_TYPE: objects.api === "s3" ? "MinIo" : "Azure",
      },
      secretEnv: { ...given.secretEnv, ...secrets },
      rehearsal: { REHEARSAL_ROLE: "pyrus-setup" },
      once: c.version,
      seconds: hour,
      after: [last],
    });
  }
  return last;
}

/** Each a JSON text, as the vendor's chart has them; the applications read them from nowhere else. */
function connections({ main, logs }: Stores): Dict<Output<string>> {
  const connection = ({ host, port, user, password }: Given<"postgres">, database: string): Output<string> =>
    all([host, password]).apply(([at, secret]) => JSON.stringify({ host: at, port, database, user, password: secret }));
  return {
    MAIN_CONN_STRING: connection(main, "pyrus"),
    FILES_CONN_STRING: connection(main, "files"),
    PRIVATE_LOGS_CONN_STRING: connection(logs, "private_logs"),
    PUBLIC_LOGS_CONN_STRING: connection(logs, "public_logs"),
  };
}

function ready(port: string): Health {
  return { ready: { http: port, path: "/health/ready" }, startSeconds: 180, stopSeconds: 30 };
}
/** These two answer on no port. */
const alive: Health = { ready: { command: ["sh", "-c", "test -d /proc/1"] }, startSeconds: 60, stopSeconds: 60 };
