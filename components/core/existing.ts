import { interpolate, type Output, secret } from "@pulumi/pulumi";

import { checkAuthorities } from "./certificates.ts";
import type { Given, Kind, Kinds } from "./contracts.ts";
import type { Problem } from "./errors.ts";
import { defaultPort } from "./kinds.ts";

/**
 * Something that exists already, as the stack's config names it under `existing.<need>`; nothing is made for that need.
 * Passwords are secrets of the same stack: `secrets.<need>Password`, and for an object store `<need>Key` and
 * `<need>Secret`, for an OpenID provider `<need>ClientSecret`.
 */
export type Existing =
  | {
      readonly kind: Exclude<Kind, "objects" | "oidc" | "containers">;
      readonly host: string;
      /** Default: the kind's own. */
      readonly port?: number | undefined;
      readonly user?: string | undefined;
      /** A private authority's certificate, PEM. Unset: plain text, as the company's network is trusted. */
      readonly ca?: string | undefined;
    }
  | {
      readonly kind: "objects";
      readonly api: "s3" | "azure-blob";
      readonly url: string;
      readonly region: string;
      /** Before each bucket's name. */
      readonly prefix: string;
    }
  | {
      readonly kind: "oidc";
      readonly issuer: string;
      /** Unset: as Keycloak and most others have them below the issuer. */
      readonly urls?:
        { readonly auth: string; readonly token: string; readonly keys: string; readonly logout: string } | undefined;
      /** Cognito's hosted domain, as `https://login.example.com`: its addresses are there, not below the issuer. */
      readonly domain?: string | undefined;
      /** Default: `groups`; with a Cognito domain `cognito:groups`. */
      readonly groupsClaim?: string | undefined;
      readonly clientId: string;
    };

/** What `existing` gives in the place of a recipe. `configured`: a secret that the operator sets. */
export function existingGiven(
  name: string,
  existing: Existing,
  configured: (name: string) => Output<string>,
): Given<Kind> {
  switch (existing.kind) {
    case "objects": {
      const { hostname, port, protocol } = new URL(existing.url);
      return {
        api: existing.api,
        url: existing.url,
        internal: { host: hostname, port: Number(port) || (protocol === "https:" ? 443 : 80), members: [] },
        region: existing.region,
        key: configured(`${name}Key`),
        secret: configured(`${name}Secret`),
        bucket: (bucket) => existing.prefix + bucket,
        ready: [],
      };
    }
    case "oidc": {
      const { domain } = existing;
      return {
        issuer: existing.issuer,
        urls:
          existing.urls ?? (domain === undefined ? belowIssuer(existing.issuer) : ofCognito(existing.issuer, domain)),
        groupsClaim: existing.groupsClaim ?? (domain === undefined ? "groups" : "cognito:groups"),
        clientId: existing.clientId,
        clientSecret: configured(`${name}ClientSecret`),
        ready: [],
      };
    }
    default: {
      const { host, port = defaultPort[existing.kind], user, ca } = existing;
      const login = user === undefined ? {} : { user, password: configured(`${name}Password`) };
      const trust = ca === undefined ? {} : { ca: interpolate`${ca}` };
      return { host, port, members: [], ready: [], user: "", password: secret(""), ...login, ...trust };
    }
  }
}

/** What is wrong with `existing`: a name that nothing needs, or another kind than the system needs there. */
export function checkExisting(
  needs: readonly { readonly kind: keyof Kinds; readonly name: string }[],
  existing: Readonly<Record<string, Existing>>,
): Problem[] {
  return Object.entries(existing).flatMap(([name, row]) => {
    const { kind } = row;
    const need = needs.find((each) => each.name === name);
    if (need === undefined) {
      const known = needs.map((each) => `${each.name} (${each.kind})`).join(", ");
      return [{ key: `existing.${name}`, remedy: `nothing here needs it; the system needs ${known}` }];
    }
    const ca = "ca" in row && row.ca !== undefined ? checkAuthorities(`existing.${name}.ca`, row.ca).problems : [];
    return need.kind === kind
      ? ca
      : [{ key: `existing.${name}.kind`, value: kind, remedy: `the system needs ${need.kind} there` }];
  });
}

function belowIssuer(issuer: string) {
  const base = `${issuer.replace(/\/$/, "")}/protocol/openid-connect`;
  return { auth: `${base}/auth`, token: `${base}/token`, keys: `${base}/certs`, logout: `${base}/logout` };
}

function ofCognito(issuer: string, domain: string) {
  const base = domain.replace(/\/$/, "");
  return {
    auth: `${base}/oauth2/authorize`,
    token: `${base}/oauth2/token`,
    keys: `${issuer.replace(/\/$/, "")}/.well-known/jwks.json`,
    logout: `${base}/logout`,
  };
}
