/**
 * The reconciler and stores of three copies, on a real swarm with real servers: a node is lost for good, and each of its
 * members of PostgreSQL (with its etcd), Redis, Solr and the object store gets a new disk elsewhere, while writers go on.
 */
import { rm } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { SwarmRetirements } from "../../components/topologies/swarm/retirements.ts";
import { reconciler } from "../../reconciler/index.ts";
import { usual } from "../../reconciler/judgement.ts";
import { images as provide } from "../../tools/images/index.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { asProbedForReal } from "../support/arkindex.ts";
import { tell } from "../support/failure.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { onEachNode, swarmConfig, swarmStack, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";
import { untilWell } from "../support/until-well.ts";

const name = "copied";
const system = "arkindex";
const patience = 7_200_000;
const closing: (() => Promise<unknown>)[] = [];
const said: string[] = [];
let cluster: Cluster;
let stack: TestStack;
let toolbox: string;

/** The second of each store is on the worker first, and may be on any manager later. */
const placed = `pulumi.runtime.registerResourceTransform(({ type, props, opts }) => {
  if (type !== "platform-topologies:index:VolumeNode") return undefined;
  const constraints = pulumi.all([props.name, props.generation]).apply(([name, word]) => ({
    role: name.endsWith("-2") && word === "" ? "worker" : "manager",
  }));
  return { props: { ...props, constraints }, opts };
});`;
const wanted = () => ({
  ...{ cluster, name, system, before: asProbedForReal + placed },
  config: {
    copies: 3,
    arkindex: { solrMemoryMib: 300, redisMemoryMib: 32, postgresGib: 2, solrGib: 2, objectsGib: 2 },
  },
});

beforeAll(async () => {
  await provide(() => undefined, ["garage"]); // an hour, once on a machine
  // A busy machine's nodes are silent for longer than the usual fifteen seconds.
  cluster = await Cluster.start({ name, network: "10.213.176", managers: 3, workers: 1, heartbeatSeconds: 15 });
  closing.push(() => cluster.stop());
  const images = await onEachNode(cluster, [
    "toolbox",
    "rehearsal",
    "postgres-ha",
    "haproxy",
    "redis",
    "solr",
    "garage",
    "traefik",
  ]);
  toolbox = images.toolbox ?? "";
  const began = Date.now();
  stack = await swarmStack(wanted());
  closing.push(() => rm(stack.folder, { recursive: true })); // what the stack made goes with the swarm
  succeeded(await stack.up());
  took("up", began);
}, patience);
afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 300_000);

/** Seconds. */
function took(what: string, since: number): number {
  const seconds = Math.round((Date.now() - since) / 100) / 10;
  process.stdout.write(`reconciler: ${what}: ${String(seconds)} s\n`);
  return seconds;
}

interface Outputs {
  readonly endpoints: Readonly<
    Record<string, { readonly host: string; readonly port: number; readonly user?: string }>
  >;
  readonly passwords: Readonly<Record<string, string>>;
}

/** How a write to each store is told to have been acknowledged, and how all are read. `$n` is a number. */
const stores = {
  db: { write: 'psql -qXc "INSERT INTO ledger VALUES ($n)"', read: 'psql -XAtc "SELECT n FROM ledger"' },
  redis: {
    write: '[ "$(timeout 5 redis-cli -h redis-proxy set "ledger:$n" 1)" = OK ]',
    read: "redis-cli -h redis-proxy keys 'ledger:*' | sed 's/.*://'",
  },
  solr: {
    write: `curl -fsS -m 5 -H 'content-type: application/json' "http://solr-proxy:8983/solr/arkindex/update?commitWithin=1000" -d "[{\\"id\\":\\"ledger-$n\\"}]"`,
    read: "curl -fsS 'http://solr-proxy:8983/solr/arkindex/select?q=id:ledger-*&fl=id&rows=100000' | jq -r '.response.docs[].id' | sed 's/.*-//'",
  },
  objects: {
    write: 'echo "$n" | timeout 20 rclone rcat "store:uploads/ledger/$n"',
    read: "rclone lsf store:uploads/ledger",
  },
} as const;
type Store = keyof typeof stores;
const all = Object.keys(stores) as Store[];

/** A container of the stores' clients, in all their networks, on a manager. */
async function client(script: string): Promise<Docker.Container> {
  const { endpoints, passwords } = (await stack.outputs()) as unknown as Outputs;
  const { db, objects } = endpoints;
  const engine = cluster.dockerOf("m1");
  const container = await engine.createContainer({
    Image: toolbox,
    Entrypoint: ["bash", "-uc", script],
    Cmd: [],
    Tty: true, // one plain stream
    Env: [
      ...["PAGER=cat", `PGHOST=${db?.host ?? ""}`, `PGUSER=${db?.user ?? ""}`, `PGPASSWORD=${passwords.db ?? ""}`],
      ...[
        "PGDATABASE=arkindex",
        "PGCONNECT_TIMEOUT=3",
        "RCLONE_CONFIG_STORE_TYPE=s3",
        "RCLONE_CONFIG_STORE_PROVIDER=Other",
      ],
      ...["RCLONE_CONFIG_STORE_REGION=us-east-1", `RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY=${passwords.objects ?? ""}`],
      `RCLONE_CONFIG_STORE_ENDPOINT=http://${objects?.host ?? ""}:${String(objects?.port ?? 0)}`,
      `RCLONE_CONFIG_STORE_ACCESS_KEY_ID=${objects?.user ?? ""}`,
    ],
    HostConfig: { NetworkMode: `${name}-data`, Init: true },
  });
  await engine.getNetwork(`${name}-app`).connect({ Container: container.id });
  await container.start();
  return container;
}

