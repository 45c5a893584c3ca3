import type { Input } from "@pulumi/pulumi";
import { z } from "zod";

import { postgresVersions } from "./sizes.ts";

const zone = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, "a zone, as eu-central-1a");
const account = z.string().regex(/^\d{12}$/, "the account's twelve digits, in quotes");
const arn = (service: string) =>
  z.string().regex(new RegExp(`^arn:[a-z-]+:${service}:[a-z0-9-]*:\\d{12}:.+$`), `an ARN, as arn:aws:${service}:…`);

/** Who signs the certificate of the edge. */
export const awsTls = z.discriminatedUnion("mode", [
  /** ACM's own, which is validated and renewed in `zoneId`; or one that is there already. */
  z.strictObject({ mode: z.literal("acm"), certificate: arn("acm").optional() }),
  /** A chain of the operator's; its key is the secret `tlsKey`. */
  z.strictObject({
    mode: z.literal("own"),
    cert: z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate chain"),
  }),
  /** An authority of the stack's own, which no browser knows: to try a stack. */
  z.strictObject({ mode: z.literal("local") }),
]);
export type AwsTlsConfig = z.output<typeof awsTls>;

/** As a topology takes it: the operator's own key may be a secret. */
export type AwsTls =
  | { readonly mode: "acm"; readonly certificate?: string | undefined }
  | { readonly mode: "own"; readonly cert: Input<string>; readonly key: Input<string> }
  | { readonly mode: "local" };

const subnet = z.string().regex(/^subnet-[0-9a-f]{8,17}$/, "a subnet's id, as subnet-0123456789abcdef0");

/** A network that is there already, in the place of one of the stack's own. */
const vpc = z.strictObject({
  /** As vpc-0123456789abcdef0. Another one is refused as long as the stack is there. */
  id: z.string().regex(/^vpc-[0-9a-f]{8,17}$/, "a network's id, as vpc-0123456789abcdef0"),
  /** The range that has all of these subnets, whole or a part of the network. */
  cidr: z.cidrv4("a network's range, as 10.0.0.0/16"),
  /**
   * One of each tier by zone, for each of `zones`: `edge` is reached from the world, `app` has a way out, `data` reaches
   * AWS' own services. Default for `data`: that of `app`. More zones may come; others for a stack that is there are refused.
   */
  subnets: z.record(
    zone,
    z.strictObject({
      /** For what is reached from the world. */
      edge: subnet,
      /** For tasks and machines that call out. */
      app: subnet,
      /** For stores. Default: the one of `app`. */
      data: subnet.optional(),
    }),
  ),
  /** Its DHCP options search `<stack>.internal`, so that names of one label are found. Default: they do not. */
  searchDomain: z.boolean().default(false),
});
export type AwsVpc = z.output<typeof vpc>;

/** Of a network of the stack's own, if the config says nothing. */
export const usualRange = "10.80.0.0/16";

/** `aws` in a stack's config. */
export const awsConfig = z.strictObject({
  /** The account's twelve digits. A change is a new stack. */
  account,
  /** As eu-central-1. A change is a new stack. */
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "a region, as eu-central-1"),
  /** Two or three of the region's zones, for slots one after another. A change that would move a disk is refused. */
  zones: z.array(zone).min(2, "two or three: the balancer needs two").max(3, "two or three"),
  /** The private network: one for each stack. A change is refused as long as the stack is there. */
  cidr: z.cidrv4("a network, as 10.80.0.0/16").default(usualRange),
  /**
   * A network that is there already, with its subnets. The stack makes security groups in it, and no subnets, routes, ways
   * out or endpoints. Default: it makes a network of its own. A change from one to the other is refused as long as the
   * stack is there.
   */
  vpc: vpc.optional(),
  /** Of the shared config file. Default: what the environment says. */
  profile: z.string().min(1).optional(),
  /** The role that the deployment takes on. Default: none. */
  role: arn("iam").optional(),
  /** The hosted zone of Route 53 that has the hostname. Unset: the operator makes the record that `places` shows. */
  zoneId: z
    .string()
    .regex(/^Z[A-Z0-9]+$/, "a hosted zone's id, as Z0123456789ABCDEFGHIJ")
    .optional(),
  tls: awsTls.default({ mode: "acm" }),
  /**
   * What answers the public names: an application load balancer, or our own proxy, as on Docker, behind a network load
   * balancer. A change replaces the balancer and moves the hostname's record; stores stay.
   */
  edge: z.enum(["balancer", "proxy"], { error: "balancer or proxy" }).default("balancer"),
  /** Ways out for applications: one for all zones, or one in each. Default: as many as a stack's protection is worth. */
  nat: z.enum(["one", "each-zone"], { error: "one or each-zone" }).optional(),
  /**
   * Sizes of machines and managed stores by their names, as `{ db: db.m7g.large, redis: cache.t4g.small, solr-1: t3.large,
   * elasticsearch: m6g.large.search }`. Default: the smallest that holds what is asked.
   */
  classes: z
    .record(
      z.string(),
      z
        .string()
        .regex(
          /^((db|cache)\.(?!.*\.search$))?[a-z][a-z0-9-]*\.[a-z0-9]+(\.search)?$/,
          "as t3.large, db.t4g.medium, cache.t4g.small, t3.medium.search",
        ),
    )
    .default({}),
  /**
   * Major versions of managed PostgreSQL by the stores' names, as `{ db: "16" }`: the operator's word. A later one than
   * the database has upgrades it in place, which nothing takes back. Default: the one that our toolbox dumps.
   */
  versions: z
    .record(
      z.string(),
      z.enum(postgresVersions, { error: `a major version of PostgreSQL, in quotes: ${postgresVersions.join(", ")}` }),
    )
    .default({}),
  /**
   * Makes the role with which Amazon OpenSearch Service joins private networks. An account has one, so a second stack that
   * makes it fails; it stays when the stack goes. Default: it is there.
   */
  searchRole: z.boolean().default(false),
  /**
   * Whose key encrypts disks, stores, buckets, secrets, logs and alarms: `create` makes one for the stack, or the ARN of
   * one. A change would replace the stores: it is refused. Default: AWS' own keys.
   */
  kmsKey: z
    .string()
    .regex(
      /^(create|arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+)$/,
      "create, or the ARN of a key (no alias), as arn:aws:kms:…:key/…",
    )
    .optional(),
  /** An ACL of AWS WAF's, by its ARN, which looks at each request to the balancer. Default: none. */
  firewall: z
    .string()
    .regex(
      /^arn:[a-z-]+:wafv2:[a-z0-9-]+:\d{12}:regional\/webacl\/.+$/,
      "the ARN of a regional web ACL, as arn:aws:wafv2:…:regional/webacl/…",
    )
    .optional(),
  /** Who is told of alarms. Default: whoever subscribes to the topic in `places.alarms`. */
  alarmEmail: z.email("an address of e-mail").optional(),
  /** How long CloudWatch keeps logs, in days. */
  logDays: z
    .union(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731].map((days) => z.literal(days)),
      {
        error: "days as CloudWatch has them: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731",
      },
    )
    .default(30),
});

export type AwsConfig = z.output<typeof awsConfig>;

/** The names of the secrets that the mode needs. */
export function awsSecrets({ tls }: AwsConfig): string[] {
  return tls.mode === "own" ? ["tlsKey"] : [];
}

/** What of it an importer gives to `AwsRegion` in the same form. */
export const awsArgs = awsConfig.omit({ tls: true }).strip();
