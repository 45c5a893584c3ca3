/**
 * `npm run bench [-- --rounds 3] [--write docs/speed.md]`: the same containers by our program, by Docker Compose and by
 * Terraform, in turn, on this machine's engine. Compare ratios of one run: seconds of two machines say nothing.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { arkindexStack } from "../test/support/arkindex.ts";
import { formatted } from "../tools/commands/formatted.ts";
import { repo } from "../tools/setup/paths.ts";
import { wanted } from "../tools/images/wanted.ts";
import { configOf } from "../tools/setup/config.ts";
import { setup } from "../tools/setup/setup.ts";
import { compose, ours, terraform } from "./contenders.ts";
import { definitionOf } from "./definition.ts";
import { median, seconds, table } from "./measure.ts";
import { peers } from "./tools.ts";

import type { Contender } from "./contenders.ts";

const previews = 3;

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: "3" }, write: { type: "string" } },
  });
  // The dev stack is of the same platform.
  await setup(wanted(await configOf(join(repo, "Pulumi.dev.yaml")), "dev"));
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  try {
    const report = `${await systems(Number(values.rounds), folder, say)}\n${await growth(Number(values.rounds), say)}`;
    process.stdout.write(report);
    if (values.write !== undefined) {
      const path = join(repo, values.write);
      await writeFile(path, await formatted(path, await page(path, report)));
    }
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Times {
  readonly up: number[];
  readonly preview: number[];
  readonly down: number[];
}

/** All of Arkindex: nine containers, eight jobs, three networks. */
async function systems(rounds: number, folder: string, say: (line: string) => void): Promise<string> {
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
    const times = new Map<string, Times>();
    for (let round = 1; round <= rounds; round++)
      for (const contender of contenders) await measure(contender, times, `round ${String(round)}`, say);
    const jobs = definition.containers.filter(({ health }) => health === undefined).length;
    const long = definition.containers.length - jobs;
    return `${String(long)} containers, ${String(jobs)} jobs, ${String(definition.networks.length)} networks; medians of ${String(rounds)} rounds\n\n${compared(times)}`;
  } finally {
    await stack.dispose();
  }
}

async function measure(
  contender: Contender,
  times: Map<string, Times>,
  round: string,
  say: (line: string) => void,
): Promise<void> {
  const mine = times.get(contender.name) ?? { up: [], preview: [], down: [] };
  times.set(contender.name, mine);
  try {
    mine.up.push(await seconds(() => contender.up()));
    for (let look = 0; contender.preview && look < previews; look++)
      mine.preview.push(await seconds(contender.preview));
  } finally {
    mine.down.push(await seconds(() => contender.down()));
  }
  say(`${round}, ${contender.name}: up ${(mine.up.at(-1) ?? NaN).toFixed(1)} s`);
}

function compared(times: ReadonlyMap<string, Times>): string {
  const [mine] = times.values();
  const cell = (values: readonly number[], ofOurs: readonly number[] = []): string => {
    if (values.length === 0) return "–";
    const ratio = median(ofOurs) / median(values);
    return `${median(values).toFixed(1)} s${values === ofOurs ? "" : ` (ours is ${ratio.toFixed(2)} of it)`}`;
  };
  return table(
    ["", "up, until all is healthy", "unchanged preview or plan", "down"],
    [...times].map(([name, { up, preview, down }]) => [
      name,
      cell(up, mine?.up),
      cell(preview, mine?.preview),
      cell(down, mine?.down),
    ]),
  );
}

interface Program {
  readonly members: number;
  readonly resources: number;
  readonly loadMs: number;
  readonly runMs: number;
  readonly maxRssMib: number;
}

/** Our program alone, in a process of its own, as members grow. */
async function growth(rounds: number, say: (line: string) => void): Promise<string> {
  const rows: string[][] = [];
  for (const members of [10, 25, 50, 100]) {
    const runs: Program[] = [];
    for (let round = 0; round < Math.max(3, rounds); round++) {
      const { stdout } = await execa(process.execPath, [join(repo, "bench/program.ts"), String(members)], {
        cwd: repo,
      });
      runs.push(JSON.parse(stdout) as Program);
    }
    const of = (key: keyof Program): string => String(Math.round(median(runs.map((each) => each[key]))));
    rows.push([String(members), of("resources"), `${of("loadMs")} ms`, `${of("runMs")} ms`, `${of("maxRssMib")} MiB`]);
    say(`program with ${String(members)} members: ${of("runMs")} ms`);
  }
  return `Our program alone (no engine, no provider)\n\n${table(["members", "resources", "load", "run", "memory"], rows)}`;
}

/** The measured part of the page; what is said of it by hand stays. */
async function page(path: string, report: string): Promise<string> {
  const { stdout: commit } = await execa("git", ["rev-parse", "--short", "HEAD"], { cwd: repo });
  const date = new Date().toISOString().slice(0, 10);
  const before = await readFile(path, "utf8").catch(() => "");
  const at = before.search(/^## /m);
  return `# Speed\n\nMeasured with \`npm run bench -- --write docs/speed.md\` on ${date} at commit ${commit}. Two cores. Compare the ratios.\n\n${report}${at < 0 ? "" : `\n${before.slice(at)}`}`;
}
