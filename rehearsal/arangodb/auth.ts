import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { Refused } from "./fatal.ts";
import type { State } from "./state.ts";

/** JSON Web Tokens as the servers make them: HS256 with the secret that all members share. */
export class Tokens {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** A token for calls between members. */
  member(id: string): string {
    return `bearer ${this.#sign({ iss: "arangodb", server_id: id })}`;
  }
  user(name: string, seconds = 3600): string {
    return this.#sign({ iss: "arangodb", preferred_username: name, exp: Math.floor(Date.now() / 1000) + seconds });
  }

  /** Who has signed in: `member`, a user's name, or nobody. */
  read(token: string): string | undefined {
    const [head = "", body = "", signature = ""] = token.split(".");
    const right = Buffer.from(this.#signature(`${head}.${body}`));
    const given = Buffer.from(signature);
    if (right.length !== given.length || !timingSafeEqual(right, given)) return undefined;
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
    if (typeof claims.exp === "number" && claims.exp * 1000 < Date.now()) return undefined;
    if (typeof claims.server_id === "string") return "member";
    return typeof claims.preferred_username === "string" ? claims.preferred_username : undefined;
  }

  #sign(claims: object): string {
    const text = [{ alg: "HS256", typ: "JWT" }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${text}.${this.#signature(text)}`;
  }
  #signature(text: string): string {
    return createHmac("sha256", this.#secret).update(text).digest("base64url");
  }
}

export function hashed(password: string): State["root"] {
  const salt = randomBytes(8).toString("hex");
  return { salt, hash: hash(salt, password) };
}
function hash(salt: string, password: string): string {
  return createHash("sha256").update(`${salt}${password}`).digest("hex");
}
export function isRoot(user: unknown, password: unknown, { root }: State): boolean {
  return user === "root" && typeof password === "string" && root.hash === hash(root.salt, password);
}

/** `member` or `root`. @throws Refused 401. */
export function whoIs(authorization: string, tokens: Tokens, state: State | undefined): string {
  const [, scheme = "", value = ""] = /^(\w+) (.*)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === "bearer") {
    const who = tokens.read(value);
    if (who === "member" || who === "root") return who;
  }
  if (scheme.toLowerCase() === "basic" && state !== undefined) {
    const [, user, password] = /^([^:]*):([^]*)$/.exec(Buffer.from(value, "base64").toString()) ?? [];
    if (isRoot(user, password, state)) return "root";
  }
  throw new Refused(401, 11, "not authorized");
}
