/** A program for AWS on the real engine and the simulated cloud. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { simulation } from "../../tools/simulate/simulation.ts";
import { newFolder } from "../support/folder.ts";
import { succeeded, TestStack } from "../support/stack.ts";

import type { Simulation } from "../../tools/simulate/simulation.ts";
import type { StateResource } from "../support/stack.ts";

const world = newFolder("world");
const running: Simulation[] = [];
let stack: TestStack;

interface Given {
  memory: string;
  encrypted: boolean;
}

function program({ memory, encrypted }: Given): string {
  return `
    import * as aws from "@pulumi/aws";
    const provider = new aws.Provider("aws", {
      region: "eu-central-1",
      allowedAccountIds: ["111122223333"],
      defaultTags: { tags: { owner: "us" } },
      skipCredentialsValidation: true,
    });
    const cluster = new aws.ecs.Cluster("cluster", {}, { provider });
    const definition = new aws.ecs.TaskDefinition("app", {
      family: "app", cpu: "256", memory: "${memory}", networkMode: "awsvpc", requiresCompatibilities: ["FARGATE"],
      containerDefinitions: JSON.stringify([{ name: "app", image: "app" }]),
    }, { provider });
    const service = new aws.ecs.Service("app", {
      name: "app", cluster: cluster.arn, taskDefinition: definition.arn, desiredCount: 1, launchType: "FARGATE",
    }, { provider });
    const database = new aws.rds.Instance("db", {
      engine: "postgres", engineVersion: "17", instanceClass: "db.t4g.micro", allocatedStorage: 20, username: "root",
      password: "hunter22", skipFinalSnapshot: true, storageEncrypted: ${String(encrypted)},
    }, { provider });
    export const tags = cluster.tagsAll;
    export const { endpoint } = database;
    export const { taskDefinition } = service;`;
}

const small = program({ memory: "512", encrypted: false });
const large = program({ memory: "1024", encrypted: true });

async function resource(type: string): Promise<StateResource | undefined> {
  return (await stack.state()).resources.find((each) => each.type === type);
}

/** What the command printed. It is expected to fail. */
async function fails(faults: Readonly<Record<string, string>>): Promise<string> {
  Object.assign(process.env, faults); // each command inherits them
  const { code, output } = await stack.up();
  for (const key of Object.keys(faults)) Reflect.deleteProperty(process.env, key);
  expect(code).not.toBe(0);
  return output;
}

beforeAll(async () => {
  const made = await simulation(world);
  running.push(made);
  stack = await TestStack.create({ program: small, env: made.env });
}, 60_000);
afterAll(async () => {
  await stack.dispose();
  for (const each of running) await each.close();
}, 60_000);

test("a stack goes up, previews empty, changes, fails where it is told, passes the next time, and goes", async () => {
  const preview = succeeded(await stack.preview());
  expect(preview).toContain("6 to create");
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(await stack.outputs()).toMatchObject({
    tags: { owner: "us" },
    endpoint: expect.stringMatching(/^db-[0-9a-f]{7}\.[0-9a-f]{12}\.eu-central-1\.rds\.amazonaws\.com:5432$/),
    taskDefinition: "arn:aws:ecs:eu-central-1:111122223333:task-definition/app:1",
  });
  expect(JSON.stringify(await stack.state())).not.toContain("hunter22");

  await stack.rewrite(large);
  const change = succeeded(await stack.preview(["--diff"]));
  expect(change).toMatch(/aws:rds\/instance:Instance: \(replace\)/);
  expect(change).toMatch(/~ storageEncrypted: false => true/);
  const before = (await resource("aws:rds/instance:Instance"))?.id;
  expect(await fails({ SIMULATE_FAIL: "create Instance::db" })).toContain("refused, as SIMULATE_FAIL asks for it");
  expect((await resource("aws:rds/instance:Instance"))?.id).toBe(before);
  succeeded(await stack.up());
  expect((await resource("aws:rds/instance:Instance"))?.id).not.toBe(before);
  expect((await stack.outputs()).taskDefinition).toMatch(/task-definition\/app:2$/);
  succeeded(await stack.preview(["--expect-no-changes"]));

  succeeded(await stack.destroy());
  expect((await stack.state()).resources).toEqual([]);
}, 180_000);

test("what is refused once is not, what is late is in the state, what died half-way is in the way, and what is not simulated is refused", async () => {
  await stack.rewrite(small);
  expect(await fails({ SIMULATE_THROTTLE: "create Cluster::cluster" })).toContain("ThrottlingException: Rate exceeded");
  expect(await resource("aws:ecs/cluster:Cluster")).toBeUndefined();
  expect(await fails({ SIMULATE_TIMEOUT: "create Cluster::cluster" })).toContain("timeout while waiting for state");
  expect((await resource("aws:ecs/cluster:Cluster"))?.initErrors).toHaveLength(1);
  expect(await fails({ SIMULATE_DIE: "create Service::app" })).toMatch(/transport|EOF|connection/);
  // The service is there, and no state knows it: its name is in the way, as in the real cloud.
  expect(await fails({})).toContain("Creation of service was not idempotent: app");

  await stack.rewrite(`
    import * as docker from "@pulumi/docker";
    new docker.Volume("real");`);
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toContain("is not simulated");
}, 180_000);

test("a wrong program is refused in the preview", async () => {
  await stack.rewrite(small.replace(`launchType: "FARGATE"`, `launchType: "LAMBDA"`));
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toContain(`expected launch_type to be one of ["EC2" "FARGATE" "EXTERNAL"], got LAMBDA`);
}, 60_000);
