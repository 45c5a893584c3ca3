/**
 * A media platform's region on a real swarm: three Cassandra with a RabbitMQ beside each, two replicas of the API, one
 * search node. Each machine of Cassandra's loses its power in turn, members come and go, services change under load.
 */
import { isDeepStrictEqual } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { powerCut, tell } from "../support/failure.ts";
import { smallMedia } from "../support/media.ts";
import { MediaSwarm, Writer } from "../support/media-swarm.ts";
import { accepts, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";
import { succeeded } from "../support/stack.ts";

const name = "media-swarm";
const members = [1, 2, 3];
const rabbits = members.map((n) => `rabbit-${String(n)}`);
const config = { ...smallMedia, nodes: 3, services: { assets: { path: "/", replicas: 2 }, indexer: {} } };
const assets = (over: object) => ({ ...config.services, assets: { path: "/", replicas: 2, ...over } });
const closing: (() => Promise<unknown>)[] = [];
let cluster: Cluster;
let media: MediaSwarm;
/** An asset that loads read. */
let asset: string;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "mediaswarm", network: "10.213.163", managers: 1, workers: 3 });
  closing.push(() => cluster.stop());
  for (const node of cluster.nodes) await label(node);
  const began = Date.now();
  media = await MediaSwarm.up({ cluster, name, system: "media", before: placed }, config, closing);
  took("up", began);
  asset = await media.create("read by every load");
}, 1_800_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 300_000);

/** Gives each Cassandra a machine of its own, `w1` to the first, and what has one copy the one whose edge is called. */
const placed = `pulumi.runtime.registerResourceTransform(({ type, props, opts }) => {
  if (type !== "platform-topologies:index:VolumeNode") return undefined;
  const constraints = pulumi.output(props.name).apply((name) => {
    const [, n] = /cassandra-(\\d)$/.exec(name) ?? [];
    return { labels: { machine: n === undefined ? "m1" : "w" + n } };
  });
  return { props: { ...props, constraints }, opts };
});`;

async function label(node: string): Promise<void> {
  const engine = cluster.manager();
  const { Version, Spec } = (await engine.getNode(node).inspect()) as { Version: { Index: number }; Spec: NodeSpec };
  Spec.Labels.machine = node;
  await engine.getNode(node).update({ version: Version.Index, ...Spec });
}
interface NodeSpec {
  readonly Labels: Record<string, string>;
}

function took(what: string, since: number): void {
  process.stdout.write(`media: ${what}: ${String(Math.round((Date.now() - since) / 100) / 10)} s\n`);
}

async function unchanged(): Promise<void> {
  succeeded(await media.stack.preview(["--expect-no-changes"]));
}

/** While reads and writes go on; every write that was answered is there at the end. */
async function underLoad<T>(title: string, work: () => Promise<T>) {
  const reads = media.reads(asset);
  const writer = new Writer(media, title);
  try {
    const began = Date.now();
    const result = await work();
    took(title, began);
    const [read, write] = [await reads.stop(), await writer.stop()];
    expect(await media.gone(writer.written)).toEqual([]);
    return { result, unread: read.lost, lost: [...read.lost, ...write.lost], sent: read.sent + write.sent };
  } finally {
    await reads.stop();
    await writer.stop();
  }
}

/** Tasks by service: those of a service that was not touched are the same. */
async function taskIds(of: RegExp): Promise<Record<string, string[]>> {
  const engine = cluster.manager();
  const services = (await engine.listServices()) as { ID: string; Spec: { Name: string } }[];
  const tasks = (await engine.listTasks({ filters: { "desired-state": ["running"] } })) as {
    ID: string;
    ServiceID: string;
  }[];
  return Object.fromEntries(
    services
      .filter(({ Spec }) => of.test(Spec.Name.slice(name.length + 1)))
      .map(({ ID, Spec }) => [Spec.Name, tasks.filter(({ ServiceID }) => ServiceID === ID).map((task) => task.ID)]),
  );
}

/** What the swarm says of a service's tasks that ended because their health check said so. */
async function unhealthy(service: string): Promise<string[]> {
  const filters = { service: [`${name}-${service}`] };
  const tasks = (await cluster.manager().listTasks({ filters })) as { Status: { Err?: string } }[];
  return tasks.flatMap(({ Status: { Err = "" } }) => (Err.includes("unhealthy") ? [Err] : []));
}

/** Names of the nodes that RabbitMQ's cluster has, with whether they run. */
async function rabbitNodes(): Promise<Record<string, boolean>> {
  const nodes = (await media.rabbit(rabbits, "GET", "nodes")) as { name: string; running: boolean }[];
  return Object.fromEntries(nodes.map((node) => [node.name.replace("rabbit@", ""), node.running]));
}

