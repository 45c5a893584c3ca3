/** Both proxies at the edge with TLS in front of them: who is believed, what applications see, paths, health. */
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { createServer, type Server } from "node:https";
import { connect } from "node:net";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import WebSocket from "ws";

import type { PlannedRoute } from "../../components/core/plan.ts";
import { make } from "../../ops/authority.ts";
import { call, eventually, inContainer, localImage } from "../support/arkindex.ts";
import { NginxEdge } from "../support/nginx.ts";

const host = "edge-test.localhost";
const route = (path: string, to: string, more: Partial<PlannedRoute> = {}): PlannedRoute => ({
  ...{ host, path, port: "web", to, target: { number: 80, protocol: "http" }, hosts: [to], of: "replicas" },
  ...more,
});
const routes = [
  route("/", "web", { sticky: { cookie: "node-of-test", seconds: 1200 }, hidden: ["/metrics"], websocket: true }),
  route("/avatar", "files", { hidden: ["/avatar/metrics"] }),
  route("/iiif/", "files", { strip: "/iiif" }),
  route("/a.b~c-_", "files"),
];

interface Seen {
  readonly status: number;
  readonly id: string;
  readonly path: string;
  readonly sent: IncomingHttpHeaders;
  readonly headers: IncomingHttpHeaders;
}

describe.each([
  ["nginx", 15511],
  ["traefik", 15521],
] as const)("%s", (proxy, https) => {
  const url = `https://${host}:${String(https)}`;
  let edge: NginxEdge;
  let balancer: Server;

  beforeAll(async () => {
    edge = await NginxEdge.create(`edge-${proxy}`, https, routes, { proxy, outside: true });
    await Promise.all([edge.backend("web", "web"), edge.backend("files", "files")]);
    balancer = await balance(https);
    await eventually(
      async () => ((await get("/")).id === "web" && (await get("/avatar")).id === "files") || undefined,
      30,
    );
  }, 60_000);
  afterAll(async () => {
    balancer.close();
    await edge.remove();
  }, 60_000);

  /** As a browser: to the balancer, whose certificate is its own. */
  async function get(path: string, headers: Record<string, string> = {}): Promise<Seen> {
    const { status, body, headers: got = {} } = await call(url + path, balancerCa, { headers });
    return seen(status, body, got);
  }

  test("no redirect: the application sees https, the public host and port, and the visitor's address", async () => {
    const { status, sent, headers } = await get("/");
    expect(status).toBe(200);
    expect(sent).toMatchObject({
      host: `${host}:${String(https)}`,
      "x-forwarded-proto": "https",
      "x-forwarded-host": `${host}:${String(https)}`,
      "x-forwarded-port": String(https),
    });
    // The visitor of this test is on loopback; the balancer says so, and the edge keeps it.
    expect(sent["x-forwarded-for"]?.toString().split(", ")[0]).toBe("127.0.0.1");
    expect(headers["strict-transport-security"]).toContain("max-age=31536000");
    expect(headers["set-cookie"]?.[0]).toMatch(/^node-of-test=.*Secure/);
  });

  test("a visitor's own headers are not believed past the balancer's", async () => {
    const { sent } = await get("/", { forwarded: "for=203.0.113.9;proto=http", "x-real-ip": "203.0.113.9" });
    expect(JSON.stringify(sent)).not.toContain("203.0.113.9");
  });

  test("a balancer that says nothing, or http, leads nobody in a circle", async () => {
    for (const headers of [{}, { "x-forwarded-proto": "http" }]) {
      const { status, sent } = await plainly(https - 1, headers);
      expect([status, sent["x-forwarded-proto"]]).toEqual([200, "https"]);
    }
    const { sent } = await plainly(https - 1, {
      "x-forwarded-for": "203.0.113.9",
      "x-forwarded-host": "public.example",
    });
    expect(sent["x-forwarded-for"]).toContain("203.0.113.9");
    expect(sent["x-forwarded-host"]).toBe("public.example");
  });

  test("a stranger is refused by http, and not believed by https, which the stack's own containers call", async () => {
    const where = { image: localImage("toolbox"), network: edge.name };
    const headers = `-H 'X-Forwarded-For: 203.0.113.9' -H 'X-Forwarded-Proto: http' -H 'X-Forwarded-Host: evil.example'`;
    // curl takes every *.localhost for its own machine.
    const curl = "curl -s --connect-to ::edge:";
    const script = `${curl} -o /dev/null -w '%{http_code} ' ${headers} http://${host}/
${curl} -k ${headers} ${url}/`;
    const { body } = await inContainer(where, script);
    expect(body).toMatch(/^403 \{"id":"web"/);
    expect(body).not.toMatch(/203\.0\.113\.9|evil\.example/);
    expect(body).toContain('"x-forwarded-proto":"https"');
  }, 30_000);

  test("a websocket through both", async () => {
    const socket = new WebSocket(url.replace("https:", "wss:"), {
      ca: balancerCa,
      lookup: (_, __, done) => {
        done(null, [{ address: "127.0.0.1", family: 4 }]);
      },
    });
    const answer = await new Promise<string>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("open", () => {
        socket.send("hello");
      });
      socket.on("message", (data: Buffer) => {
        resolve(data.toString());
      });
    });
    socket.close();
    expect(answer).toBe("web hello");
  }, 20_000);

  test.each([
    ["/avatar", "files"],
    ["/avatar/7?x=1", "files"],
    ["/avatars", "web"],
    ["/avatarX/7", "web"],
    ["/AVATAR", "web"],
    ["/iiif", "files"],
    ["/iiif/2/a%2Fb?x=%2F", "files"],
    ["/iiiff", "web"],
    ["/a.b~c-_/x", "files"],
    ["/aXb~c-_/x", "web"],
    ["/metricsfoo", "web"],
  ])("%s is answered by %s", async (path, id) => {
    const got = await get(path);
    expect([got.status, got.id]).toEqual([200, id]);
  });
  test("what is stripped leaves a path", async () => {
    expect((await get("/iiif")).path).toBe("/");
  });
  test.each(["/metrics", "/metrics/all", "/METRICS", "/metrics;x", "/avatar/metrics", "/%6detrics", "//metrics"])(
    "%s is nobody's",
    async (path) => {
      expect((await get(path)).status).toBe(404);
    },
  );

  test("healthy, until its certificate has ended; said before", async () => {
    const ends = (days: number) =>
      edge.put(`/run/${proxy}/tls/ends`, String(Math.floor(Date.now() / 1000) + days * 86400));
    expect(
      await eventually(async () => ((await edge.health()).status === 0 ? edge.health() : undefined)),
    ).toMatchObject({
      status: 0,
      said: expect.not.stringContaining("certificate") as unknown,
    });
    await ends(20.5);
    expect(await edge.health()).toEqual({ status: 0, said: expect.stringContaining("ends in 20 days") as unknown });
    expect((await edge.container.logs({ stdout: true, stderr: true })).toString()).toContain("ends in 20 days");
    await ends(-1);
    expect(await edge.health()).toEqual({ status: 1, said: expect.stringContaining("has ended") as unknown });
    await ends(100);
  }, 30_000);

  test("a key of another certificate is no healthy edge", async () => {
    const other = JSON.parse(JSON.stringify(await make({ hostnames: [host] }, new Date()))) as {
      key: { value: string };
    };
    await edge.put(`/run/${proxy}/tls/key.pem`, other.key.value);
    await edge.container.restart({ t: 1 });
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const { State } = await edge.container.inspect();
    const well = State.Running && (await edge.health().catch(() => ({ status: 1 }))).status === 0;
    expect(well).toBe(false);
  }, 30_000);
});

