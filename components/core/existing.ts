import { type Output, output, secret } from "@pulumi/pulumi";

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
      /** What it speaks. */
      readonly kind: Exclude<Kind, "objects" | "oidc" | "containers" | "swarm">;
      /** A DNS name, or an address, that containers reach. */
      readonly host: string;
      /** Default: the kind's own. */
      readonly port?: number | undefined;
      /** Unset: nobody signs in. */
      readonly user?: string | undefined;
      /** It speaks TLS. Default: true with `ca`, else false, as the company's network is trusted. */
      readonly tls?: boolean | undefined;
      /** A private authority's certificate, PEM. Unset, with `tls`: a public authority signed. */
      readonly ca?: string | undefined;
    }
  | {
      /** An object store. */
      readonly kind: "objects";
      /** What it speaks. */
      readonly api: "s3" | "azure-blob";
      /** One address, for browsers and for containers. */
      readonly url: string;
      /** A private authority's certificate, PEM. Unset: a public authority signed, if the address is https. */
      readonly ca?: string | undefined;
      /** The region that signatures name. */
      readonly region: string;
      /** Before each bucket's name. */
      readonly prefix: string;
      /** Behind each bucket's name. Default: nothing. */
      readonly suffix?: string | undefined;
    }
  | {
      /** An OpenID provider. */
      readonly kind: "oidc";
      /** Its URL, as its tokens have it. */
      readonly issuer: string;
      /**
       * All four, or `logout` alone. Unset: as Keycloak and others have them below the issuer. The application leads a
       * browser to exactly `logout`; ShinyProxy resolves `#{oidcUser.idToken.tokenValue}` in it.
       */
      readonly urls?:
        | {
            /** Where a browser signs in. */
            readonly auth?: string | undefined;
            /** Where a code becomes a token. */
            readonly token?: string | undefined;
            /** The keys that sign tokens. */
            readonly keys?: string | undefined;
            /** Where a browser signs out. */
            readonly logout: string;
          }
        | undefined;
      /** Cognito's hosted domain, as `https://login.example.com`: its addresses are there, not below the issuer. */
      readonly domain?: string | undefined;
      /** Default: `groups`; with a Cognito domain `cognito:groups`. */
      readonly groupsClaim?: string | undefined;
      /** As it is registered there. Its secret is `secrets.<need>ClientSecret`. */
      readonly clientId: string;
    };

/**
 * What `existing` gives in the place of a recipe. `configured`: a secret that the operator sets; `home`: the stack's
 * page.
 */
export function existingGiven(
  name: string,
  existing: Existing,
  configured: (name: string) => Output<string>,
  home: string,
): Given<Kind> {
  switch (existing.kind) {
    case "objects": {
      const { hostname, port, protocol } = new URL(existing.url);
      const tls = protocol === "https:";
      return {
        api: existing.api,
        url: existing.url,
        internal: { host: hostname, port: Number(port) || (tls ? 443 : 80), members: [], tls, ...trust(existing.ca) },
        region: existing.region,
        key: configured(`${name}Key`),
        secret: configured(`${name}Secret`),
        bucket: (bucket) => existing.prefix + bucket + (existing.suffix ?? ""),
        ready: [],
      };
    }
    case "oidc": {
      const { domain } = existing;
      const usual = domain === undefined ? belowIssuer(existing, home) : ofCognito({ ...existing, domain }, home);
      const { auth = usual.auth, token = usual.token, keys = usual.keys, logout = usual.logout } = existing.urls ?? {};
      return {
        issuer: existing.issuer,
        urls: { auth, token, keys, logout },
        groupsClaim: existing.groupsClaim ?? (domain === undefined ? "groups" : cognitoGroups),
        clientId: existing.clientId,
        clientSecret: configured(`${name}ClientSecret`),
        ready: [],
      };
    }
    default: {
      const { host, port = defaultPort[existing.kind], user, ca, tls = ca !== undefined } = existing;
      const login = user === undefined ? {} : { user, password: configured(`${name}Password`) };
      return { host, port, members: [], ready: [], user: "", password: secret(""), ...login, tls, ...trust(ca) };
    }
  }
}

function trust(ca: string | undefined) {
  return ca === undefined ? {} : { ca: output(ca) };
}

/** What is wrong with `existing`: a name that nothing needs, or another kind than the system needs there. */
export function checkExisting(
  needs: readonly { readonly kind: keyof Kinds; readonly name: string; readonly ask: object }[],
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
      ? [...ca, ...checkFit(name, row, need.ask)]
      : [{ key: `existing.${name}.kind`, value: kind, remedy: `the system needs ${need.kind} there` }];
  });
}

/** Whether a row fits the application: its bucket names, its port, a login and TLS, as far as its client knows them. */
function checkFit(name: string, row: Existing, ask: object): Problem[] {
  if (row.kind === "objects" && "fixedNames" in ask)
    return Object.entries({ prefix: row.prefix, suffix: row.suffix ?? "" })
      .filter(([, value]) => value !== "")
      .map(([key, value]) => ({
        key: `existing.${name}.${key}`,
        value,
        remedy: "the application knows its buckets by their bare names: leave it out, and make them under these",
      }));
  if (!("host" in row)) return [];
  const { ca, tls = ca !== undefined } = row;
  const key = `existing.${name}.${row.tls === undefined ? "ca" : "tls"}`;
  if (ca !== undefined && !tls)
    return [{ key, value: tls, remedy: "an authority is for TLS: leave one of the two out" }];
  const problems: Problem[] = [];
  const usual = defaultPort[row.kind];
  if ("fixedPort" in ask && (row.port ?? usual) !== usual)
    problems.push({
      key: `existing.${name}.port`,
      value: row.port,
      remedy: `the application knows only ${String(usual)}: let it answer there, or leave it to the stack`,
    });
  if ("clientAuth" in ask && ask.clientAuth === false && row.user !== undefined)
    problems.push({
      key: `existing.${name}.user`,
      value: row.user,
      remedy: "the application signs in nowhere: name one without a login, or leave it to the stack",
    });
  if (tls && "clientTls" in ask && ask.clientTls === "never")
    problems.push({
      key,
      remedy: "the application speaks no TLS to it: name one that takes plain text, or leave it to the stack",
    });
  return problems;
}

interface Client {
  readonly issuer: string;
  readonly clientId: string;
}

/** Logout is OpenID's RP-initiated logout. Keycloak asks the user whether to sign out, as it is given no ID token. */
function belowIssuer({ issuer, clientId }: Client, home: string) {
  const base = `${issuer.replace(/\/$/, "")}/protocol/openid-connect`;
  const after = new URLSearchParams({ client_id: clientId, post_logout_redirect_uri: home });
  return {
    auth: `${base}/auth`,
    token: `${base}/token`,
    keys: `${base}/certs`,
    logout: `${base}/logout?${String(after)}`,
  };
}

/** The claim in which Cognito lists a user's groups. */
export const cognitoGroups = "cognito:groups";

/** Cognito's logout has a form of its own, and leads only to an address that the pool's client allows. */
export function ofCognito({ issuer, clientId, domain }: Client & { readonly domain: string }, home: string) {
  const base = domain.replace(/\/$/, "");
  const after = new URLSearchParams({ client_id: clientId, logout_uri: home });
  return {
    auth: `${base}/oauth2/authorize`,
    token: `${base}/oauth2/token`,
    keys: `${issuer.replace(/\/$/, "")}/.well-known/jwks.json`,
    logout: `${base}/logout?${String(after)}`,
  };
}
