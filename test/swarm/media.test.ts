/**
 * A media platform's region on a real swarm: three Cassandra with a RabbitMQ beside each, two replicas of the API, one
 * search node. A machine of Cassandra's is lost and comes back.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { smallMedia } from "../support/media.ts";
import { Client, onNetwork, pushed, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import type { TestStack } from "../support/stack.ts";
import { eventually } from "../support/swarm.ts";

const name = "media-swarm";
const closing: (() => Promise<unknown>)[] = [];
let cluster: Cluster;
let stack: TestStack;
let client: Client;
let outputs: { url: string; ca: string; passwords: Record<string, string>; places: { slots: Record<string, string> } };

beforeAll(async () => {
  cluster = await Cluster.start({ name: "mediaswarm", managers: 1, workers: 3 });
  closing.push(() => cluster.stop());
  const media = {
    ...smallMedia,
    nodes: 3,
    services: { assets: { path: "/", replicas: 2 }, indexer: {} },
  };
  stack = await swarmStack({ cluster, name, system: "media", config: { media } });
  closing.push(() => stack.dispose());
  const { code, output } = await stack.up();
  if (code !== 0) throw new Error(output);
  outputs = (await stack.outputs()) as typeof outputs;
  client = new Client(cluster.address("m1"), outputs.ca);
  closing.push(() => client.close());
}, 1_800_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 300_000);

async function create(title: string): Promise<string> {
  const sent = { method: "POST", body: JSON.stringify({ title }) };
  const { status, body } = await client.call(`${outputs.url}/API/assets/`, sent);
  if (status !== 201) throw new Error(`${String(status)} ${body}`);
  return (JSON.parse(body) as { id: string }).id;
}

async function ids(path: string): Promise<string[]> {
  const { status, body } = await client.call(outputs.url + path);
  if (status !== 200) throw new Error(`${String(status)} ${body}`);
  return (JSON.parse(body) as { ids: string[] }).ids;
}

/** `nodetool status` of each member as cql sees it: its peers, by a client of the stack's own. */
async function peers(member: string): Promise<number> {
  const engine = cluster.manager();
  const { toolbox = "" } = await pushed(cluster);
  const script = `CQL_PASSWORD='${outputs.passwords.cassandra ?? ""}' cql -h ${member} -u app --consistency ONE -e 'SELECT peer FROM system.peers_v2' | wc -l`;
  const { output } = await onNetwork(engine, toolbox, `${name}-data`, script);
  return Number(output.trim().split("\n").at(-1));
}

test("each RabbitMQ is on the machine of the Cassandra of its number, each pair on another one", async () => {
  const tasks = await tasksOf(cluster.manager(), name);
  const nodes = [1, 2, 3].map((n) => tasks[`cassandra-${String(n)}`]?.[0]);
  expect(new Set(nodes).size).toBe(3);
  expect([1, 2, 3].map((n) => tasks[`rabbit-${String(n)}`]?.[0])).toEqual(nodes);
});

test("a second preview is empty", async () => {
  expect(await stack.preview(["--expect-no-changes"])).toMatchObject({ code: 0 });
}, 180_000);

test("an asset goes through every store", async () => {
  const id = await create("A walk in the snow");
  await eventually(
    120,
    () => ids("/API/search/?q=snow"),
    (found) => found.includes(id),
  );
}, 180_000);

test("a lost machine costs no row and no index entry; it comes back with its members and data", async () => {
  const written: string[] = [];
  for (let n = 0; n < 20; n++) written.push(await create(`before ${String(n)}`));
  const lost = cluster.nodes.find((node) => node === outputs.places.slots["cassandra-2"] && node !== "m1");
  if (lost === undefined) throw new Error("cassandra-2 is on the manager, whose edge this test calls");
  const began = Date.now();
  await cluster.kill(lost);
  while (written.length < 60) {
    const id = await create(`during ${String(written.length)}`).catch(() => undefined);
    if (id !== undefined) written.push(id);
    if (Date.now() - began > 300_000) throw new Error("no 40 writes within 300 s of the loss");
  }
  const answered = Date.now();
  await cluster.start(lost);
  await eventually(
    600,
    () => tasksOf(cluster.manager(), name),
    (tasks) => ["cassandra-2", "rabbit-2"].every((slot) => tasks[slot]?.[0] === `running ${lost}`),
  );
  const back = Date.now();
  const kept = await eventually(
    120,
    () => ids("/API/assets/"),
    (found) => written.every((id) => found.includes(id)),
  );
  const search = async () => [...(await ids("/API/search/?q=before")), ...(await ids("/API/search/?q=during"))];
  await eventually(180, search, (found) => written.every((id) => found.includes(id)));
  process.stdout.write(
    `media: a machine lost: 40 rows written within ${String(answered - began)} ms, back ${String(back - answered)} ms after power, ${String(written.length - written.filter((id) => kept.includes(id)).length)} rows lost\n`,
  );
  // Their addresses have changed: no member is missing in another's ring.
  for (const member of ["cassandra-1", "cassandra-2", "cassandra-3"])
    await eventually(
      300,
      () => peers(member).catch(() => 0),
      (count) => count === 2,
    );
  expect(await stack.preview(["--expect-no-changes"])).toMatchObject({ code: 0 });
}, 1_800_000);
