/**
 * Local images: the stand-ins that are ours, and, on a machine whose engine cannot pull, the public servers' images made
 * from distribution packages, Go modules and Maven Central. The list of what was made is `.local/images.json`.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { z } from "zod";

import { local } from "../setup/paths.ts";
import { plan, present, provide } from "./build.ts";
import { localImages } from "./list.ts";

import type { Say } from "../setup/cache.ts";
import type { Planned } from "./build.ts";

const list = join(local, "images.json");

/**
 * Makes every image that the engine cannot pull, and writes `.local/images.json` (key -> tag) last. What is there is left
 * alone, without asking a registry. Throws a Problem where something cannot be had.
 */
export async function images(say: Say): Promise<void> {
  const began = Date.now();
  if (await settled()) return;
  const online = await registryAnswers();
  say(
    online
      ? "images: from the public registry; only our own are built"
      : "images: no registry can be reached, so all are built here; minutes the first time",
  );
  const planned = await planFor(online);
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
  // Two at once: packages are fetched for the one while the other compiles. Both end before a failure is told.
  const ended = await Promise.allSettled([lane(), lane()]);
  for (const each of ended) if (each.status === "rejected") throw each.reason;
  await writeList(tagsOf(planned));
}

function planFor(online: boolean): Promise<Planned[]> {
  const wanted = localImages.filter((image) => !online || image.official === undefined);
  return Promise.all(wanted.map((image) => plan(image, online)));
}

/** Whether the list on disk is what either kind of machine would get from these recipes, and the engine has it all. */
async function settled(): Promise<boolean> {
  const written = await readFile(list, "utf8").catch(() => "");
  for (const online of [true, false]) {
    const tags = tagsOf(await planFor(online));
    if (written !== text(tags)) continue;
    const there = await Promise.all(Object.values(tags).map(present));
    return there.every(Boolean);
  }
  return false;
}

/**
 * Whether the engine itself can pull: it may have a mirror or a proxy that this process knows nothing of. Asks for what
 * our own images are built on, so that nothing is fetched in vain; an engine without a registry says so in seconds.
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

async function writeList(tags: Record<string, string>): Promise<void> {
  await mkdir(local, { recursive: true });
  const draft = `${list}.${String(process.pid)}`;
  await writeFile(draft, text(tags));
  await rename(draft, list);
}

function tagsOf(planned: Planned[]): Record<string, string> {
  return Object.fromEntries(planned.map(({ key, tag }) => [key, tag]));
}

function text(tags: Record<string, string>): string {
  return `${JSON.stringify(tags, null, 2)}\n`;
}
