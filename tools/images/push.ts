/** Copies of this machine's images in a registry, under the names that a stack with `mirror` set pulls. */
import { execa } from "execa";

import { imageLock, published } from "../../components/core/image-lock.ts";
import { own } from "../../components/core/formats.ts";
import { inMirror, tagOf } from "../../components/core/images.ts";
import { present } from "./build.ts";
import { loggedTo } from "./log.ts";

import type { Say } from "../setup/cache.ts";

/** One image of the lock file: what it is called here, and where it goes. */
export interface Copy {
  key: string;
  from: string;
  /** Our images get their own tag, which set-up's list names, and their version, for machines without that list. */
  to: readonly string[];
}

/** What could be copied, by the lock file and the list of what was built here. */
export function copies(registry: string, built: Readonly<Record<string, string>>): Copy[] {
  return Object.entries(imageLock).flatMap(([key, row]) => {
    const here = built[key];
    if (row.ref !== undefined)
      return [{ key, from: here ?? `${row.ref}:${row.version ?? ""}`, to: [inMirror(key, row, registry)] }];
    if (row.built !== true) return [];
    if (here !== undefined)
      return [{ key, from: here, to: [inMirror(key, row, registry, tagOf(here)), inMirror(key, row, registry)] }];
    const from = own(published, key);
    return from === undefined ? [] : [{ key, from, to: [inMirror(key, row, registry)] }];
  });
}

/**
 * Pushes what the engine has. Returns that, and what the engine has not. `pull`: what it has not is pulled first. Throws a
 * Problem if a registry refuses.
 */
export async function push(
  list: readonly Copy[],
  say: Say,
  pull = false,
): Promise<{ pushed: Copy[]; missing: Copy[] }> {
  const [pushed, missing]: [Copy[], Copy[]] = [[], []];
  for (const copy of list) {
    if (pull && !(await present(copy.from))) await pullOne(copy, say);
    if (!(await present(copy.from))) {
      missing.push(copy);
      continue;
    }
    for (const name of copy.to) {
      say(name);
      await pushOne(copy, name);
    }
    pushed.push(copy);
  }
  return { pushed, missing };
}

async function pullOne({ key, from }: Copy, say: Say): Promise<void> {
  say(`pulling ${from}`);
  const sentence = `${from} could not be pulled: see the log, and whether its registry answers`;
  await loggedTo(`image-${key}-pull`)(sentence, "docker", ["pull", "--quiet", from]);
}

async function pushOne({ key, from }: Copy, name: string): Promise<void> {
  const run = loggedTo(`image-${key}-push`);
  const sentence = `${name} could not be pushed: see the log, whether the registry answers and the engine is logged in there; one without TLS has to be among the engine's insecure-registries`;
  await run(sentence, "docker", ["tag", from, name]);
  try {
    await run(sentence, "docker", ["push", name]);
  } finally {
    // This removes the name alone; the image stays.
    await execa("docker", ["image", "rm", "--no-prune", name], { reject: false });
  }
}
