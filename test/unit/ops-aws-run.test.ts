/** Jobs, gates and machines against a server that answers as AWS does, with AWS's own clients. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import type { Task } from "@aws-sdk/client-ecs";
import { afterEach, describe, expect, jest, test } from "@jest/globals";

import { ecsGate } from "../../ops/ecs-gate.ts";
import { markOf } from "../../ops/ecs-job.ts";
import { finalizer } from "../../ops/finalizer.ts";
import type { EcsJobInputs } from "../../ops/job-inputs.ts";
import { job } from "../../ops/job.ts";
import { machine } from "../../ops/machine.ts";
import { secret, values } from "../../ops/wire.ts";
import {
  type AwsAnswers,
  endedTask,
  fakeAws,
  type FakeAws,
  fakeTasks,
  Refusal,
  runningTask,
} from "../support/fake-aws.ts";

let aws: FakeAws;
afterEach(() => {
  aws.close();
});
/** A log stream of one page, as GetLogEvents tells it: the last page names itself as the next. */
const log =
  (...messages: string[]): AwsAnswers[string] =>
  ({ nextToken }) => ({
    events: nextToken === undefined ? messages.map((message) => ({ message })) : [],
    nextBackwardToken: "b/1",
  });
const password = "correct horse battery";

describe("a job on ECS", () => {
  const definition = "arn:aws:ecs:eu-central-1:1:task-definition/shop-migrate:3";
  const asked = (more: Partial<EcsJobInputs> = {}): EcsJobInputs => ({
    ...{ name: "shop-migrate", image: "i", command: ["migrate"], seconds: 20, trigger: "1", ...more },
    ecs: {
      ...{ at: aws.at, cluster: "shop", taskDefinition: definition, container: "main", logGroup: "/shop" },
      ...{ subnets: ["subnet-1"], securityGroups: ["sg-1"] },
    },
  });
  const start = async (answers: AwsAnswers): Promise<void> => {
    aws = await fakeAws(answers);
  };
  const run = (more?: Partial<EcsJobInputs>, hidden: object = {}): Promise<unknown> =>
    job.create(values({ ...asked(more), ...hidden }));
  const well = (id: string, by: string) => runningTask(id, by, 0);
  const badly = (id: string, by: string) => runningTask(id, by, 3);

  test("runs on Fargate to its end, with no public address", async () => {
    const tasks: Task[] = [];
    await start(fakeTasks(tasks, well));
    await run();
    expect(aws.of("RunTask")).toEqual([
      expect.objectContaining({
        ...{ cluster: "shop", taskDefinition: definition, launchType: "FARGATE", startedBy: markOf(asked()) },
        clientToken: expect.stringMatching(/^[\da-f]{32}-0$/),
        networkConfiguration: {
          awsvpcConfiguration: { subnets: ["subnet-1"], securityGroups: ["sg-1"], assignPublicIp: "DISABLED" },
        },
      }),
    ]);
    expect(aws.of("StopTask")).toEqual([]);
    expect(aws.calls[0]?.key).toBe("AKIDTEST");
  });

  test("that fails says its code and last lines, and no secret", async () => {
    const lines = [...Array.from({ length: 40 }, (_, index) => `line ${String(index)}`), `login: ${password} refused`];
    await start({
      ...fakeTasks([], badly),
      GetLogEvents: log(...lines),
    });
    const error = await run({}, { redact: secret([password]) }).catch(String);
    expect(error).toContain("shop-migrate failed with exit code 3\nlast log lines:\n  | line 11\n");
    expect(error).toContain("  | login: [secret] refused");
    expect(error).not.toContain(password);
    const [asked] = aws.of("GetLogEvents");
    expect(asked).toMatchObject({ logGroupName: "/shop", logStreamName: "main/main/new-1", startFromHead: false });
  });

  test("that fails is told from a log whose last page is empty", async () => {
    const pages = [
      { events: [], nextBackwardToken: "b/1" },
      { events: [{ message: "the cause" }], nextBackwardToken: "b/2" },
    ];
    await start({ ...fakeTasks([], badly), GetLogEvents: (_input, nth) => pages[nth] ?? { nextBackwardToken: "b/2" } });
    await expect(run()).rejects.toThrow("exit code 3\nlast log lines:\n  | the cause");
  });

  test("whose container never ran says why, without a secret, and asks for no log", async () => {
    const stoppedReason = `CannotStartContainerError: exec: "${password}": not found`;
    await start(
      fakeTasks([], (id, by) => ({
        ...endedTask(id, by, 0),
        stopCode: "TaskFailedToStart",
        stoppedReason,
        containers: [{ name: "main" }],
      })),
    );
    const error = await run({ redact: [password] }).catch(String);
    expect(error).toContain('could not be started: CannotStartContainerError: exec: "[secret]": not found');
    expect(aws.of("GetLogEvents")).toEqual([]);
  });

  test("that is late is stopped", async () => {
    const tasks: Task[] = [];
    await start({
      ...fakeTasks(tasks, (id, by) => ({ ...runningTask(id, by, 0), next: [] })),
      GetLogEvents: log("at work"),
    });
    await expect(run({ seconds: 0.2 })).rejects.toThrow(
      "shop-migrate did not end in 0.2 s and was stopped\nlast log lines:\n  | at work",
    );
    expect(aws.of("StopTask")).toEqual([
      { cluster: "shop", task: expect.stringContaining("/new-1"), reason: "shop-migrate did not end in 0.2 s" },
    ]);
  });

  test("is started again while there is no capacity, or a role is new, each time with another token", async () => {
    const tasks = fakeTasks([], well);
    await start({
      ...tasks,
      RunTask: (input, nth) => {
        if (nth === 0) return { failures: [{ reason: "RESOURCE:CPU" }] };
        if (nth === 1) throw new Refusal("ClientException", "ECS was unable to assume the role 'r' that was provided.");
        return tasks.RunTask?.(input, nth);
      },
    });
    await run();
    const tokens = aws.of("RunTask").map(({ clientToken }) => String(clientToken).slice(32));
    expect(tokens).toEqual(["-0", "-0-1", "-0-2"]);
  });

  test.each<[string, object | Refusal, string]>([
    [
      "no capacity for all the time",
      { failures: [{ reason: "Capacity is unavailable at this time" }] },
      "shop-migrate could not be started: Capacity is unavailable at this time: AWS has no room for it",
    ],
    [
      "a quota",
      { failures: [{ reason: "You've reached the limit on the number of vCPUs" }] },
      "raise the account's Fargate",
    ],
    [
      "a reason nobody knows",
      { failures: [{ reason: "MISSING", detail: "sg-1" }] },
      "could not be started: MISSING: sg-1",
    ],
    [
      "no right",
      new Refusal("AccessDeniedException", "User: u is not authorized to perform: ecs:RunTask"),
      "refuses a call (User: u is not authorized to perform: ecs:RunTask): let its policy allow that",
    ],
    [
      "old credentials",
      new Refusal("ExpiredTokenException", "expired"),
      "the AWS credentials have expired: log in again",
    ],
    [
      "another fault",
      new Refusal("ClientException", "TaskDefinition is inactive"),
      "ClientException: TaskDefinition is in",
    ],
  ])("cannot be started: %s", async (_why, answer, expected) => {
    await start({
      ...fakeTasks([], well),
      RunTask: () => {
        if (answer instanceof Refusal) throw answer;
        return answer;
      },
    });
    await expect(run({ seconds: 0.2 })).rejects.toThrow(expected);
  });

  describe("after an interrupted up", () => {
    const mark = (): string => markOf(asked());
    test.each<[string, (tasks: Task[]) => void]>([
      ["goes on", (tasks) => tasks.push(runningTask("old", mark(), 0))],
      ["has ended well", (tasks) => tasks.push(endedTask("old", mark(), 0))],
      [
        "is about to end well",
        (tasks) =>
          tasks.push({
            ...endedTask("old", mark(), 0),
            lastStatus: "DEPROVISIONING",
            next: [{}, { lastStatus: "STOPPED" }],
          } as Task),
      ],
    ])("a run that %s is taken over", async (_how, begin) => {
      const tasks: Task[] = [];
      await start(fakeTasks(tasks, well));
      begin(tasks);
      await run();
      expect(aws.of("RunTask")).toEqual([]);
      expect(aws.of("StopTask")).toEqual([]);
    });

    test("a run that goes on and fails, fails this one", async () => {
      const tasks: Task[] = [];
      await start({ ...fakeTasks(tasks, well), GetLogEvents: log("it broke") });
      tasks.push(runningTask("old", mark(), 5));
      await expect(run()).rejects.toThrow("shop-migrate failed with exit code 5\nlast log lines:\n  | it broke");
      expect(aws.of("RunTask")).toEqual([]);
    });

    test("runs that failed or were stopped are no reason not to run, and count for the token", async () => {
      const tasks: Task[] = [];
      await start(fakeTasks(tasks, well));
      tasks.push(endedTask("old-1", mark(), 1), { ...endedTask("old-2", mark(), 0), stopCode: "UserInitiated" });
      await run();
      expect(String(aws.of("RunTask")[0]?.clientToken).slice(32)).toBe("-2");
    });

    test("a run of something else is stopped, and this one begins after its end", async () => {
      const tasks: Task[] = [];
      await start(fakeTasks(tasks, well));
      const earlier = markOf(asked({ trigger: "0" }));
      tasks.push(runningTask("old", earlier, 0), runningTask("other", "shop-migrate-media", 0));
      await run();
      expect(aws.of("StopTask").map(({ task }) => String(task).split("/").at(-1))).toEqual(["old"]);
      const order = aws.calls.map(({ action }) => action).filter((action) => /Stop|Run/.test(action));
      expect(order).toEqual(["StopTask", "RunTask"]);
      expect(tasks.find(({ taskArn }) => taskArn?.endsWith("/old"))?.lastStatus).toBe("STOPPED");
    });

    test("the same run on another disk is no run of this one", async () => {
      const tasks: Task[] = [];
      await start(fakeTasks(tasks, well));
      tasks.push(endedTask("old", markOf(asked({ disks: { db: "d1" } })), 0));
      await run({ disks: { db: "d2" } });
      expect(aws.of("RunTask")).toHaveLength(1);
    });
  });

  test("its delete stops what still runs, and nothing else", async () => {
    const tasks: Task[] = [];
    await start(fakeTasks(tasks, well));
    tasks.push(endedTask("done", markOf(asked()), 0), runningTask("going", markOf(asked()), 0));
    await job.delete?.(values(asked()));
    expect(aws.of("StopTask").map(({ task }) => String(task).split("/").at(-1))).toEqual(["going"]);
  });

  test("says which cluster is gone, and its delete passes there", async () => {
    await start({
      ListTasks: () => {
        throw new Refusal("ClusterNotFoundException", "Cluster not found.");
      },
    });
    await expect(run()).rejects.toThrow("shop-migrate: the cluster shop is gone: run `pulumi up --refresh`");
    await expect(job.delete?.(values(asked()))).resolves.toBeUndefined();
  });

  test("a finalizer's job runs at its delete", async () => {
    await start(fakeTasks([], well));
    const { name, image, command, seconds, ecs } = asked();
    const state = values({ job: { name, image, command, seconds, ecs } });
    await finalizer.create(state);
    expect(aws.calls).toEqual([]);
    await finalizer.delete?.(state);
    expect(aws.of("RunTask")).toHaveLength(1);
  });

  test("a profile that is named counts more than the variables' credentials", async () => {
    await start(fakeTasks([], well));
    const folder = await mkdtemp(join(tmpdir(), "aws-"));
    const warned = jest.spyOn(console, "warn").mockReturnValue(); // the SDK says that both are there
    try {
      const file = join(folder, "credentials");
      await writeFile(file, "[deployer]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n");
      process.env.AWS_SHARED_CREDENTIALS_FILE = file;
      const { ecs, ...rest } = asked();
      await job.create(values({ ...rest, ecs: { ...ecs, at: { ...ecs.at, profile: "deployer" } } }));
      expect(new Set(aws.calls.map(({ key }) => key))).toEqual(new Set(["AKIDPROFILE"]));
    } finally {
      warned.mockRestore();
      await rm(folder, { recursive: true });
    }
  });

  test("a role is assumed where one is named", async () => {
    const credentials = {
      AccessKeyId: "AKIDROLE",
      SecretAccessKey: "s",
      SessionToken: "t",
      Expiration: "2999-01-01T00:00:00Z",
    };
    await start({ ...fakeTasks([], well), AssumeRole: () => ({ Credentials: credentials }) });
    const { ecs, ...rest } = asked();
    await job.create(values({ ...rest, ecs: { ...ecs, at: { ...ecs.at, roleArn: "arn:aws:iam::1:role/deployer" } } }));
    expect(aws.of("AssumeRole")[0]).toMatchObject({ RoleArn: "arn:aws:iam::1:role/deployer" });
    for (const { action, key } of aws.calls) expect(key).toBe(action === "AssumeRole" ? "AKIDTEST" : "AKIDROLE");
  });
});

