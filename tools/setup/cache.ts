/**
 * Built parts, kept outside the checkout. A part is built in a temporary folder beside its place and published by one
 * rename, so that a kill at any moment leaves either the whole part or none; a lock keeps two processes from building
 * the same part twice.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, readFile, readdir, readlink, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { lock } from "proper-lockfile";

import { cacheRoot, repo } from "./paths.ts";
import { codeOf } from "./problem.ts";

export type Say = (line: string) => void;

export interface Recipe {
  name: string;
  version: string;
  /** Files and folders, relative to the checkout, whose content is part of the key. */
  inputs: readonly string[];
  /** Further words that change the result: build flags, package names. */
  options?: readonly string[];
  /** Puts the finished part into the empty folder `into`. */
  make(into: string, say: Say): Promise<void>;
}

interface Entry {
  path: string;
  size: number;
  mtimeMs: number;
  /** The hash of the content, or of a symbolic link's target. */
  sha256: string;
}

/** A lock that was not refreshed for so long belongs to a dead process. */
const staleMs = 15_000;

/**
 * The folder with what the recipe makes: from the cache, or made now. `check: "full"` compares every byte with the
 * manifest, "quick" (default) sizes and times; a damaged part is made again. Throws what `make` throws.
 */
export async function cached(
  recipe: Recipe,
  say: Say = () => undefined,
  check: "quick" | "full" = "quick",
): Promise<string> {
  const key = await keyOf(recipe);
  const place = join(cacheRoot(), "parts", key);
  const files = join(place, "files");
  if (await isWhole(place, check)) return files;
  const scratch = join(cacheRoot(), "scratch");
  await mkdir(join(cacheRoot(), "parts"), { recursive: true });
  await mkdir(scratch, { recursive: true });
  const release = await acquire(place, () => {
    say(`waiting for another process that makes ${recipe.name} ${recipe.version}`);
  });
  try {
    if (await isWhole(place, check)) return files;
    await rm(place, { recursive: true, force: true });
    // The process that left these folders is dead, as we hold the lock. Ours gets a new name: a compiler without its
    // parent may still write into the old one.
    for (const name of await readdir(scratch))
      if (name.startsWith(`${key}.`)) await rm(join(scratch, name), { recursive: true, force: true });
    const draft = join(scratch, `${key}.${randomBytes(4).toString("hex")}`);
    await mkdir(join(draft, "files"), { recursive: true });
    try {
      await recipe.make(join(draft, "files"), say);
      await writeFile(join(draft, "manifest.json"), JSON.stringify(await entries(join(draft, "files")), null, 1));
      await rename(draft, place);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return files;
  } finally {
    await release();
  }
}

/** Whether the whole part is there already. */
export async function isCached(recipe: Recipe): Promise<boolean> {
  return isWhole(join(cacheRoot(), "parts", await keyOf(recipe)), "quick");
}

/** Name, version and a hash of all that decides the result: readable, and different whenever the result would be. */
export async function keyOf(recipe: Recipe): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([recipe.version, recipe.options ?? [], process.platform, process.arch]));
  for (const input of [...recipe.inputs].sort())
    for (const path of await walk(join(repo, input)))
      hash.update(JSON.stringify([relative(repo, path), await digest(path)]));
  return `${recipe.name}-${recipe.version}-${hash.digest("hex").slice(0, 12)}`;
}

/** Files and links below a path (or the file itself), sorted. */
async function walk(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  if ((await lstat(path)).isSymbolicLink()) hash.update(await readlink(path));
  else await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function entries(folder: string): Promise<Entry[]> {
  const list: Entry[] = [];
  for (const path of await walk(folder)) {
    const { size, mtimeMs } = await lstat(path);
    list.push({ path: relative(folder, path), size, mtimeMs, sha256: await digest(path) });
  }
  return list;
}

async function isWhole(place: string, check: "quick" | "full"): Promise<boolean> {
  try {
    const list = JSON.parse(await readFile(join(place, "manifest.json"), "utf8")) as Entry[];
    for (const entry of list) {
      const path = join(place, "files", entry.path);
      const { size, mtimeMs } = await lstat(path);
      if (size !== entry.size || mtimeMs !== entry.mtimeMs) return false;
      if (check === "full" && (await digest(path)) !== entry.sha256) return false;
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || error instanceof SyntaxError) return false;
    throw error;
  }
}

async function acquire(place: string, waiting: () => void): Promise<() => Promise<void>> {
  for (let tries = 0; ; tries++) {
    try {
      // A compromised lock (this process slept past the limit) costs a second build at worst: rename decides.
      return await lock(place, { realpath: false, stale: staleMs, update: 3_000, onCompromised: () => undefined });
    } catch (error) {
      if (codeOf(error) !== "ELOCKED") throw error;
      if (tries === 2) waiting();
      await sleep(1_000);
    }
  }
}
