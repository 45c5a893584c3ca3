/** Reads a stack's config from its file, for what a command has to know before Pulumi runs. */
import { readFile } from "node:fs/promises";

import { parse } from "yaml";

import { Problem } from "./problem.ts";

/** The config's keys without the project's prefix. A placeholder stands for a value that Pulumi alone decrypts. */
export async function configOf(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, "utf8").catch(() => {
    throw new Problem(`${file} cannot be read: name the stack's config with --config-file`);
  });
  const { config = {} } = parse(text, encrypted) as { config?: Record<string, unknown> };
  const prefix = "platform-topologies:";
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
    ),
  );
}

function encrypted(_: unknown, value: unknown): unknown {
  return typeof value === "object" && value !== null && "secure" in value ? "encrypted" : value;
}

/** Whether the stack runs images that were built on this machine. */
export function takesLocal({ localImages, mirror }: Readonly<Record<string, unknown>>): boolean {
  return (localImages === true || localImages === "true") && mirror === undefined;
}
