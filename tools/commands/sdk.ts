/**
 * `npm run sdk -- LANGUAGE [FOLDER]`: an SDK of the package for programs in another language, by Pulumi's own generator.
 * Default of the folder: `sdks/<language>`.
 */
import { join, resolve } from "node:path";
import process from "node:process";

import { execa } from "execa";

import type { Say } from "../setup/cache.ts";
import { sdkgen } from "../setup/languages.ts";
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
  let generator = "";
  const built = async (say: Say): Promise<string> => (generator = await sdkgen(say));
  await steps([{ title: "Pulumi's generator", run: built }]);
  const schema = join(repo, "ops/schema.json");
  const { failed, stderr } = await execa(generator, [language, schema, folder, "local"], { reject: false });
  if (failed) throw new Problem(`no SDK for ${language}: ${stderr.trim()}`);
}
