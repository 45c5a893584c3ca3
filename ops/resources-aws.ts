/** Resources for AWS. `at` says where the work is done, so another one is no difference in a preview. */
import * as pulumi from "@pulumi/pulumi";

import { hide, redacting } from "./hidden.ts";
import type { FinalizerArgs, JobArgs } from "./resources.ts";

type Input<T> = pulumi.Input<T>;

/** The same as the `aws.Provider` of the things that are meant. Credentials come from where AWS's own tools have them. */
export interface AwsAccess {
  readonly region: Input<string>;
  /** Default: that of AWS_PROFILE. */
  readonly profile?: Input<string>;
  /** A role that is assumed with these credentials. */
  readonly roleArn?: Input<string>;
  /** Takes the place of AWS's own endpoints, for every service. */
  readonly endpoint?: Input<string>;
}

export interface JobTask {
  readonly at: AwsAccess;
  /** Name or ARN. */
  readonly cluster: Input<string>;
  /**
   * The ARN with the revision. Its family is this job's alone: there an interrupted run is found again. Another one
   * alone reruns nothing; but a run that ended well within the last hour, and that nobody has noted, counts for this
   * revision only. So whatever reruns the job has to change the definition, too: a variable with the trigger and the
   * disks does it.
   */
  readonly taskDefinition: Input<string>;
  /** The container whose exit code counts. */
  readonly container: Input<string>;
  readonly subnets: Input<readonly Input<string>[]>;
  readonly securityGroups: Input<readonly Input<string>[]>;
  /** The log group of the task's containers. Each has its own name as its stream prefix. */
  readonly logGroup: Input<string>;
}

/**
 * A job as a task of ECS on Fargate, without a public address. Files, variables, networks and limits are its task
 * definition's business; `image`, `command` and `entrypoint` are given here, too, as their change reruns the job.
 */
export interface EcsJobArgs extends Pick<
  JobArgs,
  "name" | "image" | "command" | "entrypoint" | "seconds" | "trigger" | "disks" | "redact"
> {
  readonly ecs: JobTask;
}

export interface EcsFinalizerArgs extends Omit<FinalizerArgs, "host" | "job"> {
  /** The job that runs at the delete. Any change is only noted. */
  readonly job: Omit<EcsJobArgs, "trigger" | "disks">;
}

export interface EcsGateArgs {
  readonly at: AwsAccess;
  /** Name or ARN. */
  readonly cluster: Input<string>;
  /** Name or ARN. A change replaces the gate, which waits anew. */
  readonly service: Input<string>;
  /**
   * The ARN, with its revision, of what the service is to run. A change replaces the gate; a change of another property
   * waits for nothing.
   */
  readonly taskDefinition: Input<string>;
  /** The service's name in messages. */
  readonly name: Input<string>;
  /** How long the deployment may take. */
  readonly seconds: Input<number>;
  /** The log group of the service's containers. Each has its own name as its stream prefix. */
  readonly logGroup: Input<string>;
  /** The container whose log is shown. */
  readonly container: Input<string>;
  /** Values of four characters or more that errors show as `[secret]`; stored encrypted. */
  readonly redact?: Input<readonly Input<string>[]>;
}

/**
 * Done when the service's deployment of this task definition is complete. A service that is to have no task passes as
 * soon as none runs.
 *
 * Throws once the deployment has failed or was rolled back, the service is gone or somebody else has changed it, or at
 * the end of `seconds`. The error has ECS's own reason, why tasks have stopped, and the last 20 log lines of the last
 * one. What was rolled back before fails again, until it is mended or a `refresh` has the provider deploy it anew.
 * Deleting the gate does nothing.
 */
export class EcsGate extends pulumi.CustomResource {
  constructor(name: string, args: EcsGateArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:EcsGate", name, redacting(args), hide(opts, "redact"));
  }
}

export interface MachineArgs {
  readonly at: AwsAccess;
  /** The slot's name in messages. */
  readonly name: Input<string>;
  /** The name of the Auto Scaling group, which has one machine. */
  readonly group: Input<string>;
  /** The id of the version of the slot's secret that the machine is to run. A change has it run that. */
  readonly spec: Input<string>;
  /** The version of the launch template, as `3`. A machine of another one is replaced. */
  readonly template: Input<string>;
  /** How long all of it may take: a new machine, its start, its disk, the image's pull, and the health check. */
  readonly seconds: Input<number>;
  /** The log group of the slot's container. Its stream is `slot`. */
  readonly logGroup?: Input<string>;
  /** Values of four characters or more that errors show as `[secret]`; stored encrypted. */
  readonly redact?: Input<readonly Input<string>[]>;
}

/**
 * Has a slot's machine run what `spec` says, by `slot apply` on it, which is healthy when that ends well. Any change
 * does this again. Throws when the command fails, with what it wrote to stderr; when the group is gone, or its new
 * machine is of another template, too; or at the end of `seconds`. After a failed update the state has the old values,
 * so the next `up` tries again. Deleting it does nothing.
 */
export class Machine extends pulumi.CustomResource {
  /** The machine that was there at the last change. The group may have replaced it since. */
  declare readonly instanceId: pulumi.Output<string>;

  constructor(name: string, args: MachineArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "platform-topologies:index:Machine",
      name,
      { ...redacting(args), instanceId: undefined },
      hide(opts, "redact"),
    );
  }
}

export interface SwarmNodeArgs {
  readonly at: AwsAccess;
  /** The node's, or the group's name in messages. */
  readonly name: Input<string>;
  /** The machine that is asked: the node itself, or a manager that knows the groups. */
  readonly instance: Input<string>;
  /** How many nodes of each group have to be ready. */
  readonly groups?: Input<Readonly<Record<string, Input<number>>>>;
  /** How long it may take: a new machine, its engine, and its join. */
  readonly seconds: Input<number>;
  /** What changes when the machine has to be waited for again. */
  readonly trigger?: Input<readonly Input<string>[]>;
}

/**
 * Done when the machine is a node of its swarm, every manager can be reached, and the groups have as many nodes as
 * they should: by `node ready` on the machine. Any change waits again. Throws with the machine's own words, or at the
 * end of `seconds`; the next `up` then waits again. Deleting it does nothing.
 */
export class SwarmNode extends pulumi.CustomResource {
  constructor(name: string, args: SwarmNodeArgs, opts?: pulumi.CustomResourceOptions) {
    super("platform-topologies:index:SwarmNode", name, { ...args }, opts);
  }
}
