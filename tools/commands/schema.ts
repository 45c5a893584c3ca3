/** `npm run schema`: writes stack.schema.json, by which editors complete and check a stack's file. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { stackSchema } from "../schema/schema.ts";
import { repo } from "../setup/paths.ts";
import { formatted } from "./formatted.ts";

export const schemaFile = join(repo, "stack.schema.json");

export async function schemaText(): Promise<string> {
  return formatted(schemaFile, JSON.stringify(stackSchema()));
}

export async function run(): Promise<number> {
  await writeFile(schemaFile, await schemaText());
  process.stdout.write("wrote stack.schema.json\n");
  return 0;
}
