import { generateKeyPairSync, randomUUID, timingSafeEqual } from "node:crypto";
import http from "node:http";

import Provider from "oidc-provider";
import { z } from "zod";

import { parseConfig, readConfig } from "../config/file.ts";
import { Refusal } from "../errors.ts";
import type { MakeRole } from "../role.ts";
import { bodyOf, send, sendJson } from "../server.ts";

const configSchema = z.strictObject({
  issuer: z.url(),
  client: z.strictObject({ id: z.string().min(1), secret: z.string().min(16), callback: z.url() }),
  /** Groups by user. */
  users: z.record(z.string(), z.array(z.string())),
  password: z.string().min(16),
  mailDomain: z.string().min(1),
});
type Config = z.output<typeof configSchema>;

/**
 * An OpenID provider for a rehearsal: one client, demo users under one generated password, a claim `groups`. The
 * protocol is a real provider's (oidc-provider): authorization code with PKCE, signed tokens. Keys and sessions end
 * with the process.
 */
export const openid: MakeRole = ({ env, secrets }) => {
  const path = env.OPENID_CONFIG ?? "";
  if (path === "") throw new Refusal("OPENID_CONFIG is not set");
  const config = parseConfig(readConfig(path, "OPENID_CONFIG"), path, configSchema);
  secrets.add(config.client.secret, config.password);
  const provider = providerOf(config);
  return {
    name: "openid",
    title: "an OpenID provider",
    checks: [
      { name: "users", target: path, required: true, run: () => Promise.resolve(Object.keys(config.users).join(", ")) },
    ],
    listen: (loop, say) => {
      // Clients are told little of the reason, so it is logged here.
      provider.on("grant.error", (_, { message, error_detail: detail = "" }) => {
        say(`token refused: ${message} ${detail}`);
      });
      provider.on("server_error", (_, { message }) => {
        say(`failed: ${message}`);
      });
      const standard = provider.callback();
      const server = http.createServer((request, response) => {
        const url = new URL(request.url ?? "/", config.issuer);
        if (url.pathname === "/health") sendJson(response, loop.health().ok ? 200 : 503, loop.health());
        else if (url.pathname.startsWith("/interaction/"))
          interaction(provider, config, request, response).catch(() => {
            sendJson(response, 400, { error: "this sign-in has ended: begin again at the application" });
          });
        else void standard(request, response);
      });
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(8080, resolve);
      });
    },
  };
};

function providerOf({ issuer, client, users, mailDomain }: Config): Provider {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider: Provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [client.callback],
        post_logout_redirect_uris: [`${new URL(client.callback).origin}/`],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "rehearsal" }] },
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    conformIdTokenClaims: false, // the applications read the token alone
    claims: { openid: ["sub", "groups"], email: ["email"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, id) =>
      !Object.hasOwn(users, id)
        ? undefined
        : { accountId: id, claims: () => ({ sub: id, email: `${id}@${mailDomain}`, groups: users[id] ?? [] }) },
    // The one client is the stack's own: nobody is asked for consent.
    loadExistingGrant: async ({ oidc }) => {
      const accountId = oidc.session?.accountId;
      if (accountId === undefined) return undefined;
      const grant = new provider.Grant({ clientId: client.id, accountId });
      grant.addOIDCScope("openid email");
      await grant.save();
      return grant;
    },
    ttl: { Session: 86_400, Interaction: 600, Grant: 86_400, IdToken: 600, AccessToken: 600 },
  });
  provider.proxy = true; // the edge ends TLS
  return provider;
}

/** The sign-in page, and its answer. */
async function interaction(
  provider: Provider,
  { users, password }: Config,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method === "POST") {
    const form = new URLSearchParams((await bodyOf(request, 4096)) ?? "");
    const user = form.get("user") ?? "";
    if (Object.hasOwn(users, user) && same(form.get("password") ?? "", password))
      return provider.interactionFinished(
        request,
        response,
        { login: { accountId: user } },
        { mergeWithLastSubmission: false },
      );
    send(response, 401, "text/html; charset=utf-8", formPage(uid, Object.keys(users), "Wrong user or password."));
    return;
  }
  send(response, 200, "text/html; charset=utf-8", formPage(uid, Object.keys(users), ""));
}

function same(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function formPage(uid: string, users: readonly string[], said: string): string {
  const options = users.map((user) => `<option>${user}</option>`).join("");
  return `<!doctype html><title>Sign in</title><p>A stand-in for your OpenID provider. The password is the stack's output passwords.sign-in.</p><p>${said}</p>
<form method="post" action="/interaction/${uid}"><select name="user">${options}</select> <input type="password" name="password" autofocus> <button>Sign in</button></form>`;
}
