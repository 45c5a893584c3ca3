/**
 * `npm run bench [-- --rounds 3] [--only docker|aws|swarm] [--write docs/speed.md]`: the same containers by our program,
 * by Docker Compose and by Terraform, in turn, on this machine's engine; previews of the stacks for AWS, on the simulated
 * cloud; and the same services by our program and by `docker stack deploy`, in turn, on a swarm of namespaces. Compare
 * ratios of one run: seconds of two machines say nothing.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { execa } from "execa";
import { parse } from "yaml";

import { at } from "../components/core/formats.ts";
import { arkindexStack } from "../test/support/arkindex.ts";
import { formatted } from "../tools/commands/formatted.ts";
import { repo } from "../tools/setup/paths.ts";
import { wanted } from "../tools/images/wanted.ts";
import { configOf } from "../tools/setup/config.ts";
import { Problem } from "../tools/setup/problem.ts";
import { setup } from "../tools/setup/setup.ts";
import { aws as previewsOnAws } from "./aws.ts";
import { compose, ours, terraform } from "./contenders.ts";
import { definitionOf } from "./definition.ts";
import { median, table } from "./measure.ts";
import { inTurn } from "./rounds.ts";
import { swarm } from "./swarm.ts";
import { peers } from "./tools.ts";

import type { Say } from "../tools/setup/cache.ts";

const sections = {
  docker: {
    heading: "# Speed",
    measured: async (rounds: number, folder: string, say: Say): Promise<string> => {
      // The dev stack is of the same platform.
      await setup(wanted(await configOf(join(repo, "Pulumi.dev.yaml")), "dev"));
      return `${await systems(rounds, folder, say)}\n${await growth("docker", rounds, say)}`;
    },
  },
  aws: {
    heading: "## Previews on AWS",
    measured: async (rounds: number, folder: string, say: Say): Promise<string> =>
      `${await previewsOnAws(rounds, folder, say)}\n${await growth("aws", rounds, say)}`,
  },
  swarm: { heading: "## Three copies on a swarm", measured: swarm },
};
const isSection = (name: string): name is keyof typeof sections => Object.hasOwn(sections, name);

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: "3" }, only: { type: "string" }, write: { type: "string" } },
  });
  const names = Object.keys(sections).filter(isSection);
  const chosen = names.filter((name) => name === (values.only ?? name));
  if (chosen.length === 0) throw new Problem(`--only ${values.only ?? ""}: the bench has ${names.join(", ")}`);
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  const say: Say = (line) => void process.stderr.write(`${line}\n`);
  try {
    for (const name of chosen) {
      const { heading, measured } = sections[name];
      const report = await measured(Number(values.rounds), folder, say);
      process.stdout.write(report);
      if (values.write === undefined) continue;
      const path = join(repo, values.write);
      const section = `${heading}\n\n${await measuredBy(name, values.write)}\n\n${report}\n`;
      const before = await readFile(path, "utf8").catch(() => "");
      await writeFile(path, await formatted(path, withSection(before, heading, section)));
    }
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** All of Arkindex: nine containers, eight jobs, three networks. */
async function systems(rounds: number, folder: string, say: Say): Promise<string> {
  const tools = await peers(folder, say);
  const name = "bench";
  const stack = await arkindexStack({ name, https: 18443 });
  try {
    const mine = ours(stack, name);
    say("platform-topologies: up once, for the definition of all three");
    await mine.up();
    const { output } = await stack.run(["stack", "export", "--show-secrets"]);
    const definition = definitionOf(JSON.parse(output));
    await mine.down();
    const contenders = [mine, await compose(definition, tools, folder), await terraform(definition, tools, folder)];
    const times = await inTurn(contenders, rounds, "ours", say);
    const jobs = definition.containers.filter(({ health }) => health === undefined).length;
    const long = definition.containers.length - jobs;
    return `${String(long)} containers, ${String(jobs)} jobs, ${String(definition.networks.length)} networks; medians of ${String(rounds)} rounds\n\n${times}`;
  } finally {
    await stack.dispose();
  }
}

interface Program {
  readonly members: number;
  readonly resources: number;
  readonly loadMs: number;
  readonly runMs: number;
  readonly maxRssMib: number;
}

/** Our program alone, in a process of its own, as members grow. */
async function growth(topology: "docker" | "aws", rounds: number, say: Say): Promise<string> {
  const project: unknown = parse(await readFile(join(repo, "Pulumi.yaml"), "utf8"));
  const nodeArgs = String(at(project, ["runtime", "options", "nodeargs"])).split(" ");
  const rows: string[][] = [];
  let smaller: { readonly resources: number; readonly runMs: number } | undefined;
  for (const members of [10, 25, 50, 100]) {
    const runs: Program[] = [];
    for (let round = 0; round < Math.max(3, rounds); round++) {
      const program = [join(repo, "bench/program.ts"), topology, String(members)];
      const { stdout } = await execa(process.execPath, [...nodeArgs, ...program], { cwd: repo });
      runs.push(JSON.parse(stdout) as Program);
    }
    const of = (key: keyof Program): number => Math.round(median(runs.map((each) => each[key])));
    const [resources, runMs] = [of("resources"), of("runMs")];
    // Alike in all rows if the time grows as the resources do.
    const further = smaller && (runMs - smaller.runMs) / (resources - smaller.resources);
    smaller = { resources, runMs };
    rows.push([
      String(members),
      String(resources),
      `${String(of("loadMs"))} ms`,
      `${String(runMs)} ms`,
      further === undefined ? "–" : `${further.toFixed(1)} ms`,
      `${String(of("maxRssMib"))} MiB`,
    ]);
    say(`program on ${topology} with ${String(members)} members: ${String(runMs)} ms`);
  }
  const head = ["members", "resources", "load", "run", "each further resource", "memory"];
  const what = "Our program alone (no engine, no provider), in processor time";
  return `${what}\n\n${table(head, rows)}`;
}

async function measuredBy(section: string, file: string): Promise<string> {
  const { stdout: commit } = await execa("git", ["rev-parse", "--short", "HEAD"], { cwd: repo });
  const date = new Date().toISOString().slice(0, 10);
  const command = `npm run bench -- --only ${section} --write ${file}`;
  return `Measured with \`${command}\` on ${date} at commit ${commit}. Two cores. Compare the ratios.`;
}

/** The page with another measured section; the others, and what is said by hand, stay. */
function withSection(page: string, heading: string, section: string): string {
  const parts = page.split(/^(?=##? )/m);
  const there = parts.findIndex((part) => part.startsWith(`${heading}\n`));
  // A new one comes behind the first, before what is said by hand.
  if (there < 0) parts.splice(1, 0, section);
  else parts[there] = section;
  return parts.join("");
}
