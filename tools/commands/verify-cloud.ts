/**
 * `npm run verify-cloud -- aws …`: what is assumed of a cloud, held against a real account, in a stack that is taken away
 * again.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { local, repo } from "../setup/paths.ts";
import { codeOf, Problem } from "../setup/problem.ts";
import { toolchain } from "../setup/toolchain.ts";
import { type Simulation, simulation } from "../simulate/simulation.ts";
import { attached } from "./pulumi.ts";
import { type EngineEvent, type Result, resultsOf } from "../verify/results.ts";

import type { Where } from "../verify/aws/index.ts";

const usage = `npm run verify-cloud -- aws --account 123456789012 --region eu-central-1 \\
    --zones eu-central-1a,eu-central-1b,eu-central-1c --mirror <registry>/<prefix> [--profile p] [--role arn] --yes
  --simulated   on the simulated cloud, to try the command
  --keep        leaves the stack, to look at
  --destroy     only takes away what an earlier run has left

  --mirror: the account's registry, filled by \`npm run images -- push\` (docs/aws.md, "The first time")`;

/** List prices of us-east-1, mid 2025, as docs/aws.md has them. */
const cost = `This makes a private network with a way out, a small RDS and a small ElastiCache, a machine, a bucket, and a dozen
tasks of Fargate in your account, for about 40 minutes: roughly 1 US dollar (RDS 0.02 an hour, ElastiCache 0.02, the way out
0.05, endpoints 0.10, the machine 0.02, tasks 0.15; AWS counts begun hours of some). It takes all of it away again.`;

const program = join(repo, "tools/verify/aws");

export async function run(args: readonly string[]): Promise<number> {
  const asked = read(args);
  const { checks } = await import("../verify/aws/system.ts");
  if (!asked.destroy) process.stderr.write(`${cost}\n`);
  if (!asked.yes) throw new Problem(`nothing was made: run it again with --yes, if that is all right`);
  if (!asked.simulated) await sameAccount(asked.where);
  const folder = join(local, "verify", asked.simulated ? "aws-simulated" : "aws");
  const stack = await Throwaway.open(folder, asked);
  try {
    if (asked.destroy) return await stack.destroy();
    const results = resultsOf(await stack.up(), Object.keys(checks), "verify-");
    process.stdout.write(`\n${table(results, checks)}\n`);
    if (asked.keep) process.stdout.write("the stack is still there: --destroy takes it away\n");
    const gone = asked.keep ? 0 : await stack.destroy();
    return gone === 0 && results.every(({ is }) => is === "passed") ? 0 : 1;
  } finally {
    await stack.close();
  }
}

interface Asked {
  /** For the program. */
  readonly where: Where;
  readonly simulated: boolean;
  readonly keep: boolean;
  readonly destroy: boolean;
  readonly yes: boolean;
}

