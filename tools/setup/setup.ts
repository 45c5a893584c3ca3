/** All that `npm start` and `npm test` need on a machine, each part taken or made. */
import { allKeys, images } from "../images/index.ts";
import { docker } from "./docker.ts";
import { steps } from "./progress.ts";
import { toolchain } from "./toolchain.ts";

import type { Engine } from "./docker.ts";
import type { Step } from "./progress.ts";
import type { Toolchain } from "./toolchain.ts";

export interface Machine {
  tools: Toolchain;
  engine: Engine;
}

/** `keys`: the images that the command runs next. Default: all. */
export async function setup(keys = allKeys): Promise<Machine> {
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
    imagesStep(keys),
  ]);
  const { tools, engine } = machine;
  if (!tools || !engine) throw new Error("set-up ended half-way");
  return { tools, engine };
}

export const engineStep: Step = { title: "Docker engine", run: async (say) => (await docker(say)).how };

export function imagesStep(keys = allKeys): Step {
  return {
    title: "Images",
    run: async (say) => {
      await images(say, keys);
      return keys.length === 0 ? "none is needed" : "ready";
    },
  };
}
