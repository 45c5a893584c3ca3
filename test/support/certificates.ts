/** Certificates of the tests' own, as an operator may paste them: right, old, of another name, in another order. */
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";

import "reflect-metadata";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 24 * 3600 * 1000;

export interface Made {
  readonly pem: string;
  readonly key: string;
  readonly cert: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface Wishes {
  readonly name: string;
  /** DNS names and addresses. */
  readonly hostnames?: readonly string[];
  readonly ca?: boolean;
  /** The issuer; unset: the certificate signs itself. */
  readonly by?: Made;
  /** Days from today. */
  readonly from?: number;
  readonly to?: number;
  readonly purpose?: string | readonly string[];
}

export async function certificate(wishes: Wishes): Promise<Made> {
  const { name, hostnames = [], ca = false, by, from = -1, to = 365, purpose } = wishes;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const subject = [{ CN: [name] }];
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: by === undefined ? subject : by.cert.subject,
    notBefore: new Date(Date.now() + from * day),
    notAfter: new Date(Date.now() + to * day),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: (by?.keys ?? keys).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      ...(purpose === undefined ? [] : [new x509.ExtendedKeyUsageExtension([purpose].flat())]),
      ...(hostnames.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              hostnames.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value })),
            ),
          ]),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { pem: made.toString("pem"), key, cert: made, keys };
}
