/** Three PostgreSQL servers on a swarm of three nodes: each node's power, and a node that is cut off from the others. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { Copies } from "../support/copies.ts";
import { held, Ledger, type Row } from "../support/ledger.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { placeOf, pulled, pushed, said } from "../support/swarm-stack.ts";

const name = "pg-swarm";
const patience = 900_000;
const members = ["db-1", "db-2", "db-3"];
let cluster: Cluster;
let copies: Copies;
let stack: TestStack;
let ledger: Ledger | undefined;
let images: Readonly<Record<string, string>>;

function program(more: object = {}): string {
  const site = { name, hostname: `${name}.example.com`, protect: false, images };
  const args = {
    managers: cluster.nodes.map((node) => cluster.host(node)),
    ...{ endpointMode: "dnsrr", encrypted: false, tls: { mode: "local" } },
  };
  const ask = { databases: ["shop"], clientTls: "never", gib: 4, copies: 3, ...more };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Postgres } from "${repo}/components/services/postgres.ts";
import { Swarm } from "${repo}/components/topologies/swarm/index.ts";
const site = siteOf(${JSON.stringify(site)});
const on = new Swarm("swarm", { site, ...${JSON.stringify(args)} });
const db = new Postgres("db", { on, ...${JSON.stringify(ask)} });
export const { host, password } = db.given;
`;
}

const leader = () => copies.leads("postgres", "db");
const whole = () => copies.whole({ db: "postgres" });

/** A client on a node that stays, while something happens and for some seconds more. */
async function written(but: string, what: string, seconds: number, happens: () => Promise<unknown>) {
  const { host, password } = (await stack.outputs()) as { host: string; password: string };
  ledger ??= new Ledger({ db: { kind: "postgres", host, user: "app", password, database: "shop" } });
  const engine = cluster.dockerOf(cluster.nodes.find((node) => node !== but) ?? "");
  const image = await pulled(engine, images["postgres-ha"] ?? "");
  const rows: readonly Row[] = await ledger.during({ engine, image, networks: [`${name}-data`] }, what, async () => {
    await happens();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  });
  return rows;
}

beforeAll(async () => {
  cluster = await Cluster.start({ name: "pgswarm", network: "10.213.174", managers: 3, workers: 0 });
  copies = new Copies(cluster, name);
  images = await pushed(cluster, ["postgres-ha", "postgis", "haproxy", "toolbox"]);
  stack = await TestStack.create({
    program: program(),
    config: { "pulumi:disable-default-providers": ["*"] },
  });
}, patience);

afterAll(async () => {
  await Ledger.sweep();
  await stack.dispose().finally(() => cluster.stop());
}, patience);

test(
  "each server is on a node of its own, with its etcd, and a second preview is empty",
  async () => {
    const began = Date.now();
    succeeded(await stack.up());
    process.stdout.write(`up: ${String(Math.round((Date.now() - began) / 1000))} s\n`);
    succeeded(await stack.preview(["--expect-no-changes"]));
    await whole();
    const nodes = await Promise.all(members.map(async (member) => (await placeOf(cluster, name, member)).node));
    expect(new Set(nodes).size).toBe(3);
    for (const [index, node] of nodes.entries())
      expect((await placeOf(cluster, name, `db-etcd-${String(index + 1)}`)).node).toBe(node);
  },
  patience,
);

test(
  "the leader's node loses its power: another leads in time, and it follows when it is back",
  async () => {
    const lost = await leader();
    const { node } = await placeOf(cluster, name, lost);
    held(await written(node, "the leader's node without power", 45, () => cluster.kill(node)), 25);
    expect(await leader()).not.toBe(lost);
    await cluster.start(node);
    await whole();
  },
  patience,
);

test(
  "a replica's node loses its power",
  async () => {
    const lead = await leader();
    const lost = members.find((member) => member !== lead) ?? "";
    const { node } = await placeOf(cluster, name, lost);
    held(await written(node, "a replica's node without power", 30, () => cluster.kill(node)), 20);
    await cluster.start(node);
    await whole();
  },
  patience,
);

test(
  "the leader's node is cut off from the others: it answers no commit, and follows when it is back",
  async () => {
    const lost = await leader();
    const { node, container } = await placeOf(cluster, name, lost);
    const both = ["in", "out"] as const;
    const tried = said(
      container,
      'sleep 8; timeout 15 psql -qU postgres -d shop -c "INSERT INTO ledger VALUES (-1)" >/dev/null 2>&1 && echo answered || echo refused',
    );
    // The swarm takes the container away when the node is back, and its last words may go with it.
    const inside = Promise.race([tried, new Promise((resolve) => setTimeout(resolve, 50_000, "nothing"))]);
    const found = await written(node, "the leader's node cut off", 45, () => cluster.cut(node, both));
    await cluster.heal(node, both);
    held(found, 25);
    expect(["refused", "nothing"]).toContain(await inside);
    await whole();
    const { container: now } = await placeOf(cluster, name, await leader());
    expect(
      await said(now, 'psql -XAtqU postgres -d shop -c "SELECT count(*) FROM ledger WHERE n = -1" | cat'), // no pager
    ).toBe("0");
  },
  patience,
);

test(
  "all nodes lose their power and come back: the store is there again by itself",
  async () => {
    for (const node of cluster.nodes) await cluster.kill(node);
    for (const node of cluster.nodes) await cluster.powerOn(node, []);
    await whole();
  },
  patience,
);
