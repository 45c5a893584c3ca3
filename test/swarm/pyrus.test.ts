/**
 * Pyrus, highly available, on a real swarm: two balancers, the vendor's replica counts, a machine of their own for the
 * stores that are one each. Used, rolled, scaled, and each node without power once.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import WebSocket from "ws";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { powerCut } from "../support/failure.ts";
import { memoryOf } from "../support/memory.ts";
import { configure, containerOf, Count, ha, labels, name, replicas, Writer } from "../support/pyrus-ha.ts";
import { allKept, column, gone, hashOf, kept, type Outputs, write } from "../support/pyrus-stores.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { accepts, Client, Load, onNetwork, said, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";
import { upload } from "../support/upload.ts";

const closing: (() => unknown)[] = [];
let cluster: Cluster;
let stack: TestStack;
let outputs: Outputs;
/** Of each balancer. */
let clients: [Client, Client];
let scheduler: Count;

const applications = { ...replicas, scheduler: 1 };
const single = ["postgresql-1", "logs-1", "elasticsearch-1", "objects-1"];
const stores = [...single, "nats-1", "nats-2", "nats-3"];
const allRun = () =>
  eventually(
    120,
    () => tasksOf(cluster.manager(), name),
    (now) =>
      Object.values(now)
        .flat()
        .every((task) => task.startsWith("running ")),
  );
const took = (what: string, since: number) =>
  process.stdout.write(`pyrus: ${what}: ${String(Math.round((Date.now() - since) / 100) / 10)} s\n`);

beforeAll(async () => {
  const began = Date.now();
  cluster = await Cluster.start({ name, network: "10.213.162", managers: 3, workers: 1 });
  closing.push(() => cluster.stop());
  stack = await swarmStack(ha(cluster));
  closing.push(() => stack.dispose());
  await configure(stack, ha(cluster));
  succeeded(await stack.up());
  took("up", began);
  outputs = { ...(await stack.outputs()), name } as unknown as Outputs;
  const client = (node: string) => new Client(cluster.address(node), outputs.ca);
  clients = [client("m1"), client("m2")];
  closing.push(() => Promise.all(clients.map((client) => client.close())));
  scheduler = new Count(cluster, "scheduler");
  closing.push(() => scheduler.stop());
}, 1_200_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 300_000);

test("as many as were asked for, each where its labels say, and two balancers", async () => {
  const tasks = await allRun();
  const counts = Object.fromEntries(Object.entries(tasks).map(([service, all]) => [service, all.length]));
  expect(counts).toEqual({ ...applications, ...Object.fromEntries(stores.map((store) => [store, 1])), edge: 2 });
  expect(tasks.edge).toEqual(["running m1", "running m2"]);
  expect(new Set(tasks["preview-generator"])).toEqual(new Set(["running m3"]));
  for (const [service, all] of Object.entries(tasks))
    for (const task of all) {
      const [state, node = ""] = task.split(" ");
      const only = single.includes(service) ? "stores" : "apps";
      expect([service, state, labels[node]?.[only]]).toEqual([service, "running", "yes"]);
    }
  expect(new Set([1, 2, 3].map((number) => tasks[`nats-${String(number)}`]?.[0])).size).toBe(3);
  succeeded(await stack.preview(["--expect-no-changes"]));
  process.stdout.write(`pyrus: MiB with one copy of each store: ${JSON.stringify(await memoryOf(cluster, name))}\n`);
}, 180_000);

test("a client of each store, by the stack's outputs", async () => {
  await write(cluster, "m2", outputs);
  expect(await kept(cluster, "m3", outputs)).toEqual(allKept);
}, 120_000);

test("nothing is published but the edge, and no way leads from the edge to data", async () => {
  const services = (await cluster.manager().listServices()) as {
    Spec: { Name: string };
    Endpoint: { Ports?: object };
  }[];
  expect(services.filter(({ Endpoint }) => Endpoint.Ports).map(({ Spec }) => Spec.Name)).toEqual([`${name}-edge`]);
  expect(await accepts(cluster.address("m3"), 443)).toBe(false);
  const database = await (await containerOf(cluster, "w1", "postgresql-1")).inspect();
  const address = database.NetworkSettings.Networks[`${name}-data`]?.IPAddress ?? "";
  const psql = (host: string) =>
    `PGPASSWORD='${outputs.passwords.postgresql ?? ""}' psql -At -h ${host} -U pyrusadm pyrusdb -c 'select 7' 2>&1`;
  const ask = async (network: string) => {
    const script = `export PGCONNECT_TIMEOUT=4\n${psql("pyrus-postgresql")}\n${psql(address)}`;
    const engine = cluster.dockerOf("m1");
    return (await onNetwork(engine, outputs.images.toolbox ?? "", `${name}-${network}`, script)).output;
  };
  expect((await ask("data")).trim().split(/\s+/)).toEqual(["7", "7"]);
  const outside = await ask("edge");
  expect(outside).toMatch(/could not translate host name "pyrus-postgresql"[^]*connection to server at/);
}, 60_000);

