/** `npm run status`: what follows from a state and what engines, managers and AWS say of it, and how it is shown. */
import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, test } from "@jest/globals";

import type { RegionSeen } from "../../tools/status/aws.ts";
import { type BackupSeen, judgeBackup, readBackup } from "../../tools/status/backup.ts";
import { edgeAddresses, type EdgeSeen } from "../../tools/status/certificate.ts";
import type { Host } from "../../tools/status/docker.ts";
import { judge, type Seen } from "../../tools/status/judge.ts";
import { within } from "../../tools/status/limit.ts";
import type { Status } from "../../tools/status/model.ts";
import { duration, render } from "../../tools/status/render.ts";
import { stateOf } from "../../tools/status/state.ts";
import type { SwarmSeen } from "../../tools/status/swarm.ts";
import { clean, quoting } from "../../tools/status/words.ts";

const now = new Date("2026-03-01T03:00:00Z");
const before = (minutes: number): string => new Date(now.getTime() - minutes * 60_000).toISOString();
const password = "Tr0ub4dor-and-3-horses";

interface Given {
  readonly type: string;
  readonly name: string;
  readonly outputs?: object;
  readonly id?: string;
  readonly provider?: string;
}
const urn = ({ type, name }: Given): string => `urn:pulumi:prod::platform-topologies::${type}::${name}`;

/** A state as `stack export` prints it. */
function state(resources: readonly Given[], more: object = {}) {
  return stateOf(
    JSON.stringify({
      version: 3,
      deployment: {
        manifest: { time: before(180) },
        resources: resources.map((each) => ({ urn: urn(each), custom: true, ...each })),
        ...more,
      },
    }),
  );
}

const seen = (over: Partial<Seen> = {}): Seen => ({
  ...{ hosts: [], swarms: [], regions: [], edge: undefined, backup: undefined },
  ...over,
});
const judged = (of: ReturnType<typeof state>, over: Partial<Seen>): Status =>
  judge(of, seen(over), { stack: "prod", now, simulated: false, quote: quoting([password]) });
const said = ({ findings }: Status): string[] =>
  findings.map(({ condition, what, why }) => `${condition} ${what}: ${why}`);

const marks = (workload: string) => ({
  "platform-topologies.name": "shop",
  "platform-topologies.owner": "0a0b",
  "platform-topologies.workload": workload,
});
const listedMarks = (workload: string) => Object.entries(marks(workload)).map(([label, value]) => ({ label, value }));
const identity = (topology: string): Given => ({
  type: "platform-topologies:index:StackIdentity",
  name: `${topology}-identity`,
  outputs: { name: "shop", topology, system: "arkindex", owner: "0a0b" },
});
const stackWith = (outputs: object): Given => ({
  type: "pulumi:pulumi:Stack",
  name: "platform-topologies-prod",
  outputs,
});

// --- one Docker host, and a further machine

const here = "unix:///var/run/docker.sock";
const gpu = "ssh://ops@gpu.example.com";
const engines: Given[] = [
  { type: "pulumi:providers:docker", name: "docker-engine", id: "p1", outputs: { host: here } },
  { type: "pulumi:providers:docker", name: "docker-engine-gpu", id: "p2", outputs: { host: gpu } },
];
const on = (host: string): string => {
  const engine = engines.find(({ outputs }) => (outputs as { host: string }).host === host);
  return engine === undefined ? "" : `${urn(engine)}::${engine.id ?? ""}`;
};
const made = (name: string, host = here, image = "sha256:pg"): Given => ({
  type: "docker:index/container:Container",
  name: `arkindex-${name}`,
  id: `id-${name}`,
  provider: on(host),
  outputs: { name: `shop-${name}`, image, labels: listedMarks(name) },
});
const pulled: Given = {
  type: "docker:index/remoteImage:RemoteImage",
  name: "docker-image-postgis",
  outputs: { imageId: "sha256:pg", name: "registry.example.com/hub/postgis:15-3.3" },
};
const volume: Given = {
  type: "platform-topologies:index:Volume",
  name: "arkindex-db-1",
  outputs: { name: "shop-db-1", host: here, labels: marks("db-1") },
};
const docker = [identity("docker"), ...engines, pulled, volume, made("db-1"), made("backend-1"), made("agent-1", gpu)];

type Container = Host["containers"][number];
const container = (name: string, over: Partial<Container["State"]> = {}, more: Partial<Container> = {}): Container => ({
  Id: `id-${name}`,
  Name: `/shop-${name}`,
  RestartCount: 0,
  State: {
    ...{ Status: "running", StartedAt: before(90), FinishedAt: "0001-01-01T00:00:00Z", ExitCode: 0 },
    ...{ OOMKilled: false, Error: "", Health: { Status: "healthy", FailingStreak: 0, Log: [] } },
    ...over,
  },
  Config: { Labels: marks(name), Healthcheck: { Interval: 5e9 } },
  ...more,
});
const host = (containers: readonly Container[], over: Partial<Host> = {}): Host => ({
  ...{ host: here, machine: "m1", containers, networks: [], volumes: ["shop-db-1"] },
  ...over,
});
const others = host([container("agent-1")], { host: gpu, machine: "gpu", volumes: [] });

