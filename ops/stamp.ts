import { z } from "zod";

import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { changed } from "./wire.ts";
import type { Bag } from "./wire.ts";

const inputs = z.object({ system: z.string(), topology: z.string(), name: z.string() });

/** Says once what a stack is, and refuses every change of it, in a preview too. */
export const stamp: Handler = {
  inputs,
  refuse: (olds, news) => {
    if (changed(olds, news, Object.keys(inputs.shape)).length === 0) return undefined;
    return (
      `this stack is ${describe(olds.plain)}, and ${describe(news.plain)} was asked for: a system or topology is never ` +
      "changed in place; make a new stack with restoreFrom, move over, then destroy this one"
    );
  },
  diff: compare(inputs, []),
  create: () => Promise.resolve({}),
  update: () => Promise.resolve({}),
};

function describe({ system, topology, name }: Bag): string {
  return `${String(system)} on ${String(topology)} named ${String(name)}`;
}
