import { type CustomResourceOptions, mergeOptions } from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";

import type { Site } from "../../core/topology.ts";
import { labels } from "../containers.ts";

/** The stack's overlay networks: edge, app, data, and those that workloads join by name. */
export class Networks {
  readonly #site: Site;
  readonly #encrypted: boolean;
  readonly #options: CustomResourceOptions;
  readonly #made = new Map<string, docker.Network>();

  constructor(site: Site, encrypted: boolean, options: CustomResourceOptions) {
    this.#site = site;
    this.#encrypted = encrypted;
    this.#options = options;
    for (const tier of ["edge", "app", "data"]) this.network(tier);
  }

  /** Made when it is first named. */
  network(name: string): docker.Network {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = new docker.Network(
      name,
      {
        name: `${this.#site.name}-${name}`,
        driver: "overlay",
        // An internal overlay gives its containers no bridge to their node, and so no way out at all.
        internal: name === "data",
        attachable: true, // for an operator's client container
        ...(this.#encrypted ? { options: { encrypted: "true" } } : {}),
        labels: labels(this.#site, name),
      },
      mergeOptions(this.#options, {
        // The engine adds the networks' numbers to the options, which would be a difference at every preview.
        ignoreChanges: ["options"],
        replacementTrigger: this.#encrypted,
      }),
    );
    this.#made.set(name, made);
    return made;
  }
}