describe("on Docker hosts", () => {
  test("all is well: where each part is, since when, and its version", () => {
    const status = judged(state(docker), { hosts: [host([container("db-1"), container("backend-1")]), others] });
    expect(status).toMatchObject({ verdict: "well", says: "prod is well: 3 parts", findings: [] });
    const image = "registry.example.com/hub/postgis:15-3.3";
    const well = { kind: "container", condition: "well", since: before(90), image };
    expect(status.parts).toEqual([
      { ...well, name: "shop-agent-1", where: ["gpu (gpu.example.com)"] },
      { ...well, name: "shop-backend-1", where: ["m1"] },
      { ...well, name: "shop-db-1", where: ["m1"] },
    ]);
  });

  const probe = (Start: string, Output: string) => ({ Start, Output });
  test.each<[string, Partial<Container["State"]>, Partial<Container>, string, string | undefined]>([
    [
      "ended",
      { Status: "exited", ExitCode: 137, OOMKilled: true, FinishedAt: before(7) },
      {},
      "unwell shop-db-1: does not run (exit code 137, out of memory)",
      before(7),
    ],
    [
      "restarting",
      { Status: "restarting", ExitCode: 1, FinishedAt: before(1) },
      { RestartCount: 9 },
      "unwell shop-db-1: its process ends again and again (exit code 1, 9 times)",
      before(1),
    ],
    [
      "created",
      { Status: "created", StartedAt: "", Error: "port is taken" },
      {},
      "unwell shop-db-1: was never started (port is taken)",
      undefined,
    ],
    ["paused", { Status: "paused" }, {}, "unwell shop-db-1: is paused", undefined],
    [
      "unhealthy",
      {
        Health: {
          Status: "unhealthy",
          FailingStreak: 3,
          Log: [
            probe(before(9), ""),
            probe(before(8), "no"),
            probe(before(7), ""),
            probe(before(6), `full: ${password}\nof it\u001b[2J`),
          ],
        },
      },
      {},
      "unwell shop-db-1: its health check fails: full: [secret] of it",
      before(8),
    ],
    [
      "unhealthy for longer than the engine keeps",
      { Health: { Status: "unhealthy", FailingStreak: 14, Log: [probe(before(9), ""), probe(before(8), "no")] } },
      {},
      "unwell shop-db-1: its health check fails: no",
      before(10),
    ],
    [
      "starting",
      { Health: { Status: "starting", FailingStreak: 1, Log: [probe(before(1), "not yet")] } },
      {},
      "care shop-db-1: starts: its health check has not passed yet: not yet",
      before(90),
    ],
    [
      "another container",
      {},
      { Id: "id-other" },
      "care shop-db-1: is another one than the state's: an up was interrupted",
      before(90),
    ],
    [
      "started anew a while ago",
      { StartedAt: before(20) },
      { RestartCount: 2 },
      "care shop-db-1: its process has ended, and was started anew (2 times)",
      before(20),
    ],
    ["somebody else's", {}, { Config: { Labels: {} } }, "unwell shop-db-1: belongs to another state", before(90)],
  ])("%s", (_title, looks, more, expected, since) => {
    const status = judged(state(docker), {
      hosts: [host([container("db-1", looks, more), container("backend-1")]), others],
    });
    expect(said(status)).toEqual([expected]);
    expect(status.findings[0]?.since).toBe(since);
    expect(status.findings[0]?.look).toMatch(/`docker logs --tail 50 shop-db-1`|`npm run pulumi -- up --stack prod`/);
    expect(status.verdict).toBe(expected.startsWith("unwell") ? "unwell" : "well");
  });

  test("what is gone, and what nobody knows, but no job that runs", () => {
    const job: Given = {
      type: "platform-topologies:index:Job",
      name: "arkindex-migrate",
      outputs: { name: "shop-migrate" },
    };
    const foreign = { Config: { Labels: { ...marks("x"), "platform-topologies.owner": "ffff" } } };
    const there = [container("backend-1"), container("migrate"), container("old"), container("x", {}, foreign)];
    const status = judged(state([...docker, job]), { hosts: [host(there, { volumes: [] }), others] });
    expect(said(status)).toEqual([
      "unwell shop-db-1: is not on its engine m1",
      "unwell volume shop-db-1: is not on its engine",
      "care shop-old: is on the engine and not in the state: an up runs now, or was interrupted",
      "care shop-x: has this stack's name, and belongs to another state",
    ]);
    expect(status.says).toBe("prod is UNWELL: 1 of 3 parts does not work");
  });

  test("an engine that does not answer is one sentence, and the rest is still told", () => {
    const failed = "Docker at ssh://ops@gpu.example.com cannot be reached by ssh: check that it is up";
    const dark = host([], { host: gpu, machine: "", failed, volumes: [] });
    const all = [container("db-1"), container("backend-1")];
    const status = judged(state(docker), { hosts: [host(all), dark] });
    expect(said(status)).toEqual([`unknown ${gpu}: ${failed}`]);
    expect(status).toMatchObject({ verdict: "unknown", says: "prod: CANNOT BE TOLD of 1 of 3 parts" });
    expect(status.findings[0]?.look).toBe(`\`docker -H ${gpu} info\``);
    const ill = judged(state(docker), { hosts: [host([container("backend-1")]), dark] });
    expect(ill.verdict).toBe("unwell"); // what is known to be wrong comes first
  });

  test("what rehearses is marked, and an interrupted up is said", () => {
    const outputs = {
      ...{
        url: "https://shop.example.com",
        rehearsing: ["arkindex/backend"],
        suppliers: { db: "postgres: container, as …" },
      },
      ...{ images: { "arkindex/backend": "registry.example.com/hub/postgis:15-3.3", redis: "redis:8" }, places: {} },
      passwords: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:x" },
    };
    const pending = { pending_operations: [{ type: "creating", resource: { urn: urn(made("db-1")) } }] };
    const status = judged(state([stackWith(outputs), ...docker], pending), {
      hosts: [host([container("db-1"), container("backend-1")]), others],
    });
    expect(status.parts.map(({ rehearses }) => rehearses)).toEqual([true, true, true]);
    expect(said(status)).toEqual(["care the last up: was interrupted: creating arkindex-db-1"]);
    expect(status).toMatchObject({ url: outputs.url, rehearsing: outputs.rehearsing, images: outputs.images });
    expect(JSON.stringify(status)).not.toContain("ciphertext");
  });
});

