/**
 * `npm run reconcile -- --stack <stack> [--config-file <file>] [--once | --every <seconds>]`: looks after a stack on a
 * swarm, and puts another member in the place of one that has failed for good. docs/ha.md has its rules.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { usual } from "../../reconciler/judgement.ts";
import { reconciler } from "../../reconciler/index.ts";
import { configOf } from "../setup/config.ts";
import { interrupted } from "../setup/interrupt.ts";
import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { toolchain } from "../setup/toolchain.ts";
import { withPassphrase } from "./pulumi.ts";

const usage =
  "npm run reconcile -- --stack <stack> [--config-file <file>] [--once | --every <seconds>] [--grace <seconds>] [--limit <seconds>]";
/** The seconds between two glances, which note the ends of tasks: a swarm forgets them soon. */
const glanceSeconds = 5;

export async function run(args: readonly string[]): Promise<number> {
  const { stack, file, every, policy, limits } = read(args);
  const tools = await toolchain();
  const env = withPassphrase(tools.env, [stack]);
  const say = (line: string): void => {
    process.stdout.write(`${new Date().toISOString()} ${line}\n`);
  };
  const pulumi = async (asked: readonly string[]): Promise<{ code: number; output: string }> => {
    const config = asked[0] === "up" ? ["--config-file", file] : [];
    const options = ["--stack", stack, "--non-interactive", "--color", "never", ...config];
    const done = await execa(tools.pulumi, [...asked, ...options], { cwd: repo, env, reject: false });
    return { code: done.exitCode ?? 1, output: done.exitCode === 0 ? done.stdout : `${done.stdout}\n${done.stderr}` };
  };
  const watcher = await reconciler({ config: () => configOf(file), stack, pulumi, say, policy, limits });
  const look = async (): Promise<boolean> => {
    try {
      return await watcher.once();
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
      return false;
    }
  };
  if (every === undefined) {
    // A member in a restart loop ends every few seconds: half a minute shows more ends than the swarm remembers.
    for (let seconds = 0; seconds < 30 && !interrupted(); seconds += glanceSeconds) {
      await watcher.glance().catch(() => undefined);
      await sleep(glanceSeconds * 1000);
    }
    return (await look()) ? 0 : 1;
  }
  say(`watching ${stack} every ${String(every)} s`);
  while (!interrupted()) {
    await look();
    for (let seconds = 0; seconds < every && !interrupted(); seconds += glanceSeconds) {
      await sleep(Math.min(glanceSeconds, every) * 1000);
      await watcher.glance().catch(() => undefined);
    }
  }
  return 0;
}

function read(args: readonly string[]) {
  const { values } = parsed(args);
  const { stack, once = false } = values;
  if (stack === undefined || (once && values.every !== undefined)) throw new Problem(usage);
  const seconds = (text: string | undefined, otherwise: number): number => {
    const value = text === undefined ? otherwise : Number(text);
    if (!Number.isInteger(value) || value < 0) throw new Problem(`${usage}: ${text ?? ""} is no number of seconds`);
    return value;
  };
  return {
    stack,
    file: values["config-file"] ?? `Pulumi.${stack}.yaml`,
    every: once ? undefined : Math.max(1, seconds(values.every, 60)),
    policy: { ...usual, graceSeconds: seconds(values.grace, usual.graceSeconds) },
    limits: { everySeconds: seconds(values.limit, 3600) },
  };
}

function parsed(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { stack: text, "config-file": text, once: { type: "boolean" }, every: text, grace: text, limit: text },
    });
  } catch (error) {
    throw new Problem(`${usage}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