interface Queue {
  readonly messages_ready?: number;
  readonly members: string[];
  readonly online: string[];
}
const kept = "queues/%2F/kept";
/** The queue `kept` once its numbers, which are some seconds old, are no less. */
const keeps = (messages: number, at: readonly string[] = rabbits, copies = 3) =>
  eventually(
    90,
    async () => (await media.rabbit(at, "GET", kept)) as Queue,
    ({ messages_ready = 0, online }) => messages_ready >= messages && online.length === copies,
  );
async function publish(at: readonly string[] = rabbits): Promise<void> {
  const properties = { delivery_mode: 2 };
  const message = { properties, routing_key: "kept.one", payload: "x", payload_encoding: "string" };
  const answer = await media.rabbit(at, "POST", "exchanges/%2F/index/publish", message);
  expect(answer).toEqual({ routed: true });
}

test("each RabbitMQ is on the machine of the Cassandra of its number, each pair on another one", async () => {
  const tasks = await tasksOf(cluster.manager(), name);
  const nodes = members.map((n) => tasks[`cassandra-${String(n)}`]?.[0]);
  expect(nodes).toEqual(["running w1", "running w2", "running w3"]);
  expect(rabbits.map((rabbit) => tasks[rabbit]?.[0])).toEqual(nodes);
  expect(tasks.edge).toEqual(["running m1"]);
});

test("a second preview is empty", unchanged, 180_000);

test("an asset goes through every store", async () => {
  const id = await media.create("A walk in the snow");
  await eventually(
    120,
    () => media.ids("/API/search/?q=snow"),
    (found) => found.includes(id),
  );
}, 180_000);

test("no path from the edge's network to a store, and nothing published but the edge", async () => {
  // Each in its own words: a connection alone proves nothing, as some gateways accept all.
  const ask = {
    "cassandra-1": "timeout 20 env CQL_PASSWORD=no cql -h $at -u app -e x 2>&1 | grep -q AuthenticationFailed",
    "rabbit-1": "curl -s -m 5 -o /dev/null http://$at:15672/api/overview",
    "redis-1": "timeout 5 redis-cli -h $at ping 2>&1 | grep -q NOAUTH",
    "elasticsearch-1": "curl -s -m 5 -o /dev/null http://$at:9200/",
  };
  const stores = Object.keys(ask);
  const lookUp = `for s in ${stores.join(" ")}; do getent ahostsv4 $s | awk 'NR==1{print $1}'; done; true`;
  const found = (await media.inside(lookUp)).output.split("\n");
  expect(found).toHaveLength(4);
  const script = Object.entries(ask).map(([store, how], n) => `(at=${found[n] ?? ""}; ${how} && echo ${store}) &`);
  const from = async (network: string) =>
    (await media.inside(`${script.join("\n")}\nwait`, network)).output.split("\n").sort();
  expect(await from("data")).toEqual(stores.toSorted());
  expect(await from("edge")).toEqual([""]);
  expect((await media.inside(lookUp, "edge")).output).toBe("");
  for (const node of cluster.nodes) {
    const ports = [80, 443, 9042, 7199, 5672, 15672, 6379, 9200, 9000];
    const open = await Promise.all(
      ports.map(async (port) => ((await accepts(cluster.address(node), port)) ? [port] : [])),
    );
    expect([node, ...open.flat()]).toEqual([node, ...(node === "m1" ? [80, 443] : [])]);
  }
}, 180_000);

