import { z } from "zod";

import type { Problem } from "./core/errors.ts";
import { imageLock, imageRow, privateRow } from "./core/images.ts";
import { topologyNames } from "./core/topology.ts";
import { systems, type SystemSettings } from "./systems/index.ts";

const port = z.int().min(1).max(65535);
const dnsName = z
  .string()
  .max(200)
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "a DNS name of two labels or more, as arkindex.example.com, without scheme or port",
  );
const engineHost = z
  .string()
  .regex(
    /^(unix:\/\/\/.+|tcp:\/\/[^/]+:\d+|ssh:\/\/([^@/]+@)?[^@/]+)$/,
    "unix:///path, tcp://host:port or ssh://user@host",
  );
const place = z.union(
  [
    z.strictObject({ path: z.string().regex(/^\/./, "an absolute path") }),
    z.strictObject({ volume: z.string().min(1) }),
    z.strictObject({
      s3: z.strictObject({ endpoint: z.url(), bucket: z.string().min(1), region: z.string().default("us-east-1") }),
    }),
  ],
  { error: "one of {path: /folder}, {volume: name}, {s3: {endpoint, bucket, region}}" },
);
const ports = z
  .strictObject({ http: port.default(80), https: port.default(443) })
  .refine(({ http, https }) => http !== https, { error: "http and https need a port each" })
  .refine(({ http, https }) => ![http, https].includes(8082), {
    error: "8082 is the edge's own health port; choose another",
  })
  .default({ http: 80, https: 443 });
const reference = z
  .string()
  .regex(/^[\w.-]+(:\d+)?(\/[\w.*-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/, "an image reference");

const existing = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.enum(["postgres", "redis", "solr", "elasticsearch", "nats", "amqp", "cql", "influx"]),
    host: z.string().min(1),
    port: port.optional(),
    user: z.string().min(1).optional(),
    ca: z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate").optional(),
  }),
  z.strictObject({
    kind: z.literal("objects"),
    api: z.enum(["s3", "azure-blob"]).default("s3"),
    url: z.url(),
    region: z.string().default("us-east-1"),
    prefix: z.string().default(""),
  }),
  z.strictObject({
    kind: z.literal("oidc"),
    issuer: z.url(),
    urls: z.strictObject({ auth: z.url(), token: z.url(), keys: z.url(), logout: z.url() }).optional(),
    /** Amazon Cognito alone: the user pool's hosted domain. */
    domain: z.url().optional(),
    groupsClaim: z.string().min(1).optional(),
    clientId: z.string().min(1),
  }),
]);

const nodeLabels = z.record(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]*$/, "a node label's key"), z.string().min(1));
const placement = nodeLabels.refine(({ role }) => role === undefined || role === "manager" || role === "worker", {
  error: "role is manager or worker",
});
/** What each means is in components/topologies/swarm/args.ts. */
const swarmConfig = z
  .strictObject({
    managers: z.array(engineHost).min(1).default(["unix:///var/run/docker.sock"]),
    nodes: z
      .record(
        z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/, "a node's hostname, as `docker node ls` has it"),
        z.strictObject({
          labels: nodeLabels
            .refine((labels) => !("role" in labels), { error: "role is the swarm's own: docker node promote" })
            .refine((labels) => !Object.keys(labels).some((key) => key.startsWith("platform-topologies.")), {
              error: "platform-topologies.* is written by the program",
            })
            .optional(),
          availability: z.enum(["active", "pause", "drain"]).optional(),
          address: z.string().min(1).optional(),
        }),
      )
      .default({}),
    place: placement.default({}),
    edge: z.strictObject({ nodes: placement.default({ role: "manager" }) }).prefault({}),
    ports,
    publish: z.enum(["host", "ingress"]).default("host"),
    endpointMode: z.enum(["vip", "dnsrr"]).default("vip"),
    encrypted: z.boolean().default(true),
    volumes: z
      .strictObject({ driver: z.string().min(1), options: z.record(z.string(), z.string()).default({}) })
      .optional(),
    update: z
      .strictObject({
        parallelism: z.int().min(1).default(1),
        delaySeconds: z.int().min(0).default(0),
        monitorSeconds: z.int().min(1).default(5),
      })
      .prefault({}),
    registries: z.array(z.string()).default([]),
  })
  .prefault({});

