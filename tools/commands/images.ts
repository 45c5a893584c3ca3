/**
 * `npm run images -- build [keys]`: makes all images that this machine cannot pull, or the named ones, and prints them.
 * `npm run images -- push REGISTRY`: puts every image of the lock file that is here into a registry, under the names
 * that a stack with `mirror: REGISTRY` pulls.
 */
import process from "node:process";

import { listed, sentence } from "../../components/core/errors.ts";
import { mirror, problemsOf } from "../../components/core/formats.ts";
import { allKeys, built } from "../images/index.ts";
import { copies, push } from "../images/push.ts";
import { Problem } from "../setup/problem.ts";
import { steps } from "../setup/progress.ts";
import { engineStep, imagesStep } from "../setup/setup.ts";

export async function run(args: readonly string[]): Promise<number> {
  const [what, ...names] = args;
  const [registry, ...more] = names;
  if (what === "build") return build(names);
  if (what === "push" && registry !== undefined && more.length === 0) return pushTo(registry);
  throw new Problem("use `npm run images -- build [keys]` or `npm run images -- push <registry>`");
}

async function build(keys: readonly string[]): Promise<number> {
  const wrong = keys.find((key) => !allKeys.includes(key));
  if (wrong !== undefined) throw new Problem(`${wrong} is not built here: use ${listed(allKeys)}`);
  await steps([engineStep, imagesStep(keys.length === 0 ? allKeys : keys)]);
  for (const [key, tag] of Object.entries(await built())) process.stdout.write(`${key.padEnd(16)} ${tag}\n`);
  return 0;
}

async function pushTo(registry: string): Promise<number> {
  const [wrong] = problemsOf(mirror, "registry", registry);
  if (wrong !== undefined) throw new Problem(sentence(wrong));
  const lines: string[] = [];
  await steps([
    engineStep,
    {
      title: "Images",
      run: async (say) => {
        const { pushed, missing } = await push(copies(registry, await built()), say);
        if (pushed.length === 0)
          throw new Problem("this machine has none of the images: run `npm run images -- build`, or pull some");
        lines.push(...pushed.flatMap(({ key, to }) => to.map((name) => `${key.padEnd(16)} ${name}`)));
        lines.push(...missing.map(({ key, from }) => `${key.padEnd(16)} not on this machine (${from})`));
        return `${String(pushed.length)} pushed, ${String(missing.length)} not on this machine`;
      },
    },
  ]);
  process.stdout.write(`${lines.join("\n")}\nin a stack's config: mirror: ${registry}\n`);
  return 0;
}
