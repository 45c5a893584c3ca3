import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Container, Health, Platform, Ready, Route, System, Workload } from "../../core/contracts.ts";
import { connectionStrings } from "./connections.ts";
import { type App, apps, clusterReplicas, type PyrusConfig, pyrusConfig } from "./config.ts";
import { setUp, type Stores } from "./setup.ts";
import { type SystemArgs, SystemComponent } from "../../core/system.ts";

export { type PyrusConfig, pyrusConfig };

/**
 * Pyrus Datacenter: two PostgreSQL servers, Elasticsearch, NATS and an object store, the vendor's setup jobs, ten
 * applications; with nginx at the edge the fifteen containers of the single host, and one for the store that 1.12.1
 * made compulsory. Names, ports and variables are those of the vendor's chart (docs/pyrus.md).
 */
export const pyrus: System<PyrusConfig> = (p, c) => {
  p.edge({ proxy: "nginx" });
  const stores = storesOf(p, c);
  const shared = sharedBy(p, c, stores);
  const setup = setUp(p, c, stores, shared);
  if (c.maintenance) return;

  const run = (name: App, given: Partial<Workload>): Ready => {
    const { chart, env } = apps[name];
    const replicas = name === "scheduler" ? 1 : (c.replicas[name] ?? (c.ha ? clusterReplicas[name] : 1));
    return p.run(name, {
      ...shared,
      image: `pyrus/${chart}`,
      cpu: c.cpu[name] ?? 1,
      memoryMib: c.memoryMib[name] ?? 1024,
      env: { ...shared.env, ...env },
      names: [`pyrus-${chart}`],
      ports: { web: { number: 80, protocol: "http" } },
      health: ready,
      replicas,
      after: [setup],
      rehearsal: { REHEARSAL_ROLE: `pyrus-${name}`, REHEARSAL_VERSION: c.version },
      ...(c.nodes[name] === undefined ? {} : { nodes: c.nodes[name] }),
      ...given,
    });
  };

  const identity = run("identity-server", {});
  run("files", {
    ports: { web: { number: 18888, protocol: "http" } },
    routes: fileRoutes(p),
    after: [setup, identity],
  });
  run("bind", {
    routes: [
      { host: p.hostname, path: "/bind", port: "web", websocket: true, seconds: 3600, hidden: ["/bind/metrics"] },
    ],
  });
  run("web-api", { routes: webRoutes(p) });
  for (const name of ["mail-sender", "mail-reader", "notification-service"] as const) run(name, {});
  for (const name of ["async-worker", "preview-generator"] as const) run(name, { ports: {}, health: alive });
  // Two at once would run every task twice.
  run("scheduler", { update: "stop-first" });
};

function storesOf(p: Platform, c: PyrusConfig): Stores {
  const owner = { name: "pyrusadm", superuser: true }; // as with the vendor: it makes extensions and replication slots
  const on = (store: keyof typeof c.nodes) => (c.nodes[store] === undefined ? {} : { nodeLabels: c.nodes[store] });
  return {
    main: p.need("postgres", "postgresql", {
      ...on("postgresql"),
      ...{ names: ["pyrus-postgresql"], image: "pyrus/pgsql-16", clientTls: "verifies", owner },
      databases: ["pyrusdb"],
      settings: { wal_level: "logical", shared_preload_libraries: "pg_cron", "cron.database_name": "postgres" },
      outputPlugins: ["wal2json"],
      gib: c.postgresGib,
      memoryMib: c.postgresMemoryMib,
    }),
    logs: p.need("postgres", "logs", {
      ...on("logs"),
      ...{ names: ["pyrus-logs-pgsql"], image: "pyrus/logs-pgsql-16", clientTls: "verifies", owner },
      databases: ["pyrus_logs"],
      gib: c.logsGib,
      memoryMib: c.logsMemoryMib,
    }),
    elastic: p.need("elasticsearch", "elasticsearch", {
      ...on("elasticsearch"),
      ...{
        names: ["pyrus-elastic"],
        image: "pyrus/elastic",
        speaks: ["elasticsearch7"],
        plugins: ["analysis-jmorphy2"],
      },
      nodes: c.elasticNodes ?? clusterOf(p, c),
      gib: c.elasticGib,
      heapMib: c.elasticHeapMib,
    }),
    nats: p.need("nats", "nats", {
      ...on("nats"),
      names: ["pyrus-nats"],
      clientTls: "never", // they are given a user and a password alone
      nodes: c.natsNodes ?? clusterOf(p, c),
      jetstreamGib: c.natsGib,
      memoryMib: c.natsMemoryMib,
      maxPayloadBytes: 2_000_000,
    }),
    objects: p.need("objects", "objects", {
      ...on("objects"),
      apis: ["s3", "azure-blob"],
      buckets: { files: {} },
      browser: false,
      gib: c.filesGib,
    }),
  };
}

