/**
 * What docs/guide.md does with ArangoDB, for other systems: a pilot on this machine's engine is saved to a store that both
 * reach, and fills a new stack on a swarm in network namespaces. The pilot stays as it was.
 */
import process from "node:process";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { apps } from "../../components/systems/pyrus/config.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import {
  call,
  cleanUp,
  containerIds,
  dockerConfig,
  dockerStack,
  engine,
  eventually,
  inContainer,
  localImage,
  project,
} from "../support/arkindex.ts";
import { smallMedia } from "../support/media.ts";
import { adminPassword, licence, small } from "../support/pyrus.ts";
import { bucket, outsideStore, removeOutsideStore } from "../support/outside-store.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, onNetwork, pushed, swarmStack } from "../support/swarm-stack.ts";

const store = { name: "move-store", keys: [["operator", "operator-secret"]] } as const;
const minutes = 60_000;
let cluster: Cluster;
let backup: { readonly s3: { readonly endpoint: string; readonly bucket: string } };

beforeAll(async () => {
  cluster = await Cluster.start({ name: "move", workers: 1 });
  const { endpoint } = await outsideStore({ ...store, address: `${cluster.outside}:9011` });
  backup = { s3: { endpoint, bucket } };
}, 5 * minutes);
afterAll(async () => {
  await cluster.stop();
  await removeOutsideStore(store.name);
}, 5 * minutes);

/** A stack as its clients have it: its public address, and a shell in its data network. */
interface Side {
  readonly passwords: Readonly<Record<string, string>>;
  readonly endpoints: Readonly<
    Record<string, { readonly host: string; readonly port: number; readonly user?: string }>
  >;
  ask(path: string, options?: { method: string; body: string }): Promise<{ status: number; body: string }>;
  /** `network`: where the store is. Default: `data`. */
  sh(script: string, network?: "app"): Promise<string>;
}

interface Move {
  readonly system: string;
  readonly https: number;
  readonly config: object;
  /** What the operator sets. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Containers that write. */
  readonly writers: readonly string[];
  fill(side: Side): Promise<void>;
  content(side: Side): Promise<unknown>;
}

function sql(side: Side, store: string, database: string, statement: string): Promise<string> {
  const { host = "", user = "" } = side.endpoints[store] ?? {};
  return side.sh(
    `PGPASSWORD='${side.passwords[store] ?? ""}' psql -At -h ${host} -U ${user} ${database} -c "${statement}"`,
  );
}
const large = "CREATE TABLE large AS SELECT g AS id, md5(g::text) AS body FROM generate_series(1, 10000) g";
const ofLarge = "SELECT count(*), max(body) FROM large";

/** Runs Python with a client of the stack's object store, `s3`. */
function python(side: Side, script: string): Promise<string> {
  const { host = "", port = 0, user = "" } = side.endpoints.objects ?? {};
  const client = `import boto3
s3 = boto3.client("s3", endpoint_url="http://${host}:${String(port)}", aws_access_key_id="${user}", aws_secret_access_key="${side.passwords.objects ?? ""}")
`;
  return side.sh(`python3 - <<'PYTHON'\n${client}${script}\nPYTHON`, "app");
}
/** Objects with a type, metadata and a content of their own, and how they are told again. */
const putObjects = (bucket: string): string =>
  `for n in range(20): s3.put_object(Bucket="${bucket}", Key=f"kept/ü {n}", Body=str(n) * 1000, ContentType="text/x-kept", Metadata={"n": str(n)})`;
const ofObjects = (bucket: string): string =>
  `import hashlib
for each in s3.list_objects_v2(Bucket="${bucket}", Prefix="kept/")["Contents"]:
    found = s3.get_object(Bucket="${bucket}", Key=each["Key"])
    print(each["Key"], found["ContentType"], found["Metadata"], hashlib.sha256(found["Body"].read()).hexdigest())`;
const influx = (side: Side, path: string, ...options: string[]): Promise<string> =>
  side.sh(`curl -sS -u app:${side.passwords.influx ?? ""} ${options.join(" ")} 'http://influx-1:8086/${path}'`);
const texts = ["one", "two", "three"];