// --- a swarm

const managers = "tcp://10.0.0.1:2375,tcp://10.0.0.2:2375";
const swarmEngine: Given = {
  type: "pulumi:providers:docker",
  name: "swarm-engine",
  id: "p3",
  outputs: { host: "tcp://10.0.0.1:2375" },
};
const serviceOf = (name: string, replicas = 1): Given[] => [
  {
    type: "docker:index/service:Service",
    name: `arkindex-${name}`,
    id: `id-${name}`,
    provider: `${urn(swarmEngine)}::p3`,
    outputs: { name: `shop-${name}`, labels: listedMarks(name), mode: { replicated: { replicas } } },
  },
  {
    type: "platform-topologies:index:ServiceGate",
    name: `arkindex-${name}`,
    outputs: { service: `id-${name}`, host: managers },
  },
];
const swarmState = [identity("swarm"), swarmEngine, ...serviceOf("db-1"), ...serviceOf("backend", 2)];

const node = (name: string, over: object = {}): SwarmSeen["nodes"][number] => ({
  ID: `node-${name}`,
  Version: { Index: 1 },
  Spec: { Labels: {}, Role: "manager", Availability: "active" },
  Description: { Hostname: name, Platform: { OS: "", Architecture: "" }, Engine: { Labels: {} } },
  Status: { State: "ready" },
  ...over,
});
const task = (service: string, on: string, over: object = {}, slot = 1): SwarmSeen["tasks"][number] => ({
  ID: `${service}-${on}-${String(slot)}`,
  ServiceID: `id-${service}`,
  CreatedAt: before(60),
  NodeID: `node-${on}`,
  Slot: slot,
  DesiredState: "running",
  Spec: { ContainerSpec: { Labels: {}, Env: ["PLATFORM_TOPOLOGIES_SPEC=a", `KEY=${password}`] } },
  Status: { State: "running", Timestamp: before(59), Message: "", Err: "", ...over },
});
const service = (name: string, replicas = 1, over: object = {}): SwarmSeen["services"][number] => ({
  id: `id-${name}`,
  name: `shop-${name}`,
  labels: marks(name),
  image: `registry.example.com/${name}:1@sha256:0`,
  everyHours: undefined,
  spec: {
    Spec: {
      Name: `shop-${name}`,
      TaskTemplate: {
        ContainerSpec: { Labels: {}, Env: ["PLATFORM_TOPOLOGIES_SPEC=a", `KEY=${password}`], Healthcheck: null },
        Placement: { Constraints: [] },
      },
      Mode: { Replicated: { Replicas: replicas } },
      UpdateConfig: null,
    },
    UpdateStatus: null,
    ...over,
  },
});
const whole: SwarmSeen = {
  host: managers,
  services: [service("db-1"), service("backend", 2)],
  tasks: [task("db-1", "m1"), task("backend", "m1"), task("backend", "w1", {}, 2)],
  nodes: [node("m1"), node("w1")],
  networks: [],
  files: [],
};

