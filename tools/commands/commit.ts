import { execa } from "execa";

import { repo } from "../setup/paths.ts";

/** The commit that runs, and whether other files than these differ from it. */
export async function commitBut(...made: readonly string[]): Promise<string> {
  const git = async (...args: string[]): Promise<string> => (await execa("git", args, { cwd: repo })).stdout.trim();
  const changed = await git("status", "--porcelain", "--", ".", ...made.map((file) => `:!${file}`));
  return `${await git("rev-parse", "--short=12", "HEAD")}${changed === "" ? "" : ", with uncommitted changes"}`;
}
