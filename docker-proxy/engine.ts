import http from "node:http";

import { isObject, type Json } from "./json.ts";
import { Refusal } from "./refusal.ts";

/** The real engine behind this proxy. */
export class Engine {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Sends a request with a whole `body`, and returns the answer as it comes. */
  open(
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders = {},
    body?: string,
  ): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { socketPath: this.#socket, method, path, headers: { host: "docker", ...headers } },
        resolve,
      );
      request.on("error", (error: NodeJS.ErrnoException) => {
        reject(new Refusal(`the Docker engine does not answer: ${reason(error)}`, 502));
      });
      request.end(body);
    });
  }

  /** A whole JSON answer. */
  async json(path: string): Promise<{ status: number; body: unknown }> {
    const answer = await this.open("GET", path);
    const text = await whole(answer);
    try {
      return { status: answer.statusCode ?? 502, body: JSON.parse(text) as unknown };
    } catch {
      return { status: answer.statusCode ?? 502, body: { message: text } };
    }
  }

  /** What is at `path`, or undefined. */
  async find(path: string): Promise<Json | undefined> {
    const { status, body } = await this.json(path);
    return status === 200 && isObject(body) ? body : undefined;
  }
}

/** The system's error about the socket, in words for the machine's owner. */
function reason({ code = "", message }: NodeJS.ErrnoException): string {
  const meanings: Readonly<Record<string, string>> = {
    ENOENT: "no socket is mounted: docker.socket (swarm.socket) of the stack's config names it",
    ENOTSOCK: "what is mounted is no socket: docker.socket (swarm.socket) of the stack's config names it",
    ECONNREFUSED:
      "nobody listens on what is mounted: is it the engine's socket, and the engine up? (docker.socket, swarm.socket)",
    EACCES: "this container may not use the socket: its owner is another user",
  };
  return [code, meanings[code] ?? message].filter((part) => part !== "").join(", ");
}

export async function whole(stream: http.IncomingMessage, most = 64 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new Refusal("the body is too large", 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
