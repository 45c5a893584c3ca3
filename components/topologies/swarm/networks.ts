import { type CustomResourceOptions, type Input, interpolate, mergeOptions, type Output } from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";

import { Orphans } from "../../../ops/resources.ts";
import type { Site } from "../../core/topology.ts";
import type { Adopted } from "../adopted.ts";
import { labels } from "../containers.ts";
import { chosen } from "../subnets.ts";
import type { Survey } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";
import { tiers } from "./check.ts";

/** The stack's overlay networks: edge, app, data, or the operator's own for these, and those that workloads join by name. */
export class Networks {
  readonly #name: string;
  readonly #site: Site;
  readonly #args: SwarmArgs;
  readonly #options: CustomResourceOptions;
  readonly #host: string;
  readonly #survey: Survey;
  readonly #owner: Input<string>;
  readonly #ops: CustomResourceOptions;
  readonly #made = new Map<string, { readonly id: Output<string> }>();
  /** A resource that goes only with the whole stack; undefined where the operator's network stands for `data`. */
  readonly last: docker.Network | undefined;

  /** `name`: the topology's name. `ops`: options of the resources that empty a network before it goes. */
  constructor(
    name: string,
    args: SwarmArgs,
    options: CustomResourceOptions,
    ops: CustomResourceOptions,
    survey: Survey,
    owner: Input<string>,
    adopted: Adopted,
  ) {
    this.#name = name;
    this.#survey = survey;
    this.#owner = owner;
    this.#host = args.managers.join(",");
    this.#ops = ops;
    this.#site = args.site;
    this.#args = args;
    this.#options = options;
    for (const tier of tiers) {
      const there = adopted.of(tier);
      const network = there === undefined ? this.#make(tier) : undefined;
      this.#made.set(tier, network ?? { id: survey.network(there ?? "") });
      if (tier === "data") this.last = network;
    }
  }

  /** A tier's network, or one that a container joins by name, made when it is first named. */
  network(name: string): { readonly id: Output<string> } {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const label = `platform-topologies.app=${this.#site.name}`;
    const orphans = new Orphans(
      `${this.#name}-${name}`,
      { host: this.#host, network: this.#make(name).id, label },
      this.#ops,
    );
    const joined = { id: orphans.network };
    this.#made.set(name, joined);
    return joined;
  }

  #make(name: string): docker.Network {
    const { encrypted = true, mtu = "", subnets = {} } = this.#args;
    const logical = `${this.#name}-${name}`;
    const round = this.#survey.wants({ kind: "network", name: `${this.#site.name}-${name}`, logical });
    return new docker.Network(
      logical,
      {
        name: `${this.#site.name}-${name}`,
        driver: "overlay",
        // An internal overlay gives its containers no bridge to their node, and so no way out at all.
        internal: name === "data",
        attachable: true, // for an operator's client container
        ...chosen(this.#args, name, encrypted ? { encrypted: "true" } : {}),
        labels: labels(this.#site, name, this.#owner),
      },
      mergeOptions(this.#options, {
        // Engines add the networks' numbers to the options, which would be a difference at every preview. And a swarm
        // may answer more about a range than it was told.
        ignoreChanges: ["options", "ipamConfigs"],
        replacementTrigger: interpolate`${[encrypted, mtu, subnets[name] ?? ""].join()} ${round}`,
      }),
    );
  }
}
