import http from "node:http";

import { type Asked, forward } from "./apps.ts";
import { type Engine, whole } from "./engine.ts";
import { object } from "./json.ts";
import type { Policy } from "./policy.ts";
import { recentEvents, readableAs, withoutValues } from "./read.ts";
import { Refusal } from "./refusal.ts";

/** Headers that count for one connection alone. */
const hop = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "content-length",
  "host",
]);

/** The proxy for one client with one policy. It refuses what no rule names. */
export function proxy(policy: Policy, engine: Engine): http.Server {
  const server = http.createServer((request, response) => {
    answer(policy, engine, request, response).catch((error: unknown) => {
      const { status, message } =
        error instanceof Refusal
          ? error
          : { status: 500, message: error instanceof Error ? error.message : String(error) };
      if (status === 403) process.stdout.write(`refused: ${message}\n`);
      if (response.headersSent) response.destroy();
      else json(response, status, { message });
    });
  });
  // Refused: attach and exec would take the connection over, past every rule.
  server.on("upgrade", (_request, socket) => {
    socket.end(
      'HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{"message":"taking over the connection is not allowed"}',
    );
  });
  server.requestTimeout = 0; // events and logs are followed for as long as the client likes
  return server;
}

async function answer(
  policy: Policy,
  engine: Engine,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { method = "GET" } = request;
  const url = URL.parse(request.url ?? "", "http://docker");
  // Paths are compared as they were sent: an engine reads `%2e` and `//` in its own way.
  const [raw = ""] = (request.url ?? "").split("?");
  if (url?.pathname !== raw || /%|\/\/|\\/.test(raw)) throw new Refusal("not a plain path", 400);
  const [, version = "", path = "/"] = /^(\/v\d+\.\d+)?(\/.*)$/.exec(raw) ?? [];
  if (policy.may === "read") {
    if (method === "GET" && path === "/events/recent") {
      const seconds = Math.min(Number(url.searchParams.get("seconds") ?? 60) || 60, 3600);
      json(response, 200, await recentEvents(engine, seconds));
      return;
    }
    const how = readableAs(method, path);
    const found = await engine.open(method, raw + url.search, passed(request.headers));
    await (how === "json" ? shown(found, withoutValues, response) : streamed(found, response));
    return;
  }
  const asked: Asked = {
    method,
    path,
    query: url.searchParams,
    body: async () => object(parsed(await whole(request, 1024 * 1024)), "the body"),
  };
  const { path: to, query = "", body, show } = await forward(asked, policy, engine);
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...passed(request.headers),
    ...(sent === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
  };
  const found = await engine.open(method, `${version}${to}${query === "" ? "" : `?${query}`}`, headers, sent);
  await (show === undefined ? streamed(found, response) : shown(found, show, response));
}

/** The headers that go on, `X-Registry-Auth` among them: ShinyProxy's login for a private registry. */
function passed(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hop.has(name)));
}

async function streamed(from: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  response.writeHead(from.statusCode ?? 502, passed(from.headers));
  response.flushHeaders();
  response.on("close", () => from.destroy());
  for await (const chunk of from as AsyncIterable<Buffer>) response.write(chunk);
  response.end();
}

async function shown(
  from: http.IncomingMessage,
  show: (found: unknown) => unknown,
  response: http.ServerResponse,
): Promise<void> {
  const status = from.statusCode ?? 502;
  const found = parsed(await whole(from));
  json(response, status, status < 300 ? show(found) : found);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Refusal("not JSON", 400);
  }
}

function json(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
