/** The formats of values, in the config and where an importer gives them to a component. */
import { z } from "zod";

import type { Problem } from "./errors.ts";

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
/** Docker takes the first part of a reference for a registry only when it has a dot or a port, or is localhost. */
const domain = `(?:localhost|${label}(?:\\.${label})+|${label}(?=:\\d))(?::\\d{1,5})?`;
const part = "[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*";
const short = "(?=.{1,400}$)";

const lower = "repositories are lower case";
/** The engine's grammar of a name, tag and digest (distribution/reference). */
export const reference = z
  .string()
  .regex(
    new RegExp(`^${short}(?:${domain}/)?${part}(?:/${part})*(?::\\w[\\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`),
    `an image reference, as registry.example.com/team/app:1; ${lower}`,
  );

export const mirror = z
  .string()
  .regex(
    new RegExp(`^${short}${domain}(?:/${part})*$`),
    `a registry, as mirror.example.com/hub, without https://; it has a dot, a port or is localhost (an account at Docker Hub is docker.io/<name>); ${lower}`,
  );

export const registries = z.array(
  z
    .string()
    .regex(
      new RegExp(`^${short}${domain}$`),
      "a registry's bare name, as registry.example.com:5000, without https:// and without a path",
    ),
);

/** A DNS name component, with room behind it: a service of a swarm has 63 characters for both. */
export const stackName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits and hyphens, at most 31, a letter first");

const hostLabel = "[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?";
/** A host's name or IP address. A name inside a company may be one label alone. */
export const address = z.union(
  [z.ipv4(), z.ipv6(), z.string().regex(new RegExp(`^(?=.{1,253}$)(?:${hostLabel}\\.)*${hostLabel}$`))],
  { error: "an IP address or a DNS name, without scheme or port" },
);

export const oneLine = z.string().regex(/^[^\p{Cc}]+$/u, "one line of text");

/** A URL without a password, which belongs to `secrets`, and without characters that end a line or a quotation. */
export const webUrl = z
  .url({ protocol: /^https?$/, error: "an address, as https://s3.example.com" })
  .regex(/^[^\s"'\\<>]*$/, "an address without spaces or quotation marks")
  .regex(/^\w+:\/\/[^/@]*(\/|$)/, "an address without a user or password in it: they are secrets");

/** swarmkit's manager/constraint/constraint.go: no constraint, and so no service, can name another label. */
const labelKey = z.string().regex(/^[\w.-]{1,200}$/, "a label's name: letters, digits, - _ and .");
const constraintValue =
  "[a-zA-Z0-9:_.*()?+[\\]\\\\^$|/-](?:[a-zA-Z0-9:_ .*()?+[\\]\\\\^$|/-]*[a-zA-Z0-9:_.*()?+[\\]\\\\^$|/-])?";
const labelValue = z
  .string()
  .regex(
    new RegExp(`^${constraintValue}$`),
    "a label's value that a constraint takes: letters, digits, inner spaces and - _ . : / * ( ) ? + [ ] \\ ^ $ |",
  );

/** Labels that a node must have. `role` is the swarm's own. */
export const nodeLabels = z
  .record(labelKey, labelValue)
  .refine(({ role }) => role === undefined || role === "manager" || role === "worker", {
    error: "role is manager or worker",
  });

/** One constraint, as Docker has them. */
export const constraint = z
  .string()
  .regex(
    new RegExp(
      `^node\\.(role\\s*(==|!=)\\s*(manager|worker)|(hostname|id|ip|platform\\.(os|arch)|labels\\.[\\w.-]+)\\s*(==|!=)\\s*${constraintValue})$`,
    ),
    "a constraint, as node.role==worker or node.labels.pool==apps",
  );

/** What is wrong with a value that did not come through the config, at `key`. */
export function problemsOf(schema: z.ZodType, key: string, value: unknown): Problem[] {
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).map((issue) => ({
    key: [key, ...issue.path.map(String)].join("."),
    value: at(value, issue.path),
    remedy: messageOf(issue),
  }));
}

/** What zod says is wrong; of a key what its form says, as zod's own word is only that it is invalid. */
export function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === "invalid_key" ? issue.issues.map(({ message }) => message).join("; ") : issue.message;
}

/** The value at `path`, by own properties alone; undefined if there is none. */
export function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key) ? Reflect.get(inner, key) : undefined,
    value,
  );
}

/** `dict[key]` for a key from outside, by own properties alone: every object inherits a `constructor`. */
export function own<T>(dict: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return dict !== undefined && Object.hasOwn(dict, key) ? dict[key] : undefined;
}

/** ` (did you mean "x"?)` for a name that is one slip away. */
export function nearest(name: string, known: readonly string[]): string {
  const lower = name.toLowerCase();
  const close =
    known.find((other) => other.toLowerCase() === lower) ??
    known.find((other) => (name.length > 2 && other.startsWith(name)) || name.startsWith(other)) ??
    known.find((other) => slips(lower, other.toLowerCase()) <= 2);
  return close === undefined ? "" : ` (did you mean "${close}"?)`;
}

/** Letters that were left out, added or changed (Levenshtein's distance); 9 where the lengths alone tell them apart. */
function slips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2 || Math.min(a.length, b.length) < 4) return 9;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++)
      next.push(Math.min((row[j] ?? 0) + Number(a[i] !== b[j]), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    row = next;
  }
  return row.at(-1) ?? 9;
}

/** The token of a component: ours by the class' name alone, a program's own as it says it, `wiki:index:Wiki`. */
export function tokenOf(type: string): string {
  return type.includes(":") ? type : `platform-topologies:index:${type}`;
}
