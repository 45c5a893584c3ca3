import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  mergeOptions,
  type Output,
  type ProviderResource,
  type Resource,
  type ResourceTransformation,
} from "@pulumi/pulumi";
import type { z } from "zod";

import { backup } from "./backup.ts";
import { check } from "./check.ts";
import type { Dict, List, System } from "./contracts.ts";
import { refuse } from "./errors.ts";
import { tokenOf } from "./formats.ts";
import { imageOf } from "./images.ts";
import { formerNames } from "./known.ts";
import { parse } from "./parse.ts";
import { imageKeys } from "./plan.ts";
import { passwordOf, RealPlatform, type Supplied } from "./real.ts";
import { planOf } from "./recorder.ts";
import type { OwnTopology, Topology } from "./topology.ts";

/** `on`, and the system's own part of a stack's config. */
export type SystemArgs<S extends z.ZodType> = z.input<S> & {
  /**
   * Where it runs: a topology of the program's, or one that the system makes as its own child, as `DockerHost.own({ … })`.
   * Another one moves no data.
   */
  readonly on: Topology | OwnTopology;
};

/** Where a store answers inside the stack. */
export interface Endpoint {
  /** A name that the stack's own containers know; elsewhere an address of the cloud's. */
  readonly host: Input<string>;
  /** Of TCP. */
  readonly port: number;
  /** Whom its password is for, where it has users. */
  readonly user?: Input<string>;
}

/** A whole platform as a component: run dry and checked first, then made. */
export abstract class SystemComponent<C> extends ComponentResource {
  /** The address that a browser opens. */
  readonly url: string;
  /** Where each store answers inside the stack, by its name in the system. */
  readonly endpoints: Dict<Endpoint>;
  /** Each store's password, and what guards its servers' own API. */
  readonly passwords: Dict<Output<string>>;
  /** What was needed, and who gave it. */
  readonly supplied: List<Supplied>;
  /** What runs, by each part's name: a container, a service, or a machine's group. See `Topology.nodes`. */
  readonly nodes: Dict<Resource>;
  /** The reference of each image that it runs, by its key. */
  readonly images: Dict<string>;
  /** Where it runs. */
  readonly on: Topology;

  /**
   * @throws ConfigError with everything in `args` that is wrong, or that `on` cannot run; nothing has been registered
   * then.
   */
  constructor(
    type: string,
    system: System<C>,
    schema: z.ZodType<C>,
    name: string,
    { on: where, ...args }: { readonly on: Topology | OwnTopology },
    opts: ComponentResourceOptions = {},
  ) {
    const config = parse(schema, args);
    const plan = planOf(system, config, where);
    const former = formerNames(opts.aliases);
    if ("admit" in where) where.admit(name, plan, "system", former);
    else refuse([...check(plan, where), ...where.check(plan)]);
    // A child of ours comes too late to give its providers to this component.
    let own: Topology | undefined;
    const given = "admit" in where ? where.options : { transformations: [withProvidersOf(() => own)] };
    // No inputs: they would be stored in the state.
    super(tokenOf(type), name, {}, mergeOptions(given, opts));
    if (!("admit" in where)) {
      const { dependsOn } = opts;
      own = where.make(`${name}-${where.capabilities.name}`, {
        parent: this,
        ...(dependsOn === undefined ? {} : { dependsOn }),
      });
      own.admit(name, plan, "system", former);
    }
    const on = own ?? (where as Topology);
    this.on = on;
    const platform = new RealPlatform(on, this, `${name}-`);
    const at = { parent: this, logicalName: name };
    on.open(plan, at);
    system(platform, config);
    backup(platform, on.site);
    on.close(at);
    this.url = platform.url;
    this.supplied = platform.supplied;
    this.nodes = on.nodes;
    this.endpoints = Object.fromEntries(
      platform.supplied.filter(({ given }) => !("managers" in given)).map(({ name, given }) => [name, endpoint(given)]),
    );
    this.passwords = Object.fromEntries(
      platform.supplied.flatMap(({ name, given }) => [
        ...passwordOf(given).map((value) => [name, value] as const),
        ...("passwords" in given ? Object.entries(given.passwords ?? {}) : []),
      ]),
    );
    this.images = Object.fromEntries(
      imageKeys(plan, on.capabilities.edge.by === "proxy").map((key) => [key, imageOf(on.site, key).ref]),
    );
    // The next run looks what images the disks are of.
    const { url, endpoints, passwords, images } = this;
    this.registerOutputs({ url, endpoints, passwords, images });
  }
}

/** Gives what is made below a component the providers of a topology, and lets it wait for the topology's beginning. */
function withProvidersOf(topology: () => Topology | undefined): ResourceTransformation {
  return ({ type, props, opts }) => {
    const { providers = {}, dependsOn } = topology()?.options ?? {};
    const provider = (providers as Dict<ProviderResource>)[type.split(":")[0] ?? ""];
    const asked = opts as CustomResourceOptions & ComponentResourceOptions;
    // Who names providers has chosen; the SDK warns of both at one resource.
    if (provider === undefined || (asked.provider ?? asked.providers) !== undefined) return undefined;
    return { props, opts: mergeOptions(asked, { provider, ...(dependsOn === undefined ? {} : { dependsOn }) }) };
  };
}

function endpoint(given: Supplied["given"]): Endpoint {
  if ("internal" in given) return { host: given.internal.host, port: given.internal.port, user: given.key };
  if (!("host" in given)) return { host: "", port: 0 };
  return { host: given.host, port: given.port, ...("user" in given ? { user: given.user } : {}) };
}