describe("each of Cassandra's machines loses its power, under reads and writes", () => {
  let messages = 0;
  beforeAll(async () => {
    const queue = { durable: true, arguments: { "x-queue-type": "quorum" } };
    await media.rabbit(rabbits, "PUT", kept, queue);
    await media.rabbit(rabbits, "POST", "bindings/%2F/e/index/q/kept", { routing_key: "kept.#" });
    for (; messages < 5; messages++) await publish();
    expect((await keeps(messages)).members).toHaveLength(3);
  }, 120_000);

  test.each(members)(
    "number %d: no row, no index entry, no message is lost",
    async (n) => {
      const node = `w${String(n)}`;
      const others = rabbits.filter((rabbit) => rabbit !== `rabbit-${String(n)}`);
      const writer = new Writer(media, `while${node}`);
      const whileOff = async (): Promise<void> => {
        const seen = async () => (await media.rabbit(others, "GET", kept).catch(() => ({ online: [] }))) as Queue;
        await eventually(120, seen, ({ online }) => online.length === 2);
        await eventually(
          60,
          () =>
            publish(others).then(
              () => true,
              () => false,
            ),
          Boolean,
        );
        messages++;
      };
      const lost = await powerCut({
        ...{ cluster, system: "media", name, node },
        what: `Cassandra ${String(n)}, RabbitMQ ${String(n)}; reads of a row`,
        load: () => media.reads(asset),
        whileOff,
        waits: [`cassandra-${String(n)}`, `rabbit-${String(n)}`],
        rowsLost: async () => (await media.gone(writer.written)).length,
      }).finally(() => writer.stop());
      const writes = await writer.stop();
      tell({
        ...{ system: "media", killed: `${node}: the same; writes at LOCAL_QUORUM with a message each` },
        ...{ sent: writes.sent, lost: writes.lost.length, slowest: writes.slowest },
        rows: (await media.gone(writer.written)).length,
      });
      if (writes.lost.length > 0) process.stdout.write(`writes: ${writes.lost.slice(0, 10).join("; ")}\n`);
      expect(lost.rows).toBe(0);
      expect(await media.gone(writer.written)).toEqual([]);
      // All messages are there, and three copies of them again.
      await keeps(messages);
      // What was written is found, once the indexer has caught up.
      await eventually(
        120,
        () => media.ids(`/API/search/?q=${writer.title}`),
        (found) => writer.written.every((id) => found.includes(id)),
      );
      // In flight on that node at the very moment, and until the edge and the clients know: nothing else.
      expect(lost.lost).toBeLessThanOrEqual(10);
      // Two a second: a queue whose leader was there takes messages again once its other copies have elected one.
      expect(writes.lost.length).toBeLessThanOrEqual(20);
      // Its address has changed: no member is missing in another's ring.
      await media.ringIs(...members);
      await unchanged();
    },
    900_000,
  );
});

test("the only manager loses its power: stores go on, and what it ran comes back with its data", async () => {
  const ids = await media.ids("/API/assets/");
  const lost = await powerCut({
    ...{ cluster, system: "media", name, node: "m1" },
    what: "the only manager, the edge, search, objects, Redis; reads of a row",
    load: () => media.reads(asset),
    whileOff: () => media.ringIs(...members),
    waits: Object.keys(await tasksOf(cluster.manager(), name)),
    rowsLost: async () => (await media.gone(ids)).length,
  });
  expect(lost.rows).toBe(0);
  // What was in the index is there, and what is new goes through every store again.
  await eventually(
    120,
    () => media.ids("/API/search/?q=read").catch((): string[] => []),
    (found) => found.includes(asset),
  );
  const id = await media.create("Back from the dark");
  await eventually(
    120,
    () => media.ids("/API/search/?q=dark"),
    (found) => found.includes(id),
  );
  await unchanged();
}, 900_000);

describe("changes of the API, under load", () => {
  test("a rolling update, another number of replicas and back: no request is lost", async () => {
    for (const [title, over] of [
      ["rolled", { memoryMib: 768 }],
      ["three", { replicas: 3 }],
      ["two", {}],
    ] as const) {
      const stores = await taskIds(/-\d+$/);
      const { result, lost } = await underLoad(title, () => media.change({ ...config, services: assets(over) }));
      succeeded(result);
      expect([title, lost]).toEqual([title, []]);
      expect(await taskIds(/-\d+$/)).toEqual(stores);
    }
    await unchanged();
  }, 900_000);

  test("another password of Cassandra's: no request is lost, and the old one is refused", async () => {
    const old = media.outputs.passwords.cassandra ?? "";
    const { result, lost } = await underLoad("rotated", () => media.change(config, { cassandra: "2026-03-01" }));
    succeeded(result);
    expect(lost).toEqual([]);
    const login = `CQL_PASSWORD='${old}' cql -h cassandra-1 -u app -e "SELECT JSON id FROM media.assets LIMIT 1"`;
    expect((await media.inside(login)).output).toContain("AuthenticationFailed");
    await media.refresh();
    expect(await media.cql("cassandra-1", "LOCAL_QUORUM", "SELECT JSON id FROM media.assets LIMIT 1")).toMatchObject({
      status: 0,
    });
    await unchanged();
  }, 600_000);

  test("another password of RabbitMQ's: node after node has it, none is killed, the old one is refused, no message is lost", async () => {
    const { messages_ready: messages = 0 } = (await media.rabbit(rabbits, "GET", kept)) as Queue;
    const old = media.outputs.passwords.rabbit ?? "";
    const { result, lost, unread, sent } = await underLoad("requeued", () =>
      media.change(config, { rabbit: "2026-03-01" }),
    );
    succeeded(result);
    expect(unread).toEqual([]);
    process.stdout.write(
      `media: another password of RabbitMQ's: ${String(lost.length)} of ${String(sent)} requests failed: ${lost.slice(0, 3).join("; ")}\n`,
    );
    // A task that its health check has ended is no change's.
    for (const rabbit of rabbits) expect([rabbit, await unhealthy(rabbit)]).toEqual([rabbit, []]);
    for (const rabbit of rabbits) {
      const asked = `curl -s -o /dev/null -w '%{http_code}' -u 'app:${old}' http://${rabbit}:15672/api/whoami`;
      expect([rabbit, (await media.inside(asked)).output]).toEqual([rabbit, "401"]);
    }
    await media.refresh();
    expect((await keeps(messages)).members).toHaveLength(3);
    const id = await media.create("goes by the queue");
    await eventually(
      120,
      () => media.ids("/API/search/?q=queue"),
      (found) => found.includes(id),
    );
    await unchanged();
  }, 600_000);
});

