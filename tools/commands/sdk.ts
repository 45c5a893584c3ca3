/**
 * `npm run sdk -- LANGUAGE [FOLDER]`: an SDK of the package for programs in another language, by Pulumi's own generator.
 * Default of the folder: `sdks/<language>`.
 */
import { join, resolve } from "node:path";
import process from "node:process";

import type { Say } from "../setup/cache.ts";
import { generateSdk } from "../setup/languages.ts";
import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { steps } from "../setup/progress.ts";

const languages = ["go", "nodejs", "python"];

export async function run([language = "", folder, ...rest]: readonly string[]): Promise<number> {
  if (!languages.includes(language) || rest.length > 0)
    throw new Problem(`npm run sdk -- ${languages.join("|")} [folder]`);
  const place = resolve(folder ?? join(repo, "sdks", language));
  await generate(language, place);
  process.stdout.write(`wrote ${place}\n`);
  return 0;
}

/** @throws Problem with the generator's words. */
export async function generate(language: string, folder: string): Promise<void> {
  const schema = join(repo, "ops/schema.json");
  const run = async (say: Say): Promise<string> => {
    await generateSdk({ language, schema, folder, local: true }, say);
    return folder;
  };
  await steps([{ title: `SDK for ${language}`, run }]);
}
