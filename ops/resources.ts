/**
 * What programs import: the resources of the `ops` provider. Each needs an `OpsProvider` where defaults are disabled.
 * `host` says where the work is done, so another one is no difference in a preview.
 */
import * as pulumi from "@pulumi/pulumi";

import { hide, redacting } from "./hidden.ts";
import type { AwsAccess, EcsFinalizerArgs, EcsJobArgs } from "./resources-aws.ts";

export * from "./resources-aws.ts";
export * from "./resources-swarm.ts";

type Input<T> = pulumi.Input<T>;

/** The provider, found by the path that Pulumi.yaml names under `plugins.providers`. */
export class OpsProvider extends pulumi.ProviderResource {
  constructor(name: string, opts?: pulumi.ResourceOptions) {
    super("platform-topologies", name, {}, opts);
  }
}

export interface StackIdentityArgs {
  /** The platform; unset if a program uses services alone. */
  readonly system?: Input<string> | undefined;
  readonly topology: Input<string>;
  /** The stack's own name, with which the names of its things begin. */
  readonly name: Input<string>;
  /** The id of the engine, or the swarm, that has the stack's things. A change is noted. */
  readonly engine?: Input<string | undefined>;
  /** The ids of further engines, by the config's name for each machine. A change is noted. */
  readonly machines?: Input<Readonly<Record<string, string>>>;
  /** How often each thing had to be made again. A change is noted. */
  readonly rounds?: Input<Readonly<Record<string, number>>>;
  /** The operator's last words for disks. A change is noted. */
  readonly words?: Input<Readonly<Record<string, string>>>;
  /** The AWS account that it has to be made in: credentials of another one are refused. A change is not looked at. */
  readonly account?: Input<{ readonly number: string; readonly at: AwsAccess }>;
}

/**
 * Says once what a stack is on one topology. It refuses any change of system, topology or name, in a preview too, and
 * says how to move instead. That run is sure to leave a resource alone only if it depends on the identity. The
 * identity's id is the owner that is written on everything that the stack makes: another state, even of the same name,
 * has another id.
 */
export class StackIdentity extends pulumi.CustomResource {
  constructor(name: string, args: StackIdentityArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:StackIdentity", name, { ...args, owner: undefined }, opts);
  }
}

export interface VolumeArgs {
  readonly host: Input<string>;
  /** Unique on the engine. A change is refused. */
  readonly name: Input<string>;
  /** The disk's id, which is in the state before the volume is made. A change makes a new, empty volume. */
  readonly disk: Input<string>;
  /** The operator's word for this disk, for the next run. */
  readonly word: Input<string>;
  /** Its data are elsewhere, too: it may go if the program does not name it any more. Default false. */
  readonly spare?: Input<boolean>;
  /** The labels of a new volume. Later changes are ignored, as an engine cannot change labels. */
  readonly labels: Input<Readonly<Record<string, Input<string>>>>;
  /** Default `local`. Later changes are ignored. */
  readonly driver?: Input<string>;
  readonly driverOptions?: Input<Readonly<Record<string, Input<string>>>>;
  /**
   * Leaves a file on the new volume, once: a server that does not find it has lost its data. `image`: the id of the
   * server's own image. `path`: where the server has the disk. The engine fills the volume from that folder of the
   * image.
   */
  readonly marker?: { readonly image: Input<string>; readonly path: string; readonly file: string };
}

/**
 * A volume of one engine. If a volume of that name is another disk, it throws and takes nothing. A volume that is gone
 * from the engine stays in the state. A delete removes this disk alone.
 */
export class Volume extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly disk: pulumi.Output<string>;

  constructor(name: string, args: VolumeArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:Volume", name, { ...args }, opts);
  }
}

export interface GateArgs {
  /** The engine: `unix:///path`, `tcp://host:port` or `ssh://user@host[:port]`. */
  readonly host: Input<string>;
  /**
   * The container's id. A change replaces the gate, which waits anew; a change of another property waits for nothing.
   */
  readonly container: Input<string>;
  /** The container's name in messages. */
  readonly name: Input<string>;
  /** How long the container may take. */
  readonly seconds: Input<number>;
  /** Values of four characters or more that errors show as `[secret]`; stored encrypted. */
  readonly redact?: Input<readonly Input<string>[]>;
}

