/** As test/long/existing.test.ts, from a swarm: stores with TLS and certificates of a public authority, outside of it. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { bucketNames } from "../../components/systems/arkindex.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import { tellPasswords, TlsStores } from "../support/tls-stores.ts";

const name = "ark-exists";
const ports = { postgres: 15349, redis: 15350, objects: 15351 };
const needs = ["db", "objects"] as const;
const closing: (() => Promise<unknown>)[] = [];
let cluster: Cluster;
let stores: TlsStores;
let stack: TestStack;
let client: Client;
let url: string;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "existing", managers: 1, workers: 0 });
  closing.push(() => cluster.stop());
  const origin = `https://${name}.example.com`;
  stores = await TlsStores.start({ name, address: cluster.outside, ports, buckets: bucketNames, origin });
  closing.push(() => stores.remove());
  const image = await stores.trusted();
  const { [image]: rehearsal = "" } = await cluster.push([image]);
  const config = { existing: stores.existing(needs) };
  stack = await swarmStack({ cluster, name, system: "arkindex", images: { rehearsal }, config });
  closing.push(() => stack.dispose());
  await tellPasswords(stack, needs);
  succeeded(await stack.up());
  const outputs = (await stack.outputs()) as { url: string; ca: string };
  ({ url } = outputs);
  client = new Client(cluster.address("m1"), outputs.ca);
  closing.push(() => client.close());
}, 900_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 240_000);

test("nothing is made for what exists, all of it runs, and a second preview is empty", async () => {
  expect(Object.keys(await tasksOf(cluster.manager(), name)).sort()).toEqual(
    ["backend", "cantaloupe", "edge", "redis-1", "solr-1", "worker"], // each is there once it is healthy
  );
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

test("rows and objects are there, and went by TLS", async () => {
  expect(await client.call(`${url}/rehearsal/rows`, { method: "POST", body: "kept" })).toMatchObject({ status: 201 });
  const object = `${url}/rehearsal/objects/kept`;
  expect(await client.call(object, { method: "PUT", body: "kept" })).toMatchObject({ status: 201 });
  expect(await client.call(object)).toMatchObject({ status: 200, body: "kept" });
  expect(await stores.sql("select body from rehearsal_rows")).toBe("kept");
  const connections = await stores.connections();
  expect(connections.length).toBeGreaterThan(0);
  expect(connections.filter((line) => !line.includes("SSL enabled (protocol=TLSv1.3"))).toEqual([]);
}, 60_000);

test("destroy leaves nothing of the stack, and all of the stores", async () => {
  succeeded(await stack.destroy());
  expect(await tasksOf(cluster.manager(), name)).toEqual({});
  expect(await stores.sql("select body from rehearsal_rows")).toBe("kept");
}, 180_000);
