/**
 * The bucket for records of traffic: the balancer's requests, the private network's flows, the requests to buckets.
 * AWS' own key encrypts it: the balancer writes to no other bucket.
 */
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
  /** Whose flows are recorded. Unset: the network is somebody else's, and so are the records of it. */
  readonly vpc: Vpc | undefined;
}

/** The bucket's own part of its name. */
export function recordsName(site: string): string {
  return `${site}-records`;
}

/** Where the requests to the buckets of a protected stack are recorded. */
export const requestsPrefix = "objects/";

/** Records of traffic may go with the stack: they are no data of anybody's. */
export function makeLogs({ name, site, account, region, days, vpc }: LogsArgs, options: CustomResourceOptions): Logs {
  const full = `arn:aws:s3:::${bucketName({ account, region }, recordsName(site))}`;
  const from = { StringEquals: { "aws:SourceAccount": account } };
  const writes = (service: string, resource: string): object => ({
    ...{ Effect: "Allow", Principal: { Service: service }, Action: "s3:PutObject", Resource: resource },
    // The balancers' own service says of no account that it comes from there.
    ...(service.startsWith("logdelivery.elastic") ? {} : { Condition: from }),
  });
  const bucket = makeBucket({ account, region }, `${name}-records`, recordsName(site), options, {
    keeps: false,
    days,
    statements: [
      writes("logdelivery.elasticloadbalancing.amazonaws.com", `${full}/edge/AWSLogs/${account}/*`),
      writes("logging.s3.amazonaws.com", `${full}/${requestsPrefix}*`),
      writes("delivery.logs.amazonaws.com", `${full}/AWSLogs/${account}/*`),
      {
        ...{ Effect: "Allow", Principal: { Service: "delivery.logs.amazonaws.com" } },
        ...{ Action: ["s3:GetBucketAcl", "s3:ListBucket"], Resource: full, Condition: from },
      },
    ],
  });
  if (vpc === undefined) return { bucket: bucket.bucket, ready: [bucket] };
  const flows = new FlowLog(
    `${name}-flows`,
    { vpcId: vpc.id, trafficType: "ALL", logDestinationType: "s3", logDestination: interpolate`${bucket.arn}` },
    options,
  );
  return { bucket: bucket.bucket, ready: [bucket, flows] };
}
