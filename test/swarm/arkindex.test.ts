/**
 * Arkindex on a swarm of three managers and two workers, with real servers: each node loses its power, one is drained,
 * one is added, replicas come and go, an image changes; all of it under a steady load from outside. The application
 * rehearses.
 */
import { rm } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { pushAs } from "../../tools/swarm/push.ts";
import { nodesOf } from "../../tools/swarm/swarm.ts";
import { asProbedForReal, localImage } from "../support/arkindex.ts";
import { powerCut } from "../support/failure.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { eventually } from "../support/swarm.ts";
import {
  accepts,
  Client,
  Load,
  onNetwork,
  pushed,
  swarmConfig,
  swarmStack,
  type SwarmTest,
  tasksOf,
} from "../support/swarm-stack.ts";
import { Stores } from "./arkindex-stores.ts";

const name = "ark-power";
const minutes = 60_000;
/** The nodes that clients call. */
const edges = ["m1", "m2"];
const closing: (() => Promise<void>)[] = [];
let cluster: Cluster;
let stack: TestStack;
let toolbox: string;
let stores: Stores;
let clients: Map<string, Client>;
let outputs: { url: string; ca: string; places: { nodes: Record<string, string>; slots: Record<string, string> } };

/** The config as it is now; tests add to it. */
const wish: { arkindex: Record<string, unknown>; swarm: Record<string, unknown>; images: Record<string, string> } = {
  arkindex: { backends: 2 },
  swarm: {},
  images: {},
};
const nodes = (more: object = {}) => ({
  ...Object.fromEntries(edges.map((edge) => [edge, { address: cluster.address(edge), labels: { edge: "yes" } }])),
  ...more,
});
const wanted = (): SwarmTest => ({
  ...{ cluster, name, system: "arkindex", before: asProbedForReal, images: wish.images },
  config: { arkindex: wish.arkindex },
  swarm: { nodes: nodes(), edge: { nodes: { edge: "yes" } }, ...wish.swarm },
});

beforeAll(async () => {
  cluster = await Cluster.start({ name, network: "10.213.161", managers: 3, workers: 2 });
  closing.push(() => cluster.stop());
  stack = await swarmStack(wanted());
  closing.push(() => rm(stack.folder, { recursive: true })); // its cluster goes whole
  const began = Date.now();
  // On two cores that do much else, the new Solr's first answer may take longer than the four seconds of the rehearsal.
  const first = await stack.up();
  succeeded(first.code === 0 ? first : await stack.up());
  process.stdout.write(`up: ${String(Math.round((Date.now() - began) / 1000))} s\n`);
  outputs = (await stack.outputs()) as typeof outputs;
  clients = new Map(edges.map((edge) => [edge, new Client(cluster.address(edge), outputs.ca, { keepAlive: false })]));
  closing.push(async () => {
    for (const client of clients.values()) await client.close();
  });
  ({ toolbox = "" } = await pushed(cluster));
  stores = new Stores({ cluster, name, url: outputs.url, toolbox });
  process.stdout.write(`slots: ${JSON.stringify(outputs.places.slots)}\n`);
}, 15 * minutes);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 5 * minutes);

/** Through another node than this one. */
const edgeBut = (node: string) => edges.find((edge) => edge !== node) ?? "m1";
const clientBut = (node = "") => clients.get(edgeBut(node)) ?? new Client(cluster.address("m1"), outputs.ca);
/** Reads rows of the database, through edge and backend. */
const rowsPath = "/rehearsal/rows";
const load = (path = rowsPath, edge = "m1") =>
  new Load(cluster.address(edge), outputs.ca, `${outputs.url}${path}`, { perSecond: 10 });
const tasks = () => tasksOf(cluster.manager(), name);
const slotsOn = (node: string) =>
  Object.keys(outputs.places.slots).filter((slot) => outputs.places.slots[slot] === node);
const expectEmptyPreview = async () => {
  succeeded(await stack.preview(["--expect-no-changes", "--diff"]));
};
/**
 * While a node is away the preview says so of each slot that waits for it, and has their gates wait. `others`: how many
 * further resources it updates.
 */
