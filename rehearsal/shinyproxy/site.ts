import { randomUUID } from "node:crypto";
import http from "node:http";
import type { Duplex } from "node:stream";

import type { Application, Spec } from "../config/shinyproxy.ts";
import { explain, Refusal } from "../errors.ts";
import type { Secrets } from "../secrets.ts";
import { send, sendJson } from "../server.ts";
import { backendOf, type Backend } from "./engine.ts";
import { answers, appPath, forward, tunnel } from "./forward.ts";
import { callbackPath, SignIn } from "./sign-in.ts";
import type { RunningApp, Session, State } from "./state.ts";
import { record, type UsageEvent } from "./usage.ts";

/** What a browser sees of ShinyProxy, as small as it can be; paths are ShinyProxy's own. */
export class Site {
  readonly #application: Application;
  readonly #state: State;
  readonly #secrets: Secrets;
  readonly #say: (line: string) => void;
  readonly #signIn: SignIn;
  readonly #backend: Backend;
  readonly #starting = new Map<string, Promise<RunningApp>>();

  constructor(application: Application, state: State, secrets: Secrets, say: (line: string) => void) {
    this.#application = application;
    this.#state = state;
    this.#secrets = secrets;
    this.#say = say;
    this.#signIn = new SignIn(application);
    this.#backend = backendOf(application);
  }

