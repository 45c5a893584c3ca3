import { z } from "zod";

import lock from "./images.json" with { type: "json" };
import type { Dict } from "./contracts.ts";
import { listed, type Problem } from "./errors.ts";
import { own } from "./formats.ts";

/** A row of `images.json`. Public images have `ref` and `version`; `built`: ours, made by set-up; else private. */
const row = z
  .strictObject({
    ref: z.string().optional(),
    version: z.string().optional(),
    /** Filled in from a registry; a reference with a digest pulls exactly that. */
    digest: z.string().startsWith("sha256:").optional(),
    /** Of a public image: the release line that its makers mend as one, by its name. */
    line: z.string().optional(),
    /** The line's last day, as its makers say it. */
    until: z.iso.date().optional(),
    /** In its place: why no day is known. */
    open: z.string().optional(),
    /** What the recipe was really run with here. */
    ran: z.string().optional(),
    /** An older line does not read what a newer one has written: the disk moves by the operator's word alone. */
    data: z.literal(true).optional(),
    built: z.literal(true).optional(),
    /** What a private image's reference looks like, for the error message. */
    example: z.string().optional(),
    /** The key of the stack's config that makes this image needless: something exists in its place. */
    instead: z.string().optional(),
    /** The HTTP client inside, for health checks. Default: none. */
    client: z.enum(["curl", "wget", "python", "bash"]).optional(),
    /** `env`: the image cannot read its secrets from files. */
    secrets: z.enum(["env"]).optional(),
    /** The image that stands in for a private store's in a rehearsal: a real server, where an application's is ours. */
    standIn: z.string().optional(),
  })
  .refine(
    ({ ref, version, line, until, open, ran }) =>
      ref === undefined
        ? [line, until, open, ran].every((each) => each === undefined)
        : [version, line, ran].every((each) => each !== undefined) && (until === undefined) !== (open === undefined),
    "a public image has `version`, `line`, `ran`, and one of `until` and `open`; another image has none of the last four",
  );
export type ImageRow = z.infer<typeof row>;

/** Every image that a system may name: versions live here and nowhere else. */
export const imageLock: Dict<ImageRow> = z.record(z.string(), row).parse(lock);

/** The sentence for another key. */
export const noSuchImage = `no such image; known are ${listed(Object.keys(imageLock))} (components/core/images.json)`;

/** The row of `key`; a row `media/*` is that of every `media/<name>` without one of its own. */
export function imageRow(key: string): ImageRow | undefined {
  return own(imageLock, key) ?? own(imageLock, key.replace(/[^/]+$/, "*"));
}

/**
 * A further system names its own images `<system>/<name>` without a row for any: private, with what an unknown image is
 * sure to have, no HTTP client, and files for its secrets.
 */
export function privateRow(key: string): ImageRow | undefined {
  const folder = /^[a-z][a-z0-9-]*\/(?=[a-z0-9-]+$)/.exec(key)?.[0];
  if (folder === undefined || Object.keys(imageLock).some((known) => known.startsWith(folder))) return undefined;
  return { example: `registry.example.com/${key}:1.0.0` };
}

/** An image as a topology runs it. */
export interface Image {
  readonly key: string;
  readonly ref: string;
  /** The rehearsal image stands in for it. */
  readonly rehearsing: boolean;
  /** Another server's image stands in for a private one. */
  readonly standsIn?: true;
  readonly client: "curl" | "wget" | "python" | "bash" | "none";
  readonly secrets: "files" | "env";
}

export interface ImageChoices {
  /** `images` of the stack's config: a reference for a key, before everything else. */
  readonly overrides: Dict<string>;
  /** What set-up built on this machine, by key; empty where images come from registries. */
  readonly local: Dict<string>;
  /** The same list for the tags of our own images in the mirror, whether or not this machine's images are used. */
  readonly built?: Dict<string>;
  /** Put the rehearsal image in the place of private images that are not configured. */
  readonly rehearsal: boolean;
  /** A registry that mirrors all public ones, as `mirror.example.com/hub`; `npm run images -- push` fills one. */
  readonly mirror?: string;
}

/** The image for `key`, or what is missing. A mirror serves everything, before this machine's own images. */
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
    // What was built here in its place has another digest.
    const digest = entry.digest === undefined || Object.hasOwn(choices.local, key) ? "" : `@${entry.digest}`;
    const name = mirror === undefined ? `${entry.ref}:${entry.version ?? ""}` : inMirror(key, entry, mirror);
    return { ...image, ref: name + digest };
  }
  if (entry.built && mirror !== undefined)
    return { ...image, ref: inMirror(key, entry, mirror, tagOf(own(choices.built, key))) };
  if (entry.built)
    return {
      key: `images.${key}`,
      remedy: "it is built, not pulled: run `npm start` once (or `npm test`), or name one here",
    };
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
