import http from "node:http";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Check } from "../../rehearsal/checks/check.ts";
import { ask } from "../../rehearsal/checks/http.ts";
import { solr } from "../../rehearsal/checks/solr.ts";
import { cors } from "../../rehearsal/checks/s3.ts";
import { explain, Refusal } from "../../rehearsal/errors.ts";
import { Loop } from "../../rehearsal/loop.ts";
import type { Role } from "../../rehearsal/role.ts";
import { Secrets } from "../../rehearsal/secrets.ts";
import { finish, sendJson, serve } from "../../rehearsal/server.ts";

const password = "p4ss/w:ord";
const secrets = new Secrets();
secrets.add(password, "-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\n-----END KEY-----");

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
function portOf(server: http.Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen on a port");
  return address.port;
}

function checkThat(run: Check["run"], name = "db", required = true): Check {
  return { name, target: `postgres://u:${password}@${name}`, required, run };
}

describe("scrubbing", () => {
  test.each([
    password,
    encodeURIComponent(password),
    Buffer.from(password).toString("base64"),
    "a line of a key: MC4CAQAwBQYDK2Vw",
  ])("%s does not get through", (text) => {
    const left = secrets.scrub(`before ${text} after`);
    expect(left).toMatch(/^before .*\*\*\*.* after$/);
    expect(left).not.toMatch(/p4ss|cDRzcy|MC4CAQ/);
  });

  test("a short secret does not uncover a longer one", () => {
    const both = new Secrets();
    both.add("abcd", "abcdefgh");
    expect(both.scrub("abcdefgh abcd")).toBe("*** ***");
  });
});

describe("explanations", () => {
  test.each<[unknown, RegExp]>([
    [Object.assign(new Error("getaddrinfo ENOTFOUND db"), { code: "ENOTFOUND" }), /^db:5432 does not resolve/],
    [new AggregateError([Object.assign(new Error("x"), { code: "ECONNREFUSED" })], ""), /^db:5432 refuses/],
    [Object.assign(new Error("password authentication failed"), { code: "28P01" }), /does not accept this user/],
    [Object.assign(new Error("x"), { name: "NoSuchBucket" }), /no such bucket/],
    [new Error("two\nlines"), /^db:5432: two lines$/],
  ])("%s", (error, line) => {
    expect(explain("db:5432", error)).toMatch(line);
  });
});

describe("the loop", () => {
  test("logs changes only, names what fails, and is scrubbed", async () => {
    const lines: string[] = [];
    let up = false;
    const check = checkThat(() => (up ? Promise.resolve("fine") : Promise.reject(new Refusal(`no ${password}`))));
    const loop = new Loop([check], { secrets, log: (line) => lines.push(line) });
    expect(loop.health()).toEqual({ ok: false, failing: ["db: not tried yet"] });
    await loop.round();
    await loop.round();
    expect(loop.health()).toEqual({ ok: false, failing: ["db: no ***"] });
    up = true;
    await loop.round();
    await loop.round();
    expect(loop.health().ok).toBe(true);
    up = false;
    await loop.round();
    expect(lines).toEqual(["db missing: no ***", "db found: fine", "db lost: no ***"]);
  });

  test("one reason for many is said once", async () => {
    const away = () => Promise.reject(new Refusal("objects is away"));
    const checks = [checkThat(away, "s3:a"), checkThat(() => Promise.resolve("fine")), checkThat(away, "s3:b")];
    const loop = new Loop(checks, { secrets, log: () => undefined });
    await loop.round();
    expect(loop.health().failing).toEqual(["s3:a, s3:b: objects is away"]);
  });

  test("an optional check does not count", async () => {
    const loop = new Loop([checkThat(() => Promise.reject(new Refusal("away")), "worker", false)], {
      secrets,
      log: () => undefined,
    });
    await loop.round();
    expect(loop.health().ok).toBe(true);
    expect(loop.results[0]?.ok).toBe(false);
  });

  test("a check that hangs fails in time, and is told to stop", async () => {
    let stopped = false;
    const hangs = checkThat((signal) => {
      signal.addEventListener("abort", () => (stopped = true));
      return new Promise<string>(() => undefined);
    });
    const loop = new Loop([hangs], { secrets, log: () => undefined, timeout: 50 });
    await loop.round();
    expect(loop.health().failing).toEqual([expect.stringMatching(/^db: .*no answer within 0.05 s$/)]);
    expect(stopped).toBe(true);
  });

  test("an old result is no health", async () => {
    const loop = new Loop([checkThat(() => Promise.resolve("fine"))], { secrets, log: () => undefined });
    await loop.round();
    expect(loop.health(Date.now() + 29_000).ok).toBe(true);
    expect(loop.health(Date.now() + 31_000).failing).toEqual(["db: no answer for a while"]);
  });
});

