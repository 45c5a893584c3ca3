/** Makes a certificate authority of a stack's own, and a server certificate from it. */
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";

// @peculiar/x509's dependency injection needs this import, and needs it first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { secret } from "./wire.ts";
import type { Bag } from "./wire.ts";

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 24 * 3600 * 1000;
interface Days {
  readonly leaf: number;
  readonly authority: number;
}
/** Browsers refuse server certificates that live longer. */
const ofServers: Days = { leaf: 397, authority: 3650 };
/** A store's members have to find each other again even where no `up` has run for years. */
const ofMembers: Days = { leaf: 3650, authority: 7300 };
const days = ({ members = false }: Asked): Days => (members ? ofMembers : ofServers);

interface Pair {
  readonly cert: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface Asked {
  readonly hostnames: readonly string[];
  /** For members of a store among themselves, where each is the other's client too. */
  readonly members?: boolean | undefined;
}

/** Makes a server certificate with an authority of its own. */
export async function make(asked: Asked, now: Date): Promise<Bag> {
  return issue(await makeAuthority(asked, now), asked, now);
}

/** The same authority signs a new certificate, unless the authority would end before that. */
export async function renew(
  asked: Asked,
  { caCert, caKey }: { caCert: string; caKey: string },
  now: Date,
): Promise<Bag> {
  const cert = new x509.X509Certificate(caCert);
  if (cert.notAfter.getTime() < now.getTime() + days(asked).leaf * day) return make(asked, now);
  const pkcs8 = x509.PemConverter.decodeFirst(caKey);
  const privateKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const publicKey = await webcrypto.subtle.importKey("spki", cert.publicKey.rawData, algorithm, true, ["verify"]);
  return issue({ cert, keys: { privateKey, publicKey } }, asked, now);
}

async function makeAuthority(asked: Asked, now: Date): Promise<Pair> {
  const keys = await generate();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ["platform-topologies"] }, { CN: ["platform-topologies local authority"] }],
    ...validity(now, days(asked).authority),
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

async function issue(authority: Pair, asked: Asked, now: Date): Promise<Bag> {
  const { hostnames, members = false } = asked;
  const keys = await generate();
  const cert = await x509.X509CertificateGenerator.create({
    // Clients read the alternative names only. A common name may have 64 characters.
    subject: [{ CN: [(hostnames[0] ?? "").slice(0, 64)] }],
    issuer: authority.cert.subject,
    ...validity(now, days(asked).leaf),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        ...(members ? [x509.ExtendedKeyUsage.clientAuth] : []),
      ]),
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

/** Valid from an hour ago, as clocks differ. */
function validity(now: Date, length: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - day / 24), notAfter: new Date(now.getTime() + length * day - day / 24) };
}

function generate(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function pem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}
