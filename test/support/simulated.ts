/** Ready stacks for AWS, which go after the file's last test. */
import { afterAll } from "@jest/globals";

import { simulation, type Simulation } from "../../tools/simulate/simulation.ts";
import { World } from "../../tools/simulate/world.ts";
import { newFolder } from "./folder.ts";
import { simulatedStack } from "./simulated-stack.ts";
import type { TestStack } from "./stack.ts";

export { simulatedConfig } from "./simulated-stack.ts";

const running: Simulation[] = [];
const made: TestStack[] = [];
const worlds = new Map<TestStack, World>();

/** What the cloud of such a stack remembers. */
export function worldOf(stack: TestStack): World {
  const world = worlds.get(stack);
  if (world === undefined) throw new Error("no stack of `simulated`");
  return world;
}

/** Such a stack, before its first `up`. `programs`: as for `simulatedStack`. */
export async function simulated(name: string, programs?: string): Promise<TestStack> {
  const folder = newFolder(`world-${name}`);
  const cloud = await simulation(folder);
  running.push(cloud);
  const stack = await simulatedStack(name, cloud, programs);
  made.push(stack);
  worlds.set(stack, new World(folder));
  return stack;
}

afterAll(async () => {
  for (const stack of made) await stack.dispose();
  for (const each of running) await each.close();
}, 20 * 60_000);
