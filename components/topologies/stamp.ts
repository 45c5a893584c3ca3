import { type ComponentResource, type CustomResourceOptions, output } from "@pulumi/pulumi";

import { Stamp } from "../../ops/resources.ts";
import type { Known } from "../core/known.ts";
import type { Problem } from "../core/errors.ts";
import type { Site, TopologyName } from "../core/topology.ts";
import type { Survey } from "./survey.ts";

/** What a topology's part of the state says of itself, and remembers for the next run. */
export function stampFor(
  { site }: ComponentResource & { readonly site: Site },
  topology: TopologyName,
  survey: Survey,
  options: CustomResourceOptions,
): Stamp {
  const { name, system } = site;
  const memory = output(survey.memory);
  const { engine, rounds } = { engine: memory.engine, rounds: memory.rounds };
  return new Stamp("stamp", { ...(system === undefined ? {} : { system }), topology, name, engine, rounds }, options);
}

/** A stack that was something else: its own stamp, which another topology's never meets, cannot say so. */
export function otherStack(
  state: readonly Known[],
  wanted: { readonly system: string; readonly topology: string; readonly name: string },
): Problem[] {
  const stamps = state.filter(({ type }) => type.endsWith(":index:Stamp"));
  return stamps.flatMap(({ outputs }): Problem[] => {
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
