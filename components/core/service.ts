import { ComponentResource, type ComponentResourceOptions, mergeOptions } from "@pulumi/pulumi";

import type { Given, Kind, Recipe } from "./contracts.ts";
import { refuse } from "./errors.ts";
import { routesOf } from "./plan.ts";
import { RealPlatform } from "./real.ts";
import { planOf } from "./recorder.ts";
import { supplierOf } from "./supply.ts";
import type { ServiceArgs } from "./topology.ts";

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
    const { on } = args;
    const inside = "topology" in on; // the topology has admitted the whole system
    const topology = inside ? on.topology : on;
    if (!inside) {
      const plan = planOf((platform) => void platform.need(kind, name, args), undefined, topology);
      refuse(
        routesOf(plan).map(({ to }) => ({ key: to, remedy: "its public name needs an edge: use it inside a system" })),
      );
      topology.admit(name, plan, "service");
    }
    const supply = supplierOf(topology, kind, name, args).recipe ?? recipe;
    const logicalName = inside ? on.logicalName(name) : name;
    // No inputs: they would be stored in the state.
    super(`platform-topologies:index:${type}`, logicalName, {}, mergeOptions(topology.options, opts));
    this.given = supply(inside ? on.within(this) : new RealPlatform(topology, this), name, args);
    this.registerOutputs({});
  }
}
