/** ShinyProxy on one Docker host: real Traefik, InfluxDB, Redis, Telegraf, R Shiny; stand-ins for ShinyProxy, Grafana, sign-in. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { z } from "zod";

import {
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
  removeVolume,
  untilHealthy,
} from "../support/arkindex.ts";
import { Eyes, type Look } from "../support/eyes.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { appsOf, Browser, panelRows, shinyproxyConfig, shinyproxyStack, sweepApps } from "../support/shinyproxy.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "shiny-whole";
const https = 15211;
let stack: TestStack;
let outputs: { url: string; ca: string; rehearsing: string[]; passwords: Record<string, string> };
let secrets: Record<string, string>;
let browser: Browser;

beforeAll(async () => {
  stack = await shinyproxyStack({ name, https });
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
  secrets = await generatedSecrets(stack);
  browser = new Browser(outputs.ca);
}, 300_000);

afterAll(async () => {
  await stack.dispose();
  await removeVolume(`${name}-backup`);
  await sweepApps(name);
}, 300_000);

const password = (store: string): string => outputs.passwords[store] ?? "";

/** InfluxQL as the stack's user, from the data network. */
async function influxql(database: string, query: string): Promise<unknown[][]> {
  const script = `curl -sG -u app:${password("influx")} http://influx-1:8086/query --data-urlencode db=${database} --data-urlencode 'q=${query}'`;
  const { body } = await inContainer({ image: localImage("toolbox"), network: `${name}-data` }, script);
  const answer = z.object({
    results: z.array(
      z.object({
        error: z.string().optional(),
        series: z.array(z.object({ values: z.array(z.array(z.unknown())) })).optional(),
      }),
    ),
  });
  const [result] = answer.parse(JSON.parse(body)).results;
  if (result?.error !== undefined) throw new Error(result.error);
  return (result?.series ?? []).flatMap(({ values }) => values);
}

/** Docker's API as ShinyProxy sees it. */
async function viaRunner(method: string, path: string, body?: unknown): Promise<{ status: number; message: string }> {
  const data = body === undefined ? "" : `-H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  const script = `curl -s -w '\\n%{http_code}' -X ${method} ${data} http://runner:2375${path}`;
  const answer = await inContainer({ image: localImage("toolbox"), network: `${name}-runner-api` }, script);
  const lines = answer.body.trim().split("\n");
  return { status: Number(lines.at(-1)), message: lines.slice(0, -1).join("\n") };
}

test("every part is there and healthy, and what stands in is named", async () => {
  const ids = await containerIds(name);
  expect(Object.keys(ids).sort()).toEqual([
    "backup-1",
    "edge",
    "grafana-1",
    "influx-1",
    "influx-1-drill-1",
    "reader-1",
    "redis-1",
    "runner-1",
    "shinyproxy-1",
    "sign-in-1",
    "telegraf-1",
    "telegraf-node-1",
  ]);
  await untilHealthy(Object.values(ids));
  expect([...outputs.rehearsing].sort()).toEqual(["grafana", "openid", "shinyproxy"]);
}, 90_000);

