/**
 * `npm run images -- …`, for an operator:
 *   `build [keys]`             makes all images that this machine cannot pull, or the named ones, and prints them
 *   `push REGISTRY [keys]`     puts every image of the lock file that is here into a registry, under the names that a stack
 *                              with `mirror: REGISTRY` pulls; of those that are named, what is not here is pulled first
 * and for a release:
 *   `publish REGISTRY TAG [keys]`   builds and pushes our own images for amd64 and arm64
 *   `lock REGISTRY TAG`             reads their digests back, and writes them into the image lock file
 */
import process from "node:process";

import { imageLock } from "../../components/core/image-lock.ts";
import { listed, sentence } from "../../components/core/errors.ts";
import { mirror, problemsOf, reference } from "../../components/core/formats.ts";
import { allKeys, built } from "../images/index.ts";
import { localImages, publishable } from "../images/list.ts";
import { lockedAt, writeLock } from "../images/lock.ts";
import { nameIn, publish } from "../images/publish.ts";
import { type Copy, copies, push } from "../images/push.ts";
import { Problem } from "../setup/problem.ts";
import { steps } from "../setup/progress.ts";
import { engineStep, imagesStep } from "../setup/setup.ts";

const use =
  "use `npm run images -- build [keys]` or `npm run images -- push <registry> [keys]`; for a release `publish <registry> <tag> [keys]` and `lock <registry> <tag>`";

export async function run(args: readonly string[]): Promise<number> {
  const [what, ...rest] = args;
  if (what === "build") return build(rest);
  const [registry, ...names] = rest;
  if (registry === undefined || !["push", "publish", "lock"].includes(what ?? "")) throw new Problem(use);
  const [wrong] = problemsOf(mirror, "registry", registry);
  if (wrong !== undefined) throw new Problem(sentence(wrong));
  if (what === "push") return pushTo(registry, names);
  const [tag, ...keys] = names;
  if (tag === undefined || (what === "lock" && keys.length > 0)) throw new Problem(use);
  if (!reference.safeParse(nameIn(registry, "image", tag)).success) throw new Problem(`tag = ${tag}: a tag, as 0.1.0`);
  return what === "publish" ? publishTo(registry, tag, keys) : lock(registry, tag);
}

async function build(keys: readonly string[]): Promise<number> {
  const there = localImages.map(({ key }) => key);
  const wrong = keys.find((key) => !there.includes(key));
  if (wrong !== undefined) throw new Problem(`${wrong} is not built here: use ${listed(there)}`);
  await steps([engineStep, imagesStep(keys.length === 0 ? allKeys : keys)]);
  for (const [key, tag] of Object.entries(await built())) process.stdout.write(`${key.padEnd(16)} ${tag}\n`);
  return 0;
}

async function pushTo(registry: string, keys: readonly string[]): Promise<number> {
  const all = copies(registry, await built());
  const chosen = keys.length === 0 ? all : keys.map((key) => copyOf(all, key));
  const lines: string[] = [];
  const ours: string[] = [];
  await steps([
    engineStep,
    {
      title: "Images",
      run: async (say) => {
        const { pushed, missing } = await push(chosen, say, keys.length > 0);
        if (pushed.length === 0)
          throw new Problem("this machine has none of the images: run `npm run images -- build`, or pull some");
        lines.push(...pushed.flatMap(({ key, to }) => to.map((name) => `${key.padEnd(16)} ${name}`)));
        lines.push(...missing.map(({ key, from }) => `${key.padEnd(16)} not on this machine (${from})`));
        for (const { key, to } of pushed)
          if (imageLock[key]?.built) ours.push(`npm run pulumi -- config set --path images.${key} ${to[0] ?? ""}`);
        return `${String(pushed.length)} pushed, ${String(missing.length)} not on this machine`;
      },
    },
  ]);
  lines.push(`in a stack's config, for all images: mirror: ${registry}`);
  if (ours.length > 0) lines.push("or for ours alone, where the others come from public registries:", ...ours);
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function copyOf(all: readonly Copy[], key: string): Copy {
  const found = all.find((copy) => copy.key === key);
  if (found !== undefined) return found;
  if (imageLock[key]?.built)
    throw new Problem(`${key} has not been built: run \`npm run images -- build ${key}\` first`);
  throw new Problem(`${key} is no image that can be pushed: use ${listed(all.map((copy) => copy.key))}`);
}

async function publishTo(registry: string, tag: string, keys: readonly string[]): Promise<number> {
  for (const key of keys) {
    const { unpublished } = localImages.find((image) => image.key === key) ?? {};
    if (unpublished !== undefined) throw new Problem(`${key} is not published: ${unpublished}`);
    if (!publishable.some((image) => image.key === key))
      throw new Problem(`${key} is not published: use ${listed(publishable.map((image) => image.key))}`);
  }
  const chosen = publishable.filter(({ key }) => keys.length === 0 || keys.includes(key));
  const refs: string[] = [];
  await steps(
    chosen.map((image) => ({
      title: image.key,
      run: async (say) => {
        const ref = await publish(image, registry, tag, say);
        refs.push(`${image.key.padEnd(16)} ${ref}`);
        return ref;
      },
    })),
  );
  process.stdout.write(`${refs.join("\n")}\n`);
  return 0;
}

async function lock(registry: string, tag: string): Promise<number> {
  const found = await lockedAt(
    registry,
    tag,
    publishable.map(({ key }) => key),
  );
  const file = await writeLock(found);
  for (const [key, ref] of Object.entries(found)) process.stdout.write(`${key.padEnd(16)} ${ref}\n`);
  process.stderr.write(`written into ${file}\n`);
  return 0;
}
