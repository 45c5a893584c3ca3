/** One image, built with the engine's own `docker build` and kept in the cache, so that a new engine only loads it. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { cached, keyOf } from "../setup/cache.ts";
import { repo } from "../setup/paths.ts";
import { base } from "./base.ts";
import { loggedTo } from "./log.ts";

import type { Recipe, Say } from "../setup/cache.ts";
import type { LocalImage } from "./list.ts";

/** An image with everything that decides its content. */
export interface Planned {
  key: string;
  /** `platform-topologies/<key>:<version>-<hash of the recipe>`: another recipe is another tag. */
  tag: string;
  quick: boolean;
  recipe: Recipe;
}

/** Tells what would be built, and under which tag. Reads only the checkout. */
export async function plan(image: LocalImage, online: boolean): Promise<Planned> {
  const parts = [...(image.parts ?? []), ...(online ? [] : (image.offlineParts ?? []))];
  const from = online ? image.base : undefined;
  const folder = folderOf(image);
  const recipe: Recipe = {
    name: `image-${image.key}`,
    version: image.version,
    inputs: [folder],
    options: [from ?? (await keyOf(base)), ...(await Promise.all(parts.map(keyOf)))],
    async make(into, say) {
      await build({ key: image.key, folder, tag, from, parts }, into, say);
      if (image.quick === true) return;
      say("saving to the cache");
      const sentence = `The ${image.key} image could not be saved: see the log, and whether the disk has room`;
      await loggedTo(`image-${image.key}-save`)(sentence, "docker", ["save", "--output", archiveIn(into), tag]);
    },
  };
  const tag = tagOf(image.key, image.version, await keyOf(recipe));
  return { key: image.key, tag, quick: image.quick === true, recipe };
}

/** Makes sure that the engine has the image: it is there already, or is loaded from the cache, or built. */
export async function provide({ key, tag, quick, recipe }: Planned, say: Say): Promise<void> {
  if (await present(tag)) return;
  if (quick) {
    const folder = await mkdtemp(join(tmpdir(), `platform-topologies-${key}-`));
    await recipe.make(folder, say).finally(() => rm(folder, { recursive: true, force: true }));
    return;
  }
  const folder = await cached(recipe, say);
  if (await present(tag)) return;
  say("loading from the cache");
  const sentence = `The ${key} image could not be loaded: see the log, and whether the engine has room on its disk`;
  await loggedTo(`image-${key}-load`)(sentence, "docker", ["load", "--quiet", "--input", archiveIn(folder)]);
}

export async function present(tag: string): Promise<boolean> {
  return !(await execa("docker", ["image", "inspect", tag], { reject: false })).failed;
}

interface Build {
  key: string;
  folder: string;
  tag: string;
  from: string | undefined;
  parts: readonly Recipe[];
}

/** Assembles what `docker build` is given, in a new folder below `scratch`. Returns that. */
export async function contextOf(folder: string, parts: readonly Recipe[], scratch: string, say: Say): Promise<string> {
  const context = join(scratch, "context");
  await cp(join(repo, folder), context, { recursive: true });
  for (const part of parts) await cp(await cached(part, say), join(context, "parts", part.name), { recursive: true });
  return context;
}

async function build({ key, folder, tag, from, parts }: Build, scratch: string, say: Say): Promise<void> {
  const context = await contextOf(folder, parts, scratch, say);
  const baseArg = `BASE=${from ?? (await baseTag(say))}`;
  // The build has the host's network, which reaches the package mirror even if bridges have no way out.
  const args = ["build", "--network", "host", "--build-arg", baseArg, "--tag", tag, context];
  const sentence = `The ${key} image could not be built: see the log, and run the same command again`;
  await loggedTo(`image-${key}`)(sentence, "docker", args, (line) => {
    const step = /^(Step \d+\/\d+|#\d+ \[[^\]]*\]|(Unpacking|Setting up) [^ :]+)/.exec(line)?.[1];
    if (step !== undefined) say(step);
  });
  await rm(context, { recursive: true });
}

let importing: Promise<string> | undefined;

/** The base image's tag; imported into the engine when it is not there, by the first build that needs it. */
function baseTag(say: Say): Promise<string> {
  importing ??= importBase(say).finally(() => {
    importing = undefined;
  });
  return importing;
}

async function importBase(say: Say): Promise<string> {
  const tag = tagOf("base", base.version, await keyOf(base));
  if (await present(tag)) return tag;
  const rootfs = join(await cached(base, say), "rootfs.tar");
  const sentence = "The base image could not be loaded: see the log, and whether the engine has room on its disk";
  await loggedTo("image-base-import")(sentence, "docker", ["import", "--change", 'CMD ["bash"]', rootfs, tag]);
  return tag;
}

/** The folder of its Dockerfile, relative to the checkout. */
export function folderOf({ key, folder = key }: LocalImage): string {
  return `tools/images/${folder}`;
}

function tagOf(key: string, version: string, recipeKey: string): string {
  return `platform-topologies/${key}:${version}-${recipeKey.slice(-12, -4)}`;
}

function archiveIn(folder: string): string {
  return join(folder, "image.tar");
}
