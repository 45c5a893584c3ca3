import http from "node:http";
import type { Loop } from "./loop.ts";
import { page } from "./page.ts";
import { explain } from "./errors.ts";
import type { Role } from "./role.ts";
import type { Secrets } from "./secrets.ts";

let listening: http.Server | undefined;
let busy = 0;

/** Takes no further connection, and ends when every request has its answer, as an application server does: 5 s at most. */
export async function finish(): Promise<void> {
  listening?.close();
  for (const began = Date.now(); busy > 0 && Date.now() - began < 5000;)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

/** `/` for people, `/health` for probes, `/rehearsal.json` for tests, and whatever the role adds. */
export function serve(role: Role, loop: Loop, secrets: Secrets, port: number): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    busy++;
    response.once("close", () => busy--);
    // Only the path counts; the base is a placeholder that URL insists on.
    const url = URL.parse(request.url ?? "/", "http://rehearsal");
    if (url === null) {
      sendJson(response, 400, { error: "not a URL" });
      return;
    }
    answer(role, loop, secrets, request, response, url).catch((error: unknown) => {
      if (!response.headersSent) sendJson(response, 500, { error: secrets.scrub(explain(role.name, error)) });
      else response.destroy();
    });
  });
  if (role.upgrade !== undefined) server.on("upgrade", role.upgrade);
  server.requestTimeout = 0; // an upload may take longer than five minutes
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => {
      listening = server;
      resolve(server);
    });
  });
}

async function answer(
  role: Role,
  loop: Loop,
  secrets: Secrets,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  url: URL,
): Promise<void> {
  const health = loop.health();
  const { name, title, version } = role;
  const plain = request.method === "GET" || request.method === "HEAD";
  if (plain && (url.pathname === "/health" || url.pathname === role.readyPath)) {
    sendJson(response, health.ok ? 200 : 503, { rehearsal: true, role: name, ...health });
  } else if (plain && url.pathname === "/rehearsal.json") {
    const state = { rehearsal: true, role: name, title, version, ...health, checks: loop.results };
    send(response, 200, "application/json", secrets.scrub(JSON.stringify(state, undefined, 2)));
  } else if (plain && url.pathname === "/") {
    // No script, and nothing from elsewhere: the page must work on a network without a way out.
    response.setHeader("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    send(response, 200, "text/html; charset=utf-8", secrets.scrub(page(role, health, loop.results, Date.now())));
  } else if (!((await role.handle?.(request, response, url)) ?? false)) {
    sendJson(response, 404, { error: `the rehearsal has nothing at ${url.pathname}` });
  }
}

export function send(response: http.ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store", "x-rehearsal": "true" });
  response.end(body);
}

export function sendJson(response: http.ServerResponse, status: number, value: unknown): void {
  send(response, status, "application/json", `${JSON.stringify(value)}\n`);
}

/** A request's body; undefined if it is longer than `limit` bytes. */
export async function bodyOf(request: http.IncomingMessage, limit: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  // An IncomingMessage without an encoding gives Buffers; its type says any.
  const stream: AsyncIterable<Buffer> = request;
  for await (const bytes of stream) {
    size += bytes.length;
    if (size > limit) return undefined;
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString("utf8");
}
