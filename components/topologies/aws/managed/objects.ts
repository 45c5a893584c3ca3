import { interpolate, jsonStringify } from "@pulumi/pulumi";
import { AccessKey } from "@pulumi/aws/iam/accessKey.js";
import { Group } from "@pulumi/aws/iam/group.js";
import { GroupPolicy } from "@pulumi/aws/iam/groupPolicy.js";
import { User } from "@pulumi/aws/iam/user.js";
import { UserGroupMembership } from "@pulumi/aws/iam/userGroupMembership.js";
import { BucketCorsConfiguration } from "@pulumi/aws/s3/bucketCorsConfiguration.js";
import { BucketLogging } from "@pulumi/aws/s3/bucketLogging.js";

import type { Ask, Given } from "../../../core/contracts.ts";
import type { At } from "../../../core/topology.ts";
import { makeBucket } from "../bucket.ts";
import { bucketName } from "../fit.ts";
import { requestsPrefix } from "../logs.ts";
import { allow } from "../policy.ts";
import { guarded, type Region } from "../region.ts";

/** S3: a bucket for each name of the ask, and one user who may read and write these alone. */
export function makeObjects(region: Region, name: string, ask: Ask<"objects">, { parent, logicalName }: At) {
  const { site, under } = region;
  const options = under(parent);
  const buckets = Object.entries(ask.buckets).map(([key, { cors }]) => {
    const bucket = makeBucket(region, `${logicalName}-${key}`, `${site.name}-${key}`, options, {
      keeps: guarded(site, key),
      key: region.key,
    });
    if (site.protect)
      new BucketLogging(
        `${logicalName}-${key}`,
        { bucket: bucket.id, targetBucket: region.logs.bucket, targetPrefix: `${requestsPrefix}${key}/` },
        { ...options, dependsOn: region.logs.ready },
      );
    if (cors !== undefined)
      new BucketCorsConfiguration(
        `${logicalName}-${key}`,
        {
          bucket: bucket.id,
          corsRules: [
            {
              allowedHeaders: ["*"],
              allowedMethods: ["PUT", "GET", "HEAD"],
              allowedOrigins: [cors],
              exposeHeaders: ["ETag"],
            },
          ],
        },
        options,
      );
    return bucket;
  });
  const arns = buckets.map(({ arn }) => arn);
  const user = new User(logicalName, { forceDestroy: true }, options);
  const group = new Group(logicalName, {}, options);
  const policy = new GroupPolicy(
    logicalName,
    {
      group: group.name,
      policy: jsonStringify({
        Version: "2012-10-17",
        Statement: [
          allow(["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation", "s3:GetBucketPolicy"], arns),
          allow(
            [
              ...["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
              ...["s3:ListMultipartUploadParts", "s3:GetObjectTagging", "s3:PutObjectTagging"],
            ],
            arns.map((arn) => interpolate`${arn}/*`),
          ),
        ],
      }),
    },
    options,
  );
  const member = new UserGroupMembership(logicalName, { user: user.name, groups: [group.name] }, options);
  const key = new AccessKey(logicalName, { user: user.name }, options);
  const host = `s3.${region.region}.amazonaws.com`;
  const given: Given<"objects"> = {
    api: "s3",
    url: `https://${host}`,
    internal: { host, port: 443, tls: true, members: [] },
    region: region.region,
    key: key.id,
    secret: key.secret,
    bucket: (bucket) => bucketName(region, `${site.name}-${bucket}`),
    ready: [...buckets, policy, member],
  };
  return given;
}
