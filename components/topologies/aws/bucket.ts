/** Buckets of a stack: encrypted, private, versioned, TLS alone, in the account's own space of names. */
import { type CustomResourceOptions, type Input, interpolate, jsonStringify } from "@pulumi/pulumi";
import { Bucket } from "@pulumi/aws/s3/bucket.js";
import { BucketLifecycleConfiguration } from "@pulumi/aws/s3/bucketLifecycleConfiguration.js";
import { BucketOwnershipControls } from "@pulumi/aws/s3/bucketOwnershipControls.js";
import { BucketPolicy } from "@pulumi/aws/s3/bucketPolicy.js";
import { BucketPublicAccessBlock } from "@pulumi/aws/s3/bucketPublicAccessBlock.js";
import { BucketServerSideEncryptionConfiguration } from "@pulumi/aws/s3/bucketServerSideEncryptionConfiguration.js";
import { BucketVersioning } from "@pulumi/aws/s3/bucketVersioning.js";

import { protection } from "../../core/site.ts";
import { bucketName } from "./fit.ts";
import type { Region } from "./region.ts";

export interface BucketWish {
  /** It refuses to go with its content. */
  readonly keeps: boolean;
  /** Days after which everything in it goes. Default: never. */
  readonly days?: number;
  /** The key that encrypts it. Default: S3's own. */
  readonly key?: Input<string> | undefined;
  /** Further statements of its policy. */
  readonly statements?: readonly object[];
}

/** `name`: within the account and the region. A change replaces the bucket. */
export function makeBucket(
  region: Pick<Region, "account" | "region">,
  logical: string,
  name: string,
  options: CustomResourceOptions,
  { keeps, days, key, statements = [] }: BucketWish,
): Bucket {
  const full = bucketName(region, name);
  const made = new Bucket(
    logical,
    { bucket: full, bucketNamespace: "account-regional", forceDestroy: !keeps },
    { ...options, ...protection(keeps) },
  );
  const bucket = made.id;
  const block = new BucketPublicAccessBlock(
    logical,
    { bucket, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    options,
  );
  new BucketOwnershipControls(logical, { bucket, rule: { objectOwnership: "BucketOwnerEnforced" } }, options);
  const versioning = new BucketVersioning(logical, { bucket, versioningConfiguration: { status: "Enabled" } }, options);
  const encryption = key === undefined ? { sseAlgorithm: "AES256" } : { sseAlgorithm: "aws:kms", kmsMasterKeyId: key };
  new BucketServerSideEncryptionConfiguration(
    logical,
    { bucket, rules: [{ applyServerSideEncryptionByDefault: encryption, bucketKeyEnabled: true }] },
    options,
  );
  new BucketLifecycleConfiguration(
    logical,
    {
      bucket,
      rules: [
        {
          ...{ id: "cut-short", status: "Enabled", filter: {} },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
          noncurrentVersionExpiration: { noncurrentDays: 30 },
          ...(days === undefined ? {} : { expiration: { days } }),
        },
      ],
    },
    { ...options, dependsOn: [versioning] },
  );
  const plain = {
    ...{ Effect: "Deny", Principal: "*", Action: "s3:*" },
    Resource: [made.arn, interpolate`${made.arn}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  new BucketPolicy(
    logical,
    { bucket, policy: jsonStringify({ Version: "2012-10-17", Statement: [plain, ...statements] }) },
    { ...options, dependsOn: [block] },
  );
  return made;
}
