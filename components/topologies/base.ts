import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomResourceOptions,
  mergeOptions,
  type Output,
  type ProviderResource,
  type Resource,
} from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import {
  Certificate,
  type EcsJobArgs,
  Finalizer,
  type FinalizerArgs,
  Job as OpsJob,
  type JobArgs,
  OpsProvider,
  type StackIdentity,
} from "../../ops/resources.ts";
import { check } from "../core/check.ts";
import type { Container, Dict, Job, List, Ready, Slot, Workload } from "../core/contracts.ts";
import { type Problem, refuse } from "../core/errors.ts";
import { tokenOf } from "../core/formats.ts";
import { type Plan, replicaNames, routesOf } from "../core/plan.ts";
import type { At, Capabilities, Services, Site, Topology } from "../core/topology.ts";
import { containerServices } from "../services/index.ts";
import { randomType } from "./containers.ts";
import { jobIgnores } from "./job.ts";

/** What a subclass knows before anything is registered. */
export interface BaseArgs {
  /** The name in its type token. */
  readonly type: string;
  readonly site: Site;
  /** What comes before the component's first resource. Default: nothing. */
  readonly before?: ComponentResourceOptions["dependsOn"];
  /** Makes the stack's identity here. */
  readonly identity: (options: CustomResourceOptions) => StackIdentity;
}

/** A job as `ops` runs it here, and what it waits for besides its own `after`. */
export interface JobHere {
  readonly args: Omit<JobArgs, "trigger"> | Omit<EcsJobArgs, "trigger" | "disks">;
  readonly after: List<Resource>;
}

/** A change of one of these runs a job again. */
export type JobAgain = Required<Pick<JobArgs, "trigger" | "disks">>;

/**
 * What every topology does alike: providers, the stack's identity, who has which name, jobs and finalizers. A subclass
 * says how a container, a disk and a job run. Names of what is made begin with the component's own.
 */
export abstract class BaseTopology extends ComponentResource implements Topology {
  abstract readonly capabilities: Capabilities;
  readonly services: Services = containerServices;
  readonly site: Site;
  readonly passwords: Output<string>[];
  readonly options: ComponentResourceOptions;
  readonly nodes: Record<string, Resource> = {};
  /** The owner of everything: the id of the stack's identity in the state. */
  protected readonly owner: Output<string>;
  /** The stack's identity, which goes only with the whole stack. */
  protected readonly identity: StackIdentity;
  /** The component's own name, with which those of its children begin. */
  protected readonly name: string;
  /** Options of what is made after the identity. */
  protected readonly under: CustomResourceOptions;
  protected readonly ops: ProviderResource;
  protected readonly random: ProviderResource;
  /** The disks behind a gate, by the slot: a job that ran once for a disk runs again for another. */
  readonly #disks = new Map<Resource, Dict<Output<string>>>();
  /** Those of slots that others stand in for. */
  readonly #spares = new Map<Resource, Dict<Output<string>>>();
  /** Of what answers the public names, once `open` has made it. */
  protected edgeReady: List<Resource> = [];
  /** The component that has each name in the admitted plans. */
  readonly #owners = new Map<string, string>();
  #system: string | undefined;

  protected constructor(name: string, { type, site, before, identity }: BaseArgs, opts: ComponentResourceOptions) {
    const waits = before === undefined ? {} : { dependsOn: before };
    // No inputs: they would be stored in the state.
    super(tokenOf(type), name, {}, mergeOptions(opts, waits));
    this.name = name;
    this.site = site;
    this.passwords = Object.values(site.secrets);
    const first = mergeOptions(opts.dependsOn ? { dependsOn: opts.dependsOn } : {}, { parent: this, ...waits });
    // Every provider is a process of its own: the caller's is taken, if there is one.
    this.ops = this.getProvider("platform-topologies:index:StackIdentity") ?? new OpsProvider(`${name}-ops`, first);
    const stack = identity({ ...first, provider: this.ops });
    this.identity = stack;
    this.owner = stack.id;
    this.under = mergeOptions(first, { dependsOn: stack });
    this.random = this.getProvider(randomType) ?? new random.Provider(`${name}-random`, {}, this.under);
    this.options = { providers: { "platform-topologies": this.ops, random: this.random }, dependsOn: stack };
  }

  abstract readonly ca: Output<string> | undefined;
  /** Finds what is wrong with this topology's own arguments and a plan together. Pure. */
  protected abstract check(plan: Plan): List<Problem>;
  /** `run`: what makes it run again; unset: it runs when it is deleted. */
  protected abstract jobOf(name: string, job: Omit<Job, "trigger">, at: At, run?: JobAgain): JobHere;
  /** A resource that goes only with the whole stack. */
  protected abstract readonly last: Resource | undefined;
  abstract workload(name: string, workload: Workload, at: At): Ready;
  abstract slot(name: string, slot: Slot, at: At): Ready;

