import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import { z } from "zod";

import { readObject, writeObject } from "../checks/s3.ts";
import type { Handler } from "../role.ts";
import { bodyOf, send, sendJson } from "../server.ts";
import { type Change, index, type Media } from "./media.ts";

const asset = z.object({ title: z.string().min(1).max(200) });
const mebibyte = 1024 * 1024;

/**
 * Enough of an API to take one asset through every store:
 * - POST `/API/assets/` makes a row in Cassandra under a new UUID and publishes it for the index; PUT changes its
 *   title,
 * - GET `/API/assets/` lists all ids, `/API/assets/<id>` reads one,
 * - GET `/API/search/?q=` asks the index,
 * - PUT, GET `/API/files/<id>`: the original in the object store.
 */
export function mediaRoutes(app: Media): Handler {
  return async (request, response, url) => {
    const [, kind, id] = /^\/API\/(assets|files|search)(?:\/([0-9a-f-]{36})?)?$/.exec(url.pathname) ?? [];
    if (kind === "search" && request.method === "GET") {
      sendJson(response, 200, { ids: await app.search.query(index, url.searchParams.get("q") ?? "") });
      return true;
    }
    if (kind === "files" && id !== undefined) return file(app, id, request, response);
    if (kind !== "assets") return false;
    if (request.method === "POST" && id === undefined) return write(app, randomUUID(), request, response);
    if (request.method === "PUT" && id !== undefined) return write(app, id, request, response);
    return request.method === "GET" ? read(app, id, response) : false;
  };
}

async function write(app: Media, id: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const body = asset.safeParse(parsed((await bodyOf(request, 4096)) ?? ""));
  if (!body.success) {
    sendJson(response, 400, { error: "send JSON with a title of 1 to 200 letters" });
    return true;
  }
  const change: Change = { id, version: Date.now(), title: body.data.title };
  const query = "INSERT INTO assets (id, title, version) VALUES (?, ?, ?)";
  await app.cassandra.execute(query, [id, change.title, change.version]);
  await app.rabbit.publish(`asset.${id}`, change);
  sendJson(response, request.method === "POST" ? 201 : 200, change);
  return true;
}

async function read(app: Media, id: string | undefined, response: ServerResponse): Promise<boolean> {
  if (id === undefined) {
    const { rows } = await app.cassandra.execute("SELECT id FROM assets LIMIT 10000");
    sendJson(response, 200, { ids: rows.map((row) => String(row.get("id"))) });
    return true;
  }
  const { rows } = await app.cassandra.execute("SELECT title, version FROM assets WHERE id = ?", [id]);
  const [row] = rows;
  if (row === undefined) sendJson(response, 404, { error: `no asset ${id}` });
  else sendJson(response, 200, { id, title: String(row.get("title")), version: Number(row.get("version")) });
  return true;
}

async function file(app: Media, id: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const bucket = app.stores.objects.buckets.originals ?? "originals";
  if (request.method === "PUT") {
    const body = await bodyOf(request, mebibyte);
    if (body === undefined) sendJson(response, 413, { error: "the rehearsal takes at most 1 MiB" });
    else {
      await writeObject(app.s3, bucket, id, body);
      sendJson(response, 201, { stored: `${bucket}/${id}` });
    }
    return true;
  }
  if (request.method !== "GET") return false;
  const body = await readObject(app.s3, bucket, id);
  if (body === undefined) sendJson(response, 404, { error: `no file ${id}` });
  else send(response, 200, "text/plain; charset=utf-8", body);
  return true;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
