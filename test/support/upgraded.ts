/** The preview of a recorded state with the working tree, where no engine is but one that has what the state says. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { digestOf, type Digest } from "../../comment/digest.ts";
import { eventsOf } from "../../comment/preview.ts";
import { simulation } from "../../tools/simulate/simulation.ts";
import { arkindexProgram, project } from "./arkindex.ts";
import type { FakeEngine } from "./fake-engine.ts";
import { newFolder } from "./folder.ts";
import { cliOf } from "./previewed.ts";
import { stateEngine } from "./state-engine.ts";
import { succeeded, TestStack } from "./stack.ts";
import { type Fixture, type Recorded, upgradeStack } from "./upgrades.ts";

export interface Upgraded {
  readonly found: Digest;
  /** What the engine was asked. */
  readonly asked: readonly string[];
}

/** Takes the state into a new backend, as `pulumi stack import` does it for an operator, and previews it there. */
export async function upgraded({ topology, day, settings, state }: Fixture): Promise<Upgraded> {
  const { resources } = state.deployment;
  const part = settings.config[`${project}:${topology}`] as { readonly nodes?: object };
  const engine = topology === "aws" ? undefined : await stateEngine(resources, Object.keys(part.nodes ?? {}));
  const cloud = topology === "aws" ? await simulation(newFolder("world")) : undefined;
  const clock = `--import=${join(import.meta.dirname, "clock.ts")}`;
  const env = { ...cloud?.env, NODE_OPTIONS: clock, TEST_DAY: day };
  const stack = await TestStack.create({
    ...{ project, program: arkindexProgram(), name: upgradeStack, env },
    level: "simulated",
  });
  try {
    const images = { ...ownImages(resources), ...(settings.config[`${project}:images`] as object | undefined) };
    const config = {
      ...settings.config,
      [`${project}:images`]: images,
      ...(engine === undefined ? {} : { [`${project}:${topology}`]: at(engine, part) }),
    };
    await writeFile(stack.settings, JSON.stringify({ ...settings, config }));
    const file = join(stack.folder, "recorded.json");
    await writeFile(file, JSON.stringify(state));
    succeeded(await stack.run(["stack", "import", "--file", file]));
    const ran = await eventsOf({ stack: upgradeStack, args: [] }, await cliOf(stack, env));
    const found = digestOf({ ...ran, stack: upgradeStack, redact: (text) => text });
    return { found, asked: engine?.asked ?? [] };
  } finally {
    engine?.close();
    await cloud?.close();
    await rm(stack.folder, { recursive: true });
  }
}

/** Images of ours under the tags that they had: this machine's builds of them are no part of what is compared. */
function ownImages(resources: readonly Recorded[]): Record<string, string> {
  const ran = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs?.images ?? {};
  return Object.fromEntries(
    Object.values(ran).flatMap((ref: string) => {
      const key = /platform-topologies\/([\w-]+):/.exec(ref)?.[1];
      return key === undefined ? [] : [[key, ref] as const];
    }),
  );
}

/** The topology's part of the config, with another engine's address. Where an engine is asked is no difference. */
function at({ host }: FakeEngine, part: object): object {
  return "managers" in part ? { ...part, managers: [host] } : { ...part, host };
}
