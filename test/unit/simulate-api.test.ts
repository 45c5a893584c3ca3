/** The small AWS that our own provider's SDK clients ask. */
import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { CloudWatchLogsClient, GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import {
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { api } from "../../tools/simulate/aws/api.ts";
import { aws } from "../../tools/simulate/aws/index.ts";
import { Faults } from "../../tools/simulate/faults.ts";
import { Simulated } from "../../tools/simulate/simulated.ts";
import { Table } from "../../tools/simulate/table.ts";
import { World } from "../../tools/simulate/world.ts";
import { newFolder } from "../support/folder.ts";

import type { Api } from "../../tools/simulate/aws/api.ts";
import type { Bag } from "../../tools/simulate/wire.ts";

const table = new Table(aws);
let world: World;
let cloud: Simulated;
let server: Api;
let env: Record<string, string>;
let config: {
  region: string;
  endpoint: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  maxAttempts: number;
};

beforeEach(async () => {
  world = new World(newFolder("world"));
  env = {};
  const faults = new Faults(world, env);
  cloud = new Simulated(aws, table, world, faults);
  cloud.configure({ region: "eu-central-1", allowedAccountIds: ["111122223333"] });
  server = await api(world, faults);
  config = {
    region: "eu-central-1",
    endpoint: server.env.AWS_ENDPOINT_URL ?? "",
    credentials: { accessKeyId: "simulated", secretAccessKey: "simulated" },
    maxAttempts: 1,
  };
});
afterEach(() => server.close());

async function make(token: string, name: string, inputs: Bag) {
  const urn = `urn:pulumi:s::p::${token}::${name}`;
  return { urn, inputs, ...(await cloud.create(urn, inputs, false)) };
}

describe("tasks", () => {
  const containerDefinitions = JSON.stringify([{ name: "init" }, { name: "migrate", secrets: ["hunter22"] }]);
  const migrate = { family: "migrate", containerDefinitions };
  let ecs: ECSClient;
  let definition: string;
  beforeEach(async () => {
    ecs = new ECSClient(config);
    definition = String((await make("aws:ecs/taskDefinition:TaskDefinition", "d", migrate)).outputs.arn);
  });

  const started = async (more = {}): Promise<string> => {
    const asked = { cluster: "main", taskDefinition: definition, startedBy: "job-1", ...more };
    const { tasks = [] } = await ecs.send(new RunTaskCommand(asked));
    return tasks[0]?.taskArn ?? "";
  };

  test("a task is listed while it runs, and has ended well when it is looked at", async () => {
    const task = await started();
    expect(task).toMatch(/^arn:aws:ecs:eu-central-1:111122223333:task\/main\/[0-9a-f]{32}$/);
    const running = new ListTasksCommand({ cluster: "main", startedBy: "job-1" });
    expect((await ecs.send(running)).taskArns).toEqual([task]);
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster: "main", tasks: [task] }));
    expect(tasks).toEqual([
      expect.objectContaining({ lastStatus: "STOPPED", taskDefinitionArn: definition, stoppedAt: expect.any(Date) }),
    ]);
    expect(tasks[0]?.containers).toEqual([
      expect.objectContaining({ name: "init", exitCode: 0 }),
      expect.objectContaining({ name: "migrate", exitCode: 0 }),
    ]);
    expect((await ecs.send(running)).taskArns).toEqual([]);
    const stopped = new ListTasksCommand({ cluster: "main", startedBy: "job-1", desiredStatus: "STOPPED" });
    expect((await ecs.send(stopped)).taskArns).toEqual([task]);
  });

  test("one client token starts one task, and not one of another definition", async () => {
    const first = await started({ clientToken: "once" });
    expect(await started({ clientToken: "once" })).toBe(first);
    definition = String((await make("aws:ecs/taskDefinition:TaskDefinition", "d", migrate)).outputs.arn);
    await expect(started({ clientToken: "once" })).rejects.toMatchObject({ name: "ConflictException" });
  });

  test("a task ends badly where the fault says so, and a stopped one has its reason", async () => {
    env.SIMULATE_FAIL = "task/migrate";
    const bad = await started();
    const described = await ecs.send(new DescribeTasksCommand({ cluster: "main", tasks: [bad, "gone"] }));
    expect(described.tasks?.[0]?.containers?.[1]?.exitCode).toBe(1);
    expect(described.failures).toEqual([{ arn: "gone", reason: "MISSING" }]);
    const { task } = await ecs.send(
      new StopTaskCommand({ cluster: "main", task: await started(), reason: "too late" }),
    );
    expect(task).toMatchObject({ lastStatus: "STOPPED", stoppedReason: "too late" });
  });

  test("a definition that was not made is refused, and so is what a fault names", async () => {
    definition = "other:1";
    await expect(started()).rejects.toMatchObject({ name: "ClientException" });
    env.SIMULATE_THROTTLE = "RunTask";
    await expect(started()).rejects.toMatchObject({ name: "ThrottlingException" });
    await expect(started()).rejects.toMatchObject({ name: "ClientException" });
  });

  test("its log has a line", async () => {
    const asked = new GetLogEventsCommand({
      logGroupName: "g",
      logStreamName: "migrate/migrate/1",
      startFromHead: true,
    });
    const { events = [], nextForwardToken } = await new CloudWatchLogsClient(config).send(asked);
    expect(events[0]?.message).toContain("migrate/migrate/1");
    expect(nextForwardToken).toBeDefined();
  });
});

