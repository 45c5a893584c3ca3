import { RunError } from "@pulumi/pulumi";

/** One thing that is wrong with what was asked: where, what stands there, and what would be right. */
export interface Problem {
  /** The path in the stack's config, as `docker.edge.https`. */
  readonly key: string;
  /** What is there; left out when it is missing or secret. */
  readonly value?: unknown;
  /** What would be right, or what to do. */
  readonly remedy: string;
}

/** The most characters of a key or value in a message: a certificate in a wrong place would fill the terminal. */
const longest = 100;

/** `key = value: remedy`, on one line. */
export function sentence({ key, value, remedy }: Problem): string {
  const json = shown(value);
  return `${shortened(printable(key))}${json === undefined ? "" : ` = ${json}`}: ${remedy}`;
}

/** A value as JSON: nothing of one with a private key, an address without its password. An ssh user is no password. */
function shown(value: unknown): string | undefined {
  const json = (JSON.stringify(value) as string | undefined) ?? "";
  if (json === "" || json.includes("PRIVATE KEY")) return undefined;
  return shortened(json.replaceAll(/(http:\/\/|https:\/\/|\w:\/\/[^/@\s":]*:)[^/@\s"]*@/g, "$1…@"));
}

/** The beginning of a text; `…` says that there was more. */
export function shortened(text: string, length = longest): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** The first of many names; `…` says that there are more. */
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
  /** One for each wrong value. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? "1 problem" : `${String(problems.length)} problems`;
    super(`${count}, nothing was changed:\n${problems.map((problem) => `  - ${sentence(problem)}`).join("\n")}`);
    this.problems = problems;
    // If a look at the engine fails after the program has run to its end, the stack is printed: so it is the message.
    this.stack = this.message;
  }
}

/** Throws all of `problems`, if there are any. */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}
