/**
 * Stores that were there before the stack, with certificates of a public authority: `tls: true` and no `ca`. The stack's
 * images have the tests' authority where they have the public ones, in the system's own folder; the config has no word
 * of it. Redis, whose client has to verify: test/long/existing-media.test.ts.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { bucketNames } from "../../components/systems/arkindex.ts";
import {
  arkindexConfig,
  cleanUp,
  containerIds,
  dockerStack,
  engine,
  isKept,
  untilHealthy,
  write,
} from "../support/arkindex.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { gateway, tellPasswords, TlsStores, unknowing } from "../support/tls-stores.ts";

const name = "ark-exists";
const https = 15331;
const ports = { postgres: 15341, redis: 15342, objects: 15343 };
const needs = ["db", "objects"] as const;
const rowsKept = "select body from rehearsal_rows";
let stores: TlsStores;
let stack: TestStack | undefined;
let made: TestStack;
let outputs: { url: string; ca: string };

beforeAll(async () => {
  const origin = `https://${name}.localhost:${String(https)}`;
  stores = await TlsStores.start({ name, address: await gateway(), ports, buckets: bucketNames, origin });
  const images = { rehearsal: await stores.trusted() };
  const test = { name, https, config: { existing: stores.existing(needs), images, backup: undefined } };
  made = stack = await dockerStack(test, arkindexConfig(test));
  await tellPasswords(stack, needs);
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
}, 600_000);

afterAll(async () => {
  try {
    await cleanUp(stack, name);
  } finally {
    await stores.remove();
  }
}, 180_000);

test("nothing is made for what exists, all is healthy, and a second preview is empty", async () => {
  const ids = await containerIds(name);
  expect(Object.keys(ids).sort()).toEqual(["backend-1", "cantaloupe-1", "edge", "redis-1", "solr-1", "worker-1"]);
  await untilHealthy(Object.values(ids));
  succeeded(await made.preview(["--expect-no-changes"]));
}, 90_000);

test("rows and objects are there, and went by TLS", async () => {
  await write(outputs.url, outputs.ca, "kept");
  expect(await isKept(outputs.url, outputs.ca, "kept")).toBe(true);
  expect(await stores.sql(rowsKept)).toBe("kept");
  expect(await stores.withoutTls()).toEqual({
    postgres: expect.stringContaining("no encryption"),
    redis: expect.stringMatching(/closed|reset/),
    objects: expect.stringContaining("HTTP request to an HTTPS server"),
  });
  const connections = await stores.connections();
  expect(connections.length).toBeGreaterThan(0);
  expect(connections.filter((line) => !line.includes("SSL enabled (protocol=TLSv1.3"))).toEqual([]);
}, 60_000);

test("of an authority that nobody knows: objects are refused, and PostgreSQL, as by libpq, is not", async () => {
  const { "backend-1": id = "" } = await containerIds(name);
  const check = await unknowing(id, "/run/arkindex", ["arkindex", "check"]);
  try {
    await check.start();
    expect(await check.wait()).toMatchObject({ StatusCode: 1 });
    const said = (await check.logs({ stdout: true, stderr: true })).toString();
    expect(said).toContain(`${stores.url} has a certificate of an unknown authority`);
    expect(said).toContain("postgres found");
  } finally {
    await check.remove({ force: true });
  }
}, 60_000);

test("destroy leaves nothing of the stack, and all of the stores", async () => {
  succeeded(await made.destroy());
  expect(await containerIds(name)).toEqual({});
  expect(await engine.listNetworks({ filters: { label: [`platform-topologies.name=${name}`] } })).toEqual([]);
  expect(await stores.sql(rowsKept)).toBe("kept");
}, 120_000);
