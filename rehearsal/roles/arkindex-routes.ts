import type { IncomingMessage, ServerResponse } from "node:http";
import { withPostgres } from "../checks/postgres.ts";
import { readObject, writeObject } from "../checks/s3.ts";
import type { Handler } from "../role.ts";
import { bodyOf, send, sendJson } from "../server.ts";
import type { Arkindex } from "./arkindex.ts";

const mebibyte = 1024 * 1024;

/**
 * `/api/v1/`, and a little storage for tests: what they write through the edge must be there after a fault.
 * POST, GET `/rehearsal/rows`: lines of text in PostgreSQL. PUT, GET `/rehearsal/objects/<name>`: in bucket export.
 */
export function backendRoutes(app: Arkindex): Handler {
  return async (request, response, url) => {
    if (url.pathname === "/api/v1/" && request.method === "GET") {
      sendJson(response, 200, { rehearsal: true, version: app.version });
      return true;
    }
    if (url.pathname === "/rehearsal/rows") return rows(app, request, response);
    const name = /^\/rehearsal\/objects\/([A-Za-z0-9._-]{1,100})$/.exec(url.pathname)?.[1];
    return name === undefined ? false : object(app, name, request, response);
  };
}

async function rows(app: Arkindex, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  if (request.method === "POST") {
    const body = await bodyOf(request, 4096);
    if (body === undefined || body === "") sendJson(response, 400, { error: "send 1 to 4096 bytes of text" });
    else {
      await withPostgres(app.database, (client) =>
        client.query("insert into rehearsal_rows (body) values ($1)", [body]),
      );
      sendJson(response, 201, { stored: true });
    }
    return true;
  }
  if (request.method !== "GET") return false;
  const query = "select body from rehearsal_rows order by id desc limit 1000";
  const found = await withPostgres(app.database, (client) => client.query<{ body: string }>(query));
  sendJson(response, 200, { rows: found.rows.map((row) => row.body).reverse() });
  return true;
}

async function object(
  app: Arkindex,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const bucket = app.buckets.find((b) => b.endsWith("export")) ?? "export";
  const key = `rehearsal/${name}`;
  if (request.method === "PUT") {
    const body = await bodyOf(request, mebibyte);
    if (body === undefined) sendJson(response, 413, { error: "send at most 1 MiB" });
    else {
      await writeObject(app.s3, bucket, key, body);
      sendJson(response, 201, { stored: `${bucket}/${key}` });
    }
    return true;
  }
  if (request.method !== "GET") return false;
  const body = await readObject(app.s3, bucket, key);
  if (body === undefined) sendJson(response, 404, { error: `no object ${name}` });
  else send(response, 200, "text/plain; charset=utf-8", body);
  return true;
}
