import { readFileSync } from "node:fs";
import tls from "node:tls";
import { Refusal } from "./errors.ts";

/** The real applications read one of these. Node itself reads NODE_EXTRA_CA_CERTS. */
const variables = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] as const;

/** Adds the authorities in those files to the ones that every TLS connection of this process trusts. */
export function trustExtraAuthorities(env: Readonly<Record<string, string | undefined>>): void {
  const paths = new Set(variables.flatMap((name) => env[name] ?? []));
  const more = [...paths].flatMap((path) => (path === "" ? [] : certificatesIn(path)));
  if (more.length > 0) tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...more]);
}

function certificatesIn(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new Refusal(`${path} cannot be read: it should hold the certificates of extra authorities`);
  }
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
}
