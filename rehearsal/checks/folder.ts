import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

/** Writes a file in a folder, reads it back and removes it. */
export function folder(name: string, path: string): Check {
  return {
    name,
    target: path,
    required: true,
    run: async () => {
      const file = join(path, ".rehearsal");
      const value = String(Date.now());
      await writeFile(file, value);
      if ((await readFile(file, "utf8")) !== value) throw new Refusal(`${path} gave back another file`);
      await rm(file);
      return "file written and read back";
    },
  };
}
