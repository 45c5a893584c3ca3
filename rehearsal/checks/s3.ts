import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";
import { ask } from "./http.ts";

export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export function s3Client(access: S3Access): S3Client {
  const { endpoint, region, ...credentials } = access;
  return new S3Client({
    endpoint,
    region,
    credentials,
    forcePathStyle: true,
    maxAttempts: 2,
    // Not every other store knows Amazon's newer checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

/** Puts this host's small object into a bucket, gets it back and deletes it. */
export function bucket(client: S3Client, endpoint: string, name: string, host: string, label = `s3:${name}`): Check {
  const at = { Bucket: name, Key: `rehearsal/probe-${host}` };
  return {
    name: label,
    target: endpoint,
    required: true,
    run: async (abortSignal) => {
      const value = String(Date.now());
      await explained(client.send(new PutObjectCommand({ ...at, Body: value }), { abortSignal }));
      const { Body } = await explained(client.send(new GetObjectCommand(at), { abortSignal }));
      if ((await Body?.transformToString()) !== value) throw new Refusal(`bucket ${name} gave back another object`);
      await explained(client.send(new DeleteObjectCommand(at), { abortSignal }));
      return "object put, read and deleted";
    },
  };
}

/** For an application that reads: the bucket exists and lists, and one of its objects, if any, can be fetched. */
export function readableBucket(client: S3Client, endpoint: string, name: string): Check {
  return {
    name: `s3:${name}`,
    target: endpoint,
    required: true,
    run: async (abortSignal) => {
      await explained(client.send(new HeadBucketCommand({ Bucket: name }), { abortSignal }), name);
      const list = await explained(
        client.send(new ListObjectsV2Command({ Bucket: name, MaxKeys: 1 }), { abortSignal }),
      );
      const Key = list.Contents?.[0]?.Key;
      if (Key === undefined) return "bucket listed, it is empty";
      const Range = "bytes=0-0";
      try {
        const got = await client.send(new GetObjectCommand({ Bucket: name, Key, Range }), { abortSignal });
        await got.Body?.transformToByteArray();
      } catch (error) {
        // Another rehearsing part may have deleted the object in between. An empty object has no first byte.
        if (!(error instanceof Error && ["NoSuchKey", "InvalidRange"].includes(error.name))) throw error;
      }
      return "bucket listed, an object fetched";
    },
  };
}

/** Whether a browser on `origin` may PUT to a bucket: the preflight request that it would send first. */
export function cors(endpoint: string, name: string, origin: string): Check {
  const url = `${endpoint}/${name}/rehearsal/upload`;
  return {
    name: `cors:${name}`,
    target: `${endpoint}/${name} from ${origin}`,
    required: true,
    run: async (signal) => {
      const headers = {
        origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type",
      };
      const answer = await ask(url, { method: "OPTIONS", headers, signal });
      const allowed = answer.headers["access-control-allow-origin"];
      const methods = (answer.headers["access-control-allow-methods"] ?? "").toUpperCase();
      if (answer.status >= 300 || (allowed !== origin && allowed !== "*"))
        throw new Refusal(`bucket ${name} does not allow uploads from ${origin}: set its CORS rules`);
      if (!/\bPUT\b|\*/.test(methods)) throw new Refusal(`bucket ${name} allows ${origin}, but not to PUT`);
      return "browser uploads allowed";
    },
  };
}

/** undefined: no such object. */
export async function objectSize(client: S3Client, Bucket: string, Key: string): Promise<number | undefined> {
  try {
    return (await client.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength ?? 0;
  } catch (error) {
    if (error instanceof NotFound || (error instanceof Error && error.name === "NoSuchBucket")) return undefined;
    throw error;
  }
}

export async function readObject(client: S3Client, Bucket: string, Key: string): Promise<string | undefined> {
  try {
    return await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw error;
  }
}

export async function writeObject(client: S3Client, Bucket: string, Key: string, Body: string): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket, Key, Body }));
}

/** HEAD has no body, so the SDK says only "NotFound" or "403": this names the missing bucket or the wrong key. */
async function explained<T>(work: Promise<T>, name?: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NotFound && name !== undefined) throw new Refusal(`the object store has no bucket ${name}`);
    throw error;
  }
}