/** A stack's config, everything but the system's own key. Descriptions and defaults are here; Pulumi.yaml repeats the names. */
const common = z.strictObject({
  system: z.enum(Object.keys(systems) as [keyof typeof systems], {
    error: `one of ${Object.keys(systems).join(", ")}`,
  }),
  topology: z.enum(topologyNames, { error: `one of ${topologyNames.join(", ")}` }),
  /** Prefix of everything with a global name. Default: `<system>-<stack>`. */
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits and hyphens, at most 31")
    .optional(),
  hostname: dnsName,
  /** Deploy with the rehearsal image in the place of private images that `images` does not name. */
  rehearsal: z.boolean().default(false),
  /** Data and passwords refuse destroy and replacement. */
  protect: z.boolean().default(true),
  images: z
    .record(z.string(), reference)
    .superRefine((images, context) => {
      for (const key of Object.keys(images)) {
        if (imageRow(key) === undefined && privateRow(key) === undefined)
          context.addIssue({
            code: "custom",
            path: [key],
            message: `no such image; known are ${Object.keys(imageLock).join(", ")}`,
          });
      }
    })
    .default({}),
  /** Use the images that set-up built on this machine. Only for a laptop: they are in no registry. */
  localImages: z.boolean().default(false),
  mirror: z
    .string()
    .regex(/^[\w.-]+(:\d+)?(\/[\w.-]+)*$/, "a registry, as mirror.example.com/hub, without https://")
    .optional(),
  tls: z
    .discriminatedUnion("mode", [
      z.strictObject({ mode: z.literal("local") }),
      z.strictObject({
        mode: z.literal("own"),
        cert: z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate chain"),
      }),
      z.strictObject({ mode: z.literal("acme"), email: z.email(), caServer: z.url().optional() }),
    ])
    .default({ mode: "local" }),
  docker: z
    .strictObject({
      host: engineHost.default("unix:///var/run/docker.sock"),
      machines: z
        .record(z.string().regex(/^[a-z][a-z0-9-]*$/, "lower-case letters, digits, hyphens"), engineHost)
        .default({}),
      address: z
        .union([z.ipv4(), z.ipv6()], { error: "an IP address of the host; 0.0.0.0 is all of them" })
        .default("0.0.0.0"),
      ports,
      /** Registries whose credentials come from `docker login` on the machine that deploys. */
      registries: z.array(z.string()).default([]),
    })
    .prefault({}),
  swarm: swarmConfig,
  backup: z
    .strictObject({
      everyHours: z
        .number()
        .min(0.01)
        .max(24 * 31)
        .default(24),
      keepDays: z.number().min(1).default(14),
      /** The newest run is restored into throw-away servers, and compared. 0: never. */
      drillEveryHours: z
        .number()
        .min(0)
        .max(24 * 366)
        .default(24 * 7),
      to: place,
    })
    .optional(),
  restore: z
    .strictObject({
      from: place,
      stack: z.string().min(1),
      at: z
        .string()
        .regex(/^(latest|\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)$/, "latest, or a run's time as 2026-01-31T04-00-00Z")
        .default("latest"),
    })
    .optional(),
  /** What exists already, by the need's name: nothing is made for it. Its passwords are `secrets`, as existing.ts names them. */
  existing: z
    .record(
      z.string(),
      existing.refine(
        (row) => row.kind !== "oidc" || !row.issuer.includes("//cognito-idp.") || Boolean(row.domain ?? row.urls),
        { error: "Cognito's addresses are below its hosted domain: add it", path: ["domain"] },
      ),
    )
    .default({}),
  /** Secrets that the operator sets: `pulumi config set --path --secret secrets.<name>`. */
  secrets: z.record(z.string(), z.string().min(1)).default({}),
});

