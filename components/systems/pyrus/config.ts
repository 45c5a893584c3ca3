/** What an operator of Pyrus may set, and the applications that there are. */
import { z } from "zod";

import { checkAuthorities } from "../../core/certificates.ts";
import type { Dict } from "../../core/contracts.ts";
import { nodeLabels } from "../../core/formats.ts";

/**
 * By the names of Pyrus' documentation. `chart`: as images and addresses call it; `env`: as the vendor's chart sets it.
 */
export const apps = {
  "web-api": { chart: "web-api", env: { APPLICATION_NAME: "web-api" } },
  files: { chart: "file-service", env: { APPLICATION_NAME: "file-service" } },
  bind: { chart: "bind-service", env: { APPLICATION_NAME: "bind-service", HOST: "bind" } },
  "identity-server": { chart: "identity-server", env: { APPLICATION_NAME: "identity-server" } },
  "mail-sender": { chart: "mail-sender", env: { APPLICATION_NAME: "mail-sender" } },
  "mail-reader": {
    chart: "mail-reader",
    env: { APPLICATION_NAME: "mail-reader", MAILREADER_ENVIRONMENT: "Production" },
  },
  "notification-service": { chart: "notification-service", env: { GcmPushBrokerOptions__PyrusWorkersCount: "3" } },
  "async-worker": { chart: "async-worker", env: { APPLICATION_NAME: "async-worker" } },
  "preview-generator": {
    chart: "preview-generator",
    env: { APPLICATION_NAME: "preview-generator", ALL_IMAGES_COUNT: "3" },
  },
  scheduler: { chart: "schedule-to-today", env: { APPLICATION_NAME: "schedule-to-today" } },
} as const satisfies Dict<{ chart: string; env: Dict<string> }>;
export type App = keyof typeof apps;

/** The replicas in the vendor's cluster. The scheduler is not among them: two would do everything twice. */
export const clusterReplicas = {
  "web-api": 3,
  files: 3,
  "preview-generator": 3,
  bind: 2,
  "identity-server": 2,
  "mail-sender": 2,
  "mail-reader": 2,
  "notification-service": 2,
  "async-worker": 2,
} as const satisfies { readonly [A in Exclude<App, "scheduler">]: number };

const names = Object.keys(apps) as [App, ...App[]];
const scaled = Object.keys(clusterReplicas) as [keyof typeof clusterReplicas, ...(keyof typeof clusterReplicas)[]];
const stores = ["postgresql", "logs", "elasticsearch", "nats", "objects"] as const;
const clusterSize = z.union([z.literal(1), z.literal(3)], {
  error: "1, or 3 for a cluster that survives the loss of one",
});
const gib = z.int().min(1);
const mib = z.int().min(128);

export const pyrusConfig = z.strictObject({
  /** The update job runs once for each version; go through the vendor's releases one by one. */
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+$/, "a release, as 1.22.1")
    .default("1.22.1"),
  /**
   * The first administrator's sign-in; the password is `secrets.pyrusAdminPassword`, the licence
   * `secrets.pyrusLicence`.
   */
  adminEmail: z.email(),
  /** High availability: the vendor's replica counts, three NATS, three Elasticsearch; each can still be set. */
  ha: z.boolean().default(false),
  /** Replicas by the application. Default: one each, with `ha` as many as in the vendor's cluster. */
  replicas: z.partialRecord(z.enum(scaled), z.int().min(1).max(50)).default({}),
  /** Labels of the nodes on which an application or a store has to run: nodes dedicated to one function. */
  nodes: z.partialRecord(z.enum([...names, ...stores]), nodeLabels).default({}),
  /** NATS nodes. Default: the stack's `copies`, with `ha` 3. */
  natsNodes: clusterSize.optional(),
  /** Elasticsearch nodes. Default: the stack's `copies`, with `ha` 3. */
  elasticNodes: clusterSize.optional(),
  /**
   * Further parameters of the vendor's setup, by their numbers, as for mail or a directory of users. Nothing secret.
   */
  parameters: z.record(z.string().regex(/^\d+$/, "a parameter's number"), z.string()).default({}),
  /** How the applications speak to the object store. Default: MinIo for S3, Azure for Azure's. */
  storageType: z.enum(["Aws", "MinIo", "Azure", "Mts", "VkCloud"]).optional(),
  /** An authority of the company's own that the applications trust, PEM. */
  caCertificate: z
    .string()
    .superRefine((value, context) => {
      for (const { remedy } of checkAuthorities("caCertificate", value).problems) context.addIssue(remedy);
    })
    .optional(),
  /** Takes the applications away and leaves stores and setup: the vendor upgrades in this way. */
  maintenance: z.boolean().default(false),
  /** Makes the search index again, once for each new text. After a restore, write its date here. */
  reindex: z.string().min(1).optional(),
  /** Cores by the application. Default: its own. */
  cpu: z.partialRecord(z.enum(names), z.number().min(0.1)).default({}),
  /** Memory in MiB by the application. Default: its own. */
  memoryMib: z.partialRecord(z.enum(names), mib).default({}),
  /** The disk of the main database, in GiB. Default: 50. */
  postgresGib: gib.default(50),
  /** Memory of the main database, in MiB. Default: 2048. */
  postgresMemoryMib: mib.default(2048),
  /** The disk of the database of logs, in GiB. Default: 20. */
  logsGib: gib.default(20),
  /** Memory of the database of logs, in MiB. Default: 1024. */
  logsMemoryMib: mib.default(1024),
  /** The disk of each Elasticsearch, in GiB. Default: 30. */
  elasticGib: gib.default(30),
  /** The heap of each Elasticsearch, in MiB. Default: 1024. */
  elasticHeapMib: mib.default(1024),
  /** The disk of each NATS, in GiB. Default: 4. */
  natsGib: gib.default(4),
  /** Memory of each NATS, in MiB. Default: 1024. */
  natsMemoryMib: mib.default(1024),
  /** The object store's disk in GiB. Default: 100. */
  filesGib: gib.default(100),
});
/** What `Pyrus` is told, with its defaults filled in. @useDeclaredType */
export type PyrusConfig = z.output<typeof pyrusConfig>;
