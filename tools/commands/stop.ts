/** `npm stop`: takes the dev stack away and says what is left on the machine. */
import process from "node:process";

import Docker from "dockerode";

import { heal, snapshot } from "../heal.ts";
import { stopOurs } from "../setup/docker.ts";
import { interrupted } from "../setup/interrupt.ts";
import { cacheRoot, repo } from "../setup/paths.ts";
import { steps } from "../setup/progress.ts";
import { engineStep } from "../setup/setup.ts";
import { stream } from "../setup/stream.ts";
import { toolchain } from "../setup/toolchain.ts";
import { devStack } from "./start.ts";

import type { Toolchain } from "../setup/toolchain.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { resources = [] } = await snapshot(devStack);
  if (resources.length === 0) process.stdout.write("there is no dev stack to take away\n");
  else {
    const protectedCount = resources.filter((resource) => resource.protect === true).length;
    const ended = await destroy(args, protectedCount);
    const code = ended === 0 && (await isUnfinished(protectedCount)) ? 130 : ended;
    if (code !== 0) {
      const goesOn = "npm stop goes on from here";
      if (interrupted() || code === 130) process.stderr.write(`\nstopped: ${goesOn}\n`);
      else if (code === 137) process.stderr.write(`\nerror: Pulumi was killed half-way: ${goesOn}\n`);
      else process.stderr.write(`\nerror: the dev stack is not gone, for the reason above: ${goesOn}\n`);
      return code;
    }
  }
  const identity = resources.find(({ type }) => type === "platform-topologies:index:StackIdentity")?.outputs?.name;
  process.stdout.write(
    (await kept(typeof identity === "string" ? identity : undefined)).map((line) => `kept: ${line}\n`).join(""),
  );
  const daemon = await stopOurs();
  if (daemon === "ended") process.stdout.write("ended: the Docker daemon that set-up had started\n");
  if (daemon === "in use")
    process.stdout.write("kept: the Docker daemon that set-up started, as containers are left in it\n");
  return 0;
}

async function destroy(args: readonly string[], protectedCount: number): Promise<number> {
  let tools: Toolchain | undefined;
  await steps([
    {
      title: "Pulumi",
      run: async (say) => {
        tools = await toolchain(say);
        return tools.how;
      },
    },
    engineStep,
  ]);
  if (!tools) throw new Error("set-up ended half-way");
  for (const line of await heal(tools, devStack)) process.stderr.write(`healed: ${line}\n`);
  const keep = protectedCount > 0 && !args.includes("--exclude-protected") ? ["--exclude-protected"] : [];
  if (protectedCount > 0)
    process.stdout.write(
      `${String(protectedCount)} resources are protected: --exclude-protected keeps them, the data and its passwords; npm start takes them up again\n`,
    );
  const command = ["destroy", "--stack", devStack, "--yes", "--skip-preview", ...keep, ...args];
  return stream(tools.pulumi, command, { cwd: repo, env: tools.env, live: true });
}

/**
 * Whether the destroy has not finished: Pulumi calls one that Ctrl-C has stopped between two resources a success.
 * Protected resources stay, with those that they depend on, but never a container.
 */
async function isUnfinished(protectedCount: number): Promise<boolean> {
  const { resources = [] } = await snapshot(devStack);
  return resources.some(({ type }) => protectedCount === 0 || type === "docker:index/container:Container");
}

/** What stays on the machine, for a person who looks for it or wants to remove it, with the command that shows it. */
async function kept(name: string | undefined): Promise<string[]> {
  const lines = [`the state folder .local/state`, `what was built, in ${cacheRoot()}`];
  const engine = new Docker();
  try {
    const volumes = (await engine.listVolumes()).Volumes.map(({ Name }) => Name);
    const own = volumes.filter((volume) => name !== undefined && volume.startsWith(`${name}-`));
    if (own.length > 0) lines.push(`volumes ${own.join(", ")} (docker volume rm)`);
    const images = await engine.listImages({ filters: { reference: ["platform-topologies/*"] } });
    if (images.length > 0) lines.push(`${String(images.length)} images (docker image ls 'platform-topologies/*')`);
  } catch {
    lines.push("volumes and images, if any, in a Docker engine that does not answer now");
  }
  return lines;
}
