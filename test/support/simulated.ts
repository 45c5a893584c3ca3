/** The ready stacks for AWS on the real engine and the simulated cloud. */
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { afterAll } from "@jest/globals";
import { parse } from "yaml";

import { simulation, type Simulation } from "../../tools/simulate/simulation.ts";
import { World } from "../../tools/simulate/world.ts";
import { arkindexProgram, project } from "./arkindex.ts";
import { newFolder } from "./folder.ts";
import { setSecrets } from "./pyrus.ts";
import { repo, TestStack } from "./stack.ts";

/** The config of a ready stack with its full keys, without its published secrets, which are of another passphrase. */
export function simulatedConfig(name: string): Record<string, unknown> {
  const file = readFileSync(join(repo, "stacks", `${name}.yaml`), "utf8");
  const { config } = parse(file) as { config: Record<string, unknown> };
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== `${project}:secrets`));
}

const running: Simulation[] = [];
const made: TestStack[] = [];
const worlds = new Map<TestStack, World>();

/** What the cloud of such a stack remembers. */
export function worldOf(stack: TestStack): World {
  const world = worlds.get(stack);
  if (world === undefined) throw new Error("no stack of `simulated`");
  return world;
}

/**
 * Such a stack, before its first `up`. It goes after the file's last test. `programs`: a folder that PATH begins with, for
 * a second stack of the project on real engines, too.
 */
export async function simulated(name: string, programs?: string): Promise<TestStack> {
  const folder = newFolder(`world-${name}`);
  const cloud = await simulation(folder);
  running.push(cloud);
  const config = simulatedConfig(name);
  const { PATH = "" } = cloud.env;
  const real = PATH.split(delimiter).filter((folder) => !folder.endsWith("/refused"));
  const env = programs === undefined ? cloud.env : { ...cloud.env, PATH: [programs, ...real].join(delimiter) };
  const stack = await TestStack.create({ project, program: arkindexProgram(), config, env, level: "simulated" });
  made.push(stack);
  worlds.set(stack, new World(folder));
  if (name.startsWith("pyrus")) await setSecrets(stack);
  return stack;
}

afterAll(async () => {
  for (const stack of made) await stack.dispose();
  for (const each of running) await each.close();
}, 20 * 60_000);
