/** An ArangoDB cluster on a real swarm of two nodes: up, healthy, used through the edge. Failures are in test/swarm. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { Arango, type ArangoOutputs, small } from "../support/arangodb.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, onNetwork, pushed, swarmStack, tasksOf } from "../support/swarm-stack.ts";

const name = "arango";
let cluster: Cluster;
let stack: TestStack;
let outputs: ArangoOutputs;
let client: Client;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "arangotwo", network: "10.213.152", workers: 1 });
  stack = await swarmStack({ cluster, name, system: "arangodb", config: { arangodb: small } });
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as unknown as ArangoOutputs;
  client = new Client(cluster.address("m1"), outputs.ca);
}, 600_000);

afterAll(async () => {
  await client.close();
  await stack.dispose();
  await cluster.stop();
}, 180_000);

test("every member runs, and a second preview is empty", async () => {
  const members = ["agent", "dbserver"].flatMap((role) => [1, 2, 3].map((number) => `${role}-${String(number)}`));
  const tasks = await tasksOf(cluster.manager(), name);
  expect(Object.keys(tasks).sort()).toEqual([...members, "coordinator-1", "coordinator-2", "edge"].sort());
  for (const [task] of Object.values(tasks)) expect(task).toMatch(/^running /);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 60_000);

test("a client outside through the edge, and one inside by the coordinators' one name", async () => {
  const { url, passwords, endpoints } = outputs;
  const arango = new Arango((path, options) => client.call(`${url}${path}`, options), passwords.cluster ?? "");
  await arango.fill("shop", "orders", 10);
  expect(await arango.count("shop", "orders")).toBe(10);
  expect(Object.values(await arango.members()).filter((member) => !member.endsWith("GOOD"))).toEqual([]);
  const { toolbox = "" } = await pushed(cluster);
  const { host = "", port = 0 } = endpoints.cluster ?? {};
  const script = `curl -fsS --user root:${passwords.cluster ?? ""} http://${host}:${String(port)}/_db/shop/_api/collection/orders/count`;
  const { output } = await onNetwork(cluster.manager(), toolbox, `${name}-data`, script);
  expect(JSON.parse(output)).toMatchObject({ count: 10 });
}, 60_000);