/**
 * Done when the container is healthy, or has run for two seconds if it has no health check. Throws as soon as the
 * container has ended for good, has been restarted three times, is unhealthy or gone, or at the end of `seconds`. The
 * error has the last 20 log lines and the last health check's output. An old verdict does not count: a container that
 * was unhealthy or in a restart loop before has one more probe or start to prove itself. Deleting the gate does
 * nothing.
 */
export class Gate extends pulumi.CustomResource {
  constructor(name: string, args: GateArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:Gate", name, redacting(args), hide(opts, "redact"));
  }
}

export interface JobFile {
  /** Absolute; missing folders are made for root with mode 0755. */
  readonly path: string;
  readonly content: Input<string>;
  /** Default 0o444. */
  readonly mode?: number;
  /** Stores the content encrypted and takes it out of errors. Not needed for a content that is a secret already. */
  readonly secret?: boolean;
}

export interface JobArgs {
  /** The engine: `unix:///path`, `tcp://host:port` or `ssh://user@host[:port]`. */
  readonly host: Input<string>;
  /** The container's name, also in messages. By it an interrupted run is found again. */
  readonly name: Input<string>;
  /** On an engine the image's id there; on a swarm its reference, which the node pulls. A change reruns the job. */
  readonly image: Input<string>;
  /** On an engine: the reference behind the id, to pull it again when somebody has pruned it. A change is not noted. */
  readonly ref?: Input<string>;
  /** On an engine: registries for which `docker login` here has credentials. A change is not noted. Default: none. */
  readonly registries?: readonly string[];
  /** A change reruns the job. */
  readonly command: Input<readonly Input<string>[]>;
  /** Default: the image's. A change reruns the job. */
  readonly entrypoint?: Input<readonly Input<string>[]>;
  readonly env?: Input<Readonly<Record<string, Input<string>>>>;
  /** `docker inspect` shows it: only for images that cannot read secrets from files. */
  readonly secretEnv?: Input<Readonly<Record<string, Input<string>>>>;
  readonly files?: readonly JobFile[];
  /** Names or ids, all joined before the start; on a swarm overlay networks' ids. None: no network at all. */
  readonly networks: Input<readonly Input<string>[]>;
  /** Default: the image's. */
  readonly user?: Input<string>;
  /** Default: no limit. */
  readonly memoryMib?: Input<number>;
  /** Shared memory (/dev/shm) at most; what is used counts as memory. Default: Docker's 64. */
  readonly shmMib?: Input<number>;
  /** In cores. Default: no limit. */
  readonly cpu?: Input<number>;
  /** How long the job may run. An `up` that takes an interrupted run over counts anew. */
  readonly seconds: Input<number>;
  /** A change reruns the job, as the version to which it migrates. */
  readonly trigger: Input<string>;
  /** The disks that it works on, by the slot. Another disk of a slot reruns the job; one more or less does not. */
  readonly disks?: Input<Readonly<Record<string, Input<string>>>>;
  readonly labels?: Input<Readonly<Record<string, Input<string>>>>;
  /** Further values of four characters or more that errors show as `[secret]`; stored encrypted. */
  readonly redact?: Input<readonly Input<string>[]>;
  readonly mounts?: Input<readonly JobMount[]>;
  /** Runs the job on any node of the swarm of which `host` is a manager. */
  readonly swarm?: JobSwarm;
}

export interface JobMount {
  /** A volume's name, or the absolute path of a folder of the engine's host. */
  readonly source: Input<string>;
  readonly path: Input<string>;
  /** The driver of a volume that has to be made. Default `local`. */
  readonly driver?: Input<string>;
  readonly driverOptions?: Input<Readonly<Record<string, Input<string>>>>;
  /** The labels of a volume that has to be made. */
  readonly labels?: Input<Readonly<Record<string, Input<string>>>>;
}

export interface JobSwarm {
  /** As for `docker service create --constraint`, as `node.role==worker`. */
  readonly constraints?: Input<readonly Input<string>[]>;
  /** Registries for which the nodes need the credentials of `docker login` on this machine. Default: none. */
  readonly registries?: readonly string[];
}

