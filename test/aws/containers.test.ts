/**
 * Our jobs and gates on ECS with the AWS provider's own code against ministack, which runs the tasks as containers of this
 * machine's engine: real exit codes, real logs, a real circuit breaker. Files, the order of containers and their health
 * checks it does not carry.
 */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import type { Emulator } from "../../tools/emulate/emulator.ts";
import { ministack } from "../../tools/emulate/ministack.ts";
import { awsProvider } from "../../tools/emulate/provider.ts";
import { localImage } from "../support/arkindex.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const region = "eu-central-1";
const minutes = 60_000;
const password = "correct horse battery staple";

/** `job` and `service`: what their containers run; undefined: there is none. */
const program = (parts: { job?: string; trigger?: string; service?: string; seconds?: number }): string => `
import { secret, jsonStringify } from "@pulumi/pulumi";
import * as aws from "@pulumi/aws";
import { EcsGate, Job } from "${repo}/ops/resources.ts";

const { job, trigger = "1", service, seconds = 120 } = ${JSON.stringify(parts)};
const at = { region: "${region}" };
const provider = new aws.Provider("aws", {
  region: "${region}", skipCredentialsValidation: true, skipRequestingAccountId: true,
});
const options = { provider };
const log = new aws.cloudwatch.LogGroup("log", { name: "/shop" }, options);
const cluster = new aws.ecs.Cluster("shop", { name: "shop" }, options);
const definition = (name, command) =>
  new aws.ecs.TaskDefinition(name, {
    family: "shop-" + name,
    requiresCompatibilities: ["FARGATE"], networkMode: "awsvpc", cpu: "256", memory: "512", skipDestroy: true,
    containerDefinitions: jsonStringify([{
      name, image: "${localImage("toolbox")}", essential: true, command: ["bash", "-c", command],
      environment: [{ name: "PASSWORD", value: secret("${password}") }],
      logConfiguration: {
        logDriver: "awslogs",
        options: { "awslogs-group": log.name, "awslogs-region": "${region}", "awslogs-stream-prefix": name },
      },
    }]),
  }, options);
const common = { subnets: ["subnet-1"], securityGroups: ["sg-1"] };
if (job !== undefined)
  new Job("job", {
    name: "shop-job", image: "toolbox", command: ["bash", "-c", job], seconds, trigger, redact: [secret("${password}")],
    ecs: { at, cluster: cluster.name, taskDefinition: definition("job", job).arn, container: "job", logGroup: log.name, ...common },
  });
if (service !== undefined) {
  const runs = definition("web", service);
  const web = new aws.ecs.Service("web", {
    name: "web", cluster: cluster.arn, taskDefinition: runs.arn, desiredCount: 1, launchType: "FARGATE",
    networkConfiguration: common, deploymentCircuitBreaker: { enable: true, rollback: true },
  }, options);
  new EcsGate("web", {
    at, cluster: cluster.name, service: web.name, taskDefinition: runs.arn, name: "shop-web", seconds, logGroup: log.name,
    container: "web", redact: [secret("${password}")],
  });
}
`;

let cloud: Emulator;
let stack: TestStack;

async function up(parts: Parameters<typeof program>[0]): Promise<{ code: number; output: string }> {
  await stack.rewrite(program(parts));
  return stack.up();
}

beforeAll(async () => {
  cloud = await ministack({ region });
  const path = [await awsProvider(), process.env.PATH ?? ""];
  stack = await TestStack.create({ program: "", env: { ...cloud.env, PATH: path.join(":") } });
}, 60 * minutes);

afterAll(async () => {
  await stack.dispose();
  await cloud.close();
}, 5 * minutes);

test(
  "a job's exit code counts, and its last lines are told without the password",
  async () => {
    succeeded(await up({ job: "echo all is well" }));
    succeeded(await stack.preview(["--expect-no-changes"]));
    const { code, output } = await up({ job: 'echo "signing in with $PASSWORD"; exit 3', trigger: "2" });
    expect(code).not.toBe(0);
    expect(output).toContain("shop-job failed with exit code 3");
    expect(output).toContain("| signing in with [secret]");
    expect(output).not.toContain(password);
    succeeded(await up({ job: "echo mended", trigger: "3" }));
  },
  10 * 60_000,
);

test(
  "a job that is late is stopped: no container of it is left",
  async () => {
    const { code, output } = await up({ job: "echo at work; sleep 600", trigger: "4", seconds: 20 });
    expect(code).not.toBe(0);
    expect(output).toContain("did not end in 20 s and was stopped");
    succeeded(await up({ job: "echo mended", trigger: "5" }));
  },
  10 * 60_000,
);

test(
  "a service that runs passes its gate; one that ends again and again is rolled back, and the gate says why",
  async () => {
    succeeded(await up({ service: "sleep 3600" }));
    succeeded(await stack.preview(["--expect-no-changes"]));
    const { code, output } = await up({ service: 'echo "no database for $PASSWORD"; exit 1', seconds: 300 });
    expect(code).not.toBe(0);
    expect(output).toMatch(/shop-web did not become healthy: its deployment (was rolled back|failed)/);
    expect(output).toContain("no database for [secret]");
    expect(output).not.toContain(password);
    succeeded(await up({ service: "sleep 3601", seconds: 300 }));
  },
  15 * 60_000,
);
