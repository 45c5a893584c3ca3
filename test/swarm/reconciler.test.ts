/**
 * The reconciler on a real swarm, with real servers: a RabbitMQ whose disk is lost gets a new one, and a Cassandra whose node
 * is lost is replaced under a new number, by itself. No row and no message is lost.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { SwarmRetirements } from "../../components/topologies/swarm/retirements.ts";
import { type Reconciler, reconciler } from "../../reconciler/index.ts";
import { type Policy, usual } from "../../reconciler/judgement.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { tell } from "../support/failure.ts";
import { smallMedia } from "../support/media.ts";
import { MediaSwarm } from "../support/media-swarm.ts";
import { succeeded } from "../support/stack.ts";
import { placeOf, pulled, pushed, swarmConfig, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";
import { untilWell } from "../support/until-well.ts";

const name = "reconciled";
const system = "media";
const config = { ...smallMedia, nodes: 3, services: { assets: { path: "/" } } };
const closing: (() => Promise<unknown>)[] = [];
const said: string[] = [];
let cluster: Cluster;
let media: MediaSwarm;
const assets: string[] = [];

/** The second Cassandra is on the worker, with its RabbitMQ; all else that keeps data is on managers. */
const placed = `pulumi.runtime.registerResourceTransform(({ type, props, opts }) => {
  if (type !== "platform-topologies:index:VolumeNode") return undefined;
  const constraints = pulumi.output(props.name).apply((name) => ({ role: name.endsWith("cassandra-2") ? "worker" : "manager" }));
  return { props: { ...props, constraints }, opts };
});`;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "reconciled", network: "10.213.173", managers: 3, workers: 1 });
  closing.push(() => cluster.stop());
  // A busy machine pulls for minutes, which no job waits for.
  const images = await pushed(cluster);
  const both = ["toolbox", "rehearsal", "rabbitmq", "cassandra"];
  for (const node of cluster.nodes)
    for (const key of node === "w1" ? both : [...both, "elasticsearch", "redis", "minio", "traefik"])
      await pulled(cluster.dockerOf(node), images[key] ?? key);
  const began = Date.now();
  media = await MediaSwarm.up({ cluster, name, system, before: placed }, config, closing);
  took("up", began);
  for (let n = 1; n <= 30; n++) assets.push(await media.create(`asset ${String(n)}`));
  await media.rabbit(["rabbit-1"], "PUT", kept, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await media.rabbit(["rabbit-1"], "POST", "bindings/%2F/e/index/q/kept", { routing_key: "kept.#" });
  for (let n = 1; n <= messages; n++) await publish();
  await keeps("rabbit-1", "rabbit-2", "rabbit-3");
}, 3_600_000);
afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 300_000);

const messages = 20;
const kept = "queues/%2F/kept";
async function publish(): Promise<void> {
  const message = {
    properties: { delivery_mode: 2 },
    routing_key: "kept.one",
    payload: "x",
    payload_encoding: "string",
  };
  expect(await media.rabbit(["rabbit-1"], "POST", "exchanges/%2F/index/publish", message)).toEqual({ routed: true });
}

/** Waits until all messages are in the queue, with a copy on each of these nodes. */
function keeps(...nodes: string[]) {
  return eventually(
    180,
    async () =>
      (await media.rabbit(["rabbit-1", "rabbit-3"], "GET", kept).catch(() => ({ online: [] }))) as {
        readonly messages_ready?: number;
        readonly online: string[];
      },
    ({ messages_ready = 0, online }) =>
      messages_ready === messages && online.toSorted().join() === nodes.map((node) => `rabbit@${node}`).join(),
  );
}

/** The assets that Cassandra has not on every node that should have them. */
async function gone(member: string): Promise<string[]> {
  const { status, output } = await media.cql(member, "ALL", "SELECT JSON id FROM media.assets");
  if (status !== 0) throw new Error(output);
  return assets.filter((id) => !output.includes(id));
}

/** Each of these members sees all of them up, and nobody else. */
async function ringIs(...numbers: number[]): Promise<void> {
  const hosts = numbers.map((n) => `cassandra-${String(n)}`);
  for (const host of hosts)
    await eventually(
      300,
      () => media.exec(host, `nodetool -h ${host} -u admin -pwf /tmp/jmx status`).catch(String),
      (status) => status.match(/^[UD][NLJM] /gm)?.join("") === "UN ".repeat(hosts.length),
    );
}

/** Seconds. */
function took(what: string, since: number): number {
  const seconds = Math.round((Date.now() - since) / 100) / 10;
  process.stdout.write(`reconciler: ${what}: ${String(seconds)} s\n`);
  return seconds;
}

