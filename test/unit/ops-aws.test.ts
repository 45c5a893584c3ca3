/** What is said of AWS's answers: a task's end, a deployment, a group, a command, and the API's failures. */
import type { AutoScalingGroup, Instance } from "@aws-sdk/client-auto-scaling";
import type { Deployment, Service, Task } from "@aws-sdk/client-ecs";
import type { GetCommandInvocationResult } from "@aws-sdk/client-ssm";
import { describe, expect, test } from "@jest/globals";

import { explainAws } from "../../ops/aws.ts";
import { describeWait, ecsGate, judgeDeployment } from "../../ops/ecs-gate.ts";
import { advised, causeOf, endingOf, markOf } from "../../ops/ecs-job.ts";
import { finalizer } from "../../ops/finalizer.ts";
import { ecsFingerprint, type EcsJobInputs } from "../../ops/job-inputs.ts";
import { job } from "../../ops/job.ts";
import { judgeGroup, machine } from "../../ops/machine.ts";
import { judgeCommand } from "../../ops/shell-command.ts";
import { values } from "../../ops/wire.ts";

const at = { region: "eu-central-1" };
const definition = "arn:aws:ecs:eu-central-1:1:task-definition/shop-migrate:3";
const ecs: EcsJobInputs["ecs"] = {
  ...{ at, cluster: "shop", taskDefinition: definition, container: "main", logGroup: "/shop" },
  ...{ subnets: ["subnet-1"], securityGroups: ["sg-1"] },
};
const bare = { name: "shop-migrate", image: "i", command: ["c"], seconds: 60 };
const rest = { ...bare, trigger: "1" };
const asked: EcsJobInputs = { ...rest, ecs };

