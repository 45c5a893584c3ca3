/** Runs containers as tasks of ECS on Fargate: what each needs of its own, and where they all run. */
import { all, type Input, jsonStringify, type Output, type Resource } from "@pulumi/pulumi";
import type { LogGroup } from "@pulumi/aws/cloudwatch/logGroup.js";
import { Cluster } from "@pulumi/aws/ecs/cluster.js";
import { TaskDefinition } from "@pulumi/aws/ecs/taskDefinition.js";
import { RolePolicy } from "@pulumi/aws/iam/rolePolicy.js";
import { Secret } from "@pulumi/aws/secretsmanager/secret.js";

import type { Container, Dict, Health } from "../../core/contracts.ts";
import { imageOf } from "../../core/images.ts";
import type { At } from "../../core/topology.ts";
import { environment } from "../containers.ts";
import { containerDefinitions, type DefinitionParts, fileKey, fileVolumes } from "./definition.ts";
import type { Network } from "./network.ts";
import { toStart } from "./policy.ts";
import { makeLogGroup, makeRole, makeSecret, type Region } from "./region.ts";
import { taskSize } from "./sizes.ts";

/** A container, ready to be run as a task. */
export interface Task {
  /** The ARN of this revision. */
  readonly definition: Output<string>;
  readonly place: ReturnType<Network["placeOf"]>;
  readonly logGroup: Output<string>;
  /** What must be there before the first task starts. */
  readonly needs: Resource[];
}

export class Tasks {
  readonly cluster: Cluster;
  readonly #region: Region;

  constructor(region: Region) {
    this.#region = region;
    const { name, site, under } = region;
    this.cluster = new Cluster(
      `${name}-cluster`,
      { name: site.name, settings: [{ name: "containerInsights", value: "enabled" }] },
      under(),
    );
  }

  /** `kind`: a job's log loses no line; a proxy of the edge is in no tier. */
  task(
    name: string,
    container: Container & { readonly health?: Health },
    at: At,
    kind: "service" | "job" | "proxy",
  ): Task {
    const { site, region, under, network } = this.#region;
    const { parent, logicalName: logical } = at;
    const options = under(parent);
    const image = imageOf(site, container.image);
    const log = makeLogGroup(this.#region, name, at);
    const secret = this.#secret(name, container, at);
    const role = this.#executionRole(name, at, log, secret?.secret);
    const parts = all([
      environment({ ...container, secretEnv: {} }, image),
      log.name,
      secret?.secret.arn,
      secret?.version.versionId,
    ]);
    const definitions = parts.apply(([pairs, group, arn, version]) => {
      const from: Pick<DefinitionParts, "secret"> =
        arn === undefined ? {} : { secret: { arn, version: version ?? "" } };
      return containerDefinitions(container, {
        ...{ name, image, environment: pairs, log: { group, region }, ...from },
        filesImage: imageOf(site, "toolbox").ref,
        logMode: kind === "job" ? "blocking" : "non-blocking",
      });
    });
    const size = taskSize(container.cpu, container.memoryMib);
    if (size === undefined) throw new Error(`${name}: its size was not checked before it was made`);
    const made = new TaskDefinition(
      logical,
      {
        family: `${site.name}-${name}`,
        requiresCompatibilities: ["FARGATE"],
        networkMode: "awsvpc",
        ...size,
        runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
        executionRoleArn: role.role.arn,
        volumes: fileVolumes(container).map((volume) => ({ name: volume.name })),
        containerDefinitions: jsonStringify(definitions),
        skipDestroy: true, // the circuit breaker goes back to the revision before
      },
      options,
    );
    const place = network.placeOf(container, kind === "proxy");
    return { definition: made.arn, place, logGroup: log.name, needs: [...network.ready, role.policy] };
  }

  /** One secret for all files and variables of a workload. A changed value is a new version, and so a new revision. */
  #secret(name: string, { files = [], secretEnv = {} }: Container, { parent, logicalName }: At) {
    const values: Dict<Input<string>> = {
      ...Object.fromEntries(files.map((file) => [fileKey(file), file.content])),
      ...secretEnv,
    };
    if (Object.keys(values).length === 0) return undefined;
    const { under } = this.#region;
    return makeSecret(this.#region, `${logicalName}-secret`, name, jsonStringify(sorted(values)), under(parent));
  }

  /** What ECS itself may do for a workload: pull its image, write its log, read its own secret. */
  #executionRole(name: string, { parent, logicalName }: At, log: LogGroup, secret: Secret | undefined) {
    const { under, images } = this.#region;
    const options = under(parent);
    const trusted = { service: "ecs-tasks.amazonaws.com", does: `starts ${name}` };
    const role = makeRole(this.#region, `${logicalName}-start`, name, trusted, options);
    const policy = new RolePolicy(
      `${logicalName}-start`,
      {
        role: role.id,
        policy: jsonStringify({
          Version: "2012-10-17",
          Statement: toStart(images, log.arn, secret?.arn),
        }),
      },
      options,
    );
    return { role, policy };
  }
}

function sorted<T>(values: Dict<T>): Dict<T> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}
