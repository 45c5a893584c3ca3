/**
 * A media platform's region with three copies of search, cache and objects, beside Cassandra and RabbitMQ, on three
 * managers: each node without power once, under reads and searches with and without a second try, and writes.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { images as provide } from "../../tools/images/index.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { Copies } from "../support/copies.ts";
import { powerCut, tellLoad, tellStore } from "../support/failure.ts";
import { held, Ledger } from "../support/ledger.ts";
import { smallMedia } from "../support/media.ts";
import { MediaSwarm, Writer } from "../support/media-swarm.ts";
import { memoryOf } from "../support/memory.ts";
import { succeeded } from "../support/stack.ts";
import { onEachNode, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";

const name = "media-copies";
const system = "media, copies";
const config = {
  ...smallMedia,
  ...{ nodes: 3, searchNodes: 3 },
  services: { assets: { path: "/", replicas: 2 }, indexer: {} },
};
const stores = { elasticsearch: "search", redis: "redis", objects: "objects" } as const;
const threes = ["cassandra", "rabbit", "elasticsearch", "redis", "objects-garage"];
/** A client's own second tries go on for so long, in seconds: a failover takes less. */
const patience = 30;
const closing: (() => Promise<unknown>)[] = [];
let cluster: Cluster;
let media: MediaSwarm;
let copies: Copies;
let ledger: Ledger;
let image: string;
/** An asset that loads read and look for. */
let asset: string;

beforeAll(async () => {
  await provide(() => undefined, ["garage"]); // an hour, once on a machine
  cluster = await Cluster.start({ name, network: "10.213.168", managers: 3, workers: 0 });
  closing.push(() => cluster.stop());
  const images = await onEachNode(cluster, [
    "toolbox",
    "rehearsal",
    "postgres-ha",
    "haproxy",
    "redis",
    "cassandra",
    "rabbitmq",
  ]);
  image = images["postgres-ha"] ?? "";
  const began = Date.now();
  media = await MediaSwarm.up({ cluster, name, system: "media", config: { copies: 3 } }, config, closing);
  process.stdout.write(`media: up: ${String(Math.round((Date.now() - began) / 1000))} s\n`);
  copies = new Copies(cluster, name);
  const { endpoints, passwords } = media.outputs;
  const { host = "", port = 0, user: key = "" } = endpoints.objects ?? {};
  ledger = new Ledger(
    {
      redis: { kind: "redis", host: endpoints.redis?.host ?? "", password: passwords.redis ?? "" },
      objects: { kind: "objects", host, port, key, secret: passwords.objects ?? "", region: "us-east-1" },
    },
    { pause: 0.25 },
  );
  asset = await media.create("read by every load");
}, 1_800_000);

afterAll(async () => {
  await Ledger.sweep();
  for (const close of closing.reverse()) await close();
}, 300_000);

test("each store's three servers are on three nodes, what there are two of is on two; the preview is empty", async () => {
  await copies.whole(stores);
  const tasks = await tasksOf(cluster.manager(), name);
  for (const store of threes) {
    const nodes = [1, 2, 3].map((number) => tasks[`${store}-${String(number)}`]?.[0]).sort();
    expect([store, nodes]).toEqual([store, ["running m1", "running m2", "running m3"]]);
  }
  for (const part of ["redis-proxy", "assets"]) expect([part, new Set(tasks[part]).size]).toEqual([part, 2]);
  expect(tasks.edge).toEqual(["running m1", "running m2", "running m3"]);
  succeeded(await media.stack.preview(["--expect-no-changes"]));
  process.stdout.write(`media: MiB with three copies: ${JSON.stringify(await memoryOf(cluster, name))}\n`);
}, 300_000);

test.each([
  { node: "m1", by: "m2" },
  { node: "m2", by: "m3" },
  { node: "m3", by: "m1" },
])(
  "$node without power: no acknowledged row, object or key is lost, and no request that is tried again",
  async ({ node, by }) => {
    const here = media.through(by);
    const led = await copies.leadsAt("redis", "redis");
    const slots = Object.entries(media.outputs.places.slots).flatMap(([slot, at]) => (at === node ? [slot] : []));
    const what = ["a server of each store", ...(led === node ? ["Redis' leader"] : []), "an edge; reads of a row"];
    const where = { engine: cluster.dockerOf(by), networks: [`${name}-data`, `${name}-app`], image };
    const writer = new Writer(here, `while${node}`);
    try {
      const cut = () =>
        powerCut({
          ...{ cluster, system, name, node, what: what.join(", ") },
          load: () => here.reads(asset, { perSecond: 5 }),
          beside: {
            "reads, tried again": () => here.reads(asset, { perSecond: 2, patience }),
            searches: () => here.load("/API/search/?q=read", { perSecond: 2 }),
            "searches, tried again": () => here.load("/API/search/?q=read", { perSecond: 2, patience }),
          },
          waits: slots,
          whole: async () => {
            await copies.whole(stores);
            await here.ringIs(1, 2, 3);
          },
          rowsLost: async () => (await here.gone(writer.written)).length,
        });
      let cost: Awaited<ReturnType<typeof cut>> | undefined;
      const rows = await ledger.during(where, `${node} without power`, async () => {
        cost = await cut();
      });
      const tally = await writer.stop();
      const missing = await here.gone(writer.written);
      const killed = `${node}: the same; writes at LOCAL_QUORUM with a message each`;
      tellLoad({ system, killed, tally, rows: missing.length });
      for (const row of held(rows, 60)) tellStore(system, node, row);
      expect([missing, cost?.rows]).toEqual([[], 0]);
      // In flight on that node at the very moment, and until the edge and the clients know: nothing else.
      expect(cost?.lost).toBeLessThanOrEqual(10);
      // Two a second, until the client of the search takes another node for the lost one.
      expect(cost?.beside.searches?.lost.length).toBeLessThanOrEqual(2 * 12);
      // Two a second: a queue whose leader was there takes messages again once its other copies have elected one.
      expect(tally.lost.length).toBeLessThanOrEqual(20);
      expect(writer.written.length).toBeGreaterThan(50);
      for (const [does, { lost }] of Object.entries(cost?.beside ?? {}))
        if (does.endsWith("tried again")) expect([does, lost]).toEqual([does, []]);
      // What was written is found, once the indexer has caught up.
      await eventually(
        120,
        () => here.ids(`/API/search/?q=${writer.title}`).catch((): string[] => []),
        (found) => writer.written.every((id) => found.includes(id)),
      );
    } finally {
      await writer.stop();
      await here.close();
    }
  },
  900_000,
);

test("after all of it every acknowledged row is there, and there is nothing to do", async () => {
  const where = { engine: cluster.dockerOf("m1"), networks: [`${name}-data`, `${name}-app`], image };
  expect(await ledger.lost(where)).toEqual({ redis: 0, objects: 0 });
  succeeded(await media.stack.preview(["--expect-no-changes"]));
}, 180_000);
