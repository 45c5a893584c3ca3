/** The edge's certificate: in ACM, for a balancer, or in the hands of our own proxies. */
import { type Input, type Output, output } from "@pulumi/pulumi";
import { Certificate as AcmCertificate } from "@pulumi/aws/acm/certificate.js";
import { CertificateValidation } from "@pulumi/aws/acm/certificateValidation.js";
import { Record as DnsRecord } from "@pulumi/aws/route53/record.js";

import type { Certificate } from "../../../ops/resources.ts";
import { checkedPair } from "../../core/certificates.ts";
import type { List } from "../../core/contracts.ts";
import type { AwsTls } from "./config.ts";
import type { Region } from "./region.ts";

/** What a balancer of AWS' serves. */
export interface Signed {
  readonly arn: Output<string>;
  /** What callers must trust; undefined: a public authority signed. */
  readonly ca: Output<string> | undefined;
}

/** Days. ACM renews its own 45 days before, and nobody else's. */
const late = 21;

const renewed: { readonly [Mode in AwsTls["mode"]]: string } = {
  acm: "`aws acm describe-certificate`: ACM renews its own as long as their records are in the zone; an imported one is yours",
  own: "a new chain belongs in aws.tls.cert, its key in the secret tlsKey; then `pulumi up`",
  local: "`pulumi up` makes a new one",
};

/** An ended certificate has no metric any more: the alarm then stays as it was. */
export function watchCertificate({ name, alarms, under }: Region, mode: AwsTls["mode"], arn: Input<string>): void {
  alarms.watch(
    `${name}-edge-certificate`,
    {
      says: `the balancer's certificate ends in less than ${String(late)} days`,
      look: renewed[mode],
      ...{ namespace: "AWS/CertificateManager", metric: "DaysToExpiry", statistic: "Minimum" },
      dimensions: { CertificateArn: arn },
      ...{ when: "below", threshold: late, minutes: 1440, every: 1440, silence: "holds" },
    },
    under(),
  );
}

/** `names`: the public names, the hostname first. `local`: makes one from an authority of the stack's own. */
export function certificateFor(
  region: Region,
  tls: AwsTls,
  names: List<string>,
  zoneId: string | undefined,
  local: () => Certificate,
): Signed {
  const { name, site, under } = region;
  const options = under();
  if (tls.mode === "acm" && tls.certificate !== undefined) return { arn: output(tls.certificate), ca: undefined };
  if (tls.mode === "own") {
    const [first = "", ...chain] = (typeof tls.cert === "string" ? tls.cert : "").split(
      /(?=-----BEGIN CERTIFICATE-----)/,
    );
    const own = new AcmCertificate(
      `${name}-edge`,
      {
        certificateBody: typeof tls.cert === "string" ? first : tls.cert,
        privateKey: tls.key,
        ...(chain.length > 0 ? { certificateChain: chain.join("") } : {}),
      },
      options,
    );
    return { arn: own.arn, ca: undefined };
  }
  if (tls.mode === "local") {
    const made = local();
    const imported = new AcmCertificate(
      `${name}-edge`,
      { certificateBody: made.cert, privateKey: made.key, certificateChain: made.caCert },
      options,
    );
    return { arn: imported.arn, ca: made.caCert };
  }
  const [first = site.hostname, ...others] = names;
  const asked = new AcmCertificate(
    `${name}-edge`,
    { domainName: first, subjectAlternativeNames: others, validationMethod: "DNS", keyAlgorithm: "RSA_2048" },
    options,
  );
  // One record for each name. ACM's own list has an order of its own, so each name looks for its part.
  const records = names.map((host) => {
    const part = asked.domainValidationOptions.apply((all) => all.find(({ domainName }) => domainName === host));
    const of = (key: "resourceRecordName" | "resourceRecordValue" | "resourceRecordType") =>
      part.apply((found) => found?.[key] ?? "");
    return new DnsRecord(
      `${name}-proof-${host}`,
      {
        zoneId: zoneId ?? "",
        name: of("resourceRecordName"),
        type: of("resourceRecordType"),
        records: [of("resourceRecordValue")],
        ttl: 300,
        allowOverwrite: true,
      },
      options,
    );
  });
  const valid = new CertificateValidation(
    `${name}-edge`,
    { certificateArn: asked.arn, validationRecordFqdns: records.map(({ fqdn }) => fqdn) },
    options,
  );
  return { arn: valid.certificateArn, ca: undefined };
}

/** What our own proxies serve. ACM's certificates cannot be had as files: they stay at the balancer in front. */
export function servedBy(
  region: Region,
  tls: AwsTls,
  names: List<string>,
  zoneId: string | undefined,
  local: () => Certificate,
): {
  readonly cert: Input<string>;
  readonly key: Input<string>;
  readonly front: Output<string> | undefined;
  readonly ca: Output<string> | undefined;
} {
  if (tls.mode === "own") return { ...checkedPair(tls, names), front: undefined, ca: undefined };
  const { cert, key, caCert } = local();
  return tls.mode === "local"
    ? { cert, key, front: undefined, ca: caCert }
    : { cert, key, front: certificateFor(region, tls, names, zoneId, local).arn, ca: undefined };
}
