import { RunError } from "@pulumi/pulumi";

/** One thing that is wrong with what was asked: where, what stands there, and what would be right. */
export interface Problem {
  /** The path in the stack's config, as `docker.edge.https`. */
  readonly key: string;
  /** What is there; left out when it is missing or secret. */
  readonly value?: unknown;
  readonly remedy: string;
}

/** Of a key and of a value: a certificate that was pasted into a wrong place is no use in a terminal. */
const longest = 100;

/** `key = value: remedy`, on one line. */
export function sentence({ key, value, remedy }: Problem): string {
  const json = value === undefined ? undefined : shown(value);
  return `${shortened(printable(key))}${json === undefined ? "" : ` = ${json}`}: ${remedy}`;
}

/** As JSON; nothing where it has a private key, and without the password of an address. A user of ssh alone is none. */
function shown(value: unknown): string | undefined {
  const json = (JSON.stringify(value) as string | undefined) ?? "";
  if (json === "" || json.includes("PRIVATE KEY")) return undefined;
  return shortened(json.replaceAll(/(http:\/\/|https:\/\/|\w:\/\/[^/@\s":]*:)[^/@\s"]*@/g, "$1…@"));
}

/** The beginning of a text, and that there was more. */
export function shortened(text: string, length = longest): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** A few of many names. */
export function listed(names: readonly string[], length = 150): string {
  const text = names.join(", ");
  return text.length <= length ? text : `${text.slice(0, text.lastIndexOf(", ", length))}, …`;
}

function printable(key: string): string {
  return JSON.stringify(key).slice(1, -1);
}

/**
 * Everything that is wrong, at once, before any resource is registered. A RunError: the engine prints its message
 * without a stack trace.
 */
export class ConfigError extends RunError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? "1 problem" : `${String(problems.length)} problems`;
    super(`${count}, nothing was changed:\n${problems.map((problem) => `  - ${sentence(problem)}`).join("\n")}`);
    this.problems = problems;
    // A program that has run to its end, while a look at the engine was still under way, is shown the stack of what is thrown.
    this.stack = this.message;
  }
}

/** Throws all of `problems`, if there are any. */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}
