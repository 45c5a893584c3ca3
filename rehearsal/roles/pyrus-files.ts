/** The file service's stand-in: bodies of any size go to the object store and come back, in constant memory. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

import type { PyrusConfig } from "../config/pyrus.ts";
import type { Given, Handler } from "../role.ts";
import { sendJson } from "../server.ts";
import { parametersOf, store } from "./pyrus.ts";

const partBytes = 8 * 1024 * 1024;

/**
 * POST `/v4/files/upload?name=` (also below `/api`) and GET `/v4/files/download?name=`. GET `/v4/files/upload`: how
 * many bytes of the last upload have arrived, so that a test sees them before its client has sent all.
 */
export function fileRoutes(config: PyrusConfig, given: Given): Handler {
  let arrived = 0;
  return async (request, response, url) => {
    const upload = /^(?:\/api)?\/v4\/files\/upload$/.test(url.pathname);
    if (upload && request.method === "GET") {
      sendJson(response, 200, { arrived });
      return true;
    }
    const download = url.pathname === "/v4/files/download" && request.method === "GET";
    if (!download && !(upload && request.method === "POST")) return false;
    const name = url.searchParams.get("name") ?? "";
    if (!/^[\w.-]{1,100}$/.test(name)) {
      sendJson(response, 400, { error: "name it: ?name=" });
      return true;
    }
    const { client, bucket } = store(await parametersOf(config, given));
    const at = { Bucket: bucket, Key: `rehearsal-files/${name}` };
    try {
      if (download) await give(client, at, response);
      else {
        arrived = 0;
        const bytes = await take(client, at, request, (count) => (arrived += count));
        sendJson(response, 201, { stored: name, bytes });
      }
    } finally {
      client.destroy();
    }
    return true;
  };
}

interface At {
  readonly Bucket: string;
  readonly Key: string;
}

async function give(client: S3Client, at: At, response: ServerResponse): Promise<void> {
  try {
    const { Body, ContentLength } = await client.send(new GetObjectCommand(at));
    if (!(Body instanceof Readable)) throw new Error("no body");
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": ContentLength ?? 0 });
    await pipeline(Body, response);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "NoSuchKey") throw error;
    sendJson(response, 404, { error: "no such file" });
  }
}

/** Takes one part at a time: while a part is on its way to the store, the client waits. */
async function take(
  client: S3Client,
  at: At,
  request: IncomingMessage,
  count: (bytes: number) => void,
): Promise<number> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(at));
  const parts: { ETag: string | undefined; PartNumber: number }[] = [];
  let bytes = 0;
  try {
    for await (const Body of inParts(request, count)) {
      const PartNumber = parts.length + 1;
      const { ETag } = await client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
      parts.push({ ETag, PartNumber });
      bytes += Body.length;
    }
    await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: parts } }));
    return bytes;
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => undefined);
    throw error;
  }
}

/** Cuts a body of any size into parts, with the memory of one buffer. */
async function* inParts(request: IncomingMessage, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  const stream: AsyncIterable<Buffer> = request;
  const part = Buffer.alloc(partBytes);
  let filled = 0;
  let any = false;
  for await (let bytes of stream) {
    count(bytes.length);
    while (bytes.length > 0) {
      const copied = bytes.copy(part, filled);
      filled += copied;
      bytes = bytes.subarray(copied);
      if (filled === partBytes) {
        yield part;
        any = true;
        filled = 0;
      }
    }
  }
  if (request.destroyed && !request.complete) await once(request, "error").catch(() => undefined);
  if (!request.complete) throw new Error("the client went away");
  if (filled > 0 || !any) yield part.subarray(0, filled);
}
