/** Runs long commands. All that they print goes to one log; the person who waits sees the lines that matter. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";

import { execa } from "execa";

import { cacheRoot } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";

type Run = (
  sentence: string,
  command: string,
  args: string[],
  line?: (line: string) => void,
  env?: Record<string, string>,
) => Promise<void>;

/**
 * Returns a function that runs a command, logs to `<cache>/logs/<name>.log`, and throws a Problem if the command fails.
 */
export function loggedTo(name: string): Run {
  let flags = "w";
  return async (sentence, command, args, line, env = {}) => {
    const folder = join(cacheRoot(), "logs");
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${name}.log`);
    const child = execa(command, args, { env, stdin: "ignore", all: true, buffer: false, reject: false });
    const file = child.all.pipe(createWriteStream(path, { flags }));
    flags = "a";
    const read = async (): Promise<void> => {
      for await (const text of child.iterable({ from: "all" })) line?.(text.trimEnd());
    };
    await Promise.all([read(), finished(file)]);
    if ((await child).failed) throw new Problem(sentence, path);
  };
}