const expectPreviewWithout = async (node: string, others = 0) => {
  const slots = slotsOn(node);
  if (slots.length === 0 && others === 0) return expectEmptyPreview();
  const { code, output } = await stack.preview(["--diff"]);
  expect(code === 0).toBe(slots.length === 0);
  saysAway(output, node);
  const gates = slots.length === 0 ? "" : String.raw` +\+-${String(slots.length)} to replace\n.*\d+ changes\.`;
  const identity = slots.length === 0 ? 0 : 1; // it notes the gates' new round
  expect(output).toMatch(
    new RegExp(String.raw`Resources:\n +~ ${String(others + identity)} to update\n${gates} +\d+ unchanged`),
  );
};
function saysAway(output: string, node: string): void {
  for (const slot of slotsOn(node))
    expect(output).toMatch(new RegExp(`service ${name}-${slot} does not work: its node ${node} is (down|drained)`));
}

async function containerSpec(service: string): Promise<{ Image?: string }> {
  const { Spec } = (await cluster.manager().getService(`${name}-${service}`).inspect()) as {
    Spec: { TaskTemplate: { ContainerSpec: { Image: string } } };
  };
  return Spec.TaskTemplate.ContainerSpec;
}

async function up(): Promise<void> {
  succeeded(await stack.up());
}

async function underLoad(work: () => Promise<void>) {
  const began = load();
  try {
    await work();
    await new Promise((resolve) => setTimeout(resolve, 2000));
  } finally {
    const { sent, lost, slowest } = await began.stop();
    process.stdout.write(`${String(sent)} requests, ${String(lost.length)} lost, slowest ${String(slowest)} ms\n`);
  }
  return began.tally;
}

/** An `up` with the config as it is now, which loses no request. */
async function upUnderLoad(): Promise<void> {
  await stack.configure(await swarmConfig(wanted()));
  const { sent, lost } = await underLoad(up);
  expect(lost).toEqual([]);
  expect(sent).toBeGreaterThan(50);
}

async function leader(): Promise<string> {
  const all = (await nodesOf(cluster.manager())) as { Description: { Hostname: string }; ManagerStatus?: object }[];
  return all.find(({ ManagerStatus }) => ManagerStatus && "Leader" in ManagerStatus)?.Description.Hostname ?? "";
}

test(
  "all run, the edge on two managers, each slot where its volume node is; a second preview is empty",
  async () => {
    const seen = await tasks();
    expect(Object.values(seen).flat()).toEqual(
      Object.values(seen)
        .flat()
        .filter((task) => task.startsWith("running ")),
    );
    expect(seen.edge).toEqual(edges.map((edge) => `running ${edge}`));
    expect(new Set(seen.backend).size).toBe(2);
    for (const service of ["backend", "cantaloupe", "worker"])
      expect(JSON.stringify(await containerSpec(service))).not.toContain('"rehearse","health"'); // the transform has worked
    for (const [slot, node] of Object.entries(outputs.places.slots)) expect(seen[slot]).toEqual([`running ${node}`]);
    expect(new Set(Object.values(outputs.places.slots)).size).toBe(4);
    expect(outputs.places.nodes).toEqual(Object.fromEntries(edges.map((edge) => [edge, cluster.address(edge)])));
    await expectEmptyPreview();
    // The preview took all of the machine, and an edge leaves out backends that were late with an answer.
    for (const edge of edges)
      await eventually(
        30,
        async () => clients.get(edge)?.call(`${outputs.url}/health`),
        (answer) => answer?.status === 200,
      );
  },
  3 * minutes,
);

