/** The official clients of Pyrus' stores, in a container on the inner networks, with the addresses of the outputs. */
import { realpathSync } from "node:fs";

import type { Cluster } from "../../tools/swarm/cluster.ts";
import { repo } from "./stack.ts";
import { pulled } from "./swarm-stack.ts";
import { eventually } from "./swarm.ts";

export interface Outputs {
  /** The stack's name, which a test adds. */
  readonly name: string;
  readonly url: string;
  readonly ca: string;
  readonly endpoints: Readonly<Record<string, { readonly host: string; readonly port: number; readonly user: string }>>;
  readonly passwords: Readonly<Record<string, string>>;
  readonly images: Readonly<Record<string, string>>;
  readonly places: { readonly slots: Readonly<Record<string, string>> };
}

/** How much each store has. */
export interface Kept {
  readonly postgresql: number;
  readonly logs: number;
  readonly nats: number;
  readonly elasticsearch: number;
  readonly objects: number;
}
export const written = 100;
export const allKept: Kept = {
  postgresql: written,
  logs: written,
  nats: written,
  elasticsearch: written,
  objects: written,
};

/** Runs an ES module with the checkout's packages on a node that runs applications. Returns what the module says. */
async function inside(cluster: Cluster, node: string, outputs: Outputs, source: string): Promise<unknown> {
  const engine = cluster.dockerOf(node);
  const { name, endpoints, passwords, images } = outputs;
  const image = await pulled(engine, images["pyrus/web-api"] ?? "");
  const container = await engine.createContainer({
    Image: image,
    User: "0:0",
    Entrypoint: ["node", "--input-type=module", "-e", `${connections}\n${source}`],
    Cmd: [],
    Tty: true, // one plain stream
    WorkingDir: "/work",
    Env: [`GIVEN=${JSON.stringify({ endpoints, passwords })}`, "NO_COLOR=1"],
    Labels: { "platform-topologies.test": "client" },
    HostConfig: {
      NetworkMode: `${name}-data`,
      Binds: [`${realpathSync(`${repo}/node_modules`)}:/work/node_modules:ro`],
    },
  });
  try {
    await engine.getNetwork(`${name}-app`).connect({ Container: container.id }); // the object store is there
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    const said = (await container.logs({ stdout: true, stderr: true })).toString().trim();
    if (StatusCode !== 0) throw new Error(said);
    // dockerode parses a log that is JSON as a whole.
    return said.startsWith("said ") ? (JSON.parse(said.slice(5).replaceAll(/\r?\n/g, "")) as unknown) : undefined;
  } finally {
    await container.remove({ force: true });
  }
}

/** 100 rows in both PostgreSQL, messages in a stream of three copies, documents and objects. */
export async function write(cluster: Cluster, node: string, outputs: Outputs): Promise<void> {
  await inside(cluster, node, outputs, writing);
}

export async function kept(cluster: Cluster, node: string, outputs: Outputs): Promise<Kept> {
  return (await inside(cluster, node, outputs, reading)) as Kept;
}

/** Rows that the applications wrote themselves, in the order in which they came. */
export async function column(cluster: Cluster, node: string, outputs: Outputs, sql: string): Promise<string[]> {
  const source = `const db = await postgres("postgresql", "pyrusdb");
const { rows } = await db.query({ text: ${JSON.stringify(sql)}, rowMode: "array" });
say(rows.flat());`;
  return (await inside(cluster, node, outputs, source)) as string[];
}

/** How many of the rows that applications have acknowledged are gone, and of what `write` has written. */
export async function gone(
  cluster: Cluster,
  node: string,
  outputs: Outputs,
  { mark, acknowledged }: { readonly mark: string; readonly acknowledged: readonly string[] },
): Promise<number> {
  const rows = new Set(
    await column(cluster, node, outputs, `select body from rehearsal_rows where body like '${mark}-%'`),
  );
  const left = await eventually(
    60,
    () => kept(cluster, node, outputs).catch(() => undefined),
    (found) => found !== undefined,
  );
  const missing = Object.values(left ?? {}).map((count: number) => written - count);
  return acknowledged.filter((body) => !rows.has(body)).length + missing.reduce((sum, each) => sum + each, 0);
}

/** Size and hash of an object, as the store gives it back. */
export async function hashOf(cluster: Cluster, node: string, outputs: Outputs, key: string): Promise<string> {
  const source = `const hash = createHash("sha256");
let bytes = 0;
const { Body } = await s3.send(new GetObjectCommand({ Bucket: "files", Key: ${JSON.stringify(key)} }));
for await (const part of Body) { hash.update(part); bytes += part.length; }
say(bytes + " " + hash.digest("hex"));`;
  return (await inside(cluster, node, outputs, source)) as string;
}

const connections = `import { createHash } from "node:crypto";
import pg from "pg";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Client } from "@opensearch-project/opensearch";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
const { endpoints, passwords } = JSON.parse(process.env.GIVEN);
const say = (answer) => process.stdout.write("said " + JSON.stringify(answer), () => process.exit(0));
const numbers = Array.from({ length: ${String(written)} }, (_, number) => String(number));
async function postgres(store, database) {
  const { host, port, user } = endpoints[store];
  const db = new pg.Client({ host, port, user, password: passwords[store], database, connectionTimeoutMillis: 20000 });
  await db.connect();
  return db;
}
const at = (store) => endpoints[store].host + ":" + endpoints[store].port;
const bus = () => connect({ servers: at("nats"), user: endpoints.nats.user, pass: passwords.nats, timeout: 20000 });
const search = new Client({
  node: "http://" + at("elasticsearch"),
  auth: { username: endpoints.elasticsearch.user, password: passwords.elasticsearch },
  requestTimeout: 20000,
});
const s3 = new S3Client({
  endpoint: "http://" + at("objects"), region: "us-east-1", forcePathStyle: true,
  credentials: { accessKeyId: endpoints.objects.user, secretAccessKey: passwords.objects },
});`;

const writing = `for (const [store, database] of [["postgresql", "pyrusdb"], ["logs", "pyrus_logs"]]) {
  const db = await postgres(store, database);
  await db.query("create table if not exists kept (body text primary key)");
  await db.query("insert into kept select unnest($1::text[]) on conflict do nothing", [numbers]);
}
const nats = await bus();
await (await jetstreamManager(nats)).streams.add({ name: "KEPT", subjects: ["kept.>"], storage: "file", num_replicas: 3 });
for (const number of numbers) await jetstream(nats).publish("kept." + number, number);
const body = numbers.flatMap((number) => [{ index: { _index: "kept", _id: number } }, { number }]);
const { body: answer } = await search.bulk({ body, refresh: true });
if (answer.errors) throw new Error(JSON.stringify(answer.items[0]));
for (const number of numbers) await s3.send(new PutObjectCommand({ Bucket: "files", Key: "kept/" + number, Body: number }));
process.exit(0);`;

const reading = `const count = async (store, database) =>
  Number((await (await postgres(store, database)).query("select count(*) from kept")).rows[0].count);
const { state } = await (await jetstreamManager(await bus())).streams.info("KEPT");
const { body } = await search.count({ index: "kept" });
const objects = await s3.send(new ListObjectsV2Command({ Bucket: "files", Prefix: "kept/" }));
say({
  postgresql: await count("postgresql", "pyrusdb"), logs: await count("logs", "pyrus_logs"),
  nats: state.messages, elasticsearch: body.count, objects: objects.KeyCount,
});`;
