/** A topology that makes nothing: it notes what it is given, and gives a thing of the same name back. */
import { output, type Output, type Resource } from "@pulumi/pulumi";

import type { Ask, Given, Job, Kind, Ready, Slot, Workload } from "../../components/core/contracts.ts";
import type { Plan } from "../../components/core/plan.ts";
import type { At, Services, Site, Topology } from "../../components/core/topology.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { site } from "./sketches.ts";

export class FakeTopology implements Topology {
  readonly site: Site;
  readonly services: Services;
  readonly capabilities = capabilities.docker;
  readonly ca = output("authority");
  readonly passwords: Output<string>[] = [];
  readonly options = {};
  readonly nodes = {};
  /** What was made, and what was said to the topology, in order. */
  readonly calls: string[] = [];
  readonly jobs = new Map<string, Job>();
  readonly workloads = new Map<string, Workload>();
  readonly slots = new Map<string, Slot>();
  readonly places = new Map<string, At>();
  readonly admitted: Plan[] = [];
  readonly #names = new Map<unknown, string>();

  constructor(over: Partial<Site> = {}, services: Services = {}) {
    this.site = site(over);
    this.services = services;
  }

  /** Nothing is made: an object stands for it. */
  thing(name: string): Resource {
    const thing: object = {};
    this.#names.set(thing, name);
    return thing as Resource;
  }
  /** The names of the things. */
  names(things: readonly unknown[]): string[] {
    return things.map((thing) => this.#names.get(thing) ?? "?");
  }
  /** The names of what a part waits for. */
  waits({ after = [] }: { readonly after?: readonly Ready[] }): string[] {
    return after.flatMap(({ ready }) => this.names(ready));
  }
  #made<T>(into: Map<string, T>, name: string, spec: T, at: At): Ready {
    this.calls.push(at.logicalName);
    into.set(name, spec);
    this.places.set(name, at);
    return { ready: [this.thing(name)] };
  }

  admit(owner: string, plan: Plan, what: string): void {
    this.calls.push(`admit ${owner}, a ${what}`);
    this.admitted.push(plan);
  }
  open(_plan: Plan, { logicalName }: At): void {
    this.calls.push(`open ${logicalName}`);
  }
  close({ logicalName }: At): void {
    this.calls.push(`close ${logicalName}`);
  }
  workload(name: string, workload: Workload, at: At): Ready {
    return this.#made(this.workloads, name, workload, at);
  }
  slot(name: string, slot: Slot, at: At): Ready {
    return this.#made(this.slots, name, slot, at);
  }
  job(name: string, job: Job, at: At): Ready {
    return this.#made(this.jobs, name, job, at);
  }
}

/** The same with a store of each kind of its own. */
export class ManagingTopology extends FakeTopology {
  supply<K extends Kind>(kind: K, name: string, _ask: Ask<K>, { logicalName }: At): Given<K> {
    this.calls.push(`${kind} ${logicalName}`);
    return { host: `${name}.managed`, ready: [this.thing(name)] } as unknown as Given<K>;
  }
}
