import type { ComponentResourceOptions } from "@pulumi/pulumi";
import { z } from "zod";

import type { Platform, System } from "../core/contracts.ts";
import { oneLine, webUrl } from "../core/formats.ts";
import { type SystemArgs, SystemComponent } from "../core/system.ts";

const machine = {
  /** Cores of each. Default: 2. */
  cpu: z.number().min(1).default(2),
  /** Memory of each, in MiB. Default: 3072. */
  memoryMib: z.int().min(1024).default(3072),
  /** The disk for images, volumes and what the engine keeps. One that is there keeps its size. */
  gib: z.int().min(20).max(16_384).default(50),
};
const name = z.string().regex(/^[a-z][a-z0-9-]{0,20}$/, "lower-case letters, digits, hyphens; at most 21");
const label = z.string().regex(/^[a-zA-Z0-9][\w.-]*$/, "letters, digits, - _ and .");

/** Of Docker's API, of the managers, of the nodes among themselves, of their networks. */
const swarmPorts = [2375, 2376, 2377, 7946, 4789];

function once(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}

export const machinesConfig = z.strictObject({
  /** They keep the swarm's state, and run what names no other node. */
  managers: z
    .strictObject({
      /** An odd number: an even one bears no more losses than the odd one below it. */
      count: z.union([z.literal(1), z.literal(3), z.literal(5), z.literal(7)], { error: "1, 3, 5 or 7" }).default(3),
      ...machine,
    })
    .prefault({}),
  /** Groups of workers, by the value of their label `group`. */
  workers: z
    .record(
      name.refine((group) => group !== "managers" && group !== "manager", { error: "the managers' own name" }),
      z.strictObject({
        /** How many. Default: 1. */
        count: z.int().min(0).max(100).default(1),
        ...machine,
        /** Labels of its nodes, beside `group`. Default: none. */
        labels: z
          .record(
            label.refine((key) => key !== "group", { error: "group is the group's own name" }),
            label,
          )
          .default({}),
        /** Each stays, with its name and its disk, for volumes. Default: they come and go with the number. */
        keeps: z.boolean().default(false),
      }),
    )
    // Machines that stay are called by their group and a number.
    .superRefine((groups, context) => {
      for (const [group, { keeps, count }] of Object.entries(groups)) {
        const named = Array.from({ length: keeps ? count : 0 }, (_, index) => `${group}-${String(index + 1)}`);
        for (const other of named.filter((host) => Object.hasOwn(groups, host)))
          context.addIssue({ code: "custom", path: [other], message: `a machine of ${group} has this name` });
      }
    })
    .default({}),
  /** Ports of the managers that the world may call: those of the edge that is deployed on the swarm. */
  ports: z
    .array(
      z
        .int()
        .min(1)
        .max(65_535)
        .refine((port) => !swarmPorts.includes(port), { error: "the swarm's own, which the world must not reach" }),
    )
    .refine(once, { error: "each port once" })
    .default([80, 443]),
  /** Public keys of those who deploy, as `ssh-ed25519 AAAA… name`. */
  sshKeys: z
    .array(oneLine.regex(/^(ssh-(ed25519|rsa)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( .*)?$/, "a public key's line"))
    .min(1, "one at least: the stack on the swarm is deployed over ssh")
    .refine((keys) => keys.join("\n").length <= 1500, {
      error:
        "together at most 1500 characters, as a machine's user data have 16 KiB: two keys of RSA, or a dozen of ed25519",
    }),
  /** Stores beside the machines, by the name of the need that the application on the swarm has: `{ db: … }`. */
  data: z
    .record(
      name.refine((need) => need !== "swarm" && need !== "sign-in", { error: "the stack's own name" }),
      z.discriminatedUnion("kind", [
        z.strictObject({
          /** PostgreSQL. */
          kind: z.literal("postgres"),
          /** Their names. */
          databases: z
            .array(z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, "a database's name"))
            .min(1)
            .refine(once, { error: "each database once" }),
          /** Made in each database. Default: none. */
          extensions: z.array(z.string().regex(/^[a-z0-9_-]+$/, "an extension's name")).default([]),
          /** Memory in MiB. Default: 1024. */
          memoryMib: z.int().min(512).default(1024),
          /** Its disk in GiB. Default: 20. */
          gib: z.int().min(1).default(20),
        }),
        z.strictObject({
          /** Redis. */
          kind: z.literal("redis"),
          /** The most data, in MiB. Default: 256. */
          memoryMib: z.int().min(64).default(256),
          /** The client speaks TLS, and signs in. Default: it knows neither. */
          tls: z.boolean().default(false),
        }),
        z.strictObject({
          /** An object store. */
          kind: z.literal("objects"),
          /** By their names. */
          buckets: z.record(
            z.string().regex(/^[a-z0-9][a-z0-9-]{0,20}$/, "a bucket's name: lower-case letters, digits, hyphens"),
            z.strictObject({
              /** Pages of the application read and write it. Default: false. */
              browsers: z.boolean().default(false),
            }),
          ),
          /** Its disk in GiB, where it is a store of ours. Default: 20. */
          gib: z.int().min(1).default(20),
        }),
      ]),
    )
    .default({}),
  /** A pool of users for the application on the swarm. Unset: none is made. */
  signIn: z
    .strictObject({
      /** Where the provider sends a user back. Default: ShinyProxy's. */
      callback: webUrl.optional(),
      /** Groups that the application tells its users apart by. Default: `admins`. */
      groups: z
        .array(z.string().regex(/^[\p{L}\p{N}_.@-]{1,128}$/u, "a group's name"))
        .refine(once, { error: "each group once" })
        .default(["admins"]),
    })
    .optional(),
});
/** What `SwarmMachines` is told, with its defaults filled in. @useDeclaredType */
export type MachinesConfig = z.output<typeof machinesConfig>;

