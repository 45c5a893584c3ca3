import { z } from "zod";

import { address, nodeLabels, oneLine, registries } from "../../core/formats.ts";
import { engineHost, networks, ports, socket } from "../config.ts";
import { tlsConfig } from "../tls.ts";

/** Labels that a node may carry: more letters than a constraint takes. */
const carried = z.record(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]*$/, "a node label's key"), oneLine);

const config = z.strictObject({
  /**
   * The stack that has made the machines (`system: machines`), by its name, or as `organization/project/stack`. Managers,
   * nodes, and what of `existing` this stack needs come from its outputs, where nothing else is said here.
   */
  machines: z
    .string()
    .regex(/^([\w.-]+\/[\w.-]+\/)?[\w.-]+$/, "a stack's name, as machines-prod or organization/project/stack")
    .optional(),
  managers: z.array(engineHost).min(1).default(["unix:///var/run/docker.sock"]),
  nodes: z
    .record(
      z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/, "a node's hostname, as `docker node ls` has it"),
      z.strictObject({
        labels: carried
          .refine((labels) => !Object.hasOwn(labels, "role"), {
            error: "role is the swarm's own: docker node promote",
          })
          .refine((labels) => !Object.keys(labels).some((key) => key.startsWith("platform-topologies.")), {
            error: "platform-topologies.* is written by the program",
          })
          .optional(),
        availability: z.enum(["active", "pause", "drain"]).optional(),
        address: address.optional(),
      }),
    )
    .default({}),
  place: nodeLabels.default({}),
  edge: z
    .strictObject({
      nodes: nodeLabels.default({ role: "manager" }),
      address: z.cidrv4({ error: "an address of the nodes' network, as 192.0.2.10/24" }).optional(),
    })
    .prefault({}),
  ports,
  tls: tlsConfig,
  publish: z.enum(["host", "ingress"]).default("host"),
  endpointMode: z.enum(["vip", "dnsrr"]).default("vip"),
  encrypted: z.boolean().default(true),
  volumes: z.strictObject({ driver: oneLine, options: z.record(z.string(), z.string()).default({}) }).optional(),
  update: z
    .strictObject({
      parallelism: z.int().min(1).default(1),
      delaySeconds: z.int().min(0).default(0),
      monitorSeconds: z.int().min(1).default(5),
    })
    .prefault({}),
  registries: registries.default([]),
  ...networks,
  socket,
});
/** `swarm` in a stack's config. args.ts says what each key means. */
export const swarmConfig = config.prefault({});
/** What of it an importer gives to `Swarm` in the same form. */
export const swarmArgs = config.omit({ machines: true, ports: true, tls: true }).strip();
