/** Faults of the simulated cloud that an `up` meets on its way, and how it comes through. */
import process from "node:process";

import { expect } from "@jest/globals";

import { succeeded, type TestStack } from "./stack.ts";

export interface Fault {
  /** As SIMULATE_FAIL takes it. */
  readonly rule: string;
  /** What a run says that has met it. */
  readonly met: RegExp;
}

/** The cloud refuses to make it. `type`: its end, as `Vpc` or `rds/instance:Instance`. */
export function refused(type: string, name: string): Fault {
  return {
    rule: `create ${type}::${name}`,
    met: new RegExp(`:${type} \\(${name}[^)]*\\): refused, as SIMULATE_FAIL`),
  };
}

/** It is made, and ends badly: `part` as ECS or the group calls it, `name` as our provider does. */
export function ends(what: "task" | "service" | "machine", part: string, name: string): Fault {
  return { rule: `${what}/${part}`, met: new RegExp(`error: ${name} `) };
}

async function upWith(stack: TestStack, faults: readonly Fault[]) {
  process.env.SIMULATE_FAIL = faults.map(({ rule }) => rule).join(",");
  try {
    return await stack.up();
  } finally {
    delete process.env.SIMULATE_FAIL;
  }
}

/** Each run meets some of them and fails; fails again where the same are met; and the last one makes the rest, once. */
export async function convergesThrough(stack: TestStack, faults: readonly Fault[]): Promise<void> {
  let left = [...faults];
  for (let runs = 1; left.length > 0; runs++) {
    expect(runs).toBeLessThanOrEqual(faults.length);
    const { code, output } = await upWith(stack, left);
    if (code === 0) throw new Error(`nothing met ${left.map(({ rule }) => rule).join(", ")}:\n${output}`);
    const now = left.filter(({ met }) => met.test(output));
    if (now.length === 0) throw new Error(`none of ${left.map(({ rule }) => rule).join(", ")} was met:\n${output}`);
    // No failed run leaves a record by which the next one passes.
    if (runs === 1 || now.some(({ rule }) => !rule.startsWith("create")))
      expect((await upWith(stack, now)).code).not.toBe(0);
    left = left.filter((fault) => !now.includes(fault));
  }
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
}
