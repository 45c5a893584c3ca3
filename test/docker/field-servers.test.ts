/** What users met with the servers that the platforms run on (docs/field.md), tried on the recipes' own containers. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { influx } from "../../components/services/influx.ts";
import { redis } from "../../components/services/redis.ts";
import { solr } from "../../components/services/solr.ts";
import { eventually, type Reply } from "../support/arkindex.ts";
import { password, SlotServer, slotsOf } from "../support/slot-server.ts";

const [redisSlot] = slotsOf(redis, "redis", { clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 });
const [solrSlot] = slotsOf(solr, "solr", { collections: ["a"], gib: 1, memoryMib: 256, copies: 1 });
const [influxSlot] = slotsOf(influx, "influx", { databases: { metrics: { keep: "30d" } }, gib: 1 });
let cache: SlotServer;
let series: SlotServer;
let index: SlotServer;

beforeAll(async () => {
  if (!redisSlot || !influxSlot || !solrSlot) throw new Error("a recipe made no slot");
  [cache, series, index] = await Promise.all([
    SlotServer.create("field-redis", redisSlot, 16),
    SlotServer.create("field-influx", influxSlot, 400),
    // Nobody finds it by its name here, nor does it itself.
    SlotServer.create("field-solr", { ...solrSlot, env: { ...solrSlot.env, SOLR_HOST: "127.0.0.1" } }, 64),
  ]);
  await Promise.all([cache.start(), series.start(), index.start()]);
  await Promise.all([healthy(cache), healthy(series), healthy(index)]);
  await series.run(`${ask} --data-urlencode q="CREATE USER admin WITH PASSWORD '${password}' WITH ALL PRIVILEGES"`);
  for (const name of ["metrics", "apps"])
    await series.run(`${ask} ${login} --data-urlencode 'q=CREATE DATABASE ${name}'`);
}, 180_000);

afterAll(
  () => Promise.all(["field-redis", "field-influx", "field-solr"].map((name) => SlotServer.remove(name))),
  60_000,
);

const ask = "curl -sS -X POST http://127.0.0.1:8086/query";
const login = `-u admin:${password}`;

function healthy(server: SlotServer): Promise<Reply> {
  return eventually(async () => ((await server.probe()).status === 0 ? { status: 0, body: "" } : undefined), 120);
}

function said(words: string): Promise<string> {
  return cache.run(`REDISCLI_AUTH=${password} redis-cli ${words}`).then(({ body }) => body.trim());
}

/** Points a second apart, of one series or with a tag value each. */
async function write(points: number, line: string, database = "metrics"): Promise<string> {
  const script = `awk -v now="$(date +%s)" 'BEGIN { for (i = 0; i < ${String(points)}; i++) print ${line} " " now - i "000000000" }' | curl -sS -w '%{http_code}' ${login} 'http://127.0.0.1:8086/write?db=${database}' --data-binary @-`;
  return (await series.run(script)).body.trim();
}

test("Redis: a full disk is unhealthy, also where a password hides it, and heals with room", async () => {
  expect(await said("set before 1")).toBe("OK");
  await cache.fill();
  await said(`set big ${"x".repeat(9000)}`); // goes into the buffer, and the buffer nowhere
  await eventually(async () => ((await said("set more 1")).startsWith("MISCONF") ? true : undefined), 10);
  expect(await cache.probe()).toMatchObject({
    status: 1,
    body: expect.stringMatching(/^Redis: MISCONF .*No space left/),
  });
  await cache.room();
  await healthy(cache);
  expect(await said("set after 1")).toBe("OK");
}, 60_000);

test("Redis: NULs that a power cut left behind are cut off, and what came before them is there", async () => {
  await said("set kept yes");
  await new Promise((resolve) => setTimeout(resolve, 1500)); // until it is on the disk
  await cache.kill();
  await cache.onDisk("head -c 70000 /dev/zero >>$(ls appendonlydir/*.incr.aof)");
  await cache.start();
  await healthy(cache);
  expect(await said("get kept")).toBe("yes");
  expect(await cache.log()).toMatch(/incr\.aof: \d+ NUL bytes at its end are cut off/);
}, 60_000);

test("Solr: alone it writes by itself once a full disk has room", async () => {
  const collections = "http://127.0.0.1:8983/solr/admin/collections";
  const make = "action=CREATE&name=a&numShards=1&replicationFactor=1&collection.configName=_default";
  expect((await index.run(`curl -fsS '${collections}?${make}'`)).status).toBe(0);
  const update = async (n: number): Promise<string> => {
    const row = JSON.stringify([{ id: String(n), said_s: "x".repeat(4000) }]);
    const script = `curl -sS -m 20 -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '${row}' 'http://127.0.0.1:8983/solr/a/update?commit=true'`;
    return (await index.run(script)).body.trim();
  };
  expect(await update(1)).toBe("200");
  await index.fill();
  await eventually(async () => ((await update(2)) === "200" ? undefined : true), 30);
  await index.room();
  await eventually(async () => ((await update(3)) === "200" ? true : undefined), 30);
  expect(await index.restarts()).toBe(0);
  expect((await index.run("curl -fsS 'http://127.0.0.1:8983/solr/a/select?q=id:1'")).body).toContain('"numFound":1');
}, 180_000);

test("InfluxDB: after a full disk it is started again, and writes", async () => {
  const more = (tag: string) => write(3000, `"load,node=${tag} value=" i ",text=\\"" rand() rand() "\\""`);
  expect(await more("before")).toBe("204");
  await series.fill();
  await eventually(async () => ((await more("lost")).includes("no space left on device") ? true : undefined), 30);
  expect(await series.probe()).toMatchObject({ status: 1, body: expect.stringContaining("InfluxDB cannot write") });
  expect(await series.restarts()).toBe(0);
  await series.room();
  expect(await more("lost")).toContain("no space left on device"); // there is, and it does not see it
  await series.probe();
  await eventually(async () => ((await series.restarts()) === 1 ? true : undefined), 30);
  await healthy(series);
  expect(await more("after")).toBe("204");
}, 120_000);

test("InfluxDB: what was written since is there after a power cut; on a full disk it says so, and starts with no empty history", async () => {
  await series.kill();
  await series.fill();
  await series.start();
  await eventually(async () => ((await series.log()).includes("the disk is full") ? true : undefined), 30);
  await series.room();
  await healthy(series);
  expect(
    (await series.run(`${ask}?db=metrics ${login} --data-urlencode 'q=SELECT count(value) FROM load'`)).body,
  ).toMatch(/"count"\],"values":\[\[.*,6000\]\]/);
}, 120_000);

test("InfluxDB: a list of series that a power cut left empty is made again from the points", async () => {
  await series.kill();
  await series.onDisk("for list in data/metrics/_series/*/0000; do : >$list; done");
  await series.start();
  await healthy(series);
  expect((await series.run(`${ask}?db=metrics ${login} --data-urlencode 'q=SHOW SERIES'`)).body).toContain(
    `["load,node=before"]`,
  );
}, 120_000);

test("InfluxDB: a tag may have more than 100,000 values, as each app that was ever started has one", async () => {
  for (const from of [0, 60_000])
    expect(await write(60_000, `"app,name=" i + ${String(from)} " v=1"`, "apps")).toBe("204");
}, 120_000);