let balancerCa = "";

/** Ends TLS as a cloud's balancer does: passes the host on, appends to X-Forwarded-For, sets X-Forwarded-Proto. */
async function balance(https: number): Promise<Server> {
  const made = JSON.parse(JSON.stringify(await make({ hostnames: [host] }, new Date()))) as {
    caCert: string;
    cert: string;
    key: { value: string };
  };
  balancerCa = made.caCert;
  const told = (headers: IncomingHttpHeaders) => ({
    ...headers,
    "x-forwarded-for": [headers["x-forwarded-for"], "127.0.0.1"].filter(Boolean).join(", "),
    "x-forwarded-proto": "https",
  });
  const server = createServer({ cert: made.cert, key: made.key.value }, (request, response) => {
    const { method = "GET", url: path = "/", headers } = request;
    const on = httpRequest({ host: "127.0.0.1", port: https - 1, method, path, headers: told(headers) }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    on.on("error", () => {
      response.writeHead(502).end();
    });
    request.pipe(on);
  });
  server.on("upgrade", ({ url: path = "/", headers }, socket, head) => {
    const on = connect(https - 1, "127.0.0.1", () => {
      const lines = Object.entries(told(headers)).map(([name, value]) => `${name}: ${String(value)}`);
      on.write(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      on.write(head);
      socket.pipe(on).pipe(socket);
    });
    on.on("error", () => socket.destroy());
    socket.on("error", () => on.destroy());
  });
  await new Promise<void>((resolve) => server.listen(https, "127.0.0.1", resolve));
  return server;
}

function seen(status: number, body: string, headers: IncomingHttpHeaders): Seen {
  const told =
    status === 200 ? (JSON.parse(body) as { id: string; path: string; headers: IncomingHttpHeaders }) : undefined;
  return { status, id: told?.id ?? "", path: told?.path ?? "", sent: told?.headers ?? {}, headers };
}

/** Over http from the machine itself, which is trusted. */
function plainly(port: number, headers: Record<string, string>): Promise<Seen> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: "127.0.0.1", port, path: "/", headers: { host, ...headers } }, (answer) => {
      let body = "";
      answer.on("data", (part: Buffer) => (body += part.toString()));
      answer.on("end", () => {
        resolve(seen(answer.statusCode ?? 0, body, answer.headers));
      });
    })
      .on("error", reject)
      .end();
  });
}
