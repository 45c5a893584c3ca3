import { createHash } from "node:crypto";

import {
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  type Output,
  output,
  type Resource,
} from "@pulumi/pulumi";
import { ServiceLinkedRole } from "@pulumi/aws/iam/serviceLinkedRole.js";
import { Provider } from "@pulumi/aws/provider.js";
import type { z } from "zod";

import { type AwsAccess, StackIdentity } from "../../../ops/resources.ts";
import type { Ask, Dict, Given, Job, Kind, List, Ready, Slot, Workload } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { imageOf } from "../../core/images.ts";
import { parse } from "../../core/parse.ts";
import { type Plan, replicaNames, routesOf } from "../../core/plan.ts";
import type { At, Capabilities, Managed, OwnTopology, Services, Site } from "../../core/topology.ts";
import { BaseTopology, type JobAgain, type JobHere, part } from "../base.ts";
import { entry } from "../containers.ts";
import { namesOf } from "../tls.ts";
import { zoneOf } from "./addresses.ts";
import { Alarms } from "./alarms.ts";
import { Balancer, type Targets } from "./balancer.ts";
import { awsWith, onMachine } from "./capabilities.ts";
import { certificateFor, servedBy, watchCertificate } from "./certificate.ts";
import { checkAws, type Checked, swarms } from "./check.ts";
import { awsArgs, type AwsTls } from "./config.ts";
import { makeKey } from "./key.ts";
import { makeLogs } from "./logs.ts";
import { classOf, type MachineWish, runMachine, type RunningMachine } from "./machines.ts";
import { makeSearch } from "./managed/elasticsearch.ts";
import { makeObjects } from "./managed/objects.ts";
import { makeOidc } from "./managed/oidc.ts";
import { makePostgres } from "./managed/postgres.ts";
import { makeRedis } from "./managed/redis.ts";
import { makeSwarm } from "./managed/swarm.ts";
import { awsManaged, awsServices } from "./managed.ts";
import { Names } from "./names.ts";
import { Network } from "./network.ts";
import { allow } from "./policy.ts";
import { makeProxyEdge } from "./proxy-edge.ts";
import type { Region } from "./region.ts";
import { runService } from "./services.ts";
import { makeSnapshots } from "./snapshots.ts";
import { Tasks } from "./tasks.ts";

/** `account`, `region`, `zones` and what else `aws` has in a stack's config, with the same defaults. */
export interface AwsRegionArgs extends z.input<typeof awsArgs> {
  /** The stack that is made here. */
  readonly site: Site;
  /** Who signs the edge's certificate. A change replaces it, and no store. */
  readonly tls: AwsTls;
}

/** What makes each kind that AWS has itself. A further one is a file in `managed/` and a row here and in managed.ts. */
const makers: { readonly [K in Kind]?: (region: Region, name: string, ask: Ask<K>, at: At) => Given<K> } = {
  postgres: makePostgres,
  redis: makeRedis,
  elasticsearch: makeSearch,
  objects: makeObjects,
  oidc: makeOidc,
  swarm: makeSwarm,
};

/**
 * One region of AWS: a private network of the stack's own or one that is there already, tasks on Fargate, slots as groups of one, managed stores, and
 * a balancer, or our own proxies, as the edge.
 */
export class AwsRegion extends BaseTopology {
  /** What it can do, without a question to anybody. */
  readonly capabilities: Capabilities;
  /** What AWS has itself, and for what it is fit. */
  readonly managed: Managed = awsManaged;
  /** The components that supply each kind here. */
  override readonly services: Services = awsServices;
  readonly #args: Checked;
  readonly #aws: Provider;
  readonly #region: Region;
  readonly #tasks: Tasks;
  readonly #names: Names;
  #balancer: Balancer | undefined;
  #ca: Output<string> | undefined;
  /** What the public names lead to. */
  #edge: Input<string> | undefined;

  /**
   * One that a system makes as its own child.
   * @throws ConfigError with everything in `args` that AWS does not take.
   */
  static own(args: AwsRegionArgs): OwnTopology {
    const { site, tls } = args;
    const asked: Checked = { ...parse(awsArgs, args), tls };
    return {
      ...{ site, capabilities: awsWith(asked), services: awsServices, managed: awsManaged },
      check: (plan) => checkAws(asked, site, plan).problems,
      make: (name, opts) => new AwsRegion(name, args, opts),
    };
  }

