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

import { Orphans } from "../../../ops/resources.ts";
import type { Container, Dict, List, Tier } from "../../core/contracts.ts";
import { own } from "../../core/formats.ts";
import type { Image } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import type { Adopted } from "../adopted.ts";
import { labels, networksOf } from "../containers.ts";
import { chosen, type NetworkChoices } from "../subnets.ts";
import { Survey } from "../survey.ts";
import { lookAt, machineTypes, pullAgain, removeFrom, types } from "./look.ts";
import { networkName } from "./machines.ts";

/**
 * A network without a route out: stolen data has nowhere to go. `internal` alone leaves the host's own address on the
 * bridge, and with it every port on which the host, or another stack, listens.
 */
const closed = { "com.docker.network.bridge.inhibit_ipv4": "true" };

export interface EngineArgs {
  /** The topology's own name. The names of its resources begin with it. */
  readonly name: string;
  readonly site: Site;
  /** The config's key of a further machine; empty for the stack's own host. */
  readonly key: string;
  readonly host: string;
  readonly registries: List<string>;
  /** The networks that the engine needs; a further machine has `app` alone. */
  readonly tiers: List<Tier>;
  /** The options of everything on the engine. */
  readonly options: ComponentResourceOptions;
  readonly ops: ProviderResource;
  readonly survey: Survey;
  /** The owner that is written on everything that is made. */
  readonly owner: Output<string>;
  readonly choices: NetworkChoices;
  readonly adopted: Adopted;
  /** Its socket's path on its own machine; undefined: nobody has said it. */
  readonly socket: string | undefined;
}

/** Looks at an engine before anything is made on it. */
export function surveyOf(
  component: string,
  site: Site,
  key: string,
  host: string,
  registries: List<string>,
  adopted: Adopted,
): Survey {
  return new Survey({
    component,
    name: site.name,
    words: site.disks,
    ...(key === ""
      ? { host: { key: "docker.host", value: host }, types }
      : { machine: key, host: { key: `docker.machines.${key}`, value: host }, types: machineTypes }),
    look: () => lookAt(host, adopted),
    remove: (thing) => removeFrom(host, thing),
    pull: (image) => pullAgain(host, registries, image),
  });
}

/** One Docker engine: its provider, the stack's networks on it, the images pulled there. */
export class Engine {
  readonly host: string;
  readonly owner: Output<string>;
  readonly survey: Survey;
  readonly registries: List<string>;
  /** Its socket's path on its own machine; undefined: nobody has said it. */
  readonly socket: string | undefined;
  readonly #choices: NetworkChoices;
  /** Networks of the operator's in the place of some of these. */
  readonly adopted: Adopted;
  readonly #key: string;
  readonly #name: string;
  readonly #options: ComponentResourceOptions;
  readonly #site: Site;
  readonly #tiers: List<Tier>;
  readonly #networks: Dict<docker.Network>;
  readonly #joined = new Map<string, { readonly id: Output<string> }>();
  readonly #ops: ComponentResourceOptions;
  readonly #images = new Map<string, docker.RemoteImage>();

  constructor({ name, site, key, host, registries, tiers, options, ops, survey, owner, socket, ...its }: EngineArgs) {
    this.#choices = its.choices;
    this.adopted = its.adopted;
    this.#tiers = tiers;
    this.socket = socket;
    this.#ops = mergeOptions(options, { provider: ops });
    this.host = host;
    this.owner = owner;
    this.survey = survey;
    this.registries = registries;
    this.#site = site;
    this.#key = key;
    this.#name = name;
    const provider = new docker.Provider(
      `${name}-engine${suffix(key)}`,
      // `docker login` on the machine that deploys has the credentials. As arguments they would be plain text in the
      // state.
      { host, registryAuth: registries.map((address) => ({ address })) },
      options,
    );
    this.#options = mergeOptions(options, { provider });
    this.#networks = Object.fromEntries(
      tiers
        .filter((tier) => this.adopted.of(tier) === undefined)
        .map((tier) => [tier, tier === "data" ? this.#make(tier, { internal: true }, closed) : this.#make(tier)]),
    );
  }

  #make(name: string, more: Partial<docker.NetworkArgs> = {}, options: Dict<string> = {}): docker.Network {
    const called = networkName(name, this.#key);
    const logical = `${this.#name}-${called}`;
    const full = `${this.#site.name}-${name}`;
    return new docker.Network(
      logical,
      {
        ...{ name: full, driver: "bridge", ...more },
        ...chosen(this.#choices, called, options),
        labels: labels(this.#site, name, this.owner),
      },
      mergeOptions(this.#options, { replacementTrigger: this.survey.wants({ kind: "network", name: full, logical }) }),
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
    const adopted = this.adopted.of(name);
    if (adopted !== undefined) return { id: this.survey.network(adopted) };
    const made = this.#make(name);
    const orphans = new Orphans(
      `${this.#name}-${networkName(name, this.#key)}`,
      { host: this.host, network: made.id, label: `platform-topologies.app=${this.#site.name}` },
      this.#ops,
    );
    const joined = { id: orphans.network };
    this.#joined.set(name, joined);
    return joined;
  }

  /** A resource that goes only with the whole stack; undefined where the operator's network stands for `data`. */
  get last(): Resource | undefined {
    return this.#networks.data;
  }

  /** The networks that a container joins, outermost first. */
  networksOf(container: Container, isSlot: boolean): string[] {
    return !this.#tiers.includes("data") ? ["app", ...(container.networks ?? [])] : networksOf(container, isSlot);
  }

  /** The image's id on this engine. The image is pulled unless it is there, and stays when the stack goes. */
  image({ key, ref, rehearsing }: Image): Input<string> {
    const name = rehearsing ? "rehearsal" : key;
    let image = this.#images.get(name);
    if (image === undefined) {
      const logical = `${this.#name}-image-${name.replaceAll("/", "-")}${suffix(this.#key)}`;
      image = new docker.RemoteImage(
        logical,
        { name: ref, keepLocally: true },
        mergeOptions(this.#options, {
          // By default the containers of the old image would go before the new image is asked for.
          deleteBeforeReplace: false,
          replacementTrigger: this.survey.wants({ kind: "image", name: ref, logical }),
        }),
      );
      this.#images.set(name, image);
    }
    return image.imageId;
  }
}

function suffix(key: string): string {
  return key === "" ? "" : `-${key}`;
}
