/** `npm run new -- [stack] [--key value]…`: asks what a stack shall be, and writes its config. */
import { realpath, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";

import { sentence } from "../../components/core/errors.ts";
import { answered, refusal, type Verdict, valueAt, verdictOf, withValue, wrongAt } from "../new/config.ts";
import { commandsFor, textOf } from "../new/file.ts";
import { Ended, prompts } from "../new/prompts.ts";
import { type Config, type Question, questions } from "../new/questions.ts";
import { systems } from "../../components/systems/index.ts";
import { topologyNames } from "../../components/core/topology.ts";
import { codeOf, Problem } from "../setup/problem.ts";
import { repo } from "../setup/paths.ts";

const help = `npm run new -- [stack] [--<key> <value>]…, for example
  npm run new
  npm run new -- prod --system arkindex --topology docker --hostname arkindex.example.com --docker.tls.mode acme \\
    --docker.tls.email operator@example.com

Asks for what is not given, where there is a terminal, and writes Pulumi.<stack>.yaml: checked by the program itself, so
that nothing is left but secrets and images, which it names. A key is a path in the config (components/config.ts), a value
text, YAML, a list with commas, or @file. A file that is there is kept.

  --file <path>        another file
  --overwrite          in the place of the file that is there
  --non-interactive    ask nothing
`;

interface Asked {
  readonly stack: string | undefined;
  readonly file: string | undefined;
  readonly overwrite: boolean;
  readonly interactive: boolean;
  /** Answers by key, in the order in which they were given. */
  readonly given: ReadonlyMap<string, string>;
}

export async function run(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(help);
    return 0;
  }
  const asked = read(args);
  try {
    process.stdout.write(await made(asked));
    return 0;
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    process.stderr.write("ended: nothing was written\n");
    return 130;
  }
}

/** Writes the file. Returns what to say of it. */
async function made(asked: Asked): Promise<string> {
  const { given, interactive } = asked;
  const begun = await chosenPair(asked);
  const stack = asked.stack ?? (await stackName(asked, begun));
  const path = asked.file === undefined ? join(repo, `Pulumi.${stack}.yaml`) : resolve(asked.file);
  const shown = relative(process.cwd(), path);
  const replaces =
    existsSync(path) &&
    (asked.overwrite || (interactive && (await prompts.yesOrNo(`${shown} is there: overwrite it?`, false))));
  if (existsSync(path) && !replaces)
    throw new Problem(`${shown} is there, and is kept: name another stack, or add --overwrite`);
  const config = interactive ? await interview(begun, given, stack) : begun;
  if (dirname(path) === join(repo, "stacks") && config.protect !== false)
    throw new Problem(
      `${shown}: what is in stacks/ is for trying out, and its passphrase is published: add --protect false, or write it elsewhere`,
    );
  const verdict = checked(config, stack);
  const commands = commandsFor(config, stack, asked.file, verdict);
  await write(path, textOf(config, path, commands), replaces, shown);
  return told(shown, verdict, commands);
}

/** System and topology first: all else hangs on them. */
async function chosenPair({ given, interactive }: Asked): Promise<Config> {
  const choose = async (key: string, names: readonly string[], why: (name: string) => string | undefined) => {
    const said = given.get(key);
    if (said !== undefined || !interactive) return said;
    const choices = names.map((value) => ({ value, label: value, disabled: why(value) }));
    return prompts.choice(key === "system" ? "What to deploy" : "Where", choices, undefined);
  };
  const system = await choose("system", Object.keys(systems), () => undefined);
  if (system === undefined) throw new Problem("--system is missing: npm run new -- --help");
  const one = wrongAt({ system }, "system");
  if (one !== undefined) throw new Problem(one);
  const topology = await choose("topology", topologyNames, (name) => refusal(system, name));
  if (topology === undefined) throw new Problem("--topology is missing: npm run new -- --help");
  const two = wrongAt({ system, topology }, "topology");
  if (two !== undefined) throw new Problem(two);
  const why = refusal(system, topology);
  if (why !== undefined) throw new Problem(`topology = ${JSON.stringify(topology)}: ${why}`);
  const rest = [...given].filter(([key]) => key !== "system" && key !== "topology");
  return rest.reduce<Config>(
    (config, [key, value]) => {
      const { config: next, wrong } = answered(config, key, value);
      if (wrong !== undefined) throw new Problem(wrong);
      return next;
    },
    { system, topology },
  );
}

async function stackName({ interactive }: Asked, { system, topology }: Config): Promise<string> {
  if (!interactive) throw new Problem("the stack's name is missing: npm run new -- <stack> …");
  return prompts.text("The stack's name, as Pulumi will know it", `${String(system)}-${String(topology)}`, wrongName);
}

/** Pulumi's own grammar. */
function wrongName(name: string): string | undefined {
  return /^[\w.-]{1,100}$/.test(name) ? undefined : `stack = ${JSON.stringify(name)}: letters, digits, - _ and .`;
}

