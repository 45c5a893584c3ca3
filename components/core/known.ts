import { type ComponentResourceOptions, getOrganization, getProject, getStack, runtime } from "@pulumi/pulumi";
import { z } from "zod";

import type { Dict, List } from "./contracts.ts";
import { at } from "./formats.ts";

/** A resource as this stack's state had it before this run. */
export interface Known {
  readonly urn: string;
  readonly type: string;
  readonly outputs: Dict<unknown>;
}

/** `urn:pulumi:stack::project::types::name`. */
export function logicalName(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

const answer = z.object({
  outputs: z.record(z.string(), z.object({ type: z.string(), outputs: z.record(z.string(), z.unknown()) })),
});

/**
 * The resources in this stack's state, as the engine tells them (`readStackResourceOutputs`, the SDK's way to read
 * them). Undefined without an engine, as in a test with mocks. A process asks once for its stack.
 */
export async function stateOfStack(): Promise<List<Known> | undefined> {
  const organization = organizationOf();
  if (organization === undefined) return undefined;
  const stackName = `${organization}/${getProject()}/${getStack()}`;
  const known = asked.get(stackName) ?? ask(stackName);
  asked.set(stackName, known);
  return known;
}
/**
 * What of a state belongs to a system's component, by its logical name: names of what it makes begin with it. Another
 * system's name may begin with it, too.
 */
export function knownOf(state: List<Known>, component: string): List<Known> {
  const within = (name: string, of: string): boolean => name === of || name.startsWith(`${of}-`);
  const others = state
    .filter(({ outputs }) => "endpoints" in outputs && "passwords" in outputs)
    .map(({ urn }) => logicalName(urn))
    .filter((other) => other.length > component.length);
  return state.filter((known) => {
    const name = logicalName(known.urn);
    return within(name, component) && !others.some((other) => within(name, other));
  });
}

/** The names that a component had before, as far as its aliases say them plainly. */
export function formerNames(aliases: ComponentResourceOptions["aliases"]): string[] {
  if (!Array.isArray(aliases)) return [];
  return (aliases as unknown[]).flatMap((alias): string[] => {
    if (typeof alias === "string") return [logicalName(alias)];
    const name = at(alias, ["name"]);
    return typeof name === "string" ? [name] : [];
  });
}

/** The state as it will be once components have their new names: those of what they make begin with theirs. */
export function renamed(state: List<Known>, names: ReadonlyMap<string, string>): List<Known> {
  const now = (logical: string): string => {
    for (const [former, name] of names)
      if (logical === former || logical.startsWith(`${former}-`)) return name + logical.slice(former.length);
    return logical;
  };
  // A count's key is a kind and a logical name.
  const counted = (key: string): string => key.replace(/[^ ]+$/, now);
  return state.map(({ urn, type, outputs }) => ({
    urn: [...urn.split("::").slice(0, 3), now(logicalName(urn))].join("::"),
    type,
    outputs: isCounts(outputs.rounds)
      ? { ...outputs, rounds: Object.fromEntries(Object.entries(outputs.rounds).map(([key, n]) => [counted(key), n])) }
      : outputs,
  }));
}

function isCounts(value: unknown): value is Dict<unknown> {
  return typeof value === "object" && value !== null;
}

/** By the stack's name: tests run the programs of several stacks in one process. */
const asked = new Map<string, Promise<List<Known> | undefined>>();

async function ask(stackName: string): Promise<List<Known> | undefined> {
  const told: unknown = await runtime.invoke("pulumi:pulumi:readStackResourceOutputs", { stackName });
  const { data } = answer.safeParse(told);
  if (data === undefined) return undefined;
  return Object.entries(data.outputs).map(([urn, { type, outputs }]) => ({ urn, type, outputs }));
}

/**
 * The outputs of another stack, with what is secret in plain text.
 * @throws Error if there is no such stack.
 */
export async function outputsOf(stack: string): Promise<Dict<unknown>> {
  const name = stack.includes("/") ? stack : `${getOrganization()}/${getProject()}/${stack}`;
  const told: unknown = await runtime.invoke("pulumi:pulumi:readStackOutputs", { name });
  return z.object({ outputs: z.record(z.string(), z.unknown()) }).parse(told).outputs;
}

/** Undefined with mocks: the SDK throws if the test has named no organization. */
function organizationOf(): string | undefined {
  try {
    return getOrganization();
  } catch {
    return undefined;
  }
}
