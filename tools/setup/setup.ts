/** All that `npm start` and `npm test` need on a machine, each part taken or made. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { docker } from "./docker.ts";
import { repo } from "./paths.ts";
import { steps } from "./progress.ts";
import { toolchain } from "./toolchain.ts";

import type { Say } from "./cache.ts";
import type { Engine } from "./docker.ts";
import type { Toolchain } from "./toolchain.ts";

export interface Machine {
  tools: Toolchain;
  engine: Engine;
}

export async function setup(): Promise<Machine> {
  const machine: Partial<Machine> = {};
  await steps([
    {
      title: "Pulumi",
      run: async (say) => {
        machine.tools = await toolchain(say);
        return machine.tools.how;
      },
    },
    {
      title: "Docker engine",
      run: async (say) => {
        machine.engine = await docker(say);
        return machine.engine.how;
      },
    },
    { title: "Images", run: images },
  ]);
  const { tools, engine } = machine;
  if (!tools || !engine) throw new Error("set-up ended half-way");
  return { tools, engine };
}

async function images(say: Say): Promise<string> {
  const path = join(repo, "tools/images/index.ts");
  if (!existsSync(path)) return "skipped, as tools/images is not there yet";
  const module = (await import(pathToFileURL(path).href)) as { images(say: Say): Promise<void> };
  await module.images(say);
  return "ready";
}