describe("the end of a job's task", () => {
  const ended: Task = {
    ...{ lastStatus: "STOPPED", stopCode: "EssentialContainerExited" },
    stoppedReason: "Essential container in task exited",
    containers: [{ name: "main", exitCode: 0 }],
  };
  const noCode: Task = { ...ended, stopCode: "TaskFailedToStart", containers: [{ name: "main" }] };
  const pull = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found";
  test.each<[string, Task, string | undefined]>([
    ["it waits for its network", { lastStatus: "PROVISIONING" }, "goes on"],
    ["it runs", { lastStatus: "RUNNING", containers: [{ name: "main" }] }, "goes on"],
    ["another container has ended", { lastStatus: "RUNNING", containers: [{ name: "init", exitCode: 0 }] }, "goes on"],
    ["its container has ended, and the network goes", { ...ended, lastStatus: "DEPROVISIONING" }, undefined],
    [
      "it is told to stop, and its container has obeyed",
      { ...ended, lastStatus: "DEPROVISIONING", stopCode: "UserInitiated" },
      "goes on",
    ],
    ["well", ended, undefined],
    ["well, without a word of why", { lastStatus: "STOPPED", containers: [{ name: "main", exitCode: 0 }] }, undefined],
    ["not well", { ...ended, containers: [{ name: "main", exitCode: 3 }] }, "failed with exit code 3"],
    [
      "out of memory",
      { ...ended, containers: [{ name: "main", exitCode: 137, reason: "OutOfMemoryError: killed" }] },
      "failed with exit code 137 (OutOfMemoryError: killed)",
    ],
    [
      "its secrets' container failed",
      { ...ended, containers: [{ name: "main" }, { name: "init", exitCode: 1 }] },
      "could not be started: its container init failed with exit code 1",
    ],
    [
      "somebody has stopped it, and it obeyed with code 0",
      { ...ended, stopCode: "UserInitiated", stoppedReason: "Task stopped by user" },
      "was stopped from outside: Task stopped by user",
    ],
    [
      "the host goes",
      { ...ended, stopCode: "TerminationNotice", stoppedReason: "host" },
      "was stopped from outside: host",
    ],
    [
      "no image",
      { ...noCode, stoppedReason: pull, containers: [{ name: "main", reason: pull }] },
      `could not be started: ${pull}: push the image to a registry that the subnets reach`,
    ],
    [
      "no secret",
      { ...noCode, stoppedReason: "ResourceInitializationError: unable to pull secrets or registry auth" },
      "auth: check that the secret exists, that the execution role may read it, and the way to it",
    ],
    ["no capacity", { ...noCode, stoppedReason: "Capacity is unavailable." }, "unavailable: AWS has no room for it"],
    [
      "no network",
      { ...noCode, stoppedReason: "Timeout waiting for network interface provisioning to complete." },
      "to complete: check the subnets' way to AWS",
    ],
    ["nobody says why", { lastStatus: "STOPPED" }, "could not be started: ECS gives no reason"],
  ])("%s", (_when, task, expected) => {
    const ending = endingOf(task, "main");
    const said = ending ? ending.why : "goes on";
    if (expected === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(expected);
  });

  test("every container has its part in why, and once", () => {
    const containers = [
      { name: "a", reason: "first" },
      { name: "b", reason: "second" },
      { name: "c", exitCode: 2 },
      { name: "d", exitCode: 0 },
    ];
    expect(causeOf({ stoppedReason: "the first.", containers })).toBe("the first; b: second; c: exit code 2");
  });

  test("no remedy is made up", () => {
    expect(advised("a word that nobody knows")).toBe("a word that nobody knows");
  });
});

describe("a run's mark", () => {
  test("is what ECS takes as startedBy, and says whose it is", () => {
    const mark = markOf({ ...asked, name: `shop.${"x".repeat(200)}` });
    expect(mark).toMatch(/^shop-x+-[\da-f]{32}$/);
    expect(mark.length).toBeLessThanOrEqual(128);
    expect(markOf(asked)).toBe(`shop-migrate-${ecsFingerprint(asked)}`);
  });

  test.each<[string, EcsJobInputs, boolean]>([
    ["another trigger", { ...asked, trigger: "2" }, true],
    ["another disk", { ...asked, disks: { db: "d2" } }, true],
    ["another command", { ...asked, command: ["d"] }, true],
    ["another revision", { ...asked, ecs: { ...ecs, taskDefinition: definition.replace(":3", ":4") } }, true],
    ["another cluster", { ...asked, ecs: { ...ecs, cluster: "other" } }, true],
    ["another profile", { ...asked, ecs: { ...ecs, at: { ...at, profile: "p" } } }, false],
    ["another log group", { ...asked, ecs: { ...ecs, logGroup: "/other" } }, false],
    ["another limit", { ...asked, seconds: 61 }, false],
    ["another word to hide", { ...asked, redact: ["word"] }, false],
  ])("%s: another run is %s", (_what, other, expected) => {
    expect(ecsFingerprint(other) !== ecsFingerprint(asked)).toBe(expected);
  });
});

describe("what a change does", () => {
  const diff = (olds: object, news: object) => job.diff(values({ ...olds }), values({ ...news }));
  const other = (more: object) => ({ ...asked, ecs: { ...ecs, ...more } });
  test.each<[string, object, boolean, string[]]>([
    ["nothing", asked, false, []],
    ["another profile", other({ at: { ...at, profile: "p", endpoint: "http://localhost:1" } }), false, []],
    ["another revision", other({ taskDefinition: definition.replace(":3", ":4") }), true, []],
    ["other subnets", other({ subnets: ["subnet-2"] }), true, []],
    ["a word to hide", { ...asked, redact: ["word"] }, false, []],
    ["a trigger", { ...asked, trigger: "2" }, true, ["trigger"]],
    ["an image", { ...asked, image: "j" }, true, ["image"]],
    ["a disk more", { ...asked, disks: { db: "d1" } }, false, []],
  ])("a job: %s", (_what, news, changes, replaces) => {
    expect(diff(asked, news)).toEqual({ changes, replaces });
  });

  test("a job of another disk runs again", () => {
    const replaced = diff({ ...asked, disks: { db: "d1" } }, { ...asked, disks: { db: "d2" } });
    expect(replaced).toEqual({ changes: true, replaces: ["disks"] });
  });

  test("a job that moves from an engine to ECS is only noted", () => {
    expect(diff({ ...rest, host: "tcp://h:1", networks: [] }, asked)).toEqual({ changes: true, replaces: [] });
  });

  test("a finalizer: where the work is done is no difference, all else is noted", () => {
    const leave = { ...bare, ecs };
    const change = (more: object) =>
      finalizer.diff(values({ job: leave }), values({ job: { ...leave, ecs: { ...ecs, ...more } } }));
    expect(change({ at: { ...at, profile: "p" } })).toEqual({ changes: false, replaces: [] });
    expect(change({ cluster: "other" })).toEqual({ changes: true, replaces: [] });
  });

  test.each<[string, unknown, boolean, string[]]>([
    ["at", { region: "eu-west-1" }, false, []],
    ["redact", ["word"], false, []],
    ["seconds", 61, true, []],
    ["service", "other", true, ["service"]],
    ["taskDefinition", "other", true, ["taskDefinition"]],
  ])("a gate: %s", (key, value, changes, replaces) => {
    const gate = { at, service: "web", taskDefinition: definition, seconds: 60 };
    expect(ecsGate.diff(values(gate), values({ ...gate, [key]: value }))).toEqual({ changes, replaces });
  });

  test.each<[string, unknown, boolean]>([
    ["at", { region: "eu-west-1" }, false],
    ["redact", ["word"], false],
    ["spec", "v2", true],
    ["template", "2", true],
  ])("a machine: %s, and none is made anew", (key, value, changes) => {
    const slot = { at, group: "g", spec: "v1", template: "1" };
    expect(machine.diff(values(slot), values({ ...slot, [key]: value }))).toEqual({ changes, replaces: [] });
  });
});

describe("inputs", () => {
  const issues = (given: object) => job.inputs.safeParse(given).error?.issues.map(({ path }) => path.join("."));
  test.each<[string, object, string[] | undefined]>([
    ["a job on ECS", asked, undefined],
    ["a job on an engine", { ...rest, host: "tcp://h:1", networks: [] }, undefined],
    ["neither", rest, ["host", "networks"]],
    ["a job on a swarm without a network", { ...rest, host: "tcp://h:1", networks: [], swarm: {} }, ["networks"]],
    ["both", { ...asked, host: "tcp://h:1" }, [""]],
    [
      "a family without a revision",
      { ...asked, ecs: { ...ecs, taskDefinition: "shop-migrate" } },
      ["ecs.taskDefinition"],
    ],
    ["no region", { ...asked, ecs: { ...ecs, at: {} } }, ["ecs.at.region"]],
  ])("%s", (_what, given, expected) => {
    expect(issues(given)).toEqual(expected);
  });

  test("a finalizer's job is one or the other, too, and has no trigger", () => {
    const leave = { ...bare, ecs };
    expect(finalizer.inputs.safeParse({ job: leave }).success).toBe(true);
    expect(finalizer.inputs.safeParse({ job: { ...leave, trigger: "1" } }).success).toBe(false);
    expect(finalizer.inputs.safeParse({ host: "tcp://h:1", job: { ...bare, networks: [] } }).success).toBe(true);
    expect(finalizer.inputs.safeParse({ job: { ...bare, networks: [] } }).error?.issues[0]?.path).toEqual(["host"]);
  });

  test("a machine's spec cannot say more to its shell", () => {
    const slot = { at, name: "db-1", group: "g", spec: "v1; reboot", template: "1", seconds: 60 };
    expect(machine.inputs.safeParse(slot).error?.issues[0]?.message).toBe("is no id of a secret's version");
  });
});

describe("a deployment", () => {
  const ours: Deployment = {
    ...{ status: "PRIMARY", taskDefinition: "d/web:2", rolloutState: "IN_PROGRESS" },
    ...{ desiredCount: 2, runningCount: 1, failedTasks: 0 },
  };
  const theirs: Deployment = { ...ours, taskDefinition: "d/web:1", rolloutState: "COMPLETED" };
  const service = (...deployments: Deployment[]): Service => ({ status: "ACTIVE", deployments });
  const breaker = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.";
  test.each<[string, Service | undefined, number, string]>([
    ["it goes on", service(ours), 0, "waiting"],
    ["it goes on, with the old one beside it", service(ours, { ...theirs, status: "ACTIVE" }), 0, "waiting"],
    ["it is complete", service({ ...ours, rolloutState: "COMPLETED" }), 0, "healthy"],
    ["no task is wanted", service({ ...ours, desiredCount: 0, runningCount: 0 }), 0, "healthy"],
    ["no task is wanted, and one is there still", service({ ...ours, desiredCount: 0 }), 0, "waiting"],
    ["nothing is told of it", { status: "ACTIVE" }, 0, "waiting"],
    ["there is no service", undefined, 0, "its service is gone"],
    ["the service was deleted", { ...service(ours), status: "INACTIVE" }, 0, "its service is gone"],
    ["the service is about to go", { ...service(ours), status: "DRAINING" }, 0, "its service is gone"],
    [
      "failed, with nothing to go back to",
      service({ ...ours, rolloutState: "FAILED", rolloutStateReason: "tasks failed to start." }),
      0,
      "its deployment failed (tasks failed to start.)",
    ],
    [
      "the rollback goes on",
      service({ ...theirs, rolloutStateReason: breaker }, { ...ours, status: "ACTIVE" }),
      0,
      `was rolled back: web:1 runs (${breaker}); mend it, or run \`pulumi up --refresh\` to try the same again`,
    ],
    [
      "rolled back",
      service(theirs, { ...ours, status: "INACTIVE", rolloutState: "FAILED" }),
      0,
      "was rolled back: web:1",
    ],
    ["another one, lately", service(theirs), 4999, "waiting"],
    [
      "another one",
      service(theirs),
      5000,
      "it was rolled back, or somebody else has changed it: web:1 runs, not web:2",
    ],
  ])("%s", (_when, given, foreign, expected) => {
    const verdict = judgeDeployment(given, "d/web:2", foreign);
    expect(verdict.is === "failed" ? verdict.why : verdict.is).toContain(expected);
  });

  test.each<[string, Service, string]>([
    ["a task is missing", service(ours), "1 of 2 tasks run"],
    [
      "tasks fail",
      service({ ...ours, failedTasks: 3, rolloutStateReason: "ECS deployment ecs-svc/2 in progress." }),
      "1 of 2 tasks run, 3 have failed, ECS deployment ecs-svc/2 in progress",
    ],
    ["another one", service(theirs), "its deployment has not begun"],
  ])("what is missing: %s", (_when, given, expected) => {
    expect(describeWait(given, "d/web:2")).toBe(expected);
  });
});

describe("a slot's group", () => {
  const serves: Instance = {
    ...{ InstanceId: "i-1", LifecycleState: "InService", HealthStatus: "Healthy" },
    ...{ LaunchTemplate: { Version: "2" }, AvailabilityZone: "a", ProtectedFromScaleIn: false },
  };
  const old: Instance = { ...serves, LaunchTemplate: { Version: "1" } };
  const fresh: Instance = { ...serves, InstanceId: "i-2" };
  const of = (...Instances: Instance[]) => ({ DesiredCapacity: 1, Instances }) as AutoScalingGroup;
  test.each<[string, AutoScalingGroup | undefined, string | undefined, string, string]>([
    ["it serves", of(serves), undefined, "ready", "i-1"],
    ["it is new", of({ ...old, LifecycleState: "Terminating" }, fresh), "i-1", "ready", "i-2"],
    ["it is of an earlier template", of(old), undefined, "outdated", "i-1"],
    ["the old one is still there", of(old), "i-1", "waiting", "i-1 is InService"],
    ["it starts", of({ ...serves, LifecycleState: "Pending" }), undefined, "waiting", "i-1 is Pending"],
    ["it is to be replaced", of({ ...serves, HealthStatus: "Unhealthy" }), undefined, "waiting", "i-1 is Unhealthy"],
    ["there is none", of(), undefined, "waiting", "its group has no machine"],
    [
      "the new one is of another template",
      of({ ...fresh, ...{ LaunchTemplate: { Version: "1" } } }),
      "i-1",
      "failed",
      "not 2",
    ],
    ["there is no group", undefined, undefined, "failed", "its Auto Scaling group is gone"],
    ["none is wanted", { ...of(), DesiredCapacity: 0 }, undefined, "failed", "is to have no machine"],
  ])("%s", (_when, group, terminated, is, what) => {
    const verdict = judgeGroup(group, "2", terminated);
    expect(verdict.is).toBe(is);
    expect("why" in verdict ? verdict.why : verdict.instance).toContain(what);
  });
});

describe("a command", () => {
  test.each<[string, GetCommandInvocationResult | undefined, string]>([
    ["nothing is known yet", undefined, "waiting: `slot apply` is Pending"],
    ["it goes on", { Status: "InProgress", ResponseCode: -1 }, "waiting: `slot apply` is InProgress"],
    ["it is late", { Status: "Delayed" }, "waiting: `slot apply` is Delayed"],
    ["well", { Status: "Success", ResponseCode: 0 }, "done"],
    ["not well", { Status: "Failed", ResponseCode: 4 }, "failed: `slot apply` failed with exit code 4"],
    [
      "not delivered",
      { Status: "TimedOut", StatusDetails: "Delivery Timed Out" },
      "failed: `slot apply` was not carried out (Delivery Timed Out)",
    ],
    ["not carried out", { Status: "Failed", StatusDetails: "Undeliverable", ResponseCode: -1 }, "(Undeliverable)"],
    ["somebody has cancelled it", { Status: "Cancelled" }, "failed: `slot apply` was not carried out (Cancelled)"],
  ])("%s", (_when, answer, expected) => {
    const verdict = judgeCommand(answer, "slot apply");
    expect(verdict.is === "done" ? "done" : `${verdict.is}: ${verdict.why}`).toContain(expected);
  });
});

describe("a failure of the API", () => {
  const failure = (name: string, message: string, more: object = {}) =>
    Object.assign(new Error(message), { name, $metadata: {} }, more);
  test.each<[Error, string]>([
    [
      failure("ExpiredTokenException", "The security token is expired"),
      "credentials of the profile ops have expired: log in",
    ],
    [
      failure("CredentialsProviderError", "Could not load credentials from any providers"),
      "no AWS credentials of the profile ops were found (Could not load credentials from any providers): log in, as by",
    ],
    [
      failure("UnrecognizedClientException", "The security token included in the request is invalid."),
      "AWS in eu-central-1 does not accept the credentials of the profile ops (The security",
    ],
    [
      failure("AccessDeniedException", "User: u is not authorized to perform: ecs:RunTask"),
      "AWS in eu-central-1 refuses a call (User: u is not authorized to perform: ecs:RunTask): let its policy allow that",
    ],
    [
      failure("ThrottlingException", "Rate exceeded"),
      "limits the calls of this account (Rate exceeded): run `pulumi up --p",
    ],
    [
      failure("Error", "getaddrinfo ENOTFOUND ecs.eu-central-1.amazonaws.com", { code: "ENOTFOUND" }),
      "there is no AWS in eu-central-1 to be found (getaddrinfo ENOTFOUND ecs.eu-central-1.amazonaws.com): correct the region",
    ],
    [failure("Error", 'Region not accepted: region="x y"'), "correct the region"],
    [
      failure("Error", "connect ECONNREFUSED", { code: "ECONNREFUSED" }),
      "cannot be reached (connect ECONNREFUSED): check",
    ],
    [
      failure("SyntaxError", "Unexpected token '<' is not valid JSON\n  Deserialization error: to see"),
      "AWS in eu-central-1 does not answer as AWS does (Unexpected token '<' is not valid JSON): check the endpoint",
    ],
    [failure("TimeoutError", "late"), "AWS in eu-central-1 cannot be reached (late)"],
    [failure("ServerException", "Service Unavailable"), "AWS in eu-central-1: ServerException: Service Unavailable"],
    [
      failure("Error", "Cannot find package '@aws-sdk/client-ecs' imported from x", { code: "ERR_MODULE_NOT_FOUND" }),
      "the AWS SDK is not installed: run `npm install @aws-sdk/client-ecs`",
    ],
  ])("%#", (error, expected) => {
    expect(explainAws(error, { ...at, profile: "ops" }).message).toContain(expected);
  });

  test("our own errors stay as they are", () => {
    const own = new Error("shop-migrate failed with exit code 1");
    expect(explainAws(own, at)).toBe(own);
  });
});
