import { type CustomResourceOptions, type Input, interpolate, type Output } from "@pulumi/pulumi";
import type * as docker from "@pulumi/docker";

import { Seat, seatConstraint } from "../../../ops/resources.ts";
import type { Dict, List, Slot } from "../../core/contracts.ts";
import type { Site } from "../../core/topology.ts";
import { labels } from "../containers.ts";
import type { Survey } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";
import { constraintsOf, roleOf, seatConstraints } from "./placement.ts";

/** Where a slot's disk is, and what keeps the slot there. */
export interface Disk {
  readonly volume: Input<string>;
  readonly mount: docker.types.input.ServiceTaskSpecContainerSpecMount;
  readonly constraints: List<Input<string>>;
  /** Changes when the disk is a new one. */
  readonly once: Input<string>;
  readonly driverName?: string;
  readonly driverOptions?: Dict<string>;
}

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
      leave,
      left,
    }: Pick<Slot, "seat" | "nodes" | "disk" | "leave" | "left">,
  ): Disk {
    const { volumes } = this.#args;
    const own = `${this.#site.name}-${slot}`;
    if (volumes !== undefined) {
      const options = Object.entries(volumes.options).map(([key, value]) => [key, value.replaceAll("{volume}", own)]);
      const driver = { driverName: volumes.driver, driverOptions: Object.fromEntries(options) as Dict<string> };
      return {
        volume: own,
        mount: this.#mount(slot, own, disk.path, driver),
        constraints: constraintsOf(nodes),
        once: "1",
        ...driver,
      };
    }
    // What sees to its data before it goes, goes without anybody's leave: the reconciler retires it, a smaller number
    // scales it away. The volume stays on its node either way.
    const made = this.#seat(seat, nodes, this.#site.protect && leave === undefined && left === undefined);
    // A seat that is made anew has a number of its own: its slot never meets an old disk with an old password.
    const volume = interpolate`${own}-${made.id}`;
    this.nodes[slot] = made.node;
    return {
      volume,
      mount: this.#mount(slot, volume, disk.path, {}),
      constraints: [made.id.apply((id) => seatConstraint(this.#nameOf(seat), id))],
      once: made.id,
    };
  }

  #seat(seat: string, nodes: Dict<string>, protect: boolean): Seat {
    const known = this.#made.get(seat);
    if (known !== undefined) return known;
    const made = new Seat(
      `${seat}-seat`,
      {
        host: this.#host,
        name: this.#nameOf(seat),
        constraints: seatConstraints(nodes),
        spread: `${this.#site.name}/${roleOf(seat)}`,
      },
      { ...this.#options, protect },
    );
    this.#made.set(seat, made);
    return made;
  }

  #nameOf(seat: string): string {
    return `${this.#site.name}.${seat}`;
  }

  #mount(slot: string, source: Input<string>, target: string, driver: object) {
    return {
      type: "volume",
      source,
      target,
      volumeOptions: { labels: labels(this.#site, slot, this.#owner), ...driver },
    };
  }
}
