/** A server that answers as a Docker engine would, for answers that no real engine here can be made to give. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A status other than 200, and its body. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Answers by method and path, without the API's version: `GET /info`. A function sees each request's query and body. */
export type Answers = Readonly<Record<string, unknown>>;
type Answering = (query: string, body: string) => unknown;

export interface FakeEngine {
  readonly host: string;
  /** Method, path and query of each request, in order. */
  readonly asked: string[];
  /** The headers of each request. */
  readonly headers: Record<string, string | string[] | undefined>[];
  close(): void;
}

/** `socket`: the path of a socket on which it listens, as this machine's own engine does, instead of a port. */
export async function fakeEngine(answers: Answers, socket?: string): Promise<FakeEngine> {
  const asked: string[] = [];
  const headers: FakeEngine["headers"] = [];
  const server: Server = createServer((request, response) => {
    const [path = "", query = ""] = (request.url ?? "").replace(/^\/v\d+\.\d+/, "").split("?");
    const key = `${request.method ?? ""} ${path}`;
    asked.push(query === "" ? key : `${key}?${query}`);
    headers.push(request.headers);
    void text(request).then((sent) => {
      const found = answers[key];
      const answer: unknown = typeof found === "function" ? (found as Answering)(query, sent) : found;
      const { status, body } = isAnswer(answer) ? answer : { status: answer === undefined ? 404 : 200, body: answer };
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body ?? { message: `no ${key}` }));
    });
  });
  server.keepAliveTimeout = 0; // as an engine does: a slow client's next request may come after Node's five seconds
  await new Promise<void>((resolve) => {
    if (socket === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(socket, resolve);
  });
  return {
    host:
      socket === undefined ? `tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}` : `unix://${socket}`,
    asked,
    headers,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === "object" && value !== null && "status" in value && "body" in value;
}
