/** `npm run status -- --stack <stack> [--json]`: what is deployed, whether it is well, and where to look. */
import process from "node:process";
import { parseArgs, styleText } from "node:util";

import { execa } from "execa";

import { secretsOfStack } from "../../comment/secrets.ts";
import { repo } from "../setup/paths.ts";
import { describe, Problem } from "../setup/problem.ts";
import { toolchain, type Toolchain } from "../setup/toolchain.ts";
import type { Status } from "../status/model.ts";
import type { State } from "../status/state.ts";
import { named, withPassphrase } from "./pulumi.ts";

const usage = "npm run status -- --stack <stack> [--json] [--simulated]";
const help = `${usage}

Whether a stack is well, what of it is not and where to look, and then what is deployed. It asks the state, the engines
and the edge, changes nothing, and needs no config. --simulated: a stack of npm run simulate.
Exit code: 0 all is well, 1 something is not, 2 it cannot be told. docs/status.md has the form of --json.
`;

const codes: Readonly<Record<Status["verdict"], number>> = { well: 0, unwell: 1, unknown: 2 };

export async function run(args: readonly string[]): Promise<number> {
  try {
    return await made(args);
  } catch (error) {
    process.stderr.write(`error: ${describe(error)}\n`);
    return 2; // 1 is a stack that is not well
  }
}

async function made(args: readonly string[]): Promise<number> {
  const { stack, json = false, simulated = false, help: asked = false } = read(args);
  if (asked) {
    process.stdout.write(help);
    return 0;
  }
  const tools = await toolchain((line) => process.stderr.write(`setting up Pulumi: ${line}\n`));
  if (!simulated)
    return await shown(
      { ...tools, env: withPassphrase(tools.env, named(["--stack", stack ?? "dev"])) },
      stack,
      json,
      false,
    );
  const { simulated: cloudOf } = await import("./simulate.ts");
  const cloud = await cloudOf(stack ?? "none", "no config is needed");
  Object.assign(process.env, cloud.env); // the SDKs find the simulated cloud there
  try {
    return await shown({ ...tools, env: { ...tools.env, ...cloud.env } }, stack, json, true);
  } finally {
    await cloud.close();
  }
}

async function shown(tools: Toolchain, stack: string | undefined, json: boolean, simulated: boolean): Promise<number> {
  const status = await statusOf(tools, stack, simulated);
  if (json) process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
  else {
    const { render } = await import("../status/render.ts");
    const stream = process.stdout;
    const { columns, rows, isTTY } = stream;
    const screen = {
      columns: isTTY && columns > 0 ? columns : 100,
      rows: isTTY && rows > 0 ? rows : undefined,
      // It honours NO_COLOR, FORCE_COLOR, and what is no terminal.
      paint: (style: Parameters<typeof styleText>[0], text: string) => styleText(style, text, { stream }),
    };
    process.stdout.write(render(status, screen));
  }
  return codes[status.verdict];
}

/** Reads the state, asks everything at once, and judges. */
export async function statusOf(tools: Toolchain, stack: string | undefined, simulated: boolean): Promise<Status> {
  const { stateOf, hasSecrets } = await import("../status/state.ts");
  if (stack === undefined) throw new Problem(`${usage}; ${await others(tools)}`);
  const text = await exported(tools, stack);
  const state = stateOf(text);
  if (state.resources.length === 0)
    throw new Problem(
      `nothing is deployed in the stack ${stack}: \`npm run pulumi -- up --stack ${stack}\` deploys it`,
    );
  const cli = { pulumi: tools.pulumi, cwd: repo, env: { ...process.env, ...tools.env } };
  const [seen, secrets] = await Promise.all([ask(state), secretsOfStack(cli, ["--stack", stack])]);
  const [{ judge }, { quoting }] = await Promise.all([import("../status/judge.ts"), import("../status/words.ts")]);
  const quote = quoting(secrets.length === 0 && hasSecrets(text) ? undefined : secrets);
  return judge(state, seen, { stack, now: new Date(), simulated, quote });
}

async function ask(state: State) {
  const [docker, swarm, aws, backup, certificate] = await Promise.all([
    import("../status/docker.ts"),
    import("../status/swarm.ts"),
    import("../status/aws.ts"),
    import("../status/backup.ts"),
    import("../status/certificate.ts"),
  ]);
  const edge = certificate.askEdge(state);
  const [hosts, swarms, regions] = await Promise.all([
    docker.askHosts(state),
    swarm.askSwarms(state),
    aws.askRegions(state),
  ]);
  return { hosts, swarms, regions, edge: await edge, backup: await backup.askBackup(state, hosts, swarms) };
}

/** The state, with secrets encrypted. */
async function exported({ pulumi, env }: Toolchain, stack: string): Promise<string> {
  const at = { cwd: repo, env, reject: false, stdin: "ignore", maxBuffer: 1e9 } as const;
  const asked = ["stack", "export", "--stack", stack, "--non-interactive", "--color", "never"];
  const { exitCode, stdout, stderr } = await execa(pulumi, asked, at);
  if (exitCode === 0) return stdout;
  if (stderr.includes("no stack named"))
    throw new Problem(`there is no stack ${stack}; ${await others({ pulumi, env })}`);
  const [line = "no word"] = stderr.split("\n").filter((each) => each.startsWith("error:"));
  throw new Problem(`the state of ${stack} cannot be read: ${line.replace(/^error: /, "")}`);
}

/** The stacks that are there, in a sentence. */
async function others({ pulumi, env }: Pick<Toolchain, "pulumi" | "env">): Promise<string> {
  const at = { cwd: repo, env, reject: false, stdin: "ignore" } as const;
  const { exitCode, stdout } = await execa(pulumi, ["stack", "ls", "--json", "--non-interactive"], at);
  const names = exitCode === 0 ? (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name) : [];
  return names.length === 0 ? "there are none here yet: `npm start` makes dev" : `there are ${names.join(", ")}`;
}

function read(args: readonly string[]) {
  const [text, flag] = [{ type: "string" }, { type: "boolean" }] as const;
  try {
    return parseArgs({ args: [...args], options: { stack: text, json: flag, simulated: flag, help: flag } }).values;
  } catch (error) {
    throw new Problem(`${usage}: ${describe(error)}`);
  }
}