function read(args: readonly string[]): Asked {
  const text = { type: "string" } as const;
  const word = { type: "boolean", default: false } as const;
  const options = {
    ...{ account: text, region: text, zones: text, mirror: text, profile: text, role: text },
    ...{ simulated: word, keep: word, destroy: word, yes: word },
  };
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message : String(error)}: use ${usage}`);
  }
  const { positionals, values } = parsed;
  if (positionals.join(" ") !== "aws") throw new Problem(`verify-cloud ${positionals.join(" ")}: use ${usage}`);
  const { account, region, zones, mirror, profile, role, ...words } = values;
  for (const [key, value] of Object.entries({ account, region, zones, mirror }))
    if (value === undefined) throw new Problem(`--${key} is missing: use ${usage}`);
  const where = {
    ...{ account: account ?? "", region: region ?? "", zones: (zones ?? "").split(","), mirror: mirror ?? "" },
    ...(profile === undefined ? {} : { profile }),
    ...(role === undefined ? {} : { role }),
  };
  return { where, ...words };
}

/** The stack of this command, with a state of its own. */
class Throwaway {
  readonly #folder: string;
  readonly #pulumi: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #cloud: Simulation | undefined;

  private constructor(folder: string, pulumi: string, env: Readonly<Record<string, string>>, cloud?: Simulation) {
    this.#folder = folder;
    this.#pulumi = pulumi;
    this.#env = env;
    this.#cloud = cloud;
  }

  static async open(folder: string, { where, simulated }: Asked): Promise<Throwaway> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { pulumi, env: tools } = await toolchain((line) => process.stderr.write(`setting up Pulumi: ${line}\n`));
    if (simulated) process.env.SIMULATE_ACCOUNT = where.account;
    const cloud = simulated ? await simulation(join(folder, "world")) : undefined;
    const env = {
      ...tools,
      ...cloud?.env,
      PULUMI_CONFIG_PASSPHRASE: await passphrase(join(folder, "passphrase")),
      PULUMI_BACKEND_URL: `file://${folder}/state?create_dir=true&dir_file_mode=448&metadata=skip`,
      PULUMI_DEBUG_COMMANDS: "true", // without it the CLI knows no --event-log
      VERIFY: JSON.stringify(where),
    };
    const stack = new Throwaway(folder, pulumi, env, cloud);
    const { all, exitCode } = await execa(pulumi, ["stack", "init", stack.#name, "--no-select"], {
      ...{ cwd: program, env, reject: false, all: true, stdin: "ignore" },
    });
    if (exitCode !== 0 && !all.includes("already exists")) throw new Problem(`the stack cannot be made: ${all.trim()}`);
    return stack;
  }

  /** Pulumi keeps the salt of its secrets beside the program, in a file of this name. */
  get #name(): string {
    return this.#cloud === undefined ? "verify" : "simulated";
  }

  /** As far as it comes: a check that fails keeps no other one back. */
  async up(): Promise<EngineEvent[]> {
    const log = join(this.#folder, "events");
    await rm(log, { force: true });
    await this.#run(["up", "--yes", "--skip-preview", "--continue-on-error", "--event-log", log]);
    const lines = (await readFile(log, "utf8").catch(() => "")).split("\n").filter((line) => line.trim() !== "");
    await rm(log, { force: true }); // it may hold anything
    return lines.map((line) => JSON.parse(line) as EngineEvent);
  }

  /** @returns the exit code. */
  async destroy(): Promise<number> {
    const code = await this.#run(["destroy", "--yes", "--skip-preview"]);
    if (code === 0) return 0;
    process.stderr.write("not all of it is gone: run the same command with --destroy, until it is\n");
    return code;
  }

  async close(): Promise<void> {
    await this.#cloud?.close();
  }

  /** What comes after it goes on, however it ends. */
  #run(args: readonly string[]): Promise<number> {
    const at = { cwd: program, env: { ...process.env, ...this.#env } };
    return attached(this.#pulumi, [...args, "--stack", this.#name, "--non-interactive"], at);
  }
}

/** The stack's own, for as long as it lives. */
async function passphrase(file: string): Promise<string> {
  await writeFile(file, randomBytes(24).toString("hex"), { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    if (codeOf(error) !== "EEXIST") throw error;
  });
  return readFile(file, "utf8");
}

/** The credentials have to be the account's, before anything is made. */
async function sameAccount({ account, region, profile, role }: Where): Promise<void> {
  const { whoami } = await import("../../ops/aws.ts");
  const given = { ...(profile === undefined ? {} : { profile }), ...(role === undefined ? {} : { roleArn: role }) };
  const found = await whoami({ region, ...given });
  if (found !== account)
    throw new Problem(`--account ${account}: these credentials are of ${found}; choose others with --profile`);
}

function table(results: readonly Result[], checks: Readonly<Record<string, string>>): string {
  const widest = Math.max(...results.map(({ check }) => check.length));
  return results
    .map(({ check, is, why }) => {
      const line = `${is.padEnd(9)} ${check.padEnd(widest)}  ${checks[check] ?? ""}`;
      return why === undefined ? line : `${line}\n${why.replaceAll(/^/gm, "            ")}`;
    })
    .join("\n");
}