describe("on a swarm", () => {
  test("all is well: the nodes of each service", () => {
    const status = judged(state(swarmState), { swarms: [whole] });
    expect(status).toMatchObject({ verdict: "well", findings: [] });
    expect(status.parts.map(({ name, where, replicas, since }) => [name, where, replicas, since])).toEqual([
      ["shop-backend", ["m1", "w1"], { running: 2, wanted: 2 }, before(59)],
      ["shop-db-1", ["m1"], undefined, before(59)],
    ]);
  });

  const failed = { State: "failed", Err: `task: non-zero exit (1) ${password}`, Timestamp: before(3) };
  const drained = node("m1", { Spec: { Labels: {}, Role: "manager", Availability: "drain" } });
  const pinned = service("db-1");
  const onM1 = {
    ...pinned,
    spec: {
      ...pinned.spec,
      Spec: {
        ...pinned.spec.Spec,
        TaskTemplate: { ...pinned.spec.Spec.TaskTemplate, Placement: { Constraints: ["node.hostname==m1"] } },
      },
    },
  };
  const pending = { State: "pending", Err: "no suitable node", Timestamp: before(4) };
  const backend = whole.tasks.filter(({ ServiceID }) => ServiceID === "id-backend");
  test.each<[string, Partial<SwarmSeen>, string[]]>([
    [
      "a task that fails",
      { tasks: [...backend, task("db-1", "m1", failed)] },
      ["unwell shop-db-1: shop-db-1.1 on node m1 fails: task: non-zero exit (1) [secret]"],
    ],
    [
      "a task that has failed and runs again",
      { tasks: [...whole.tasks, task("db-1", "m1", failed)] },
      ["care shop-db-1: 1 of its tasks failed in the last hour"],
    ],
    [
      "a task that failed two hours ago",
      { tasks: [...whole.tasks, task("db-1", "m1", { ...failed, Timestamp: before(120) })] },
      [],
    ],
    ["a service that is gone", { services: [service("backend", 2)] }, ["unwell shop-db-1: is not on its swarm"]],
    [
      "one of two replicas",
      { tasks: [task("db-1", "m1"), task("backend", "m1")] },
      ["care shop-backend: 1 of 2 tasks run"],
    ],
    [
      "a node that is drained, to which a service is bound",
      {
        nodes: [drained, node("w1")],
        services: [onM1, service("backend", 2)],
        tasks: [...backend, task("db-1", "", pending)],
      },
      ["unwell shop-db-1: its node m1 is drained"],
    ],
    [
      "a node that is down",
      { nodes: [...whole.nodes, node("w2", { Status: { State: "down" } })] },
      ["care node w2: manager, is down"],
    ],
    [
      "scaled by hand",
      { services: [service("db-1"), service("backend", 1)] },
      ["care shop-backend: was scaled by hand to 1"],
    ],
    [
      "scaled by hand to nothing",
      { services: [service("db-1", 0), service("backend", 2)], tasks: backend },
      ["unwell shop-db-1: was scaled by hand to 0"],
    ],
    [
      "an update that was rolled back",
      {
        services: [
          service("db-1", 1, { UpdateStatus: { State: "rollback_completed", Message: "rollback completed" } }),
          service("backend", 2),
        ],
      },
      ["care shop-db-1: its update is rollback_completed: rollback completed"],
    ],
    [
      "a stranger",
      { services: [...whole.services, service("old")] },
      ["care shop-old: is on the swarm and not in the state: an up runs now, or was interrupted"],
    ],
    [
      "no manager answers",
      { failed: "none of these answers as a manager: …", services: [], tasks: [], nodes: [] },
      ["unknown the swarm: none of these answers as a manager: …"],
    ],
  ])("%s", (_title, over, expected) => {
    const status = judged(state(swarmState), { swarms: [{ ...whole, ...over }] });
    expect(said(status)).toEqual(expected);
    for (const { look } of status.findings) expect(look).toBeDefined();
    expect(JSON.stringify(status)).not.toContain(password);
  });
});

// --- AWS

