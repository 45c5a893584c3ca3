/** A stand-in for the APIs of GitHub and GitLab on this machine, as far as comments go; nothing here is either. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Stored {
  readonly id: number;
  readonly author: string;
  body: string;
}

/** An answer in the place of the usual one. */
export interface Fault {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** The request is carried out all the same, and its answer is lost. */
  readonly done?: true;
}

export interface StandIn {
  readonly url: string;
  readonly comments: Stored[];
  /** Method and path of each request, as `GET /user`. */
  readonly calls: string[];
  /** The next request of a method gets this. */
  fail(method: string, ...faults: Fault[]): void;
  close(): Promise<void>;
}

export const token = "stand-in-token-123";

/** `me`: who the token is; null: one that may not ask, as a workflow's own. */
export async function standIn(kind: "github" | "gitlab", me: string | null): Promise<StandIn> {
  const comments: Stored[] = [];
  const calls: string[] = [];
  const faults: { method: string; fault: Fault }[] = [];
  let next = 100;

  /** What the real one would answer. */
  function answer(method: string, url: URL, body: string): { status: number; json?: unknown; headers?: object } {
    const written = body === "" ? "" : (JSON.parse(body) as { body: string }).body;
    if (url.pathname === "/user")
      return me === null
        ? { status: 403, json: { message: "Resource not accessible by integration" } }
        : { status: 200, json: { login: me, username: me } };
    const one = /(?:\/issues\/comments|\/notes)\/(\d+)$/.exec(url.pathname)?.[1];
    const found = comments.find(({ id }) => String(id) === one);
    if (one !== undefined) {
      if (found === undefined) return { status: 404, json: { message: "Not Found" } };
      if (method === "DELETE") comments.splice(comments.indexOf(found), 1);
      else found.body = written;
      return { status: method === "DELETE" ? 204 : 200, json: shown(found) };
    }
    if (
      !/^\/repos\/acme\/shop\/issues\/7\/comments$|^\/projects\/acme%2Fshop\/merge_requests\/7\/notes$/.test(
        url.pathname,
      )
    )
      return { status: 404, json: { message: "Not Found" } };
    if (method === "POST") {
      const made = { id: next++, author: me ?? "github-actions[bot]", body: written };
      comments.push(made);
      return { status: 201, json: shown(made) };
    }
    const [size, page] = [Number(url.searchParams.get("per_page")), Number(url.searchParams.get("page"))];
    const last = comments.length <= size * page;
    return {
      status: 200,
      json: comments.slice(size * (page - 1), size * page).map(shown),
      headers:
        kind === "github"
          ? last
            ? {}
            : { link: `<${url.href}&next>; rel="next"` }
          : { "x-next-page": last ? "" : String(page + 1) },
    };
  }

  function shown({ id, author, body }: Stored): object {
    return kind === "github" ? { id, body, user: { login: author } } : { id, body, author: { username: author } };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    calls.push(`${method} ${url}`);
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const allowed = headers.authorization === `Bearer ${token}` || headers["private-token"] === token;
    const at = faults.findIndex((each) => each.method === method);
    const fault = at < 0 ? undefined : faults.splice(at, 1)[0]?.fault;
    const usual =
      fault !== undefined && !fault.done ? undefined : answer(method, new URL(url, "http://stand-in"), body);
    const told = fault
      ? { status: fault.status, json: { message: fault.message ?? "" }, headers: fault.headers ?? {} }
      : allowed
        ? (usual ?? { status: 500 })
        : { status: 401, json: { message: "Bad credentials" } };
    response.writeHead(told.status, { ...told.headers, "content-type": "application/json" });
    response.end(told.status === 204 ? "" : JSON.stringify(told.json ?? {}));
  }

  const server = createServer((request, response) => {
    void serve(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    ...{ comments, calls },
    fail: (method, ...list) => void faults.push(...list.map((fault) => ({ method, fault }))),
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => {
          closed();
        });
      }),
  };
}