  /** @throws ConfigError with everything in `args` that AWS does not take. */
  constructor(name: string, args: AwsRegionArgs, opts: ComponentResourceOptions = {}) {
    const { site, tls } = args;
    const asked: Checked = { ...parse(awsArgs, args), tls };
    const { account, region, zones, cidr, profile, role, nat, logDays, edge, kmsKey, vpc } = asked;
    const at: AwsAccess = {
      region,
      ...(profile === undefined ? {} : { profile }),
      ...(role === undefined ? {} : { roleArn: role }),
    };
    const identity = (options: CustomResourceOptions): StackIdentity =>
      new StackIdentity(
        `${name}-identity`,
        {
          ...{ topology: "aws", name: site.name, engine: `${account}/${region}` },
          // An importer's program has no preflight: whose credentials these are is asked before anything is made.
          account: { number: account, at },
          ...(site.system === undefined ? {} : { system: site.system }),
        },
        options,
      );
    super(name, { type: "AwsRegion", site, identity }, opts);
    this.#args = asked;
    this.capabilities = awsWith(asked);
    this.#aws = new Provider(
      `${name}-aws`,
      {
        region,
        ...(profile === undefined ? {} : { profile }),
        ...(role === undefined ? {} : { assumeRoles: [{ roleArn: role }] }),
        // A preview needs no credentials. `up` asks AWS for the account's number before anything is made.
        ...{ skipCredentialsValidation: true, skipRequestingAccountId: true, skipMetadataApiCheck: true },
        defaultTags: { tags: { stack: site.name } },
        // A machine's agent leaves it on a disk; without it the disk would pass for a new one.
        ignoreTags: { keys: ["slot-made"] },
      },
      this.under,
    );
    const under = (parent: Resource = this): CustomResourceOptions => ({
      ...(parent === this ? this.under : {}),
      parent,
      provider: this.#aws,
    });
    const ways = site.protect ? "each-zone" : "one";
    const network = new Network(
      name,
      {
        ...{ domain: `${site.name}.internal`, region, zones, cidr, nat: nat ?? ways, endpoints: ways },
        ...{ proxied: edge === "proxy", adopted: vpc },
      },
      under(),
    );
    const logs = makeLogs({ name, site: site.name, account, region, days: logDays, vpc: network.vpc }, under());
    const key = kmsKey === "create" ? makeKey(name, site, { account, region }, under()).arn : kmsKey;
    const alarms = new Alarms(name, { email: asked.alarmEmail, key }, under());
    const search = { awsServiceName: "opensearchservice.amazonaws.com" };
    const searchReady = asked.searchRole
      ? [new ServiceLinkedRole(`${name}-search`, search, { ...under(), retainOnDelete: true })]
      : [];
    this.#region = {
      ...asked,
      ...{ name, site, key, network, logs, alarms, at, under, searchReady, nodes: this.nodes },
      images: pulls(account, region),
    };
    this.#tasks = new Tasks(this.#region);
    this.#names = new Names(this.#region);
    this.registerOutputs({});
  }

  /** What callers of the edge must trust, PEM; undefined: a public authority signed. */
  get ca(): Output<string> | undefined {
    return this.#ca;
  }

  /** The account, the region, the topic of alarms, and what the public names lead to. */
  get outputs(): Dict<unknown> {
    const { account, region } = this.#args;
    const { topic } = this.#region.alarms;
    const edge = this.#edge;
    return { account, region, alarms: topic, ...(edge === undefined ? {} : { edge }) };
  }

  protected check(plan: Plan): List<Problem> {
    return checkAws(this.#args, this.site, plan).problems;
  }

  protected get last(): Resource {
    return this.#tasks.cluster;
  }

  open(plan: Plan, { logicalName }: At): void {
    const { site } = this;
    if (site.protect && (plan.slots.size > 0 || swarms(plan).length > 0)) makeSnapshots(this.#region);
    const routes = routesOf(plan);
    if (routes.length === 0) return;
    const { tls, zoneId, edge } = this.#args;
    const names = namesOf(site, routes);
    const local = this.localCertificate.bind(this);
    const at = { parent: this, logicalName: `${logicalName}-edge` };
    if (edge === "proxy") {
      const { ca, ...served } = servedBy(this.#region, tls, names, zoneId, local);
      if (served.front !== undefined) watchCertificate(this.#region, tls.mode, served.front);
      const made = makeProxyEdge(this.#region, plan, served, (proxy, targets) => this.#proxies(proxy, targets, at), at);
      [this.#ca, this.#edge, this.edgeReady] = [ca, made.dnsName, made.ready];
      return;
    }
    const { arn, ca } = certificateFor(this.#region, tls, names, zoneId, local);
    watchCertificate(this.#region, tls.mode, arn);
    this.#balancer = new Balancer(this.#region, plan, arn, at);
    [this.#ca, this.#edge, this.edgeReady] = [ca, this.#balancer.dnsName, this.#balancer.ready];
  }

  #proxies(proxy: Workload, targets: Targets[], at: At): Ready {
    const parts = { region: this.#region, tasks: this.#tasks, names: this.#names, redact: [...this.passwords] };
    return runService("edge", proxy, at, [], { ...parts, targets, kind: "proxy", ops: this.ops });
  }

  /** The dashboard has to know every alarm. */
  close({ logicalName }: At): void {
    const { alarms, region, under } = this.#region;
    alarms.dashboard(`${logicalName}-alarms`, this.site.name, region, under());
  }

  /** Runs equal replicas without a disk. */
  workload(name: string, workload: Workload, at: At): Ready {
    const after = this.after(workload);
    const redact = [...this.passwords];
    if (!onMachine(workload))
      return runService(name, workload, at, after, {
        ...{ region: this.#region, tasks: this.#tasks, names: this.#names, redact },
        targets: this.#balancer?.targetsOf(name, workload) ?? [],
        ...(this.#args.edge === "proxy" && (workload.routes ?? []).length > 0 ? { remembered: briefly } : {}),
      });
    const { zones } = this.#args;
    const size = classOf(this.#region, name, workload);
    const made = replicaNames(name, workload).map((replica, index) => {
      const its = { parent: at.parent, logicalName: at.logicalName + replica.slice(name.length) };
      return this.#machine(replica, workload, its, { size, zone: zoneOf(zones, index), after });
    });
    this.#named(name, workload, made, at);
    return { ready: made.flatMap(({ ready }) => ready) };
  }

  /** Runs one process with a disk and a name of its own. */
  slot(name: string, slot: Slot, at: At): Ready {
    const before = this.finalizer(`${name}-left`, slot.left, part(at, "left"), this.after(slot));
    const made = this.#machine(name, slot, at, {
      size: classOf(this.#region, name, slot),
      zone: zoneOf(this.#args.zones, slot.zone),
      after: [...this.after(slot), ...before],
    });
    this.#named(name, slot, [made], at);
    if (made.disk !== undefined) this.onDisk(made.ready, slot, { [name]: made.disk });
    const finalizer = this.finalizer(`${name}-leave`, slot.leave, part(at, "leave"), made.ready);
    return { ready: [...made.ready, ...finalizer] };
  }

  /** What nobody calls has no address, and no name. */
  #named(name: string, { names = [] }: Slot | Workload, machines: List<RunningMachine>, at: At): void {
    const addresses = machines.flatMap(({ address }) => (address === undefined ? [] : [address]));
    if (addresses.length === 0) return;
    this.#names.ofAddresses(name, addresses, at);
    this.#names.aliases(names, name, at);
  }

  #machine(name: string, container: Slot | Workload, at: At, wish: Omit<MachineWish, "redact">): RunningMachine {
    const made = runMachine(this.#region, name, container, at, { ...wish, redact: [...this.passwords] });
    if (made.address !== undefined) this.#balancer?.joins(name, container, made.address, at);
    return made;
  }

  protected jobOf(name: string, job: Omit<Job, "trigger">, at: At, run?: JobAgain): JobHere {
    const task = this.#tasks.task(
      name,
      run === undefined ? job : { ...job, env: { ...job.env, ...again(run) } },
      at,
      "job",
    );
    const { entrypoints, command = [] } = entry(job);
    return {
      args: {
        name: `${this.site.name}-${name}`,
        image: imageOf(this.site, job.image).ref,
        ...(entrypoints ? { entrypoint: entrypoints } : {}),
        command,
        seconds: job.seconds,
        redact: [...this.passwords],
        ecs: {
          at: this.#region.at,
          cluster: this.#tasks.cluster.name,
          taskDefinition: task.definition,
          container: name,
          ...task.place,
          logGroup: task.logGroup,
        },
      },
      after: task.needs,
    };
  }

  /** Makes what AWS has itself for a kind. */
  supply<K extends Kind>(kind: K, name: string, ask: Ask<K>, at: At): Given<K> {
    const make = makers[kind];
    if (make === undefined) throw new Error(`aws has no ${kind} of its own`);
    const given = make(this.#region, name, ask, at);
    if ("address" in given) this.#edge = given.address; // of the balancer before a swarm's own edge
    return given;
  }
}

/** Seconds for which our own proxies remember a replica's address: it may stop as soon as another is well. */
const briefly = 2;

/** ECS lists a task that has ended for an hour, and it must not pass for the next run: that has another definition. */
function again(run: JobAgain): Dict<Output<string>> {
  const hash = output(run).apply((values) => createHash("sha256").update(JSON.stringify(values)).digest("hex"));
  return { PLATFORM_TOPOLOGIES_RUN: hash.apply((text) => text.slice(0, 16)) };
}

/** What a task or a machine may pull: the account's own registry. Others need a login that is the image's own affair. */
function pulls(account: string, region: string): object[] {
  return [
    allow(["ecr:GetAuthorizationToken"], "*"),
    allow(
      ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      `arn:aws:ecr:${region}:${account}:repository/*`,
    ),
  ];
}