/** A visitor's cookie, and the replica that it leads to by either balancer. */
async function session(): Promise<{ cookie: string; replica: string }> {
  const { headers, body } = await who(0);
  return { cookie: String(headers["set-cookie"]).split(";")[0] ?? "", replica: replicaOf(body) };
}
const who = (balancer: 0 | 1, headers = {}) => clients[balancer].call(`${outputs.url}/rehearsal/who`, { headers });
const replicaOf = (body: string) => (JSON.parse(body) as { host: string }).host;

/** Of these sessions, those whose replica lives and that are led elsewhere. */
async function strayed(sessions: readonly { cookie: string; replica: string }[]): Promise<number> {
  const alive = new Set<string>();
  for (let asked = 0; asked < 40; asked++) alive.add(replicaOf((await who(0)).body));
  let count = 0;
  for (const { cookie, replica } of sessions)
    for (const balancer of [0, 1] as const)
      if (alive.has(replica) && replicaOf((await who(balancer, { cookie })).body) !== replica) count++;
  return count;
}

test("scaling up and down under load: no request lost, sessions stay, a quiet websocket stays open", async () => {
  await allRun();
  const sessions = [];
  for (let number = 0; number < 20; number++) sessions.push(await session());
  expect(new Set(sessions.map(({ replica }) => replica)).size).toBe(2);
  const heard: string[] = [];
  const socket = new WebSocket(`${outputs.url.replace("https", "wss")}/bind`, {
    ca: outputs.ca,
    lookup: (_, __, done) => {
      done(null, [{ address: cluster.address("m2"), family: 4 }]);
    },
  });
  socket.on("message", (data: Buffer) => heard.push(data.toString()));
  socket.on("close", () => heard.push("closed"));
  await eventually(
    10,
    () => Promise.resolve(heard.length),
    (count) => count === 1,
  );
  const began = Date.now();

  await underLoad("scaled up", {}, { "web-api": 3, files: 3 });
  expect((await tasksOf(cluster.manager(), name))["web-api"]).toHaveLength(3);
  expect(await strayed(sessions)).toBe(0);
  await underLoad("scaled down", {});
  expect((await tasksOf(cluster.manager(), name))["web-api"]).toHaveLength(2);
  expect(await strayed(sessions)).toBe(0);

  await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + 65_000 - Date.now())));
  expect(heard).toHaveLength(1);
  socket.send("still there");
  await eventually(
    10,
    () => Promise.resolve(heard.at(-1)),
    (last) => last === "echo still there",
  );
  socket.close();
}, 600_000);

