import { z } from "zod";
import type { Secrets } from "../secrets.ts";
import { parseConfig } from "./file.ts";

const text = z.string().min(1);
const url = z.url({ protocol: /^https?$/, error: "must be an http(s) URL" });

/** Arkindex' config.yml, as far as we know its keys (see docs/arkindex). The real backend knows more. */
const schema = z.strictObject({
  database: z.strictObject({ host: text, port: z.int().min(1).max(65535), name: text, user: text, password: text }),
  redis: z.strictObject({ host: text }),
  secret_key: text,
  public_hostname: text,
  s3: z.strictObject({ access_key_id: text, secret_access_key: text, endpoint: url, region: text }),
  solr: z.strictObject({ api_url: url }),
  cache: z.strictObject({ type: text }),
  features: z.strictObject({ signup: z.boolean(), search: z.boolean(), ingest: z.boolean() }).partial().optional(),
  static: z.strictObject({ frontend_version: text, cdn_assets_url: text }).partial().optional(),
  ponos: z
    .strictObject({ private_key: text, default_env: z.record(text, text), task_expiry: z.int() })
    .partial()
    .optional(),
  ingest: z
    .strictObject({ extra_buckets: z.array(text), prefix_by_bucket_name: z.boolean() })
    .partial()
    .optional(),
  oidc: z.record(text, z.unknown()).optional(),
});

export type ArkindexConfig = z.infer<typeof schema>;

/** Registers the file's secrets before anything can print them. */
export function arkindexConfig(file: string, path: string, secrets: Secrets): ArkindexConfig {
  const config = parseConfig(file, path, schema);
  secrets.add(config.database.password, config.secret_key, config.s3.secret_access_key, config.ponos?.private_key);
  secrets.add(...Object.values(config.ponos?.default_env ?? {}));
  for (const [key, value] of Object.entries(config.oidc ?? {}))
    if (/secret|key/i.test(key) && typeof value === "string") secrets.add(value);
  return config;
}

/** `public_hostname` comes with or without its scheme; a browser's origin always has one. */
export function originOf(publicHostname: string): string {
  const url = URL.parse(/^https?:\/\//.test(publicHostname) ? publicHostname : `https://${publicHostname}`);
  return url?.origin ?? `https://${publicHostname}`;
}
