import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  mergeOptions,
  type Output,
} from "@pulumi/pulumi";
import type { z } from "zod";

import { backup } from "./backup.ts";
import type { Dict, List, System } from "./contracts.ts";
import { parse } from "./parse.ts";
import { passwordOf, RealPlatform, type Supplied } from "./real.ts";
import { planOf } from "./recorder.ts";
import type { Topology } from "./topology.ts";

/** `on`: where to run; the rest is the system's own part of a stack's config. */
export type SystemArgs<S extends z.ZodType> = z.input<S> & { readonly on: Topology };

/** A whole platform as a component: run dry and checked first, then made. */
export abstract class SystemComponent<C> extends ComponentResource {
  /** The address that a browser opens. */
  readonly url: string;
  /** Where each store answers inside the stack, by its name in the system. */
  readonly endpoints: Dict<{ readonly host: Input<string>; readonly port: number; readonly user?: Input<string> }>;
  /** Each store's password. */
  readonly passwords: Dict<Output<string>>;
  /** What was needed, and who gave it. */
  readonly supplied: List<Supplied>;

  /**
   * @throws ConfigError with everything in `args` that is wrong, or that `on` cannot run; nothing has been registered
   * then.
   */
  constructor(
    type: string,
    system: System<C>,
    schema: z.ZodType<C>,
    name: string,
    { on, ...args }: { readonly on: Topology },
    opts?: ComponentResourceOptions,
  ) {
    const config = parse(schema, args);
    const plan = planOf(system, config, on);
    on.admit(name, plan, "system");
    // No inputs: they would be stored in the state.
    super(`platform-topologies:index:${type}`, name, {}, mergeOptions(on.options, opts));
    const platform = new RealPlatform(on, this, `${name}-`);
    const at = { parent: this, logicalName: name };
    on.open(plan, at);
    system(platform, config);
    backup(platform, on.site);
    on.close(at);
    this.url = platform.url;
    this.supplied = platform.supplied;
    this.endpoints = Object.fromEntries(
      platform.supplied.filter(({ given }) => !("managers" in given)).map(({ name, given }) => [name, endpoint(given)]),
    );
    this.passwords = Object.fromEntries(
      platform.supplied.flatMap(({ name, given }) => passwordOf(given).map((value) => [name, value])),
    );
    this.registerOutputs({ url: this.url, endpoints: this.endpoints, passwords: this.passwords });
  }
}

function endpoint(given: Supplied["given"]) {
  if ("internal" in given) return { host: given.internal.host, port: given.internal.port, user: given.key };
  if (!("host" in given)) return { host: "", port: 0 };
  return { host: given.host, port: given.port, ...("user" in given ? { user: given.user } : {}) };
}
