/** `npm run simulate -- <arguments>`: `npm run pulumi` with a simulated cloud, for who has no account. */
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";

import { clouds } from "../simulate/clouds.ts";
import { type Simulation, simulation } from "../simulate/simulation.ts";
import { configOf } from "../setup/config.ts";
import { local } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { devPassphrase, toolchain } from "../setup/toolchain.ts";
import { named, run as pulumi, valuesOf } from "./pulumi.ts";

const help = `npm run simulate -- <any Pulumi command>, for example
  npm run simulate -- up --stack arkindex-aws --config-file stacks/arkindex-aws.yaml

A whole preview, up or destroy without an account. The real Pulumi runs the real program; a provider of ours answers as
the cloud's. It checks inputs by the installed SDK's own typings, replaces what the real one replaces, refuses names that
are taken, and makes up ids. Tasks end well, services are stable, machines apply their spec. State, and what the simulated
cloud remembers, lie in .local/simulated, apart from real stacks: remove that folder to begin anew.

Not simulated: permissions, quotas, networks, time, and whether an image or a command works.

Faults, each a list of "[<number>] [create|update|delete] [<part of a URN>]" divided by commas:
  SIMULATE_FAIL      refused before anything is made. Also a call of the API (RunTask), or what ends badly:
                     task/<family>, service/<name>, machine/<group>
  SIMULATE_LOSE      made, and the answer is lost
  SIMULATE_THROTTLE  the first <number> times (default 1) too many requests; also a call of the API
  SIMULATE_TIMEOUT   made, but not ready in time
  SIMULATE_DIE       made, and then the provider's process ends
  SIMULATE_SLOW      takes <number> milliseconds; also a call of the API
  SIMULATE_FILLED    what it names holds data: a bucket, a registry
Example: SIMULATE_FAIL="create Instance::db" npm run simulate -- up …
`;

export async function run(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args[0] === "--help") {
    process.stdout.write(help);
    return 0;
  }
  // Scripts read stdout.
  process.stderr.write(
    "a simulation: nothing is made anywhere, and no account is asked (npm run simulate -- --help)\n",
  );
  // The CLI and its plugins have this process' environment.
  Object.assign(process.env, backend());
  const stack = named(args)[0] ?? (await selected());
  const [file = `Pulumi.${stack}.yaml`] = valuesOf(args, "--config-file");
  const cloud = await simulated(stack, file);
  Object.assign(process.env, cloud.env);
  try {
    return await pulumi(args);
  } finally {
    await cloud.close();
  }
}

const folder = join(local, "simulated");

/** Where the state of simulated stacks lies. */
function backend(): Record<string, string> {
  return {
    PULUMI_BACKEND_URL: `file://${folder}/state?create_dir=true&dir_file_mode=448&metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: process.env.PULUMI_CONFIG_PASSPHRASE ?? devPassphrase,
  };
}

/** The simulated cloud of a stack with this config. Refuses what would be the real thing. */
export async function simulated(stack: string, file: string): Promise<Simulation> {
  const account = await accountOf(file);
  if (account !== undefined) process.env.SIMULATE_ACCOUNT = account; // the cloud's own API reads it here
  const cloud = await simulation(join(folder, "worlds", stack));
  const named = account === undefined ? {} : { SIMULATE_ACCOUNT: account };
  return { ...cloud, env: { ...cloud.env, ...backend(), ...named } };
}

async function selected(): Promise<string> {
  const { pulumi: cli, env } = await toolchain();
  const { stdout } = await execa(cli, ["stack", "--show-name"], { env, reject: false, stdin: "ignore" });
  return stdout.trim() === "" ? "none" : stdout.trim();
}

/** The account that the config names. What is not a simulated cloud would be the real thing. */
async function accountOf(file: string): Promise<string | undefined> {
  const config = await configOf(file).catch(() => undefined);
  const topology = config?.topology;
  const account = (config?.aws as { account?: unknown } | undefined)?.account;
  if (config === undefined || (typeof topology === "string" && Object.hasOwn(clouds, topology)))
    return typeof account === "string" ? account : undefined;
  throw new Problem(
    `topology = ${typeof topology === "string" ? topology : "docker"} in ${file}: the simulation has ` +
      `${Object.keys(clouds).join(", ")}; use \`npm run pulumi\``,
  );
}
