/**
 * Faults on demand, from the environment. Each variable has rules, divided by commas; a rule is words:
 *
 *     [<number>] [create|update|delete] [<part of a URN, or the name of an API call>]
 *
 * SIMULATE_FAIL      refused before anything is made
 * SIMULATE_LOSE      made, and the answer is lost: the engine takes it for failed
 * SIMULATE_THROTTLE  the first <number> times (default 1) refused for too many requests, over all runs
 * SIMULATE_TIMEOUT   made, but not ready in time: in the state, as made only half
 * SIMULATE_DIE       made, and then the provider's process ends
 * SIMULATE_SLOW      takes <number> milliseconds
 * SIMULATE_FILLED    what it names holds somebody's data, which keeps a bucket from being deleted
 */
import type { World } from "./world.ts";

export type Operation = "create" | "update" | "delete" | "call";

interface Rule {
  amount: number | undefined;
  operation: string | undefined;
  part: string;
}

const operations = ["create", "update", "delete"];

/** The rules of a variable. Throws a sentence for what is no rule. */
export function rules(text: string): Rule[] {
  return text.split(",").flatMap((each) => {
    const words = each
      .trim()
      .split(/\s+/)
      .filter((word) => word !== "");
    if (words.length === 0) return [];
    const amount = /^\d+$/.test(words[0] ?? "") ? Number(words.shift()) : undefined;
    const operation = operations.includes(words[0] ?? "") ? words.shift() : undefined;
    if (words.length > 1)
      throw new Error(`"${each.trim()}" is no fault: use [<number>] [create|update|delete] [<part of a URN>]`);
    return [{ amount, operation, part: words[0] ?? "" }];
  });
}

export class Faults {
  private readonly world: World;
  private readonly env: Readonly<Record<string, string | undefined>>;

  constructor(world: World, env: Readonly<Record<string, string | undefined>>) {
    this.world = world;
    this.env = env;
  }

  fails(operation: Operation, of: string): boolean {
    return this.rule("FAIL", operation, of) !== undefined;
  }

  loses(operation: Operation, of: string): boolean {
    return this.rule("LOSE", operation, of) !== undefined;
  }

  timesOut(operation: Operation, of: string): boolean {
    return this.rule("TIMEOUT", operation, of) !== undefined;
  }

  dies(operation: Operation, of: string): boolean {
    return this.rule("DIE", operation, of) !== undefined;
  }

  filled(of: string): boolean {
    return this.rule("FILLED", "delete", of) !== undefined;
  }

  milliseconds(operation: Operation, of: string): number {
    return this.rule("SLOW", operation, of)?.amount ?? 0;
  }

  /** Counts this time, too. */
  throttles(operation: Operation, of: string): boolean {
    const rule = this.rule("THROTTLE", operation, of);
    return rule !== undefined && this.world.next(`throttle ${operation} ${of}`) <= (rule.amount ?? 1);
  }

  private rule(variable: string, operation: Operation, of: string): Rule | undefined {
    return rules(this.env[`SIMULATE_${variable}`] ?? "").find(
      (rule) => (rule.operation === undefined || rule.operation === operation) && of.includes(rule.part),
    );
  }
}