/** How many NATS and Elasticsearch there are where nobody says a number for them. */
function clusterOf({ copies }: Platform, { ha }: PyrusConfig): number {
  return ha ? 3 : copies;
}

/** What each application and each setup job is given. The images read everything from their environment. */
function sharedBy(p: Platform, c: PyrusConfig, { main, logs, nats }: Stores) {
  const { strings, files } = connectionStrings(main, logs);
  const ca = "/run/pyrus/ca.pem";
  return {
    tier: "app",
    env: {
      NATS_HA_REPLICAS: String(c.natsNodes ?? clusterOf(p, c)),
      NATS_USER: nats.user,
      ...(c.caCertificate === undefined ? {} : { SSL_CERT_FILE: ca }),
    },
    secretEnv: { ...strings, NATS_PASSWORD: nats.password },
    files: [...files, ...(c.caCertificate === undefined ? [] : [{ path: ca, content: c.caCertificate }])],
  } as const satisfies Partial<Container>;
}

/**
 * The routes of the vendor's ingress: bodies of 2 GiB pass as they come, 40 s may lie between two pieces of an answer.
 */
function fileRoutes({ hostname: host }: Platform): Route[] {
  const big = { host, port: "web", bodyMib: 2048, seconds: 600 };
  const files = [
    ...["/v4/files/download", "/services/attachment", "/services/upload", "/v4/files/upload", "/api/v4/files/upload"],
    ...["/services/preview", "/services/viewtxt", "/restapi/upload"],
  ];
  return [
    ...["/avatar", "/services/avatar", "/services/kb"].map((path) => ({ host, path, port: "web" })),
    ...files.map((path) => ({ ...big, path })),
    { ...big, path: "/api/v4/files/download", strip: "/api" },
  ];
}

/** The routes of the web application, whose replicas keep a session's state. /api/ and /v4/ are below "/". */
function webRoutes({ hostname: host }: Platform): Route[] {
  const sticky = { cookie: "ingressstick", seconds: 1200 };
  return [
    { host, path: "/", port: "web", sticky, hidden: ["/metrics"], seconds: 300 },
    { host, path: "/servicedeskapi/v1/uploadfile", port: "web", sticky, bodyMib: 2048, seconds: 600 },
  ];
}

/** The vendor allows up to half an hour for a start. */
const ready: Health = { ready: { http: "web", path: "/health/ready" }, startSeconds: 600, stopSeconds: 30 };
/** The health check of the two applications that have no path to ask. */
const alive: Health = { ...ready, ready: { command: ["sh", "-c", "test -d /proc/1"] }, stopSeconds: 60 };

/**
 * Pyrus on a topology. A changed version runs the update job once and replaces the applications; stores stay.
 */
export class Pyrus extends SystemComponent<PyrusConfig> {
  constructor(name: string, args: SystemArgs<typeof pyrusConfig>, opts?: ComponentResourceOptions) {
    super("Pyrus", pyrus, pyrusConfig, name, args, opts);
  }
}