/** At once after the last replacement. */
function watch(policy: Partial<Policy> = {}): Promise<Reconciler> {
  return reconciler({
    config: async () => {
      const full = await swarmConfig({ cluster, name, system, config: { media: config } });
      return Object.fromEntries(
        Object.entries(full).map(([key, value]) => [key.replace("platform-topologies:", ""), value]),
      );
    },
    stack: "test",
    pulumi: (args) => media.stack.run(args),
    say: (line) => {
      said.push(line);
      process.stdout.write(`reconciler: ${line}\n`);
    },
    policy: { ...usual, ...policy },
    limits: { everySeconds: 0 },
  });
}

const history = async () => (await new SwarmRetirements([cluster.host("m1")], name).latest()).retirements;

test("a stack that is well: nobody is asked, nothing is done", async () => {
  const watcher = await watch();
  expect(await watcher.once()).toBe(true);
  expect(said).toEqual([]);
  expect(await history()).toEqual({ retired: {}, history: [] });
}, 60_000);

test("RabbitMQ's disk is lost: the same node on a new disk is given its copies", async () => {
  const watcher = await watch();
  const began = Date.now();
  const { container } = await placeOf(cluster, name, "rabbit-3");
  const { Mounts } = (await container.inspect()) as unknown as { Mounts: { Destination: string; Source: string }[] };
  const disk = Mounts.find(({ Destination }) => Destination === "/var/lib/rabbitmq")?.Source ?? "";
  for (const file of readdirSync(disk)) rmSync(join(disk, file), { recursive: true });
  await container.kill();
  await eventually(
    60,
    () => tasksOf(cluster.manager(), name),
    ({ "rabbit-3": tasks = [] }) => !tasks.some((task) => task.startsWith("running")),
  );
  await untilWell(watcher, 600);
  expect(said.join("\n")).toMatch(/rabbit-3: to have a new disk, because its process has ended \d+ times/);
  const elsewhere = took("a lost disk of RabbitMQ is replaced", began);
  await keeps("rabbit-1", "rabbit-2", "rabbit-3");
  const back = took("and has its copies", began);
  tell({
    system,
    killed: "rabbit-3's disk: it has a new one",
    elsewhere,
    back,
    rows: (await gone("cassandra-1")).length,
  });
  expect(await history()).toMatchObject({
    retired: {},
    history: [{ member: "rabbit-3", disk: true, outcome: "done" }],
  });
  succeeded(await media.stack.preview(["--expect-no-changes"]));
}, 1_200_000);

test("Cassandra's node is lost: struck off, another number takes its place, every row is on three", async () => {
  const watcher = await watch({ graceSeconds: 30 });
  const before = said.length;
  const began = Date.now();
  await cluster.kill("w1");
  await eventually(
    120,
    () => tasksOf(cluster.manager(), name),
    ({ "cassandra-2": tasks = [] }) => tasks.every((task) => task.startsWith("pending")),
  );
  await untilWell(watcher, 1500);
  const lines = said.slice(before).join("\n");
  expect(lines).toContain("cassandra-2: retired, because its node has been away for");
  expect(lines).toContain("it goes with cassandra-2, whose machine it shares");
  const elsewhere = took("a lost node's Cassandra is replaced", began);
  await ringIs(1, 3, 4);
  await keeps("rabbit-1", "rabbit-3", "rabbit-4");
  const rows = (await gone("cassandra-4")).length;
  const back = took("and all copies are there", began);
  tell({ system, killed: "w1 for good: another Cassandra and RabbitMQ take over", elsewhere, back, rows });
  expect(rows).toBe(0);
  const tasks = Object.keys(await tasksOf(cluster.manager(), name));
  expect(tasks.filter((slot) => /^(cassandra|rabbit)-/.test(slot)).sort()).toEqual(
    [1, 3, 4].flatMap((n) => [`cassandra-${String(n)}`, `rabbit-${String(n)}`]).sort(),
  );
  const nodes = (await media.rabbit(["rabbit-1"], "GET", "nodes")) as { name: string; running: boolean }[];
  expect(nodes.map((node) => [node.name, node.running]).sort()).toEqual(
    [1, 3, 4].map((n) => [`rabbit@rabbit-${String(n)}`, true]),
  );
  expect(await history()).toMatchObject({
    retired: { cassandra: [2] },
    history: [{ member: "rabbit-3" }, { member: "cassandra-2", outcome: "done" }],
  });
  // The config says nothing of it, and every up knows.
  succeeded(await media.stack.preview(["--expect-no-changes"]));
  await cluster.start("w1");
  assets.push(await media.create("after"));
  expect(await gone("cassandra-3")).toEqual([]);
}, 2_400_000);
