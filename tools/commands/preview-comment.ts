/** `npm run preview-comment -- …`: the package's command (comment/), with this checkout's CLI, stacks and simulated cloud. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { given, run as comment, usage, type Given } from "../../comment/main.ts";
import { configOf } from "../setup/config.ts";
import { interruptible } from "../setup/interrupt.ts";
import { repo } from "../setup/paths.ts";
import { describe, Problem } from "../setup/problem.ts";
import { toolchain, type Toolchain } from "../setup/toolchain.ts";
import { clouds } from "../simulate/clouds.ts";
import { changedSince, touches } from "../touched.ts";
import { create, isReadyMade, provide, withPassphrase } from "./pulumi.ts";
import { simulated } from "./simulate.ts";

import type { Cli } from "../../comment/secrets.ts";
import type { Wish } from "../../comment/preview.ts";

const more = `
In this checkout also:
  --simulated                on the simulated cloud (npm run simulate -- --help); without a stack: all of stacks/ that it has
  --since REF                only the stacks that a change since the branch point with REF touches
  --list                     prints their names, and makes nothing
The config of a ready stack is its file in stacks/.
`;

export async function run(args: readonly string[]): Promise<number> {
  try {
    return await made(args);
  } catch (error) {
    process.stderr.write(`error: ${describe(error)}\n`);
    return 2; // 1 is a preview that failed
  }
}

async function made(args: readonly string[]): Promise<number> {
  const { flags, rest } = split(args);
  const asked = given(rest);
  if (asked.options.help) {
    process.stdout.write(`${usage}\n${more}`);
    return 0;
  }
  const wishes = await chosen(asked, flags);
  if (flags.list) {
    process.stdout.write(wishes.map(({ stack }) => `${stack}\n`).join(""));
    return 0;
  }
  const tools = await toolchain((line) => process.stderr.write(`setting up Pulumi: ${line}\n`));
  const closing: (() => Promise<void>)[] = [];
  const stop = new AbortController();
  try {
    return await interruptible(
      () => {
        process.stderr.write("\nthe preview ends in order, and then this does\n");
        stop.abort();
      },
      () =>
        comment(
          { ...asked, wishes },
          {
            env: process.env,
            out: (text) => process.stdout.write(text),
            say: (line) => process.stderr.write(`${line}\n`),
            stop: stop.signal,
            cli: async (wish) => {
              if (!flags.simulated) return real(tools, wish);
              const cloud = await simulated(wish.stack, fileOf(wish));
              closing.push(() => cloud.close());
              return prepared({ ...tools, env: { ...tools.env, ...cloud.env } }, wish);
            },
          },
        ),
    );
  } finally {
    for (const close of closing) await close();
  }
}

interface Flags {
  readonly simulated: boolean;
  readonly list: boolean;
  readonly since: string | undefined;
}

/** Our own flags, and those of the package's command. */
function split(args: readonly string[]): { flags: Flags; rest: string[] } {
  const end = args.indexOf("--");
  const rest = args.slice(0, end < 0 ? args.length : end);
  const take = (flag: string): boolean => {
    const at = rest.indexOf(flag);
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  };
  const [simulated, list] = [take("--simulated"), take("--list")];
  const at = rest.indexOf("--since");
  const [, since] = at < 0 ? [] : rest.splice(at, 2);
  if (at >= 0 && since === undefined) throw new Problem("--since: name a commit or a branch");
  return { flags: { simulated, list, since }, rest: [...rest, ...(end < 0 ? [] : args.slice(end))] };
}

/** The stacks that were named, or all that can be simulated; of these, what the change touches. */
async function chosen({ wishes, options }: Given, flags: Flags): Promise<Wish[]> {
  if (options.from !== undefined) return [...wishes];
  const all = wishes.length > 0 ? wishes.map(withFile) : flags.simulated ? await ready() : [];
  if (all.length === 0) throw new Problem(`name a stack, or --from\n\n${usage}\n${more}`);
  if (flags.since === undefined) return all;
  const changed = await changedSince(flags.since);
  const found: Wish[] = [];
  for (const wish of all) {
    const { system = "arkindex", topology = "docker" } = await configOf(join(repo, fileOf(wish)));
    const candidate = { configFile: fileOf(wish), system: String(system), topology: String(topology) };
    if (await touches(candidate, changed, flags.simulated)) found.push(wish);
  }
  return found;
}

function withFile(wish: Wish): Wish {
  return wish.configFile === undefined && isReadyMade(wish.stack)
    ? { ...wish, configFile: `stacks/${wish.stack}.yaml` }
    : wish;
}

function fileOf({ stack, configFile = `Pulumi.${stack.split("/").at(-1) ?? stack}.yaml` }: Wish): string {
  return configFile;
}

async function ready(): Promise<Wish[]> {
  const files = (await readdir(join(repo, "stacks"))).filter((file) => file.endsWith(".yaml")).sort();
  const found: Wish[] = [];
  for (const file of files) {
    const { topology } = await configOf(join(repo, "stacks", file));
    if (typeof topology === "string" && Object.hasOwn(clouds, topology))
      found.push({ stack: file.replace(/\.yaml$/, ""), configFile: `stacks/${file}`, args: [] });
  }
  return found;
}

async function real(tools: Toolchain, wish: Wish): Promise<Cli> {
  return prepared({ ...tools, env: withPassphrase(tools.env, [wish.stack]) }, wish);
}

/** The stack of stacks/, if it is one, and the images of this machine that it runs. */
async function prepared(tools: Toolchain, wish: Wish): Promise<Cli> {
  const env = { ...process.env, ...tools.env };
  if (isReadyMade(wish.stack)) await create({ ...tools, env: tools.env }, wish.stack);
  await provide(tools, ["--config-file", fileOf(wish)], wish.stack);
  return { pulumi: tools.pulumi, cwd: repo, env };
}
