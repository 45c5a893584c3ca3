/** `npm run pulumi -- <arguments>`: the very CLI, plugins, state and passphrase that `npm start` uses. */
import { spawn } from "node:child_process";
import process from "node:process";

import { interruptible } from "../setup/interrupt.ts";
import { Problem } from "../setup/problem.ts";
import { devPassphrase, isReady, toolchain } from "../setup/toolchain.ts";

export async function run(args: readonly string[]): Promise<number> {
  // Its stdout is a pipe's input for someone: only stderr, and only when there are minutes to wait.
  const quiet = await isReady();
  let last = 0;
  const { pulumi, env } = await toolchain((line) => {
    if (quiet || Date.now() - last < 10_000) return;
    last = Date.now();
    process.stderr.write(`setting up Pulumi: ${line}\n`);
  });
  const stacks = named(args);
  if (env.PULUMI_CONFIG_PASSPHRASE === devPassphrase && stacks.some((stack) => stack !== "dev"))
    delete env.PULUMI_CONFIG_PASSPHRASE; // published, so for dev alone: the CLI asks for the stack's own
  const child = spawn(pulumi, args, { stdio: "inherit", env: { ...process.env, ...env } });
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  return interruptible(
    () => {
      if (!atTerminal) child.kill("SIGINT"); // a terminal's Ctrl-C has reached it already
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

/** The stacks that the arguments name: `--stack x`, `--stack=x`, `-s x`, `stack init x`, `stack select x`. */
export function named(args: readonly string[]): string[] {
  const found: string[] = [];
  for (const [index, arg] of args.entries()) {
    const next = args[index + 1];
    if ((arg === "--stack" || arg === "-s") && next !== undefined) found.push(next);
    if (arg.startsWith("--stack=")) found.push(arg.slice("--stack=".length));
  }
  if (args[0] === "stack" && ["init", "select", "rm"].includes(args[1] ?? ""))
    found.push(...args.slice(2).filter((arg) => !arg.startsWith("-")));
  return found.map((stack) => stack.split("/").at(-1) ?? stack);
}
