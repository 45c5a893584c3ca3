import { randomBytes } from "node:crypto";

import { z } from "zod";

import { awsAccess, otherAccount } from "./aws.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { changed } from "./wire.ts";
import type { Bag } from "./wire.ts";

const fixed = z.object({ system: z.string().optional(), topology: z.string(), name: z.string() });
const inputs = fixed.extend({
  engine: z.string().optional(),
  machines: z.record(z.string(), z.string()).optional(),
  rounds: z.record(z.string(), z.number()).optional(),
  words: z.record(z.string(), z.string()).optional(),
  account: z.object({ number: z.string(), at: awsAccess }).optional(),
});
const outputs = z.object({ owner: z.string() });

/** Says once what a stack is, and refuses every change, in a preview too. Remembers what the next run must know. */
export const identity: Handler = {
  inputs,
  refuse: (olds, news) => {
    const keys = changed(olds, news, Object.keys(fixed.shape));
    if (keys.length === 0) return undefined;
    const asked = `this stack is ${describe(olds.plain)}, and ${describe(news.plain)} was asked for`;
    return keys.includes("system") || keys.includes("topology")
      ? `${asked}: a system or topology is never changed in place; make a new stack with \`restore\`, move over, then destroy this one`
      : `${asked}: a name is for life; set \`name: ${String(olds.plain.name)}\`, or make a new stack with \`restore\``;
  },
  diff: compare(inputs, [], ["account"]),
  create: async ({ plain }) => {
    const { account } = inputs.parse(plain);
    const problem = account === undefined ? undefined : await otherAccount(account.at, account.number);
    if (problem !== undefined) throw new Error(problem);
    return { owner: randomBytes(4).toString("hex") };
  },
  update: (olds) => Promise.resolve(outputs.parse(olds.plain)),
  id: (made) => outputs.parse(made).owner,
};

function describe({ system, topology, name }: Bag): string {
  return `${typeof system === "string" ? system : "a stack"} on ${String(topology)} named ${String(name)}`;
}
