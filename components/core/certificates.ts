/** Checks a certificate before it is used: is it whole, does it fit its key and names, is it valid today? */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

import { all, type Input, log } from "@pulumi/pulumi";

import { listed, type Problem, refuse } from "./errors.ts";

/** `warnings`: what is right today, but needs care soon. */
export interface Verdict {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

const day = 24 * 3600 * 1000;
const warnDays = 30;
const block = /^-----BEGIN CERTIFICATE-----[ \t]*\r?\n([A-Za-z0-9+/=\s]+?)\r?\n-----END CERTIFICATE-----[ \t]*\r?$/gm;

/** The certificates of a PEM text, in its order; or why it has none. */
function parsed(pem: string): X509Certificate[] | string {
  if (pem.includes("PRIVATE KEY-----")) return "it holds a private key, which belongs to secrets.tlsKey: take it out";
  const blocks = [...pem.matchAll(block)];
  const begun = pem.split("-----BEGIN ").length - 1;
  if (blocks.length === 0 || blocks.length !== begun)
    return `not PEM: of ${String(begun)} blocks ${String(blocks.length)} can be read; each needs its BEGIN and END on lines of their own, and base64 between them`;
  const found: X509Certificate[] = [];
  for (const [text] of blocks) {
    try {
      found.push(new X509Certificate(text));
    } catch {
      return `its certificate ${String(found.length + 1)} cannot be read: it is cut short, or no certificate`;
    }
  }
  return found;
}

/**
 * A server's certificate chain and its key: the server's own comes first, each is followed by its issuer, all are valid
 * now, and the first covers every name. `key`: undefined where it is not known.
 */
export function checkServer(
  chainKey: string,
  pem: string,
  key: string | undefined,
  hostnames: readonly string[],
  now = new Date(),
): Verdict {
  const chain = parsed(pem);
  const wrong = (remedy: string): Problem => ({ key: chainKey, remedy });
  if (typeof chain === "string") return { problems: [wrong(chain)], warnings: [] };
  const [leaf] = chain;
  if (leaf === undefined) return { problems: [wrong("no certificate")], warnings: [] };
  const uncovered = hostnames.filter((name) => leaf.checkHost(name, { subject: "never" }) === undefined);
  const purposes = leaf.keyUsage as string[] | undefined;
  return {
    problems: [
      ...(key === undefined ? [] : checkKey(chain, key)).map(({ of, remedy }) =>
        of === "key" ? { key: "secrets.tlsKey", remedy } : wrong(remedy),
      ),
      ...chain.flatMap((each, index) => {
        const issuer = chain[index + 1];
        if (issuer === undefined || issued(each, issuer)) return [];
        return [
          wrong(
            `certificate ${String(index + 2)} did not issue certificate ${String(index + 1)}: the server's own comes first, then its issuer, then that one's`,
          ),
        ];
      }),
      ...chain.flatMap((each, index) => age(each, index, now).map(wrong)),
      ...(uncovered.length === 0
        ? []
        : [
            wrong(
              `it does not cover ${listed(uncovered)}; it is for ${listed((leaf.subjectAltName ?? "no DNS name").split(", "), 100)}`,
            ),
          ]),
      ...(purposes === undefined || purposes.some((purpose) => serverPurposes.includes(purpose))
        ? []
        : [wrong("it is not for servers (its extended key usage has no serverAuth)")]),
    ],
    warnings: chain.flatMap((each, index) => ending(each, `${chainKey}: certificate ${String(index + 1)}`, now)),
  };
}
/** The purposes serverAuth and anyExtendedKeyUsage. */
const serverPurposes = ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"];

function checkKey(chain: readonly X509Certificate[], key: string): { of: "key" | "chain"; remedy: string }[] {
  let found: KeyObject;
  try {
    found = createPrivateKey(key);
  } catch {
    const why = key.includes("ENCRYPTED")
      ? "encrypted with a passphrase, which no proxy has: openssl pkey -in <file>"
      : "no private key in PEM (the text from -----BEGIN to -----END, with its line ends)";
    return [{ of: "key", remedy: why }];
  }
  if (!usable(found))
    return [
      {
        of: "key",
        remedy: "a kind of key that servers do not take: RSA of 2048 bits or more, or ECDSA (P-256, P-384)",
      },
    ];
  const [leaf, ...others] = chain;
  if (leaf?.checkPrivateKey(found) === true) return [];
  return others.some((other) => other.checkPrivateKey(found))
    ? [{ of: "chain", remedy: "the key fits a later certificate: the server's own comes first" }]
    : [{ of: "key", remedy: "it is not the key of the certificate in tls.cert" }];
}

function usable({
  asymmetricKeyType: type,
  asymmetricKeyDetails: { modulusLength = 0, namedCurve = "" } = {},
}: KeyObject) {
  if (type === "rsa") return modulusLength >= 2048;
  return type === "ed25519" || (type === "ec" && ["prime256v1", "secp384r1", "secp521r1"].includes(namedCurve));
}

/** Checks authorities that a client is to trust: at least one is valid now, and each may sign certificates. */
export function checkAuthorities(key: string, pem: string, now = new Date()): Verdict {
  const found = parsed(pem);
  if (typeof found === "string") return { problems: [{ key, remedy: found }], warnings: [] };
  const ages = found.map((each, index) => age(each, index, now));
  const [first = []] = ages;
  return {
    problems: [
      ...found.flatMap((each, index) =>
        each.ca || issued(each, each)
          ? []
          : [
              {
                key,
                remedy: `certificate ${String(index + 1)} is a server's, and not an authority's: take the one that issued it`,
              },
            ],
      ),
      // A bundle may keep old authorities for a while.
      ...(ages.every((each) => each.length > 0) ? first.map((remedy) => ({ key, remedy })) : []),
    ],
    warnings: found.flatMap((each, index) => ending(each, `${key}: certificate ${String(index + 1)}`, now)),
  };
}

/** Whether `issuer` signed `one`, by name and by signature. False if the signature cannot be computed. */
function issued(one: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return one.checkIssued(issuer) && one.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function age({ validFrom, validTo }: X509Certificate, index: number, now: Date): string[] {
  const which = `certificate ${String(index + 1)}`;
  if (new Date(validTo) < now) return [`${which} has expired (${validTo}): renew it`];
  return new Date(validFrom) > now ? [`${which} is not valid before ${validFrom}: is this machine's clock right?`] : [];
}

function ending({ validTo }: X509Certificate, which: string, now: Date): string[] {
  const days = Math.floor((new Date(validTo).getTime() - now.getTime()) / day);
  return days >= 0 && days < warnDays ? [`${which} ends in ${String(days)} days (${validTo}): renew it`] : [];
}

/**
 * The certificate and key that an importer gives, after their check. Plain values are checked at once; others when they
 * are known, before anything is made of them.
 * @throws ConfigError
 */
export function checkedPair(
  pair: { readonly cert: Input<string>; readonly key: Input<string> },
  hostnames: readonly string[],
): { readonly cert: Input<string>; readonly key: Input<string> } {
  const checkPlain = (cert: string, key: string): void => {
    const { problems, warnings } = checkServer("tls.cert", cert, key, hostnames);
    refuse(problems);
    warn(warnings);
  };
  const { cert, key } = pair;
  if (typeof cert === "string" && typeof key === "string") {
    checkPlain(cert, key);
    return { cert, key };
  }
  const checked = all([cert, key]).apply(([plainCert, plainKey]) => {
    checkPlain(plainCert, plainKey);
    return { cert: plainCert, key: plainKey };
  });
  return { cert: checked.cert, key: checked.key };
}

const warned = new Set<string>();

/** Shows each warning once, in a preview as in an `up`. */
export function warn(warnings: readonly string[]): void {
  for (const text of warnings) {
    if (warned.has(text)) continue;
    warned.add(text);
    void log.warn(text);
  }
}
