import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { TestStack } from "../support/stack.ts";
import { failsTwice, passes, startSwarm, trace } from "./ops-support.ts";

import type { Swarm } from "./ops-support.ts";

let swarm: Swarm;
let stack: TestStack;
beforeAll(async () => {
  swarm = await startSwarm("ops-nodes");
  stack = await TestStack.create({ program: "" });
}, 180_000);
afterEach(async () => {
  await stack.rewrite("");
  await stack.up();
}, 60_000);
afterAll(async () => {
  try {
    await stack.dispose();
  } finally {
    await swarm.stop();
  }
}, 60_000);

async function labels(node: string): Promise<Record<string, string>> {
  return JSON.parse(await swarm.docker("node", "inspect", "-f", "{{json .Spec.Labels}}", node)) as Record<
    string,
    string
  >;
}

async function label(node: string, ...changes: string[]): Promise<void> {
  await swarm.docker("node", "update", ...changes, node);
}

const volumeNode = (name: string, more = ""): string => `
const s${name.replace(/\W/g, "")} = new VolumeNode("${name}", { host, name: "${name}", constraints: {}, spread: "shop/db", ${more} });
export const [node${name.replace(/\W/g, "")}, id${name.replace(/\W/g, "")}] =
  [s${name.replace(/\W/g, "")}.node, s${name.replace(/\W/g, "")}.id];
`;

test("volume nodes spread, stay when more come, are adopted, and their labels go with them", async () => {
  await passes(stack, swarm.imports + volumeNode("db-1") + volumeNode("db-2"));
  const first = await stack.outputs();
  expect([first.nodedb1, first.nodedb2].sort()).toEqual(["m1", "w1"]);
  const node = String(first.nodedb1);
  expect(await labels(node)).toEqual({
    "platform-topologies.volume-node.db-1": first.iddb1,
    "platform-topologies.spread.db-1": "shop/db",
  });
  await passes(stack, swarm.imports + volumeNode("db-1") + volumeNode("db-2") + volumeNode("db-3"));
  const second = await stack.outputs();
  expect(second).toMatchObject(first);

  // A state that was lost: the label on the node is what counts.
  const urns = (await stack.state()).resources.filter(({ type }) => type === "platform-topologies:index:VolumeNode");
  for (const { urn } of urns) await stack.run(["state", "delete", urn, "--yes"]);
  await passes(stack, swarm.imports + volumeNode("db-1") + volumeNode("db-2") + volumeNode("db-3"));
  expect(await stack.outputs()).toEqual(second);

  await passes(stack, swarm.imports);
  for (const one of swarm.cluster.nodes) expect(await labels(one)).toEqual({});
}, 180_000);

test("constraints decide the first time only; another generation is another volume node", async () => {
  const program = (constraints: string, generation: string): string =>
    swarm.imports +
    volumeNode("db", `generation: "${generation}"`).replace("constraints: {}", `constraints: ${constraints}`);
  for (const output of await failsTwice(stack, program(`{ role: "worker", labels: { disk: "fast" } }`, "1"))) {
    expect(output).toContain(
      "no node can keep the disk of db: wanted is ready and active, role worker, label disk=fast; " +
        "there are m1 (manager, ready, active), w1 (worker, ready, active)",
    );
  }
  await label("w1", "--label-add", "disk=fast");
  await passes(stack, program(`{ role: "worker", labels: { disk: "fast" } }`, "1"));
  const first = await stack.outputs();
  expect(first.nodedb).toBe("w1");
  await passes(stack, program(`{ role: "manager" }`, "1"));
  expect(await stack.outputs()).toEqual(first);
  await passes(stack, program(`{ role: "manager" }`, "2"));
  const second = await stack.outputs();
  expect(second.nodedb).toBe("m1");
  expect(second.iddb).not.toBe(first.iddb);
  expect(await labels("w1")).toEqual({ disk: "fast" });
  // On the same node, too: the old one's end must not take the new one's labels away.
  await passes(stack, program(`{ role: "manager" }`, "3"));
  const third = await stack.outputs();
  expect(await labels("m1")).toMatchObject({ "platform-topologies.volume-node.db": third.iddb });
  expect(third.iddb).not.toBe(second.iddb);
  await label("w1", "--label-rm", "disk");
}, 180_000);

