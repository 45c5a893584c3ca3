/** Resources for a Docker Swarm. `host`: its managers, as `tcp://a:2375,tcp://b:2375`; the first that answers serves. */
import * as pulumi from "@pulumi/pulumi";

type Input<T> = pulumi.Input<T>;

export interface ServiceGateArgs {
  readonly host: Input<string>;
  /** The service's id. A change replaces the gate, which waits anew. */
  readonly service: Input<string>;
  /**
   * A hash of what the service is to run, which its containers carry as the label `platform-topologies.spec`
   * (`taskSpec.containerSpec.labels`), or as the variable `PLATFORM_TOPOLOGIES_SPEC`. A change replaces the gate; a change of the others waits for nothing.
   */
  readonly spec: Input<string>;
  /** What messages call it. */
  readonly name: Input<string>;
  /** How many tasks it is to have: a service that was scaled by hand gets them. Unset for a global one. A change replaces the gate. */
  readonly replicas?: Input<number>;
  /** How long it may take, an image's pull included. */
  readonly seconds: Input<number>;
  /** Values of four characters or more that errors show as `[secret]`; stored encrypted. */
  readonly redact?: Input<readonly Input<string>[]>;
}

/**
 * Done when the service is what `spec` says, its update is complete, and every wanted task runs: healthy where the
 * service has a health check, else for two seconds. A global service wants one task on each node that may take it, and
 * at least one.
 *
 * Throws, with the failing task's error, its node and its last 20 log lines: once the update was rolled back or paused,
 * one replica has failed three times, a node cannot get the image, no node can take a task for 20 s, the service is gone
 * or somebody else has changed it, or at the end of `seconds`. What had failed before it began does not count. Deleting
 * it does nothing.
 */
export class ServiceGate extends pulumi.CustomResource {
  constructor(name: string, args: ServiceGateArgs, opts?: pulumi.CustomResourceOptions) {
    const additionalSecretOutputs = [...(opts?.additionalSecretOutputs ?? []), "redact"];
    const inputs = { ...args, redact: args.redact && pulumi.secret(args.redact) };
    super("platform-topologies:index:ServiceGate", name, inputs, { ...opts, additionalSecretOutputs });
  }
}

/** Tells a service that was made again from the one before. */
export const roundLabel = "platform-topologies.round";

export interface ServiceEndArgs {
  readonly host: Input<string>;
  /** The service's name. A change is another end. */
  readonly service: Input<string>;
  /** The service carries it as the label `platform-topologies.round`. A change replaces the end, which then ends nothing. */
  readonly round: Input<string>;
  /** How long its tasks may take to stop. */
  readonly seconds: Input<number>;
  /** Values of what the service uses, which goes after it. A change means nothing. */
  readonly uses: Input<readonly Input<string>[]>;
}

/**
 * Removes a service when it is itself deleted, and waits for the end of its tasks. For the service's `deletedWith`: the
 * Docker provider's own delete fails for a service that somebody has removed already.
 */
export class ServiceEnd extends pulumi.CustomResource {
  constructor(name: string, args: ServiceEndArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:ServiceEnd", name, { ...args }, opts);
  }
}

export interface VolumeNodeArgs {
  readonly host: Input<string>;
  /** Unique on the swarm: letters, digits, `-`, `_` and `.`. A change is refused. */
  readonly name: Input<string>;
  /** What its node must be. A change does not move a volume node. */
  readonly constraints: {
    readonly labels?: Readonly<Record<string, Input<string>>>;
    readonly role?: "manager" | "worker";
  };
  /** A group's name, as `arangodb-dev/dbserver`: its volume nodes share a node only when there are more volume nodes than nodes. */
  readonly spread: Input<string>;
  /** A change chooses anew, another node where there is one, with an empty disk. The data on the old node stays there. */
  readonly generation?: Input<string>;
  /** Whose it is, for the label `platform-topologies.owner.<name>`. */
  readonly owner?: Input<string>;
  /** It goes without anybody's leave: a note for the next run. Default false. */
  readonly spare?: Input<boolean>;
  /** A change writes its labels again. */
  readonly round?: Input<string>;
}

/**
 * The node that keeps a slot's disk, chosen once and kept: the node label `platform-topologies.volume-node.<name>` with the
 * volume node's `id` as its value, so that `node.labels.platform-topologies.volume-node.<name>==<id>` pins a service. A label of this
 * `owner` that is there already, as after an interrupted run, is adopted; another's is refused. Among the ready, active nodes that satisfy `constraints` it takes
 * the one with the fewest volume nodes of its group, then of all, then the first by name. Throws when there is none.
 *
 * An operator may move the label, and `platform-topologies.spread.<name>` with it, to where the data is now;
 * `refresh` then shows the new node. A label that is gone is put back on
 * the same node by the next `up` after a refresh, or with another `round`. Deleting a volume node removes its labels; the volumes on its node stay.
 */
export class VolumeNode extends pulumi.CustomResource {
  /** The node's hostname. */
  declare readonly node: pulumi.Output<string>;
  declare readonly nodeId: pulumi.Output<string>;

  constructor(name: string, args: VolumeNodeArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:VolumeNode", name, { ...args, node: undefined, nodeId: undefined }, opts);
  }
}

/** The constraint, as of `docker service create`, that pins a task to a volume node: `id` is the volume node's. */
export function volumeNodeConstraint(name: string, id: string): string {
  return `node.labels.platform-topologies.volume-node.${name}==${id}`;
}

export interface NodeLabelsArgs {
  readonly host: Input<string>;
  /** The node's hostname. A change is another node. */
  readonly node: Input<string>;
  readonly labels: Input<Readonly<Record<string, Input<string>>>>;
  /** Default: left as it is. One that was set goes back to `active` when it is set no more. */
  readonly availability?: Input<"active" | "pause" | "drain">;
  /** A change sets all of it again. */
  readonly round?: Input<string>;
}

/**
 * Sets labels on a node of the swarm; an update or delete removes those that it has set, and every other label stays.
 * Throws when the node is unknown, naming those that there are. After a `refresh` the next `up` repairs what was changed
 * by hand. Two of these must not set the same label of one node.
 */
export class NodeLabels extends pulumi.CustomResource {
  constructor(name: string, args: NodeLabelsArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:NodeLabels", name, { ...args }, opts);
  }
}
