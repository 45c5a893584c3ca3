/** Decides who supplies what a system needs, and why: in the dry run as for real. */
import type { Ask, CopyCount, Kind, Recipe } from "./contracts.ts";
import { existingGiven } from "./existing.ts";
import { own } from "./formats.ts";
import type { SuppliedBy } from "./plan.ts";
import type { Capabilities, ContainerService, ManagedKind, Place, Site } from "./topology.ts";

/** Who supplies a need, and how. */
export interface Supplier<K extends Kind> {
  readonly by: SuppliedBy;
  /** Why this one: the rest of a sentence. */
  readonly because: string;
  readonly recipe: Recipe<K> | undefined;
}

/**
 * What exists already comes first, then the operator's word (`data.<need>`), then what the place has itself, if it fits
 * the ask, then a container.
 */
export function supplierOf<K extends Kind>(place: Place, kind: K, name: string, ask: Ask<K>): Supplier<K> {
  const { site, capabilities, managed = {}, services } = place;
  const row = own(site.existing, name);
  if (row?.kind === kind)
    return {
      by: "existing",
      because: `existing.${name} names it`,
      recipe: (p) => existingGiven(name, row, p.configured.bind(p), `${p.url}/`),
    };
  const word = own(site.data, name);
  const ours: ManagedKind<K> | undefined = managed[kind];
  const reason =
    word === "container"
      ? `data.${name} says so`
      : ours === undefined
        ? `${capabilities.name} has no ${kind} of its own`
        : ours.unfit(ask);
  if (ours !== undefined && reason === undefined)
    return { by: "managed", because: `it is ${ours.name}`, recipe: ours.recipe };
  if (word === "managed") return { by: "nobody", because: reason ?? "", recipe: undefined };
  const service: ContainerService<K> | undefined = services[kind];
  const none = service === undefined ? `nothing supplies ${kind} on ${capabilities.name} yet` : service.unfit?.(ask);
  return none === undefined
    ? { by: "container", because: (reason ?? "") + apart(ask, capabilities), recipe: counted(service?.recipe, site) }
    : { by: "nobody", because: none, recipe: undefined };
}

/** Whether its members get machines of their own where they ask for those of others. */
function apart(ask: object, { slots }: Capabilities): string {
  const asks = "colocate" in ask && Array.isArray(ask.colocate) && ask.colocate.length > 0;
  return asks && !slots.has("colocate") ? "; each on a machine of its own" : "";
}

/** The kinds whose asks take a number of `copies`. Others have a number of nodes, which their system says. */
export const copied: ReadonlySet<Kind> = new Set<Kind>(["postgres", "redis", "objects", "solr"]);

/**
 * How many servers keep a store's data where nobody says a number for it. It hangs on the config alone, never on how
 * many nodes there are now: a lost one must not change the plan.
 */
export function copiesOf(
  { copies, protect }: Pick<Site, "copies" | "protect">,
  can: Pick<Capabilities, "copies">,
): CopyCount {
  return typeof copies === "number" ? copies : protect ? can.copies[0] : 1;
}

/** The recipe, with the operator's own number for this store. */
function counted<K extends Kind>(recipe: Recipe<K> | undefined, { copies }: Site): Recipe<K> | undefined {
  if (recipe === undefined || typeof copies !== "object") return recipe;
  return (p, name, ask) => {
    const said = own(copies, name);
    return recipe(p, name, said === undefined ? ask : { ...ask, copies: said });
  };
}
