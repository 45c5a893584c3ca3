/**
 * Resources for a Docker Swarm. `host`: its managers, as `tcp://a:2375,tcp://b:2375`; the first that answers serves.
 */
import * as pulumi from "@pulumi/pulumi";

import { hide, redacting } from "./hidden.ts";

type Input<T> = pulumi.Input<T>;

export interface ServiceGateArgs {
  readonly host: Input<string>;
  /** The service's id. A change replaces the gate, which waits anew. */
  readonly service: Input<string>;
  /**
   * A hash of what the service is to run, which its containers carry as the label `platform-topologies.spec`
   * (`taskSpec.containerSpec.labels`), or as the variable `PLATFORM_TOPOLOGIES_SPEC`. A change replaces the gate; a
   * change of another property waits for nothing.
   */
  readonly spec: Input<string>;
  /** The service's name in messages. */
  readonly name: Input<string>;
  /**
   * How many tasks the service is to have: one that was scaled by hand gets them again. Unset for a global service. A
   * change replaces the gate.
   */
  readonly replicas?: Input<number>;
  /**
   * The names of services that start together, in their order, this one's `name` among them. While none of those after it
   * is there, the gate waits for nothing. Else it waits for this one, and those before it. A change is no difference.
   */
  readonly together?: readonly string[];
  /** How long the service may take, an image's pull included. */
  readonly seconds: Input<number>;
  /** Values of four characters or more that errors show as `[secret]`; stored encrypted. */
  readonly redact?: Input<readonly Input<string>[]>;
}

/**
 * Done when the service is what `spec` says, its update is complete, and every wanted task runs: healthy where the
 * service has a health check, else for two seconds. A global service wants one task on each node that may take it, and
 * at least one.
 *
 * Throws once the update was rolled back or paused, one replica has failed three times, a node cannot get the image, no
 * node can take a task for 20 s, the service is gone or somebody else has changed it, or at the end of `seconds`. The
 * error has the failing task's error, its node and its last 20 log lines. Failures before the gate began do not count.
 * Deleting the gate does nothing.
 */
export class ServiceGate extends pulumi.CustomResource {
  constructor(name: string, args: ServiceGateArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:ServiceGate", name, redacting(args), hide(opts, "redact"));
  }
}

/** Tells a service that was made again from the one before. */
export const roundLabel = "platform-topologies.round";

export interface ServiceEndArgs {
  readonly host: Input<string>;
  /** The service's name. A change replaces the end. */
  readonly service: Input<string>;
  /**
   * The service's label `platform-topologies.round`. A change replaces the end, and the old end then removes nothing.
   */
  readonly round: Input<string>;
  /** How long the service's tasks may take to stop. */
  readonly seconds: Input<number>;
  /** Values of the things that the service uses, so that they are deleted after it. A change does nothing. */
  readonly uses: Input<readonly Input<string>[]>;
}

/**
 * Removes a service when this resource is deleted, and waits for the end of its tasks. The service names it in
 * `deletedWith`: the Docker provider's own delete fails for a service that somebody has removed already.
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
  /** What the node must be. A change does not choose another node. */
  readonly constraints: {
    readonly labels?: Readonly<Record<string, Input<string>>>;
    readonly role?: "manager" | "worker";
  };
  /**
   * A group's name, as `arangodb-dev/dbserver`: its members share a node only if there are more of them than nodes.
   */
  readonly spread: Input<string>;
  /** A change chooses a new node, another if possible, with an empty disk. The data on the old node stays there. */
  readonly generation?: Input<string>;
  /** Whose it is, for the label `platform-topologies.owner.<name>`. */
  readonly owner?: Input<string>;
  /** It may go without the operator's word: a note for the next run. Default false. */
  readonly spare?: Input<boolean>;
  /** A change writes the labels again. */
  readonly round?: Input<string>;
}

/**
 * The node that keeps a slot's disk. It is chosen once: among the ready, active nodes that satisfy `constraints`, the
 * one with the fewest VolumeNodes of the group, then of all, then the first by name. Throws if there is none. The node
 * gets the label `platform-topologies.volume-node.<name>` with this resource's `id` as value, so that
 * `node.labels.platform-topologies.volume-node.<name>==<id>` pins a service. A label of this `owner` that is there
 * already, as after an interrupted run, is adopted; another owner's is refused.
 *
 * An operator may move the label, and `platform-topologies.spread.<name>` with it, to where the data is now; `refresh`
 * then shows the new node. The next `up` after a refresh, or another `round`, puts a lost label back on the same node.
 * Deleting this resource removes its labels; the volumes on the node stay.
 */
export class VolumeNode extends pulumi.CustomResource {
  /** The node's hostname. */
  declare readonly node: pulumi.Output<string>;
  declare readonly nodeId: pulumi.Output<string>;

  constructor(name: string, args: VolumeNodeArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:VolumeNode", name, { ...args, node: undefined, nodeId: undefined }, opts);
  }
}

/**
 * The constraint, as of `docker service create`, that pins a task to the node of a VolumeNode. `id`: the VolumeNode's.
 */
export function volumeNodeConstraint(name: string, id: string): string {
  return `node.labels.platform-topologies.volume-node.${name}==${id}`;
}

export interface NodeLabelsArgs {
  readonly host: Input<string>;
  /** The node's hostname. A change replaces the resource. */
  readonly node: Input<string>;
  readonly labels: Input<Readonly<Record<string, Input<string>>>>;
  /** Default: left as it is. Once it is set no more, the node goes back to `active`. */
  readonly availability?: Input<"active" | "pause" | "drain">;
  /** A change sets everything again. */
  readonly round?: Input<string>;
}

/**
 * Sets labels on a node of the swarm. An update or delete removes the labels that it has set; every other label stays.
 * Throws if the node is unknown, with the names of all nodes. After a `refresh` the next `up` repairs changes by hand.
 * Two of these must not set the same label of one node.
 */
export class NodeLabels extends pulumi.CustomResource {
  constructor(name: string, args: NodeLabelsArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:NodeLabels", name, { ...args }, opts);
  }
}
