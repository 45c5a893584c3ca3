/** What `docker` and `swarm` in a stack's config have in common. */
import { z } from "zod";

import { builtIn } from "./adopted.ts";
import { unfit } from "./subnets.ts";

const port = z.int().min(1).max(65535);
const health = "8082 is the edge's own health port; choose another";

/** The https port of the public URLs. */
export const publicPort = port.refine((number) => number !== 8082, { error: health });

/** The edge's ports on the machines. */
export const ports = z
  .strictObject({ http: port.default(80), https: port.default(443) })
  .refine(({ http, https }) => http !== https, { error: "http and https need a port each" })
  .refine(({ http, https }) => ![http, https].includes(8082), { error: health })
  .default({ http: 80, https: 443 });

export const engineHost = z
  .string()
  .regex(
    /^(unix:\/\/\/[^\s,]+|tcp:\/\/[^/\s,]+:\d+|ssh:\/\/([^@/\s,:]+@)?[^@/\s,]+)$/,
    "unix:///path, tcp://host:port or ssh://user@host",
  );

/** subnets.ts says what each means. */
export const networks = {
  networks: z
    .record(
      z.string(),
      z
        .string()
        .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, "a network's name, as `docker network ls` has it")
        .refine((name) => !builtIn.includes(name), {
          error: "Docker's own, in which nothing has a name: name one of yours",
        }),
    )
    .default({}),
  subnets: z
    .record(
      z.string(),
      z.string().superRefine((value, context) => {
        const message = unfit(value);
        if (message !== undefined) context.addIssue({ code: "custom", message });
      }),
    )
    .default({}),
  mtu: z.int().min(576, "576 bytes or more").max(65535).optional(),
};

/** Where the engine's socket is on its own machine, for containers that are given it. Default: as `host` has it. */
export const socket = z
  .string()
  .regex(/^\/[^\0:]*[^\0:/]$/, "an absolute path on the engine's machine, as /run/user/1000/docker.sock")
  .optional();
