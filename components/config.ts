import { z } from "zod";

import type { Problem } from "./core/errors.ts";
import { address, mirror, oneLine, own, reference, stackName, webUrl } from "./core/formats.ts";
import { imageRow, noSuchImage, privateRow } from "./core/images.ts";
import { zodProblems } from "./core/parse.ts";
import { topologyNames } from "./core/topology.ts";
import { systems, type SystemSettings } from "./systems/index.ts";
import { publicPort } from "./topologies/config.ts";
import { topologies } from "./topologies/index.ts";

const dnsName = z
  .string()
  .max(200)
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "a DNS name of two labels or more, as arkindex.example.com, without scheme or port",
  );
const region = z.string().regex(/^[\w.-]*$/, "a region's name, as eu-central-1");
const place = z.union(
  [
    z.strictObject({ path: z.string().regex(/^\/[^:\p{Cc}]+$/u, "an absolute path without :") }),
    z.strictObject({ volume: z.string().regex(/^[a-zA-Z0-9][\w.-]+$/, "a volume's name") }),
    z.strictObject({
      s3: z.strictObject({
        endpoint: webUrl,
        bucket: z.string().regex(/^[\w.-]+(\/[\w.-]+)*$/, "a bucket's name"),
        region: region.default("us-east-1"),
      }),
    }),
  ],
  { error: "one of {path: /folder}, {volume: name}, {s3: {endpoint, bucket, region}}" },
);
const port = z.int().min(1).max(65535);
const copyCount = z.union([z.literal(1), z.literal(3)]);
const pem = z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate");

const existing = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.enum(["postgres", "redis", "solr", "elasticsearch", "nats", "amqp", "cql", "influx"]),
    host: address,
    port: port.optional(),
    user: oneLine.optional(),
    tls: z.boolean().optional(),
    ca: pem.optional(),
  }),
  z
    .strictObject({
      kind: z.literal("objects"),
      api: z.enum(["s3", "azure-blob"]).default("s3"),
      url: webUrl.refine((url) => !/[?#]/.test(url), { error: "the server's address alone, without a query" }),
      ca: pem.optional(),
      region: region.default("us-east-1"),
      prefix: z
        .string()
        .regex(/^[\w.-]*$/, "the beginning of a bucket's name")
        .default(""),
      suffix: z
        .string()
        .regex(/^[\w.-]*$/, "the end of a bucket's name")
        .optional(),
    })
    .refine(({ api, url }) => api !== "s3" || !URL.canParse(url) || new URL(url).pathname === "/", {
      error: "S3's clients know buckets below an address, and no path before them",
      path: ["url"],
    }),
  z.strictObject({
    kind: z.literal("oidc"),
    issuer: webUrl,
    urls: z
      .strictObject({ auth: webUrl.optional(), token: webUrl.optional(), keys: webUrl.optional(), logout: webUrl })
      .refine((urls) => [1, 4].includes(Object.keys(urls).length), {
        error: "addresses for auth, token, keys and logout, or for logout alone",
      })
      .optional(),
    /** Amazon Cognito alone: the user pool's hosted domain. */
    domain: webUrl.optional(),
    groupsClaim: oneLine.optional(),
    clientId: oneLine,
  }),
]);

/**
 * A stack's config, everything but the system's own key and the topology's. Descriptions and defaults are here;
 * Pulumi.yaml repeats the names.
 */