  listen(port: number): Promise<void> {
    const server = http.createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        const line = this.#secrets.scrub(explain("shinyproxy", error));
        this.#say(`${request.method ?? ""} ${this.#secrets.scrub(request.url ?? "")}: ${line}`);
        if (response.headersSent) response.destroy();
        else sendJson(response, error instanceof Refusal ? 400 : 500, { error: line });
      });
    });
    server.on("upgrade", (request: http.IncomingMessage, socket, head) => {
      this.#upgrade(request, socket, head).catch(() => socket.destroy());
    });
    // Ends apps that nobody has looked at for a while: the browser is gone.
    setInterval(
      () =>
        void this.#reap().catch((error: unknown) => {
          this.#say(`idle apps: ${explain("shinyproxy", error)}`);
        }),
      10_000,
    );
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, resolve);
    });
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const origin = originOf(request);
    const url = new URL(request.url ?? "/", origin);
    if (url.pathname === callbackPath) return this.#signedIn(url, response);
    const id = sessionId(request);
    const session = id === undefined ? undefined : await this.#state.session(id);
    if (id === undefined || session === undefined) {
      if (request.method !== "GET") {
        sendJson(response, 401, { error: "not signed in" });
        return;
      }
      const {
        url: to,
        state,
        login,
      } = await this.#signIn.begin(origin, url.pathname === "/oauth2/authorization/shinyproxy" ? "/" : url.pathname);
      await this.#state.keepLogin(state, login);
      redirect(response, to);
      return;
    }
    if (url.pathname === "/logout") {
      await this.#state.endSession(id);
      this.#record(session.user, "Logout");
      response.setHeader("set-cookie", this.#cookie("", 0));
      redirect(response, this.#signIn.logout(origin));
      return;
    }
    return this.#page(session, url, request, response);
  }

  async #page(session: Session, url: URL, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const [, app, rest] = appPath.exec(url.pathname) ?? [];
    if (app !== undefined) {
      const own = await this.#own(app, session);
      const why = await forward(own, session, `${rest ?? "/"}${url.search}`, request, response);
      if (why === undefined) return;
      if (response.headersSent) {
        response.destroy();
        return;
      }
      // Containerproxy stops the app at once, and the user's page offers to start a new one. Containerproxy keeps
      // addresses and connections for long. This stand-in resolves and connects anew each time, so it tries a second
      // time first.
      if (await answers(own.target, 4).then(yes, no)) {
        sendJson(response, 502, { status: "fail", data: why });
        return;
      }
      this.#say(`${own.spec} of ${own.user} (${own.target}) is stopped as crashed: ${why}`);
      await this.#stop(own);
      sendJson(response, 503, { status: "fail", data: "app_crashed" });
      return;
    }
    const [, first = "", second = "", third = ""] = url.pathname.split("/");
    if (url.pathname === "/") {
      send(response, 200, html, this.#list(session));
      return;
    }
    if (first === "app") {
      const { id } = await this.#open(second, session);
      send(response, 200, html, page(second, `<iframe src="/app_proxy/${id}/" title="${second}"></iframe>`));
      return;
    }
    if (first === "heartbeat" && request.method === "POST") {
      await this.#own(second, session);
      sendJson(response, 200, { status: "success" });
      return;
    }
    if (url.pathname === "/api/proxy") {
      const own = (await this.#state.apps()).filter(({ user }) => user === session.user);
      sendJson(response, 200, {
        status: "success",
        data: own.map(({ id, spec }) => ({ id, specId: spec, status: "Up" })),
      });
      return;
    }
    if (`${first}/${second}` === "api/proxy" && request.method === "DELETE") {
      await this.#stop(await this.#own(third, session));
      sendJson(response, 200, { status: "success" });
      return;
    }
    sendJson(response, 404, { error: `the stand-in has nothing at ${url.pathname}` });
  }

  async #signedIn(url: URL, response: http.ServerResponse): Promise<void> {
    const state = url.searchParams.get("state") ?? "";
    const login = await this.#state.takeLogin(state);
    if (login === undefined) {
      redirect(response, "/");
      return;
    }
    const session = await this.#signIn.end(url, state, login);
    const id = randomUUID();
    await this.#state.keepSession(id, session);
    this.#record(session.user, "Login");
    response.setHeader("set-cookie", this.#cookie(id, 86_400));
    redirect(response, login.to);
  }

  #allowed({ groups }: Session): Spec[] {
    return this.#application.proxy.specs.filter(
      ({ "access-groups": needed }) => needed?.some((group) => groups.includes(group)) ?? true,
    );
  }

  #list(session: Session): string {
    const links = this.#allowed(session).map(
      ({ id, "display-name": title = id }) => `<li><a href="/app/${id}">${escaped(title)}</a></li>`,
    );
    return page(
      this.#application.proxy.title ?? "ShinyProxy",
      `<p>${escaped(session.user)}, groups: ${escaped(session.groups.join(", "))}</p><ul>${links.join("")}</ul>`,
    );
  }

  /** The user's running app, or a new one. A user has at most one of each app, however often the browser asks. */
  async #open(id: string, session: Session): Promise<RunningApp> {
    const spec = this.#allowed(session).find((each) => each.id === id);
    if (spec === undefined) throw new Refusal(`no app ${id} for this user`);
    const there = (await this.#state.apps()).find((app) => app.spec === id && app.user === session.user);
    if (there !== undefined) return there;
    const key = `${id} ${session.user}`;
    const starting = this.#starting.get(key) ?? this.#start(spec, session).finally(() => this.#starting.delete(key));
    this.#starting.set(key, starting);
    return starting;
  }

  async #start(spec: Spec, session: Session): Promise<RunningApp> {
    const app = { id: randomUUID(), spec: spec.id, user: session.user };
    const started = await this.#backend.start(app.id, spec, session);
    try {
      await answers(started.target, 60);
    } catch (error) {
      await this.#backend.stop(started.backend);
      throw error;
    }
    const running = { ...app, ...started, seen: Date.now() };
    await this.#state.keepApp(running);
    this.#record(session.user, "ProxyStart", spec.id);
    return running;
  }

  /** A user's own app. Each request for it is a sign of life. */
  async #own(id: string, { user }: Session): Promise<RunningApp> {
    const app = await this.#state.app(id);
    if (app?.user !== user) throw new Refusal(`no app ${id} of this user`);
    await this.#state.keepApp({ ...app, seen: Date.now() });
    return app;
  }

  async #stop(app: RunningApp): Promise<void> {
    if (!(await this.#state.forgetApp(app.id))) return;
    try {
      await this.#backend.stop(app.backend);
    } catch (error) {
      await this.#state.keepApp(app); // a later try has to find the app
      throw error;
    }
    this.#record(app.user, "ProxyStop", app.spec);
  }

  async #reap(): Promise<void> {
    const before = Date.now() - this.#application.proxy["heartbeat-timeout"];
    for (const app of await this.#state.apps()) if (app.seen < before) await this.#stop(app);
  }

  async #upgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? "/", originOf(request));
    const [, id, path = "/"] = appPath.exec(url.pathname) ?? [];
    const session = await this.#state.session(sessionId(request) ?? "");
    if (id === undefined || session === undefined) {
      socket.end("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n");
      return;
    }
    const app = await this.#own(id, session);
    tunnel(app, session, path + url.search, request, socket, head);
    const alive = setInterval(() => void this.#own(id, session).catch(() => socket.destroy()), 10_000);
    socket.on("close", () => {
      clearInterval(alive);
    });
  }

  /** As in ShinyProxy, statistics that cannot be written stop nobody. */
  #record(user: string, type: UsageEvent, data?: string): void {
    record(this.#application.proxy["usage-stats-url"], user, type, data).catch((error: unknown) => {
      this.#say(this.#secrets.scrub(explain("usage statistics", error)));
    });
  }

  #cookie(value: string, seconds: number): string {
    const secure = this.#application.server["secure-cookies"] ? "; Secure" : "";
    return `SESSION=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${String(seconds)}${secure}`;
  }
}

const yes = (): boolean => true;
const no = (): boolean => false;
const html = "text/html; charset=utf-8";

function page(title: string, body: string): string {
  return `<!doctype html><title>${escaped(title)}</title><p>A stand-in for ShinyProxy</p>${body}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** `forward-headers-strategy: native`: the edge says how the browser called. */
function originOf({ headers }: http.IncomingMessage): string {
  const proto = headers["x-forwarded-proto"];
  return `${typeof proto === "string" ? proto : "http"}://${headers.host ?? "localhost"}`;
}

function sessionId({ headers }: http.IncomingMessage): string | undefined {
  return /(?:^|;\s*)SESSION=([\w-]+)/.exec(headers.cookie ?? "")?.[1];
}

function redirect(response: http.ServerResponse, to: string): void {
  response.writeHead(302, { location: to, "cache-control": "no-store" }).end();
}
