/** Every AWS stack on the simulated cloud: failures on the way up, what is protected, and secrets. */
import { beforeAll, describe, expect, test } from "@jest/globals";

import { project } from "../support/arkindex.ts";
import { comesThrough, convergesThrough, ends, type Fault, refused } from "../support/faults.ts";
import type { Registered } from "../support/mocks.ts";
import { protecting } from "../support/protected.ts";
import { recordReady } from "../support/ready.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { simulated } from "../support/simulated.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const minutes = 60_000;

/** One of each of these is refused once, as far as the stack has it: in the order of a deployment. */
const kinds = [
  ...["ec2/vpc:Vpc", "ecs/cluster:Cluster", "ec2/subnet:Subnet", "ec2/natGateway:NatGateway"],
  ...["ec2/vpcEndpoint:VpcEndpoint", "servicediscovery/privateDnsNamespace:PrivateDnsNamespace", "s3/bucket:Bucket"],
  ...["lb/loadBalancer:LoadBalancer", "lb/listenerRule:ListenerRule", "lb/targetGroup:TargetGroup"],
  ...["acm/certificate:Certificate", "rds/instance:Instance", "elasticache/replicationGroup:ReplicationGroup"],
  ...["iam/accessKey:AccessKey", "iam/role:Role", "ebs/volume:Volume", "ec2/networkInterface:NetworkInterface"],
  ...["ec2/instance:Instance", "autoscaling/lifecycleHook:LifecycleHook", "cognito/userPool:UserPool"],
  ...["cognito/userPoolClient:UserPoolClient", "cognito/userGroup:UserGroup", "lb/listener:Listener"],
  ...["ec2/launchTemplate:LaunchTemplate", "autoscaling/group:Group", "secretsmanager/secretVersion:SecretVersion"],
  ...["servicediscovery/service:Service", "ecs/taskDefinition:TaskDefinition", "ecs/service:Service"],
  ...["cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/dashboard:Dashboard"],
];

function faultsOf(all: readonly Registered[]): Fault[] {
  const of = (type: string): Registered[] => all.filter((each) => each.type === type);
  const ours = (type: string): { name: string; groups?: object }[] =>
    of(`platform-topologies:index:${type}`).map(({ inputs }) => inputs as unknown as { name: string });
  return [
    ...kinds.flatMap((kind) =>
      of(`aws:${kind}`)
        .slice(-1)
        .map(({ name }) => refused(kind, name)),
    ),
    ...ours("Job")
      .slice(-1)
      .map(({ name }) => ends("task", name, name)),
    ...ours("Machine")
      .slice(-1)
      .map(({ name }) => ends("machine", name, name)),
    // Those that wait for a group ask a manager.
    ...ours("SwarmNode")
      .filter(({ groups }) => groups === undefined)
      .slice(-1)
      .map(({ name }) => ends("machine", name, name)),
    ...ours("EcsGate")
      .slice(-1)
      .map(({ name }) => ends("service", name.replace(/^[^-]+-/, ""), name)),
  ];
}

describe.each(["arkindex-aws", "arangodb-aws", "media-aws", "pyrus-aws", "machines-aws"])("%s", (name) => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await simulated(name);
  }, 2 * minutes);

  test(
    "twenty things fail on the way up, each again until it is mended, and the rest is made once",
    async () => {
      const faults = faultsOf(await recordReady(name));
      expect(faults.length).toBeGreaterThanOrEqual(20);
      await convergesThrough(stack, faults);
    },
    60 * minutes,
  );

  test(
    "no secret is in the state, or in what a run prints",
    async () => {
      const { machineSecrets = {} } = (await stack.outputs()) as { machineSecrets?: Record<string, string> };
      const secrets = { ...(await generatedSecrets(stack)), ...machineSecrets };
      expect(Object.keys(secrets)).not.toEqual([]);
      const { output } = await stack.preview(["--diff"]);
      expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
      expect(leaks(output, secrets)).toEqual([]);
    },
    5 * minutes,
  );

  test(
    "protected, it refuses to go, and says what stays; its stores outlive what goes",
    async () => {
      const { secrets = {}, ...over } = protecting(name) as { secrets?: Record<string, string> };
      await stack.reconfigure(
        Object.fromEntries(Object.entries(over).map(([key, value]) => [`${project}:${key}`, value])),
      );
      for (const key of ["backupKey", "backupSecret"].filter((each) => Object.hasOwn(secrets, each)))
        succeeded(
          await stack.run(["config", "set", "--path", "--secret", `${project}:secrets.${key}`, secrets[key] ?? ""]),
        );
      succeeded(await stack.up());
      const guarded = async (): Promise<string[]> =>
        (await stack.state()).resources.filter(({ protect }) => protect).map(({ urn }) => urn);
      const before = await guarded();
      expect(before.length).toBeGreaterThan(0);
      const whole = await stack.run(["destroy", "--yes"]);
      expect(whole.output).toContain("protect");
      expect(whole.code).not.toBe(0);
      succeeded(await stack.destroy(["--exclude-protected"]));
      expect(await guarded()).toEqual(before);
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
    },
    20 * minutes,
  );

  test(
    "unprotected by its config it goes, and nothing is left",
    async () => {
      await stack.reconfigure({ [`${project}:protect`]: false });
      succeeded(await stack.up());
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    15 * minutes,
  );

  test(
    "throttled, late, cut off half-way, and with its own provider killed, it gets there, and no job runs twice",
    async () => {
      await comesThrough(stack, await recordReady(name));
    },
    20 * minutes,
  );
});
