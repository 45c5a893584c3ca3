import { z } from "zod";

import { listed, type Problem } from "./core/errors.ts";
import {
  address,
  at,
  mirror,
  nearest,
  nodeLabels,
  own,
  reference,
  registries,
  stackName,
  webUrl,
} from "./core/formats.ts";
import { imageRow, noSuchImage, privateRow } from "./core/images.ts";
import { topologyNames } from "./core/topology.ts";
import { systems, type SystemSettings } from "./systems/index.ts";
import { unfit } from "./topologies/subnets.ts";

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
    /^(unix:\/\/\/[^\s,]+|tcp:\/\/[^/\s,]+:\d+|ssh:\/\/([^@/\s,:]+@)?[^@/\s,]+)$/,
    "unix:///path, tcp://host:port or ssh://user@host",
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
const publicPort = port.refine((number) => number !== 8082, {
  error: "8082 is the edge's own health port; choose another",
});
/** A balancer's address, or its network's. Whoever is in there may say who a visitor is. */
const trustedProxy = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: "an IP address or a network, as 10.0.0.0/8" })
  .refine((network) => Number(network.split("/")[1] ?? 32) >= (network.includes(":") ? 7 : 8), {
    error: "would believe half of the world: name the addresses of your balancers alone",
  });
const ports = z
  .strictObject({ http: port.default(80), https: port.default(443) })
  .refine(({ http, https }) => http !== https, { error: "http and https need a port each" })
  .refine(({ http, https }) => ![http, https].includes(8082), {
    error: "8082 is the edge's own health port; choose another",
  })
  .default({ http: 80, https: 443 });
/** What each means is in components/topologies/subnets.ts. */
const networks = {
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
const socket = z
  .string()
  .regex(/^\/[^\0:]*[^\0:/]$/, "an absolute path on the engine's machine, as /run/user/1000/docker.sock")
  .optional();
const line = z.string().regex(/^[^\p{Cc}]+$/u, "one line of text");
const pem = z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate");

const existing = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.enum(["postgres", "redis", "solr", "elasticsearch", "nats", "amqp", "cql", "influx"]),
    host: address,
    port: port.optional(),
    user: line.optional(),
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
    groupsClaim: line.optional(),
    clientId: line,
  }),
]);

/** What a node may carry: more than a constraint takes. */
const carried = z.record(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]*$/, "a node label's key"), line);
/** What each means is in components/topologies/swarm/args.ts. */
const swarmConfig = z
  .strictObject({
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
    edge: z.strictObject({ nodes: nodeLabels.default({ role: "manager" }) }).prefault({}),
    ports,
    publish: z.enum(["host", "ingress"]).default("host"),
    endpointMode: z.enum(["vip", "dnsrr"]).default("vip"),
    encrypted: z.boolean().default(true),
    volumes: z.strictObject({ driver: line, options: z.record(z.string(), z.string()).default({}) }).optional(),
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
  })
  .prefault({});

