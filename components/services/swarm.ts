import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";

/** Only a place that rents machines has one. */
export const managedSwarm: Recipe<"swarm"> = (p, name, ask) => p.managed("swarm", name, ask);

/** A Docker swarm on a cloud's machines. */
export class MachineSwarm extends Service<"swarm"> {
  /** How the place supplies it: containers do not. */
  static readonly recipe = managedSwarm;

  constructor(name: string, args: ServiceArgs<"swarm">, opts?: ComponentResourceOptions) {
    super("MachineSwarm", "swarm", managedSwarm, name, args, opts);
  }
}
