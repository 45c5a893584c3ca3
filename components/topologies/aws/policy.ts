/** Statements of IAM policies. */
import { type Input, interpolate } from "@pulumi/pulumi";

/** A statement that allows so much. */
export function allow(actions: readonly string[], resource: Input<string> | readonly Input<string>[]) {
  return { Effect: "Allow", Action: [...actions], Resource: resource };
}

/** The policy by which a service of AWS takes on a role, for this account alone. */
export function trust(service: string, account: string): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: service },
        Action: "sts:AssumeRole",
        Condition: { StringEquals: { "aws:SourceAccount": account } },
      },
    ],
  });
}

/** What every part may do to start: pull its image, write its log, read its own secret. */
export function toStart(images: readonly object[], log: Input<string>, secret: Input<string> | undefined): object[] {
  return [
    ...images,
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], interpolate`${log}:*`),
    ...(secret === undefined ? [] : [allow(["secretsmanager:GetSecretValue"], secret)]),
  ];
}

/** The agent of Systems Manager, by which our provider, and an operator's shell, reach a machine. */
export const toBeReached = [allow(["ssm:UpdateInstanceInformation", "ssmmessages:*", "ec2messages:*"], "*")];
