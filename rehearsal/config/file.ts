import { readFileSync } from "node:fs";
import { parse as parseYaml, YAMLParseError } from "yaml";
import type { z } from "zod";
import { Refusal } from "../errors.ts";

export function readConfig(path: string, variable: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    const reason = code === "ENOENT" ? "does not exist" : code === "EACCES" ? "may not be read by this user" : code;
    throw new Refusal(`${path} (from ${variable}) ${reason}`);
  }
}

/** Parses and validates; the refusal is one line that names every wrong key and never a value. */
export function parseConfig<T>(text: string, path: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    // Without pretty errors: their excerpt of the file may show a password.
    value = parseYaml(text, { prettyErrors: false });
  } catch (error) {
    const code = error instanceof YAMLParseError ? `: ${error.code}` : "";
    throw new Refusal(`${path} is not valid YAML${code}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal(`${path}: ${result.error.issues.flatMap(describe).join("; ")}`);
}

/** `change` for every string in a file's value. */
export function eachText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((one: unknown) => eachText(one, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, eachText(one, change)]));
}

function describe(issue: z.core.$ZodIssue): string[] {
  const at = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `unknown key ${at === "" ? key : `${at}.${key}`}`);
  if (at === "") return ["is empty or not a mapping"];
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) return [`missing key ${at}`];
  if (issue.code === "invalid_type" && issue.message.endsWith("received null")) return [`empty key ${at}`];
  if (issue.code === "too_small") return [`empty key ${at}`];
  return [`${at}: ${issue.message}`];
}
