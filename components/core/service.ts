import { ComponentResource, type ComponentResourceOptions, mergeOptions } from "@pulumi/pulumi";

import type { Ask, Given, Kind, Recipe } from "./contracts.ts";
import { refuse } from "./errors.ts";
import { tokenOf } from "./formats.ts";
import { routesOf } from "./plan.ts";
import { RealPlatform } from "./real.ts";
import { dryRun } from "./recorder.ts";
import { supplierOf } from "./supply.ts";
import type { ContainerService, Place, ServiceArgs, Topology } from "./topology.ts";

export type { ServiceArgs } from "./topology.ts";

/** A store or another service, as a component: usable alone, and what `need` makes inside a system. */
export abstract class Service<K extends Kind> extends ComponentResource {
  /** How to reach it. Also `ready`, for `dependsOn`. */
  readonly given: Given<K>;

  /** @throws ConfigError when `on` cannot run it; nothing has been registered then. */
  constructor(
    type: string,
    kind: K,
    recipe: Recipe<K>,
    name: string,
    args: ServiceArgs<K>,
    opts?: ComponentResourceOptions,
  ) {
    const { on, called = name, ...rest } = args;
    const ask = rest as unknown as Ask<K>; // what is left of `Ask<K> & { on, called }`
    const inside = "topology" in on; // the topology has admitted the whole system
    const topology = inside ? on.topology : on;
    const place = inside ? topology : withOwn(topology, kind, recipe, new.target as Pick<ContainerService<K>, "unfit">);
    if (!inside) {
      const plan = dryRun((platform) => void platform.need(kind, called, ask), place);
      const { backup, restore } = topology.site;
      refuse([
        ...routesOf(plan).map(({ to }) => ({
          key: to,
          remedy: "its public name needs an edge: use it inside a system",
        })),
        ...Object.entries({ backup, restore })
          .filter(([, asked]) => asked !== undefined)
          .map(([key]) => ({ key, remedy: "only a system has backups: leave it out, or use the service inside one" })),
      ]);
      topology.admit(called, plan, "service");
    }
    const supply = supplierOf(place, kind, called, ask).recipe ?? recipe;
    const logicalName = inside ? on.logicalName(name) : name;
    // No inputs: they would be stored in the state. Inside a system the component above has the providers.
    super(tokenOf(type), logicalName, {}, mergeOptions(inside ? {} : topology.options, opts));
    this.given = supply(inside ? on.within(this) : new RealPlatform(topology, this), called, ask);
    this.registerOutputs({});
  }
}

/** The place, where containers supply the kind as this component says, whatever the place's own component would do. */
function withOwn<K extends Kind>(
  { site, capabilities, services, managed }: Topology,
  kind: K,
  recipe: Recipe<K>,
  { unfit }: Pick<ContainerService<K>, "unfit">,
): Place {
  const its: ContainerService<K> = { recipe, ...(unfit === undefined ? {} : { unfit }) };
  return { site, capabilities, services: { ...services, [kind]: its }, ...(managed === undefined ? {} : { managed }) };
}
