/** Pyrus on a real swarm: two replicas of what a browser meets, the scheduler once, clients from outside and inside. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { small } from "../support/pyrus.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, onNetwork, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";

const name = "pyr";
let cluster: Cluster;
let stack: TestStack;
let client: Client;
let outputs: { url: string; ca: string; passwords: Record<string, string>; images: Record<string, string> };

beforeAll(async () => {
  cluster = await Cluster.start({ name: "pyrus", managers: 1, workers: 1 });
  stack = await swarmStack({
    ...{ cluster, name, system: "pyrus" },
    config: { pyrus: { ...small, replicas: { "web-api": 2, files: 2 } } },
  });
  for (const key of ["pyrusLicence", "pyrusAdminPassword"])
    await stack.run([
      "config",
      "set",
      "--path",
      "--secret",
      `platform-topologies:secrets.${key}`,
      `${key}-of-the-test`,
    ]);
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
  client = new Client(cluster.address("m1"), outputs.ca);
}, 600_000);

afterAll(async () => {
  await client.close();
  await stack.dispose();
  await cluster.stop();
}, 240_000);

test("every service has its tasks, the scheduler one", async () => {
  const tasks = await tasksOf(cluster.manager(), name);
  const counts = Object.fromEntries(Object.entries(tasks).map(([service, each]) => [service, each.length]));
  expect(counts).toMatchObject({ "web-api": 2, files: 2, scheduler: 1, bind: 1, "nats-1": 1, edge: 1 });
  expect(
    Object.values(tasks)
      .flat()
      .filter((task) => !task.startsWith("running")),
  ).toEqual([]);
});

test("a second preview is empty", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

test("through an edge node: a session, a file, what is hidden", async () => {
  const who = async (headers = {}) => client.call(`${outputs.url}/rehearsal/who`, { headers });
  const { headers, body } = await who();
  const cookie = String(headers["set-cookie"]).split(";")[0] ?? "";
  for (let at = 0; at < 10; at++) expect((await who({ cookie })).body).toBe(body);
  const hosts = new Set<string>();
  for (let at = 0; at < 30; at++) hosts.add((await who()).body);
  expect(hosts.size).toBe(2);
  const file = { method: "POST", body: "x".repeat(100_000) };
  expect(await client.call(`${outputs.url}/v4/files/upload?name=a`, file)).toMatchObject({ status: 201 });
  expect((await client.call(`${outputs.url}/api/v4/files/download?name=a`)).body).toBe(file.body);
  expect(await client.call(`${outputs.url}/metrics`)).toMatchObject({ status: 404 });
}, 60_000);

test("psql and Elasticsearch from the data network, under the names that the applications expect", async () => {
  const { postgresql = "", elasticsearch = "" } = outputs.passwords;
  const script = `PGPASSWORD='${postgresql}' psql -At -h pyrus-postgresql -U pyrusadm pyrusdb -c 'select 7'
curl -s -o /dev/null -w '%{http_code}\\n' -u 'elastic:${elasticsearch}' http://pyrus-elastic:9200/rehearsal`;
  const [engine, image] = [cluster.manager(), outputs.images.toolbox ?? ""];
  const { output } = await onNetwork(engine, image, `${name}-data`, script);
  expect(output.trim().split(/\s+/)).toEqual(["7", "200"]);
}, 60_000);
