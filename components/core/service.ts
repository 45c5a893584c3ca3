import { ComponentResource, type ComponentResourceOptions, mergeOptions } from "@pulumi/pulumi";

import type { Ask, Given, Kind, Recipe } from "./contracts.ts";
import { checkAlone } from "./plan.ts";
import { RealPlatform } from "./real.ts";
import type { Topology } from "./topology.ts";

/** `on`: the topology to run on; the rest is what the kind asks. */
export type ServiceArgs<K extends Kind> = Ask<K> & { readonly on: Topology };

export interface ServiceClass<K extends Kind> {
  new (name: string, args: ServiceArgs<K>, opts?: ComponentResourceOptions): Service<K>;
  readonly recipe: Recipe<K>;
}

/** A store or another service, as a component: usable alone, and what `need` makes inside a system. */
export abstract class Service<K extends Kind> extends ComponentResource {
  /** How to reach it. Also `ready`, for `dependsOn`. */
  readonly given: Given<K>;

  /** @throws ConfigError when `on` cannot run it; nothing has been registered then. */
  constructor(type: string, recipe: Recipe<K>, name: string, args: ServiceArgs<K>, opts?: ComponentResourceOptions) {
    const { on } = args;
    const system = RealPlatform.of(opts?.parent); // inside a system, all of it has been checked
    if (system === undefined) checkAlone(recipe, name, args, on);
    // No inputs: they would be stored in the state.
    super(`platform-topologies:index:${type}`, name, {}, mergeOptions(on.options, opts));
    const platform = system?.within(this) ?? new RealPlatform(on, this);
    this.given = recipe(platform, platform.shortName(name), args);
    this.registerOutputs({});
  }
}