describe("a gate of a service on ECS", () => {
  const ours = "arn:aws:ecs:eu-central-1:1:task-definition/shop-web:2";
  const deployment = { status: "PRIMARY", taskDefinition: ours, desiredCount: 1, runningCount: 0, createdAt: 1000 };
  const state = (...deployments: object[]) => ({ services: [{ status: "ACTIVE", deployments, events: [] }] });
  const inProgress = state({ ...deployment, rolloutState: "IN_PROGRESS" });
  const complete = state({ ...deployment, rolloutState: "COMPLETED", runningCount: 1 });
  const failed = state({ ...deployment, rolloutState: "FAILED", rolloutStateReason: "tasks failed to start." });
  const none: AwsAnswers = { ListTasks: () => ({ taskArns: [] }), ListServiceDeployments: () => ({}) };
  const wait = (more: object = {}): Promise<unknown> =>
    ecsGate.create(
      values({
        ...{ at: aws.at, cluster: "shop", service: "arn:aws:ecs:eu-central-1:1:service/shop/web", name: "shop-web" },
        ...{ taskDefinition: ours, seconds: 20, logGroup: "/shop", container: "main", redact: [password], ...more },
      }),
    );

  test("passes once its deployment is complete", async () => {
    aws = await fakeAws({ DescribeServices: (_input, nth) => (nth < 2 ? inProgress : complete) });
    await wait();
    expect(aws.of("DescribeServices")).toHaveLength(3);
  });

  test.each(["ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"])(
    "is asked again after %s, nine times, and the tenth is told with the remedy",
    async (name) => {
      const asks = 10;
      const soon = jest.spyOn(Math, "random").mockReturnValue(0); // of the wait before the next attempt
      const refusedFor = (times: number): AwsAnswers => ({
        DescribeServices: (_input, nth) => {
          if (nth < times) throw new Refusal(name, "Rate exceeded");
          return complete;
        },
      });
      try {
        aws = await fakeAws(refusedFor(asks - 1));
        await wait();
        expect(aws.of("DescribeServices")).toHaveLength(asks);
        aws.close();
        aws = await fakeAws(refusedFor(asks));
        await expect(wait()).rejects.toThrow(/limits the calls of this account.*: run `pulumi up --parallel 4`/);
        expect(aws.of("DescribeServices")).toHaveLength(asks);
      } finally {
        soon.mockRestore();
      }
    },
  );

  test("fails with ECS's reason, those of its tasks, and the last one's log, and no secret", async () => {
    const stopped = (id: string, stoppedAt: number, stoppedReason: string, definition = ours) => ({
      ...{
        taskArn: `arn:aws:ecs:r:1:task/shop/${id}`,
        taskDefinitionArn: definition,
        lastStatus: "STOPPED",
        stoppedAt,
      },
      ...{ stoppedReason, containers: [{ name: "main", exitCode: 1 }] },
    });
    const tasks = [
      stopped("a", 10, "Essential container in task exited"),
      stopped("b", 30, "Essential container in task exited"),
      stopped("c", 20, "Task failed container health checks"),
      stopped("d", 40, "of the version before", "other"),
    ];
    aws = await fakeAws({
      DescribeServices: () => failed,
      ListTasks: ({ desiredStatus }) => ({
        taskArns: desiredStatus === "STOPPED" ? tasks.map(({ taskArn }) => taskArn) : [],
      }),
      DescribeTasks: () => ({ tasks }),
      ListServiceDeployments: () => ({
        serviceDeployments: [
          { createdAt: 1, statusReason: "an earlier one" },
          { createdAt: 2, statusReason: "circuit breaker threshold exceeded" },
        ],
      }),
      GetLogEvents: log(`login with ${password}`, "refused"),
    });
    const error = await wait().catch(String);
    expect(error).toBe(
      [
        "Error: shop-web did not become healthy: its deployment failed (tasks failed to start.)",
        "ECS says:",
        "  | circuit breaker threshold exceeded",
        "stopped tasks:",
        "  | Essential container in task exited; main: exit code 1",
        "  | Task failed container health checks; main: exit code 1",
        "last log lines of task b:",
        "  | login with [secret]",
        "  | refused",
      ].join("\n"),
    );
    expect(aws.of("ListTasks")[0]).toMatchObject({ cluster: "shop", serviceName: "web" });
    expect(aws.of("GetLogEvents")[0]).toMatchObject({ logStreamName: "main/main/b" });
  });

  test("fails in the second run, too, and where nothing else answers", async () => {
    aws = await fakeAws({ DescribeServices: () => failed });
    for (let runs = 0; runs < 2; runs++) {
      await expect(wait()).rejects.toThrow(
        "shop-web did not become healthy: its deployment failed (tasks failed to start.)",
      );
    }
  });

  test("a rollback is a failure at once", async () => {
    const back = { ...deployment, taskDefinition: ours.replace(":2", ":1"), rolloutStateReason: "rolling back to 1" };
    aws = await fakeAws({ ...none, DescribeServices: () => state(back, { ...deployment, status: "ACTIVE" }) });
    await expect(wait()).rejects.toThrow("its deployment was rolled back: shop-web:1 runs (rolling back to 1)");
  });

  test("is late with what is missing, and with the event that tells why no task comes", async () => {
    const messages = [
      { createdAt: 1300, message: "(service web) has started 1 tasks" },
      { createdAt: 1200, message: "(service web) was unable to place a task: no capacity" },
      { createdAt: 900, message: "(service web) was unable to do something else" },
    ];
    const services = inProgress.services.map((service) => ({ ...service, events: messages }));
    aws = await fakeAws({ ...none, DescribeServices: () => ({ services }) });
    await expect(wait({ seconds: 0.2 })).rejects.toThrow(
      "0 of 1 tasks run after 0.2 s\nECS says:\n  | (service web) was unable to place a task: no capacity",
    );
  });

  test.each<[string, () => unknown]>([
    ["the service is gone", () => ({ services: [], failures: [{ reason: "MISSING" }] })],
    [
      "the cluster is gone",
      () => {
        throw new Refusal("ClusterNotFoundException", "Cluster not found.");
      },
    ],
  ])("%s", async (_what, DescribeServices) => {
    aws = await fakeAws({ DescribeServices });
    await expect(wait()).rejects.toThrow(
      "shop-web did not become healthy: its service is gone: run `pulumi up --refresh`",
    );
  });
});

