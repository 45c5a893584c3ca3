import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

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
type Read = z.output<typeof stores>;
/** Stores with TLS, and what verifies each: an authority of its own, else the public ones. Absent: plain text. */
type WithTls<S> = Omit<S, "tls"> & { readonly tls?: { readonly ca?: string } };
export type MediaStores = {
  readonly [S in keyof Read]: Read[S] extends { tls: boolean } ? WithTls<Read[S]> : Read[S];
};

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
  return {
    cassandra: withTls(path, "cassandra", cassandra),
    rabbit: withTls(path, "rabbit", rabbit),
    search: withTls(path, "search", search),
    redis: withTls(path, "redis", redis),
    objects,
  };
}

/** A private authority lies beside the file of the stores. */
function withTls<S extends { tls: boolean }>(path: string, name: string, { tls, ...rest }: S): WithTls<S> {
  const ca = join(dirname(path), `${name}-ca.pem`);
  return { ...rest, ...(tls ? { tls: existsSync(ca) ? { ca: readFileSync(ca, "utf8") } : {} } : {}) };
}
