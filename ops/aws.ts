/**
 * AWS's API: clients, log lines, and failures in one sentence. The SDK is loaded only where a resource of AWS is
 * handled.
 */
import type { AutoScaling } from "@aws-sdk/client-auto-scaling";
import type { CloudWatchLogs } from "@aws-sdk/client-cloudwatch-logs";
import type { EC2 } from "@aws-sdk/client-ec2";
import type { ECS } from "@aws-sdk/client-ecs";
import type { SSM } from "@aws-sdk/client-ssm";
import { z } from "zod";

import { pause } from "./lifetime.ts";
import { redact } from "./logs.ts";

/** Where the work is done. It has no part in a difference, as a `host` has none. */
export const awsAccess = z.object({
  region: z.string(),
  profile: z.string().optional(),
  roleArn: z.string().optional(),
  endpoint: z.string().optional(),
});
export type AwsAccess = z.infer<typeof awsAccess>;

export async function ecsOf(at: AwsAccess): Promise<ECS> {
  const { ECS } = await import("@aws-sdk/client-ecs");
  return new ECS(await settings(at));
}

async function ec2Of(at: AwsAccess): Promise<EC2> {
  const { EC2 } = await import("@aws-sdk/client-ec2");
  return new EC2(await settings(at));
}

export async function autoScalingOf(at: AwsAccess): Promise<AutoScaling> {
  const { AutoScaling } = await import("@aws-sdk/client-auto-scaling");
  return new AutoScaling(await settings(at));
}

export async function ssmOf(at: AwsAccess): Promise<SSM> {
  const { SSM } = await import("@aws-sdk/client-ssm");
  return new SSM(await settings(at));
}

export async function logsOf(at: AwsAccess): Promise<CloudWatchLogs> {
  const { CloudWatchLogs } = await import("@aws-sdk/client-cloudwatch-logs");
  return new CloudWatchLogs(await settings(at));
}

/**
 * The number of the account that the credentials are of.
 * @throws Error in one sentence if there are none, or AWS does not take them.
 */
export async function whoami(at: AwsAccess): Promise<string> {
  try {
    const { STS } = await import("@aws-sdk/client-sts");
    const { Account = "" } = await new STS(await settings(at)).getCallerIdentity();
    return Account;
  } catch (error) {
    throw explainAws(error, at);
  }
}

/** What is wrong if the credentials are of another account than the stack's. Throws as `whoami` does. */
export async function otherAccount(at: AwsAccess, account: string): Promise<string | undefined> {
  const found = await whoami(at);
  const remedy = `the credentials are of the account ${found}: take those of ${account}, or mend aws.account`;
  return found === account ? undefined : remedy;
}

/**
 * Those of these subnets that a network has in a zone, each with its range; and which of both kinds of DNS it lacks.
 * @throws Error in one sentence if there is no such network, or it may not be looked at.
 */
export async function networkOf(at: AwsAccess, vpc: string, zones: Readonly<Record<string, readonly string[]>>) {
  try {
    const ec2 = await ec2Of(at);
    const missing: string[] = [];
    for (const [key, attribute] of [
      ["EnableDnsSupport", "enableDnsSupport"],
      ["EnableDnsHostnames", "enableDnsHostnames"],
    ] as const) {
      const answer = await ec2.describeVpcAttribute({ VpcId: vpc, Attribute: attribute });
      if (answer[key]?.Value !== true) missing.push(attribute);
    }
    const subnets = new Map<string, string | undefined>();
    for (const [zone, ids] of Object.entries(zones)) {
      const Filters = Object.entries({ "vpc-id": [vpc], "availability-zone": [zone], "subnet-id": ids });
      const asked = { Filters: Filters.map(([Name, Values]) => ({ Name, Values: [...Values] })) };
      for (const { SubnetId = "", CidrBlock } of (await ec2.describeSubnets(asked)).Subnets ?? [])
        subnets.set(SubnetId, CidrBlock);
    }
    return { missing, subnets };
  } catch (error) {
    throw explainAws(error, at);
  }
}