const arn = (what: string): string => `arn:aws:ecs:eu-central-1:123456789012:${what}`;
const ofEcs = (name: string, desiredCount: number): Given[] => [
  {
    type: "aws:ecs/service:Service",
    name: `arkindex-${name}`,
    id: arn(`service/shop/${name}`),
    outputs: {
      ...{ name, arn: arn(`service/shop/${name}`), cluster: arn("cluster/shop"), desiredCount },
      taskDefinition: arn(`task-definition/shop-${name}:1`),
    },
  },
  {
    type: "aws:ecs/taskDefinition:TaskDefinition",
    name: `arkindex-${name}`,
    outputs: {
      arn: arn(`task-definition/shop-${name}:1`),
      containerDefinitions: JSON.stringify([
        { name: "files", image: "toolbox:1" },
        { name, image: `hub/${name}:2` },
      ]),
    },
  },
  {
    type: "platform-topologies:index:EcsGate",
    name: `arkindex-${name}`,
    outputs: { service: name, logGroup: `/shop/${name}`, at: { region: "eu-central-1" } },
  },
];
const aws: Given[] = [
  identity("aws"),
  ...ofEcs("backend", 2),
  {
    type: "aws:autoscaling/group:Group",
    name: "arkindex-solr-1",
    outputs: { arn: arn("group/solr"), name: "solr-1-x", desiredCapacity: 1 },
  },
  {
    type: "platform-topologies:index:Machine",
    name: "arkindex-solr-1",
    outputs: { name: "shop-solr-1", group: "solr-1-x", template: "3", at: { region: "eu-central-1" } },
  },
  {
    type: "aws:rds/instance:Instance",
    name: "arkindex-db",
    outputs: {
      identifier: "shop-db",
      engine: "postgres",
      engineVersionActual: "17.1",
      arn: arn("db:shop-db"),
      password: "no",
    },
  },
  {
    type: "aws:ec2/instance:Instance",
    name: "swarm-manager-1",
    id: "i-9",
    outputs: { arn: arn("instance/i-9"), tags: { Name: "shop-manager-1" }, availabilityZone: "eu-central-1b" },
  },
];
const deployed: RegionSeen["services"][number] = {
  ...{
    serviceArn: arn("service/shop/backend"),
    serviceName: "backend",
    runningCount: 2,
    desiredCount: 2,
    status: "ACTIVE",
  },
  deployments: [
    {
      ...{ status: "PRIMARY", rolloutState: "COMPLETED", taskDefinition: arn("task-definition/shop-backend:1") },
      ...{ runningCount: 2, desiredCount: 2, updatedAt: new Date(before(300)) },
    },
  ],
};
const running = (zone: string, more: object = {}): RegionSeen["tasks"][number] => ({
  ...{ group: "service:backend", lastStatus: "RUNNING", availabilityZone: zone, healthStatus: "HEALTHY" },
  ...{ startedAt: new Date(before(200)), ...more },
});
const machine = {
  InstanceId: "i-1",
  LifecycleState: "InService",
  HealthStatus: "Healthy",
  AvailabilityZone: "eu-central-1a",
} as const;
const group: RegionSeen["groups"][number] = {
  ...{ AutoScalingGroupName: "solr-1-x", MinSize: 1, MaxSize: 1, DesiredCapacity: 1, DefaultCooldown: 0 },
  ...{ AvailabilityZones: [], HealthCheckType: "EC2", CreatedTime: undefined },
  Instances: [{ ...machine, LaunchTemplate: { Version: "3" }, ProtectedFromScaleIn: false }],
};
const region: RegionSeen = {
  region: "eu-central-1",
  services: [deployed],
  tasks: [running("eu-central-1a"), running("eu-central-1b")],
  groups: [group],
  machines: [
    { InstanceId: "i-1", PingStatus: "Online" },
    { InstanceId: "i-9", PingStatus: "Online" },
  ],
};

