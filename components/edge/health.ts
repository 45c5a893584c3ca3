/** The edge's health check: verifies the certificate that the edge serves, and warns in time before it ends. */
import { X509Certificate } from "node:crypto";

import { type Input, output } from "@pulumi/pulumi";

import type { File, List } from "../core/contracts.ts";
import type { EdgeArgs } from "./proxy.ts";

/** With so many days left the health check warns, and once a day the edge's log. `up` renews a local one at 30 days. */
const warnDays = 21;
const certificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A file with the second in which the first certificate of a chain ends. */
export function endOf(cert: Input<string>, path: string): File {
  return { path, content: typeof cert === "string" ? end(cert) : output(cert).apply(end) };
}

/** Of what is no certificate: the handshake fails and says why. */
const none = "";

function end(chain: string): string {
  try {
    const ends = (chain.match(certificates) ?? []).map((pem) => Date.parse(new X509Certificate(pem).validTo));
    return ends.length > 0 ? String(Math.floor(Math.min(...ends) / 1000)) : none;
  } catch {
    return none;
  }
}

/**
 * Shell: `handshake` verifies what is served under the stack's own name. A certificate that has ended fails every
 * handshake. On one host the edge is unhealthy from then on. A swarm, or ECS, would start it again and again, which
 * mends nothing and loses the clients that go on in spite of the certificate: there only `alive` counts.
 */
export function certificateHealth(
  { engine, site: { hostname } }: Pick<EdgeArgs, "engine" | "site">,
  ends: string,
  handshake: string,
  alive: string,
): List<string> {
  const script = `ends=$(cat ${ends})
[ -n "$ends" ] || ends=9999999999
left=$((ends - $(date +%s)))
if [ $left -lt ${String(warnDays * 86400)} ]; then
  says="the certificate of ${hostname} ends in $((left / 86400)) days"
  [ $left -gt 0 ] || says="the certificate of ${hostname} has ended"
  says="$says: run pulumi up; one of your own is replaced in the config first"
  echo "$says"
  if [ -z "$(find /tmp/edge-warned -mmin -1440 2>/dev/null)" ]; then
    touch /tmp/edge-warned
    echo "$says" >/proc/1/fd/2
  fi
fi 2>/dev/null
[ $left -gt 0 ] || { ${engine === "docker" ? "exit 1" : `${alive}; exit`}; }
${handshake}`;
  return ["sh", "-c", script];
}
