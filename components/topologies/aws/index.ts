import { createHash } from "node:crypto";

import {
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  type Output,
  output,
  type Resource,
} from "@pulumi/pulumi";
import { Provider } from "@pulumi/aws/provider.js";
import type { z } from "zod";

import { type AwsAccess, StackIdentity } from "../../../ops/resources.ts";
import type { Ask, Dict, Given, Job, Kind, List, Ready, Slot, Workload } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { imageOf } from "../../core/images.ts";
import { parse } from "../../core/parse.ts";
import { type Plan, replicaNames, routesOf } from "../../core/plan.ts";
import type { At, Capabilities, Managed, Services, Site } from "../../core/topology.ts";
import { BaseTopology, type JobAgain, type JobHere, part } from "../base.ts";
import { entry } from "../containers.ts";
import { namesOf } from "../tls.ts";
import { zoneOf } from "./addresses.ts";
import { Alarms } from "./alarms.ts";
import { Balancer } from "./balancer.ts";
import { awsCapabilities, onMachine } from "./capabilities.ts";
import { type AwsTls, certificateFor, type Signed, watchCertificate } from "./certificate.ts";
import { checkAws, type Checked, swarms } from "./check.ts";
import { awsArgs } from "./config.ts";
import { makeKey } from "./key.ts";
import { makeLogs } from "./logs.ts";
import { runMachine, type RunningMachine } from "./machines.ts";
import { makeObjects } from "./managed/objects.ts";
import { makeOidc } from "./managed/oidc.ts";
import { makePostgres } from "./managed/postgres.ts";
import { makeRedis } from "./managed/redis.ts";
import { makeSwarm } from "./managed/swarm.ts";
import { awsManaged, awsServices } from "./managed.ts";
import { Names } from "./names.ts";
import { Network } from "./network.ts";
import { allow } from "./policy.ts";
import type { Region } from "./region.ts";
import { runService } from "./services.ts";
import { makeSnapshots } from "./snapshots.ts";
import { Tasks } from "./tasks.ts";

/** `account`, `region`, `zones` and what else `aws` has in a stack's config, with the same defaults. */
export interface AwsRegionArgs extends z.input<typeof awsArgs> {
  readonly site: Site;
  readonly tls: AwsTls;
}

/** What makes each kind that AWS has itself. A further one is a file in `managed/` and a row here and in managed.ts. */
const makers: { readonly [K in Kind]?: (region: Region, name: string, ask: Ask<K>, at: At) => Given<K> } = {
  postgres: makePostgres,
  redis: makeRedis,
  objects: makeObjects,
  oidc: makeOidc,
  swarm: makeSwarm,
};

/**
 * One region of AWS: a private network of the stack's own, tasks on Fargate, slots as groups of one, managed stores, and
 * a balancer as the edge.
 */
export class AwsRegion extends BaseTopology {
  readonly capabilities: Capabilities = awsCapabilities;
  readonly managed: Managed = awsManaged;
  override readonly services: Services = awsServices;
  readonly #args: Checked;
  readonly #aws: Provider;
  readonly #region: Region;
  readonly #tasks: Tasks;
  readonly #names: Names;
  #balancer: Balancer | undefined;
  #signed: Signed | undefined;
  /** The balancer before a swarm's own edge. */
  #passedOn: Input<string> | undefined;