test(
  "no path from edge to data, by name or by address, and nothing published but the edge",
  async () => {
    const engine = cluster.manager();
    const hosts = (
      await Promise.all(["db-1", "redis-1", "solr-1"].map(async (slot) => [slot, await addressOf(slot)]))
    ).flat();
    // In each server's own protocol: a connection that is accepted proves nothing.
    const script = `for host in ${hosts.join(" ")}; do
  pg_isready -q -h $host -t 3 && echo $host db
  timeout 3 redis-cli -h $host ping 2>&1 | grep -q PONG && echo $host redis
  curl -fsS -m 3 -o /dev/null http://$host:8983/solr/admin/info/health 2>/dev/null && echo $host solr
done; true`;
    const asked = async (network: string) =>
      (await onNetwork(engine, toolbox, `${name}-${network}`, script)).output
        .split(/\r?\n/)
        .filter((line) => line !== "");
    const kinds = ["db", "db", "redis", "redis", "solr", "solr"];
    expect(await asked("data")).toEqual(hosts.map((host, index) => `${host} ${kinds[index] ?? ""}`));
    expect(await asked("edge")).toEqual([]);

    const services = (await engine.listServices()) as {
      Spec: { Name: string };
      Endpoint: { Ports?: { PublishedPort: number }[] };
    }[];
    const published = services.flatMap(({ Spec, Endpoint }) =>
      (Endpoint.Ports ?? []).map(({ PublishedPort }) => [Spec.Name, PublishedPort]),
    );
    expect(published.sort()).toEqual([
      [`${name}-edge`, 443],
      [`${name}-edge`, 80],
    ]);
    for (const node of cluster.nodes) {
      const listening = (await cluster.exec(node, "ss", "-Hltn"))
        .split("\n")
        .map((line) => Number(/:(\d+)\s/.exec(line)?.[1]));
      const own = [2375, ...(node.startsWith("m") ? [2377] : []), 7946]; // the daemon's API for the tests, the swarm's own
      const open = edges.includes(node) ? [80, 443] : [];
      expect([...new Set(listening)].sort((a, b) => a - b)).toEqual([...open, ...own]);
      for (const port of [80, 443, 5432, 6379, 8983, 9000, 8080, 8000, 8182])
        expect([node, port, await accepts(cluster.address(node), port)]).toEqual([node, port, open.includes(port)]);
    }
  },
  3 * minutes,
);

/** A slot's address on the data network. */
async function addressOf(slot: string): Promise<string> {
  const filters = { service: [`${name}-${slot}`], "desired-state": ["running"] };
  const [task] = (await cluster.manager().listTasks({ filters })) as {
    NetworksAttachments: { Network: { Spec: { Name: string } }; Addresses: string[] }[];
  }[];
  const data = task?.NetworksAttachments.find(({ Network }) => Network.Spec.Name === `${name}-data`);
  return data?.Addresses[0]?.split("/")[0] ?? "";
}

test(
  "a drained node: its replicas move, no request is lost, the preview has only what cannot move; then it takes tasks again",
  async () => {
    const { backend: backends = [] } = await tasks();
    const kept = ["m1", outputs.places.slots["db-1"]]; // what the load goes through
    const node = cluster.nodes.find((each) => backends.includes(`running ${each}`) && !kept.includes(each));
    if (node === undefined) throw new Error(`no node to drain: ${backends.join()}`);
    const availability = async (to: string) => {
      const { ID, Spec, Version } = (await nodesOf(cluster.manager())).find(
        (each) => each.Description.Hostname === node,
      ) ?? {
        ID: "",
      };
      await cluster
        .manager()
        .getNode(ID)
        .update({ ...Spec, Availability: to, version: Version?.Index });
    };
    try {
      const { lost, sent } = await underLoad(async () => {
        await availability("drain");
        await eventually(120, tasks, (now) =>
          Object.entries({ backend: 2, worker: 1, cantaloupe: 1 }).every(([service, replicas]) => {
            const elsewhere = (task: string) => task.startsWith("running ") && task !== `running ${node}`;
            return now[service]?.length === replicas && now[service].every(elsewhere);
          }),
        );
        await expectPreviewWithout(node);
      });
      expect(lost).toEqual([]);
      expect(sent).toBeGreaterThan(50);
    } finally {
      await availability("active");
    }
    await whole();
  },
  5 * minutes,
);

test(
  "backends from two to four and back lose no request",
  async () => {
    for (const backends of [4, 2]) {
      wish.arkindex = { ...wish.arkindex, backends };
      await upUnderLoad();
      expect((await tasks()).backend).toHaveLength(backends);
    }
  },
  8 * minutes,
);

test(
  "a new image rolls through without losing a request",
  async () => {
    const to = "platform-topologies/rehearsal:rolled";
    await pushAs(cluster.registry, [{ from: localImage("rehearsal"), to }]);
    wish.images = { rehearsal: `${cluster.registry}/${to}` };
    await upUnderLoad();
    const services = (await cluster.manager().listServices({ filters: { name: [`${name}-backend`] } })) as {
      Spec: { TaskTemplate: { ContainerSpec: { Image: string } } };
    }[];
    expect(services[0]?.Spec.TaskTemplate.ContainerSpec.Image).toContain(`${to}@sha256:`);
    await expectEmptyPreview();
  },
  8 * minutes,
);