export type Settings = z.output<typeof common>;

/** `settings` and `system` are there as far as they can be read, so that one run reports everything. */
export interface StackConfig {
  readonly problems: readonly Problem[];
  readonly settings: Settings | undefined;
  /** The system's own part, as its schema returns it. */
  readonly system: SystemSettings | undefined;
}

/** The whole config, validated in one pass. */
export function parseConfig(raw: Readonly<Record<string, unknown>>): StackConfig {
  const name = raw.system;
  const entry = typeof name === "string" && name in systems ? systems[name as keyof typeof systems] : undefined;
  const others = Object.keys(systems).filter((key) => key !== name);
  const own = entry?.config.safeParse(raw[String(name)] ?? {});
  const shared = Object.fromEntries(Object.entries(raw).filter(([key]) => key !== name && !others.includes(key)));
  const rest = common.safeParse(shared);
  return {
    problems: [
      ...(rest.success ? [] : problems(rest.error, common, raw, [])),
      ...(own?.success === false && entry ? problems(own.error, entry.config, raw, [String(name)]) : []),
      ...others
        .filter((key) => entry !== undefined && key in raw)
        .map((key) => ({ key, remedy: `the stack's system is ${String(name)}: remove this key` })),
    ],
    settings: rest.success ? rest.data : readable(shared, rest.error),
    system: own?.data,
  };
}

/** The settings without what is wrong in them, to find what else is wrong. Nothing is deployed from these. */
function readable(shared: Readonly<Record<string, unknown>>, error: z.ZodError): Settings | undefined {
  const paths = error.issues.flatMap(({ path, ...issue }) =>
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path],
  );
  const needed = { hostname: "unknown.invalid", topology: "docker" };
  const leaves = { ...needed, ...(paths.reduce<unknown>(without, shared) as object) };
  const keys = {
    ...needed,
    ...(paths.reduce<unknown>((left, [key]) => without(left, key === undefined ? [] : [key]), shared) as object),
  };
  return common.safeParse(leaves).data ?? common.safeParse(keys).data;
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

/** Zod's issues as ours: the key's whole path, the value there (never a secret one), and what would be right. */
function problems(error: z.ZodError, schema: z.ZodType, raw: unknown, prefix: readonly string[]): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path.map(String)];
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schema, issue.path);
      return issue.keys.map((key) => ({
        key: [...path, key].join("."),
        remedy: `unknown key${nearest(key, known)}; known are ${known.join(", ")}`,
      }));
    }
    const value = path[0] === "secrets" ? undefined : at(raw, path);
    const remedy =
      value === undefined && issue.code === "invalid_type" ? `missing: ${expectation(issue.message)}` : issue.message;
    return [{ key: path.join("."), remedy, ...(value === undefined ? {} : { value }) }];
  });
}

function expectation(message: string): string {
  return message.replace(/^Invalid input: /, "").replace(/, received undefined$/, "");
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

/** The keys that a strict object at `path` of a schema takes. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here: unknown = schema;
  for (const key of [...path, undefined]) {
    here = unwrap(here);
    if (key === undefined) break;
    here =
      here instanceof z.ZodObject ? here.shape[String(key)] : here instanceof z.ZodRecord ? here.valueType : undefined;
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault
    ? unwrap(schema.unwrap())
    : schema;
}

/** ` (did you mean "x"?)` for a key that is one slip away. */
function nearest(key: string, known: readonly string[]): string {
  const close = known.find(
    (other) => other.toLowerCase() === key.toLowerCase() || other.startsWith(key) || key.startsWith(other),
  );
  return close === undefined ? "" : ` (did you mean "${close}"?)`;
}