describe("a slot's machine", () => {
  const serves = (InstanceId: string, Version = "2") => ({
    ...{ InstanceId, LifecycleState: "InService", HealthStatus: "Healthy", LaunchTemplate: { Version } },
  });
  const group = (...Instances: object[]) => ({ AutoScalingGroups: [{ DesiredCapacity: 1, Instances }] });
  const online = () => ({ InstanceInformationList: [{ PingStatus: "Online" }] });
  const done = () => ({ Status: "Success", ResponseCode: 0 });
  const sent: AwsAnswers[string] = (_input, nth) => ({ Command: { CommandId: `c-${String(nth)}` } });
  const usual: AwsAnswers = {
    DescribeAutoScalingGroups: () => group(serves("i-1")),
    DescribeInstanceInformation: online,
    SendCommand: sent,
    GetCommandInvocation: done,
  };
  const slot = (more: object = {}) =>
    values({
      ...{ at: aws.at, name: "db-1", group: "shop-db-1", spec: "v-2", template: "2", seconds: 20 },
      ...{ logGroup: "/shop", redact: [password], ...more },
    });

  test("applies the spec once its agent is online", async () => {
    aws = await fakeAws({
      ...usual,
      DescribeInstanceInformation: (_input, nth) => (nth === 0 ? { InstanceInformationList: [] } : online()),
      GetCommandInvocation: (_input, nth) => {
        if (nth === 0) throw new Refusal("InvocationDoesNotExist");
        return nth === 1 ? { Status: "InProgress" } : done();
      },
    });
    expect(await machine.create(slot())).toEqual({ instanceId: "i-1" });
    const [command, ...others] = aws.of("SendCommand");
    expect(others).toEqual([]);
    expect(command).toMatchObject({ DocumentName: "AWS-RunShellScript", InstanceIds: ["i-1"] });
    expect(command?.Parameters).toEqual({
      commands: ["cloud-init status --wait >/dev/null 2>&1 || true", "/usr/local/bin/slot apply v-2"],
      executionTimeout: [expect.stringMatching(/^1?\d$|^20$/)],
    });
    expect(aws.of("TerminateInstanceInAutoScalingGroup")).toEqual([]);
  });

  test("of an earlier template is replaced first, in an update too", async () => {
    let instances = [serves("i-1", "1")];
    aws = await fakeAws({
      ...usual,
      DescribeAutoScalingGroups: () => group(...instances),
      TerminateInstanceInAutoScalingGroup: (_input, nth) => {
        if (nth === 0) throw new Refusal("ScalingActivityInProgress");
        instances = [{ ...serves("i-1", "1"), LifecycleState: "Terminating" }, serves("i-2")];
        return {};
      },
    });
    expect(await machine.update(slot({ template: "1" }), slot())).toEqual({ instanceId: "i-2" });
    expect(aws.of("TerminateInstanceInAutoScalingGroup")[1]).toMatchObject({
      ...{ InstanceId: "i-1", ShouldDecrementDesiredCapacity: "false" },
    });
    expect(aws.of("SendCommand").map(({ InstanceIds }) => InstanceIds)).toEqual([["i-2"]]);
  });

  test("is not replaced for ever when the group has another template", async () => {
    let instance = serves("i-1", "1");
    aws = await fakeAws({
      ...{ DescribeAutoScalingGroups: () => group(instance), DescribeScalingActivities: () => ({}) },
      TerminateInstanceInAutoScalingGroup: () => {
        instance = serves("i-2", "1");
        return {};
      },
    });
    await expect(machine.create(slot())).rejects.toThrow("its new machine i-2 is of version 1 of the template, not 2");
    expect(aws.of("TerminateInstanceInAutoScalingGroup")).toHaveLength(1);
  });

  test("that the group replaces meanwhile is asked again", async () => {
    aws = await fakeAws({
      ...usual,
      DescribeAutoScalingGroups: (_input, nth) => group(serves(nth < 2 ? "i-1" : "i-2")),
      GetCommandInvocation: ({ InstanceId }) => (InstanceId === "i-1" ? { Status: "InProgress" } : done()),
    });
    expect(await machine.create(slot())).toEqual({ instanceId: "i-2" });
  });

  test("that fails says so in its own words, without a secret", async () => {
    aws = await fakeAws({
      ...usual,
      GetCommandInvocation: () => ({
        ...{ Status: "Failed", StatusDetails: "Failed", ResponseCode: 1 },
        StandardErrorContent: `db-1 is unhealthy\npassword=${password}\n`,
      }),
    });
    const expected =
      "db-1 did not become healthy: `slot apply` failed with exit code 1 on its machine i-1\n" +
      "its machine says:\n  | db-1 is unhealthy\n  | password=[secret]";
    for (let runs = 0; runs < 2; runs++) await expect(machine.create(slot())).rejects.toThrow(expected);
  });

  test("that is late is told to stop, and its log is shown", async () => {
    aws = await fakeAws({
      ...usual,
      GetCommandInvocation: () => ({ Status: "InProgress" }),
      CancelCommand: () => ({}),
      GetLogEvents: log(`connecting with ${password}`),
    });
    await expect(machine.create(slot({ seconds: 0.2 }))).rejects.toThrow(
      "`slot apply` is InProgress on its machine i-1 after 0.2 s\nlast log lines:\n  | connecting with [secret]",
    );
    expect(aws.of("CancelCommand")).toEqual([{ CommandId: "c-0" }]);
    expect(aws.of("GetLogEvents")[0]).toMatchObject({ logStreamName: "slot" });
  });

  test("that never comes is told with the group's own reason", async () => {
    aws = await fakeAws({
      DescribeAutoScalingGroups: () => group(),
      DescribeScalingActivities: () => ({
        Activities: [
          { ActivityId: "2", StatusCode: "PreInService" },
          { ActivityId: "1", StatusCode: "Failed", StatusMessage: "Client.InternalError: the key is not allowed" },
        ],
      }),
    });
    await expect(machine.create(slot({ seconds: 0.2 }))).rejects.toThrow(
      "its group has no machine after 0.2 s\nits Auto Scaling group says:\n  | Client.InternalError: the key is not allowed",
    );
  });

  test("without a right says which", async () => {
    aws = await fakeAws({
      ...usual,
      SendCommand: () => {
        throw new Refusal("AccessDeniedException", "not authorized to perform: ssm:SendCommand");
      },
    });
    await expect(machine.create(slot())).rejects.toThrow("refuses a call (not authorized to perform: ssm:SendCommand)");
  });
});
