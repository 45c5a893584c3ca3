/** The edge's certificate: in ACM, for a balancer, or in the hands of our own proxies. */
import { type Input, type Output, output } from "@pulumi/pulumi";
import { Certificate as AcmCertificate } from "@pulumi/aws/acm/certificate.js";
import { CertificateValidation } from "@pulumi/aws/acm/certificateValidation.js";
import { Record as DnsRecord } from "@pulumi/aws/route53/record.js";

import type { Certificate } from "../../../ops/resources.ts";
import { checkedPair } from "../../core/certificates.ts";
import type { List } from "../../core/contracts.ts";
import type { Region } from "./region.ts";

/** As a topology takes it: the operator's own key may be a secret. */
export type AwsTls =
  | { readonly mode: "acm"; readonly certificate?: string | undefined }
  | { readonly mode: "own"; readonly cert: Input<string>; readonly key: Input<string> }
  | { readonly mode: "local" };

/** What a balancer of AWS' serves. */
export interface Signed {
  readonly arn: Output<string>;
  /** What callers must trust; undefined: a public authority signed. */
  readonly ca: Output<string> | undefined;
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
