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

import { Certificate, Finalizer, Job as OpsJob, type JobArgs, OpsProvider } from "../../ops/resources.ts";
import { check } from "../core/check.ts";
import type { Container, Dict, Job, List, Ready, Slot, Workload } from "../core/contracts.ts";
import { type Problem, refuse } from "../core/errors.ts";
import { type Plan, type PlannedRoute, replicaNames, routesOf } from "../core/plan.ts";
import type { At, Capabilities, Services, Site, Topology, TopologyName } from "../core/topology.ts";
import { edgeProxy } from "../edge/edge.ts";
import type { Backends } from "../edge/proxy.ts";
import { containerServices } from "../services/index.ts";
import { randomType } from "./containers.ts";
import { identityFor } from "./identity.ts";
import { jobArgs, jobIgnores, type JobPlace } from "./job.ts";
import type { Survey } from "./survey.ts";
import { edgeAuthority, edgeTls, signsItself, type Tls } from "./tls.ts";

/** What a subclass knows before anything is registered. */
export interface BaseArgs {
  /** The name in its type token. */
  readonly type: string;
  readonly topology: TopologyName;
  readonly site: Site;
  readonly tls: Tls;
  readonly survey: Survey;
  /** The surveys of further engines, by the config's name for each. */
  readonly further?: Dict<Survey>;
}

/** How a job runs here: on which engine, and what it waits for besides its own `after`. */
export interface JobRun extends Pick<JobArgs, "host" | "swarm"> {
  readonly place: JobPlace;
  readonly after: List<Resource>;
}

/**
 * What every topology on engines of one's own does alike: providers, the stack's identity, the edge, the order of
 * things, jobs. A subclass says how a container, a disk and a job run. Names of what is made begin with the component's
 * own.
 */
export abstract class BaseTopology extends ComponentResource implements Topology {
  abstract readonly capabilities: Capabilities;
  readonly services: Services = containerServices;
  readonly site: Site;
  readonly passwords: Output<string>[];
  readonly options: ComponentResourceOptions;
  /** The owner of everything: the id of the stack's identity in the state. */
  protected readonly owner: Output<string>;
  /** The component's own name, with which those of its children begin. */
  protected readonly name: string;
  /** Options of what is made after the survey and the identity. */
  protected readonly under: CustomResourceOptions;
  protected readonly ops: ProviderResource;
  protected readonly random: ProviderResource;
  /** The disks behind a gate, by the slot: a job that ran once for a disk runs again for another. */
  protected readonly disks = new Map<Resource, Dict<Output<string>>>();
  readonly #tls: Tls;
  readonly #certificate: Certificate | undefined;
  /** The component that has each name in the admitted plans. */
  readonly #owners = new Map<string, string>();
  #system: string | undefined;
  #edge: Ready = { ready: [] };

