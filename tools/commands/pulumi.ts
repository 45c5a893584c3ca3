/** `npm run pulumi -- <arguments>`: the very CLI, plugins, state and passphrase that `npm start` uses. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";

import { settled } from "../images/index.ts";
import { configOf, takesLocal } from "../setup/config.ts";
import { interruptible } from "../setup/interrupt.ts";
import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { steps } from "../setup/progress.ts";
import { engineStep, imagesStep } from "../setup/setup.ts";
import { devPassphrase, isReady, toolchain } from "../setup/toolchain.ts";

import type { Toolchain } from "../setup/toolchain.ts";

export async function run(args: readonly string[]): Promise<number> {
  // Scripts may read our stdout, so the set-up writes to stderr alone, and only if it takes minutes.
  const quiet = await isReady();
  let last = 0;
  const tools = await toolchain((line) => {
    if (quiet || Date.now() - last < 10_000) return;
    last = Date.now();
    process.stderr.write(`setting up Pulumi: ${line}\n`);
  });
  const { pulumi } = tools;
  const stacks = named(args);
  const env = withPassphrase(tools.env, stacks);
  if (["up", "preview"].includes(args[0] ?? "")) {
    for (const stack of stacks.filter(isReadyMade)) await create(tools, stack);
    await provide(tools, args, stacks[0]);
  }
  return attached(pulumi, args, { env: { ...process.env, ...env } });
}

/** Runs the CLI on this terminal, to its end. Ctrl-C ends it in order. Returns its exit code. */
export function attached(
  pulumi: string,
  args: readonly string[],
  at: { readonly cwd?: string; readonly env: NodeJS.ProcessEnv },
): Promise<number> {
  const child = spawn(pulumi, args, { stdio: "inherit", ...at });
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  return interruptible(
    () => {
      if (!atTerminal) child.kill("SIGINT"); // a terminal's Ctrl-C has reached the child already
    },
    () =>
      new Promise((resolve, reject) => {
        child.on("error", (error) => {
          reject(new Problem(`${pulumi} could not be started (${error.message})`));
        });
        child.on("close", (code, signal) => {
          resolve(code ?? (signal === "SIGINT" ? 130 : 137));
        });
      }),
  );
}

/** Only stacks for trying out get the published passphrase. Without it the CLI asks for the stack's own. */
export function withPassphrase(env: Toolchain["env"], stacks: readonly string[]): Toolchain["env"] {
  const { PULUMI_CONFIG_PASSPHRASE: passphrase, ...others } = env;
  const real = stacks.some((stack) => stack !== "dev" && !isReadyMade(stack));
  return passphrase === devPassphrase && real ? others : env;
}

/** One of the configs in stacks/, which are for trying out and share dev's published passphrase. */
export function isReadyMade(stack: string): boolean {
  return existsSync(join(repo, "stacks", `${stack}.yaml`));
}

/** Makes the stack unless it is there. Its config is the file in stacks/, so the one that Pulumi begins is removed. */
export async function create({ pulumi, env }: Toolchain, stack: string): Promise<void> {
  const at = { cwd: repo, env, reject: false, all: true } as const;
  const begun = join(repo, `Pulumi.${stack}.yaml`);
  const own = existsSync(begun);
  const { all, exitCode } = await execa(pulumi, ["stack", "init", stack, "--no-select", "--non-interactive"], at);
  if (exitCode !== 0 && !all.includes("already exists")) throw new Problem(`the stack cannot be made: ${all.trim()}`);
  if (!own) await rm(begun, { force: true });
}

/** Makes the images of this machine that the stack runs. Prints nothing if they are all there. */
export async function provide(
  { pulumi, env }: Toolchain,
  args: readonly string[],
  named: string | undefined,
): Promise<void> {
  const selected = async (): Promise<string> =>
    (await execa(pulumi, ["stack", "--show-name"], { env, reject: false, stdin: "ignore" })).stdout.trim();
  const stack = named ?? (await selected());
  const [file = `Pulumi.${stack}.yaml`] = valuesOf(args, "--config-file");
  if (!existsSync(file)) return; // Pulumi reports that the file is missing
  const config = await configOf(file);
  if (!takesLocal(config)) return;
  // The program and the SDK take a second to load, which most stacks need not wait for.
  const { wanted } = await import("../images/wanted.ts");
  const keys = wanted(config, stack);
  if (!(await settled(keys))) await steps([engineStep, imagesStep(keys)]);
}

/** The stacks that the arguments name: `--stack x`, `--stack=x`, `-s x`, `stack init x`, `stack select x`. */
export function named(args: readonly string[]): string[] {
  const found = valuesOf(args, "--stack", "-s");
  if (args[0] === "stack" && ["init", "select", "rm"].includes(args[1] ?? ""))
    found.push(...args.slice(2).filter((arg) => !arg.startsWith("-")));
  return found.map((stack) => stack.split("/").at(-1) ?? stack);
}

/** The values of `--flag x` and `--flag=x`. */
export function valuesOf(args: readonly string[], ...flags: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    if (flags.includes(arg)) return args.slice(index + 1, index + 2);
    const flag = flags.find((each) => arg.startsWith(`${each}=`));
    return flag === undefined ? [] : [arg.slice(flag.length + 1)];
  });
}
