/**
 * An ArangoDB cluster on one Docker host, on the real engine. Where no registry answers, its servers are the stand-in of
 * rehearsal/arangodb, so this proves the deployment and what it does with the cluster's API, not the database.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Arango, arangoConfig, type ArangoOutputs, arangoStack, type ArangoTest, starts } from "../support/arangodb.ts";
import {
  cleanUp,
  containerIds,
  engine,
  inContainer,
  localImage,
  removeVolume,
  untilHealthy,
} from "../support/arkindex.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "arango-whole";
const rotate: Record<string, string> = {};
const backup = { everyHours: 24, keepDays: 1, to: { volume: `${name}-backup` } };
const whole: ArangoTest = { name, https: 15181, config: { backup, rotate } };
let stack: TestStack;
let outputs: ArangoOutputs;
let arango: Arango;

const scale = (count: number, more: object = {}) =>
  stack.configure(arangoConfig({ ...whole, arangodb: { dbservers: { count, ...more } } }));

beforeAll(async () => {
  stack = await arangoStack(whole);
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as unknown as ArangoOutputs;
  arango = Arango.through(outputs);
}, 600_000);

afterAll(async () => {
  await cleanUp(stack, name);
}, 600_000);

const cluster = ["agent-1", "agent-2", "agent-3", "coordinator-1", "coordinator-2"];

test("every part is there and healthy, and says what stands in", async () => {
  const ids = await containerIds(name);
  const expected = [...cluster, "dbserver-1", "dbserver-2", "dbserver-3", "edge", "backup-1"];
  expect(Object.keys(ids).sort()).toEqual(expected.sort());
  await untilHealthy(Object.values(ids));
  // Nothing is in the cluster yet, and that can be restored, too.
  expect(await inContainer({ container: ids["backup-1"] ?? "" }, "backup drill")).toMatchObject({ status: 0 });
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(Object.values(await arango.members())).toEqual([
    ...Array<string>(3).fill("Agent GOOD"),
    ...Array<string>(2).fill("Coordinator GOOD"),
    ...Array<string>(3).fill("DBServer GOOD"),
  ]);
  expect(outputs.rehearsing).toEqual(localImage("arangodb").includes("stand-in") ? ["arangodb"] : []);
}, 600_000);

/** What a client inside is answered as root. */
const asRoot = (password = "") =>
  inContainer(
    { image: localImage("toolbox"), network: `${name}-data` },
    `curl -s -o /dev/null -w '%{http_code}' --user root:${password} http://coordinators:8529/_api/version`,
  );

test("a client inside finds the coordinators by one name, with the stack's password and no other", async () => {
  expect(outputs.endpoints).toEqual({ cluster: { host: "coordinators", port: 8529, user: "root" } });
  expect(await asRoot(outputs.passwords.cluster)).toEqual({ status: 0, body: "200" });
  for (const password of ["", "wrong"]) expect(await asRoot(password)).toEqual({ status: 0, body: "401" });
}, 600_000);

test("no secret is in an inspection, a log or the state", async () => {
  const secrets = await generatedSecrets(stack);
  expect(Object.keys(secrets).sort()).toEqual(["caKey", "jwt", "key", "root-password"]);
  for (const id of Object.values(await containerIds(name))) {
    const container = engine.getContainer(id);
    const said = (await container.logs({ stdout: true, stderr: true })).toString();
    expect(leaks(JSON.stringify(await container.inspect()) + said, secrets)).toEqual([]);
  }
  expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
}, 600_000);

test("root has another password by a word, and no server restarts for it", async () => {
  const before = await starts(name);
  const old = outputs.passwords.cluster;
  rotate.cluster = "2026-12-01";
  await stack.configure(arangoConfig(whole));
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as unknown as ArangoOutputs;
  expect(outputs.passwords.cluster).not.toBe(old);
  expect(await asRoot(old)).toEqual({ status: 0, body: "401" });
  expect(await asRoot(outputs.passwords.cluster)).toEqual({ status: 0, body: "200" });
  expect(await starts(name)).toEqual({ ...before, "backup-1": expect.anything() });
  expect(await inContainer({ container: (await containerIds(name))["backup-1"] ?? "" }, "backup once")).toMatchObject({
    status: 0,
  });
  succeeded(await stack.preview(["--expect-no-changes"]));
  arango = Arango.through(outputs);
}, 600_000);

/** Reads one document after another until it is stopped; what went wrong. */
function reading(): () => Promise<{ reads: number; lost: string[] }> {
  const state = { going: true };
  const lost: string[] = [];
  let reads = 0;
  const loop = (async () => {
    while (state.going) {
      const key = `d${String(reads++ % 100)}`;
      await arango
        .ask("GET", `/_db/shop/_api/document/orders/${key}`)
        .catch((error: unknown) => lost.push(String(error)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return async () => {
    state.going = false;
    await loop;
    return { reads, lost };
  };
}

test("a fourth DB server is one slot more, and nothing else is touched", async () => {
  await arango.fill("shop", "orders", 100);
  const before = await starts(name);
  const stop = reading();
  await scale(4);
  succeeded(await stack.up());
  const { "dbserver-4": added, ...others } = await starts(name);
  expect(added).toBeDefined();
  expect(others).toEqual(before);
  expect(await stop()).toMatchObject({ lost: [] });
  expect((await arango.members())["dbserver-4"]).toBe("DBServer GOOD");
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 600_000);

test("a DB server that a replication factor needs stays, in the second run too", async () => {
  await arango.ask("POST", "/_db/shop/_api/collection", { name: "wide", replicationFactor: 4 });
  await scale(3);
  for (const run of [1, 2]) {
    const { code, output } = await stack.up();
    expect({ run, code }).not.toMatchObject({ code: 0 });
    expect(output).toContain("dbserver-4 stays: shop/wide keeps 4 copies, and 3 other DB servers are healthy");
    expect((await arango.members())["dbserver-4"]).toBe("DBServer GOOD");
  }
}, 600_000);

test("three again: it is cleaned out, goes, and is struck off, while documents are read", async () => {
  await arango.ask("PUT", "/_db/shop/_api/collection/wide/properties", { replicationFactor: 3 });
  const { "dbserver-4": gone, ...before } = await starts(name);
  expect(gone).toBeDefined();
  const stop = reading();
  succeeded(await stack.up());
  const { reads, lost } = await stop();
  expect({ lost, enough: reads > 20 }).toEqual({ lost: [], enough: true });
  expect(await starts(name)).toEqual(before);
  expect(Object.keys(await arango.members())).toEqual([...cluster, "dbserver-1", "dbserver-2", "dbserver-3"]);
  expect(await arango.count("shop", "orders")).toBe(100);
}, 600_000);

test("destroy leaves nothing but the backup's place", async () => {
  succeeded(await stack.destroy());
  expect(await containerIds(name)).toEqual({});
  const { Volumes } = await engine.listVolumes();
  expect(Volumes.map(({ Name }) => Name).filter((each) => each.startsWith(`${name}-`))).toEqual([`${name}-backup`]);
  await removeVolume(`${name}-backup`);
}, 600_000);
