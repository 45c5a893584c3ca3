import http from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

import { explain, Refusal } from "../errors.ts";
import type { RunningApp, Session } from "./state.ts";

/** What the browser's address has before an app's own paths. */
export const appPath = /^\/app_proxy\/([\w-]+)(\/.*)$/;

function headersFor(request: http.IncomingMessage, { user, groups }: Session): http.OutgoingHttpHeaders {
  // The app must not see the session's cookie.
  const rest = Object.entries(request.headers).filter(([name]) => name !== "cookie");
  return { ...Object.fromEntries(rest), "x-sp-userid": user, "x-sp-usergroups": groups.join(",") };
}

/** Passes one request on to the app, and its answer back; or says why nothing answers. */
export function forward(
  app: RunningApp,
  session: Session,
  path: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(app.target);
    const headers = headersFor(request, session);
    // Each request has a connection of its own: an old one to a machine that is gone would only fall silent.
    const sent = http.request({ hostname, port, path, method: request.method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on("end", () => {
        resolve(undefined);
      });
      answer.on("error", reject);
    });
    sent.on("socket", (socket) => {
      const patience = setTimeout(() => sent.destroy(new Refusal("the app: no connection within 5 s")), 5000);
      const end = (): void => {
        clearTimeout(patience);
      };
      socket.on("connect", end).on("close", end);
    });
    sent.on("error", (error) => {
      resolve(explain("the app", error));
    });
    request.pipe(sent);
  });
}

/** Waits until the app answers, as containerproxy does before it calls an app started. @throws Refusal */
export async function answers(target: string, seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await fetch(target, { redirect: "manual", signal: AbortSignal.timeout(5000) }).catch(() => undefined);
    await found?.body?.cancel();
    if (found !== undefined && found.status < 400) return;
    if (Date.now() > end) throw new Refusal(`the app did not answer within ${String(seconds)} s`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Passes a websocket on: the app's answer, and everything after it both ways. */
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