describe("on AWS", () => {
  test("all is well: zones and versions; a managed store is named and not asked", () => {
    const status = judged(state(aws), { regions: [region] });
    expect(status).toMatchObject({
      verdict: "well",
      says: "prod is well: 3 parts; 1 managed store not asked",
      findings: [],
    });
    expect(
      status.parts.map(({ name, kind, condition, where, image }) => [name, kind, condition, where, image]),
    ).toEqual([
      ["shop-db", "managed", "unasked", ["eu-central-1"], "postgres 17.1"],
      ["backend", "service", "well", ["eu-central-1a", "eu-central-1b"], "hub/backend:2"],
      ["shop-manager-1", "machine", "well", ["eu-central-1b"], undefined],
      ["shop-solr-1", "machine", "well", ["eu-central-1a"], undefined],
    ]);
    expect(status.parts[0]?.look).toBe(
      "`aws rds describe-db-instances --db-instance-identifier shop-db --region eu-central-1`",
    );
  });

  const primary = deployed.deployments?.[0] ?? {};
  const rolled = { ...primary, taskDefinition: arn("task-definition/shop-backend:0") };
  test.each<[string, Partial<RegionSeen>, string[]]>([
    ["a service that is gone", { services: [] }, ["unwell backend: is not in its cluster"]],
    [
      "a service without a task",
      {
        services: [{ ...deployed, runningCount: 0, deployments: [{ ...primary, runningCount: 0, failedTasks: 4 }] }],
        tasks: [],
      },
      ["unwell backend: 0 of 2 tasks run, 4 have failed"],
    ],
    [
      "one of two tasks",
      {
        services: [{ ...deployed, runningCount: 1, deployments: [{ ...primary, runningCount: 1 }] }],
        tasks: [running("a")],
      },
      ["care backend: 1 of 2 tasks run"],
    ],
    [
      "an unhealthy task",
      { tasks: [running("a"), running("b", { healthStatus: "UNHEALTHY" })] },
      ["unwell backend: 1 of its tasks are unhealthy"],
    ],
    [
      "a deployment that was rolled back",
      { services: [{ ...deployed, deployments: [{ ...rolled, rolloutStateReason: `rolling back to ${password}` }] }] },
      [
        "care backend: its deployment was rolled back: shop-backend:0 runs (rolling back to [secret]); mend it, or run `pulumi up --refresh` to try the same again",
      ],
    ],
    [
      "scaled to nothing",
      { services: [{ ...deployed, runningCount: 0, desiredCount: 0 }], tasks: [] },
      ["unwell backend: was scaled to no task"],
    ],
    ["a group that is gone", { groups: [] }, ["unwell shop-solr-1: its Auto Scaling group is gone"]],
    [
      "a group without a machine",
      { groups: [{ ...group, Instances: [] }] },
      ["unwell shop-solr-1: 0 of 1 machines are in service: its group has no machine"],
    ],
    [
      "machines of which AWS has no word",
      { machines: [{ InstanceId: "i-1", PingStatus: "ConnectionLost" }] },
      [
        "unwell shop-manager-1: AWS has no word of its machine i-9",
        "unwell shop-solr-1: AWS has no word of its machine i-1",
      ],
    ],
    [
      "no credentials",
      { failed: "no AWS credentials were found", services: [], tasks: [], groups: [], machines: [] },
      ["unknown AWS in eu-central-1: no AWS credentials were found"],
    ],
  ])("%s", (_title, over, expected) => {
    const status = judged(state(aws), { regions: [{ ...region, ...over }] });
    expect(said(status)).toEqual(expected);
    expect(JSON.stringify(status)).not.toContain(password);
  });
});

// --- certificates and backups

describe("certificates", () => {
  const local = stackWith({ url: "https://shop.example.com:8443" });
  const served = (days: number, wrong?: string): EdgeSeen => ({
    served: {
      ...{ host: "shop.example.com", at: "10.0.0.1:8443", begins: before(60) },
      ...{ ends: new Date(now.getTime() + days * 86_400_000).toISOString(), wrong },
    },
  });
  test.each<[string, EdgeSeen | undefined, string[], Status["verdict"]]>([
    ["long to go", served(80), [], "well"],
    ["soon", served(20), ["care certificate of shop.example.com: ends in 20 days"], "well"],
    ["over", served(-1), ["unwell certificate of shop.example.com: has ended"], "unwell"],
    [
      "another's",
      served(80, "not in the cert's altnames"),
      ["unwell certificate of shop.example.com: not in the cert's altnames"],
      "unwell",
    ],
    ["no edge", undefined, [], "well"],
    [
      "nobody answers, and the state has no copy",
      { host: "shop.example.com", failed: "10.0.0.1:8443: refuses" },
      ["unknown https://shop.example.com: nobody answers from here: 10.0.0.1:8443: refuses"],
      "unknown",
    ],
  ])("%s", (_title, edge, expected, verdict) => {
    const status = judged(state([local]), { edge });
    expect(said(status)).toEqual(expected);
    expect(status.verdict).toBe(verdict);
  });

  test("the edge is asked where the state says that it listens", () => {
    const edge = made("edge");
    const at = (ports: object[], host = here) => [
      identity("docker"),
      ...engines,
      { ...edge, provider: on(host), outputs: { ...edge.outputs, ports } },
    ];
    const ports = (ip: string) => [
      { internal: 80, external: 80, ip },
      { internal: 443, external: 8443, ip },
    ];
    expect(edgeAddresses(state(at(ports("127.0.0.2"))), 443)).toEqual([{ address: "127.0.0.2", port: 8443 }]);
    expect(edgeAddresses(state(at(ports("0.0.0.0"))), 443)).toEqual([{ address: "127.0.0.1", port: 8443 }]);
    expect(edgeAddresses(state(at(ports("0.0.0.0"), gpu)), 443)).toEqual([{ address: "gpu.example.com", port: 8443 }]);
    const [swarmEdge = edge, ...rest] = serviceOf("edge");
    const published = { ...swarmEdge.outputs, endpointSpec: { ports: [{ targetPort: 443, publishedPort: 443 }] } };
    const places = stackWith({ places: { nodes: { m1: "10.0.0.1", m2: "10.0.0.2" } } });
    expect(edgeAddresses(state([places, swarmEngine, { ...swarmEdge, outputs: published }, ...rest]), 443)).toEqual([
      { address: "10.0.0.1", port: 443 },
      { address: "10.0.0.2", port: 443 },
    ]);
    const balancer = state([stackWith({ places: { edge: "x.elb.amazonaws.com" } })]);
    expect(edgeAddresses(balancer, 443)).toEqual([{ address: "x.elb.amazonaws.com", port: 443 }]);
  });
});