/** Asks all that is not given, and again what the program refuses of the whole. */
async function interview(begun: Config, given: ReadonlyMap<string, string>, stack: string): Promise<Config> {
  let config = begun;
  for (const question of questions)
    if (!given.has(question.key) && question.when?.(config) !== false) config = await ask(question, config, stack);
  for (;;) {
    const { wrong } = verdictOf(config, stack);
    const again = questions.filter(({ key }) => wrong.some((problem) => problem.key === key));
    if (again.length === 0) return config;
    for (const problem of wrong) prompts.say(sentence(problem));
    for (const question of again) config = await ask(question, config, stack);
  }
}

async function ask(question: Question, config: Config, stack: string): Promise<Config> {
  const { key, message, yesOrNo, optional = false, example } = question;
  const there = valueAt(config, key);
  const usual = question.usual?.(config);
  const choices = question.choices?.(config);
  if (choices !== undefined) {
    const offered = choices.map((choice) => ({
      ...choice,
      disabled: unfit(withValue(config, key, choice.value), key, stack),
    }));
    return withValue(config, key, await prompts.choice(message, offered, usual));
  }
  if (yesOrNo === true) return withValue(config, key, await prompts.yesOrNo(message, usual === true));
  const wrong = (text: string): string | undefined => {
    if (text.trim() === "") return optional ? undefined : "an answer is needed";
    try {
      return answered(config, key, text).wrong;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const offered = typeof there === "string" ? there : typeof usual === "string" ? usual : "";
  const text = await prompts.text(message, offered, wrong, example);
  return text.trim() === "" ? withValue(config, key, undefined) : answered(config, key, text).config;
}

/** What the program has against the value at a key, as far as the rest is known. */
function unfit(config: Config, key: string, stack: string): string | undefined {
  return verdictOf(config, stack).wrong.find((wrong) => wrong.key === key)?.remedy;
}

function checked(config: Config, stack: string): Verdict {
  const verdict = verdictOf(config, stack);
  const { wrong } = verdict;
  if (wrong.length === 0) return verdict;
  const count = wrong.length === 1 ? "1 problem" : `${String(wrong.length)} problems`;
  throw new Problem(`${count}, nothing was written:\n${wrong.map((problem) => `  - ${sentence(problem)}`).join("\n")}`);
}

/** All or nothing: a file that has come meanwhile is kept, and so is the old one where the disk has no room for the new. */
async function write(path: string, text: string, replaces: boolean, shown: string): Promise<void> {
  const target = replaces ? await realpath(path).catch(() => path) : path;
  const made = replaces ? `${target}.${String(process.pid)}` : path;
  try {
    await writeFile(made, text, { flag: "wx" });
    if (replaces) await rename(made, target);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") await rm(made, { force: true });
    if (["ENOSPC", "EDQUOT", "EFBIG"].includes(codeOf(error) ?? ""))
      throw new Problem(`${shown}: its disk has no room for it, and nothing was changed`);
    if (codeOf(error) === "EEXIST")
      throw new Problem(`${shown} is there, and is kept: name another stack, or add --overwrite`);
    if (codeOf(error) === "ENOENT") throw new Problem(`${shown}: there is no such folder`);
    throw error;
  }
}

function told(shown: string, { missing }: Verdict, commands: readonly string[]): string {
  return [
    `wrote ${shown}`,
    ...(missing.length > 0 ? ["still to be given in it:", ...missing.map((line) => `  - ${line}`)] : []),
    "next:",
    ...commands.map((command) => `  ${command}`),
    "",
  ].join("\n");
}

function read(args: readonly string[]): Asked {
  const given = new Map<string, string>();
  const names: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (!arg.startsWith("--")) {
      names.push(arg);
      continue;
    }
    const [, key = "", inline] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const next = args[index + 1];
    const value = inline ?? (next === undefined || next.startsWith("--") ? "true" : next);
    if (inline === undefined && value === next && key !== "overwrite" && key !== "non-interactive") index++;
    given.set(key, value);
  }
  const [stack, ...more] = names;
  if (more.length > 0) throw new Problem(`one stack at a time: ${more.join(", ")}`);
  const wrong = stack === undefined ? undefined : wrongName(stack);
  if (wrong !== undefined) throw new Problem(wrong);
  const secret = [...given.keys()].find((key) => /^secrets(\.|$)/.test(key));
  if (secret !== undefined)
    throw new Problem(`${secret}: a command line is no place for secrets: \`config set --secret\` follows`);
  const [file, overwrite, quiet] = ["file", "overwrite", "non-interactive"].map((key) => {
    const value = given.get(key);
    given.delete(key);
    return value;
  });
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  return { stack, file, overwrite: overwrite !== undefined, interactive: terminal && quiet === undefined, given };
}
