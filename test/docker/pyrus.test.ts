/** Pyrus on one Docker host, on the real engine with real servers: up, used by real clients, taken away. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import WebSocket from "ws";

import {
  call,
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
  sweep,
  untilHealthy,
} from "../support/arkindex.ts";
import { adminPassword, licence, pyrusStack } from "../support/pyrus.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "pyr-whole";
const https = 15021;
let stack: TestStack;
let outputs: { url: string; ca: string; rehearsing: string[]; passwords: Record<string, string> };

beforeAll(async () => {
  stack = await pyrusStack({ name, https });
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
}, 400_000);

afterAll(async () => {
  await stack.dispose();
  await sweep(name);
}, 300_000);

const apps = ["async-worker", "bind", "files", "identity-server", "mail-reader", "mail-sender", "notification-service"];

test("the fifteen containers of the single host and the object store are there and healthy", async () => {
  const ids = await containerIds(name);
  expect(Object.keys(ids).sort()).toEqual(
    [
      ...[...apps, "preview-generator", "scheduler", "web-api"].map((app) => `${app}-1`),
      ...["edge", "elasticsearch-1", "logs-1", "nats-1", "objects-1", "postgresql-1"],
    ].sort(),
  );
  await untilHealthy(Object.values(ids));
  expect(outputs.rehearsing).toContain("pyrus/pgsql-16");
});

test("a second preview and a refresh find nothing", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
  succeeded(await stack.run(["refresh", "--preview-only", "--expect-no-changes"]));
}, 90_000);

test("no secret is in an inspection but where the images can read nothing else, and none is in the state", async () => {
  const secrets = { ...(await generatedSecrets(stack)), licence, adminPassword };
  expect(Object.keys(secrets).length).toBeGreaterThan(5);
  for (const [key, id] of Object.entries(await containerIds(name))) {
    const inspected = await engine.getContainer(id).inspect();
    const env = inspected.Config.Env.join("\n");
    const application = [...apps, "preview-generator", "scheduler", "web-api"].some((app) => key === `${app}-1`);
    if (application) inspected.Config.Env = []; // image-lock.ts lists them: `secrets: "env"`
    expect([key, leaks(JSON.stringify(inspected), secrets)]).toEqual([key, []]);
    if (application) expect(leaks(env, { licence, adminPassword })).toEqual([]);
  }
  expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
}, 300_000);

const inData = (image: string, script: string) =>
  inContainer({ image: localImage(image), network: `${name}-data` }, script);

test("psql reaches both servers under the names that the applications expect, with the stack's outputs", async () => {
  const psql = (host: string, of: string, database: string, sql: string) =>
    inData(
      "toolbox",
      `PGPASSWORD='${outputs.passwords[of] ?? ""}' psql -At -h ${host} -U pyrusadm ${database} -c "${sql}"`,
    );
  const main = await psql(
    "pyrus-postgresql",
    "postgresql",
    "pyrusdb",
    "select value from rehearsal_parameters where id = '105119'",
  );
  expect(main).toMatchObject({ status: 0, body: "http://pyrus-elastic:9200\n" });
  expect(await psql("pyrus-postgresql", "postgresql", "pyrusdb", "show wal_level")).toMatchObject({
    body: "logical\n",
  });
  expect(await psql("pyrus-logs-pgsql", "logs", "pyrus_logs", "select 7")).toMatchObject({ status: 0, body: "7\n" });
  const other = await psql("pyrus-logs-pgsql", "postgresql", "pyrus_logs", "select 7");
  expect(other.body).toContain("password authentication failed");
}, 300_000);

test("Elasticsearch wants its login, and has the indices that setup made", async () => {
  const url = "http://pyrus-elastic:9200/rehearsal/_count";
  const login = `elastic:${outputs.passwords.elasticsearch ?? ""}`;
  const { body } = await inData(
    "toolbox",
    `curl -s -u '${login}' ${url}; curl -s -o /dev/null -w ' %{http_code}' ${url}`,
  );
  expect(body).toMatch(/"count":[4-9].* 401$/);
}, 30_000);

test("NATS wants its login, and keeps messages on disk", async () => {
  const ask = (password: string) =>
    `exec 3<>/dev/tcp/pyrus-nats/4222; printf 'CONNECT {"user":"app","pass":"${password}","verbose":false}\\r\\nSUB a 1\\r\\nPUB $JS.API.STREAM.NAMES a 0\\r\\n\\r\\n' >&3; timeout 3 cat <&3`;
  const { body } = await inData(
    "toolbox",
    `exec bash -c '${ask(outputs.passwords.nats ?? "").replaceAll("'", "'\\''")}'`,
  );
  expect(body).toContain('"streams":["REHEARSAL"]');
  expect(body).toContain('"max_payload":2000000');
  const wrong = await inData("toolbox", `exec bash -c '${ask("wrong").replaceAll("'", "'\\''")}'`);
  expect(wrong.body).toContain("Authorization Violation");
}, 30_000);

const get = (path: string, headers: Record<string, string> = {}) => call(outputs.url + path, outputs.ca, { headers });

test("the web API through the edge: a session, its health, what is hidden", async () => {
  const page = await get("/");
  expect(page).toMatchObject({ status: 200 });
  expect(page.headers?.["set-cookie"]?.[0]).toMatch(/^ingressstick=.*Max-Age=1200/);
  expect(await get("/health/ready")).toMatchObject({ status: 200 });
  expect(await get("/metrics")).toMatchObject({ status: 404 });
  expect(await get("/bind/metrics")).toMatchObject({ status: 404 });
  const inside = await inContainer(
    { container: (await containerIds(name))["files-1"] ?? "" },
    "curl -s pyrus-web-api/metrics",
  );
  expect(inside.body).toContain("rehearsal 1");
});

test("an event goes from the web API over NATS to a browser's websocket", async () => {
  const socket = new WebSocket(outputs.url.replace("https", "wss") + "/bind", {
    ca: outputs.ca,
    lookup: (_, __, done) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  });
  const got: string[] = [];
  socket.on("message", (data: Buffer) => got.push(data.toString()));
  await eventually(() => Promise.resolve(got.includes("bind bind-1") || undefined), 10);
  expect(await call(`${outputs.url}/rehearsal/events`, outputs.ca, { method: "POST", body: "news" })).toMatchObject({
    status: 201,
  });
  await eventually(() => Promise.resolve(got.includes("event news") || undefined), 10);
  socket.close();
}, 30_000);

test("a file goes to the object store and comes back, by both of its addresses", async () => {
  const body = "x".repeat(3_000_000);
  const up = await call(`${outputs.url}/api/v4/files/upload?name=a.txt`, outputs.ca, { method: "POST", body });
  expect(up).toMatchObject({ status: 201 });
  expect((await get("/api/v4/files/download?name=a.txt")).body).toBe(body);
  expect((await get("/v4/files/download?name=a.txt")).body).toBe(body);
}, 30_000);

test("destroy leaves nothing", async () => {
  succeeded(await stack.destroy());
  expect(await containerIds(name)).toEqual({});
  const filters = { label: [`platform-topologies.name=${name}`] };
  expect(await engine.listNetworks({ filters })).toEqual([]);
  const { Volumes } = await engine.listVolumes();
  expect(Volumes.map(({ Name }) => Name).filter((each) => each.startsWith(`${name}-`))).toEqual([]);
}, 300_000);
