import { all, type ComponentResourceOptions, output } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";

const path = "/run/openid/openid.json";

/**
 * We never run sign-in by OpenID: a stack names its provider (Keycloak, Cognito, any) under `existing`. In a rehearsal
 * a small provider stands in, with a user `demo`, and `demo-<group>` for each group, under one generated password.
 * Without either, the check says what is missing.
 */
export const oidc: Recipe<"oidc"> = (p, name, ask) => {
  const issuer = p.publicUrl(name);
  const clientSecret = p.secret(`${name}-client-secret`);
  const password = p.secret(`${name}-demo-password`);
  const clientId = p.name;
  const users = { demo: [], ...Object.fromEntries(ask.groups.map((group) => [`demo-${group}`, [group]])) };
  const content = all([clientSecret, password]).apply(([secret, demo]) =>
    JSON.stringify({
      issuer,
      client: { id: clientId, secret, callback: ask.callback },
      users,
      password: demo,
      mailDomain: p.hostname,
    }),
  );
  const made = p.run(name, {
    image: "openid",
    tier: "edge",
    cpu: 0.5,
    memoryMib: 256,
    files: [{ path, content, secret: true }],
    env: { OPENID_CONFIG: path },
    rehearsal: { REHEARSAL_ROLE: "openid" },
    ports: { web: { number: 8080, protocol: "http" } },
    routes: [{ host: p.publicHost(name), path: "/", port: "web" }],
    health: { ready: { http: "web", path: "/health" }, startSeconds: 60, stopSeconds: 10 },
    replicas: 1,
    ...(ask.nodeLabels === undefined ? {} : { nodes: ask.nodeLabels }),
  });
  // The application itself calls this one, inside: it needs no edge, and no authority to trust.
  const inside = `http://${made.host}:8080`;
  const after = new URLSearchParams({ client_id: clientId, post_logout_redirect_uri: `${p.url}/` });
  return {
    issuer,
    urls: {
      auth: `${issuer}/auth`,
      token: `${inside}/token`,
      keys: `${inside}/jwks`,
      logout: `${issuer}/session/end?${String(after)}`,
    },
    groupsClaim: "groups",
    clientId: output(clientId),
    clientSecret,
    password,
    ready: made.ready,
  };
};

/** A user pool of the place's own. */
export const managedOidc: Recipe<"oidc"> = (p, name, ask) => p.managed("oidc", name, ask);

/** A stand-in OpenID provider, in rehearsal alone. */
export class OpenId extends Service<"oidc"> {
  /** How containers supply it. */
  static readonly recipe = oidc;

  constructor(name: string, args: ServiceArgs<"oidc">, opts?: ComponentResourceOptions) {
    super("OpenId", "oidc", oidc, name, args, opts);
  }
}
