/** One address for the edge that moves between nodes: who has it loses power, its edge, or its whole service. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, Load, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";

const name = "edge-address";
const patience = 600_000;
let cluster: Cluster;
let stack: TestStack;
let client: Client;
let url: string;
let ca: string;
let address: string;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "edgeaddress", network: "10.213.176", managers: 3, workers: 0 });
  address = "10.213.176.100";
  const small = { memoryMib: 256, cpu: 0.25 };
  const arangodb = { mode: "single", dbservers: small };
  const edge = { nodes: { role: "manager" }, address: `${address}/24` };
  stack = await swarmStack({ cluster, name, system: "arangodb", config: { arangodb }, swarm: { edge } });
  // A node of a busy machine may pull for longer than a job waits.
  if ((await stack.up()).code !== 0) succeeded(await stack.up());
  const outputs = (await stack.outputs()) as { ca: string; url: string; places: { address: string } };
  ({ url, ca } = outputs);
  expect(outputs.places.address).toBe(address);
  client = new Client(address, ca);
}, patience);

afterAll(async () => {
  await client.close();
  await stack.dispose();
  await cluster.stop();
}, patience);

/** The nodes that have the address now. */
async function holders(): Promise<string[]> {
  const all = await Promise.all(
    cluster.nodes.map(async (node) => {
      const own = (await cluster.isOn(node)) ? await cluster.exec(node, "ip", "-4", "-o", "address") : "";
      return own.includes(` ${address}/24 `) ? [node] : [];
    }),
  );
  return all.flat();
}
const one = (): Promise<string[]> => eventually(60, holders, (now) => now.length === 1);
const answers = async (): Promise<number> => (await client.call(`${url}/_api/version`)).status;

test("one node has it, the edge answers there, and a second preview is empty", async () => {
  await one();
  expect(await answers()).toBe(401);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

/** Loses the address' holder under a load that counts any answer of an edge, and gives it back. */
async function moved(
  how: string,
  lose: (node: string) => Promise<unknown>,
  giveBack: (node: string) => Promise<unknown>,
) {
  const [lost = ""] = await one();
  const load = new Load(address, ca, `${url}/_api/version`, { good: () => true });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await lose(lost);
  const [next = ""] = await eventually(60, holders, (now) => now.length === 1 && now[0] !== lost);
  const { answered } = load;
  await eventually(
    30,
    () => Promise.resolve(load.answered),
    (now) => now > answered + 40,
  );
  await giveBack(lost);
  await eventually(
    180,
    async () => {
      const tasks: Record<string, string[]> = await tasksOf(cluster.manager(), name).catch(() => ({}));
      return tasks["edge-address"] ?? [];
    },
    (tasks) => tasks.filter((task) => task.startsWith("running ")).length === 3,
  );
  expect(await one()).toEqual([next]);
  const { sent, lost: failed } = await load.stop();
  const times = failed.map((line) => Number(line.split(":")[0]));
  const seconds = times.length === 0 ? 0 : (Math.max(...times) - Math.min(...times)) / 1000;
  process.stdout.write(
    `address, ${how}: ${String(failed.length)} of ${String(sent)} requests failed, over ${String(Math.round(seconds))} s\n`,
  );
  return seconds;
}

test(
  "its node loses power: another has it within seconds, and keeps it when the first is back",
  async () => {
    expect(
      await moved(
        "power cut",
        (node) => cluster.kill(node),
        (node) => cluster.start(node),
      ),
    ).toBeLessThan(15);
  },
  patience,
);

test(
  "its node is drained",
  async () => {
    const set = async (node: string, availability: string): Promise<void> => {
      const all = (await cluster.manager().listNodes()) as { ID: string; Description: { Hostname: string } }[];
      const found = cluster.manager().getNode(all.find((each) => each.Description.Hostname === node)?.ID ?? "");
      const { Version, Spec } = (await found.inspect()) as { Version: { Index: number }; Spec: object };
      await found.update({ version: Version.Index, ...Spec, Availability: availability });
    };
    expect(
      await moved(
        "drained",
        (node) => set(node, "drain"),
        (node) => set(node, "active"),
      ),
    ).toBeLessThan(15);
  },
  patience,
);
