/** What an upgrade may replace or delete: docs/upgrades.yaml, and the judgement of a preview by it. */
import { parse } from "yaml";
import { z } from "zod";

import type { Change, Digest } from "../../comment/digest.ts";
import { nameOf, typeOf } from "../../comment/prices.ts";
import { isAtLeast } from "../../tools/setup/toolchain.ts";
import type { Origin } from "./upgrades.ts";

const pattern = z.string().regex(/^[\w.:/*-]+$/, { error: "letters, digits, . : / - _, and * for anything" });

const rule = z
  .strictObject({
    /** The release that does it, to the states of earlier ones. */
    version: z.string().regex(/^\d+\.\d+\.\d+$/, { error: "a release, as 1.2.0" }),
    does: z.enum(["replace", "delete"]),
    /** Default: every system. */
    system: z.string().optional(),
    /** Default: every topology. */
    topology: z.string().optional(),
    /** The resource's type token. */
    type: pattern.optional(),
    /** Its name in the program. */
    name: pattern.optional(),
    /** For the operator: what it does to a running stack, and why. */
    why: z.string().min(20, { error: "a sentence for the operator" }),
  })
  .refine(({ type, name }) => type !== undefined || name !== undefined, { error: "names neither a type nor a name" });
export type Rule = z.infer<typeof rule>;

/** @throws an error that says what of the text is no list of rules. */
export function rulesOf(text: string): Rule[] {
  const { data, error } = z.array(rule).safeParse(parse(text));
  if (error) throw new Error(`docs/upgrades.yaml: ${z.prettifyError(error)}`);
  return data;
}

export interface Verdict {
  /** A sentence for each replacement and each deletion that no rule names, and for why there is no preview. */
  readonly wrong: string[];
  readonly used: Rule[];
}

/** `found`: the preview of a state that `origin` wrote. */
export function judge(origin: Origin, { failed, changes, messages }: Digest, rules: readonly Rule[]): Verdict {
  const whose = `${origin.system} on ${origin.topology}, as ${origin.version} made it`;
  const errors = messages.filter(({ severity }) => severity === "error");
  const wrong = failed ? [`${whose}: no preview: ${errors.map(({ text }) => text).join("; ")}`] : [];
  const used = new Set<Rule>();
  for (const change of changes) {
    if (change.op !== "replace" && change.op !== "delete") continue;
    const allowing = rules.filter((each) => allows(each, origin, change));
    for (const each of allowing) used.add(each);
    if (allowing.length === 0)
      wrong.push(`${whose}: ${typeOf(change.urn)} ${nameOf(change.urn)} is ${fateOf(change, changes)}`);
  }
  return { wrong, used: [...used] };
}

function allows(rule: Rule, { version, system, topology }: Origin, { op, urn }: Change): boolean {
  return (
    rule.version !== version &&
    isAtLeast(rule.version, version) &&
    rule.does === op &&
    (rule.system ?? system) === system &&
    (rule.topology ?? topology) === topology &&
    matches(rule.type, typeOf(urn)) &&
    matches(rule.name, nameOf(urn))
  );
}

function matches(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined) return true;
  const parts = pattern.split("*").map((part) => part.replaceAll(".", "\\."));
  return new RegExp(`^${parts.join(".*")}$`).test(text);
}

/** What happens to it, and the cause. A deletion has none but what the program makes in its place. */
function fateOf({ op, urn, causes }: Change, changes: readonly Change[]): string {
  if (op === "replace")
    return `replaced, ${causes.length > 0 ? `because of ${causes.join(", ")}` : "with what it depends on"}`;
  const made = changes.filter((each) => each.op === "create");
  const gone = changes.filter((each) => each.op === "delete").map((each) => nameOf(each.urn));
  const [type, name] = [typeOf(urn), nameOf(urn)];
  const twin = made.find((each) => nameOf(each.urn) === name);
  if (twin !== undefined && typeOf(twin.urn) === type) return "deleted, as it has another parent now, without an alias";
  if (twin !== undefined) return `deleted, as ${name} is a ${typeOf(twin.urn)} now`;
  const renamed = made
    .filter((each) => typeOf(each.urn) === type && !gone.includes(nameOf(each.urn)))
    .map((each) => nameOf(each.urn));
  return renamed.length > 0
    ? `deleted, and ${renamed.join(", ")} of its type is made, without an alias`
    : "deleted, as nothing in the program has its name";
}
