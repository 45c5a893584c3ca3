import { createHash } from "node:crypto";

import { type CustomResourceOptions, type Input, interpolate, output, type Output } from "@pulumi/pulumi";
import type * as docker from "@pulumi/docker";

import { VolumeNode, volumeNodeConstraint } from "../../../ops/resources.ts";
import type { Dict, List, Slot } from "../../core/contracts.ts";
import { swarmText } from "../../core/syntax.ts";
import { protection } from "../../core/site.ts";
import type { Site } from "../../core/topology.ts";
import { labels } from "../containers.ts";
import { diskLabel, type Survey } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";
import { constraintsOf, roleOf, volumeNodeConstraints } from "./placement.ts";

/** Where a slot's disk is, and what keeps the slot there. */
export interface Disk {
  readonly volume: Input<string>;
  readonly mount: docker.types.input.ServiceTaskSpecContainerSpecMount;
  readonly constraints: List<Input<string>>;
  /** Changes when the disk is a new one. */
  readonly id: Output<string>;
  /** The labels of the volume. */
  readonly labels: Dict<Input<string>>;
  readonly driverName?: string;
  readonly driverOptions?: Dict<Input<string>>;
}

type Driver = Pick<Disk, "driverName" | "driverOptions">;

/** The slots' disks: local volumes on chosen nodes (`VolumeNode`), or volumes of a driver that every node reaches. */
export class VolumeNodes {
  readonly #name: string;
  readonly #site: Site;
  readonly #host: string;
  readonly #args: SwarmArgs;
  readonly #options: CustomResourceOptions;
  readonly #owner: Input<string>;
  readonly #survey: Survey;
  readonly #made = new Map<string, VolumeNode>();
  /** Each slot's node, by the slot. */
  readonly nodes: Record<string, Output<string>> = {};

  constructor(
    name: string,
    host: string,
    args: SwarmArgs,
    options: CustomResourceOptions,
    survey: Survey,
    owner: Input<string>,
  ) {
    this.#name = name;
    this.#survey = survey;
    this.#owner = owner;
    this.#site = args.site;
    this.#host = host;
    this.#args = args;
    this.#options = options;
  }

  disk(
    slot: string,
    {
      colocate = slot,
      nodes = this.#args.place ?? {},
      disk,
      spare,
    }: Pick<Slot, "colocate" | "nodes" | "disk"> & {
      /** The slot moves its data away before it goes, or has them elsewhere, too: its disk is not protected. */
      readonly spare: boolean;
    },
  ): Disk {
    const { volumes } = this.#args;
    const own = `${this.#site.name}-${slot}`;
    if (volumes !== undefined) {
      const suffix = this.#suffix(slot);
      const volume = interpolate`${own}${suffix}`;
      const options = Object.entries(volumes.options).map(
        ([key, value]) => [key, volume.apply((name) => value.replaceAll("{volume}", name))] as const,
      );
      const driver = { driverName: volumes.driver, driverOptions: Object.fromEntries(options) };
      // Every node reaches this volume, but no manager can see it: the marker on it says whose it is.
      const id = interpolate`${this.#owner}${suffix}`;
      const labels = this.#labels(slot, id);
      return {
        volume,
        mount: mount(volume, disk.path, labels, driver),
        constraints: constraintsOf(nodes),
        id,
        labels,
        ...driver,
      };
    }
    const made = this.#volumeNode(colocate, nodes, spare);
    this.nodes[slot] = made.node;
    // A new choice of the node has a new id: the slot never meets an old disk with an old password. A slot that shares
    // a node with another can have a new disk on the same node.
    const id = colocate === slot ? made.id : interpolate`${made.id}${this.#suffix(slot)}`;
    const volume = interpolate`${own}-${id}`;
    const labels = this.#labels(slot, id);
    return {
      volume,
      mount: mount(volume, disk.path, labels, {}),
      constraints: [made.id.apply((value) => volumeNodeConstraint(this.#nameOf(colocate), value))],
      id,
      labels,
    };
  }

  /** The end of a disk's name, if the operator has given a word for it. */
  #suffix(slot: string): Output<string> {
    return this.#survey.word(slot).apply((word) => {
      return word === "" ? "" : `-${createHash("sha256").update(word).digest("hex").slice(0, 6)}`;
    });
  }

  #volumeNode(volumeNode: string, nodes: Dict<string>, spare: boolean): VolumeNode {
    const known = this.#made.get(volumeNode);
    if (known !== undefined) return known;
    const { protect, name, disks } = this.#site;
    const logical = `${this.#name}-${volumeNode}`;
    const made = new VolumeNode(
      logical,
      {
        host: this.#host,
        name: this.#nameOf(volumeNode),
        constraints: volumeNodeConstraints(nodes),
        spread: `${name}/${roleOf(volumeNode)}`,
        owner: this.#owner,
        spare,
        generation: this.#survey.word(volumeNode),
        round: this.#survey.wants({ kind: "volume node", name: this.#nameOf(volumeNode), logical }),
      },
      { ...this.#options, ...protection(protect && !spare && !Object.hasOwn(disks, volumeNode)) },
    );
    this.#made.set(volumeNode, made);
    return made;
  }

  #nameOf(volumeNode: string): string {
    return `${this.#site.name}.${volumeNode}`;
  }

  #labels(slot: string, id: Output<string>): Dict<Input<string>> {
    const all = labels(this.#site, slot, this.#owner).map(({ label, value }) => [label, value] as const);
    return { ...Object.fromEntries(all), [diskLabel]: id };
  }
}

function mount(
  source: Input<string>,
  path: string,
  labels: Dict<Input<string>>,
  { driverName, driverOptions = {} }: Driver,
) {
  const written = Object.entries(driverOptions).map(([key, value]) => [key, output(value).apply(swarmText)] as const);
  const driver = driverName === undefined ? {} : { driverName, driverOptions: Object.fromEntries(written) };
  const list = Object.entries(labels).map(([label, value]) => ({ label, value }));
  return { type: "volume", source, target: swarmText(path), volumeOptions: { labels: list, ...driver } };
}