describe("the server", () => {
  async function started(fails: boolean): Promise<string> {
    const run = () => (fails ? Promise.reject(new Refusal(`<b>${password}</b>`)) : Promise.resolve("fine"));
    const role: Role = { name: "test", title: "Test <app>", version: "1", checks: [checkThat(run)] };
    const loop = new Loop(role.checks, { secrets, log: () => undefined });
    await loop.round();
    const server = await serve(role, loop, secrets, 0);
    servers.push(server);
    return `http://127.0.0.1:${String(portOf(server))}`;
  }

  test("health is 200, or 503 with the name of what fails", async () => {
    expect(await ask(`${await started(false)}/health`)).toMatchObject({ status: 200 });
    const sick = await ask(`${await started(true)}/health`);
    expect(sick.status).toBe(503);
    expect(JSON.parse(sick.body)).toMatchObject({ ok: false, role: "test", failing: ["db: <b>***</b>"] });
  });

  test.each(["/", "/health", "/rehearsal.json"])("%s contains no secret", async (path) => {
    const { body } = await ask(`${await started(true)}${path}`);
    expect(body).toContain("***");
    expect(body).not.toMatch(/p4ss/);
  });

  test("told to end, it answers what it was asked, and takes nothing more", async () => {
    let answered = (): void => undefined;
    const waits = new Promise<void>((resolve) => (answered = resolve));
    const role: Role = {
      ...{ name: "test", title: "Test", version: "1", checks: [] },
      handle: async (_request, response) => {
        await waits;
        sendJson(response, 200, { late: true });
        return true;
      },
    };
    const server = await serve(role, new Loop([], { secrets, log: () => undefined }), secrets, 0);
    const url = `http://127.0.0.1:${String(portOf(server))}/slow`;
    const asked = ask(url);
    await new Promise((resolve) => server.once("request", resolve));
    const order: string[] = [];
    const ended = finish().then(() => order.push("ended"));
    await expect(ask(url)).rejects.toThrow();
    order.push("refused");
    answered();
    expect(await asked).toMatchObject({ status: 200 });
    await ended;
    expect(order).toEqual(["refused", "ended"]);
  });

  test("the page is escaped and loads nothing", async () => {
    const { body, headers } = await ask(`${await started(true)}/`);
    expect(body).toContain("Test &lt;app&gt;");
    expect(body).toContain("&lt;b&gt;***");
    expect(body).not.toMatch(/<b>|<script|https?:/);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
  });

  test("what it does not have is 404, and a strange path no crash", async () => {
    const base = await started(false);
    expect((await ask(`${base}/elsewhere`)).status).toBe(404);
    expect((await ask(`${base}//`)).status).toBeLessThan(500);
  });
});

describe("checks against a server of ours", () => {
  async function answering(handle: http.RequestListener): Promise<string> {
    const server = http.createServer(handle).listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    return `http://127.0.0.1:${String(portOf(server))}`;
  }
  const signal = () => AbortSignal.timeout(2000);

  test("CORS: our origin and PUT must be allowed", async () => {
    let allow: Record<string, string> = {};
    const base = await answering((_, response) => response.writeHead(204, allow).end());
    const check = cors(base, "staging", "https://arkindex.localhost");
    await expect(check.run(signal())).rejects.toThrow("does not allow uploads from https://arkindex.localhost");
    allow = { "access-control-allow-origin": "https://arkindex.localhost", "access-control-allow-methods": "GET" };
    await expect(check.run(signal())).rejects.toThrow("but not to PUT");
    allow["access-control-allow-methods"] = "GET, PUT";
    await expect(check.run(signal())).resolves.toBe("browser uploads allowed");
  });

  test("Solr: a missing collection, an error and an old document are told apart", async () => {
    let answer: (url: string) => [number, object] = () => [404, {}];
    const base = await answering((request, response) => {
      const [status, body] = answer(request.url ?? "");
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    const check = solr(`${base}/solr/`, "arkindex", "host");
    await expect(check.run(signal())).rejects.toThrow("solr has no collection arkindex");
    answer = () => [500, { error: { msg: "disk is full" } }];
    await expect(check.run(signal())).rejects.toThrow(/answers 500: disk is full/);
    const docs = (version: number) => ({ response: { docs: [{ id: "rehearsal-host", _version_: version }] } });
    const adds = { adds: ["rehearsal-host", 7] };
    answer = (url) => (url.includes("/select") ? [200, docs(6)] : [200, adds]);
    await expect(check.run(signal())).rejects.toThrow("an older document");
    answer = (url) => (url.includes("/select") ? [200, docs(7)] : [200, adds]);
    await expect(check.run(signal())).resolves.toBe("document added, found and deleted");
  });
});