async function linesOf(container: Docker.Container): Promise<string[]> {
  const log = await container.logs({ stdout: true, stderr: true, follow: false });
  await container.remove({ force: true });
  return log.toString().split(/\r?\n/);
}

/** What a script prints there. */
async function run(script: string): Promise<string[]> {
  const container = await client(script);
  const { StatusCode } = (await container.wait()) as { StatusCode: number };
  const lines = await linesOf(container);
  if (StatusCode !== 0) throw new Error(`${script}: ${lines.join("\n")}`);
  return lines;
}

interface Ledger {
  readonly acknowledged: ReadonlySet<string>;
  /** The longest time without an acknowledged write, in seconds. */
  readonly gap: number;
}

/** Writers that go on beside each other, a number a second into each store, until their end. */
class Writers {
  readonly #container: Docker.Container;

  private constructor(container: Docker.Container) {
    this.#container = container;
  }

  static async begin(): Promise<Writers> {
    const loops = all.map(
      (store) =>
        `( n=0; while :; do n=$((n+1)); if { ${stores[store].write}; } >/dev/null 2>&1; then echo "${store} $n $(date +%s)"; fi; sleep 1; done ) &`,
    );
    return new Writers(await client([...loops, "wait"].join("\n")));
  }

  async end(): Promise<Readonly<Record<Store, Ledger>>> {
    await this.#container.kill();
    const lines = (await linesOf(this.#container)).map((line) => line.split(" "));
    const of = (store: Store): Ledger => {
      const mine = lines.filter(([each]) => each === store);
      const times = mine.map(([, , at]) => Number(at));
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
      return { acknowledged: new Set(mine.flatMap(([, n = ""]) => n)), gap: Math.max(0, ...gaps) };
    };
    return { db: of("db"), redis: of("redis"), solr: of("solr"), objects: of("objects") };
  }
}

test(
  "a node is lost for good: each of its members gets a new disk elsewhere, and no acknowledged write is lost",
  async () => {
    const watcher = await reconciler({
      config: async () =>
        Object.fromEntries(
          Object.entries(await swarmConfig(wanted())).map(([key, value]) => [
            key.replace("platform-topologies:", ""),
            value,
          ]),
        ),
      stack: "test",
      pulumi: (args) => stack.run(args),
      say: (line) => {
        said.push(line);
        process.stdout.write(`reconciler: ${line}\n`);
      },
      policy: { ...usual, graceSeconds: 30 },
      limits: { everySeconds: 0 },
    });
    expect(await watcher.once()).toBe(true);
    expect(said).toEqual([]);
    await run("psql -qXc 'CREATE TABLE ledger (n int PRIMARY KEY)'");
    const writers = await Writers.begin();
    const began = Date.now();
    await cluster.kill("w1");
    const lost = ["db-2", "db-etcd-2", "objects-garage-2", "redis-2", "solr-2"];
    const away = async () => {
      const tasks = await tasksOf(cluster.manager(), name);
      return lost.filter((slot) => tasks[slot]?.every((task) => task.startsWith("pending")));
    };
    await eventually(240, away, (slots) => slots.length === lost.length);
    await untilWell(watcher, 2400);
    const back = took("each has a new disk elsewhere", began);
    const ledgers = await writers.end();
    const kept = Object.fromEntries(
      await Promise.all(
        all.map(async (store) => [store, new Set(await run(`set -eo pipefail; ${stores[store].read}`))] as const),
      ),
    );
    const missing = all.map((store) => [...ledgers[store].acknowledged].filter((n) => kept[store]?.has(n) !== true));
    for (const [index, store] of all.entries()) {
      const { acknowledged, gap } = ledgers[store];
      process.stdout.write(
        `reconciler: ${store}: ${String(acknowledged.size)} writes, none for ${String(gap)} s, ${String(missing[index]?.length)} lost\n`,
      );
      expect(acknowledged.size).toBeGreaterThan(50);
    }
    tell({ system, killed: "w1 for good: each store's member has a new disk", back, rows: missing.flat().length });
    expect(missing.flat()).toEqual([]);
    const { retirements } = await new SwarmRetirements([cluster.host("m1")], name).latest();
    expect(retirements.retired).toEqual({});
    // An etcd goes with its server, whose machine it shares.
    expect(retirements.history.map(({ member, disk, outcome }) => [member, disk, outcome]).sort()).toEqual(
      ["db-2", "objects-garage-2", "redis-2", "solr-2"].map((member) => [member, true, "done"]),
    );
    // The config says nothing of it, and every up knows.
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  patience,
);
