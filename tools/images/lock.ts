/** Reads back from a registry what a release has published, and writes it into the image lock file. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { credentials } from "../../ops/registry.ts";
import { formatted } from "../commands/formatted.ts";
import { repo } from "../setup/paths.ts";
import { describe, Problem } from "../setup/problem.ts";
import { nameIn, platforms } from "./publish.ts";

/** The references with their digests, by key. Throws a Problem for an image that is not there for both machines. */
export async function lockedAt(
  registry: string,
  tag: string,
  keys: readonly string[],
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const key of keys) {
    const name = nameIn(registry, key, tag);
    found[key] = `${name}@${await digestOf(name)}`;
  }
  return found;
}

/** Puts them into the lock file in the place of the last release's. Returns the file's path in the checkout. */
export async function writeLock(found: Readonly<Record<string, string>>): Promise<string> {
  const file = "components/core/image-lock.ts";
  const path = join(repo, file);
  await writeFile(path, await formatted(path, withPublished(await readFile(path, "utf8"), found)));
  return file;
}

/** The lock file's text with these references, before it is formatted. */
export function withPublished(text: string, found: Readonly<Record<string, string>>): string {
  const block = /^(export const published: Dict<string> = )\{[^}]*\};$/m;
  if (!block.test(text)) throw new Error("the image lock file has no `published`");
  return text.replace(block, (_, begin: string) => `${begin}${JSON.stringify(found)};`);
}

const kinds = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/** What is no list is asked for, too: an old registry would make up another form of it. */
const accept = [
  ...kinds,
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const index = z.object({
  manifests: z.array(z.looseObject({ platform: z.object({ os: z.string(), architecture: z.string() }).optional() })),
});

async function digestOf(name: string): Promise<string> {
  const answer = await manifest(name);
  const body = Buffer.from(await answer.arrayBuffer());
  if (answer.status === 404) throw new Problem(`${name} is not in the registry: publish it first`);
  if (!answer.ok)
    throw new Problem(`${name} cannot be read: the registry says ${String(answer.status)}: docker login there`);
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  const said = answer.headers.get("docker-content-digest");
  if (said !== null && said !== digest) throw new Problem(`${name}: the registry says ${said}, and has sent ${digest}`);
  const read = kinds.some((kind) => answer.headers.get("content-type")?.startsWith(kind))
    ? index.parse(JSON.parse(body.toString())).manifests
    : [];
  const there = read.map(({ platform }) => `${platform?.os ?? ""}/${platform?.architecture ?? ""}`);
  const missing = platforms.filter((platform) => !there.includes(platform));
  if (missing.length > 0)
    throw new Problem(
      `${name} is not there for ${missing.join(" and ")}: \`npm run images -- publish\` builds for both`,
    );
  return digest;
}

/** The manifest, as what a registry says to whom it does not know: first without, then with the token that it asks for. */
async function manifest(name: string): Promise<Response> {
  const [, host = "", path = "", tag = ""] = /^([^/]+)\/(.+):([^:/]+)$/.exec(name) ?? [];
  // As Docker itself: plain http is for this machine's own.
  const scheme = /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$/.test(host) ? "http" : "https";
  const ask = (authorization?: string): Promise<Response> =>
    fetch(`${scheme}://${host}/v2/${path}/manifests/${tag}`, {
      headers: { accept, ...(authorization === undefined ? {} : { authorization }) },
    }).catch((error: unknown) => {
      throw new Problem(`${name} cannot be read: the registry ${host} does not answer (${describe(error)})`);
    });
  const first = await ask();
  if (first.status !== 401) return first;
  const known = await credentials(name, [host]).catch(() => undefined);
  const basic =
    known === undefined ? undefined : `Basic ${Buffer.from(`${known.username}:${known.password}`).toString("base64")}`;
  const challenge = first.headers.get("www-authenticate") ?? "";
  await first.arrayBuffer();
  if (!/^bearer /i.test(challenge)) return ask(basic);
  const part = (key: string): string => new RegExp(`${key}="([^"]*)"`).exec(challenge)?.[1] ?? "";
  const at = new URL(part("realm"));
  at.searchParams.set("service", part("service"));
  at.searchParams.set("scope", `repository:${path}:pull`);
  const given = await fetch(at, { headers: basic === undefined ? {} : { authorization: basic } });
  if (!given.ok) return given;
  const { token, access_token: other } = z
    .object({ token: z.string().optional(), access_token: z.string().optional() })
    .parse(await given.json());
  return ask(`Bearer ${token ?? other ?? ""}`);
}