async function settings({ region, profile, roleArn, endpoint }: AwsAccess) {
  const shared = {
    region,
    ...(profile === undefined ? {} : { profile }),
    ...(endpoint === undefined ? {} : { endpoint }),
    // An `up` has much to ask, and AWS limits the calls of an account: about a minute in all, each wait up to 20 s.
    maxAttempts: 10,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  };
  if (roleArn === undefined) return shared;
  const { fromNodeProviderChain, fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  const credentials = fromTemporaryCredentials({
    params: { RoleArn: roleArn, RoleSessionName: "platform-topologies" },
    masterCredentials: fromNodeProviderChain(profile === undefined ? {} : { profile }),
    clientConfig: shared,
  });
  return { ...shared, credentials };
}

/** Waits before the next look, and throws `otherwise` once the user has cancelled. Each wait is longer, up to 2 s. */
export function pauses(otherwise: string): () => Promise<void> {
  let milliseconds = 100;
  return async () => {
    await pause(milliseconds, otherwise);
    milliseconds = Math.min(milliseconds * 1.5, 2000);
  };
}

/** The last part of an ARN, as a task's id. A name stays what it is. */
export function lastPart(arn: string): string {
  return arn.split("/").at(-1) ?? arn;
}

/** Further events to read: a secret of many lines has to be whole to be found. */
const margin = 200;

/** The last `count` lines of a log stream, redacted. Empty when there are none, or when they cannot be read. */
export async function streamLines(
  at: AwsAccess,
  group: string,
  stream: string,
  count: number,
  secrets: readonly string[],
): Promise<string[]> {
  try {
    let text = await lastEvents(at, group, stream, count + margin);
    if (text === "") {
      // The last lines of a process arrive after its end.
      await pause(2000, "cancelled");
      text = await lastEvents(at, group, stream, count + margin);
    }
    return redact(text, secrets).replaceAll("\r", "").trimEnd().split("\n").slice(-count);
  } catch {
    return [];
  }
}

async function lastEvents(at: AwsAccess, group: string, stream: string, count: number): Promise<string> {
  const logs = await logsOf(at);
  const asked = { logGroupName: group, logStreamName: stream, startFromHead: false, limit: count };
  const lines: string[] = [];
  let nextToken: string | undefined;
  // A page may be empty although there are earlier ones. The last one names itself as the next.
  for (let pages = 0; pages < 5 && lines.length < count; pages++) {
    const answer = await logs
      .getLogEvents({ ...asked, ...(nextToken === undefined ? {} : { nextToken }) })
      .catch((error: unknown) => {
        if (named(error, "ResourceNotFoundException")) return undefined;
        throw error;
      });
    lines.unshift(...(answer?.events ?? []).map(({ message = "" }) => message));
    if (answer?.nextBackwardToken === undefined || answer.nextBackwardToken === nextToken) break;
    nextToken = answer.nextBackwardToken;
  }
  return lines.join("\n");
}

/** Whether AWS answered with this exception. */
export function named(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

const unreachable = /^(ECONN|EHOSTUNREACH|ENETUNREACH|EPIPE|ETIMEDOUT)/;

/** A failure of AWS's API becomes one sentence with the remedy. Our own errors pass as they are. */
export function explainAws(error: unknown, at: AwsAccess): Error {
  const where = at.endpoint === undefined ? `AWS in ${at.region}` : `AWS in ${at.region} at ${at.endpoint}`;
  if (!(error instanceof Error)) return new Error(`${where}: ${String(error)}`);
  const { name, message } = error;
  const code = "code" in error ? String(error.code) : "";
  const says = message.split("\n", 1)[0]?.replace(/\.$/, "") ?? "";
  const whose = at.profile === undefined ? "" : ` of the profile ${at.profile}`;
  const role = at.roleArn === undefined ? "" : ` as ${at.roleArn}`;
  if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") {
    const missing = /@aws-sdk\/[\w-]+/.exec(message)?.[0] ?? "@aws-sdk";
    return new Error(`the AWS SDK is not installed: run \`npm install ${missing}\``);
  }
  if (/^(CredentialsProvider|TokenProvider|ProviderError)/.test(name)) {
    const remedy = "log in, as by `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID";
    return new Error(`no AWS credentials${whose} were found${role} (${says}): ${remedy}`);
  }
  if (name.includes("Expired")) {
    return new Error(
      `the AWS credentials${whose} have expired: log in again, as by \`aws sso login\`, then run up again`,
    );
  }
  if (/^(UnrecognizedClient|InvalidClientTokenId|AuthFailure|InvalidSignature|SignatureDoesNotMatch)/.test(name)) {
    const remedy = "check them, this machine's clock, and that the account has this region enabled";
    return new Error(`${where} does not accept the credentials${whose}${role} (${says}): ${remedy}`);
  }
  if (/^(AccessDenied|UnauthorizedOperation)/.test(name)) {
    return new Error(`${where} refuses a call${role} (${says}): let its policy allow that, or use other credentials`);
  }
  if (/Throttl|TooManyRequests|RequestLimitExceeded/.test(name)) {
    return new Error(`${where} limits the calls of this account (${says}): run \`pulumi up --parallel 4\``);
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || message.startsWith("Region not accepted")) {
    return new Error(`there is no ${where} to be found (${says}): correct the region, or check your DNS`);
  }
  if (name === "SyntaxError") {
    return new Error(`${where} does not answer as AWS does (${says}): check the endpoint, and proxies between`);
  }
  if (unreachable.test(code) || name === "TimeoutError") {
    return new Error(`${where} cannot be reached (${says}): check the network, and proxies between`);
  }
  return "$metadata" in error ? new Error(`${where}: ${name}: ${message}`) : error;
}