/** A stack's config, everything but the system's own key. Descriptions and defaults are here; Pulumi.yaml repeats the names. */
const common = z.strictObject({
  system: z.enum(Object.keys(systems) as [keyof typeof systems], {
    error: `one of ${Object.keys(systems).join(", ")}`,
  }),
  topology: z.enum(topologyNames, { error: `one of ${topologyNames.join(", ")}` }),
  /** Prefix of everything with a global name. Default: `<system>-<stack>`. */
  name: stackName.optional(),
  hostname: dnsName,
  /** Deploy with the rehearsal image in the place of private images that `images` does not name. */
  rehearsal: z.boolean().default(false),
  /** Data and passwords refuse destroy and replacement. */
  protect: z.boolean().default(true),
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
  tls: z
    .discriminatedUnion("mode", [
      z.strictObject({ mode: z.literal("local") }),
      z.strictObject({
        mode: z.literal("own"),
        cert: z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate chain"),
      }),
      z.strictObject({ mode: z.literal("acme"), email: z.email(), caServer: webUrl.optional() }),
      z.strictObject({
        mode: z.literal("outside"),
        trustedProxies: z.array(trustedProxy).min(1, "at least one: the addresses of what ends TLS"),
      }),
    ])
    .default({ mode: "local" }),
  /**
   * The https port that browsers see, where a NAT or a balancer maps it to the edge's. Default: the topology's https port;
   * with tls.mode outside 443. A change replaces the edge and whatever is told a public URL.
   */
  publicPort: publicPort.optional(),
  docker: z
    .strictObject({
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
      /** Registries whose credentials come from `docker login` on the machine that deploys. */
      registries: registries.default([]),
      ...networks,
      socket,
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
      stack: z.string().regex(/^[a-zA-Z0-9][\w.-]*$/, "the name that the stack had, as arkindex-dev"),
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
        (row) => row.kind !== "oidc" || !row.issuer.includes("//cognito-idp.") || Boolean(row.domain ?? row.urls?.auth),
        { error: "Cognito's addresses are below its hosted domain: add it", path: ["domain"] },
      ),
    )
    .default({}),
  /**
   * The operator's words for disks, by the slot, as `{ db-1: 2026-03-01 }`: another text makes a new, empty disk in the
   * place of the old one, which is deleted on a Docker host and stays on its node on a swarm; `gone` lets a disk go with its
   * slot. Without a word no disk is replaced or deleted.
   */
  disks: z.record(z.string(), z.string().min(1)).default({}),
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
  const entry =
    typeof name === "string" && Object.hasOwn(systems, name) ? systems[name as keyof typeof systems] : undefined;
  const others = Object.keys(systems).filter((key) => key !== name);
  const own = entry?.config.safeParse(raw[String(name)] ?? {});
  const shared = Object.fromEntries(Object.entries(raw).filter(([key]) => key !== name && !others.includes(key)));
  const rest = common.safeParse(shared);
  return {
    problems: [
      ...inherited(raw),
      ...(rest.success ? [] : problems(rest.error, common, raw, [])),
      ...(own?.success === false && entry ? problems(own.error, entry.config, raw, [String(name)]) : []),
      ...others
        .filter((key) => entry !== undefined && Object.hasOwn(raw, key))
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

/** `__proto__` would be dropped without a word by whatever copies an object. */
function inherited(value: unknown, path: readonly string[] = []): Problem[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    key === "__proto__" ? [{ key: [...path, key].join("."), remedy: "no name" }] : inherited(inner, [...path, key]),
  );
}

/** Zod's issues as ours: the key's whole path, the value there (never a secret one), and what would be right. */
function problems(error: z.ZodError, schema: z.ZodType, raw: unknown, prefix: readonly string[]): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path.map(String)];
    const there = at(raw, path);
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schema, issue.path, at(raw, prefix));
      return issue.keys.map((key) => ({
        key: [...path, key].join("."),
        remedy: `unknown key${nearest(key, known)}; known are ${listed(known)}`,
      }));
    }
    const shown = there === undefined || path[0] === "secrets" ? {} : { value: there };
    return [{ key: path.join("."), remedy: remedyOf(issue, path, there), ...shown }];
  });
}

function remedyOf(issue: z.core.$ZodIssue, path: readonly string[], there: unknown): string {
  const { message } = issue;
  if (issue.code === "invalid_key") return issue.issues.map((inner) => inner.message).join("; ");
  if (issue.code === "invalid_union" && "options" in issue)
    return `${there === undefined ? "missing: " : ""}one of ${(issue.options ?? []).map(String).join(", ")}`;
  if (issue.code !== "invalid_type") return message;
  if (there === undefined)
    return `missing: ${message.replace(/^Invalid input: /, "").replace(/, received undefined$/, "")}`;
  if (issue.expected !== "string" || !["number", "boolean"].includes(typeof there)) return message;
  // YAML and the CLI read 12345 and true as what they look like.
  const flag = path[0] === "secrets" ? "--secret" : "--type string";
  return `${message}: put it in quotes, or pulumi config set --path ${flag} <key> <value>`;
}

/** The keys that a strict object at `path` of a schema takes; of several forms, that of the one that is there. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], raw: unknown): string[] {
  let here: unknown = schema;
  for (const [index, key] of [...path, undefined].entries()) {
    here = chosen(unwrap(here), at(raw, path.slice(0, index)));
    if (key === undefined) break;
    here = inside(here, String(key));
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function inside(schema: unknown, key: string): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return own(schema.shape, key) as z.ZodType | undefined;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return schema instanceof z.ZodArray ? (schema.element as z.ZodType) : undefined;
}

/** The form of a union whose fixed key has the value's. */
function chosen(schema: unknown, value: unknown): unknown {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const { discriminator } = schema.def;
  return schema.options.find((option) => inside(option, discriminator)?.safeParse(at(value, [discriminator])).success);
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault
    ? unwrap(schema.unwrap())
    : schema;
}
