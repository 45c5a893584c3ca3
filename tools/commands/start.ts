/** `npm start`: the set-up of what the dev stack runs, then its `pulumi up`, then where to go. */
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";

import { heal } from "../heal.ts";
import { wanted } from "../images/wanted.ts";
import { configOf } from "../setup/config.ts";
import { interrupted } from "../setup/interrupt.ts";
import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { setup } from "../setup/setup.ts";
import { stream } from "../setup/stream.ts";

import type { Toolchain } from "../setup/toolchain.ts";

export const devStack = "dev";

export async function run(args: readonly string[]): Promise<number> {
  const config = await configOf(join(repo, `Pulumi.${devStack}.yaml`));
  const { tools } = await setup(wanted(config, devStack));
  await selectDev(tools);
  for (const line of await heal(tools, devStack)) process.stderr.write(`healed: ${line}\n`);
  if (interrupted()) return 130;
  const code = await stream(
    tools.pulumi,
    ["up", "--stack", devStack, "--yes", "--skip-preview", "--suppress-outputs", ...args],
    { cwd: repo, env: tools.env, live: true },
  );
  if (code !== 0) {
    process.stderr.write(`\n${failure(code)}\n`);
    return code;
  }
  process.stdout.write(await summary(tools));
  return 0;
}

function failure(code: number): string {
  const goesOn = "npm start goes on from here, npm stop takes away what was made";
  if (interrupted()) return `stopped; what was made is recorded: ${goesOn}`;
  if (code === 137) return `error: Pulumi was killed half-way: ${goesOn}`;
  return `error: the dev stack is not up, for the reason above: ${goesOn}`;
}

async function selectDev(tools: Toolchain): Promise<void> {
  const result = await execa(tools.pulumi, ["stack", "select", "--create", devStack], {
    cwd: repo,
    env: tools.env,
    reject: false,
    all: true,
  });
  if (result.exitCode !== 0) throw new Problem(`the dev stack cannot be selected: ${result.all.trim()}`);
}

/** What to open and how to go on, from the stack's outputs. Prints no secret. */
async function summary(tools: Toolchain): Promise<string> {
  const { stdout } = await execa(tools.pulumi, ["stack", "output", "--stack", devStack, "--json"], {
    cwd: repo,
    env: tools.env,
  });
  const outputs = JSON.parse(stdout) as { url?: string; rehearsing?: string[] };
  const rehearsing = outputs.rehearsing ?? [];
  const lines = [
    "",
    `open             ${outputs.url ?? "(this stack has no url output)"}`,
    ...(rehearsing.length > 0
      ? [`rehearsing       ${rehearsing.join(", ")} (stand-ins for images that are not public)`]
      : []),
    `passwords        npm run pulumi -- stack output --stack ${devStack} --show-secrets`,
    `take it away     npm stop`,
    "",
  ];
  return lines.join("\n");
}
