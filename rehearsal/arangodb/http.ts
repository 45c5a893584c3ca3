import http from "node:http";

import { Refused } from "./fatal.ts";

export interface Asked {
  readonly method: string;
  /** The path without `/_db/<database>`. */
  readonly path: string;
  readonly database: string;
  readonly query: URLSearchParams;
  readonly authorization: string;
  readonly body: unknown;
}
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}
export type Route = (asked: Asked) => Promise<Answer> | Answer;

const largest = 32 * 1024 * 1024;

export function serve(port: number, route: Route, say: (line: string) => void): http.Server {
  const server = http.createServer((request, response) => {
    const send = ({ status, body }: Answer): void => {
      response.writeHead(status, { "content-type": "application/json", "x-stand-in": "true" });
      response.end(`${JSON.stringify(body)}\n`);
    };
    ask(request)
      .then(route)
      .then(send, (error: unknown) => {
        const { status, errorNum } = error instanceof Refused ? error : { status: 500, errorNum: 4 };
        if (status === 500) say(`${request.method ?? ""} ${request.url ?? ""}: ${String(error)}`);
        const errorMessage = error instanceof Error ? error.message : String(error);
        send({ status, body: { error: true, code: status, errorNum, errorMessage } });
      });
  });
  return server.listen(port);
}

async function ask(request: http.IncomingMessage): Promise<Asked> {
  const url = new URL(request.url ?? "/", "http://stand-in");
  const [, database = "_system", path = url.pathname] = /^\/_db\/([^/]+)(\/.*)$/.exec(url.pathname) ?? [];
  const parts: Buffer[] = [];
  let size = 0;
  // An IncomingMessage without an encoding gives Buffers; its type says any.
  const stream: AsyncIterable<Buffer> = request;
  for await (const part of stream) {
    size += part.length;
    if (size > largest) throw new Refused(413, 413, "body too large");
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  const { method = "GET", headers } = request;
  const { authorization = "" } = headers;
  return { method, path, database, query: url.searchParams, authorization, body: text === "" ? undefined : json(text) };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Refused(400, 600, "expecting JSON");
  }
}

/** A call between members. Throws if no answer comes; returns any answer. */
export async function call(
  endpoint: string,
  authorization: string,
  path: string,
  body: unknown,
  milliseconds: number,
): Promise<Answer> {
  const answer = await fetch(`${endpoint.replace(/^tcp:/, "http:")}${path}`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(milliseconds),
  });
  return { status: answer.status, body: await answer.json() };
}

/** The error in an answer, as an exception. */
export function refusedBy({ status, body }: Answer): Refused {
  const { errorNum = 4, errorMessage = "no reason given" } = body as { errorNum?: number; errorMessage?: string };
  return new Refused(status, errorNum, errorMessage);
}

/** Runs work one piece at a time, in the order in which it was asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