test("a release and a rotated licence roll every application, and lose no request", async () => {
  const before = await allRun();
  await underLoad("another release", { version: "1.22.2" }, {}, "licence-of-the-test-rotated");
  expect(JSON.parse((await who(0)).body)).toMatchObject({ version: "1.22.2" });
  const licence = "select value from rehearsal_parameters where id = '100000'";
  expect(await column(cluster, "m2", outputs, licence)).toEqual(["licence-of-the-test-rotated"]);
  const after = await tasksOf(cluster.manager(), name);
  expect(Object.keys(after)).toEqual(Object.keys(before));
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 600_000);

/** An `up` with other settings while both balancers are called. */
async function underLoad(
  what: string,
  pyrus: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, number>> = {},
  licence?: string,
): Promise<void> {
  await configure(stack, ha(cluster, pyrus, more), licence);
  const began = Date.now();
  const loads = ["m1", "m2"].map((node) => load(node, 10));
  const outcome = await stack.up();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const tallies = await Promise.all(loads.map((each) => each.stop()));
  took(`${what}: ${JSON.stringify(tallies.map(({ sent, slowest }) => ({ sent, slowest })))}`, began);
  succeeded(outcome);
  expect(tallies.flatMap(({ lost }) => lost)).toEqual([]);
}

function load(node: string, perSecond = 20): Load {
  return new Load(cluster.address(node), outputs.ca, `${outputs.url}/rehearsal/who`, { perSecond });
}

test.each([
  { node: "m3", by: "m1", what: "applications, the preview generator, a NATS" },
  { node: "m2", by: "m1", what: "applications, a balancer, a NATS" },
  { node: "m1", by: "m2", what: "applications, a balancer, the managers' leader, a NATS" },
])(
  "$node without power: requests are answered, what is missing moves or waits, all data are there",
  async ({ node, by, what }) => {
    const waits = Object.entries(outputs.places.slots).flatMap(([slot, at]) => (at === node ? [slot] : []));
    if (node === "m3") waits.push("preview-generator");
    const { lost = 0 } = await cut(node, by, what, waits);
    // What a replica on that very node was about to answer is nobody's to ask again.
    expect(lost).toBeLessThanOrEqual(10);
  },
  600_000,
);

test("w1, with the stores that are one each, without power: all data are there when it is back", async () => {
  // No application is ready without its database, wherever it runs.
  await cut("w1", "m1", "both databases, search and objects", [...Object.keys(applications), ...stores]);
}, 600_000);

async function cut(node: string, by: string, what: string, waits: string[]) {
  const writer = new Writer(cluster.address(by), outputs, `while-${node}`);
  try {
    const failure = await powerCut({
      ...{ cluster, system: "pyrus", name, node, what, waits },
      load: () => load(by),
      // Long enough for the swarm to see that it is gone, and to try elsewhere what cannot be.
      whileOff: () => new Promise((resolve) => setTimeout(resolve, node === "w1" ? 30_000 : 5000)),
      rowsLost: async () => {
        const acknowledged = await writer.stop();
        return gone(cluster, by, outputs, { mark: `while-${node}`, acknowledged });
      },
    });
    expect(writer.acknowledged.length).toBeGreaterThan(20);
    expect(failure.rows).toBe(0);
    return failure;
  } finally {
    await writer.stop();
  }
}

test("2 GiB through a balancer arrive whole, in little of its memory and none of its disk", async () => {
  await allRun();
  const edge = await containerOf(cluster, "m1", "edge");
  const used = { memory: 0, disk: 0, over: false };
  const watch = (async () => {
    while (!used.over) {
      const { memory_stats: memory } = await edge.stats({ stream: false });
      const { inactive_file: cache = 0 } = memory.stats as { inactive_file?: number };
      used.memory = Math.max(used.memory, (memory.usage - cache) / 1024 / 1024);
      used.disk = Math.max(used.disk, Number(await said(edge, "du -sk /tmp/nginx 2>/dev/null | cut -f1")));
    }
  })();
  const began = Date.now();
  const address = `${outputs.url}/api/v4/files/upload?name=big`;
  const uploading = upload(cluster.address("m1"), outputs.ca, address, 2048);
  const { status, body, sent } = await uploading.finally(async () => {
    used.over = true;
    await watch;
    took(`2 GiB, with the edge at ${used.memory.toFixed(0)} MiB of memory, ${String(used.disk)} KiB of disk`, began);
  });
  expect([status, body]).toEqual([201, expect.stringContaining(`"bytes":${String(2 ** 31)}`)]);
  expect(await hashOf(cluster, "m2", outputs, "rehearsal-files/big")).toBe(sent);
  expect(used.memory).toBeLessThan(64);
  expect(used.disk).toBeLessThan(1024);
  await expect(upload(cluster.address("m1"), outputs.ca, address, 2049)).resolves.toMatchObject({ status: 413 });
}, 600_000);

test("the scheduler was never there twice, and moved; the preview is still empty", async () => {
  await scheduler.stop();
  process.stdout.write(`pyrus: the scheduler: ${JSON.stringify({ seen: scheduler.seen, nodes: scheduler.nodes })}\n`);
  expect(scheduler.seen.length).toBe(2); // none for a while, else one
  expect(scheduler.nodes.length).toBeGreaterThan(1);
  // In its own words: when the next one has begun, the one before is not heard of again.
  const ticks = await column(cluster, "m1", outputs, "select host from rehearsal_ticks order by id");
  const turns = ticks.filter((host, at) => host !== ticks[at - 1]);
  expect(new Set(turns).size).toBe(turns.length);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);