  protected constructor(name: string, args: BaseArgs, opts: ComponentResourceOptions) {
    const { type, topology, site, tls, survey, further = {} } = args;
    // No inputs: they would be stored in the state. Nothing is made before the survey is.
    super(`platform-topologies:index:${type}`, name, {}, mergeOptions(opts, { dependsOn: survey.settled }));
    this.name = name;
    this.site = site;
    this.passwords = Object.values(site.secrets);
    this.#tls = tls;
    const first = mergeOptions(opts.dependsOn ? { dependsOn: opts.dependsOn } : {}, {
      parent: this,
      dependsOn: survey.settled,
    });
    // Every provider is a process of its own: the caller's is taken, if there is one.
    this.ops = this.getProvider("platform-topologies:index:StackIdentity") ?? new OpsProvider(`${name}-ops`, first);
    const identity = identityFor(name, topology, site, survey, { ...first, provider: this.ops }, further);
    this.owner = identity.id;
    this.under = mergeOptions(first, { dependsOn: identity });
    this.random = this.getProvider(randomType) ?? new random.Provider(`${name}-random`, {}, this.under);
    this.options = {
      providers: { "platform-topologies": this.ops, random: this.random },
      dependsOn: identity,
    };
    if (signsItself(tls)) {
      const hostnames = [site.hostname, `*.${site.hostname}`];
      this.#certificate = new Certificate(`${name}-edge`, { hostnames }, { ...this.under, provider: this.ops });
      this.passwords.push(this.#certificate.key);
    }
  }

  get ca(): Output<string> | undefined {
    return edgeAuthority(this.#tls) ?? this.#certificate?.caCert;
  }

  /** Finds what is wrong with this topology's own arguments and a plan together. Pure. */
  protected abstract check(plan: Plan): List<Problem>;
  /** Where the replicas behind a route answer. */
  protected abstract backends(route: PlannedRoute): Backends;
  /** Runs the proxy, with its ports published. */
  protected abstract edge(proxy: Workload, at: At): Ready;
  protected abstract jobRun(job: Omit<Job, "trigger">): JobRun;
  /** A resource that goes only with the whole stack. */
  protected abstract readonly last: Resource | undefined;
  abstract workload(name: string, workload: Workload, at: At): Ready;
  abstract slot(name: string, slot: Slot, at: At): Ready;

  admit(owner: string, plan: Plan, what: "system" | "service"): void {
    const names = [
      ...[...plan.workloads].flatMap(([name, workload]) => [name, ...replicaNames(name, workload)]),
      ...plan.slots.keys(),
      ...plan.jobs.keys(),
      ...(routesOf(plan).length > 0 ? ["edge"] : []),
    ];
    // What the site says of others' disks and stores is no mistake of a service alone.
    const { disks, data, existing } = this.site;
    const its = {
      disks: only(disks, ...plan.slots.keys()),
      data: only(data, owner),
      existing: only(existing, owner),
    };
    const site = what === "system" ? this.site : { ...this.site, ...its };
    const { capabilities } = this;
    refuse([...check(plan, { site, capabilities }), ...this.check(plan), ...this.#taken(owner, what, names)]);
    for (const name of names) this.#owners.set(name, owner);
    if (what === "system") this.#system = owner;
  }

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

  /** The edge comes first: stores with a public name are called through it. */
  open(plan: Plan, { parent, logicalName }: At): void {
    const routes = routesOf(plan);
    if (routes.length === 0) return;
    const { site, capabilities } = this;
    const proxy = edgeProxy(plan.edge, {
      site,
      engine: capabilities.engine ?? "docker",
      routes,
      tls: edgeTls(this.#tls, site, routes, this.#certificate),
      backends: this.backends.bind(this),
    });
    this.#edge = this.edge(proxy, { parent, logicalName: `${logicalName}-edge` });
  }

  /** Does nothing: each thing is whole when it is made. */
  close(): void {
    // a balancer that needs its backends first would be made here
  }

  job(name: string, job: Job, { parent, logicalName }: At): Ready {
    const { place, after, ...run } = this.jobRun(job);
    const before = this.after(job);
    const disks = Object.assign({}, ...before.map((each) => this.disks.get(each))) as Dict<Output<string>>;
    const made = new OpsJob(
      logicalName,
      { ...jobArgs(this.site, place, name, job, this.passwords), ...run, trigger: job.trigger, disks },
      { parent, dependsOn: [...before, ...after], ...jobIgnores(job) },
    );
    this.disks.set(made, disks);
    return { ready: [made] };
  }

  /** What a container waits for. */
  protected after({ after = [], callsEdge, routes = [] }: Container): Resource[] {
    return [
      ...after.flatMap(({ ready }) => ready),
      ...(callsEdge === true || routes.length > 0 ? this.#edge.ready : []),
    ];
  }

  /** A job for when a member goes for good. It does not run when the whole stack goes, whose network goes with it. */
  protected finalizer(
    name: string,
    job: Slot["leave"],
    { parent, logicalName }: At,
    dependsOn: List<Resource>,
  ): Resource[] {
    if (job === undefined) return [];
    const { place, host, swarm } = this.jobRun(job);
    const args = jobArgs(this.site, place, name, job, this.passwords);
    const { last } = this;
    return [
      new Finalizer(
        logicalName,
        { host, job: { ...args, ...(swarm === undefined ? {} : { swarm }) } },
        { parent, dependsOn: [...dependsOn], ...(last ? { deletedWith: last } : {}) },
      ),
    ];
  }
}

function only<T>(dict: Dict<T>, ...names: List<string>): Dict<T> {
  return Object.fromEntries(Object.entries(dict).filter(([name]) => names.includes(name)));
}

/** The same place in the program, for a part of a thing. */
export function part({ parent, logicalName }: At, suffix: string): At {
  return { parent, logicalName: `${logicalName}-${suffix}` };
}