/**
 * Runs a container to its end, without capabilities, and removes it. Throws the exit code and the last 30 log lines if
 * the code is not 0, and at the end of `seconds`. A change of `trigger`, `image`, `command` or `entrypoint`, or another
 * disk, reruns the job; any other change is only noted for the next run. After a cancelled or killed `up` the container
 * goes on. The next `up` waits for that one if it is still what is asked for.
 *
 * With `swarm` the job is a service of that name in mode replicated-job: one task, never restarted, its files secrets
 * (`secret`) and configs, all removed whatever the outcome. Throws as well if no node can take the task for 20 s, or if
 * the node cannot get the image.
 *
 * With `ecs` the job is a task on Fargate. While AWS has no capacity, or does not know a new role yet, it is started
 * again, for `seconds` at most. Throws as well if the task cannot start, with the reason that ECS gives. A delete stops
 * a task that still runs.
 */
export class Job extends pulumi.CustomResource {
  constructor(name: string, args: JobArgs | EcsJobArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:Job", name, sealed(args), hide(opts, "secretEnv", "redact"));
  }
}

export interface FinalizerArgs {
  /** The engine, or a swarm's managers. The latest value counts, even if the rest was stored with an older one. */
  readonly host: Input<string>;
  /** The job that runs at the delete. Any change is only noted. */
  readonly job: Omit<JobArgs, "host" | "trigger">;
}

/**
 * Runs a job when the finalizer is *deleted*, and never before. If the finalizer depends on a member, the job runs
 * before that member leaves; if the member depends on the finalizer, the job runs afterwards. A failed job fails the
 * `up`, and the next `up` tries again: until the job has ended well, nothing is deleted that the finalizer depends on.
 * An update or a replacement of that does not run the job. `destroy` skips the job if `deletedWith` in the options
 * names something that goes only with the whole stack.
 */
export class Finalizer extends pulumi.CustomResource {
  constructor(name: string, args: FinalizerArgs | EcsFinalizerArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:Finalizer", name, { ...args, job: sealed(args.job) }, opts);
  }
}

export interface OrphansArgs {
  /** The engine, or a swarm's managers. */
  readonly host: Input<string>;
  /** The network's id. */
  readonly network: Input<string>;
  /** The label that they carry, `key=value`. */
  readonly label: Input<string>;
}

/**
 * The containers and services that programs of the stack start themselves in one of its networks. Deleting this
 * resource removes them, so that the network can go. A program that starts some joins the network by `network`: so it
 * is deleted before.
 */
export class Orphans extends pulumi.CustomResource {
  /** The network's id, for those who start containers in it. */
  declare readonly network: pulumi.Output<string>;

  constructor(name: string, args: OrphansArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:Orphans", name, { ...args }, opts);
  }
}

function sealed<A extends Pick<JobArgs, "secretEnv" | "redact" | "files">>(args: A): A {
  return {
    ...redacting(args),
    secretEnv: args.secretEnv && pulumi.secret(args.secretEnv),
    files: args.files?.map((file) => (file.secret ? { ...file, content: pulumi.secret(file.content) } : file)),
  };
}

export interface CertificateArgs {
  /** Names and IP addresses. A change makes a new server certificate from the same authority. */
  readonly hostnames: Input<readonly Input<string>[]>;
  /**
   * True: for a store's members, who are each other's clients; ten years, the authority twenty. Unset: for a server.
   */
  readonly members?: Input<boolean>;
}

/**
 * A local certificate authority (10 years) and a server certificate from it (397 days), ECDSA P-256. An `up` within 30
 * days of its end renews the certificate.
 */
export class Certificate extends pulumi.CustomResource {
  /** The authority's certificate, which clients have to trust, PEM. */
  declare readonly caCert: pulumi.Output<string>;
  /** The authority's key, PEM, secret. */
  declare readonly caKey: pulumi.Output<string>;
  /** The server's certificate, PEM. */
  declare readonly cert: pulumi.Output<string>;
  /** The server's key, PEM, secret. */
  declare readonly key: pulumi.Output<string>;

  constructor(name: string, args: CertificateArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = { caCert: undefined, caKey: undefined, cert: undefined, key: undefined };
    super("platform-topologies:index:Certificate", name, { ...args, ...outputs }, hide(opts, "caKey", "key"));
  }
}
