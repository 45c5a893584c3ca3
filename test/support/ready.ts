/** The ready stacks of stacks/ against Pulumi's mocks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { imageLock } from "../../components/core/image-lock.ts";
import { planStack, type StackPlan } from "../../components/deploy.ts";
import { systems } from "../../components/systems/index.ts";
import { topologies } from "../../components/topologies/index.ts";
import { record, type Registered } from "./mocks.ts";

const root = join(import.meta.dirname, "../..");

/** A secret as the program gets it; what it says is not looked at. */
function decrypted(_: unknown, value: unknown): unknown {
  return typeof value === "object" && value !== null && "secure" in value ? "decrypted" : value;
}

/** The config of a stack's file, without the project's prefix. */
export function readyConfig(file: string): Record<string, unknown> {
  const { config } = parse(readFileSync(join(root, file), "utf8"), decrypted) as { config: Record<string, unknown> };
  const own = Object.entries(config).filter(([key]) => key.startsWith("platform-topologies:"));
  return Object.fromEntries(own.map(([key, value]) => [key.slice("platform-topologies:".length), value]));
}

const images = Object.fromEntries(
  Object.entries(imageLock).flatMap(([key, { built }]) => (built ? [[key, `r.example.com/${key}:1`]] : [])),
);

/** The same, with what set-up builds; a mirror has all images, those of ours too. */
export function builtConfig(file: string): Record<string, unknown> {
  const config = readyConfig(file);
  return { ...config, ...("mirror" in config ? {} : { images }) };
}

/** A stack of stacks/ with what set-up builds, changed by `over`. */
export function planReady(stack: string, over: object = {}): StackPlan {
  return planStack({ ...builtConfig(`stacks/${stack}.yaml`), ...over }, stack);
}

/** All that the program registers for such a stack. */
export function recordReady(stack: string, over: object = {}): Promise<Registered[]> {
  const { problems, whole } = planReady(stack, over);
  if (whole === undefined || problems.length > 0) throw new Error(JSON.stringify(problems));
  const { settings, system, topology: config, site } = whole;
  return record(async () => {
    const topology = topologies[settings.topology];
    if (topology === undefined) throw new Error(`no topology ${settings.topology}`);
    const own = await topology.own(config, { site, secrets: settings.secrets });
    const on = own.make(settings.topology, {});
    systems[settings.system].make(settings.system, system, on, {});
  });
}
