/** A key of the operator's own, which encrypts what a stack keeps. */
import type { CustomResourceOptions } from "@pulumi/pulumi";
import { Key } from "@pulumi/aws/kms/key.js";

import { protection } from "../../core/site.ts";
import type { Site } from "../../core/topology.ts";
import { allow } from "./policy.ts";

/** Services that use a key for whoever may use them. */
const services = ["ec2", "elasticache", "es", "rds", "s3", "secretsmanager", "sns"];
const use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"];

interface Place {
  readonly account: string;
  readonly region: string;
}

/**
 * Who may use the key: those of the account who may use what is encrypted with it, as AWS has it for its own keys. So no
 * role names the key. A key of the operator's own needs these statements, too (docs/aws.md).
 */
export function keyPolicy({ account, region }: Place): object {
  const grant = { Bool: { "kms:GrantIsForAWSResource": "true" } };
  const through = {
    "kms:CallerAccount": account,
    "kms:ViaService": services.map((service) => `${service}.${region}.amazonaws.com`),
  };
  // It starts machines in groups, and is there only once the account has had a group: a policy may not name it before.
  const groups = {
    "aws:PrincipalArn": `arn:aws:iam::${account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling`,
  };
  const anybody = { Principal: { AWS: "*" } };
  const Statement = [
    { ...allow(["kms:*"], "*"), Principal: { AWS: `arn:aws:iam::${account}:root` } },
    ...[through, groups].flatMap((StringEquals) => [
      { ...allow(use, "*"), ...anybody, Condition: { StringEquals } },
      { ...allow(["kms:CreateGrant"], "*"), ...anybody, Condition: { StringEquals, ...grant } },
    ]),
    {
      ...allow(use, "*"),
      Principal: { Service: `logs.${region}.amazonaws.com` },
      Condition: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": `arn:aws:logs:${region}:${account}:*` } },
    },
    // Alarms, which tell the topic.
    { ...allow(["kms:Decrypt", "kms:GenerateDataKey*"], "*"), Principal: { Service: "cloudwatch.amazonaws.com" } },
  ];
  return { Version: "2012-10-17", Statement };
}

/** It turns each year. A deleted one, and all that it has encrypted, can be had back for so many days. */
export function makeKey(name: string, site: Site, place: Place, options: CustomResourceOptions): Key {
  return new Key(
    `${name}-key`,
    {
      description: `${site.name}: what the stack keeps`,
      enableKeyRotation: true,
      deletionWindowInDays: site.protect ? 30 : 7,
      policy: JSON.stringify(keyPolicy(place)),
    },
    { ...options, ...protection(site.protect) },
  );
}
