import type { ComponentResourceOptions } from "@pulumi/pulumi";
import type { z } from "zod";

import type { Verdict } from "../core/certificates.ts";
import type { Dict, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import type { Image } from "../core/images.ts";
import type { Plan } from "../core/plan.ts";
import type { RetirementStore } from "../core/retirements.ts";
import type { Place, Site, Topology } from "../core/topology.ts";

/** What a stack is, beside the topology's own part of its config. */
export interface Stack {
  readonly site: Site;
  readonly plan: Plan;
  /** As the operator set them. */
  readonly secrets: Dict<string>;
}

/** A topology as a stack's config chooses it. `C`: its own part of the config, under its name. No SDK before `make`. */
export interface Row<C> extends Omit<Place, "site"> {
  readonly config: z.ZodType<C>;
  /** The edge's ports on the machines. */
  ports(config: C): Site["ports"];
  /** The names of the secrets that it needs itself. */
  asks(config: C): List<string>;
  /** What only its config and the plan together can tell. */
  check(config: C, stack: Stack): Verdict;
  /** What can be asked of the engines before the first resource. */
  preflight(config: C, stack: Stack, images: List<Image>): Promise<Problem[]>;
  make(config: C, stack: Stack, opts: ComponentResourceOptions): Promise<Topology>;
  /** Where the reconciler's retirements are kept for a stack of this name. Without it nothing is retired by itself here. */
  retirements?(config: C, name: string): RetirementStore;
}

/** A row whose config only itself can read: it is what its own schema returned. */
export type TopologyEntry = Row<object>;

/** Ties a schema to the functions that read what it returns. */
export function entry<C extends object>(row: Row<C>): TopologyEntry {
  return row;
}

/** Their credentials come from `docker login` on the machine that deploys; the provider would only say that there are none. */
export async function loggedOutOf(key: string, registries: List<string>): Promise<Problem[]> {
  const { loggedOut } = await import("../../ops/registry.ts");
  const remedies = await Promise.all(registries.map((value) => loggedOut(value)));
  return registries.flatMap((value, index) => {
    const remedy = remedies[index];
    return remedy === undefined ? [] : [{ key, value, remedy }];
  });
}