/** Until each service has its tasks, and the edges answer. */
async function whole(): Promise<void> {
  const due = { backend: 2, cantaloupe: 1, worker: 1, "db-1": 1, edge: 2, "objects-1": 1, "redis-1": 1, "solr-1": 1 };
  await eventually(180, tasks, (now) =>
    Object.entries(due).every(
      ([service, count]) => now[service]?.filter((task) => task.startsWith("running ")).length === count,
    ),
  );
  for (const client of clients.values())
    await eventually(
      60,
      () =>
        client.call(outputs.url + rowsPath).then(
          ({ status }) => status,
          () => 0,
        ),
      (status) => status === 200,
    );
}

/** What a cut costs the load, which goes on through another node's edge. */
async function cut(node: string, whileOff: (client: Client) => Promise<void>): Promise<void> {
  await whole();
  const slots = slotsOn(node);
  const isLeader = (await leader()) === node;
  const isEdge = edges.includes(node);
  const replicas = (await tasks()).backend?.filter((task) => task === `running ${node}`).length ?? 0;
  const client = clientBut(node);
  await stores.write(client, `before-${node}`);
  // While the database is away nothing can be read from it: the load then asks for a page that needs no store.
  const path = slots.includes("db-1") ? "/api/v1/" : rowsPath;
  const what = [
    ...(isLeader ? ["the leader"] : []),
    ...(isEdge ? ["an edge"] : []),
    ...slots,
    ...(replicas > 0 ? [`${String(replicas)} of the 2 backends`] : []),
    `load on ${path}`,
  ].join(", ");
  const failure = await powerCut({
    ...{ cluster, system: "arkindex", name, node, what, waits: slots },
    load: () => load(path, edgeBut(node)),
    whileOff: async () => {
      await stores.write(client, `during-${node}`, slots);
      await whileOff(client);
    },
    rowsLost: () =>
      eventually(
        90,
        () => stores.lost(client).catch(() => -1),
        (lost) => lost >= 0,
      ),
  });
  expect(failure.rows).toBe(0);
  // What a replica was answering when its node died is lost, and nothing else: others are tried instead.
  expect(failure.lost).toBeLessThanOrEqual(replicas > 0 ? 3 : 0);
  expect(failure.sent).toBeGreaterThan(200);
}

test(
  "the leader's power cut: another leads, and up goes through another manager, which only the provider shows",
  async () => {
    const first = await leader();
    expect(first).toBe("m1");
    await cut(first, async () => {
      expect(["m2", "m3"]).toContain(await leader());
      await expectPreviewWithout(first, 1); // the Docker provider has another manager
      wish.arkindex = { ...wish.arkindex, features: { signup: true } };
      await stack.configure(await swarmConfig(wanted()));
      const { code, output } = await stack.up(["--diff"]);
      expect(output).toContain(`~ host: "${cluster.host(first)}" => "${cluster.host("m2")}"`);
      // What needs a store that is away waits for the next run.
      expect(code === 0).toBe(slotsOn(first).length === 0);
      saysAway(output, first);
    });
    await up();
    expect((await tasks()).backend).toHaveLength(2);
    await expectEmptyPreview();
  },
  12 * minutes,
);

test.each(["m2", "m3", "w1", "w2"])(
  "a power cut of %s: services move, slots come back with their data",
  async (node) => {
    await cut(node, () => expectPreviewWithout(node));
  },
  10 * minutes,
);

test(
  "a further node gets its label, and what is placed there by it",
  async () => {
    const node = await cluster.addWorker();
    const labels = { pool: "apps" };
    wish.swarm = { nodes: nodes({ w2: { labels }, [node]: { labels } }), place: labels };
    await upUnderLoad();
    const seen = await tasks();
    expect(seen.backend).toEqual(["running w2", `running ${node}`]);
    expect([...(seen.worker ?? []), ...(seen.cantaloupe ?? [])].filter((task) => !/ w[23]$/.test(task))).toEqual([]);
    for (const [slot, where] of Object.entries(outputs.places.slots)) expect(seen[slot]).toEqual([`running ${where}`]);
    await expectEmptyPreview();
    expect(await stores.lost(clientBut())).toBe(0);
  },
  8 * minutes,
);
