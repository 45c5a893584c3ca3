/** What AWS refuses that no typings tell. */
import { isBag, isPartial, textAt } from "../wire.ts";

import type { Bag } from "../wire.ts";
import type { World } from "../world.ts";

/** Why the API does not delete it; undefined if it does. `filled`: somebody has put data into it. */
export function keeps(token: string, state: Bag, filled: boolean, world: World): string | undefined {
  const name = (key: string): string => textAt(state, key) ?? "";
  switch (token) {
    case "aws:s3/bucket:Bucket": {
      const objects = ["aws:s3/bucketObject:BucketObject", "aws:s3/bucketObjectv2:BucketObjectv2"];
      const held = objects.some((each) => world.things(each).some(({ facts }) => facts.bucket === state.bucket));
      return (filled || held) && state.forceDestroy !== true
        ? `deleting S3 Bucket (${name("bucket")}): api error BucketNotEmpty: The bucket you tried to delete is not empty`
        : undefined;
    }
    case "aws:rds/instance:Instance":
      if (state.deletionProtection === true)
        return `deleting RDS DB Instance (${name("identifier")}): api error InvalidParameterCombination: Cannot delete protected DB Instance, please disable deletion protection and try again.`;
      return state.skipFinalSnapshot !== true && state.finalSnapshotIdentifier === undefined
        ? `deleting RDS DB Instance (${name("identifier")}): final_snapshot_identifier is required when skip_final_snapshot is false`
        : undefined;
    case "aws:lb/loadBalancer:LoadBalancer":
      return state.enableDeletionProtection === true
        ? `deleting ELBv2 Load Balancer (${name("arn")}): api error OperationNotPermitted: Load balancer cannot be deleted because deletion protection is enabled`
        : undefined;
    case "aws:cognito/userPool:UserPool":
      return state.deletionProtection === "ACTIVE"
        ? `deleting Cognito User Pool (${name("name")}): api error InvalidParameterException: The user pool cannot be deleted because deletion protection is activated.`
        : undefined;
    case "aws:ecr/repository:Repository":
      return filled && state.forceDelete !== true
        ? `ECR Repository (${name("name")}) not empty, consider using force_delete: api error RepositoryNotEmptyException`
        : undefined;
    default:
      return undefined;
  }
}

/** Days for which the name cannot be used again. */
export function reservedDays(token: string, { recoveryWindowInDays }: Bag): number {
  if (token !== "aws:secretsmanager/secret:Secret") return 0;
  return typeof recoveryWindowInDays === "number" ? recoveryWindowInDays : 30;
}

/** Whether a delete leaves it where it is. */
export function stays(token: string, { skipDestroy, retainOnDelete }: Bag): boolean {
  return skipDestroy === true || (retainOnDelete === true && token.startsWith("aws:cloudfront/"));
}

/** The memory (MiB) that each CPU of a Fargate task may have: from, to, in steps. */
const fargate: Readonly<Record<string, readonly [number, number, number]>> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
  16384: [32768, 122880, 8192],
};

/** What the provider, or the API at the first `up`, says to inputs that the typings allow. */
export function problems(token: string, inputs: Bag): string[] {
  if (isPartial(inputs)) return [];
  switch (token) {
    case "aws:ecs/taskDefinition:TaskDefinition": {
      const { cpu, memory, requiresCompatibilities } = inputs;
      if (!Array.isArray(requiresCompatibilities) || !requiresCompatibilities.includes("FARGATE")) return [];
      const [from, to, step] = fargate[String(cpu)] ?? [1, 0, 1];
      const mib = Number(memory);
      return mib >= from && mib <= to && (mib === 512 || mib % step === 0)
        ? []
        : [
            `api error ClientException: No Fargate configuration exists for given values: ${String(cpu)} CPU, ${String(memory)} memory.`,
          ];
    }
    case "aws:lb/listenerRule:ListenerRule": {
      const { priority } = inputs;
      return typeof priority === "number" && (priority < 1 || priority > 50_000)
        ? [`expected priority to be in the range (1 - 50000), got ${String(priority)}`]
        : [];
    }
    case "aws:opensearch/domain:Domain":
      return searchProblems(inputs);
    case "aws:secretsmanager/secret:Secret":
      return /-[A-Za-z0-9]{6}$/.test(textAt(inputs, "name") ?? "") && given(inputs, "name")
        ? [
            `the secret's name ${textAt(inputs, "name") ?? ""} ends in a hyphen and six characters, as its ARN does: choose another`,
          ]
        : [];
    default:
      return [];
  }
}

/** The API reference of Amazon OpenSearch Service, and its developer guide on zones and on fine-grained access control. */
function searchProblems(inputs: Bag): string[] {
  const part = (key: string): Bag => (isBag(inputs[key]) ? inputs[key] : {});
  const { instanceCount = 1, zoneAwarenessEnabled, zoneAwarenessConfig } = part("clusterConfig");
  const asked = isBag(zoneAwarenessConfig) ? zoneAwarenessConfig.availabilityZoneCount : undefined;
  const zones = zoneAwarenessEnabled === true ? Number(asked ?? 2) : 1;
  const { subnetIds } = part("vpcOptions");
  const { enabled, internalUserDatabaseEnabled, masterUserOptions } = part("advancedSecurityOptions");
  const password = isBag(masterUserOptions) ? textAt(masterUserOptions, "masterUserPassword") : undefined;
  const safe =
    part("encryptAtRest").enabled === true &&
    part("nodeToNodeEncryption").enabled === true &&
    part("domainEndpointOptions").enforceHttps !== false;
  const refusals: readonly (readonly [boolean, string])[] = [
    [
      Array.isArray(subnetIds) && subnetIds.length !== zones,
      `You must specify exactly ${String(zones)} subnets because you've set zone count to ${String(zones)}.`,
    ],
    [
      zones === 2 && Number(instanceCount) % 2 !== 0,
      "You must choose an even number of data nodes for a two Availability Zone deployment",
    ],
    [zones === 3 && Number(instanceCount) < 3, "You must choose a minimum of three data nodes for three zones"],
    [
      enabled === true && !safe,
      "You must enable HTTPS, node-to-node encryption, and encryption at rest to use advanced security options.",
    ],
    [
      internalUserDatabaseEnabled === true &&
        password !== undefined &&
        !(password.length >= 8 && [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].every((form) => form.test(password))),
      "The master user password must contain at least 8 characters, with one uppercase letter, one lowercase letter, one number, and one special character.",
    ],
  ];
  return refusals.flatMap(([refused, why]) => (refused ? [`api error ValidationException: ${why}`] : []));
}

function given(inputs: Bag, key: string): boolean {
  return !(Array.isArray(inputs.__defaults) && inputs.__defaults.includes(key));
}
