/** A ready stack for AWS on the real engine and a simulated cloud. */
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { parse } from "yaml";

import type { Simulation } from "../../tools/simulate/simulation.ts";
import { arkindexProgram, project } from "./arkindex.ts";
import { setSecrets } from "./pyrus.ts";
import { repo, TestStack } from "./stack.ts";

/** The config of a ready stack with its full keys, without its published secrets, which are of another passphrase. */
export function simulatedConfig(name: string): Record<string, unknown> {
  const file = readFileSync(join(repo, "stacks", `${name}.yaml`), "utf8");
  const { config } = parse(file) as { config: Record<string, unknown> };
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== `${project}:secrets`));
}

/**
 * Such a stack on this cloud, before its first `up`. `programs`: a folder that PATH begins with, for a second stack of the
 * project on real engines, too.
 */
export async function simulatedStack(name: string, { env: cloud }: Simulation, programs?: string): Promise<TestStack> {
  const config = simulatedConfig(name);
  const { PATH = "" } = cloud;
  const real = PATH.split(delimiter).filter((folder) => !folder.endsWith("/refused"));
  const env = programs === undefined ? cloud : { ...cloud, PATH: [programs, ...real].join(delimiter) };
  const stack = await TestStack.create({ project, program: arkindexProgram(), config, env, level: "simulated" });
  if (name.startsWith("pyrus")) await setSecrets(stack);
  return stack;
}