test("a refresh sees a volume node that an operator has moved, and puts back a label that is gone", async () => {
  await passes(stack, swarm.imports + volumeNode("db"));
  const { nodedb, iddb } = await stack.outputs();
  const [from, to] = nodedb === "m1" ? ["m1", "w1"] : ["w1", "m1"];
  const own = `platform-topologies.volume-node.db`;
  await label(from, "--label-rm", own);
  const gone = await stack.preview(["--refresh"]);
  expect([gone.code, gone.output]).toEqual([0, gone.output]);
  expect((await stack.up(["--refresh"])).code).toBe(0);
  expect((await labels(from))[own]).toBe(iddb);
  await passes(stack, swarm.imports + volumeNode("db"));
  expect(await stack.outputs()).toEqual({ nodedb, iddb });

  await label(from, "--label-rm", own);
  await label(to, "--label-add", `${own}=${String(iddb)}`);
  expect((await stack.up(["--refresh"])).code).toBe(0);
  expect(await stack.outputs()).toEqual({ nodedb: to, iddb });
  await passes(stack, swarm.imports + volumeNode("db"));
  await passes(stack, swarm.imports);
  expect(Object.keys({ ...(await labels(from)), ...(await labels(to)) })).toEqual([]);
}, 180_000);

test("node labels are set beside others', repaired after a refresh, and taken away again", async () => {
  const program = (node: string, wanted: string): string =>
    `${swarm.imports}new NodeLabels("labels", { host, node: "${node}", ${wanted} });`;
  for (const output of await failsTwice(stack, program("w9", "labels: {}"))) {
    expect(output).toContain(
      "the swarm has no node w9: there are m1 (manager, ready, active), w1 (worker, ready, active)",
    );
  }
  await label("w1", "--label-add", "theirs=1");
  await passes(stack, program("w1", `labels: { zone: "a", disk: "fast" }, availability: "drain"`));
  expect(await labels("w1")).toEqual({ theirs: "1", zone: "a", disk: "fast" });
  const availability = (): Promise<string> => swarm.docker("node", "inspect", "-f", "{{.Spec.Availability}}", "w1");
  expect(await availability()).toBe("drain");
  await passes(stack, program("w1", `labels: { zone: "b" }`));
  expect(await labels("w1")).toEqual({ theirs: "1", zone: "b" });
  expect(await availability()).toBe("active");

  await label("w1", "--label-add", "zone=c", "--label-add", "more=1");
  expect((await stack.preview(["--expect-no-changes"])).code).toBe(0); // nothing is read without a refresh
  const { code, output } = await stack.up(["--refresh"]);
  expect([code, output]).toEqual([0, output]);
  expect(await labels("w1")).toEqual({ theirs: "1", zone: "b", more: "1" });
  await passes(stack, program("w1", `labels: { zone: "b" }`));
  await passes(stack, swarm.imports);
  expect(await labels("w1")).toEqual({ theirs: "1", more: "1" });
  await label("w1", "--label-rm", "theirs", "--label-rm", "more");
}, 180_000);

test("a delete goes to the latest host, and says in a sentence when nobody is there", async () => {
  await passes(stack, `${swarm.imports}new NodeLabels("labels", { host, node: "w1", labels: { zone: "a" } });`);
  const elsewhere = swarm.imports.replace(/host = .*/, 'host = "tcp://127.0.0.1:14003";');
  await passes(stack, `${elsewhere}new NodeLabels("labels", { host, node: "w1", labels: { zone: "a" } });`);
  await stack.rewrite("");
  for (const run of ["first", "second"]) {
    const { code, output } = await stack.up();
    expect([run, code === 0]).toEqual([run, false]);
    expect(output).toContain("Docker at tcp://127.0.0.1:14003 refuses the connection");
    expect(output).not.toMatch(trace);
  }
  const refreshed = await stack.run(["refresh", "--yes"]);
  expect(refreshed.output).toContain("Docker at tcp://127.0.0.1:14003 refuses the connection");
  expect(refreshed.output).not.toMatch(trace);
  await passes(stack, `${swarm.imports}new NodeLabels("labels", { host, node: "w1", labels: { zone: "a" } });`);
  await passes(stack, swarm.imports);
  expect(await labels("w1")).toEqual({});
}, 120_000);