  admit(owner: string, plan: Plan, what: "system" | "service", former: List<string> = []): void {
    const names = [
      ...[...plan.workloads].flatMap(([name, workload]) => [name, ...replicaNames(name, workload)]),
      ...plan.slots.keys(),
      ...plan.jobs.keys(),
      ...(routesOf(plan).length > 0 ? ["edge"] : []),
    ];
    // What the site says of others' disks and stores is no mistake of a service alone.
    const { copies, disks, rotate, data, existing } = this.site;
    const its = {
      ...(typeof copies === "object" ? { copies: only(copies, owner) } : {}),
      disks: only(disks, ...plan.slots.keys()),
      rotate: only(rotate, owner),
      data: only(data, owner),
      existing: only(existing, owner),
    };
    const site = what === "system" ? this.site : { ...this.site, ...its };
    const { capabilities } = this;
    refuse([...check(plan, { site, capabilities }), ...this.check(plan), ...this.#taken(owner, what, names)]);
    for (const name of names) this.#owners.set(name, owner);
    if (what === "system") this.#system = owner;
    for (const name of former) this.called?.(name, owner);
  }

  /** A component of this program had another name. Unset: nobody asks for names of the state here. */
  protected called?(former: string, name: string): void;

  #taken(owner: string, what: "system" | "service", names: List<string>): Problem[] {
    if (what === "system" && this.#system !== undefined) {
      const remedy = `${this.name} has a system already, ${this.#system}: make a topology for each, with a site of its own`;
      return [{ key: "on", value: owner, remedy }];
    }
    return names.flatMap((name) => {
      const other = this.#owners.get(name);
      return other === undefined
        ? []
        : [{ key: name, remedy: `${other} has a part of this name on ${this.name}: name ${owner} otherwise` }];
    });
  }

  /** Makes what answers the public names. Stores with one are called through it, so it comes first. */
  abstract open(plan: Plan, at: At): void;
  abstract close(at: At): void;

  job(name: string, job: Job, at: At): Ready {
    const before = this.after(job);
    const of = (known: Map<Resource, Dict<Output<string>>>) =>
      Object.assign({}, ...before.map((each) => known.get(each))) as Dict<Output<string>>;
    const disks = of(this.#disks);
    const again = {
      trigger: job.trigger,
      disks: job.eachDisk === true ? { ...disks, ...of(this.#spares) } : disks,
    };
    const { args, after } = this.jobOf(name, job, at, again);
    const made = new OpsJob(
      at.logicalName,
      { ...args, ...again },
      { parent: at.parent, dependsOn: [...before, ...after], ...jobIgnores(job) },
    );
    this.#disks.set(made, disks);
    return { ready: [made] };
  }

  /** Notes the disk behind a slot's gates. */
  protected onDisk(gates: List<Resource>, { alone = false }: Slot, disk: Dict<Output<string>>): void {
    for (const gate of gates) (alone ? this.#disks : this.#spares).set(gate, disk);
  }

  /** What a container waits for. */
  protected after({ after = [], callsEdge, routes = [] }: Container): Resource[] {
    return [...after.flatMap(({ ready }) => ready), ...(callsEdge === true || routes.length > 0 ? this.edgeReady : [])];
  }

  /** A certificate for the stack's names, from an authority of its own. */
  protected localCertificate(): Certificate {
    const { hostname } = this.site;
    const made = new Certificate(
      `${this.name}-edge`,
      { hostnames: [hostname, `*.${hostname}`] },
      { ...this.under, provider: this.ops },
    );
    this.passwords.push(made.key);
    return made;
  }

  /** A job for when a member goes for good. It does not run when the whole stack goes, whose network goes with it. */
  protected finalizer(name: string, job: Slot["leave"], at: At, dependsOn: List<Resource>): Resource[] {
    if (job === undefined) return [];
    const { args } = this.jobOf(name, job, at);
    const { last } = this;
    return [
      new Finalizer(at.logicalName, "ecs" in args ? { job: args } : onEngine(args), {
        parent: at.parent,
        dependsOn: [...dependsOn],
        ...(last ? { deletedWith: last } : {}),
      }),
    ];
  }
}

function onEngine({ host, ...job }: Omit<JobArgs, "trigger">): FinalizerArgs {
  return { host, job };
}

function only<T>(dict: Dict<T>, ...names: List<string>): Dict<T> {
  return Object.fromEntries(Object.entries(dict).filter(([name]) => names.includes(name)));
}

/** The same place in the program, for a part of a thing. */
export function part({ parent, logicalName }: At, suffix: string): At {
  return { parent, logicalName: `${logicalName}-${suffix}` };
}
