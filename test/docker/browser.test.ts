/** What people look at, in a real browser: every picture, and the rehearsal's page in each of its states. */
import { readdirSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { card, type Picture } from "../../components/picture/model.ts";
import type { Check } from "../../rehearsal/checks/check.ts";
import type { Dashboard } from "../../rehearsal/config/grafana.ts";
import { Refusal } from "../../rehearsal/errors.ts";
import { drawn, type Series, signIn } from "../../rehearsal/grafana/page.ts";
import { Loop } from "../../rehearsal/loop.ts";
import { Secrets } from "../../rehearsal/secrets.ts";
import { serve } from "../../rehearsal/server.ts";
import { svg } from "../../tools/picture/svg.ts";
import { Eyes } from "../support/eyes.ts";
import { newFolder } from "../support/folder.ts";
import { repo } from "../support/stack.ts";

let eyes: Eyes;
beforeAll(async () => {
  eyes = await Eyes.open();
}, 600_000);
afterAll(() => eyes.close());

test("the eyes find what is wrong", async () => {
  const page = `<!doctype html><title>x</title><body style="background: #fff">
<p style="color: #aaa">pale</p>
<p style="width: 3em; overflow: hidden; white-space: nowrap">much too long for its place</p>
<p style="margin-left: -3em">left</p>
<p style="position: absolute; top: 300px">under</p><p style="position: absolute; top: 300px">over</p>
<p style="position: absolute; top: 400px">hidden</p>
<div style="position: absolute; top: 390px; width: 200px; height: 80px; background: #fff"></div>
<div style="width: 2000px">wide</div><img src="http://127.0.0.1:9/none"><script>throw new Error("fails")</script>`;
  const { troubles } = await eyes.look({ url: `data:text/html,${encodeURIComponent(page)}` });
  expect([...troubles].sort()).toEqual([
    expect.stringMatching(/^"hidden" is covered/),
    expect.stringMatching(/^"left" is outside of the window/),
    expect.stringMatching(/^"much too long for its place" is cut/),
    expect.stringMatching(/^"pale" has a contrast of 2\.3/),
    expect.stringMatching(/^"under" and "over" lie on each other/),
    expect.stringMatching(/^"under" is covered/),
    expect.stringMatching(/^http:\/\/127\.0\.0\.1:9\/none did not come/),
    expect.stringMatching(/^the console says: /),
    expect.stringMatching(/^the page is 2\d{3} wide in a window of 1280/),
    expect.stringMatching(/^the page's script fails: fails/),
  ]);
}, 120_000);

/** Light and dark, on a telephone and on a desk. */
const looks = [360, 1280].flatMap((width) => [false, true].map((dark) => ({ width, dark })));

describe("pictures", () => {
  const pictures = join(repo, "docs/pictures");
  const whole = { width: 1100, height: 1300 };

  test.each(readdirSync(pictures))(
    "%s is legible, in light and in dark",
    async (file) => {
      const url = pathToFileURL(join(pictures, file)).href;
      for (const dark of [false, true]) {
        const { text, troubles } = await eyes.look({ ...whole, url, dark });
        expect(troubles).toEqual([]);
        expect(text).toContain(file.split("-")[0]);
        expect(text).not.toContain("…");
      }
    },
    120_000,
  );

  test("docs/screenshots/picture.png", async () => {
    const url = pathToFileURL(join(pictures, "arkindex-aws.svg")).href;
    const { troubles } = await eyes.look({ ...whole, url, dark: true, shot: "picture.png", part: "svg" });
    expect(troubles).toEqual([]);
  }, 120_000);

  test("names that are too long are cut, and lie on nothing", async () => {
    const long = "Notification-Mail-Worker-of-the-Whole-Middle-Management ×12";
    const member = { name: long, disk: "100 GiB", where: "eu-central-1a" };
    const both = [long, "W".repeat(40), "short"].map((name, index) => ({
      ...card(`c${String(index)}`, "data", "managed", name, [name]),
      ...{ members: [{ ...member, name }], routes: [name], rehearses: true },
    }));
    const picture: Picture = {
      ...{ title: "long", where: long },
      frames: [
        { id: "a", band: "app", cards: [card("a", "app", "workload", long, [long])] },
        { id: "b", band: "data", cards: both },
      ],
      arrows: [["a", "b"]],
    };
    const file = join(newFolder("browser"), "long.svg");
    writeFileSync(file, await svg(picture));
    const { text, troubles } = await eyes.look({ ...whole, url: pathToFileURL(file).href });
    expect(troubles).toEqual([]);
    expect(text).toContain("…");
  }, 120_000);
});

describe("the rehearsal's page", () => {
  const answers = (detail: string) => () => Promise.resolve(detail);
  const fails = (why: string) => () => Promise.reject(new Refusal(why));
  const long = "a-host-name-that-is-longer-than-a-telephone-is-wide.internal.example.com";
  const check = (name: string, run: Check["run"], required = true): Check => ({
    ...{ name, required, run },
    target: `postgres://app@${long}:5432/${name}`,
  });
  const late: ((detail: string) => void)[] = [];
  const found = check("postgres", answers("PostgreSQL 15.3, PostGIS 3.3"));
  const states: readonly (readonly [state: string, check: Check, says: string])[] = [
    ["all is well", check("redis", answers("answers")), "All 2 dependencies answer"],
    ["one fails", check("objects", fails(`${long} refuses the connection`)), "1 of 2 dependencies fail: objects"],
    ["one is optional", check("search", fails(`${long} does not resolve`), false), "The dependency answers"],
    ["one is still asked", check("solr", () => new Promise((end) => late.push(end))), "Trying the dependencies"],
  ];

  test.each(states)(
    "%s: all of it is seen",
    async (_, other, says) => {
      const role = {
        name: "shop",
        title: "A shop with a name of several words",
        version: "1.12.0",
        checks: [found, other],
      };
      const secrets = new Secrets();
      const loop = new Loop(role.checks, { secrets, log: () => undefined, timeout: 60_000 });
      let server: Server | undefined;
      try {
        loop.start();
        server = await serve(role, loop, secrets, 0);
        const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
        for (const look of looks) {
          const { title, text, troubles } = await eyes.look({ url, ...look });
          expect({ look, troubles }).toEqual({ look, troubles: [] });
          expect(title).toBe("A shop with a name of several words (rehearsal)");
          for (const part of [says, role.title, "1.12.0", "rehearsal", "PostgreSQL 15.3", other.name, other.target])
            expect(text).toContain(part);
        }
      } finally {
        loop.stop();
        for (const end of late.splice(0)) end("");
        server?.close();
        server?.closeAllConnections();
      }
    },
    120_000,
  );
});

describe("the dashboard of Grafana's stand-in", () => {
  const now = Date.UTC(2026, 10, 29, 12);
  const panel = (title: string, type: Dashboard["panels"][number]["type"], columns: number, unit = "short") => ({
    ...{ id: 1, title, type, gridPos: { x: 0, y: 0, w: columns, h: 8 }, fieldConfig: { defaults: { unit } } },
    ...{ datasource: { type: "influxdb" as const, uid: "telegraf" }, targets: [] },
  });
  const line = (name: string, values: readonly unknown[]): Series => ({
    ...{ name, columns: ["time", "mean"] },
    values: values.map((value, at) => [now - (values.length - at) * 10_000, value]),
  });
  const wave = Array.from({ length: 30 }, (_, at) => 300e6 + 200e6 * Math.sin(at / 4));
  const names = Array.from({ length: 12 }, (_, at) => `a-container-with-a-name-of-some-length-${String(at + 1)}`);
  const event = [now, "container", "health_status", `sha256:${"0123456789abcdef".repeat(4)}`];
  const page = drawn(
    { uid: "shop", title: "A <b>shop</b>", schemaVersion: 39, panels: [] },
    [
      {
        panel: panel("Users", "stat", 4),
        answer: [{ name: "users", columns: ["time", "count"], values: [[0, 1234]] }],
      },
      { panel: panel("Load", "timeseries", 10), answer: [line("host", [0, 0, 1.5, null, 2])] },
      { panel: panel("Nothing yet", "timeseries", 10), answer: [] },
      { panel: panel("Memory", "timeseries", 24, "bytes"), answer: names.map((name) => line(name, wave)) },
      {
        panel: panel("Processor", "timeseries", 12, "percent"),
        answer: "InfluxDB: influx-1:8086 refuses the connection",
      },
      {
        panel: panel("Events", "table", 12),
        answer: [
          {
            name: "event",
            columns: ["time", "type", "action", "name"],
            values: Array.from({ length: 30 }, () => event),
          },
        ],
      },
    ],
    now,
  );

  test.each(looks)(
    "$width wide, dark: $dark",
    async (look) => {
      const folder = newFolder("browser");
      for (const [file, html] of Object.entries({ "dashboard.html": page, "sign-in.html": signIn(true) })) {
        writeFileSync(join(folder, file), html);
        const { text, troubles } = await eyes.look({ url: pathToFileURL(join(folder, file)).href, ...look });
        expect({ file, troubles }).toEqual({ file, troubles: [] });
        if (file === "sign-in.html") expect(text).toContain("Invalid username or password");
        else
          for (const part of [
            "A <b>shop</b>",
            "1234",
            "host: 2",
            "No data",
            "refuses the connection",
            "476 MiB",
            "and 22 more",
          ])
            expect(text).toContain(part);
      }
    },
    120_000,
  );
});
