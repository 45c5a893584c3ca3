import { z } from "zod";

import type { Given } from "../role.ts";
import { Refusal } from "../errors.ts";
import { parseConfig, readConfig } from "./file.ts";

const store = z.object({
  hosts: z.array(z.string().min(1)).min(1),
  port: z.int(),
  tls: z.boolean(),
  user: z.string().optional(),
  password: z.string().optional(),
});
const login = store.required({ user: true, password: true });

const stores = z.object({
  cassandra: login.extend({ dataCentre: z.string().min(1), keyspace: z.string().min(1) }),
  rabbit: login.extend({ exchange: z.string().min(1), queue: z.string().min(1).optional() }),
  search: login,
  redis: store,
  objects: z.object({
    url: z.url(),
    region: z.string(),
    key: z.string(),
    secret: z.string(),
    buckets: z.record(z.string(), z.string()),
  }),
});
export type MediaStores = z.output<typeof stores>;

/**
 * Reads `$STORES_FILE`, as a service of the media platform is given it. Throws a Refusal that names what is missing.
 */
export function mediaStores({ env, secrets }: Given): MediaStores {
  const path = env.STORES_FILE ?? "";
  if (path === "") throw new Refusal("STORES_FILE is not set: it must name the file of the stores");
  const text = readConfig(path, "STORES_FILE"); // JSON is YAML
  const found = parseConfig(text, path, stores);
  const { cassandra, rabbit, search, redis, objects } = found;
  secrets.add(cassandra.password, rabbit.password, search.password, redis.password, objects.secret);
  return found;
}