const moves: readonly Move[] = [
  {
    ...{ system: "arkindex", https: 18463, writers: ["backend-1", "worker-1"] },
    config: { arkindex: { version: "1.7.0" } },
    async fill(side) {
      for (const body of texts) {
        expect(await side.ask("/rehearsal/rows", { method: "POST", body })).toMatchObject({ status: 201 });
        expect(await side.ask(`/rehearsal/objects/${body}`, { method: "PUT", body })).toMatchObject({ status: 201 });
      }
      await sql(side, "db", "arkindex", large);
    },
    async content(side) {
      const { rows } = JSON.parse((await side.ask("/rehearsal/rows")).body) as { rows: string[] };
      const objects = await Promise.all(texts.map(async (text) => (await side.ask(`/rehearsal/objects/${text}`)).body));
      return { rows, objects, large: await sql(side, "db", "arkindex", ofLarge) };
    },
  },
  {
    ...{ system: "shinyproxy", https: 18465, writers: ["shinyproxy-1"] },
    config: {
      shinyproxy: {
        ...{ memoryMib: 512, influxGib: 1, idleMinutes: 30 },
        apps: { demo: { title: "Demo", image: "shiny-demo", memoryMib: 256, cpu: 0.5, groups: ["analysts"] } },
      },
    },
    async fill(side) {
      // InfluxDB drops what is older than the database keeps.
      const now = Math.floor(Date.now() / 3_600_000);
      const points = Array.from({ length: 100 }, (_, at) => `visit,app=demo n=${String(at)}i ${String(now - at)}`);
      const body = `--data-binary '${points.join("\n")}'`;
      expect(await influx(side, `write?db=shinyproxy&precision=h`, body)).toBe("");
    },
    async content(side) {
      const q = encodeURIComponent('SELECT count("n"), max("n") FROM "visit"');
      return JSON.parse(await influx(side, `query?db=shinyproxy&q=${q}`)) as unknown;
    },
  },
  {
    ...{ system: "pyrus", https: 18467, writers: Object.keys(apps).map((app) => `${app}-1`) },
    config: { pyrus: small },
    secrets: { pyrusLicence: licence, pyrusAdminPassword: adminPassword },
    async fill(side) {
      await sql(side, "postgresql", "pyrusdb", large);
      await sql(side, "logs", "pyrus_logs", large);
      await python(side, putObjects("files"));
    },
    // Search and messages are made again by the application: docs/pyrus.md.
    content: async (side) => ({
      main: await sql(side, "postgresql", "pyrusdb", ofLarge),
      logs: await sql(side, "logs", "pyrus_logs", ofLarge),
      objects: await python(side, ofObjects("files")),
    }),
  },
  {
    ...{ system: "media", https: 18469, writers: Object.keys(smallMedia.services).map((each) => `${each}-1`) },
    config: { media: smallMedia },
    async fill(side) {
      for (const title of texts)
        expect(await side.ask("/API/assets/", { method: "POST", body: JSON.stringify({ title }) })).toMatchObject({
          status: 201,
        });
      for (const bucket of ["originals", "keyframes"]) await python(side, putObjects(bucket));
    },
    async content(side) {
      const { ids } = JSON.parse((await side.ask("/API/assets/")).body) as { ids: string[] };
      const assets = await Promise.all(ids.sort().map(async (id) => (await side.ask(`/API/assets/${id}`)).body));
      expect(assets).toHaveLength(texts.length);
      return {
        assets,
        originals: await python(side, ofObjects("originals")),
        keyframes: await python(side, ofObjects("keyframes")),
      };
    },
  },
];

type Outputs = Pick<Side, "passwords" | "endpoints"> & { readonly url: string; readonly ca: string };

describe.each(moves.map((move) => [move.system, move] as const))("%s", (system, move) => {
  const name = `move-${system}`;
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  }, 10 * minutes);

  async function keys(stack: TestStack): Promise<void> {
    const [[key, secret]] = store.keys;
    for (const [leaf, value] of Object.entries({ backupKey: key, backupSecret: secret, ...move.secrets }))
      succeeded(await stack.run(["config", "set", "--secret", "--path", `${project}:secrets.${leaf}`, value]));
  }

  async function pilot(): Promise<Side> {
    const test = { name, https: move.https };
    const wanted = { system, ...move.config, backup: { everyHours: 24, drillEveryHours: 0, to: backup } };
    const stack = await dockerStack(test, dockerConfig(test, wanted));
    closing.push(() => cleanUp(stack, name));
    await keys(stack);
    succeeded(await stack.up());
    const { url, ca, passwords, endpoints } = (await stack.outputs()) as unknown as Outputs;
    return {
      ...{ passwords, endpoints },
      ask: (path, options) => call(`${url}${path}`, ca, options),
      async sh(script, network: "app" | "data" = "data") {
        const { status, body } = await inContainer(
          { image: localImage("toolbox"), network: `${name}-${network}` },
          script,
        );
        expect({ status, body }).toMatchObject({ status: 0 });
        return body.trim();
      },
    };
  }

  async function swarm(): Promise<Side> {
    const restore = { from: backup, stack: name, at: "latest" };
    const stack = await swarmStack({ cluster, name, system, config: { ...move.config, restore } });
    closing.push(() => stack.dispose());
    await keys(stack);
    succeeded(await stack.up());
    succeeded(await stack.preview(["--expect-no-changes"]));
    const { url, ca, passwords, endpoints } = (await stack.outputs()) as unknown as Outputs;
    const client = new Client(cluster.address("m1"), ca);
    closing.push(() => client.close());
    const { toolbox = "" } = await pushed(cluster);
    return {
      ...{ passwords, endpoints },
      ask: (path, options) => client.call(`${url}${path}`, options),
      async sh(script, network: "app" | "data" = "data") {
        const { status, output } = await onNetwork(cluster.manager(), toolbox, `${name}-${network}`, script);
        expect({ status, output }).toMatchObject({ status: 0 });
        return output.replaceAll("\r\n", "\n").trim(); // as a terminal ends lines
      },
    };
  }

  test(
    "what was saved on one host is on the swarm, under new passwords, and the pilot still has it",
    async () => {
      const before = await pilot();
      await move.fill(before);
      const there = await move.content(before);
      const ids = await containerIds(name);
      const containers = (parts: readonly string[]) => parts.map((part) => engine.getContainer(ids[part] ?? ""));
      const began = Date.now();
      for (const each of containers(["edge", ...move.writers])) await each.stop();
      expect(await inContainer({ container: ids["backup-1"] ?? "" }, "backup once")).toMatchObject({ status: 0 });
      for (const each of containers(["backup-1"])) await each.stop();
      const after = await swarm();
      process.stdout.write(`${system}: moved in ${String(Math.round((Date.now() - began) / 1000))} s\n`);
      expect(await move.content(after)).toEqual(there);
      expect(Object.values(after.passwords)).not.toEqual(expect.arrayContaining(Object.values(before.passwords)));
      for (const each of containers(["edge", ...move.writers, "backup-1"])) await each.start();
      const back = await eventually(async () => {
        const now = await move.content(before);
        expect(now).toEqual(there); // once the edge finds its backends
        return now;
      });
      expect(back).toEqual(there);
    },
    20 * minutes,
  );
});
