/**
 * Pyrus with three copies of each store on three managers: each node without power once, under requests that need no
 * store, requests that read PostgreSQL with and without a second try, and rows that are written meanwhile.
 */
import { rm } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { images as provide } from "../../tools/images/index.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { Copies } from "../support/copies.ts";
import { powerCut, tellLoad } from "../support/failure.ts";
import { memoryOf } from "../support/memory.ts";
import { configure, copied, replicas, Writer } from "../support/pyrus-ha.ts";
import { allKept, gone, kept, type Outputs, write } from "../support/pyrus-stores.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Load, type LoadOptions, onEachNode, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";

const name = "pyrus-copies";
const system = "pyrus, copies";
const closing: (() => Promise<unknown>)[] = [];
let cluster: Cluster;
let stack: TestStack;
let outputs: Outputs;
let copies: Copies;

const stores = { postgresql: "postgres", logs: "postgres", elasticsearch: "search", objects: "objects" } as const;
const threes = ["postgresql", "postgresql-etcd", "logs", "logs-etcd", "elasticsearch", "nats", "objects-garage"];
/** A client's own second tries go on for so long, in seconds: a failover takes less. */
const patience = 30;

beforeAll(async () => {
  await provide(() => undefined, ["garage"]); // an hour, once on a machine
  cluster = await Cluster.start({ name, network: "10.213.166", managers: 3, workers: 0 });
  closing.push(() => cluster.stop());
  await onEachNode(cluster, [
    "toolbox",
    "rehearsal",
    "postgres-cron",
    "postgres-ha",
    "haproxy",
    "nats",
    "elasticsearch7",
  ]);
  stack = await swarmStack(copied(cluster, name));
  closing.push(() => rm(stack.folder, { recursive: true })); // what the stack made goes with the swarm
  await configure(stack, copied(cluster, name));
  const began = Date.now();
  succeeded(await stack.up());
  process.stdout.write(`pyrus: up: ${String(Math.round((Date.now() - began) / 1000))} s\n`);
  outputs = { ...(await stack.outputs()), name } as unknown as Outputs;
  copies = new Copies(cluster, name);
}, 1_500_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 300_000);

test("each store's three servers are on three nodes, and what there are two of is on two; the preview is empty", async () => {
  await copies.whole(stores);
  const tasks = await tasksOf(cluster.manager(), name);
  const nodesOf = (service: string) => new Set(tasks[service]?.map((task) => task.replace("running ", "")));
  for (const store of threes) {
    const nodes = [1, 2, 3].map((number) => tasks[`${store}-${String(number)}`]?.[0]).sort();
    expect([store, nodes]).toEqual([store, ["running m1", "running m2", "running m3"]]);
  }
  for (const proxy of ["postgresql-proxy", "logs-proxy"]) expect([proxy, nodesOf(proxy).size]).toEqual([proxy, 2]);
  for (const [service, count] of Object.entries({ ...replicas, scheduler: 1, edge: 3 }))
    expect([service, nodesOf(service).size]).toEqual([service, count]);
  succeeded(await stack.preview(["--expect-no-changes"]));
  process.stdout.write(`pyrus: MiB with three copies: ${JSON.stringify(await memoryOf(cluster, name))}\n`);
}, 300_000);

test("a client of each store, by the stack's outputs", async () => {
  await write(cluster, "m2", outputs);
  expect(await kept(cluster, "m3", outputs)).toEqual(allKept);
}, 120_000);

test.each([
  { node: "m1", by: "m2" },
  { node: "m2", by: "m3" },
  { node: "m3", by: "m1" },
])(
  "$node without power: no acknowledged row is lost, and no request that is tried again",
  async ({ node, by }) => {
    const led = await Promise.all(["postgresql", "logs"].map((store) => copies.leadsAt("postgres", store)));
    const slots = Object.entries(outputs.places.slots).flatMap(([slot, at]) => (at === node ? [slot] : []));
    const what = ["a server of each store", ...(led[0] === node ? ["PostgreSQL's leader"] : [])];
    const load = (path: string, options: LoadOptions) =>
      new Load(cluster.address(by), outputs.ca, `${outputs.url}/rehearsal/${path}`, options);
    const mark = `while-${node}`;
    const writer = new Writer(cluster.address(by), outputs, mark);
    try {
      const cost = await powerCut({
        ...{ cluster, system, name, node, what: [...what, "applications, a balancer"].join(", "), waits: slots },
        load: () => load("who", { perSecond: 5 }),
        beside: {
          "reads of PostgreSQL": () => load("rows", { perSecond: 2 }),
          "reads of PostgreSQL, tried again": () => load("rows", { perSecond: 2, patience }),
        },
        // Every store reads without the node.
        whileOff: async () => {
          await eventually(
            90,
            () => kept(cluster, by, outputs).catch(() => undefined),
            (found) => JSON.stringify(found) === JSON.stringify(allKept),
          );
        },
        whole: () => copies.whole(stores),
        rowsLost: async () => gone(cluster, by, outputs, { mark, acknowledged: await writer.stop() }),
      });
      tellLoad({ system, killed: `${node}: the same; rows written one after another`, tally: writer.tally });
      expect(cost.rows).toBe(0);
      // What a replica on that very node was about to answer is nobody's to ask again.
      expect(cost.lost).toBeLessThanOrEqual(10);
      // Without a second try: what is asked while PostgreSQL has no leader, 10 to 15 s.
      expect(cost.beside["reads of PostgreSQL"]?.lost.length).toBeLessThanOrEqual(2 * 20);
      expect(writer.tally.lost.length).toBeLessThanOrEqual(4 * 20);
      expect(writer.acknowledged.length).toBeGreaterThan(50);
      expect(cost.beside["reads of PostgreSQL, tried again"]?.lost).toEqual([]);
    } finally {
      await writer.stop();
    }
  },
  900_000,
);

test("after all of it every store has all, and there is nothing to do", async () => {
  expect(await kept(cluster, "m1", outputs)).toEqual(allKept);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 180_000);