describe("members come and go", () => {
  test("RabbitMQ from three to one and back: who leaves is forgotten, who joins has copies, no message is lost", async () => {
    const { messages_ready: messages = 0 } = (await media.rabbit(rabbits, "GET", kept)) as Queue;
    const cassandra = await taskIds(/^cassandra/);
    const one = await media.change({ ...config, rabbitNodes: 1 });
    succeeded(one);
    await eventually(60, rabbitNodes, (nodes) => isDeepStrictEqual(nodes, { "rabbit-1": true }));
    expect((await keeps(messages, ["rabbit-1"], 1)).members).toEqual(["rabbit@rabbit-1"]);
    succeeded(await media.change(config));
    const all = Object.fromEntries(rabbits.map((rabbit) => [rabbit, true]));
    await eventually(60, rabbitNodes, (nodes) => isDeepStrictEqual(nodes, all));
    expect((await keeps(messages)).members).toHaveLength(3);
    expect(await taskIds(/^cassandra/)).toEqual(cassandra);
    await unchanged();
  }, 600_000);

  test("a fourth Cassandra goes to a fifth machine, and takes rows over; nothing else is touched", async () => {
    const before = await taskIds(/./);
    const node = await cluster.addWorker();
    await label(node);
    const { result, lost } = await underLoad("fourth", () => media.change({ ...config, nodes: 4 }));
    succeeded(result);
    expect(lost).toEqual([]);
    const after = await taskIds(/./);
    expect(Object.fromEntries(Object.entries(after).filter(([service]) => service in before))).toEqual(before);
    expect((await tasksOf(cluster.manager(), name))["cassandra-4"]).toEqual([`running ${node}`]);
    await media.ringIs(...members, 4);
    const stats = await media.exec(
      "cassandra-4",
      `nodetool -h cassandra-4 -u admin -pwf /tmp/jmx tablestats media.assets`,
    );
    expect(Number(/Number of partitions \(estimate\): (\d+)/.exec(stats)?.[1])).toBeGreaterThan(0);
    await unchanged();
  }, 900_000);

  test("it goes again: its rows first, then itself", async () => {
    const before = await taskIds(/./);
    const { result, lost } = await underLoad("three-again", () => media.change(config));
    succeeded(result);
    expect(lost).toEqual([]);
    const { [`${name}-cassandra-4`]: went, ...stayed } = before;
    expect(went).toHaveLength(1);
    expect(await taskIds(/./)).toEqual(stayed);
    await media.ringIs(...members);
    // Every copy of every row is there: ALL asks all three.
    const all = await media.cql("cassandra-1", "ALL", "SELECT JSON id FROM media.assets");
    expect(all.status).toBe(0);
    expect(all.output.split("\n").length).toBe((await media.ids("/API/assets/")).length);
    await unchanged();
  }, 900_000);

  test("fewer than there are copies is refused, and nothing has changed", async () => {
    const before = await taskIds(/./);
    const two = await media.change({ ...config, nodes: 2 });
    expect(two.code).not.toBe(0);
    expect(two.output).toContain("media.nodes = 2: 1 for a pilot, or 3 and more: of two neither may fail");
    const one = await media.change({ ...config, nodes: 1, rabbitNodes: 1 });
    expect(one.code).not.toBe(0);
    expect(one.output).toContain("nodes = 1: too few for the copies of");
    expect(await taskIds(/./)).toEqual(before);
    // The services' file had been made anew already: they roll once. No store does.
    const stores = await taskIds(/-\d+$/);
    succeeded(await media.change(config));
    expect(await taskIds(/-\d+$/)).toEqual(stores);
    await unchanged();
  }, 600_000);
});
