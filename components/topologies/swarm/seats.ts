import { createHash } from "node:crypto";

import { type CustomResourceOptions, type Input, interpolate, output, type Output } from "@pulumi/pulumi";
import type * as docker from "@pulumi/docker";

import { Seat, seatConstraint } from "../../../ops/resources.ts";
import type { Dict, List, Slot } from "../../core/contracts.ts";
import { swarmText } from "../../core/syntax.ts";
import type { Site } from "../../core/topology.ts";
import { labels } from "../containers.ts";
import { diskLabel, type Survey } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";
import { constraintsOf, roleOf, seatConstraints } from "./placement.ts";

/** Where a slot's disk is, and what keeps the slot there. */
export interface Disk {
  readonly volume: Input<string>;
  readonly mount: docker.types.input.ServiceTaskSpecContainerSpecMount;
  readonly constraints: List<Input<string>>;
  /** Changes when the disk is a new one. */
  readonly id: Output<string>;
  /** Of the volume. */
  readonly labels: Dict<Input<string>>;
  readonly driverName?: string;
  readonly driverOptions?: Dict<Input<string>>;
}

type Driver = Pick<Disk, "driverName" | "driverOptions">;

/** The slots' disks: local volumes on the nodes that seats name, or a driver's that every node reaches. */
export class Seats {
  readonly #site: Site;
  readonly #host: string;
  readonly #args: SwarmArgs;
  readonly #options: CustomResourceOptions;
  readonly #owner: Input<string>;
  readonly #survey: Survey;
  readonly #made = new Map<string, Seat>();
  /** Each slot's node, by the slot. */
  readonly nodes: Record<string, Output<string>> = {};

  constructor(host: string, args: SwarmArgs, options: CustomResourceOptions, survey: Survey, owner: Input<string>) {
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
      seat = slot,
      nodes = this.#args.place ?? {},
      disk,
      spare,
    }: Pick<Slot, "seat" | "nodes" | "disk"> & {
      /** What sees to its data before it goes, or has them elsewhere, goes without anybody's leave. */
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
      // Every node reaches it, and no manager can see it: whose it is, the marker on it tells.
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
    const made = this.#seat(seat, nodes, spare);
    this.nodes[slot] = made.node;
    // A seat that is made anew has a number of its own: its slot never meets an old disk with an old password. Whoever
    // sits beside another has a new disk without a new seat.
    const id = seat === slot ? made.id : interpolate`${made.id}${this.#suffix(slot)}`;
    const volume = interpolate`${own}-${id}`;
    const labels = this.#labels(slot, id);
    return {
      volume,
      mount: mount(volume, disk.path, labels, {}),
      constraints: [made.id.apply((value) => seatConstraint(this.#nameOf(seat), value))],
      id,
      labels,
    };
  }

  /** Of a disk for which the operator has said a word. */
  #suffix(slot: string): Output<string> {
    return this.#survey.word(slot).apply((word) => {
      return word === "" ? "" : `-${createHash("sha256").update(word).digest("hex").slice(0, 6)}`;
    });
  }

  #seat(seat: string, nodes: Dict<string>, spare: boolean): Seat {
    const known = this.#made.get(seat);
    if (known !== undefined) return known;
    const { protect, name, disks } = this.#site;
    const logical = `${seat}-seat`;
    const made = new Seat(
      logical,
      {
        host: this.#host,
        name: this.#nameOf(seat),
        constraints: seatConstraints(nodes),
        spread: `${name}/${roleOf(seat)}`,
        owner: this.#owner,
        spare,
        generation: this.#survey.word(seat),
        round: this.#survey.wants({ kind: "seat", name: this.#nameOf(seat), logical }),
      },
      { ...this.#options, protect: protect && !spare && !Object.hasOwn(disks, seat) },
    );
    this.#made.set(seat, made);
    return made;
  }

  #nameOf(seat: string): string {
    return `${this.#site.name}.${seat}`;
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