export const commonConfig = z.strictObject({
  system: z.enum(Object.keys(systems) as [keyof typeof systems], {
    error: `one of ${Object.keys(systems).join(", ")}`,
  }),
  /** Where it runs. A stack keeps its topology. */
  topology: z.enum(topologyNames, { error: `one of ${topologyNames.join(", ")}` }),
  /** Prefix of everything with a global name. Default: `<system>-<stack>`. */
  name: stackName.optional(),
  hostname: dnsName,
  /** Deploy with the rehearsal image in the place of private images that `images` does not name. */
  rehearsal: z.boolean().default(false),
  /** Data and passwords refuse destroy and replacement. */
  protect: z.boolean().default(true),
  /**
   * Servers that keep the data of each store that can have several, each on a node of its own: 3 survive the loss of one.
   * One number for all, or numbers by the store's name, as `{ objects: 1 }`: the others have the default. Default: 3 in a
   * protected stack on a swarm, else 1.
   */
  copies: z
    .union([copyCount, z.record(z.string(), copyCount)], {
      error: "1, or 3, of which one may be lost; or that by the store's name, as {objects: 1}",
    })
    .optional(),
  images: z
    .record(z.string(), z.string())
    .superRefine((images, context) => {
      for (const [key, ref] of Object.entries(images)) {
        const say = (message: string): void => {
          context.addIssue({ code: "custom", path: [key], message });
        };
        if (imageRow(key) === undefined && privateRow(key) === undefined) say(noSuchImage);
        // For a whole folder of images, `*` is the name of each.
        const one = reference.safeParse(key.endsWith("/*") ? ref.replace("*", "x") : ref);
        if (!one.success) say(one.error.issues[0]?.message ?? "");
      }
    })
    .default({}),
  /** Use the images that set-up built on this machine. Only for a laptop: they are in no registry. */
  localImages: z.boolean().default(false),
  mirror: mirror.optional(),
  /**
   * The https port that browsers see, where a NAT or a balancer maps it to the edge's. Default: the topology's https
   * port; where TLS ends outside 443. A change replaces the edge and whatever is told a public URL.
   */
  publicPort: publicPort.optional(),
  /** Where the stores' dumps go, and when. Default: no backup is made. */
  backup: z
    .strictObject({
      everyHours: z
        .number()
        .min(0.01)
        .max(24 * 31)
        .default(24),
      /** The newest run stays whatever its age. */
      keepDays: z.number().min(1).default(14),
      /** How often the newest run is restored into throw-away servers, and compared. 0: never. */
      drillEveryHours: z
        .number()
        .min(0)
        .max(24 * 366)
        .default(24 * 7),
      to: place,
    })
    .optional(),
  /** Fill the stores, while they are still empty, from a backup. */
  restore: z
    .strictObject({
      from: place,
      stack: z.string().regex(/^[a-zA-Z0-9][\w.-]*$/, "the name that the stack had, as arkindex-dev"),
      at: z
        .string()
        .regex(/^(latest|\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)$/, "latest, or a run's time as 2026-01-31T04-00-00Z")
        .default("latest"),
      /** What keeps a log, as PostgreSQL with three copies, comes back as it was at this second. */
      until: z.iso
        .datetime({ offset: true, precision: 0, error: "a time to the second, as 2026-01-31T04:05:06Z" })
        .optional(),
    })
    .optional(),
  /**
   * What exists already, by the need's name: nothing is made for it. Its passwords are `secrets`, as existing.ts names
   * them.
   */
  existing: z
    .record(
      z.string(),
      existing.refine(
        (row) => row.kind !== "oidc" || !row.issuer.includes("//cognito-idp.") || Boolean(row.domain ?? row.urls?.auth),
        { error: "Cognito's addresses are below its hosted domain: add it", path: ["domain"] },
      ),
    )
    .default({}),
  /**
   * The operator's words for disks, by the slot, as `{ db-1: 2026-03-01 }`: another text makes a new, empty disk in the
   * place of the old one, which is deleted on a Docker host and stays on its node on a swarm; `gone` lets a disk go
   * with its slot. Without a word no disk is replaced or deleted.
   */
  disks: z.record(z.string(), z.string().min(1)).default({}),
  /**
   * The operator's words for passwords, by the store's name, as `{ db: 2026-03-01 }`: another text makes another password
   * for the store's clients. The store is told first, then its clients roll; until then a new connection of theirs is
   * refused. A word stays in the config: without it the password is made anew once more.
   */
  rotate: z.record(z.string(), z.string().min(1)).default({}),
  /** Who supplies a need, by its name, as `{ db: container }`. Default: what the topology has itself, if it fits. */
  data: z.record(z.string(), z.enum(["managed", "container"], { error: "managed or container" })).default({}),
  /** Secrets that the operator sets: `pulumi config set --path --secret secrets.<name>`. */
  secrets: z.record(z.string(), z.string().min(1)).default({}),
});

