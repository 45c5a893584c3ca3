/** The comment on a pull request, as a command: docs/pull-requests.md. */
import process from "node:process";

import { given, run, usage, Wrong } from "../comment/main.ts";

/** Returns the exit code: 1 is a preview that failed. Throws Wrong. */
export function previewComment(args: readonly string[]): Promise<number> {
  const asked = given(args);
  const { help, from } = asked.options;
  if (!help && from === undefined && asked.wishes.length === 0) throw new Wrong(`name a stack, or --from\n\n${usage}`);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      stop.abort(); // the CLI ends in order, and then we do
    });
  return run(asked, {
    env: process.env,
    out: (text) => process.stdout.write(text),
    say: (line) => process.stderr.write(`${line}\n`),
    stop: stop.signal,
  });
}
