import { type ComponentResourceOptions, type Output, type Resource } from "@pulumi/pulumi";

import type { Certificate, JobArgs } from "../../ops/resources.ts";
import type { Dict, Job, List, Ready, Workload } from "../core/contracts.ts";
import { formerNames } from "../core/known.ts";
import { type Plan, type PlannedRoute, routesOf } from "../core/plan.ts";
import { copied } from "../core/supply.ts";
import type { At, Site, TopologyName } from "../core/topology.ts";
import { edgeProxy } from "../edge/edge.ts";
import type { Backends } from "../edge/proxy.ts";
import { BaseTopology, type JobHere } from "./base.ts";
import { identityFor } from "./identity.ts";
import { jobArgs, type JobPlace } from "./job.ts";
import type { Survey } from "./survey.ts";
import { edgeAuthority, edgeTls, signsItself, type Tls } from "./tls.ts";

export interface EngineArgs {
  /** The name in its type token. */
  readonly type: string;
  readonly topology: TopologyName;
  readonly site: Site;
  readonly tls: Tls;
  readonly survey: Survey;
  /** The surveys of further engines, by the config's name for each. */
  readonly further?: Dict<Survey>;
}

/** On which engine a job runs, and what it waits for besides its own `after`. */
export interface JobRun extends Pick<JobArgs, "host" | "swarm"> {
  readonly place: JobPlace;
  readonly after: readonly Resource[];
}

/** What every topology on engines of one's own does alike: a survey before anything is made, and a proxy as its edge. */
export abstract class EngineTopology extends BaseTopology {
  readonly #tls: Tls;
  readonly #surveys: List<Survey>;
  readonly #certificate: Certificate | undefined;

  protected constructor(name: string, args: EngineArgs, opts: ComponentResourceOptions) {
    const { type, topology, site, tls, survey, further = {} } = args;
    const identity = identityFor.bind(undefined, name, topology, site, survey, further);
    super(name, { type, site, before: survey.settled, identity }, opts);
    this.#tls = tls;
    this.#surveys = [survey, ...Object.values(further)];
    for (const former of formerNames(opts.aliases)) this.called(former, name);
    this.#certificate = signsItself(tls) ? this.localCertificate() : undefined;
  }

  /**
   * Lets a plan in, before anything of it is registered. `owner`: the component's name; `former`: those that it had before.
   * @throws ConfigError with everything that this place cannot run, with names that another component has here, and for
   * a second system.
   */
  override admit(owner: string, plan: Plan, what: "system" | "service", former: List<string> = []): void {
    super.admit(owner, plan, what, former);
    const stores = plan.needs.filter(({ kind }) => copied.has(kind)).map(({ name }) => name);
    for (const survey of this.#surveys) survey.stores(stores);
  }

  protected override called(former: string, name: string): void {
    for (const survey of this.#surveys) survey.was(former, name);
  }

  /** The authority that callers of the edge have to trust, as PEM; undefined where a public one has signed. */
  get ca(): Output<string> | undefined {
    return edgeAuthority(this.#tls) ?? this.#certificate?.caCert;
  }

  /** Where the replicas behind a route answer. */
  protected abstract backends(route: PlannedRoute): Backends;
  /** Runs the proxy, with its ports published. */
  protected abstract edge(proxy: Workload, at: At): Ready;
  protected abstract jobRun(job: Omit<Job, "trigger">): JobRun;

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
    this.edgeReady = this.edge(proxy, { parent, logicalName: `${logicalName}-edge` }).ready;
  }

  /** Does nothing: each thing is whole when it is made. */
  close(): void {
    // nothing is left to do
  }

  protected jobOf(name: string, job: Omit<Job, "trigger">): JobHere {
    const { place, after, ...run } = this.jobRun(job);
    return { args: { ...jobArgs(this.site, place, name, job, this.passwords), ...run }, after };
  }
}
