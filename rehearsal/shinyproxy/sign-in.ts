import * as openid from "openid-client";
import { z } from "zod";

import type { Application } from "../config/shinyproxy.ts";
import { Refusal } from "../errors.ts";
import type { Login, Session } from "./state.ts";

export const callbackPath = "/login/oauth2/code/shinyproxy";

/** The authorization code flow with PKCE, with the settings of application.yml. */
export class SignIn {
  readonly #config: Application["proxy"]["openid"];

  constructor({ proxy }: Application) {
    this.#config = proxy.openid;
  }

  /** The address to which the browser goes, and what we have to remember until it comes back. */
  async begin(origin: string, to: string): Promise<{ url: string; state: string; login: Login }> {
    const [verifier, state, nonce] = [openid.randomPKCECodeVerifier(), openid.randomState(), openid.randomNonce()];
    const url = openid.buildAuthorizationUrl(this.#client("https://unknown.invalid"), {
      redirect_uri: origin + callbackPath,
      scope: this.#config.scopes.join(" "),
      state,
      nonce,
      ...(this.#config["with-pkce"]
        ? { code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" }
        : {}),
    });
    return { url: url.href, state, login: { verifier, nonce, to } };
  }

  /** Exchanges the code, checks the token's signature and nonce, and reads who it is. */
  async end(url: URL, state: string, login: Login): Promise<Session> {
    const issuer = url.searchParams.get("iss");
    if (issuer === null) throw new Refusal("the provider does not say who it is (iss)");
    const checks = {
      expectedState: state,
      expectedNonce: login.nonce,
      ...(this.#config["with-pkce"] ? { pkceCodeVerifier: login.verifier } : {}),
    };
    const tokens = await openid.authorizationCodeGrant(this.#client(issuer), url, checks).catch((error: unknown) => {
      if (!(error instanceof openid.ResponseBodyError)) throw error;
      throw new Refusal(`the provider refuses the sign-in: ${error.error} ${error.error_description ?? ""}`);
    });
    const claims = tokens.claims() ?? {};
    const name = this.#config["username-attribute"];
    const user = z.string().min(1).safeParse(Reflect.get(claims, name));
    if (!user.success) throw new Refusal(`the token has no claim ${name}`);
    const groups = z.array(z.string()).safeParse(Reflect.get(claims, this.#config["roles-claim"]));
    return { user: user.data, groups: groups.data ?? [] };
  }

  /** The logout address: ShinyProxy adds nothing to the one that it is given. */
  logout(origin: string): string {
    return this.#config["logout-url"] ?? origin;
  }

  /** Nobody tells ShinyProxy the issuer either: the answer names it, and the token must name the same. */
  #client(issuer: string): openid.Configuration {
    const config = this.#config;
    const client = new openid.Configuration(
      {
        issuer,
        authorization_endpoint: config["auth-url"],
        token_endpoint: config["token-url"],
        jwks_uri: config["jwks-url"],
      },
      config["client-id"],
      undefined,
      openid.ClientSecretBasic(config["client-secret"]),
    );
    openid.enableNonRepudiationChecks(client);
    // Inside a stack the token's address is plain HTTP; nobody but the edge is on that network.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as deprecated only so that it stands out
    if (config["token-url"].startsWith("http:")) openid.allowInsecureRequests(client);
    return client;
  }
}
