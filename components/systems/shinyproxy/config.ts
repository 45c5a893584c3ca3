import { z } from "zod";

import { constraint, nodeLabels, reference } from "../../core/formats.ts";

const app = z
  .strictObject({
    /** As the page shows it. */
    title: z.string().min(1),
    /** A reference, or a key of image-lock.ts (`shiny-demo`). No other image can be started. */
    image: reference,
    /** In the place of the image's own. Default: that. */
    command: z.array(z.string()).optional(),
    /** Environment variables, in plain text. Default: none. */
    env: z
      .record(z.string().regex(/^[A-Za-z_][\w.-]*$/, "a variable's name: letters, digits, _"), z.string())
      .default({}),
    /** Where the app answers inside its container. Default: 3838. */
    port: z.int().min(1).max(65535).default(3838),
    /** What each user's container gets at most, in MiB. Default: 1024. */
    memoryMib: z.int().min(64).default(1024),
    /** Cores that each user's container gets at most. Default: 1. */
    cpu: z.number().min(0.1).default(1),
    /** Shared memory (/dev/shm) at most, in MiB. It counts as memory; browsers need it. Default: half of the memory. */
    shmMib: z.int().min(1).optional(),
    /** Who may start it; unset: everyone who has signed in. */
    groups: z.array(z.string()).optional(),
    /** Named volumes, by the path where the app finds them. On a swarm each node has its own. */
    volumes: z
      .record(
        z.string().regex(/^\/[^:]*$/, "an absolute path without :"),
        z.string().regex(/^[a-zA-Z0-9][\w.-]*$/, "a volume's name"),
      )
      .default({}),
  })
  .refine(({ shmMib = 1, memoryMib }) => shmMib <= memoryMib, {
    error: "at most the app's memoryMib: it is a part of that",
    path: ["shmMib"],
  });
export type App = z.output<typeof app>;

export function sharedMemory({ shmMib, memoryMib }: App): number {
  return shmMib ?? Math.floor(memoryMib / 2);
}
const period = z.string().regex(/^[1-9]\d*[dw]$/, "days or weeks, as 90d or 12w");

export const shinyproxyConfig = z.strictObject({
  /** The page's title. Default: ShinyProxy. */
  title: z.string().default("ShinyProxy"),
  /** The apps that a user may start, by their names in the address. */
  apps: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits, hyphens"), app)
    .refine((apps) => Object.keys(apps).length > 0, { error: "at least one app: {title, image}" }),
  /** Replicas of ShinyProxy. Default: 1, where stores have three copies 2. */
  replicas: z.int().min(1).max(10).optional(),
  /** Memory of each replica, in MiB. Default: 2048. */
  memoryMib: z.int().min(256).default(2048),
  /** How long an app runs on without its user's browser. */
  idleMinutes: z.number().min(0.5).default(5),
  /** Labels of the nodes for everything but users' apps. Default: the managers of a swarm. */
  controlNodes: nodeLabels.default({ role: "manager" }),
  /** A swarm's constraint for the nodes of users' apps; nothing else runs there. */
  appNodes: constraint.default("node.role==worker"),
  /** Groups that see the administrator's page, and Grafana. Default: `admins`. */
  adminGroups: z.array(z.string()).default(["admins"]),
  /** The claim that names a user. */
  userClaim: z.string().default("email"),
  /** How long statistics of usage are kept, in days or weeks. Default: `365d`. */
  keepUsage: period.default("365d"),
  /** The same of the machines. Default: `30d`. */
  keepMetrics: period.default("30d"),
  /** The disk of the statistics, in GiB. Default: 20. */
  influxGib: z.int().min(1).default(20),
  /** Memory of InfluxDB, in MiB. Default: 1024. */
  influxMemoryMib: z.int().min(512).default(1024),
});
/** What `ShinyProxy` is told, with its defaults filled in. @useDeclaredType */
export type ShinyProxyConfig = z.output<typeof shinyproxyConfig>;

/** Every group that the config names. */
export function groupsOf({ adminGroups, apps }: ShinyProxyConfig): string[] {
  return [...new Set([...adminGroups, ...Object.values(apps).flatMap(({ groups = [] }) => groups)])].sort();
}
