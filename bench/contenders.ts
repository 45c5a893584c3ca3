/** Three ways to bring up the same containers. Each `up` returns when all are healthy and every job has ended. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { composeFile } from "./compose.ts";
import type { Definition } from "./definition.ts";
import { terraformFile } from "./terraform.ts";
import type { Peers } from "./tools.ts";
import { containerIds, untilHealthy } from "../test/support/arkindex.ts";
import type { TestStack } from "../test/support/stack.ts";

export interface Contender {
  readonly name: string;
  up(): Promise<void>;
  /** Nothing has changed: says so, or throws. Undefined where the tool has no such command. */
  readonly preview: (() => Promise<void>) | undefined;
  down(): Promise<void>;
}

const host = "unix:///var/run/docker.sock";

/** `prefix`: of its containers. */
export function ours(stack: TestStack, prefix: string): Contender {
  const succeed = async (outcome: Promise<{ code: number; output: string }>): Promise<void> => {
    const { code, output } = await outcome;
    if (code !== 0) throw new Error(output);
  };
  return {
    name: "platform-topologies",
    up: async () => {
      await succeed(stack.up());
      await untilHealthy(Object.values(await containerIds(prefix))); // by Docker's word, which is what the others wait for
    },
    preview: () => succeed(stack.preview(["--expect-no-changes"])),
    down: () => succeed(stack.destroy()),
  };
}

export async function compose(definition: Definition, { compose: binary }: Peers, folder: string): Promise<Contender> {
  const file = join(folder, "compose.yaml");
  await writeFile(file, composeFile(definition), { mode: 0o600 });
  const run = async (...args: string[]): Promise<void> => {
    await execa(binary, ["--project-name", "bench", "--file", file, "--progress", "quiet", ...args]);
  };
  const jobs = definition.containers.filter(({ health }) => health === undefined).map(({ name }) => name);
  const rest = definition.containers.filter(({ health }) => health !== undefined).map(({ name }) => name);
  return {
    name: "docker compose",
    // `--wait` calls a container that has ended a failure, so it waits for those that go on; they wait for the jobs.
    up: () => run("up", "--detach", "--wait", "--wait-timeout", "300", ...(jobs.length > 0 ? rest : [])),
    preview: undefined,
    down: () => run("down", "--volumes", "--timeout", "30"),
  };
}

export async function terraform(
  definition: Definition,
  { terraform: binary, terraformEnv: env }: Peers,
  folder: string,
): Promise<Contender> {
  const cwd = join(folder, "terraform");
  await mkdir(cwd, { recursive: true });
  await writeFile(join(cwd, "main.tf.json"), terraformFile(definition, host), { mode: 0o600 });
  const run = async (...args: string[]): Promise<void> => {
    await execa(binary, [...args, "-no-color"], { cwd, env });
  };
  await run("init", "-input=false");
  return {
    name: "terraform",
    up: () => run("apply", "-auto-approve", "-input=false"),
    preview: async () => {
      // 2 says that there are changes: a difference that the provider sees for ever is Terraform's own affair here.
      const { exitCode } = await execa(binary, ["plan", "-input=false", "-detailed-exitcode", "-no-color"], {
        cwd,
        env,
        reject: false,
      });
      if (exitCode !== 0 && exitCode !== 2) throw new Error("terraform plan failed");
    },
    down: () => run("destroy", "-auto-approve", "-input=false"),
  };
}
