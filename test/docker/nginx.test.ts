/** nginx as the edge, with real requests: sessions, websockets, big bodies, hidden paths, backends that come and go. */
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { request } from "node:https";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import WebSocket from "ws";

import type { PlannedRoute } from "../../components/core/plan.ts";
import { call, eventually, inContainer } from "../support/arkindex.ts";
import { NginxEdge } from "../support/nginx.ts";

const https = 15011;
const host = "nginx-test.localhost";
const target = { number: 80, protocol: "http" } as const;
const route = (path: string, to: string, more: Partial<PlannedRoute> = {}): PlannedRoute => ({
  ...{ host, path, port: "web", to, target, hosts: [to], of: "replicas" },
  ...more,
});
const routes = [
  route("/", "web", { sticky: { cookie: "node-of-test", seconds: 1200 }, hidden: ["/metrics"] }),
  route("/plain/", "web"),
  route("/api/v4/files/", "files", { bodyMib: 400, seconds: 600, strip: "/api" }),
  route("/bind", "bind", { websocket: true, seconds: 600, hidden: ["/bind/metrics"] }),
  route("/late", "late"),
];
const url = `https://${host}:${String(https)}`;
let edge: NginxEdge;

beforeAll(async () => {
  edge = await NginxEdge.create("pyr-nginx", https, routes); // before any of its backends
  await eventually(async () => ((await get("/plain/")).status === 503 ? true : undefined), 20);
  await Promise.all([
    edge.backend("web-a", "web"),
    edge.backend("web-b", "web"),
    edge.backend("web-c", "web"),
    edge.backend("files", "files"),
    edge.backend("bind", "bind"),
  ]);
  await eventually(async () => {
    const ids = new Set<string>();
    for (let at = 0; at < 12; at++) ids.add((await get("/plain/")).id);
    return ids.size === 3 && (await get("/bind")).status === 200 ? ids : undefined;
  });
}, 60_000);

afterAll(async () => {
  await edge.remove();
}, 60_000);

async function get(path: string, headers: Record<string, string> = {}) {
  const { status, body, headers: got = {} } = await call(url + path, edge.ca, { headers });
  const parsed =
    status === 200 ? (JSON.parse(body) as { id: string; path: string; headers: Record<string, string> }) : undefined;
  return { status, id: parsed?.id ?? "", path: parsed?.path, sent: parsed?.headers ?? {}, headers: got };
}

test("a route without a backend is 503, and says when to try again", async () => {
  expect(await get("/late")).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
});

test("http leads to https; an unknown host and an unknown path lead nowhere", async () => {
  const plain = (name: string) =>
    new Promise<[number, string | undefined]>((resolve, reject) => {
      httpRequest({ host: "127.0.0.1", port: https - 1, path: "/a?b=1", headers: { host: name } }, (answer) => {
        answer.resume();
        resolve([answer.statusCode ?? 0, answer.headers.location]);
      })
        .on("error", reject)
        .end();
    });
  expect(await plain(host)).toEqual([308, `${url}/a?b=1`]);
  expect(await plain("other.example.com")).toEqual([404, undefined]);
  expect(await get("/", { host: "other.example.com" })).toMatchObject({ status: 404 });
});

test("what the backend is told, and what the browser is told", async () => {
  const { sent, headers, status } = await get("/plain/", { "x-forwarded-for": "203.0.113.9" });
  expect(status).toBe(200);
  expect(sent).toMatchObject({
    host: `${host}:${String(https)}`,
    "x-forwarded-proto": "https",
    "x-forwarded-host": `${host}:${String(https)}`,
    "x-forwarded-port": String(https),
  });
  expect(sent["x-forwarded-for"]).not.toContain("203.0.113.9");
  expect(headers).toMatchObject({
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
  });
  expect(headers.server).toBe("nginx");
});

