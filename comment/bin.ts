#!/usr/bin/env node
/** The command of the package. */
import process from "node:process";

import { messageOf } from "./forge.ts";
import { given, run, usage, Wrong } from "./main.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    stop.abort(); // the CLI ends in order, and then we do
  });

async function main(): Promise<number> {
  const asked = given(process.argv.slice(2));
  const { help, from } = asked.options;
  if (!help && from === undefined && asked.wishes.length === 0) throw new Wrong(`name a stack, or --from\n\n${usage}`);
  return run(asked, {
    env: process.env,
    out: (text) => process.stdout.write(text),
    say: (line) => process.stderr.write(`${line}\n`),
    stop: stop.signal,
  });
}

main()
  .then((code) => {
    process.exitCode = code;
  })
  .catch((error: unknown) => {
    process.stderr.write(`error: ${messageOf(error)}\n`);
    process.exitCode = 2; // 1 is a preview that failed
  });
