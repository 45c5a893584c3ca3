/**
 * `npm run schema`: writes stack.schema.json, by which editors complete and check a stack's file, and ops/schema.json, from
 * which Pulumi generates SDKs for other languages.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { packageSchema } from "../schema/package.ts";
import { stackSchema } from "../schema/schema.ts";
import { repo } from "../setup/paths.ts";
import { formatted } from "./formatted.ts";

const written = {
  "stack.schema.json": () => stackSchema(),
  "ops/schema.json": () => packageSchema(),
};
export const schemaFiles = Object.keys(written) as (keyof typeof written)[];

export function schemaText(file: keyof typeof written): Promise<string> {
  return formatted(join(repo, file), JSON.stringify(written[file]()));
}

export async function run(): Promise<number> {
  for (const file of schemaFiles) await writeFile(join(repo, file), await schemaText(file));
  process.stdout.write(`wrote ${schemaFiles.join(" and ")}\n`);
  return 0;
}
