/** Starts `pulumi preview` for a stack and reads what the engine says, to the end. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { digestOf, type Digest } from "./digest.ts";
import { keptOf, type Kept } from "./events.ts";
import { type Cli, redactor, secretsOfEnvironment, secretsOfStack } from "./secrets.ts";

export interface Wish {
  readonly stack: string;
  /** Default: the CLI's own, `Pulumi.<stack>.yaml`. */
  readonly configFile?: string;
  /** A folder: the plan is saved there as `<stack>.json`, for `pulumi up --plan`. */
  readonly plans?: string;
  /** Further arguments of `pulumi preview`. */
  readonly args: readonly string[];
}

/** Characters of what the CLI writes beside its events. */
const mostSaid = 16_000;

/**
 * What the preview found. Never throws for a preview that fails; throws where there is no such CLI. `stop` interrupts it in
 * order: the CLI ends by itself, with its plugins.
 */
export async function preview(wish: Wish, cli: Cli, stop?: AbortSignal): Promise<Digest> {
  const { stack } = wish;
  const { events, exitCode, said } = await eventsOf(wish, cli, stop);
  const secrets = [...secretsOfEnvironment(cli.env), ...(await secretsOfStack(cli, namedBy(wish)))];
  const known = redactor(secrets);
  // Where the program lies differs from one machine to another.
  const redact = (text: string): string => known(text).replaceAll(`${cli.cwd}/`, "");
  return digestOf({ stack, events, exitCode, said, redact });
}

function namedBy({ stack, configFile }: Wish): string[] {
  return ["--stack", stack, ...(configFile === undefined ? [] : ["--config-file", configFile])];
}

export interface Stream {
  readonly events: Kept[];
  readonly exitCode: number;
  readonly said: string;
}

/** Only what is kept of each event is ever stored. `seen`: for a test, each line before that. */
export async function eventsOf(
  wish: Wish,
  { pulumi, cwd, env }: Cli,
  stop?: AbortSignal,
  seen: (line: string) => void = () => undefined,
): Promise<Stream> {
  const plan = wish.plans === undefined ? [] : ["--save-plan", join(wish.plans, planOf(wish.stack))];
  const args = ["preview", "--json", "--non-interactive", "--color", "never", ...namedBy(wish), ...plan, ...wish.args];
  const child = spawn(pulumi, args, {
    cwd,
    env: { ...env, PULUMI_ENABLE_STREAMING_JSON_PREVIEW: "true" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a terminal's Ctrl-C comes once, from us: at a second one the CLI ends at once and leaves its plugins
  });
  const interrupt = (): void => void child.kill("SIGINT");
  stop?.addEventListener("abort", interrupt);
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", (error) => {
      reject(new Error(`${pulumi} could not be started (${error.message}): is the Pulumi CLI on PATH?`));
    });
    child.on("close", (code) => {
      resolve(code ?? 1);
    });
  });
  const events: Kept[] = [];
  let said = "";
  const say = (text: string): void => {
    said = `${said}${text}`.slice(-mostSaid);
  };
  child.stderr.setEncoding("utf8").on("data", say);
  // Never broken off: a reader that goes early kills the CLI in the middle.
  createInterface({ input: child.stdout, crlfDelay: Infinity }).on("line", (line) => {
    seen(line);
    const event = keptOf(line);
    if (event !== undefined) events.push(event);
  });
  try {
    return { events, exitCode: await ended, said };
  } finally {
    stop?.removeEventListener("abort", interrupt);
  }
}

/** The file of a stack's plan: its name may have slashes. */
export function planOf(stack: string): string {
  return `${stack.replaceAll("/", ".")}.json`;
}
