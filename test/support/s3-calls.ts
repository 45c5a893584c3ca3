/** The calls of S3 that the systems, their clients and our backups make, and some that a store may lack. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type LifecycleRule,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";

/** A store behind an edge on this machine. */
export interface Target {
  /** `https://objects.x.localhost:1234`. */
  readonly url: string;
  readonly region: string;
  readonly key: string;
  readonly secret: string;
  /** The edge's authority. */
  readonly ca: string;
}

type Lookup = (error: null, address: string | { address: string; family: number }[], family?: number) => void;
/** Every public name leads to this machine. */
const agentOf = (ca: string): Agent =>
  new Agent({
    ca,
    keepAlive: true,
    lookup: (_host: string, { all = false }: { all?: boolean }, done: Lookup) => {
      if (all) done(null, [{ address: "127.0.0.1", family: 4 }]);
      else done(null, "127.0.0.1", 4);
    },
  } as ConstructorParameters<typeof Agent>[0]);

export function clientOf({ url, region, key, secret, ca }: Target, maxAttempts = 1): S3Client {
  return new S3Client({
    ...{ endpoint: url, region, forcePathStyle: true, maxAttempts },
    credentials: { accessKeyId: key, secretAccessKey: secret },
    // A request that is under way at a server without power is answered by nobody: who waits gives it up.
    requestHandler: {
      ...{ httpsAgent: agentOf(ca), connectionTimeout: 5000, requestTimeout: 15_000 },
      throwOnRequestTimeout: true,
    },
  });
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Without a client of S3: as a browser. */
export function browse(ca: string, url: string, method = "GET", headers: object = {}, body = ""): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: agentOf(ca), method, headers: { ...headers } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("end", () => {
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(parts).toString(),
        });
      });
    });
    sent.setTimeout(30_000, () => sent.destroy(new Error(`${url} took longer than 30 s`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** A URL that lets whoever has it make one request, by Signature Version 4. */
export function presigned(target: Target, method: string, path: string, seconds = 60, query: object = {}): string {
  const { host } = new URL(target.url);
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/${target.region}/s3/aws4_request`;
  const escape = (text: string): string =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const words: Record<string, string> = {
    ...query,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${target.key}/${scope}`,
    "X-Amz-Date": time,
    "X-Amz-Expires": String(seconds),
    "X-Amz-SignedHeaders": "host",
  };
  const asked = Object.keys(words)
    .sort()
    .map((word) => `${escape(word)}=${escape(words[word] ?? "")}`)
    .join("&");
  const place = path.split("/").map(escape).join("/");
  const canonical = [method, place, asked, `host:${host}\n`, "host", "UNSIGNED-PAYLOAD"].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const signing = scope
    .split("/")
    .reduce<string | Buffer>((by, word) => createHmac("sha256", by).update(word).digest(), `AWS4${target.secret}`);
  return `${target.url}${place}?${asked}&X-Amz-Signature=${createHmac("sha256", signing).update(text).digest("hex")}`;
}

function same(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${a} is not ${b}`);
}

/** Each call by its name, with `ok` or what the store answered. `origin`: whose pages may call the bucket. */
export async function s3Calls(target: Target, bucket: string, origin: string): Promise<Record<string, string>> {
  const s3 = clientOf(target);
  const at = (Key: string) => ({ Bucket: bucket, Key });
  const put = (Key: string, Body: string | Buffer, more: object = {}) =>
    s3.send(new PutObjectCommand({ ...at(Key), Body, ...more }));
  const get = async (Key: string, more: object = {}): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ ...at(Key), ...more }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const text = async (Key: string): Promise<string> => (await get(Key)).toString();
  const head = (Key: string) => s3.send(new HeadObjectCommand(at(Key)));
  const status = (error: unknown): number =>
    (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
  const refused = (work: Promise<unknown>): Promise<number> => work.then(() => 200, status);
  const piece = randomBytes(5 * 1024 * 1024);
  const begun = async (Key: string, more: object = {}): Promise<string> =>
    (await s3.send(new CreateMultipartUploadCommand({ ...at(Key), ...more }))).UploadId ?? "";
  const described = {
    ...{ ContentType: "image/x-a", CacheControl: "max-age=5", ContentDisposition: 'attachment; filename="a b"' },
    Metadata: { owner: "anna" },
  };
  const uploads = async (): Promise<(string | undefined)[]> =>
    ((await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).map(({ Key }) => Key);

  const calls: Record<string, () => Promise<unknown>> = {
    "buckets are listed and known": async () => {
      await s3.send(new HeadBucketCommand({ Bucket: bucket }));
      same(
        ((await s3.send(new ListBucketsCommand())).Buckets ?? []).some(({ Name }) => Name === bucket),
        true,
      );
    },
    "another bucket is made": () => s3.send(new CreateBucketCommand({ Bucket: `${bucket}-more` })),
    "put and get, with type, headers and metadata": async () => {
      const { ETag } = await put("m/a", "hello", described);
      same(ETag, `"${createHash("md5").update("hello").digest("hex")}"`);
      same(await text("m/a"), "hello");
      const { ContentType, CacheControl, ContentDisposition, Metadata } = await head("m/a");
      same({ ContentType, CacheControl, ContentDisposition, Metadata }, described);
    },
    "odd keys, and an empty object": async () => {
      for (const key of ["sp ace/+plus", "ümlaut/ß", "a%2Fb", "dir/", "dir/x", "zero", "clash", "clash/x"]) {
        const body = Buffer.from(key === "zero" || key === "dir/" ? "" : key);
        await put(key, body);
        same([key, await text(key)], [key, body.toString()]);
      }
    },
    "a body with a checksum, which is kept": async () => {
      await put("sum", randomBytes(300_000), { ChecksumAlgorithm: "SHA256" });
      const { ChecksumSHA256 } = await s3.send(new HeadObjectCommand({ ...at("sum"), ChecksumMode: "ENABLED" }));
      same(ChecksumSHA256 === undefined, false);
    },
    "a wrong checksum is refused": async () => {
      same(await refused(put("bad", "abc", { ChecksumCRC32: Buffer.from("1234").toString("base64") })), 400);
    },
    "a range, and one that the object has not": async () => {
      await put("ranged", "0123456789");
      same((await get("ranged", { Range: "bytes=3-5" })).toString(), "345");
      same(await refused(get("zero", { Range: "bytes=0-0" })), 416);
    },
    "multipart: parts, their list, complete, a range over a border": async () => {
      const UploadId = await begun("parts", { ContentType: "x/y", Metadata: { k: "v" } });
      const Parts = [];
      for (const [index, Body] of [piece, piece, Buffer.from("tail")].entries()) {
        const part = { ...at("parts"), UploadId, PartNumber: index + 1 };
        const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body }));
        Parts.push({ PartNumber: index + 1, ETag });
      }
      same((await s3.send(new ListPartsCommand({ ...at("parts"), UploadId }))).Parts?.length, 3);
      same((await uploads()).includes("parts"), true);
      await s3.send(new CompleteMultipartUploadCommand({ ...at("parts"), UploadId, MultipartUpload: { Parts } }));
      same((await get("parts")).equals(Buffer.concat([piece, piece, Buffer.from("tail")])), true);
      const border = await get("parts", { Range: "bytes=5242878-5242881" });
      same(border.equals(Buffer.concat([piece.subarray(-2), piece.subarray(0, 2)])), true);
      const { ContentType, Metadata } = await head("parts");
      same([ContentType, Metadata], ["x/y", { k: "v" }]);
    },
    "multipart: given up": async () => {
      const UploadId = await begun("given-up");
      await s3.send(new UploadPartCommand({ ...at("given-up"), UploadId, PartNumber: 1, Body: "x" }));
      await s3.send(new AbortMultipartUploadCommand({ ...at("given-up"), UploadId }));
      same((await uploads()).includes("given-up"), false);
    },
    "multipart: a part that is a copy": async () => {
      const UploadId = await begun("part-copy");
      const from = { ...at("part-copy"), UploadId, PartNumber: 1, CopySource: `${bucket}/parts` };
      const { CopyPartResult } = await s3.send(new UploadPartCopyCommand(from));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult?.ETag }] };
      await s3.send(new CompleteMultipartUploadCommand({ ...at("part-copy"), UploadId, MultipartUpload }));
      same((await head("part-copy")).ContentLength, 10_485_764);
    },
    "presigned: put and get, forged, none, expired": async () => {
      const { ca } = target;
      const path = `/${bucket}/pre s/ü`;
      same(
        (await browse(ca, presigned(target, "PUT", path), "PUT", { "content-type": "text/x-p" }, "pre")).status,
        200,
      );
      const disposition = { "response-content-disposition": "attachment; filename=z" };
      const got = await browse(ca, presigned(target, "GET", path, 60, disposition));
      same([got.status, got.body, got.headers["content-disposition"]], [200, "pre", "attachment; filename=z"]);
      const forged = presigned(target, "GET", path).replace(/Signature=./, "Signature=g");
      same([403, 400].includes((await browse(ca, forged)).status), true);
      same((await browse(ca, `${target.url}/${bucket}/m/a`)).status, 403);
      const short = presigned(target, "GET", path, 1);
      await sleep(2500);
      same([403, 400].includes((await browse(ca, short)).status), true);
    },
    "CORS: the origin may, on GET too, and a stranger may not": async () => {
      const { ca, url } = target;
      const preflight = (from: string) =>
        browse(ca, `${url}/${bucket}/x`, "OPTIONS", {
          origin: from,
          "access-control-request-method": "PUT",
          "access-control-request-headers": "content-type",
        });
      const allowed = ({ headers }: Reply) => headers["access-control-allow-origin"];
      const asked = await preflight(origin);
      same([asked.status < 300, allowed(asked)], [true, origin]);
      const stranger = await preflight("https://evil.example.com");
      same(stranger.status >= 400 || allowed(stranger) === undefined, true);
      const got = await browse(ca, presigned(target, "GET", `/${bucket}/m/a`), "GET", { origin });
      same([got.status, allowed(got)], [200, origin]);
      same(String(got.headers["access-control-expose-headers"]).toLowerCase().includes("etag"), true);
    },
    "list: pages, order, delimiter, start": async () => {
      for (let i = 0; i < 12; i++) await put(`ls/${String(i % 3)}/${String(i).padStart(2, "0")}`, "1");
      const keys: (string | undefined)[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await s3.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: "ls/", MaxKeys: 5, ContinuationToken }),
        );
        keys.push(...(page.Contents ?? []).map(({ Key }) => Key));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      same([keys.length, keys], [12, [...keys].sort()]);
      const list = (more: object) => s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: "ls/", ...more }));
      const folders = (await list({ Delimiter: "/" })).CommonPrefixes ?? [];
      same(
        folders.map(({ Prefix }) => Prefix),
        ["ls/0/", "ls/1/", "ls/2/"],
      );
      same((await list({ StartAfter: "ls/1/99" })).Contents?.length, 4);
    },
    "get if it is another": async () => {
      const { ETag } = await head("m/a");
      same(await refused(get("m/a", { IfNoneMatch: ETag })), 304);
      same(await refused(get("m/a", { IfMatch: '"0123"' })), 412);
    },
    "copy, and another description in place": async () => {
      await s3.send(new CopyObjectCommand({ ...at("copy"), CopySource: `${bucket}/m/a` }));
      const first = await head("copy");
      same([first.ContentType, first.Metadata], ["image/x-a", { owner: "anna" }]);
      const to = { MetadataDirective: "REPLACE", Metadata: { n: "2" }, ContentType: "q/q" } as const;
      await s3.send(new CopyObjectCommand({ ...at("copy"), CopySource: `${bucket}/copy`, ...to }));
      const { ContentType, Metadata } = await head("copy");
      same([ContentType, Metadata], ["q/q", { n: "2" }]);
    },
    "delete one, many, and none": async () => {
      const Objects = [{ Key: "ls/0/00" }, { Key: "not there" }];
      const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
      same(Deleted?.length, 2);
      await s3.send(new DeleteObjectCommand(at("ls/1/01")));
      same([await refused(head("ls/0/00")), await refused(head("ls/1/01"))], [404, 404]);
    },
    "lifecycle: expiry, and an end of unfinished uploads": async () => {
      const Rules: LifecycleRule[] = [
        { ID: "x", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 1 } },
        {
          ID: "y",
          Status: "Enabled",
          Filter: { Prefix: "" },
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        },
      ];
      await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules } }));
      same((await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))).Rules?.length, 2);
    },
    "put if there is none": async () => {
      same(await refused(put("m/a", "other", { IfNoneMatch: "*" })), 412);
    },
    tagging: async () => {
      const TagSet = [{ Key: "x", Value: "y" }];
      await s3.send(new PutObjectTaggingCommand({ ...at("m/a"), Tagging: { TagSet } }));
      same((await s3.send(new GetObjectTaggingCommand(at("m/a")))).TagSet, TagSet);
    },
    "bucket policy: everybody may read": async () => {
      const Action = ["s3:GetObject"];
      const Resource = [`arn:aws:s3:::${bucket}/m/*`];
      const Statement = [{ Effect: "Allow", Principal: { AWS: ["*"] }, Action, Resource }];
      const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
      await s3.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
      same((await browse(target.ca, `${target.url}/${bucket}/m/a`)).status, 200);
    },
    versioning: () =>
      s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } })),
  };
  const results: Record<string, string> = {};
  for (const [name, call] of Object.entries(calls))
    results[name] = await call().then(
      () => "ok",
      (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`.slice(0, 200),
    );
  s3.destroy();
  return results;
}
