/** A simulated cloud for the commands of one run: what the CLI's environment needs to reach it, until it is closed. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";

import { repo } from "../setup/paths.ts";
import { api } from "./aws/api.ts";
import { Faults, rules } from "./faults.ts";
import { World } from "./world.ts";

export interface Simulation {
  /** For the CLI, whose plugins have its environment. */
  env: Record<string, string>;
  close(): Promise<void>;
}

const faults = ["FAIL", "LOSE", "THROTTLE", "TIMEOUT", "DIE", "SLOW", "FILLED"];

/**
 * `folder` holds what the cloud remembers, for one stack. `env`: the faults (faults.ts); default: this process' own
 * environment. Throws a sentence for a fault that cannot be read.
 */
export async function simulation(
  folder: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Simulation> {
  for (const fault of faults) rules(env[`SIMULATE_${fault}`] ?? "");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const world = new World(folder);
  const server = await api(world, new Faults(world, env));
  const path = [
    join(repo, "tools/simulate/aws"),
    join(repo, "tools/simulate/refused"),
    dirname(process.execPath),
    process.env.PATH ?? "",
  ];
  return {
    env: {
      PATH: path.join(":"),
      SIMULATE_FOLDER: folder,
      ...server.env,
      ...Object.fromEntries(
        faults.flatMap((fault) => {
          const value = env[`SIMULATE_${fault}`];
          return value === undefined ? [] : [[`SIMULATE_${fault}`, value]];
        }),
      ),
    },
    close: () => server.close(),
  };
}