test("a service has the task definition that was stored for it last, and is complete unless a fault says otherwise", async () => {
  const ecs = new ECSClient(config);
  const cluster = "arn:aws:ecs:eu-central-1:111122223333:cluster/main";
  const given = {
    name: "app",
    cluster,
    taskDefinition: "arn:aws:ecs:eu-central-1:1:task-definition/app:1",
    desiredCount: 2,
  };
  const { id, urn, outputs } = await make("aws:ecs/service:Service", "app", given);
  await cloud.update(id, urn, outputs, { ...given, taskDefinition: given.taskDefinition.replace(/:1$/, ":2") }, false);
  const asked = new DescribeServicesCommand({ cluster: "main", services: ["app", "other"] });
  const look = async () => {
    const { services = [], failures = [] } = await ecs.send(asked);
    expect(failures).toEqual([expect.objectContaining({ arn: "other" })]);
    return services[0]?.deployments?.[0];
  };
  expect(await look()).toMatchObject({
    status: "PRIMARY",
    taskDefinition: expect.stringMatching(/app:2$/),
    runningCount: 2,
    rolloutState: "COMPLETED",
  });
  env.SIMULATE_FAIL = "service/app";
  expect(await look()).toMatchObject({ rolloutState: "FAILED", runningCount: 0 });
  const deployments = await ecs.send(new ListServiceDeploymentsCommand({ cluster, service: "app" }));
  expect(deployments.serviceDeployments?.[0]?.statusReason).toContain("circuit breaker");
});

test("a group's machine keeps its template's version until it is ended; it is online and applies what it is told", async () => {
  const scaling = new AutoScalingClient(config);
  const ssm = new SSMClient(config);
  const template = await make("aws:ec2/launchTemplate:LaunchTemplate", "db", { name: "db" });
  const given = { name: "db", maxSize: 1, minSize: 1, launchTemplate: { id: template.id, version: "1" } };
  const group = await make("aws:autoscaling/group:Group", "db", given);
  const news = { ...given, launchTemplate: { id: template.id, version: "2" } };
  await cloud.update(group.id, group.urn, group.outputs, news, false);
  const look = async () => {
    const asked = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: ["db"] });
    const { AutoScalingGroups = [] } = await scaling.send(asked);
    return AutoScalingGroups[0]?.Instances?.[0];
  };
  const before = await look();
  const InstanceId = before?.InstanceId ?? "";
  expect(before).toMatchObject({
    LifecycleState: "InService",
    LaunchTemplate: { LaunchTemplateName: "db", Version: "1" },
  });
  await scaling.send(
    new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity: false }),
  );
  const after = await look();
  expect(after?.InstanceId).not.toBe(InstanceId);
  expect(after?.LaunchTemplate?.Version).toBe("2");
  await expect(
    scaling.send(new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity: false })),
  ).rejects.toMatchObject({ name: "ValidationError" });

  const instance = after?.InstanceId ?? "";
  const filter = { Filters: [{ Key: "InstanceIds", Values: [instance] }] };
  const { InstanceInformationList = [] } = await ssm.send(new DescribeInstanceInformationCommand(filter));
  expect(InstanceInformationList).toEqual([expect.objectContaining({ InstanceId: instance, PingStatus: "Online" })]);
  const command = {
    InstanceIds: [instance],
    DocumentName: "AWS-RunShellScript",
    Parameters: { commands: ["slot apply 1"] },
  };
  const { Command } = await ssm.send(new SendCommandCommand(command));
  const asked = new GetCommandInvocationCommand({ CommandId: Command?.CommandId, InstanceId: instance });
  expect(await ssm.send(asked)).toMatchObject({ Status: "Success", ResponseCode: 0 });
  env.SIMULATE_FAIL = "machine/db";
  expect(await ssm.send(asked)).toMatchObject({
    Status: "Failed",
    StandardErrorContent: expect.stringContaining("unhealthy"),
  });
  const gone = new SendCommandCommand({ ...command, InstanceIds: [InstanceId] });
  await expect(ssm.send(gone)).rejects.toMatchObject({ name: "InvalidInstanceId" });
});

test("any other call is refused with its name", async () => {
  const { StartTaskCommand } = await import("@aws-sdk/client-ecs");
  const asked = new StartTaskCommand({ taskDefinition: "d", containerInstances: ["i"] });
  await expect(new ECSClient(config).send(asked)).rejects.toThrow(
    "does not answer AmazonEC2ContainerServiceV20141113.StartTask",
  );
});
