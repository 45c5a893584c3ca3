/** Unchanged previews of the ready stacks for AWS, on the simulated cloud. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { simulation } from "../tools/simulate/simulation.ts";
import { configOf } from "../tools/setup/config.ts";
import { repo } from "../tools/setup/paths.ts";
import { simulatedStack } from "../test/support/simulated-stack.ts";
import { succeeded, TestStack } from "../test/support/stack.ts";
import type { Say } from "../tools/setup/cache.ts";
import { median, seconds, table } from "./measure.ts";
import { type Taken, type Watched, watched } from "./processes.ts";

/** The processes of a preview, by their command lines. */
const kinds: Readonly<Record<string, RegExp>> = {
  CLI: /\/pulumi preview /,
  "language host": /language-(host\/main|nodejs)/,
  "our program": /\/cmd\/run\b/,
  "our plugin": /\/ops\/main\.ts/,
  "random plugin": /resource-random/,
  "simulated cloud": /\/provider\.ts aws/,
};

interface Preview extends Watched {
  readonly wall: number;
}

/** `folder`: for what the simulated clouds remember. */
export async function aws(rounds: number, folder: string, say: Say): Promise<string> {
  const rows: string[][] = [];
  const measure = async (name: string, stack: TestStack): Promise<void> => {
    say(`${name}: up`);
    succeeded(await stack.up());
    const previews: Preview[] = [];
    // The first fills the cache of compiled code.
    for (let round = 0; round <= rounds; round++) {
      let wall = 0;
      const took = await watched(async () => {
        wall = await seconds(async () => void succeeded(await stack.preview(["--expect-no-changes"])));
      });
      if (round > 0) previews.push({ wall, ...took });
    }
    const { resources } = await stack.state();
    rows.push([name, String(resources.length), ...cells(previews)]);
    say(`${name}: an unchanged preview in ${median(previews.map(({ wall }) => wall)).toFixed(1)} s`);
  };
  const empty = await TestStack.create({ program: 'import "@pulumi/pulumi";' });
  try {
    await measure("nothing but the SDK", empty);
  } finally {
    await empty.dispose();
  }
  for (const name of await stacks()) {
    const cloud = await simulation(join(folder, name));
    try {
      const stack = await simulatedStack(name, cloud);
      try {
        await measure(name, stack);
      } finally {
        await stack.dispose();
      }
    } finally {
      await cloud.close();
    }
  }
  const what =
    `Previews of stacks in which nothing has changed, on the simulated cloud; medians of ${String(rounds)}. ` +
    "Processor time and the most memory at once, of all processes together and of each";
  return `${what}\n\n${table(["", "resources", "takes", "all", ...Object.keys(kinds)], rows)}`;
}

/** Those that run on the simulated cloud alone. */
async function stacks(): Promise<string[]> {
  const names: string[] = [];
  for (const file of (await readdir(join(repo, "stacks"))).sort())
    if ((await configOf(join(repo, "stacks", file))).topology === "aws") names.push(file.replace(/\.yaml$/, ""));
  return names;
}

function cells(previews: readonly Preview[]): string[] {
  const of = (number: (preview: Preview) => number): number => median(previews.map(number));
  const cell = (cpu: number, mib: number): string => `${cpu.toFixed(2)} s, ${mib.toFixed(0)} MiB`;
  return [
    `${of(({ wall }) => wall).toFixed(1)} s`,
    cell(
      of(({ processes: all }) => total(all)),
      of(({ peakMib }) => peakMib),
    ),
    ...Object.values(kinds).map((kind) => {
      const its = ({ processes: all }: Preview): Taken[] => all.filter(({ command }) => kind.test(command));
      if (previews.every((each) => its(each).length === 0)) return "–";
      return cell(
        of((each) => total(its(each))),
        of((each) => Math.max(0, ...its(each).map(({ peakMib }) => peakMib))),
      );
    }),
  ];
}

function total(processes: readonly Taken[]): number {
  return processes.reduce((sum, { cpu }) => sum + cpu, 0);
}
