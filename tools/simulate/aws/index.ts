/** AWS, as `pulumi-resource-aws` has it. */
import process from "node:process";

import { textAt } from "../wire.ts";
import { facts, gone, made } from "./machines.ts";
import { nameOf } from "./names.ts";
import { keeps, problems, reservedDays, stays } from "./refusals.ts";
import { deletesFirst, replaces } from "./replaces.ts";
import { simulatedAccount } from "./systems.ts";
import { counted, idOf, outputs } from "./things.ts";

import type { Cloud } from "../cloud.ts";

export const aws: Cloud = {
  name: "aws",
  // aws:rds/instance:Instance is the class Instance of rds/instance.d.ts.
  typings: (token) => {
    const [, file = "", name = ""] = /^aws:([\w/]+):(\w+)$/.exec(token) ?? [];
    return name === "" ? undefined : { file: file.replace(/^index\//, ""), name };
  },
  config: (given) => {
    const region = textAt(given, "region") ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
    if (region === undefined)
      throw new Error("Missing region configuration: give the explicit provider its region, or set AWS_REGION");
    const [account = simulatedAccount()] = (given.allowedAccountIds ?? []) as string[];
    const { tags = {} } = (given.defaultTags ?? {}) as { tags?: Record<string, string> };
    return { region, account, tags };
  },
  nameOf,
  defaults: (token) => (described.has(token.replace(/^aws:/, "")) ? { description: "Managed by Pulumi" } : {}),
  replaces,
  moved: (olds, news, config) => {
    const [before, now] = [textAt(olds, "region"), textAt(news, "region") ?? config.region];
    return before === undefined || before === now ? undefined : "region";
  },
  deletesFirst,
  keepsEmptyBlocks: (token) => framework.has(token.replace(/^aws:/, "")),
  problems,
  id: idOf,
  outputs,
  counted,
  keeps,
  reservedDays,
  stays,
  facts,
  made,
  gone,
};

/** The bridge describes these itself. */
const described = new Set([
  "ec2/securityGroup:SecurityGroup",
  "elasticache/parameterGroup:ParameterGroup",
  "elasticache/subnetGroup:SubnetGroup",
  "rds/parameterGroup:ParameterGroup",
  "rds/subnetGroup:SubnetGroup",
]);

/** Of the resources in `tools/go/aws/resources.go` those that upstream makes with Terraform's newer framework. */
const framework = new Set([
  "cognito/userPoolClient:UserPoolClient",
  "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
  "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
]);
