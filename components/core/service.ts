import { ComponentResource, type ComponentResourceOptions, mergeOptions } from "@pulumi/pulumi";

import type { Given, Kind, Recipe } from "./contracts.ts";
import { refuse } from "./errors.ts";
import { routesOf } from "./plan.ts";
import { RealPlatform } from "./real.ts";
import { dryRun } from "./recorder.ts";
import type { ServiceArgs } from "./topology.ts";

export type { ServiceArgs } from "./topology.ts";

/** A store or another service, as a component: usable alone, and what `need` makes inside a system. */
export abstract class Service<K extends Kind> extends ComponentResource {
  /** How to reach it. Also `ready`, for `dependsOn`. */
  readonly given: Given<K>;

  /** @throws ConfigError when `on` cannot run it; nothing has been registered then. */
  constructor(type: string, recipe: Recipe<K>, name: string, args: ServiceArgs<K>, opts?: ComponentResourceOptions) {
    const { on } = args;
    const inside = "topology" in on; // all of the system has been admitted
    const topology = inside ? on.topology : on;
    if (!inside) {
      const plan = dryRun((platform) => void recipe(platform, name, args), topology);
      refuse(
        routesOf(plan).map(({ to: key }) => ({ key, remedy: "its public name needs an edge: use it inside a system" })),
      );
      topology.admit(name, plan, "service");
    }
    const logicalName = inside ? on.logicalName(name) : name;
    // No inputs: they would be stored in the state.
    super(`platform-topologies:index:${type}`, logicalName, {}, mergeOptions(topology.options, opts));
    this.given = recipe(inside ? on.within(this) : new RealPlatform(topology, this), name, args);
    this.registerOutputs({});
  }
}
