import { all, type CustomResourceOptions, output } from "@pulumi/pulumi";

import { StackIdentity } from "../../ops/resources.ts";
import type { Known } from "../core/known.ts";
import type { Dict } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import type { Site, TopologyName } from "../core/topology.ts";
import type { Survey } from "./survey.ts";

/** The stack's identity on a topology, and what it remembers for the next run, further engines included. */
export function identityFor(
  component: string,
  topology: TopologyName,
  { name, system }: Site,
  survey: Survey,
  further: Dict<Survey>,
  options: CustomResourceOptions,
): StackIdentity {
  const { engine, words } = output(survey.memory);
  const others = all(Object.fromEntries(Object.entries(further).map(([key, each]) => [key, each.memory])));
  // Each engine's survey starts from all remembered counts, and raises the counts of its own things alone.
  const rounds = all([survey.memory, others]).apply(([first, rest]) =>
    highest([first, ...Object.values(rest)].map((of) => of.rounds)),
  );
  const machines = others.apply((rest) =>
    Object.fromEntries(Object.entries(rest).flatMap(([key, { engine: id }]) => (id === undefined ? [] : [[key, id]]))),
  );
  return new StackIdentity(
    `${component}-identity`,
    {
      ...{ topology, name, engine, rounds, words },
      ...(system === undefined ? {} : { system }),
      ...(Object.keys(further).length === 0 ? {} : { machines }),
    },
    options,
  );
}

function highest(counts: readonly Dict<number>[]): Dict<number> {
  const found: Record<string, number> = {};
  for (const [key, count] of counts.flatMap((each) => Object.entries(each)))
    found[key] = Math.max(found[key] ?? 0, count);
  return found;
}

/** Refuses a stack that was something else: its own identity cannot, as another topology's identity never meets it. */
export function otherStack(
  state: readonly Known[],
  wanted: { readonly system: string; readonly topology: string; readonly name: string },
): Problem[] {
  const identities = state.filter(({ type }) => type.endsWith(":index:StackIdentity"));
  return identities.flatMap(({ outputs }): Problem[] => {
    for (const key of ["system", "topology"] as const)
      if (outputs[key] !== wanted[key])
        return [
          {
            key,
            value: wanted[key],
            remedy:
              `this stack is ${String(outputs.system)} on ${String(outputs.topology)}, and that is never changed in ` +
              "place: make a new stack with `restore`, move over, then destroy this one",
          },
        ];
    if (outputs.name === wanted.name) return [];
    const remedy = `this stack is named ${String(outputs.name)}, as all of its things are: set name: ${String(outputs.name)}`;
    return [
      { key: "name", value: wanted.name, remedy: `${remedy}; to name it anew, make a new stack with \`restore\`` },
    ];
  });
}