test("a second preview finds nothing", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

test("sign-in by OpenID through the edge; each user sees what the groups allow", async () => {
  const stranger = new Browser(outputs.ca);
  expect((await stranger.signIn(`${outputs.url}/`, "demo-analysts", "wrong")).status).toBe(401);
  const home = await browser.signIn(`${outputs.url}/`, "demo-analysts", password("sign-in"));
  expect(home).toMatchObject({ status: 200 });
  expect(home.steps.slice(1)).toEqual([`${outputs.url}/login/oauth2/code/shinyproxy`, `${outputs.url}/`]);
  expect(home.body).toContain(`demo-analysts@${name}.localhost, groups: analysts`);
  expect(home.body).toContain("/app/demo");
  expect(home.body).not.toContain("/app/closed");
  expect((await browser.open(`${outputs.url}/app/closed`)).status).toBe(400);
}, 300_000);

/** The app's own address below the stack's. */
let app = "";

test("an R Shiny app of the user's own: page and websocket through the edge", async () => {
  const page = await eventually(async () => {
    const found = await browser.open(`${outputs.url}/app/demo`);
    return found.status === 200 ? found : undefined;
  }, 60);
  app = new URL(/src="([^"]+)"/.exec(page.body)?.[1] ?? "", outputs.url).href;
  const shiny = await eventually(async () => {
    const found = await browser.ask(app);
    return found.status === 200 ? found : undefined;
  }, 60);
  expect(shiny.body).toContain("shiny.min.js");
  expect((await new Browser(outputs.ca).ask(app)).status).toBe(302);

  const socket = new WebSocket(`${app.replace("https:", "wss:")}websocket/`, {
    ca: outputs.ca,
    headers: { cookie: browser.cookie(outputs.url) },
    lookup: (_, options, done) => {
      if (options.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
      else done(null, "127.0.0.1", 4);
    },
  });
  const said = new Promise<string>((resolve, reject) => {
    socket.on("open", () => {
      socket.send(JSON.stringify({ method: "init", data: {} }));
    });
    socket.on("message", (data: Buffer) => {
      resolve(data.toString());
    });
    socket.on("error", reject);
  });
  expect(await said).toContain("config");
  socket.terminate();
}, 150_000);

test("the app's container has limits, labels, its own network, and no privilege", async () => {
  const [found, ...others] = await appsOf(name);
  expect(others).toEqual([]);
  const { HostConfig, Config, NetworkSettings } = await engine.getContainer(found?.Id ?? "").inspect();
  expect(HostConfig).toMatchObject({
    Memory: 256 * 1024 * 1024,
    MemorySwap: 256 * 1024 * 1024,
    NanoCpus: 5e8,
    PidsLimit: 1024,
    Privileged: false,
    SecurityOpt: ["no-new-privileges:true"],
    PortBindings: null,
  });
  expect(Config.Labels).toMatchObject({
    "platform-topologies.app": name,
    "openanalytics.eu/sp-user-id": `demo-analysts@${name}.localhost`,
  });
  expect(Object.keys(NetworkSettings.Networks)).toEqual([`${name}-apps`]);
}, 30_000);

test("through the runner nothing else can be started, seen or changed; nobody else reaches it", async () => {
  const image = localImage("shiny-demo");
  const refused: [string, string, unknown, number, string][] = [
    ["POST", "/containers/create", { Image: localImage("toolbox") }, 403, "is not one of the configured apps'"],
    ["POST", "/containers/create", { Image: image, HostConfig: { Binds: ["/:/host"] } }, 403, "mount / is not allowed"],
    [
      "POST",
      "/v1.41/containers/create",
      { Image: image, HostConfig: { Privileged: true } },
      403,
      "HostConfig.Privileged is not allowed",
    ],
    ["POST", `/containers/${name}-redis-1/exec`, { Cmd: ["id"] }, 403, "runs users' apps and nothing else"],
    ["GET", `/containers/${name}-redis-1/json`, undefined, 404, "no such container of an app"],
    ["DELETE", `/containers/${name}-redis-1?force=1`, undefined, 404, "no such container of an app"],
    ["GET", "/secrets", undefined, 403, "runs users' apps and nothing else"],
  ];
  for (const [method, path, body, status, message] of refused) {
    const answer = await viaRunner(method, path, body);
    expect([answer.status, answer.message]).toEqual([status, expect.stringContaining(message)]);
  }
  const own = z
    .array(z.object({ Labels: z.record(z.string(), z.string()) }))
    .parse(JSON.parse((await viaRunner("GET", "/containers/json?all=1")).message));
  expect(own.map(({ Labels }) => Labels["platform-topologies.app"])).toEqual([name]);
  for (const network of ["edge", "app", "data", "apps"]) {
    const { status } = await inContainer(
      { image: localImage("toolbox"), network: `${name}-${network}` },
      "curl -sm 3 http://runner:2375/_ping",
    );
    expect([6, 28]).toContain(status); // no such name; on the closed data network its server is silent
  }
}, 300_000);

test("ShinyProxy restarted: the session and the app are still there", async () => {
  const [before] = await appsOf(name);
  await engine.getContainer(`${name}-shinyproxy-1`).restart({ t: 5 });
  await eventually(async () => ((await browser.ask(app)).status === 200 ? true : undefined), 60);
  expect((await browser.ask(`${outputs.url}/`)).body).toContain("groups: analysts");
  expect((await appsOf(name)).map(({ Id }) => Id)).toEqual([before?.Id]);
}, 90_000);

test("usage is in InfluxDB, kept as long as asked", async () => {
  const counted = await influxql("shinyproxy", `SELECT count("data") FROM "event" GROUP BY "type"`);
  expect(counted.map(([, count]) => count)).toEqual([1, 1]); // one sign-in, one app
  const kept = (rows: unknown[][]) =>
    rows.filter(([, , , , isDefault]) => isDefault === true).map(([policy, duration]) => [policy, duration]);
  expect(kept(await influxql("shinyproxy", 'SHOW RETENTION POLICIES ON "shinyproxy"'))).toEqual([
    ["keep", "8760h0m0s"],
  ]);
  expect(kept(await influxql("telegraf", 'SHOW RETENTION POLICIES ON "telegraf"'))).toEqual([["keep", "720h0m0s"]]);
  await expect(influxql("shinyproxy", "CREATE DATABASE other")).rejects.toThrow(/./);
}, 300_000);

test("every panel of the dashboard returns data", async () => {
  const grafana = outputs.url.replace("//", "//grafana.");
  const viewer = new Browser(outputs.ca);
  expect((await viewer.ask(`${grafana}/api/search`)).status).toBe(401);
  const login = { user: "admin", password: secrets["grafana-password"] };
  expect((await viewer.ask(`${grafana}/login`, { method: "POST", body: JSON.stringify(login) })).status).toBe(200);
  expect((await viewer.ask(`${grafana}/api/search`)).body).toContain("shinyproxy");
  const rows = await eventually(async () => {
    const found = await panelRows(viewer, grafana);
    const empty = Object.keys(found).filter((title) => found[title] === 0);
    if (empty.length > 0) throw new Error(`no data in ${empty.join(", ")}`);
    return found;
  }, 90);
  expect(Object.keys(rows).length).toBeGreaterThan(9);
}, 300_000);

test("docs/screenshots/dashboard.png: the dashboard in a browser, after its sign-in", async () => {
  const user = await eventually(async () => {
    const fresh = new Browser(outputs.ca);
    const { status } = await fresh.signIn(`${outputs.url}/`, "demo-analysts", password("sign-in"));
    return status === 200 ? fresh : undefined;
  }, 90);
  await eventually(async () => (await user.open(`${outputs.url}/app/demo`)).status === 200 || undefined, 90);
  const before: Look["before"] = async (page) => {
    await page.getByLabel("User").fill("admin");
    await page.getByLabel("Password").fill(secrets["grafana-password"] ?? "");
    await page.getByRole("button", { name: "Sign in" }).click();
    for (const panel of ["Running apps", "Processor", "Memory of containers"])
      await page
        .locator("section", { has: page.getByRole("heading", { name: panel }) })
        .locator("polyline")
        .first()
        .waitFor({ timeout: 180_000, state: "attached" }); // a level line has no height, and counts as hidden
  };
  const eyes = await Eyes.open(outputs.ca);
  try {
    for (const look of [{ width: 360 }, { dark: true }, { width: 1000, height: 800, shot: "dashboard.png" }]) {
      const url = outputs.url.replace("//", "//grafana.");
      const { text, troubles } = await eyes.look({ url, before, ...look });
      expect({ look, troubles }).toEqual({ look, troubles: [] });
      for (const part of ["stand-in for Grafana", "Users", "Apps started", "Events"]) expect(text).toContain(part);
      expect(leaks(text, secrets)).toEqual([]);
    }
  } finally {
    await eyes.close();
  }
}, 900_000);

test("usage is lost and restored, and a changed retention is applied, by one up", async () => {
  const { status } = await inContainer({ container: `${name}-backup-1` }, "backup once");
  expect(status).toBe(0);
  const everything = 'SELECT * FROM "event" GROUP BY *';
  const before = await influxql("shinyproxy", everything);
  await influxql("shinyproxy", 'DROP SERIES FROM "event"');
  expect(await influxql("shinyproxy", everything)).toEqual([]);
  const restore = { from: { volume: `${name}-backup` }, stack: name };
  const changed = shinyproxyConfig({ name, https, config: { restore } });
  const own = changed["platform-topologies:shinyproxy"] as object;
  await stack.configure({ ...changed, "platform-topologies:shinyproxy": { ...own, keepMetrics: "7d" } });
  succeeded(await stack.up());
  expect(await influxql("shinyproxy", everything)).toEqual(before);
  expect(JSON.stringify(await influxql("telegraf", 'SHOW RETENTION POLICIES ON "telegraf"'))).toContain("168h0m0s");
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

test("an app that has died: its user is told so once, and begins a new one without a new sign-in", async () => {
  const [dead] = await appsOf(name);
  await engine.getContainer(dead?.Id ?? "").remove({ force: true });
  expect(await browser.ask(app)).toMatchObject({ status: 503, body: expect.stringContaining("app_crashed") });
  const page = await eventually(async () => {
    const found = await browser.ask(`${outputs.url}/app/demo`);
    return found.status === 200 ? found : undefined;
  }, 60);
  const next = new URL(/src="([^"]+)"/.exec(page.body)?.[1] ?? "", outputs.url).href;
  expect(next).not.toBe(app);
  expect(await browser.ask(next)).toMatchObject({ status: 200, body: expect.stringContaining("shiny.min.js") });
}, 90_000);

test("no secret in the state or in what Docker tells of containers", async () => {
  const exported = await stack.run(["stack", "export"]);
  expect(leaks(exported.output, secrets)).toEqual([]);
  for (const [workload, id] of Object.entries(await containerIds(name)))
    expect([workload, leaks(JSON.stringify(await engine.getContainer(id).inspect()), secrets)]).toEqual([workload, []]);
}, 300_000);

test("destroy, with an app still running, leaves nothing but the backup", async () => {
  expect(await appsOf(name)).toHaveLength(1);
  succeeded(await stack.destroy());
  expect(await appsOf(name)).toEqual([]);
  expect(await containerIds(name)).toEqual({});
  expect(await engine.listNetworks({ filters: { label: [`platform-topologies.name=${name}`] } })).toEqual([]);
}, 300_000);
