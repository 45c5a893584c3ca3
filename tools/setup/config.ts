/** A stack's config as its file has it: what a command has to know of a stack before Pulumi runs. */
import { readFile } from "node:fs/promises";

import { parse } from "yaml";

import { Problem } from "./problem.ts";

/** Without the project's prefix. An encrypted value is a text of its own, as Pulumi alone decrypts it. */
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
