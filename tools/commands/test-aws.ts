/**
 * `npm run test:aws [-- paths] [--summary <file>]`: what AWS stacks are held against that is too slow for every change:
 * an auditor's controls, and what each change of a config touches.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { runTier } from "./second-tier.ts";

/** The images of what runs in containers: a job, and Arkindex with its stores. */
const keys = ["toolbox", "postgis", "redis", "solr", "minio", "rehearsal"];

export async function run(args: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "test-aws-"));
  try {
    process.env.PLATFORM_TOPOLOGIES_TOLD = folder; // for jest's processes
    const told = async (): Promise<string[]> => {
      const files = (await readdir(folder)).sort();
      return Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
    };
    return await runTier({ command: "test:aws", folders: ["test/aws"], keys, told }, args);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