/** The stores beside the machines. What the place has itself comes first, as everywhere. */
function stores(p: Platform, data: MachinesConfig["data"]): void {
  for (const [name, row] of Object.entries(data))
    switch (row.kind) {
      case "postgres": {
        const { databases, extensions, memoryMib, gib } = row;
        p.need("postgres", name, { databases, extensions, memoryMib, gib, clientTls: "if-asked" });
        break;
      }
      case "redis": {
        const { memoryMib, tls } = row;
        p.need("redis", name, { memoryMib, keep: true, clientTls: tls ? "if-asked" : "never", clientAuth: tls });
        break;
      }
      case "objects": {
        const buckets = Object.entries(row.buckets).map(([bucket, { browsers }]) => {
          return [bucket, browsers ? { cors: p.url } : {}] as const;
        });
        const browser = Object.values(row.buckets).some(({ browsers }) => browsers);
        p.need("objects", name, { apis: ["s3"], buckets: Object.fromEntries(buckets), browser, gib: row.gib });
      }
    }
}

/** A swarm on a cloud's machines, for another stack: `swarm.machines` there names this one. */
export const machines: System<MachinesConfig> = (p, c) => {
  p.need("swarm", "swarm", { managers: c.managers, workers: c.workers, ports: c.ports, keys: c.sshKeys });
  stores(p, c.data);
  if (c.signIn !== undefined)
    p.need("oidc", "sign-in", {
      callback: c.signIn.callback ?? `${p.url}/login/oauth2/code/shinyproxy`,
      groups: c.signIn.groups,
    });
};

/** A swarm on a cloud's machines. More managers or workers join by themselves; fewer leave when they are empty. */
export class SwarmMachines extends SystemComponent<MachinesConfig> {
  constructor(name: string, args: SystemArgs<typeof machinesConfig>, opts?: ComponentResourceOptions) {
    super("SwarmMachines", machines, machinesConfig, name, args, opts);
  }
}
