import { z } from "zod";

import { registries } from "../../core/formats.ts";
import { engineHost, networks, ports, socket } from "../config.ts";
import { tlsConfig } from "../tls.ts";

const config = z.strictObject({
  host: engineHost.default("unix:///var/run/docker.sock"),
  machines: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]*$/, "lower-case letters, digits, hyphens"),
      z.union([engineHost, z.strictObject({ host: engineHost, socket })], {
        error: "an engine as unix:///path, tcp://host:port or ssh://user@host, or {host, socket}",
      }),
    )
    .default({}),
  address: z
    .union([z.ipv4(), z.ipv6()], { error: "an IP address of the host; 0.0.0.0 is all of them" })
    .default("0.0.0.0"),
  ports,
  tls: tlsConfig,
  /** Registries whose credentials come from `docker login` on the machine that deploys. */
  registries: registries.default([]),
  ...networks,
  socket,
});
/** `docker` in a stack's config. */
export const dockerConfig = config.prefault({});
/** What of it an importer gives to `DockerHost` in the same form. */
export const dockerArgs = config
  .pick({
    ...{
      host: true,
      machines: true,
      address: true,
      registries: true,
      networks: true,
      subnets: true,
      mtu: true,
      socket: true,
    },
  })
  .strip();
