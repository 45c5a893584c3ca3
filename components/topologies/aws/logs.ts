/** The bucket for records of traffic: the balancer's requests, the private network's flows. */
import { type CustomResourceOptions, interpolate, type Output, type Resource } from "@pulumi/pulumi";
import { FlowLog } from "@pulumi/aws/ec2/flowLog.js";
import type { Vpc } from "@pulumi/aws/ec2/vpc.js";

import { makeBucket } from "./bucket.ts";
import { bucketName } from "./fit.ts";

export interface Logs {
  readonly bucket: Output<string>;
  readonly ready: Resource[];
}

export interface LogsArgs {
  readonly name: string;
  readonly site: string;
  readonly account: string;
  readonly region: string;
  /** How long records stay. */
  readonly days: number;
  readonly vpc: Vpc;
}

/** Records of traffic may go with the stack: they are no data of anybody's. */
export function makeLogs({ name, site, account, region, days, vpc }: LogsArgs, options: CustomResourceOptions): Logs {
  const full = `arn:aws:s3:::${bucketName({ account, region }, `${site}-records`)}`;
  const from = { StringEquals: { "aws:SourceAccount": account } };
  const writes = (service: string, resource: string): object => ({
    ...{ Effect: "Allow", Principal: { Service: service }, Action: "s3:PutObject", Resource: resource },
    ...(service.startsWith("delivery") ? { Condition: from } : {}),
  });
  const bucket = makeBucket({ account, region }, `${name}-records`, `${site}-records`, options, {
    keeps: false,
    days,
    statements: [
      writes("logdelivery.elasticloadbalancing.amazonaws.com", `${full}/edge/AWSLogs/${account}/*`),
      writes("delivery.logs.amazonaws.com", `${full}/AWSLogs/${account}/*`),
      {
        ...{ Effect: "Allow", Principal: { Service: "delivery.logs.amazonaws.com" } },
        ...{ Action: ["s3:GetBucketAcl", "s3:ListBucket"], Resource: full, Condition: from },
      },
    ],
  });
  const flows = new FlowLog(
    `${name}-flows`,
    { vpcId: vpc.id, trafficType: "ALL", logDestinationType: "s3", logDestination: interpolate`${bucket.arn}` },
    options,
  );
  return { bucket: bucket.bucket, ready: [bucket, flows] };
}
