/** The reference of the API: whatever the package exports says what it is, and so does each member of it. */
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";

import { expect, test } from "@jest/globals";
import { execa } from "execa";

import { repo } from "../support/stack.ts";

test("every exported symbol, and every public member of it, has a doc comment", async () => {
  const typedoc = join(repo, "node_modules/typedoc/bin/typedoc");
  const { stdout, stderr } = await execa(process.execPath, [typedoc, "--emit", "none"], { cwd: repo, reject: false });
  const lines = stripVTControlCharacters(`${stdout}\n${stderr}`).split("\n");
  const said = lines.filter((line) => /^\[(warning|error)\]/.test(line));
  expect(said.filter((line) => !line.includes("Found 0 errors"))).toEqual([]);
}, 300_000);
