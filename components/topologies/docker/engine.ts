import {
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  type Output,
  type ProviderResource,
  type Resource,
  mergeOptions,
} from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";

import { Guests } from "../../../ops/resources.ts";
import type { Container, Dict, Tier } from "../../core/contracts.ts";
import { own } from "../../core/formats.ts";
import type { Image } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import { labels, networksOf } from "../containers.ts";

/**
 * No route out, so what is stolen from a store has nowhere to go. `internal` alone leaves the host's own address on the
 * bridge, and with it every port that the host, or another stack, listens on.
 */
const closed = { internal: true, options: { "com.docker.network.bridge.inhibit_ipv4": "true" } };

/** One Docker engine: its provider, the stack's networks on it, the images pulled there. */
export class Engine {
  readonly host: string;
  readonly #key: string;
  readonly #options: ComponentResourceOptions;
  readonly #site: Site;
  readonly #networks: Dict<docker.Network>;
  readonly #joined = new Map<string, { readonly id: Output<string> }>();
  readonly #ops: ComponentResourceOptions;
  readonly #images = new Map<string, docker.RemoteImage>();

  /** `tiers`: the networks that it needs; a further machine has `app` alone. */
  constructor(
    site: Site,
    key: string,
    host: string,
    registries: readonly string[],
    tiers: readonly Tier[],
    options: ComponentResourceOptions,
    ops: ProviderResource,
  ) {
    this.#ops = mergeOptions(options, { provider: ops });
    this.host = host;
    this.#site = site;
    this.#key = key;
    const provider = new docker.Provider(
      `docker${suffix(key)}`,
      // Credentials come from `docker login` on the machine that deploys: in the provider's own they would be plain state.
      { host, registryAuth: registries.map((address) => ({ address })) },
      options,
    );
    this.#options = mergeOptions(options, { provider });
    this.#networks = Object.fromEntries(
      tiers.map((tier) => [
        tier,
        new docker.Network(
          `${tier}${suffix(key)}`,
          {
            name: `${site.name}-${tier}`,
            driver: "bridge",
            ...(tier === "data" ? closed : {}),
            labels: labels(site, tier),
          },
          this.#options,
        ),
      ]),
    );
  }

  /** Options for a resource of this engine. */
  under(parent: Resource, more: CustomResourceOptions = {}): CustomResourceOptions {
    return mergeOptions(mergeOptions(this.#options, { parent }), more);
  }

  /** A tier's network, or one that a container joins by name, made when it is first named. */
  network(name: string): { readonly id: Output<string> } {
    const known = own(this.#networks, name) ?? this.#joined.get(name);
    if (known !== undefined) return known;
    const made = new docker.Network(
      `${name}${suffix(this.#key)}`,
      { name: `${this.#site.name}-${name}`, driver: "bridge", labels: labels(this.#site, name) },
      this.#options,
    );
    const guests = new Guests(
      `${name}${suffix(this.#key)}`,
      { host: this.host, network: made.id, label: `platform-topologies.app=${this.#site.name}` },
      this.#ops,
    );
    const joined = { id: guests.network };
    this.#joined.set(name, joined);
    return joined;
  }

  /** What goes only with the whole stack. */
  get last(): Resource | undefined {
    return this.#networks.data;
  }

  /** The networks that a container joins, outermost first. */
  networksOf(container: Container, isSlot: boolean): string[] {
    return this.#networks.data === undefined ? ["app", ...(container.joins ?? [])] : networksOf(container, isSlot);
  }

  /** The image's id on this engine: pulled unless it is there, kept when the stack goes. */
  image({ key, ref, rehearsing }: Image): Input<string> {
    const name = rehearsing ? "rehearsal" : key;
    let image = this.#images.get(name);
    if (image === undefined) {
      image = new docker.RemoteImage(
        `image-${name.replaceAll("/", "-")}${suffix(this.#key)}`,
        { name: ref, keepLocally: true },
        // The provider's own order takes the containers of the old image away before it asks for the new one.
        mergeOptions(this.#options, { deleteBeforeReplace: false }),
      );
      this.#images.set(name, image);
    }
    return image.imageId;
  }
}

function suffix(key: string): string {
  return key === "" ? "" : `-${key}`;
}