test("a session stays where it began; another begins elsewhere", async () => {
  const first = await get("/");
  const [cookie = ""] = first.headers["set-cookie"] ?? [];
  expect(cookie).toMatch(/^node-of-test=[0-9a-f]{32}; Path=\/; Max-Age=1200; Secure; HttpOnly; SameSite=Lax$/);
  const [value = ""] = cookie.split(";");
  for (let at = 0; at < 20; at++) {
    const again = await get("/x", { cookie: `other=1; ${value}` });
    expect([again.id, again.headers["set-cookie"]]).toEqual([first.id, undefined]);
  }
  const ids = new Set<string>();
  for (let at = 0; at < 40; at++) ids.add((await get("/")).id);
  expect(ids.size).toBe(3);
  // What is no cookie of ours is replaced, not hashed: nobody chooses a replica.
  expect((await get("/", { cookie: "node-of-test=mine" })).headers["set-cookie"]).toHaveLength(1);
});

test("sessions stay while other replicas come and go; that of one that is gone goes on elsewhere, and stays there", async () => {
  const begin = async () => {
    const { id, headers } = await get("/");
    return { id, cookie: (headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "" };
  };
  const again = async ({ cookie }: { cookie: string }) => (await get("/", { cookie })).id;
  const sessions = [];
  for (let at = 0; at < 12; at++) sessions.push(await begin());
  const more = await edge.backend("web-e", "web");
  const there = await eventually(async () => {
    const one = await begin();
    return one.id === "web-e" ? one : undefined;
  }, 20);
  for (const one of sessions) expect(await again(one)).toBe(one.id);
  expect(await again(there)).toBe("web-e");
  await more.kill();
  const { id, headers } = await get("/", { cookie: there.cookie });
  expect(id).not.toBe("web-e");
  const cookie = (headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
  expect(cookie).toMatch(/^node-of-test=[0-9a-f]{32}$/);
  for (let at = 0; at < 5; at++) expect(await again({ cookie })).toBe(id);
  for (const one of sessions) expect(await again(one)).toBe(one.id);
  const marks = new Map<string, string>();
  for (const one of sessions) marks.set(one.id, one.cookie);
  expect(new Set(marks.values()).size).toBe(marks.size); // one for each replica
}, 60_000);

test("hidden paths are nobody's, however they are written", async () => {
  for (const path of ["/metrics", "/metrics/all", "/%6detrics", "/x/../metrics", "//metrics", "/bind/metrics"])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
});

test("a stripped beginning is gone for the backend, with the query kept", async () => {
  expect(await get("/api/v4/files/download?id=7")).toMatchObject({ status: 200, path: "/v4/files/download?id=7" });
});

function websocket(): WebSocket {
  return new WebSocket(`wss://${host}:${String(https)}/bind`, {
    ca: edge.ca,
    lookup: (_, __, done) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  });
}

test("a websocket through the edge", async () => {
  const socket = websocket();
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
  expect(answer).toBe("bind hello");
}, 20_000);

test("300 MB arrive as they are sent, in little memory; more than is allowed is refused", async () => {
  const size = 300 * 1024 * 1024;
  const chunk = Buffer.alloc(1024 * 1024, 7);
  const sent = request({
    ...{ host: "127.0.0.1", port: https, servername: host, ca: edge.ca, method: "POST", path: "/api/v4/files/upload" },
    headers: { host, "content-length": String(size) },
  });
  const answered = new Promise<string>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (answer) => {
      let text = "";
      answer.on("data", (part: Buffer) => (text += part.toString()));
      answer.on("end", () => {
        resolve(text);
      });
    });
  });
  const send = () =>
    new Promise<void>((resolve) =>
      sent.write(chunk, () => {
        resolve();
      }),
    );
  await send();
  // One of 300 is on its way, and the backend has it.
  const seen = async () =>
    (JSON.parse((await call(`${url}/api/v4/files/seen`, edge.ca)).body) as { seen: number }).seen;
  await eventually(async () => ((await seen()) === chunk.length ? true : undefined), 10);
  for (let at = 1; at < 300; at++) await send();
  const { memory_stats: memory } = await edge.container.stats({ stream: false });
  const disk = await inContainer({ container: edge.container.id }, "du -sk /tmp/nginx | cut -f1");
  sent.end();
  expect(JSON.parse(await answered)).toMatchObject({ seen: size, id: "files" });
  expect(memory.usage / 1024 / 1024).toBeLessThan(64);
  expect(Number(disk.body)).toBeLessThan(1024);
  const tooMuch = await call(`${url}/api/v4/files/upload`, edge.ca, {
    ...{ method: "POST", headers: { "content-length": String(401 * 1024 * 1024) } },
  }).catch(() => ({ status: 0 }));
  expect(tooMuch.status).toBe(413);
}, 60_000);

