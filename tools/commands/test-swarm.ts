/**
 * `npm run test:swarm [-- paths] [--summary <file>]`: the heavy scenarios, on swarms of several daemons and on this
 * machine's engine (test/long).
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { possible } from "../swarm/claim.ts";
import { failuresOf, failureTable } from "./failures.ts";
import { runTier } from "./second-tier.ts";

export async function run(args: readonly string[]): Promise<number> {
  await possible({ name: "test", say: (line) => process.stderr.write(`${line}\n`) });
  const folder = await mkdtemp(join(tmpdir(), "test-swarm-"));
  const failures = join(folder, "failures");
  try {
    await writeFile(failures, "");
    process.env.PLATFORM_TOPOLOGIES_FAILURES = failures; // for jest's processes
    const told = async () => failureTable(failuresOf(await readFile(failures, "utf8")));
    return await runTier({ command: "test:swarm", folders: ["test/swarm", "test/long"], told }, args);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