export type Settings = z.output<typeof commonConfig>;

/** A stack's config. Each part is there if it can be read, so that one run reports everything. */
export interface StackConfig {
  readonly problems: readonly Problem[];
  readonly settings: Settings | undefined;
  /** The system's own part, as its schema returns it. */
  readonly system: SystemSettings | undefined;
  /** The topology's own part, as its schema returns it. */
  readonly topology: object | undefined;
}

type Raw = Readonly<Record<string, unknown>>;

/** The whole config, validated in one pass. */
export function parseConfig(raw: Raw): StackConfig {
  const system = part(raw, "system", systems);
  const topology = part(raw, "topology", topologies);
  const parts = [...Object.keys(systems), ...Object.keys(topologies)];
  const shared = Object.fromEntries(Object.entries(raw).filter(([key]) => !parts.includes(key)));
  const rest = commonConfig.safeParse(shared);
  const needed = { hostname: "unknown.invalid", topology: "docker" };
  return {
    problems: [
      ...inherited(raw),
      ...(rest.success ? [] : zodProblems(rest.error, commonConfig, raw)),
      ...system.problems,
      ...topology.problems,
    ],
    settings: rest.success ? rest.data : readable(commonConfig, shared, rest.error, needed),
    system: system.data,
    topology: topology.data ?? topology.readable,
  };
}

/** The part of the config that belongs to the chosen row of a table, under that row's name. */
function part(
  raw: Raw,
  key: "system" | "topology",
  rows: Readonly<Record<string, { readonly config: z.ZodType<object> }>>,
) {
  const given = raw[key];
  const name = typeof given === "string" ? given : "";
  const schema = own(rows, name)?.config;
  if (schema === undefined) return { problems: [], data: undefined, readable: undefined };
  const { data, error } = schema.safeParse(raw[name] ?? {});
  const others = Object.keys(rows).filter((other) => other !== name && Object.hasOwn(raw, other));
  return {
    problems: [
      ...(error === undefined ? [] : zodProblems(error, schema, raw, [name])),
      ...others.map((other) => ({ key: other, remedy: `the stack's ${key} is ${name}: remove this key` })),
    ],
    data,
    readable: error === undefined ? undefined : readable(schema, raw[name], error, {}),
  };
}

/** A value without its wrong parts, to find what else is wrong. Nothing is deployed from it. */
function readable<T>(schema: z.ZodType<T>, raw: unknown, error: z.ZodError, needed: object): T | undefined {
  const paths = error.issues.flatMap(({ path, ...issue }) =>
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path],
  );
  const leaves = { ...needed, ...(paths.reduce<unknown>(without, raw) as object) };
  const keys = {
    ...needed,
    ...(paths.reduce<unknown>((left, [key]) => without(left, key === undefined ? [] : [key]), raw) as object),
  };
  return schema.safeParse(leaves).data ?? schema.safeParse(keys).data;
}

/** A copy without what is at `path`. */
function without(value: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  if (key === undefined || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.flatMap(([name, inner]: [string, unknown]) =>
      name !== key ? [[name, inner]] : rest.length > 0 ? [[name, without(inner, rest)]] : [],
    ),
  );
}

/** Refuses `__proto__`: every copy of an object would drop it without a word. */
function inherited(value: unknown, path: readonly string[] = []): Problem[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    key === "__proto__" ? [{ key: [...path, key].join("."), remedy: "no name" }] : inherited(inner, [...path, key]),
  );
}