describe("backups", () => {
  const words = [
    "place: the bucket backups at https://s3.example.com",
    "health: well ",
    "run 2026-02-27T02-00-00Z: complete and checked at 2026-02-27T02-10-00Z",
    "run 2026-02-28T02-00-00Z: complete and checked at 2026-02-28T02-10-00Z",
    "drill 2026-02-20T00-00-00Z: failed 2026-02-19T02-00-00Z gone",
    "drill 2026-02-27T03-00-00Z: ok 2026-02-27T02-00-00Z ",
    "next run: 2026-03-01T02-00-00Z",
    "next drill: 2026-03-06T03-00-00Z",
  ].join("\r\n");
  const read = (asked: BackupSeen) => {
    const backup = readBackup(asked, quoting([]));
    return { backup, found: judgeBackup(backup, asked, now).map(({ condition, why }) => `${condition} ${why}`) };
  };

  test("the container's own words", () => {
    expect(read({ words, from: "status" })).toEqual({
      backup: {
        from: "status",
        place: "the bucket backups at https://s3.example.com",
        lastRun: "2026-02-28T02:00:00.000Z",
        lastDrill: { at: "2026-02-27T03:00:00.000Z", ok: true, of: "2026-02-27T02:00:00.000Z" },
        nextRun: "2026-03-01T02:00:00.000Z",
        nextDrill: "2026-03-06T03:00:00.000Z",
      },
      found: [],
    });
  });

  test.each<[string, BackupSeen, string[]]>([
    [
      "the last drill failed",
      { words: words.replace(": ok ", ": failed "), from: "status" },
      ["unwell the run of 2026-02-27T02:00:00.000Z could not be restored in a drill"],
    ],
    [
      "none yet",
      { words: "place: the volume x\nhealth: the first backup is about to begin", from: "status" },
      ["care no run is complete yet"],
    ],
    [
      "days late",
      { words: words.replace("next run: 2026-03-01", "next run: 2026-02-26"), from: "status" },
      ["unwell the last complete run is too old"],
    ],
    ["a log", { words: "backup 2026-03-01T01-00-00Z is complete", from: "log", everyHours: 1 }, []],
    [
      "an old log",
      { words: "backup 2026-02-28T01-00-00Z is complete", from: "log", everyHours: 1 },
      ["unwell the last complete run is too old"],
    ],
    ["a silent log", { words: "", from: "log" }, ["care its log has no complete run"]],
    [
      "a drill in the log",
      {
        words: "backup 2026-03-01T01-00-00Z is complete\ndrill: db-1 cannot be restored as of 2026-03-01T01-00-00Z",
        from: "log",
      },
      ["unwell the run of 2026-03-01T01:00:00.000Z could not be restored in a drill"],
    ],
    [
      "no answer",
      { words: "", from: "log", failed: "its log did not answer within 20 s" },
      ["care its log did not answer within 20 s"],
    ],
  ])("%s", (_title, asked, expected) => {
    expect(read(asked).found).toEqual(expected);
  });
});

// --- what is shown

const plain = (_: string, text: string): string => text;
const many = (count: number, name = (index: number) => `worker-${String(index)}`): Given[] =>
  Array.from({ length: count }, (_, index) => made(name(index)));

