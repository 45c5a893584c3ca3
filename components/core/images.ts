import type { Dict } from "./contracts.ts";
import { listed, type Problem } from "./errors.ts";
import { own } from "./formats.ts";
import { imageLock, type ImageRow, published } from "./image-lock.ts";

/** The message for a key without a row. */
export const noSuchImage = `no such image; known are ${listed(Object.keys(imageLock))} (components/core/image-lock.ts)`;

/** The row of `key`; a row `media/*` is that of every `media/<name>` without one of its own. */
export function imageRow(key: string): ImageRow | undefined {
  return own(imageLock, key) ?? own(imageLock, key.replace(/[^/]+$/, "*"));
}

/**
 * A further system names its own images `<system>/<name>`, without a row for any. Such an image is private. As nothing
 * is known of it, it counts as one without an HTTP client that reads its secrets from files.
 */
export function privateRow(key: string): ImageRow | undefined {
  const folder = /^[a-z][a-z0-9-]*\/(?=[a-z0-9-]+$)/.exec(key)?.[0];
  if (folder === undefined || Object.keys(imageLock).some((known) => known.startsWith(folder))) return undefined;
  return { example: `registry.example.com/${key}:1.0.0` };
}

/** An image as a topology runs it. */
export interface Image {
  /** The key of image-lock.ts, or `<system>/<name>`. */
  readonly key: string;
  /** The reference that is run. */
  readonly ref: string;
  /** The rehearsal image stands in for it. */
  readonly rehearsing: boolean;
  /** Another server's image stands in for a private one. */
  readonly standsIn?: true;
  /** The program in it by which a probe asks for a page. */
  readonly client: "curl" | "wget" | "python" | "bash" | "none";
  /** Whether it reads secrets from files, or from its environment alone. */
  readonly secrets: "files" | "env";
}

export interface ImageChoices {
  /** `images` of the stack's config: a reference for a key, before everything else. */
  readonly overrides: Dict<string>;
  /** What set-up built on this machine, by key; empty where images come from registries. */
  readonly local: Dict<string>;
  /** The same list, also if `local` is empty: a mirror has our own images under these tags. */
  readonly built?: Dict<string>;
  /** Put the rehearsal image in the place of private images that are not configured. */
  readonly rehearsal: boolean;
  /** A registry that mirrors all public ones, as `mirror.example.com/hub`; `npm run images -- push` fills one. */
  readonly mirror?: string;
}

/** The image for `key`, or what is missing. A mirror, which serves all images, comes before this machine's own. */
export function resolveImage(key: string, choices: ImageChoices): Image | Problem {
  const entry = imageRow(key) ?? privateRow(key);
  if (entry === undefined) {
    return { key: `images.${key}`, remedy: noSuchImage };
  }
  const image = { key, rehearsing: false, client: entry.client ?? "none", secrets: entry.secrets ?? "files" } as const;
  const { mirror } = choices;
  const chosen = named(key, choices.overrides) ?? (mirror === undefined ? own(choices.local, key) : undefined);
  if (chosen !== undefined) return { ...image, ref: chosen };
  if (entry.ref !== undefined) {
    // An image that was built here has another digest than the row's.
    const digest = entry.digest === undefined || Object.hasOwn(choices.local, key) ? "" : `@${entry.digest}`;
    const name = mirror === undefined ? `${entry.ref}:${entry.version ?? ""}` : inMirror(key, entry, mirror);
    return { ...image, ref: name + digest };
  }
  if (entry.built && mirror !== undefined)
    return { ...image, ref: inMirror(key, entry, mirror, tagOf(own(choices.built, key))) };
  if (entry.built) {
    const ref = own(published, key);
    return ref === undefined ? { key: `images.${key}`, remedy: toBuild(key) } : { ...image, ref };
  }
  if (choices.rehearsal && entry.standIn !== undefined) {
    const stand = resolveImage(entry.standIn, choices);
    return "remedy" in stand ? stand : { ...stand, key, standsIn: true };
  }
  if (choices.rehearsal) {
    const stand = resolveImage("rehearsal", choices);
    return "remedy" in stand ? stand : { ...stand, key, rehearsing: true, secrets: image.secrets };
  }
  if (entry.instead !== undefined) {
    const remedy = "missing: name what you have there, as docs/ says; or set rehearsal: true for a stand-in";
    return { key: entry.instead, remedy };
  }
  const example = entry.example === undefined ? "" : `, as ${entry.example}`;
  return {
    key: `images.${key}`,
    remedy: `a private image: name your reference${example}, or set rehearsal: true to deploy without it`,
  };
}

/** How the operator comes by an image of ours that no public registry has; for a stack's config and for importers alike. */
function toBuild(key: string): string {
  return `ours, and in no public registry: in a checkout \`npm run images -- build ${key}\`, then \`npm run images -- push registry.example.com/hub ${key}\` with a registry of yours, and name here what that prints; or set mirror, which serves all images; or localImages, to try it on this machine alone`;
}

/** What the config says for `key` itself, or for `<its folder>/*`, where a `*` in the reference is the image's name. */
function named(key: string, overrides: Dict<string>): string | undefined {
  const name = key.slice(key.lastIndexOf("/") + 1);
  return own(overrides, key) ?? own(overrides, key.replace(/[^/]+$/, "*"))?.replace("*", name);
}

/**
 * The name of a public image, or of one of ours, in a registry that mirrors all: `docker.io/library/redis:7.0` is
 * `<mirror>/library/redis:7.0` there, and ours are `<mirror>/platform-topologies/<key>:<tag>`. `tag`: of our own image;
 * unset: the row's version.
 */
export function inMirror(key: string, { ref, version = "" }: ImageRow, mirror: string, tag = version): string {
  if (ref === undefined) return `${mirror}/platform-topologies/${key}:${tag}`;
  return `${mirror}/${ref.slice(ref.indexOf("/") + 1)}:${version}`;
}

/** The tag of a reference that has one. */
export function tagOf(reference: string | undefined): string | undefined {
  return /:([\w.-]+)$/.exec(reference ?? "")?.[1];
}

/** The image for a key of a plan that has been checked. */
export function imageOf(site: { image(key: string): Image | Problem }, key: string): Image {
  const found = site.image(key);
  if ("remedy" in found) throw new Error(`${key} was not checked before it was made: ${found.remedy}`);
  return found;
}
