/** `npm run api`: the reference of what the package exports, as HTML, made of its doc comments. */
import { join } from "node:path";
import process from "node:process";

import { local, repo } from "../setup/paths.ts";
import { stream } from "../setup/stream.ts";

export async function run(): Promise<number> {
  const typedoc = join(repo, "node_modules/typedoc/bin/typedoc");
  const code = await stream(process.execPath, [typedoc], { cwd: repo });
  if (code === 0) process.stdout.write(`open ${join(local, "api/index.html")}\n`);
  return code;
}
