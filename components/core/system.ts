import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  mergeOptions,
  type Output,
} from "@pulumi/pulumi";

import { backup } from "./backup.ts";
import { check } from "./check.ts";
import type { Dict, System } from "./contracts.ts";
import { refuse } from "./errors.ts";
import { planOf, routesOf } from "./plan.ts";
import { RealPlatform, type Supplied } from "./real.ts";
import type { Topology } from "./topology.ts";

/** A whole platform as a component: checked in the dry run first, then made. */
export abstract class SystemComponent<C> extends ComponentResource {
  /** The address that a browser opens. */
  readonly url: string;
  /** Where each store answers inside the stack, by its name in the system. */
  readonly endpoints: Dict<{ readonly host: Input<string>; readonly port: number; readonly user?: Input<string> }>;
  /** Each store's password. */
  readonly passwords: Dict<Output<string>>;

  /** @throws ConfigError with everything that `on` cannot run; nothing has been registered then. */
  constructor(type: string, system: System<C>, name: string, config: C, on: Topology, opts?: ComponentResourceOptions) {
    const plan = planOf(system, config, on.site, on.services);
    refuse(check(plan, on.site, on.capabilities));
    // No inputs: they would be stored in the state.
    super(`platform-topologies:index:${type}`, name, {}, mergeOptions(on.options, opts));
    const platform = new RealPlatform(on, this, `${name}-`);
    const routes = routesOf(plan);
    // First: stores with a public name are called through it.
    if (routes.length > 0) on.edge(routes, plan.edge, this, platform.logicalName("edge"));
    system(platform, config);
    backup(platform, on.site);
    this.url = platform.url;
    this.endpoints = Object.fromEntries(platform.supplied.map(({ name, given }) => [name, endpoint(given)]));
    this.passwords = Object.fromEntries(
      platform.supplied.flatMap(({ name, given }) => password(given).map((value) => [name, value])),
    );
    this.registerOutputs({ url: this.url, endpoints: this.endpoints, passwords: this.passwords });
  }
}

function endpoint(given: Supplied["given"]) {
  if ("internal" in given) return { host: given.internal.host, port: given.internal.port, user: given.key };
  if (!("host" in given)) return { host: "", port: 0 };
  return { host: given.host, port: given.port, ...("user" in given ? { user: given.user } : {}) };
}

function password(given: Supplied["given"]): Output<string>[] {
  if ("internal" in given) return [given.secret];
  return "password" in given ? [given.password] : [];
}
