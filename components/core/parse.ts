/** What zod says of a value, as problems of ours. */
import { z } from "zod";

import { listed, type Problem, refuse } from "./errors.ts";
import { at, messageOf, nearest, own } from "./formats.ts";

/**
 * What an importer gives to a component, as its schema returns it.
 * @throws ConfigError with everything that is wrong in it.
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const { data, error } = schema.safeParse(value);
  refuse(error === undefined ? [] : zodProblems(error, schema, value));
  return data as T;
}

/** Zod's issues as ours: the key's whole path, the value there (never a secret one), and what would be right. */
export function zodProblems(
  error: z.ZodError,
  schema: z.ZodType,
  raw: unknown,
  prefix: readonly string[] = [],
): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path.map(String)];
    const there = at(raw, path);
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schema, issue.path, at(raw, prefix));
      return issue.keys.map((key) => ({
        key: [...path, key].join("."),
        remedy: `unknown key${nearest(key, known)}; known are ${listed(known)}`,
      }));
    }
    const shown = there === undefined || path[0] === "secrets" ? {} : { value: there };
    return [{ key: path.join("."), remedy: remedyOf(issue, path, there), ...shown }];
  });
}

function remedyOf(issue: z.core.$ZodIssue, path: readonly string[], there: unknown): string {
  const message = messageOf(issue);
  if (issue.code === "invalid_union" && "options" in issue)
    return `${there === undefined ? "missing: " : ""}one of ${(issue.options ?? []).map(String).join(", ")}`;
  if (issue.code !== "invalid_type") return message;
  if (there === undefined)
    return `missing: ${message.replace(/^Invalid input: /, "").replace(/, received undefined$/, "")}`;
  if (issue.expected !== "string" || !["number", "boolean"].includes(typeof there)) return message;
  // YAML and the CLI take 12345 for a number, and true for a boolean.
  const flag = path[0] === "secrets" ? "--secret" : "--type string";
  return `${message}: put it in quotes, or pulumi config set --path ${flag} <key> <value>`;
}

/** The keys that a strict object at `path` of a schema takes; in a union, those of the form that the value has. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], raw: unknown): string[] {
  let here: unknown = schema;
  for (const [index, key] of [...path, undefined].entries()) {
    here = chosen(unwrap(here), at(raw, path.slice(0, index)));
    if (key === undefined) break;
    here = inside(here, String(key));
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function inside(schema: unknown, key: string): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return own(schema.shape, key) as z.ZodType | undefined;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return schema instanceof z.ZodArray ? (schema.element as z.ZodType) : undefined;
}

/** The form of a union whose fixed key is the same as in the value. */
function chosen(schema: unknown, value: unknown): unknown {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const { discriminator } = schema.def;
  return schema.options.find((option) => inside(option, discriminator)?.safeParse(at(value, [discriminator])).success);
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault
    ? unwrap(schema.unwrap())
    : schema;
}
