/** A certificate authority of the stack's own and a server certificate from it, for where no public one can be had. */
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";

// Asked for by @peculiar/x509's dependency injection; has to come first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { z } from "zod";

import type { Handler } from "./handler.ts";
import { changed, secret } from "./wire.ts";
import type { Bag, Values } from "./wire.ts";

x509.cryptoProvider.set(webcrypto);

const inputs = z.object({ hostnames: z.array(z.string()).min(1), organization: z.string().optional() });
const outputs = z.object({ caCert: z.string(), caKey: z.string(), cert: z.string() });

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 24 * 3600 * 1000;
/** Browsers refuse server certificates that live longer. */
const leafDays = 397;
const caDays = 3650;
const renewDays = 30;

interface Pair {
  readonly cert: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** Outputs `caCert`, `cert` (PEM), and as secrets `key`, `caKey` (PEM, PKCS 8). */
export const certificate: Handler = {
  inputs,
  diff: (olds, news) => ({
    changes: changed(olds, news, ["hostnames", "organization"]).length > 0 || due(olds, new Date()),
    // Who has trusted the authority has to do so again: a replacement says that loudly.
    replaces: changed(olds, news, ["organization"]),
  }),
  create: async (given) => {
    const asked = inputs.parse(given.plain);
    return issue(await makeAuthority(asked.organization, new Date()), asked, new Date());
  },
  update: async (olds, news) => renew(olds, news, new Date()),
};

/** Whether the server certificate has less than 30 days to go. */
export function due(state: Values, now: Date): boolean {
  const { cert } = outputs.parse(state.plain);
  return new x509.X509Certificate(cert).notAfter.getTime() - now.getTime() < renewDays * day;
}

/** The same authority signs anew, unless it would end before what it signs. */
export async function renew(olds: Values, news: Values, now: Date): Promise<Bag> {
  const asked = inputs.parse(news.plain);
  const { caCert, caKey } = outputs.parse(olds.plain);
  const cert = new x509.X509Certificate(caCert);
  if (cert.notAfter.getTime() < now.getTime() + leafDays * day) {
    return issue(await makeAuthority(asked.organization, now), asked, now);
  }
  const pkcs8 = x509.PemConverter.decodeFirst(caKey);
  const privateKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const publicKey = await webcrypto.subtle.importKey("spki", cert.publicKey.rawData, algorithm, true, ["verify"]);
  return issue({ cert, keys: { privateKey, publicKey } }, asked, now);
}

async function makeAuthority(organization = "platform-topologies", now: Date): Promise<Pair> {
  const keys = await generate();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: [organization] }, { CN: [`${organization} local authority`] }],
    ...validity(now, caDays),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert, keys };
}

async function issue(authority: Pair, { hostnames }: z.infer<typeof inputs>, now: Date): Promise<Bag> {
  const keys = await generate();
  const cert = await x509.X509CertificateGenerator.create({
    // Clients read the alternative names only, and a common name ends at 64 characters.
    subject: [{ CN: [(hostnames[0] ?? "").slice(0, 64)] }],
    issuer: authority.cert.subject,
    ...validity(now, leafDays),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hostnames.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
    ],
  });
  return {
    caCert: authority.cert.toString("pem"),
    caKey: secret(await pem(authority.keys.privateKey)),
    cert: cert.toString("pem"),
    key: secret(await pem(keys.privateKey)),
  };
}

/** From an hour ago: clocks differ. */
function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - day / 24), notAfter: new Date(now.getTime() + days * day - day / 24) };
}

function generate(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function pem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}
