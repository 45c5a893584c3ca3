/** A swarm on AWS' machines: what is made, what is refused, what the next stack is handed. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { output, secret } from "@pulumi/pulumi";

import { sentence } from "../../components/core/errors.ts";
import { handedBy, handedOver, withHanded } from "../../components/core/handover.ts";
import type { Known } from "../../components/core/known.ts";
import { at } from "../../components/core/formats.ts";
import { planStack } from "../../components/deploy.ts";
import { movedParts } from "../../components/topologies/aws/preflight.ts";
import type { Registered } from "../support/mocks.ts";
import { builtConfig, planReady, readyConfig, recordReady } from "../support/ready.ts";
import { fileOf } from "../support/slot-machine.ts";
import { resolved } from "../support/hostile.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUT you";
const planned = (machines: object, over: object = {}) =>
  planReady("machines-aws", { machines: { sshKeys: [key], ...machines }, ...over });
const problems = (machines: object, over: object = {}) => planned(machines, over).problems.map(sentence);

describe("what is made", () => {
  const workers = {
    apps: { count: 2, labels: { size: "large" } },
    stores: { count: 2, keeps: true, gib: 200 },
  };
  let all: Registered[];
  beforeAll(async () => {
    const { machines, aws } = readyConfig("stacks/machines-aws.yaml") as { machines: object; aws: object };
    const zoneId = "Z0123456789ABCDEFGHIJ";
    all = await recordReady("machines-aws", {
      machines: { ...machines, workers },
      aws: { ...aws, zoneId },
      protect: true,
    });
  });
  const of = (type: string): Registered[] => all.filter((each) => each.type === type);
  const named = (type: string, name: string): Registered => {
    const found = of(type).find((each) => each.name === name);
    if (found === undefined) throw new Error(`no ${type} ${name}`);
    return found;
  };
  const dataOf = (text: unknown): string => Buffer.from(String(text), "base64").toString();

  test("machines with names come one after another, each waits until the last is a node, and all stay", () => {
    const instances = of("aws:ec2/instance:Instance");
    expect(instances.map(({ name }) => name)).toEqual(
      ["manager-1", "manager-2", "manager-3", "stores-1", "stores-2"].map((name) => `machines-swarm-${name}`),
    );
    for (const { options, inputs } of instances) {
      expect(options).toMatchObject({ protect: true, deleteBeforeReplace: true });
      expect(options.ignoreChanges).toEqual(["launchTemplate", "userDataBase64"]);
      expect(inputs).toMatchObject({ disableApiTermination: true });
    }
    const waits = (name: string) => named("aws:ec2/instance:Instance", `machines-swarm-${name}`).options.dependsOn;
    expect(waits("manager-2")).toContain("SwarmNode machines-swarm-manager-1");
    expect(waits("manager-3")).toContain("SwarmNode machines-swarm-manager-2");
    expect(waits("stores-1")).toContain("SwarmNode machines-swarm-manager-3");
    expect(waits("stores-2")).toContain("SwarmNode machines-swarm-stores-1");
  });

  test("each machine with a name has an address of its own, the managers in three zones", () => {
    const cards = of("aws:ec2/networkInterface:NetworkInterface");
    const zones = cards.map(({ name, inputs }) => `${name} ${String(inputs.subnetId).replace(/^.*(.)-id$/, "$1")}`);
    expect(zones.sort()).toEqual(
      ["manager-1 a", "manager-2 b", "manager-3 c", "stores-1 a", "stores-2 b"].map((each) => `machines-swarm-${each}`),
    );
  });

  test("the first manager begins the swarm; workers know neither the managers' secret nor its policy", () => {
    const known = (name: string): Record<string, unknown> => {
      const data = dataOf(named("aws:ec2/instance:Instance", `machines-swarm-${name}`).inputs.userDataBase64);
      return JSON.parse(fileOf(data, "/etc/machine.json")) as Record<string, unknown>;
    };
    expect(known("manager-1")).toMatchObject({ first: true, host: "manager-1", labels: { group: "managers" } });
    expect(known("manager-2")).not.toHaveProperty("first");
    expect(known("manager-2")).toHaveProperty("managerToken");
    expect(known("stores-1")).not.toHaveProperty("managerToken");
    expect(known("stores-1")).toMatchObject({ host: "stores-1", labels: { group: "stores" } });
    const policy = (role: string): string =>
      String(named("aws:iam/rolePolicy:RolePolicy", `machines-swarm-${role}`).inputs.policy);
    expect(policy("worker")).not.toMatch(/manager-token|PutSecretValue|autoscaling/);
    expect(policy("manager")).toContain("secretsmanager:PutSecretValue");
  });

  test("a group's machines say what they are, and wait to be emptied before they go", () => {
    const { userData } = named("aws:ec2/launchTemplate:LaunchTemplate", "machines-swarm-apps").inputs;
    const known = JSON.parse(fileOf(dataOf(userData), "/etc/machine.json")) as object;
    expect(known).toMatchObject({ swarm: "machines", labels: { group: "apps", size: "large" } });
    expect(known).not.toHaveProperty("host");
    expect(of("aws:autoscaling/group:Group").map(({ inputs }) => inputs.desiredCapacity)).toEqual([2]);
    expect(of("aws:autoscaling/lifecycleHook:LifecycleHook").map(({ inputs }) => inputs)).toMatchObject([
      { name: "drain", lifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING", defaultResult: "CONTINUE" },
    ]);
    expect(named("platform-topologies:index:SwarmNode", "machines-swarm-apps").inputs).toMatchObject({
      instance: "machines-swarm-manager-1-id",
      groups: { apps: 2 },
    });
  });

  test("no version of the tokens' secrets is the program's: nobody sees them but the machines", () => {
    const tokens = of("aws:secretsmanager/secret:Secret").filter(({ name }) => name.endsWith("-token"));
    expect(tokens.map(({ name }) => name)).toEqual(["machines-swarm-manager-token", "machines-swarm-worker-token"]);
    expect(of("aws:secretsmanager/secretVersion:SecretVersion")).toEqual([]);
  });

  test("user data fit EC2's 16 KiB, with the most keys and the longest names", () => {
    const sizes = of("aws:ec2/instance:Instance").map(({ inputs }) => dataOf(inputs.userDataBase64).length);
    expect(Math.max(...sizes) + 1500 + 400).toBeLessThanOrEqual(16_384);
  });

  test("the members may gossip and carry networks among themselves alone", () => {
    const rules = of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").map(({ inputs }) => inputs);
    const swarm = rules.filter(({ ipProtocol }) => ipProtocol !== "tcp");
    const ways = swarm.map(({ ipProtocol, fromPort }) => `${String(ipProtocol)} ${String(fromPort)}`);
    expect(ways.sort()).toEqual(["50 undefined", "udp 4789", "udp 7946"]);
    for (const { securityGroupId, referencedSecurityGroupId } of swarm)
      expect(referencedSecurityGroupId).toBe(securityGroupId);
  });

  test("callers reach the managers' ports through a balancer, which keeps their addresses; names are below the zone", () => {
    expect(of("aws:lb/listener:Listener").map(({ inputs }) => inputs.port)).toEqual([80, 443]);
    const groups = of("aws:lb/targetGroup:TargetGroup");
    for (const { inputs } of groups) expect(inputs).toMatchObject({ protocol: "TCP", preserveClientIp: "true" });
    expect(of("aws:lb/targetGroupAttachment:TargetGroupAttachment")).toHaveLength(6);
    expect(of("aws:route53/record:Record").map(({ inputs }) => inputs.name)).toEqual([
      "apps.example.com",
      "*.apps.example.com",
    ]);
  });

  test("sign-in is a pool that nobody enters by himself, with ShinyProxy's callback and the groups", () => {
    const [pool] = of("aws:cognito/userPool:UserPool");
    expect(pool?.inputs).toMatchObject({
      deletionProtection: "ACTIVE",
      adminCreateUserConfig: { allowAdminCreateUserOnly: true },
    });
    expect(pool?.options.protect).toBe(true);
    expect(of("aws:cognito/userPoolClient:UserPoolClient")[0]?.inputs).toMatchObject({
      callbackUrls: ["https://apps.example.com/login/oauth2/code/shinyproxy"],
      logoutUrls: ["https://apps.example.com/"],
      allowedOauthFlows: ["code"],
      generateSecret: true,
    });
    expect(of("aws:cognito/userGroup:UserGroup").map(({ inputs }) => inputs.name)).toEqual(["admins", "analysts"]);
    const { domain } = of("aws:cognito/userPoolDomain:UserPoolDomain")[0]?.inputs ?? {};
    expect(String(domain)).not.toMatch(/aws|amazon|cognito/);
  });
});

describe("what is refused", () => {
  test.each<[string, object, RegExp]>([
    ["an even number of managers", { managers: { count: 2 } }, /^machines\.managers\.count = 2: 1, 3, 5 or 7/],
    ["no key", { sshKeys: [] }, /^machines\.sshKeys.*one at least/],
    [
      "more keys than user data have room for",
      { sshKeys: Array(20).fill(`${key}${"A".repeat(80)}`) },
      /together at most 1500/,
    ],
    ["a private key", { sshKeys: ["-----BEGIN OPENSSH PRIVATE KEY-----"] }, /^machines\.sshKeys.*a public key's line/],
    ["a group named as the managers", { workers: { managers: {} } }, /the managers' own name/],
    ["a label that is the group's", { workers: { apps: { labels: { group: "x" } } } }, /group is the group's own name/],
    [
      "a machine that nobody sells",
      { workers: { apps: { memoryMib: 500_000 } } },
      /^apps\.memoryMib = 500000: too much/,
    ],
    ["a port twice", { ports: [80, 443, 80] }, /^machines\.ports = .*: each port once$/],
    [
      "a port of the swarm's own",
      { ports: [443, 2377] },
      /^machines\.ports\.1 = 2377: the swarm's own, which the world must/,
    ],
    [
      "a group of users twice",
      { signIn: { groups: ["a", "b", "a"] } },
      /^machines\.signIn\.groups = .*: each group once$/,
    ],
    [
      "a database twice",
      { data: { db: { kind: "postgres", databases: ["a", "a"] } } },
      /^machines\.data\.db\.databases = .*: each database once$/,
    ],
    [
      "a group named as another one's machine",
      { workers: { stores: { keeps: true, count: 2 }, "stores-2": {} } },
      /^machines\.workers\.stores-2 = .*: a machine of stores has this name$/,
    ],
    ["a disk that is no disk", { managers: { gib: 5 } }, /^machines\.managers\.gib = 5/],
  ])("%s", (_what, machines, expected) => {
    expect(problems(machines)).toEqual([expect.stringMatching(expected)]);
  });

  test("a size for machines that are not there, or of a database", () => {
    const aws = readyConfig("stacks/machines-aws.yaml").aws as object;
    expect(problems({}, { aws: { ...aws, classes: { apps: "t3.large" } } })).toEqual([
      expect.stringMatching(/^aws\.classes\.apps = "t3\.large": nothing here has a size .* there are managers$/),
    ]);
    expect(problems({}, { aws: { ...aws, classes: { managers: "db.t4g.medium" } } })).toEqual([
      expect.stringMatching(/a size as t3\.large$/),
    ]);
    expect(problems({}, { aws: { ...aws, classes: { managers: "m7i.large" } } })).toEqual([]);
  });

  test("a network of the machines' that the swarm's own networks have", () => {
    const aws = readyConfig("stacks/machines-aws.yaml").aws as object;
    expect(problems({}, { aws: { ...aws, cidr: "172.30.0.0/16" } })).toEqual([
      expect.stringMatching(/^aws\.cidr = "172\.30\.0\.0\/16": the machines' own engines have 172\.28\.0\.0\/14/),
    ]);
  });

  test("machines on a topology that rents none", () => {
    const config = { ...builtConfig("stacks/machines-aws.yaml"), topology: "docker", docker: {}, aws: undefined };
    const found = planStack(Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)), "x");
    expect(found.problems.map(sentence).join("\n")).toMatch(/machines.*aws|rented in a cloud/);
  });

  const managers = (count: number): Known[] =>
    Array.from({ length: count }, (_, index) => ({
      urn: `urn:${String(index)}`,
      type: "aws:ec2/instance:Instance",
      outputs: { tags: { Name: `machines-manager-${String(index + 1)}` } },
    }));
  test.each([
    [3, 1, true],
    [7, 3, true],
    [5, 3, false],
    [1, 3, false],
    [3, 3, false],
  ])("%i managers that become %i: refused %s", (was, count, refused) => {
    const { whole } = planned({ managers: { count } });
    if (whole === undefined) throw new Error("no plan");
    const { cidr, zones } = whole.topology as { cidr: string; zones: string[] };
    const found = movedParts(
      managers(was),
      { cidr, zones, edge: "balancer" },
      { name: "machines", disks: {} },
      whole.plan,
    ).map(sentence);
    expect(found).toEqual(refused ? [expect.stringContaining("a majority has to stay")] : []);
  });
});

describe("what the stack on the machines is handed", () => {
  const handed = handedBy({
    machines: {
      swarm: { managers: ["ssh://ec2-user@i-1", "ssh://ec2-user@i-2"], nodes: ["manager-1", "manager-2"] },
      existing: {
        "sign-in": { kind: "oidc", issuer: "https://id.example.com", clientId: "apps", urls: { logout: "https://x/" } },
        other: { kind: "redis", host: "redis.example.com", port: 6379, tls: true },
      },
    },
    machineSecrets: { "sign-inClientSecret": "hunter2", otherPassword: "hunter3" },
  });
  const needs = [
    { name: "sign-in", kind: "oidc" },
    { name: "influx", kind: "influx" },
  ] as const;

  test("managers, nodes, and what it needs of the rest, with its secrets alone", () => {
    if (handed === undefined) throw new Error("not read");
    const raw = withHanded(readyConfig("stacks/shinyproxy-swarm-aws.yaml"), handed, needs);
    expect(raw).toMatchObject({
      swarm: { managers: ["ssh://ec2-user@i-1", "ssh://ec2-user@i-2"], nodes: { "manager-1": {}, "manager-2": {} } },
      secrets: { "sign-inClientSecret": "hunter2" },
    });
    expect(Object.keys(raw.existing as object)).toEqual(["sign-in"]);
    expect(Object.keys(raw.secrets as object)).toEqual(["sign-inClientSecret"]);
    const { problems: found, whole } = planStack(raw, "x");
    expect(found).toEqual([]);
    expect(whole?.plan.needs.find(({ name }) => name === "sign-in")).toMatchObject({ by: "existing" });
  });

  test("the operator's own words win", () => {
    if (handed === undefined) throw new Error("not read");
    const own = { kind: "oidc", issuer: "https://mine.example.com", clientId: "mine" };
    const raw = withHanded(
      {
        swarm: { managers: ["tcp://10.0.0.1:2375"], nodes: { "manager-1": { labels: { disk: "fast" } } } },
        existing: { "sign-in": own },
        secrets: { "sign-inClientSecret": "mine" },
      },
      handed,
      needs,
    );
    expect(at(raw, ["existing", "sign-in"])).toBe(own);
    expect(at(raw, ["secrets", "sign-inClientSecret"])).toBe("mine");
    expect(raw.swarm).toEqual({
      managers: ["tcp://10.0.0.1:2375"],
      nodes: { "manager-1": { labels: { disk: "fast" } }, "manager-2": {} },
    });
  });

  test("a database, a cache and buckets beside the machines become what Arkindex on them needs", async () => {
    const data = {
      db: { kind: "postgres", databases: ["arkindex"], extensions: ["postgis"], gib: 50 },
      redis: { kind: "redis" },
      objects: {
        kind: "objects",
        buckets: Object.fromEntries(["export", "iiif", "staging"].map((bucket) => [bucket, { browsers: true }])),
      },
    };
    const mirror = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub";
    const stack = planned({ data }, { mirror, images: {} });
    expect(stack.problems).toEqual([]);
    expect(stack.whole?.plan.needs.map(({ name, by }) => `${name} ${by}`)).toEqual([
      ...["swarm managed", "db managed", "redis managed", "objects managed"],
    ]);
    const host = "store.example.com";
    const given = {
      db: { host, port: 5432, tls: true, members: [], user: "app", password: secret("pg"), ready: [] },
      redis: { host, port: 6379, members: [], ready: [] },
      objects: {
        ...{ api: "s3" as const, url: "https://s3.eu-central-1.amazonaws.com", region: "eu-central-1", ready: [] },
        internal: { host: "s3.eu-central-1.amazonaws.com", port: 443, tls: true, members: [] },
        ...{ key: output("AKIA"), secret: secret("s3"), bucket: (bucket: string) => `machines-${bucket}-1-an` },
      },
      swarm: { managers: [output("ssh://ec2-user@i-1")], nodes: ["manager-1"], address: "", ready: [] },
    };
    const over = handedOver(
      stack.whole?.plan.needs ?? [],
      Object.entries(given).map(([name, each]) => ({ name, given: each })),
    );
    const handed = handedBy({
      machines: await resolved(over?.machines),
      machineSecrets: await resolved(over?.secrets),
    });
    if (handed === undefined) throw new Error("not read");
    const raw = {
      ...builtConfig("stacks/arkindex-swarm.yaml"),
      ...{ swarm: { socket: "/var/run/docker.sock" }, arkindex: { version: "1.7.0", bucketKeys: true } },
    };
    const names = ["db", "redis", "objects", "solr"] as const;
    const kinds = { db: "postgres", redis: "redis", objects: "objects", solr: "solr" } as const;
    const { problems: found, whole } = planStack(
      withHanded(
        raw,
        handed,
        names.map((name) => ({ name, kind: kinds[name] })),
      ),
      "x",
    );
    expect(found).toEqual([]);
    expect(whole?.plan.needs.map(({ name, by }) => `${name} ${by}`)).toEqual([
      ...["db existing", "redis existing", "objects existing", "solr container"],
    ]);
    expect(whole?.settings.existing.objects).toMatchObject({ prefix: "machines-", suffix: "-1-an" });
    expect(Object.keys(whole?.settings.secrets ?? {}).sort()).toEqual(["dbPassword", "objectsKey", "objectsSecret"]);
  });

  test.each([
    ["nothing", {}],
    ["a stack without a swarm", { url: "https://x.example.com", machines: null }],
    ["managers that are not there yet", { machines: { swarm: { managers: [], nodes: [] }, existing: {} } }],
  ])("%s hands nothing over", (_what, outputs) => {
    expect(handedBy(outputs)).toBeUndefined();
  });
});
