import http from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

import { Refusal } from "../errors.ts";
import type { RunningApp, Session } from "./state.ts";

/** What the browser's address has before an app's own paths. */
export const appPath = /^\/app_proxy\/([\w-]+)(\/.*)$/;

function headersFor(request: http.IncomingMessage, { user, groups }: Session): http.OutgoingHttpHeaders {
  // The session is none of the app's business.
  const rest = Object.entries(request.headers).filter(([name]) => name !== "cookie");
  return { ...Object.fromEntries(rest), "x-sp-userid": user, "x-sp-usergroups": groups.join(",") };
}

/** Passes one request on to the app, and its answer back. */
export function forward(
  app: RunningApp,
  session: Session,
  path: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(app.target);
    const sent = http.request(
      { hostname, port, path, method: request.method, headers: headersFor(request, session) },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.on("end", resolve);
        answer.on("error", reject);
      },
    );
    sent.on("error", () => {
      reject(new Refusal("the app does not answer (yet)"));
    });
    request.pipe(sent);
  });
}

/** A websocket: the app's answer and everything after it, both ways. */
export function tunnel(
  app: RunningApp,
  session: Session,
  path: string,
  request: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const { hostname, port } = new URL(app.target);
  const to = connect(Number(port), hostname, () => {
    const lines = Object.entries(headersFor(request, session)).map(([name, value]) => `${name}: ${String(value)}`);
    to.write([`${request.method ?? "GET"} ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
    to.write(head);
    socket.pipe(to).pipe(socket);
  });
  const end = (): void => {
    to.destroy();
    socket.destroy();
  };
  to.on("error", end).on("close", end);
  socket.on("error", end).on("close", end);
}
