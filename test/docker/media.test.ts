/**
 * A media platform's region on one Docker host, one node of each store, on the real engine: real Cassandra, RabbitMQ,
 * Redis and MinIO; OpenSearch stands in for Elasticsearch, and the rehearsal for the services.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { dumpOf } from "../../components/services/cassandra-setup.ts";
import {
  call,
  cleanUp,
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
  untilHealthy,
} from "../support/arkindex.ts";
import { MediaApi, mediaConfig, type MediaOutputs, mediaStack, type MediaTest } from "../support/media.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const whole: MediaTest = { name: "media-whole", https: 15311 };
const { name } = whole;
let stack: TestStack;
let outputs: MediaOutputs;
let api: MediaApi;
const inside = { image: localImage("toolbox"), network: `${name}-data` };

beforeAll(async () => {
  stack = await mediaStack(whole);
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as unknown as MediaOutputs;
  api = new MediaApi(outputs);
}, 600_000);

afterAll(async () => {
  await cleanUp(stack, name);
}, 300_000);

test("every part is there and healthy, a second preview is empty, and the outputs say what stands in", async () => {
  const ids = await containerIds(name);
  const stores = ["cassandra-1", "elasticsearch-1", "objects-1", "rabbit-1", "redis-1"];
  expect(Object.keys(ids).sort()).toEqual([...stores, "assets-1", "backup-1", "edge", "files-1", "indexer-1"].sort());
  await untilHealthy(Object.values(ids));
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(outputs.rehearsing).toEqual(expect.arrayContaining(["media/assets", "media/indexer", "media/schema"]));
}, 90_000);

test("an asset goes through every store: its row, its message, the index, its file", async () => {
  const id = await api.create("A walk in the snow");
  expect(await api.title(id)).toBe("A walk in the snow");
  expect(await eventually(async () => ((await api.search("snow")).includes(id) ? true : undefined))).toBe(true);
  await api.rename(id, "A walk in the rain");
  await eventually(async () => ((await api.search("rain")).includes(id) ? true : undefined));
  await eventually(async () => ((await api.search("snow")).includes(id) ? undefined : true));
  const file = `${outputs.url}/API/files/${id}`;
  expect(await call(file, outputs.ca, { method: "PUT", body: "frames" })).toMatchObject({ status: 201 });
  expect(await call(file, outputs.ca)).toMatchObject({ status: 200, body: "frames" });
}, 300_000);

test("Cassandra: the application's role has its keyspace and no more; nobody gets in with a default password", async () => {
  const cql = (user: string, password: string, statement: string) =>
    inContainer(inside, `CQL_PASSWORD='${password}' cql -h cassandra-1 -u ${user} -e "${statement}"`);
  const own = outputs.passwords.cassandra ?? "";
  const found = await cql("app", own, "SELECT JSON title FROM media.assets");
  expect(found).toMatchObject({ status: 0 });
  expect(found.body).toContain("A walk in the rain");
  expect((await cql("app", own, "CREATE ROLE other")).body).toContain("Unauthorized");
  expect(
    (await cql("app", own, "CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy'}")).body,
  ).toContain("Unauthorized");
  expect((await cql("cassandra", "cassandra", "SELECT * FROM media.assets")).body).toContain("AuthenticationFailed");
}, 300_000);

test("RabbitMQ: a durable exchange, a quorum queue, federation at hand, no guest", async () => {
  const ask = (login: string, path: string) =>
    inContainer(inside, `curl -sf -u '${login}' http://rabbit-1:15672/api/${path}`);
  const app = `app:${outputs.passwords.rabbit ?? ""}`;
  const exchange = await ask(app, "exchanges/%2F/index");
  expect(JSON.parse(exchange.body)).toMatchObject({ type: "topic", durable: true });
  const queue = await ask(app, "queues/%2F/index.local.indexer");
  expect(JSON.parse(queue.body)).toMatchObject({ type: "quorum", durable: true });
  const plugins = await inContainer(
    { container: (await containerIds(name))["rabbit-1"] ?? "" },
    "cat /run/rabbitmq/enabled_plugins",
  );
  expect(plugins.body).toContain("rabbitmq_federation");
  expect((await ask("guest:guest", "overview")).status).not.toBe(0);
}, 300_000);

test("Redis and the index want their passwords", async () => {
  const redis = await inContainer(inside, "redis-cli -h redis-1 get x");
  expect(redis.body).toContain("NOAUTH");
  const search = (login: string) =>
    inContainer(inside, `curl -s -o /dev/null -w '%{http_code}' -u '${login}' http://elasticsearch-1:9200/`);
  expect((await search(`elastic:${outputs.passwords.elasticsearch ?? ""}`)).body).toBe("200");
  expect((await search("elastic:wrong")).body).toBe("401");
}, 300_000);

test("a RabbitMQ that says its boot hangs ends, and is started again", async () => {
  const id = (await containerIds(name))["rabbit-1"] ?? "";
  // Its own words, which this version of it cannot mend it with (tools/images/rabbitmq/rabbitmq-server).
  const say = `logger:info("Faking nodedown/nodeup between rabbit@rabbit-1 and rabbit@rabbit-2").`;
  await inContainer({ container: id }, `rabbitmqctl eval '${say}'`);
  await eventually(async () => (await engine.getContainer(id).inspect()).RestartCount === 1 || undefined);
  await untilHealthy([id]);
}, 90_000);

test("no secret is in an inspection, a log or the state", async () => {
  const secrets = await generatedSecrets(stack);
  expect(Object.keys(secrets)).toEqual(
    expect.arrayContaining(["cassandra-password", "cassandra-admin-password", "rabbit-password", "rabbit-cookie"]),
  );
  for (const id of Object.values(await containerIds(name))) {
    const container = engine.getContainer(id);
    const said = (await container.logs({ stdout: true, stderr: true })).toString();
    expect(leaks(JSON.stringify(await container.inspect()) + said, secrets)).toEqual([]);
  }
  expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
}, 300_000);

test("Cassandra's rows come back from a backup, into an empty keyspace only", async () => {
  const ids = await api.ids();
  const backup = { container: (await containerIds(name))["backup-1"] ?? "" };
  const admin = "CQL_PASSWORD_FILE=/run/cassandra/admin-password cql -h cassandra-1 -u admin";
  // More rows than are on their way at once, each of other columns: each is another statement to prepare.
  const shapes = Array.from({ length: 64 }, (_, id) => {
    const columns = ["a", "b", "c", "d", "e", "f"].filter((__, bit) => (id >> bit) % 2 === 1);
    return `INSERT INTO own.shapes (${["id", ...columns].join(", ")}) VALUES (${[id, ...columns.map(() => 1)].join(", ")})`;
  });
  // A keyspace of the operator's: what `INSERT … JSON` cannot write, or would change.
  const odd = `CREATE KEYSPACE own WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
CREATE TYPE own.place (name text, at frozen<list<decimal>>); CREATE TABLE own.hits (page text PRIMARY KEY, count counter);
CREATE TABLE own."Odd" (id int, "Nr" varint, kept text static, p own.place, d double, PRIMARY KEY (id, "Nr")); CREATE INDEX ON own."Odd" (d);
UPDATE own.hits SET count = count + 41 WHERE page = 'a'; INSERT INTO own."Odd" (id, kept) VALUES (1, 'no row but this');
INSERT INTO own."Odd" (id, "Nr", p, d) VALUES (2, 123456789012345678901234567890, {name: 'x''"', at: [1.2345678901234567890123]}, 0.1);
CREATE TABLE own.shapes (id int PRIMARY KEY, ${["a", "b", "c", "d", "e", "f"].map((column) => `${column} int`).join(", ")});
${shapes.join(";\n")}`;
  const every = `SELECT JSON * FROM own.hits; SELECT JSON * FROM own."Odd"; SELECT JSON * FROM own.shapes`;
  const asked = (text: string) => inContainer(backup, `${admin} <<'CQL'\n${text}\nCQL`);
  expect(await asked(odd)).toMatchObject({ status: 0 });
  const was = await asked(every);
  const made = await inContainer(backup, "backup once");
  const at = /backup (\S+) is complete/.exec(made.body)?.[1] ?? "";
  expect([made.status, at, made.body]).toEqual([0, expect.stringMatching(/^20/), made.body]);
  // What the restore job runs, with what it is given, beside services that go on.
  const { restore } = dumpOf({ hosts: ["cassandra-1"], dataCentre: "local", keyspaces: ["media"] }, []);
  const run = (script: string) =>
    inContainer(backup, `TO=$PLACE/cassandra-1 AT=${at} exec bash -euo pipefail <<'SCRIPT'\n${script}\nSCRIPT`);
  const refused = await run(restore);
  expect(refused.status).not.toBe(0);
  expect(refused.body).toContain("keyspace media has tables: restore goes into an empty keyspace only");
  expect(await asked("DROP KEYSPACE own")).toMatchObject({ status: 0 });
  expect(await run(`${admin} -e "DROP TABLE media.assets; DROP TABLE media.probe"`)).toMatchObject({ status: 0 });
  const restored = await run(restore);
  expect([restored.status, restored.body]).toEqual([0, restored.body]);
  expect(await asked(every)).toEqual(was);
  expect(await inContainer(backup, "backup drill")).toMatchObject({ status: 0 });
  expect((await eventually(() => api.ids())).sort()).toEqual(ids.sort());
}, 240_000);

test("a new version makes the tables first and replaces no store", async () => {
  const before = await containerIds(name);
  await stack.configure(mediaConfig({ ...whole, media: { version: "2" } }));
  const output = succeeded(await stack.up());
  expect(output).toContain("media-schema");
  const after = await containerIds(name);
  expect(Object.keys(after).filter((key) => after[key] !== before[key])).toEqual([]);
}, 300_000);

test("destroy leaves no container and no network", async () => {
  succeeded(await stack.destroy());
  expect(await containerIds(name)).toEqual({});
  const filters = { label: [`platform-topologies.name=${name}`] };
  expect(await engine.listNetworks({ filters })).toEqual([]);
}, 300_000);