test("an application's own 503 puts no replica out of use", async () => {
  for (let at = 0; at < 5; at++) expect((await get("/plain/?status=503")).status).toBe(503); // all say so
  expect((await get("/plain/")).status).toBe(200); // and are asked again
  expect((await get("/plain/?status=500")).status).toBe(500); // not the edge's to judge
});

test("no request is lost while replicas come, stop and go", async () => {
  const failures: string[] = [];
  let asked = 0;
  let over = false;
  const steady = async (path: string) => {
    while (!over) {
      asked++;
      // Each on a connection of its own: nginx before 1.27.4 closes kept ones at a change.
      const { status } = await get(path).catch((error: unknown) => ({
        status: String(error),
      }));
      if (status !== 200) failures.push(String(status));
    }
  };
  const load = Promise.all([steady("/plain/?wait=20"), steady("/?wait=20")]);
  const reloads = async () => {
    const { body } = await inContainer({ container: edge.container.id }, "cat /tmp/nginx/upstreams.conf");
    return body.match(/server \d/g)?.length ?? 0;
  };
  const before = await reloads();
  const more = await edge.backend("web-d", "web");
  await eventually(async () => ((await reloads()) > before ? true : undefined), 20);
  await eventually(async () => ((await get("/plain/")).id === "web-d" ? true : undefined), 20);
  await more.stop({ t: 10 });
  await eventually(async () => ((await reloads()) === before ? true : undefined), 20);
  await eventually(() => Promise.resolve(asked > 50 ? true : undefined), 30); // a slow machine asks seldom
  over = true;
  await load;
  expect(failures).toEqual([]);
}, 90_000);

test("after many changes the oldest workers end, not the container's memory; each may open more files than at its start", async () => {
  const children = "cat /proc/$(cat /tmp/nginx/nginx.pid)/task/*/children | wc -w";
  const sockets: WebSocket[] = [];
  for (let at = 0; at < 38; at++) {
    const socket = websocket();
    sockets.push(socket);
    await once(socket, "open");
    await inContainer({ container: edge.container.id }, "kill -HUP $(cat /tmp/nginx/nginx.pid); sleep 0.15");
  }
  const seen = await inContainer({ container: edge.container.id }, `sleep 3; ${children}`);
  expect(Number(seen.body)).toBeLessThanOrEqual(35); // with the loop
  expect(sockets[0]?.readyState).not.toBe(WebSocket.OPEN);
  expect(sockets.at(-1)?.readyState).toBe(WebSocket.OPEN);
  expect((await get("/plain/")).status).toBe(200);
  const files = "grep 'open files' /proc/$(cut -d' ' -f2 /proc/$(cat /tmp/nginx/nginx.pid)/task/*/children)/limits";
  expect((await inContainer({ container: edge.container.id }, files)).body).toMatch(/open files +16384 /);
  for (const socket of sockets) socket.terminate();
}, 120_000);

test("an own probe: healthy while the loop lives", async () => {
  expect(await edge.health()).toEqual({ status: 0, said: "" });
  expect(edge.probe.at(-1)).toContain("find /tmp/nginx/alive -mmin -1");
});
