/** PostgreSQL of three on a swarm brought back to a second, after its leader's node has lost its power. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { Copies } from "../support/copies.ts";
import { bucket, outsideStore, removeOutsideStore } from "../support/outside-store.ts";
import { runLabels } from "../support/run.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { answered, onNetwork, placeOf, pulled, pushed } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";
import { asOf, iso, ticksTable, ticksThere, ticksWriter } from "../support/ticks.ts";

const patience = 900_000;
const [old, fresh] = ["pitr-old", "pitr-new"];
const store = "pitr-swarm-s3";
const keys = { backupKey: "pitr-key-of-the-bucket", backupSecret: "pitr-secret-of-the-bucket" };
let cluster: Cluster;
let images: Readonly<Record<string, string>>;
let place: object;
let first: TestStack;
let second: TestStack | undefined;
let writer: Docker.Container | undefined;
/** Before the table goes. */
let dropped = 0;

function program(name: string, more: object): string {
  const site = {
    ...{ name, hostname: `${name}.example.com`, protect: false, copies: 3, images, secrets: keys },
    ...more,
  };
  const args = {
    managers: cluster.nodes.map((node) => cluster.host(node)),
    ...{ endpointMode: "dnsrr", encrypted: false, tls: { mode: "local" } },
  };
  return `import { z } from "${repo}/node_modules/zod/index.js";
import { siteOf } from "${repo}/components/core/site.ts";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { Swarm } from "${repo}/components/topologies/swarm/index.ts";
const system = (platform) => void platform.need("postgres", "db", { databases: ["shop"], clientTls: "never", gib: 4 });
class Shop extends SystemComponent {
  constructor(name, args) { super("shop:index:Shop", system, z.strictObject({}), name, args); }
}
const site = siteOf(${JSON.stringify(site)});
const on = new Swarm("swarm", { site, ...${JSON.stringify(args)} });
export const { passwords } = new Shop("shop", { on });
`;
}
const stackOf = (name: string, more: object): Promise<TestStack> =>
  TestStack.create({ program: program(name, more), config: { "pulumi:disable-default-providers": ["*"] } });

async function passwords(name: string): Promise<Readonly<Record<string, string>>> {
  const stack = name === old ? first : second;
  return ((await stack?.outputs()) as { passwords: Record<string, string> }).passwords;
}

/** As the superuser of the one that leads, from a node that is on. */
async function sql(name: string, statement: string): Promise<string> {
  const login = `PGPASSWORD='${(await passwords(name))["db-admin"] ?? ""}'`;
  const call = `${login} psql -XAtq -v ON_ERROR_STOP=1 -h db-proxy -U postgres -d shop -c "${statement}"`;
  const ask = () => onNetwork(cluster.manager(), images.toolbox ?? "", `${name}-data`, call).catch(failed);
  const { output } = await eventually(180, ask, ({ status }) => status === 0);
  return output.replaceAll("\r", "").trim();
}
const failed = (error: unknown) => ({ status: 1, output: String(error) });

const inBackup = async (script: string): Promise<string> =>
  answered((await placeOf(cluster, old, "backup")).container, script).catch(String);
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

beforeAll(async () => {
  cluster = await Cluster.start({ name: "pitrswarm", network: "10.213.182", managers: 3, workers: 0 });
  images = await pushed(cluster, ["postgres-ha", "postgis", "haproxy", "toolbox"]);
  const { endpoint } = await outsideStore({
    ...{ name: store, address: `${cluster.outside}:9038` },
    keys: [
      ["root-of-pitr", "root-word-of-pitr"],
      [keys.backupKey, keys.backupSecret],
    ],
  });
  place = { s3: { endpoint, bucket, region: "us-east-1" } };
  first = await stackOf(old, { backup: { everyHours: 24, keepDays: 14, to: place } });
}, patience);

afterAll(async () => {
  try {
    await writer?.remove({ force: true }); // it holds the network
    await second?.dispose();
    await first.dispose();
  } finally {
    await cluster.stop();
    await removeOutsideStore(store);
  }
}, patience);

test(
  "the log is saved through a power cut of the leader's node, up to after a table is dropped",
  async () => {
    succeeded(await first.up());
    await sql(old, ticksTable);
    await sql(old, "CREATE TABLE accounts AS SELECT g AS id FROM generate_series(1, 1000) g");
    await eventually(
      240,
      () => inBackup("backup runs"),
      (runs) => /^20\d\d/.test(runs),
    );
    const node = await new Copies(cluster, old).leadsAt("postgres", "db");
    const stays = cluster.dockerOf(cluster.nodes.find((each) => each !== node) ?? "");
    writer = await stays.createContainer({
      Image: await pulled(stays, images["postgres-ha"] ?? ""),
      Entrypoint: ["python3", "-c", ticksWriter],
      Cmd: [],
      Tty: true, // one plain stream
      Env: [`WORD=${(await passwords(old)).db ?? ""}`],
      Labels: runLabels,
      HostConfig: { NetworkMode: `${old}-data`, Init: true },
    });
    await writer.start();
    await pause(15);
    await cluster.kill(node);
    await pause(40);
    await cluster.start(node);
    await pause(10);
    dropped = Number(await sql(old, "SELECT floor(extract(epoch FROM clock_timestamp()))")) + 1;
    await pause(3);
    await sql(old, "DROP TABLE accounts");
    await pause(10);
    const saved = await eventually(
      180,
      () => inBackup("backup status"),
      (status) => Date.parse(/^log of db-1: up to (\S+)/m.exec(status)?.[1] ?? "") / 1000 > dropped + 10,
    );
    expect(saved).toContain("health: well");
    succeeded(await first.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "a new stack is as of the second before the table was dropped, after the failover",
  async () => {
    second = await stackOf(fresh, { restore: { from: place, stack: old, at: "latest", until: iso(dropped) } });
    const began = Date.now();
    succeeded(await second.up());
    process.stdout.write(`restored in ${String(Math.round((Date.now() - began) / 1000))} s\n`);
    expect(await sql(fresh, "SELECT count(*) FROM accounts")).toBe("1000");
    const written = await writer?.logs({ stdout: true, stderr: true });
    asOf(dropped, String(written).trim(), await sql(fresh, ticksThere));
    expect(await sql(fresh, "SELECT tableowner FROM pg_tables WHERE tablename = 'ticks'")).toBe("app");
    succeeded(await second.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "no secret is in the states or in what the swarm shows",
  async () => {
    for (const stack of [first, second ?? first]) {
      const secrets = { ...(await generatedSecrets(stack)), ...keys };
      expect(leaks(JSON.stringify(await cluster.manager().listServices()), secrets)).toEqual([]);
      expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
    }
  },
  patience,
);
