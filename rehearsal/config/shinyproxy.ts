import { z } from "zod";

import { eachText } from "./file.ts";

const text = z.string().min(1);

/** One app, of `proxy.specs`. */
const spec = z.strictObject({
  id: text,
  "display-name": text.optional(),
  "container-image": text,
  "container-cmd": z.array(text).optional(),
  "container-env": z.record(text, z.string()).optional(),
  "container-volumes": z.array(text).optional(),
  "container-network": text.optional(),
  "container-memory-limit": z
    .string()
    .regex(/^\d+[mg]$/)
    .optional(),
  "container-cpu-limit": z.number().positive().optional(),
  port: z.int().default(3838),
  "access-groups": z.array(text).optional(),
});
export type Spec = z.output<typeof spec>;

/**
 * application.yml as far as our deployment writes it, with containerproxy's names. A key that is not here is refused:
 * the real one would ignore a slip of the pen silently.
 */
const schema = z.strictObject({
  proxy: z.strictObject({
    title: text.optional(),
    "container-backend": z.enum(["docker", "docker-swarm"]),
    docker: z.strictObject({
      url: z.url(),
      "internal-networking": z.literal(true),
      "default-container-network": text,
    }),
    "stop-proxies-on-shutdown": z.literal(false),
    "store-mode": z.literal("Redis"),
    "heartbeat-timeout": z.int().default(60_000),
    authentication: z.literal("openid"),
    "admin-groups": z.array(text).default([]),
    openid: z.strictObject({
      "auth-url": z.url(),
      "token-url": z.url(),
      "jwks-url": z.url(),
      "logout-url": z.url().optional(),
      "client-id": text,
      "client-secret": text,
      "roles-claim": text,
      "username-attribute": text.default("email"),
      "with-pkce": z.boolean().default(false),
      scopes: z.array(text).default(["openid", "email"]),
    }),
    // ShinyProxy's collector takes no other address.
    "usage-stats-url": z.string().includes("/write?db="),
    specs: z.array(spec).min(1),
  }),
  spring: z.strictObject({
    session: z.strictObject({ "store-type": z.literal("redis") }),
    data: z.strictObject({ redis: z.strictObject({ host: text, port: z.int(), password: z.string() }) }),
  }),
  server: z.strictObject({ "forward-headers-strategy": z.literal("native"), "secure-cookies": z.boolean() }),
});
export type Application = z.output<typeof schema>;

/** Spring resolves placeholders first: ours have no other value than their default. */
export const applicationSchema = z.preprocess(
  (file) => eachText(file, (text) => text.replaceAll(/\$\{[^{}:]*:([^{}]*)\}/g, "$1")),
  schema,
);
