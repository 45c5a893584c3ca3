/** A small program on the simulated AWS whose previews are of every kind, for recordings and for the real engine. */

import process from "node:process";

import { toolchain } from "../../tools/setup/toolchain.ts";

import type { Cli } from "../../comment/secrets.ts";
import type { TestStack } from "./stack.ts";

/** The password of its database, a secret of its config: no comment and no recording may hold it. */
export const password = "Tr0ub4dor-and-3-horses";

export interface Shape {
  readonly memory?: string;
  readonly replicas?: number;
  /** A change replaces the database. */
  readonly encrypted?: boolean;
  readonly database?: boolean;
  /** Breaks a policy. */
  readonly public?: boolean;
  /** Disks; their zone, whose change replaces them. */
  readonly disks?: number;
  readonly zone?: string;
  /** Source at its end. */
  readonly more?: string;
}

export function previewedProgram(repo: string, shape: Shape = {}): string {
  const { memory = "512", replicas = 1, encrypted = true, database = true, disks = 1, zone = "a", more = "" } = shape;
  return `
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { EcsGate } from "${repo}/ops/resources-aws.ts";

const password = new pulumi.Config().requireSecret("password");
const token = new RandomPassword("token", { length: 24, special: false });
const provider = new aws.Provider("aws", {
  region: "eu-central-1", allowedAccountIds: ["123456789012"], skipCredentialsValidation: true,
});
const opts = { provider };
const cluster = new aws.ecs.Cluster("shop", {}, opts);
const log = new aws.cloudwatch.LogGroup("shop", { name: "shop", retentionInDays: 30 }, opts);
const definition = new aws.ecs.TaskDefinition("app", {
  family: "app", cpu: "256", memory: "${memory}", networkMode: "awsvpc", requiresCompatibilities: ["FARGATE"],
  containerDefinitions: JSON.stringify([{ name: "app", image: "registry.example.com/app:${memory}" }]),
}, opts);
const service = new aws.ecs.Service("app", {
  name: "app", cluster: cluster.arn, taskDefinition: definition.arn, desiredCount: ${String(replicas)}, launchType: "FARGATE",
}, opts);
new EcsGate("app", {
  at: { region: "eu-central-1" }, cluster: cluster.name, service: service.name, taskDefinition: definition.arn,
  name: "app", seconds: ${String(300 + replicas)}, logGroup: log.name, container: "app", redact: [token.result],
});
${
  database
    ? `const db = new aws.rds.Instance("db", {
  engine: "postgres", engineVersion: "17", instanceClass: "db.t4g.micro", allocatedStorage: 20, username: "root",
  password, skipFinalSnapshot: true, storageEncrypted: ${String(encrypted)}, publiclyAccessible: ${String(shape.public ?? false)},
}, opts);`
    : ""
}
for (let n = 1; n <= ${String(disks)}; n++)
  new aws.ebs.Volume(\`disk-\${String(n)}\`, {
    availabilityZone: "eu-central-1${zone}", size: 10, type: "gp3", encrypted: true,
  }, opts);
${more}
`;
}

/** How the command starts the CLI for a throw-away stack. */
export async function cliOf({ folder }: TestStack, cloud: Readonly<Record<string, string>>): Promise<Cli> {
  const { pulumi, env } = await toolchain();
  const backend = `file://${folder}/state?metadata=skip`;
  return {
    ...{ pulumi, cwd: folder },
    env: { ...process.env, ...env, PULUMI_CONFIG_PASSPHRASE: "test", PULUMI_BACKEND_URL: backend, ...cloud },
  };
}
