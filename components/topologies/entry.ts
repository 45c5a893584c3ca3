import type { z } from "zod";

import type { Verdict } from "../core/certificates.ts";
import type { Dict, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import type { Known } from "../core/known.ts";
import type { Image } from "../core/images.ts";
import type { Plan } from "../core/plan.ts";
import type { RetirementStore } from "../core/retirements.ts";
import type { Capabilities, OwnTopology, Place, Site } from "../core/topology.ts";
import type { Where } from "../picture/model.ts";

/** What a stack is, beside the topology's own part of its config. */
export interface Stack {
  readonly site: Site;
  readonly plan: Plan;
  /** As the operator set them. */
  readonly secrets: Dict<string>;
  /** The state before this run, as far as it is the stack's. */
  readonly state: List<Known>;
  /** The name of the system's component: what stores of the state are called after. */
  readonly component: string;
}

/** A topology as a stack's config chooses it. `C`: its own part of the config, under its name. No SDK before `own`. */
export interface Row<C> extends Omit<Place, "site" | "images"> {
  readonly config: z.ZodType<C>;
  /** The capabilities with what the config chooses of them. Default: `capabilities`, whatever it says. */
  chosen?(config: C): Capabilities;
  /** Keys of images that it runs beside a system's parts and the edge. Default: none. */
  runs?(config: C): List<string>;
  /** The edge's ports on the machines. */
  ports(config: C): Site["ports"];
  /** The names of the secrets that the topology itself needs. */
  asks(config: C): List<string>;
  /** Where it puts what, for a picture. */
  where(config: C, stack: Pick<Stack, "site" | "plan">): Where;
  /** Problems and warnings that follow only from its config and the plan together. */
  check(config: C, stack: Pick<Stack, "site" | "plan" | "secrets">): Verdict;
  /** What can be asked of the engines before the first resource. */
  preflight(config: C, stack: Stack, images: List<Image>): Promise<Problem[]>;
  /** It as the config describes it, to be made. Loads its SDK. */
  own(config: C, stack: Pick<Stack, "site" | "secrets">): Promise<OwnTopology>;
  /** Where a stack of this name keeps the reconciler's retirements. Without it the reconciler retires nothing here. */
  retirements?(config: C, name: string): RetirementStore;
}

/** A row whose config only the row itself can read: its own schema returned it. */
export type TopologyEntry = Row<object>;

/** Ties a schema to the functions that read what it returns. */
export function entry<C extends object>(row: Row<C>): TopologyEntry {
  return row;
}

/**
 * Registries for which `docker login` on the machine that deploys has no credentials. The provider's own error does not
 * say what to do.
 */
export async function loggedOutOf(key: string, registries: List<string>): Promise<Problem[]> {
  const { loggedOut } = await import("../../ops/registry.ts");
  const remedies = await Promise.all(registries.map((value) => loggedOut(value)));
  return registries.flatMap((value, index) => {
    const remedy = remedies[index];
    return remedy === undefined ? [] : [{ key, value, remedy }];
  });
}
