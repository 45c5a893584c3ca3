/** An ArangoDB cluster on one host through what happens seldom: an agent that is made again, and another version. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  type Arango,
  arangoConfig,
  arangoStack,
  type ArangoTest,
  loseDisk,
  starts,
  upWithOrders,
} from "../support/arangodb.ts";
import { cleanUp, containerIds, engine, eventually, localImage } from "../support/arkindex.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const whole: ArangoTest = { name: "arango-change", https: 15187 };
const { name } = whole;
const newer = `${localImage("arangodb").split(":")[0] ?? ""}:newer`;
let stack: TestStack;
let arango: Arango;

beforeAll(async () => {
  stack = await arangoStack(whole);
  arango = await upWithOrders(stack);
}, 600_000);

afterAll(async () => {
  await cleanUp(stack, name);
  await engine.getImage(newer).remove({ force: true });
}, 300_000);

const agents = async () => Object.entries(await arango.members()).filter(([member]) => member.startsWith("agent"));

test("an agent that has lost its disk is made again under its own name, and counts again", async () => {
  expect(await loseDisk(name, "agent-2")).toContain(
    "agent-2 has lost its data: name it in arangodb.rebuild, alone, while the other two are healthy",
  );
  const before = await starts(name);
  await stack.configure(arangoConfig({ ...whole, arangodb: { rebuild: ["agent-2"] } }));
  succeeded(await stack.up());
  const after = await starts(name);
  expect(Object.keys(after).filter((member) => after[member] !== before[member])).toEqual(["agent-2"]);
  await eventually(async () => ((await agents()).every(([, status]) => status === "Agent GOOD") ? true : undefined));
  expect(await agents()).toHaveLength(3);
  await stack.configure(arangoConfig(whole));
  succeeded(await stack.up());
  expect(await arango.count("shop", "orders")).toBe(100);
}, 600_000);

test("another version: each member brings its data up to date, agents first, one at a time", async () => {
  const [repo = "", tag = ""] = newer.split(":");
  const made = await engine.createContainer({
    Image: localImage("arangodb"),
    Labels: { "platform-topologies.test": "image" },
  });
  await made.commit({ repo, tag, changes: "ENV ARANGO_VERSION=3.12.5" });
  await made.remove({ force: true });
  await stack.configure(arangoConfig({ ...whole, config: { images: { arangodb: newer } } }));
  succeeded(await stack.up());
  const { Health } = await arango.ask<{ Health: Record<string, { Version?: string }> }>(
    "GET",
    "/_admin/cluster/health",
  );
  const versions = Object.values(Health).flatMap(({ Version }) => Version ?? []);
  expect(versions).toEqual(Array(5).fill("3.12.5"));
  const ids = await containerIds(name);
  for (const member of Object.keys(await arango.members())) {
    const said = (await engine.getContainer(ids[member] ?? "").logs({ stdout: true, stderr: true })).toString();
    expect(said).toContain("the data is up to date; --database.auto-upgrade ends here");
  }
  const order = Object.entries(await starts(name))
    .filter(([member]) => member !== "edge")
    .sort(([, a], [, b]) => (a.split(" ")[1] ?? "").localeCompare(b.split(" ")[1] ?? ""))
    .map(([member]) => member.replace(/-\d+$/, ""));
  expect([...new Set(order)]).toEqual(["agent", "dbserver", "coordinator"]);
  expect(await arango.ask("GET", "/_admin/cluster/maintenance")).toMatchObject({ result: "Normal" });
  expect(await arango.count("shop", "orders")).toBe(100);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 900_000);
