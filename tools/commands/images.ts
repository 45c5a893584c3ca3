/**
 * `npm run images -- build`: makes all images that this machine cannot pull, and prints their names.
 * `npm run images -- push REGISTRY`: puts every image of the lock file that is here into a registry, under the names that
 * a stack with `mirror: REGISTRY` pulls.
 */
import process from "node:process";

import { sentence } from "../../components/core/errors.ts";
import { mirror, problemsOf } from "../../components/core/formats.ts";
import { built, images } from "../images/index.ts";
import { copies, push } from "../images/push.ts";
import { docker } from "../setup/docker.ts";
import { Problem } from "../setup/problem.ts";
import { steps } from "../setup/progress.ts";

import type { Step } from "../setup/progress.ts";

export async function run(args: readonly string[]): Promise<number> {
  const [what, registry, ...more] = args;
  if (what === "build" && registry === undefined) return build();
  if (what === "push" && registry !== undefined && more.length === 0) return pushTo(registry);
  throw new Problem("use `npm run images -- build` or `npm run images -- push <registry>`");
}

const engine: Step = { title: "Docker engine", run: async (say) => (await docker(say)).how };

async function build(): Promise<number> {
  await steps([
    engine,
    {
      title: "Images",
      run: async (say) => {
        await images(say);
        return "ready";
      },
    },
  ]);
  for (const [key, tag] of Object.entries(await built())) process.stdout.write(`${key.padEnd(16)} ${tag}\n`);
  return 0;
}

async function pushTo(registry: string): Promise<number> {
  const [wrong] = problemsOf(mirror, "registry", registry);
  if (wrong !== undefined) throw new Problem(sentence(wrong));
  const lines: string[] = [];
  await steps([
    engine,
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