describe("the screen", () => {
  const shownOf = (status: Status, columns: number, rows?: number): string[] =>
    render(status, { columns, rows, paint: plain }).split("\n");
  const of60 = (columns: number, rows?: number) => {
    const containers = Array.from({ length: 60 }, (_, index) =>
      container(
        `worker-${String(index)}`,
        index === 33 ? { Status: "exited", ExitCode: 2, FinishedAt: before(12) } : {},
      ),
    );
    const outputs = { url: "https://shop.example.com", rehearsing: ["arkindex/backend"] };
    const all = [stackWith(outputs), identity("docker"), ...engines, pulled, ...many(60)];
    return shownOf(judged(state(all), { hosts: [host(containers)] }), columns, rows);
  };

  test("the first line says whether all is well, then comes what is not, and where to look", () => {
    expect(of60(100).slice(0, 6)).toEqual([
      "prod is UNWELL: 1 of 60 parts does not work",
      "",
      "UNWELL  shop-worker-33: does not run (exit code 2), for 12 min",
      "    `docker logs --tail 50 shop-worker-33`",
      "",
      "        part            for     where  version",
    ]);
    expect(of60(100)[6]).toBe("UNWELL  shop-worker-33  12 min  m1     postgis:15-3.3");
    expect(of60(100)).toHaveLength(6 + 60 + 1 + 3 + 1);
  });

  test.each([24, 30, 50, 80])("60 parts fit on a screen of %s lines, and none is left out", (rows) => {
    const lines = of60(100, rows);
    expect(lines.length).toBeLessThanOrEqual(rows);
    const all = lines.join(" ");
    for (let index = 0; index < 60; index++) expect(all).toMatch(new RegExp(`worker-${String(index)}\\b`));
  });

  test("60 parts that are down: the first line stays, then as many findings as fit, then all names", () => {
    const containers = Array.from({ length: 60 }, (_, index) =>
      container(`worker-${String(index)}`, { Status: "exited", ExitCode: 137, FinishedAt: before(12) }),
    );
    const all = state([identity("docker"), ...engines, pulled, ...many(60)]);
    const lines = shownOf(judged(all, { hosts: [host(containers)] }), 120, 40);
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines[0]).toBe("prod is UNWELL: 60 of 60 parts do not work");
    expect(lines.filter((line) => line.startsWith("UNWELL  shop-"))).toHaveLength(10);
    expect(lines).toContain("and 50 more: --json has all");
    for (let index = 0; index < 60; index++) expect(lines.join(" ")).toMatch(new RegExp(`worker-${String(index)}\\b`));
  });

  test.each([20, 32, 40, 60, 80, 120])("no line is longer than a terminal of %s columns", (columns) => {
    const lines = of60(columns);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines.join("").replaceAll(" ", "")).toContain("doesnotrun(exitcode2)");
  });

  test("colours go around the words of the verdict alone", () => {
    const status = judged(state([identity("docker"), ...engines, made("db-1")]), { hosts: [host([])] });
    const text = render(status, { columns: 80, paint: (style, words) => `<${style}>${words}</${style}>` });
    expect(text).toContain("<bold><red>prod is UNWELL: 1 of 1 part does not work</red></bold>");
    expect(text).toContain("<red>UNWELL</red>  shop-db-1: is not on its engine m1");
  });

  test("hostile names do nothing to a terminal, and are one line", () => {
    const evil = "\u001b]0;owned\u0007\u001b[2J\nprod is well\u202e\u0000`rm`|<b>";
    const resource = { ...made("x"), outputs: { ...made("x").outputs, name: evil, image: `${evil}:1` } };
    const outputs = { url: `https://shop.example.com/${evil}`, rehearsing: [evil], places: { [evil]: evil } };
    const status = judged(state([stackWith(outputs), identity("docker"), ...engines, resource]), {
      hosts: [host([], { machine: evil })],
    });
    const text = render(status, { columns: 80, paint: plain });
    // eslint-disable-next-line no-control-regex
    expect(text.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(text.split("\n").filter((line) => line.startsWith("prod is"))).toHaveLength(1);
  });

  test("what comes from elsewhere is one line, short, and without a secret that spans lines", () => {
    const key = "-----BEGIN KEY-----\nAAAABBBBCCCCDDDDEEEE\n-----END KEY-----";
    expect(quoting([key])(`it says ${key}\nand more`)).toBe("it says [secret] and more");
    expect(quoting([])("x".repeat(500))).toHaveLength(201);
    expect(quoting(undefined)("anything")).toBe("[not shown: its secrets cannot be read]");
    expect(quoting(undefined)(" ")).toBe("");
    expect(clean("a\tb\r\nc\u2028d")).toBe("a b c d");
  });

  test.each([
    [0, "0 s"],
    [119_999, "119 s"],
    [120_000, "2 min"],
    [7_199_000, "119 min"],
    [7_200_000, "2 h"],
    [172_800_000, "2 days"],
  ])("%s ms are %s", (milliseconds, expected) => {
    expect(duration(milliseconds)).toBe(expected);
  });
});

test("the form of --json stays", () => {
  const status = judged(state([stackWith({ url: "https://shop.example.com" }), ...docker]), {
    hosts: [host([container("db-1"), container("backend-1")]), others],
    edge: { served: { host: "shop.example.com", at: "10.0.0.1:443", begins: before(9), ends: before(-99_999) } },
    backup: { words: "", from: "log" },
  });
  expect(Object.keys(JSON.parse(JSON.stringify(status)) as object)).toEqual([
    ...["version", "stack", "at", "verdict", "says", "system", "topology", "url", "deployed", "simulated"],
    ...["findings", "parts", "certificates", "backup", "rehearsing", "images", "suppliers", "places"],
  ]);
});

test("a question ends with its time", async () => {
  let ended = false;
  const { failed } = await within(0.05, "Docker at tcp://10.0.0.1:2375", async (signal) => {
    await sleep(60_000, undefined, { signal }).catch(() => (ended = true));
  });
  expect(failed).toBe("Docker at tcp://10.0.0.1:2375 did not answer within 0.05 s");
  await sleep(10);
  expect(ended).toBe(true);
});
