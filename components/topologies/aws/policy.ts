/** Statements of IAM policies. */
import type { Input } from "@pulumi/pulumi";

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
