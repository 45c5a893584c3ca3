import { RunError } from "@pulumi/pulumi";

/** One thing that is wrong with what was asked: where, what stands there, and what would be right. */
export interface Problem {
  /** The path in the stack's config, as `docker.edge.https`. */
  readonly key: string;
  /** What is there; left out when it is missing or secret. */
  readonly value?: unknown;
  readonly remedy: string;
}

/** `key = value: remedy`, on one line. */
export function sentence({ key, value, remedy }: Problem): string {
  const shown = value === undefined ? "" : ` = ${JSON.stringify(value)}`;
  return `${key}${shown}: ${remedy}`;
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
  }
}

/** Throws all of `problems`, if there are any. */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}
