/** Who signs the certificate of our own edge, and what follows from it. */
import { type Input, output, secret } from "@pulumi/pulumi";
import { z } from "zod";

import { checkedPair, checkServer, type Verdict } from "../core/certificates.ts";
import type { Dict, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import { webUrl } from "../core/formats.ts";
import { type Plan, type PlannedRoute, routesOf } from "../core/plan.ts";
import type { Site } from "../core/topology.ts";
import type { EdgeTls } from "../edge/proxy.ts";
import { nginxProblems } from "../edge/nginx.ts";

/** A local authority of this stack's own, the caller's files, ACME, or what ends TLS in front. */
export type Tls =
  | { readonly mode: "local" }
  | { readonly mode: "own"; readonly cert: Input<string>; readonly key: Input<string>; readonly ca?: Input<string> }
  | { readonly mode: "acme"; readonly email: string; readonly caServer?: string | undefined }
  | { readonly mode: "outside"; readonly trustedProxies: List<string> };

/** A balancer's address, or its network. Every machine in it may say who a visitor is. */
const trustedProxy = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: "an IP address or a network, as 10.0.0.0/8" })
  .refine((network) => Number(network.split("/")[1] ?? 32) >= (network.includes(":") ? 7 : 8), {
    error: "would believe half of the world: name the addresses of your balancers alone",
  });

/** The same in a stack's config, where the key is a secret: `secrets.tlsKey`. */
export const tlsConfig = z
  .discriminatedUnion("mode", [
    z.strictObject({ mode: z.literal("local") }),
    z.strictObject({
      mode: z.literal("own"),
      cert: z.string().startsWith("-----BEGIN CERTIFICATE-----", "a PEM certificate chain"),
    }),
    z.strictObject({ mode: z.literal("acme"), email: z.email(), caServer: webUrl.optional() }),
    z.strictObject({
      mode: z.literal("outside"),
      trustedProxies: z.array(trustedProxy).min(1, "at least one: the addresses of what ends TLS"),
    }),
  ])
  .default({ mode: "local" });
export type TlsConfig = z.output<typeof tlsConfig>;

/** The names of the secrets that the mode needs. */
export function tlsSecrets({ mode }: TlsConfig): List<string> {
  return mode === "own" ? ["tlsKey"] : [];
}

/** The edge's own name, its ports and who signs for it, for a picture. */
export function edgeInWords(
  { ports }: Site,
  { edge: { proxy } }: Plan,
  { mode }: TlsConfig,
): { readonly title: string; readonly says: string[] } {
  const signs = { local: "the stack's own authority", own: "your certificate", acme: "ACME", outside: "ends in front" };
  const published = Object.entries(ports).map(([scheme, port]) => `${scheme} ${String(port)}`);
  return {
    title: proxy === "nginx" ? "nginx" : "Traefik",
    says: [published.join(", "), `TLS: ${signs[mode]}`],
  };
}

/** Adds the operator's own key: plain, to be checked, or as a secret. */
export function tlsOf(tls: TlsConfig, { tlsKey = "" }: Dict<string>, how: "plain" | "secret"): Tls {
  return tls.mode === "own" ? { ...tls, key: how === "plain" ? tlsKey : secret(tlsKey) } : tls;
}

/** The edge's published ports. With `outside` only http: what ends TLS in front of the edge calls that. */
export function publishedOn({ http, https }: Required<Site["ports"]>, { mode }: Tls | TlsConfig): Site["ports"] {
  return mode === "outside" ? { http } : { http, https };
}

/** `key`: the topology's key in the config. Certificates that are known only later are checked then. */
export function checkTls(key: string, tls: Tls, site: Site, plan: Plan): Verdict {
  const routes = routesOf(plan);
  const server =
    tls.mode === "own" && typeof tls.cert === "string" && typeof tls.key === "string"
      ? // The check of secrets reports a missing key.
        checkServer(`${key}.tls.cert`, tls.cert, tls.key || undefined, namesOf(site, routes))
      : { problems: [], warnings: [] };
  return {
    problems: [
      ...server.problems,
      ...(tls.mode === "acme" ? acmePort(key, site) : []),
      ...(plan.edge.proxy === "nginx" ? nginxProblems(`${key}.tls.mode`, tls.mode, routes) : []),
    ],
    warnings: server.warnings,
  };
}

function acmePort(key: string, { ports, publicPort }: Site): Problem[] {
  if (publicPort === 443) return [];
  const at = publicPort === ports.https ? `${key}.ports.https` : "publicPort";
  const remedy = "ACME's challenge arrives on 443; use it, or tls.mode own";
  return [{ key: at, value: publicPort, remedy }];
}

/** TLS for the proxy. `local`: the stack's own certificate, if it has one. */
export function edgeTls(
  tls: Tls,
  site: Site,
  routes: List<PlannedRoute>,
  local: { readonly cert: Input<string>; readonly key: Input<string> } | undefined,
): EdgeTls {
  if (tls.mode === "acme")
    return { acme: { email: tls.email, ...(tls.caServer === undefined ? {} : { caServer: tls.caServer }) } };
  if (tls.mode === "own") return checkedPair(tls, namesOf(site, routes));
  if (local === undefined) throw new Error("a local certificate is made with the topology");
  const { cert, key } = local;
  return tls.mode === "outside" ? { cert, key, trustedProxies: tls.trustedProxies } : { cert, key };
}

/** The authority that callers of the edge must trust; undefined if a public one signed. */
export function edgeAuthority(tls: Tls) {
  return tls.mode === "own" && tls.ca !== undefined ? output(tls.ca) : undefined;
}

/** Whether the stack has an authority of its own. */
export function signsItself({ mode }: Tls): boolean {
  return mode === "local" || mode === "outside";
}

/** The public names of a stack, its own first. */
export function namesOf({ hostname }: Site, routes: List<PlannedRoute>): string[] {
  return [...new Set([hostname, ...routes.map(({ host }) => host)])];
}
