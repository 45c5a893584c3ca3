/**
 * Local images: our own stand-ins, and, if the machine's engine cannot pull, the public servers' images made from
 * distribution packages, Go modules and Maven Central. The list of what was made is `.local/images.json`.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { lock } from "proper-lockfile";
import { z } from "zod";

import { local } from "../setup/paths.ts";
import { plan, present, provide } from "./build.ts";
import { localImages } from "./list.ts";

import type { Say } from "../setup/cache.ts";
import type { Planned } from "./build.ts";

const list = join(local, "images.json");

/** Every key of the list of what can be built here, but those that are made only where they are asked for. */
export const allKeys: readonly string[] = localImages.flatMap(({ key, asked }) => (asked ? [] : [key]));

/**
 * Makes the images that the engine cannot pull, and adds them to `.local/images.json` (key -> tag) last. An image that
 * is there is left alone, and no registry is asked. Throws a Problem if an image cannot be made.
 */
export async function images(say: Say, keys = allKeys): Promise<void> {
  const began = Date.now();
  if (await settled(keys)) return;
  const online = await registryAnswers();
  say(
    online
      ? "images: from the public registry; only our own are built"
      : "images: no registry can be reached, so all are built here; minutes the first time",
  );
  const all = await planFor(online);
  const planned = all.filter(({ key }) => keys.includes(key));
  const waiting = [...planned.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, one] = next;
      const place = `image ${String(index + 1)} of ${String(planned.length)}, ${one.key}`;
      await provide(one, (line) => {
        say(`${place}, ${String(Math.round((Date.now() - began) / 1000))} s: ${line}`);
      }).catch((error: unknown) => {
        waiting.length = 0;
        throw error;
      });
    }
  };
  // Two lanes: one fetches packages while the other compiles. Both end before a failure is thrown.
  const ended = await Promise.allSettled([lane(), lane()]);
  for (const each of ended) if (each.status === "rejected") throw each.reason;
  await addToList(tagsOf(planned), tagsOf(all));
}

/** Whether `images` has nothing to do: list and engine have these images, all made for the same kind of machine. */
export async function settled(keys: readonly string[]): Promise<boolean> {
  if (keys.length === 0) return true;
  const written = await built();
  for (const online of [true, false]) {
    const tags = tagsOf(await planFor(online));
    if (!isOf(written, tags)) continue;
    const wanted = keys.filter((key) => key in tags);
    if (!wanted.every((key) => key in written)) return false;
    const there = await Promise.all(wanted.map((key) => present(tags[key] ?? "")));
    return there.every(Boolean);
  }
  return false;
}

/** The images that these recipes make on a machine with a registry (`online`), or without. */
export function planFor(online: boolean): Promise<Planned[]> {
  const wanted = localImages.filter((image) => !online || image.official === undefined);
  return Promise.all(wanted.map((image) => plan(image, online)));
}

/** Whether these recipes have made the list on such a machine. An empty list tells nothing. */
export function isOf(written: Readonly<Record<string, string>>, tags: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(written);
  return entries.length > 0 && entries.every(([key, tag]) => tags[key] === tag);
}

/**
 * Whether the engine itself can pull: it may have a mirror or a proxy of which this process does not know. It pulls the
 * base of our own images, so that nothing is fetched in vain. An engine without a registry fails in seconds.
 */
async function registryAnswers(): Promise<boolean> {
  const bases = localImages.flatMap(({ base }) => base ?? []).slice(0, 1);
  return !(await execa("docker", ["pull", "--quiet", ...bases], { reject: false, timeout: 120_000 })).failed;
}

/** What was built here, by key: the list as it is on disk. */
export async function built(): Promise<Record<string, string>> {
  const written = await readFile(list, "utf8").catch(() => "{}");
  return z.record(z.string(), z.string()).parse(JSON.parse(written));
}

/** Adds images to the list. Older entries stay if their recipe is the same. One command writes at a time. */
async function addToList(added: Record<string, string>, made: Record<string, string>): Promise<void> {
  await mkdir(local, { recursive: true });
  const release = await lock(list, { realpath: false, retries: 10 });
  try {
    const before = await built();
    const entries = Object.entries(made).filter(([key, tag]) => key in added || before[key] === tag);
    const draft = `${list}.${String(process.pid)}`;
    await writeFile(draft, `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
    await rename(draft, list);
  } finally {
    await release();
  }
}

function tagsOf(planned: Planned[]): Record<string, string> {
  return Object.fromEntries(planned.map(({ key, tag }) => [key, tag]));
}
