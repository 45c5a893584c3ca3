/** The ready stacks for AWS on the real engine, with the AWS provider's own code against moto. */
import { join } from "node:path";
import process from "node:process";

import { afterAll } from "@jest/globals";

import type { Emulator } from "../../tools/emulate/emulator.ts";
import { moto } from "../../tools/emulate/moto.ts";
import { awsProvider } from "../../tools/emulate/provider.ts";
import { arkindexProgram, project } from "./arkindex.ts";
import { setSecrets } from "./pyrus.ts";
import { simulatedConfig } from "./simulated.ts";
import { repo, TestStack } from "./stack.ts";

const running: Emulator[] = [];
const made: TestStack[] = [];

/** Such a stack, before its first `up`, in an AWS of its own. It goes after the file's last test. */
export async function emulated(name: string): Promise<TestStack> {
  const config = simulatedConfig(name);
  const { account } = config[`${project}:aws`] as { account: string };
  const cloud = await moto(account);
  running.push(cloud);
  const path = [await awsProvider(), join(repo, "tools/simulate/refused"), process.env.PATH ?? ""];
  const env = { ...cloud.env, PATH: path.join(":") };
  const stack = await TestStack.create({ project, program: arkindexProgram(), config, env, level: "emulated" });
  made.push(stack);
  if (name.startsWith("pyrus")) await setSecrets(stack);
  return stack;
}

afterAll(async () => {
  try {
    for (const stack of made) await stack.dispose();
  } finally {
    for (const each of running) await each.close();
  }
}, 30 * 60_000);