  /** @throws ConfigError with everything in `args` that AWS does not take. */
  constructor(name: string, args: AwsRegionArgs, opts: ComponentResourceOptions = {}) {
    const { site, tls } = args;
    const asked: Checked = { ...parse(awsArgs, args), tls };
    const { account, region, zones, cidr, profile, role, nat, classes, logDays, zoneId, kmsKey } = asked;
    const identity = (options: CustomResourceOptions): StackIdentity =>
      new StackIdentity(
        `${name}-identity`,
        {
          ...{ topology: "aws", name: site.name, engine: `${account}/${region}` },
          ...(site.system === undefined ? {} : { system: site.system }),
        },
        options,
      );
    super(name, { type: "AwsRegion", site, identity }, opts);
    this.#args = asked;
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
    const at: AwsAccess = {
      region,
      ...(profile === undefined ? {} : { profile }),
      ...(role === undefined ? {} : { roleArn: role }),
    };
    const ways = site.protect ? "each-zone" : "one";
    const network = new Network(
      name,
      { domain: `${site.name}.internal`, region, zones, cidr, nat: nat ?? ways, endpoints: ways },
      under(),
    );
    const logs = makeLogs({ name, site: site.name, account, region, days: logDays, vpc: network.vpc }, under());
    const key = kmsKey === "create" ? makeKey(name, site, { account, region }, under()).arn : kmsKey;
    const alarms = new Alarms(name, { email: asked.alarmEmail, key }, under());
    this.#region = {
      ...{ name, site, account, region, zones, logDays, zoneId, classes, key, network, logs, alarms, at, under },
      images: pulls(account, region),
    };
    this.#tasks = new Tasks(this.#region);
    this.#names = new Names(this.#region);
    this.registerOutputs({});
  }

  get ca(): Output<string> | undefined {
    return this.#signed?.ca;
  }

  get outputs(): Dict<unknown> {
    const { account, region } = this.#args;
    const { topic } = this.#region.alarms;
    const edge = this.#balancer?.dnsName ?? this.#passedOn;
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
    const { tls, zoneId, firewall } = this.#args;
    const local = this.localCertificate.bind(this);
    this.#signed = certificateFor(this.#region, tls, namesOf(site, routes), zoneId, local);
    const at = { parent: this, logicalName: `${logicalName}-edge` };
    watchCertificate(this.#region, tls.mode, this.#signed.arn);
    this.#balancer = new Balancer(this.#region, plan, this.#signed.arn, firewall, at);
    this.edgeReady = this.#balancer.ready;
  }

  /** The dashboard has to know every alarm. */
  close({ logicalName }: At): void {
    const { alarms, region, under } = this.#region;
    alarms.dashboard(`${logicalName}-alarms`, this.site.name, region, under());
  }

  workload(name: string, workload: Workload, at: At): Ready {
    const after = this.after(workload);
    const redact = [...this.passwords];
    if (!onMachine(workload))
      return runService(name, workload, at, after, {
        ...{ region: this.#region, tasks: this.#tasks, names: this.#names, balancer: this.#balancer, redact },
      });
    const made = replicaNames(name, workload).map((replica, index) => {
      const its = { parent: at.parent, logicalName: at.logicalName + replica.slice(name.length) };
      return this.#machine(replica, workload, its, index, after);
    });
    this.#names.ofAddresses(
      name,
      made.map(({ address }) => address),
      at,
    );
    this.#names.aliases(workload.names ?? [], name, at);
    return { ready: made.flatMap(({ ready }) => ready) };
  }

  slot(name: string, slot: Slot, at: At): Ready {
    const before = this.finalizer(`${name}-left`, slot.left, part(at, "left"), this.after(slot));
    const made = this.#machine(name, slot, at, slot.zone, [...this.after(slot), ...before]);
    this.#names.ofAddresses(name, [made.address], at);
    this.#names.aliases(slot.names ?? [], name, at);
    const { alone = false } = slot;
    if (alone && made.disk !== undefined) for (const gate of made.ready) this.disks.set(gate, { [name]: made.disk });
    const finalizer = this.finalizer(`${name}-leave`, slot.leave, part(at, "leave"), made.ready);
    return { ready: [...made.ready, ...finalizer] };
  }

  #machine(
    name: string,
    container: Slot | Workload,
    at: At,
    zone: number | undefined,
    after: Resource[],
  ): RunningMachine {
    const { zones } = this.#args;
    const made = runMachine(this.#region, name, container, at, {
      zone: zoneOf(zones, zone),
      after,
      redact: [...this.passwords],
    });
    this.#balancer?.joins(name, container, made.address, at);
    return made;
  }

  protected jobOf(name: string, job: Omit<Job, "trigger">, at: At, run?: JobAgain): JobHere {
    const { network } = this.#region;
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
          subnets: network.subnets(task.tier),
          securityGroups: [network.group(task.tier)],
          logGroup: task.logGroup,
        },
      },
      after: task.needs,
    };
  }

  supply<K extends Kind>(kind: K, name: string, ask: Ask<K>, at: At): Given<K> {
    const make = makers[kind];
    if (make === undefined) throw new Error(`aws has no ${kind} of its own`);
    const given = make(this.#region, name, ask, at);
    if ("address" in given) this.#passedOn = given.address;
    return given;
  }
}

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
