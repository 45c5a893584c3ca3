import http from "node:http";
import https from "node:https";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** What verifies the server in the place of the public authorities, PEM. */
  readonly ca?: string;
  /** The request goes to this unix socket; the URL's host is only a name then. */
  readonly socketPath?: string;
}

/** Sends one request, and follows no redirects. Bodies above 1 MiB are cut: no answer that we ask for is longer. */
export function ask(url: string, options: Ask = {}): Promise<Answer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const transport = url.startsWith("https:") ? https : http;
    const request = transport.request(url, { ...rest, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size <= 1024 * 1024) parts.push(part);
      });
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString("utf8"),
        });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Asks `url`; an answer below 500 counts, since a stranger may get 401 or 404 from a healthy server. */
export function web(name: string, url: string, below = 500): Check {
  return {
    name,
    target: url,
    required: true,
    run: async (signal) => {
      const { status } = await ask(url, { signal });
      if (status >= below) throw new Refusal(`${url} answers ${String(status)}`);
      return `answers ${String(status)}`;
    },
  };
}
