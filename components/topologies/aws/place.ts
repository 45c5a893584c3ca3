/** Finds what is wrong with where a stack lies and how its parts are called: account, region, network, names, TLS. */
import { isIPv4 } from "node:net";

import { checkServer, type Verdict } from "../../core/certificates.ts";
import type { Ask, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import type { Plan } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { overlap, rangeOf } from "../subnets.ts";
import { unfitNetwork } from "./addresses.ts";
import type { Checked } from "./check.ts";
import { bucketName, longestBucket } from "./fit.ts";

/** Zones, network and ARNs of another region or account. */
export function checkPlace({ account, region, zones, cidr, vpc, tls, role, kmsKey, firewall }: Checked): Problem[] {
  const problems: Problem[] = [];
  for (const zone of zones) {
    if (zone.slice(0, -1) !== region)
      problems.push({
        key: "aws.zones",
        value: zone,
        remedy: `no zone of ${region}: its zones are ${region}a, ${region}b, …`,
      });
    if (zones.indexOf(zone) !== zones.lastIndexOf(zone))
      problems.push({ key: "aws.zones", value: zone, remedy: "each zone once" });
  }
  if (/^(cn|us-gov|(us|eu)-iso[a-z]?)-/.test(region))
    problems.push({
      key: "aws.region",
      value: region,
      remedy:
        "a partition of its own, with other ARNs and addresses than all that is made here: choose a region of AWS' own",
    });
  const wrong = vpc === undefined ? unfitNetwork(cidr) : undefined;
  if (wrong !== undefined) problems.push({ key: "aws.cidr", value: cidr, remedy: wrong });
  const arns = [
    ["aws.role", role, "role"],
    ["aws.tls.certificate", tls.mode === "acm" ? tls.certificate : undefined, "certificate"],
    ["aws.kmsKey", kmsKey === "create" ? undefined : kmsKey, "key"],
    ["aws.firewall", firewall, "regional/webacl"],
  ] as const;
  for (const [key, arn, sort] of arns) {
    if (arn === undefined) continue;
    const [, , , where = "", owner = "", what = ""] = arn.split(":");
    if (!what.startsWith(`${sort}/`)) problems.push({ key, value: arn, remedy: `no ${sort}: its ARN has :${sort}/` });
    if (owner !== account) problems.push({ key, value: arn, remedy: `it belongs to another account than ${account}` });
    if (where !== "" && where !== region)
      problems.push({
        key,
        value: arn,
        remedy: `it lies in ${where}: ${region} takes its own region's alone`,
      });
  }
  return problems;
}

export const noTls: Verdict = { problems: [], warnings: [] };

/** Names that belong to nobody, for which no public authority signs (RFC 2606, 6761, 6762, 8375, ICANN's own). */
const nobodys = /(^|\.)(localhost|local|internal|test|invalid|example|lan|home\.arpa)$/;

/** The longest first name of a certificate of ACM's own. */
const longestFirst = 64;

export function checkTls({ tls, zoneId }: Checked, names: List<string>): Verdict {
  if (tls.mode === "own" && typeof tls.cert === "string" && typeof tls.key === "string")
    // The check of secrets reports a missing key.
    return checkServer("aws.tls.cert", tls.cert, tls.key || undefined, names);
  if (tls.mode === "acm" && tls.certificate === undefined && zoneId === undefined)
    return {
      problems: [
        {
          key: "aws.tls",
          remedy:
            "name the hosted zone of the hostname (zoneId), where ACM's certificate is validated; or a certificate that " +
            "is there (tls: {mode: acm, certificate: arn:…}); or tls: {mode: local}, to try the stack without a domain",
        },
      ],
      warnings: [],
    };
  if (tls.mode !== "acm" || tls.certificate !== undefined) return noTls;
  return {
    problems: names.flatMap((value, index): Problem[] => {
      const key = "hostname";
      if (nobodys.test(value))
        return [
          { key, value, remedy: "no public authority signs for it: a name of yours, or tls: {mode: own} or local" },
        ];
      const long = index === 0 && value.length > longestFirst;
      return long
        ? [{ key, value, remedy: `ACM signs first names of at most ${String(longestFirst)} characters` }]
        : [];
    }),
    warnings: [],
  };
}

/** A bucket of another region than its endpoint: every call would be refused for its signature. */
export function checkBackupRegion({ backup, restore }: Site): Problem[] {
  const places = [
    ["backup.to.s3.region", backup?.to],
    ["restore.from.s3.region", restore?.from],
  ] as const;
  return places.flatMap(([key, place]): Problem[] => {
    if (place === undefined || !("s3" in place)) return [];
    const { endpoint, region: value } = place.s3;
    const where = /^https:\/\/s3[.-]([a-z0-9-]+)\.amazonaws\.com/.exec(endpoint)?.[1];
    if (where === undefined || where === value) return [];
    return [{ key, value, remedy: `the endpoint ${endpoint} is of ${where}: one of both is wrong` }];
  });
}

/** Names that AWS takes only in some forms, or that would be too long behind the stack's own. */
export function checkNames({ account, region }: Checked, { name }: Site, { managed }: Plan): Problem[] {
  const kinds = [...managed.values()];
  const stores = kinds.some(({ kind }) => kind === "postgres" || kind === "redis");
  const buckets = kinds.flatMap(({ kind, ask }) =>
    kind === "objects" ? Object.keys((ask as Ask<"objects">).buckets) : [],
  );
  const full = ["records", ...buckets].map((bucket) => bucketName({ account, region }, `${name}-${bucket}`));
  const long = full.toSorted((a, b) => b.length - a.length)[0] ?? "";
  return [
    ...(stores && /--|-$/.test(name)
      ? [{ key: "name", value: name, remedy: "RDS and ElastiCache take single hyphens inside a name alone" }]
      : []),
    ...(long.length > longestBucket
      ? [
          {
            key: "name",
            value: name,
            remedy: `its bucket ${long} has ${String(long.length)} characters, and S3 takes ${String(longestBucket)}: at most ${String(name.length - long.length + longestBucket)} for the name`,
          },
        ]
      : []),
  ];
}

/** What exists already at an address of the private network's own cannot be reached: the network answers there itself. */
export function checkExistingAddresses(cidr: string, { existing }: Site): Problem[] {
  const range = rangeOf(cidr);
  return Object.entries(existing).flatMap(([name, row]): Problem[] => {
    const value = "host" in row ? row.host : "url" in row ? row.url : row.issuer;
    const host = URL.canParse(value) ? new URL(value).hostname : value;
    const there = isIPv4(host) ? rangeOf(`${host}/32`) : undefined;
    if (range === undefined || there === undefined || !overlap(range, there)) return [];
    const remedy = `lies in the stack's own private network, ${cidr}, which would never let a call out: another aws.cidr`;
    return [{ key: `existing.${name}`, value, remedy }];
  });
}
