/**
 * A DB server that has lost its disk, and a dump of the whole cluster in another one, on one Docker host. Where no registry
 * answers, ArangoDB's servers are the stand-in of rehearsal/arangodb.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  Arango,
  arangoConfig,
  type ArangoOutputs,
  arangoStack,
  type ArangoTest,
  loseDisk,
  upWithOrders,
} from "../support/arangodb.ts";
import { cleanUp, containerIds, inContainer, removeVolume } from "../support/arkindex.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "arango-disk";
const backup = { everyHours: 24, keepDays: 1, to: { volume: `${name}-backup` } };
const whole: ArangoTest = { name, https: 15185, config: { backup } };
const copy: ArangoTest = {
  name: "arango-copy",
  https: 15183,
  arangodb: { mode: "single" },
  config: { restore: { from: backup.to, stack: name } },
};
let stack: TestStack;
let second: TestStack | undefined;
let arango: Arango;

beforeAll(async () => {
  stack = await arangoStack(whole);
  arango = await upWithOrders(stack);
}, 600_000);

afterAll(async () => {
  await cleanUp(second, copy.name);
  await cleanUp(stack, name);
  await removeVolume(`${name}-backup`);
}, 600_000);

const cluster = ["agent-1", "agent-2", "agent-3", "coordinator-1", "coordinator-2"];

test("a DB server that has lost its disk refuses to start and says what to do", async () => {
  expect(await loseDisk(name, "dbserver-2")).toContain("dbserver-2 has lost its data: retire its number");
}, 600_000);

test("retired, it is replaced under a new name from the others' copies, and leaves though it cannot be cleaned out", async () => {
  const dbservers = { count: 3, retired: [2] };
  await stack.configure(arangoConfig({ ...whole, arangodb: { dbservers } }));
  succeeded(await stack.up());
  expect(Object.keys(await arango.members())).toEqual([...cluster, "dbserver-1", "dbserver-3", "dbserver-4"]);
  await arango.allInSync("shop");
  expect(await arango.count("shop", "orders")).toBe(100);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 600_000);

test("a dump of the cluster fills a single server", async () => {
  const { "backup-1": id = "" } = await containerIds(name);
  expect(await inContainer({ container: id }, "backup once && backup drill")).toMatchObject({ status: 0 });
  second = await arangoStack(copy);
  succeeded(await second.up());
  const single = Arango.through((await second.outputs()) as unknown as ArangoOutputs);
  expect(await single.count("shop", "orders")).toBe(100);
  expect(Object.keys(await containerIds(copy.name)).sort()).toEqual(["edge", "single-1"]);
  succeeded(await second.preview(["--expect-no-changes"]));
  succeeded(await second.destroy());
}, 600_000);
