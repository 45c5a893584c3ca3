/** Arkindex on a real swarm of three daemons, with real servers: up, used, rolled, broken, taken away. */
import { createHash } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { serviceJobs } from "../../ops/job-service.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { eventually } from "../support/arkindex.ts";
import { hostile } from "../support/hostile.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import {
  Client,
  Load,
  onNetwork,
  pushed,
  swarmConfig,
  swarmStack,
  type SwarmTest,
  tasksOf,
} from "../support/swarm-stack.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "ark-swarm";
const closing: (() => Promise<void>)[] = [];
let cluster: Cluster;
let stack: TestStack;
let client: Client;
let outputs: { url: string; ca: string; passwords: Record<string, string>; places: { slots: Record<string, string> } };
const asked = (more: Partial<SwarmTest> = {}, arkindex: object = {}): SwarmTest => ({
  cluster,
  name,
  system: "arkindex",
  config: { arkindex: { backends: 2, ...arkindex } },
  ...more,
});

beforeAll(async () => {
  cluster = await Cluster.start({ name: "arkswarm", managers: 1, workers: 2 });
  closing.push(() => cluster.stop());
  stack = await swarmStack(asked());
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
  client = new Client(cluster.address("m1"), outputs.ca);
  closing.push(() => client.close());
}, 600_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, 120_000);

test("every service runs, the edge on the manager alone, the slots where their volume nodes are", async () => {
  const tasks = await tasksOf(cluster.manager(), name);
  expect(Object.fromEntries(Object.entries(tasks).map(([key, all]) => [key, all.length]))).toEqual({
    backend: 2,
    cantaloupe: 1,
    "db-1": 1,
    edge: 1,
    "objects-1": 1,
    "redis-1": 1,
    "solr-1": 1,
    worker: 1,
  });
  expect(tasks.edge).toEqual(["running m1"]);
  for (const [slot, node] of Object.entries(outputs.places.slots)) expect(tasks[slot]).toEqual([`running ${node}`]);
});

test("a second preview and a refresh find nothing", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
  const refresh = await stack.run(["refresh", "--preview-only", "--expect-no-changes"]);
  succeeded(refresh);
}, 120_000);

test("a client outside the swarm, through the edge", async () => {
  expect((await client.call(`${outputs.url}/`)).body).toContain("rehearsal");
  expect(await client.call(`${outputs.url}/health`)).toMatchObject({ status: 200 });
  expect(await client.call(`${outputs.url}/iiif/2/uploads%2Fnone/info.json`)).toMatchObject({ status: 404 });
  const elsewhere = new Client(cluster.address("w1"), outputs.ca);
  await expect(elsewhere.call(`${outputs.url}/`)).rejects.toThrow();
  await elsewhere.close();
});

/** What Docker makes of a task that started while a leader was elected: all is well with it, but for its name. */
test("a task that the swarm's DNS does not know is replaced, though another replica is known", async () => {
  const manager = cluster.manager();
  const services = (await manager.listServices()) as { Spec: Docker.CreateServiceOptions }[];
  const spec = services.find(({ Spec }) => Spec.Name === `${name}-backend`)?.Spec;
  const networks = spec?.TaskTemplate?.Networks ?? [];
  expect(networks.map(({ Aliases }) => Aliases)).toContainEqual(["backend"]);
  const nameless = await manager.createService({
    ...spec,
    Name: "nameless",
    Mode: { Replicated: { Replicas: 1 } },
    TaskTemplate: { ...spec?.TaskTemplate, Networks: networks.map(({ Target }) => ({ Target })) },
  });
  try {
    const first = await eventually(
      async () => (await tasksEver("nameless")).find(({ State }) => State === "complete"),
      150,
    );
    const kept = cluster.nodes.map((node) =>
      cluster.dockerOf(node).getContainer(first.ContainerStatus?.ContainerID ?? ""),
    );
    const { State } = await Promise.any(kept.map((container) => container.inspect()));
    expect(State.Health).toMatchObject({ Status: "unhealthy" });
    expect(State.Health?.Log.at(-1)?.Output).toContain("the swarm's DNS does not know this task as backend");
  } finally {
    await nameless.remove();
  }
  expect((await tasksEver(`${name}-backend`)).map(({ State }) => State)).toEqual(["running", "running"]);
}, 180_000);

test("psql from the data network, on another node than the database's", async () => {
  const node = cluster.nodes.find((each) => each !== outputs.places.slots["db-1"]) ?? "m1";
  const { toolbox = "" } = await pushed(cluster);
  const engine = cluster.dockerOf(node);
  const script = `PGPASSWORD='${outputs.passwords.db ?? ""}' psql -At -h db-1 -U app arkindex -c 'select postgis_version()'`;
  const { status, output } = await onNetwork(engine, toolbox, `${name}-data`, script);
  expect(output).toMatch(/^3\.\d/);
  expect(status).toBe(0);
}, 120_000);

/** The engine takes variables and mounts for templates; a value must come out as it was written. */
test("a job's variables and the path of its mount are what was asked for, whatever they hold", async () => {
  const { toolbox = "" } = await pushed(cluster);
  const env = Object.fromEntries(hostile.map((value, index) => [`V${String(index)}`, value]));
  const told =
    'for name in ${!V*}; do printf "%s %s\\n" "$name" "$(printf %s "${!name}" | sha256sum)"; done; ls -d /data*';
  const run = await serviceJobs(cluster.manager()).make({
    ...{ host: "", name: "hostile", image: toolbox, networks: [], seconds: 60, trigger: "1" },
    command: ["bash", "-euc", told],
    entrypoint: [],
    env,
    mounts: [{ source: "hostile", path: "/data{{.Node.ID}}" }],
  });
  try {
    const ending = await eventually(() => run.ending(), 60);
    expect(ending.why).toBeUndefined();
    const lines = (await run.lines(1000, [])).join("\n");
    for (const [name, value] of Object.entries(env))
      expect(lines).toContain(`${name} ${createHash("sha256").update(value).digest("hex")}`);
    expect(lines).toContain("/data{{.Node.ID}}");
  } finally {
    await run.remove();
  }
}, 120_000);

test("no secret in plain, in the state or in what the swarm's API shows", async () => {
  const engine = cluster.manager();
  const seen = JSON.stringify([
    await stack.state(),
    await engine.listServices(),
    await engine.listTasks(),
    await engine.listSecrets(),
    ((await engine.listConfigs()) as { Spec: { Data: string } }[]).map(({ Spec }) =>
      Buffer.from(Spec.Data, "base64").toString(),
    ),
  ]);
  const secrets = await generatedSecrets(stack);
  expect(Object.keys(secrets).length).toBeGreaterThanOrEqual(5);
  expect(leaks(seen, secrets)).toEqual([]);
});

test("a rotated secret rolls in place, loses no request, and the old one is gone", async () => {
  const before = await named();
  await stack.configure(await swarmConfig(asked({}, { features: { signup: true } })));
  const { lost, sent, result } = await underLoad(() => stack.up());
  succeeded(result);
  expect(lost).toEqual([]);
  expect(sent).toBeGreaterThan(100);
  const after = await named();
  expect(after.services).toEqual(before.services);
  const changed = (of: string[], others: string[]) =>
    of
      .filter((each) => !others.includes(each))
      .map(plain)
      .sort();
  const configs = ["arkindex-backend-run-arkindex-config-yml", "arkindex-worker-run-arkindex-config-yml"];
  expect(changed(before.secrets, after.secrets)).toEqual(configs);
  expect(changed(after.secrets, before.secrets)).toEqual(configs);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

test("a broken image is rolled back and named, twice; turned back, all is as before, and nothing is in use", async () => {
  const { postgis = "" } = await pushed(cluster);
  const images = { "arkindex/cantaloupe": postgis }; // whose server refuses to run as root
  await stack.configure(await swarmConfig(asked({ images }, { features: { signup: true } })));
  const { lost, result: first } = await underLoad(() => stack.up());
  for (const { code, output } of [first, await stack.up()]) {
    expect(code).not.toBe(0);
    expect(output).toContain(`${name}-cantaloupe did not become healthy: its update was rolled back`);
    expect(output).toMatch(/cantaloupe\.1 on node \w+: task: non-zero exit/);
    expect(output).not.toContain("in use");
  }
  expect(lost).toEqual([]);
  expect((await tasksOf(cluster.manager(), name)).cantaloupe).toHaveLength(1);
  expect(await client.call(`${outputs.url}/iiif/2/uploads%2Fnone/info.json`)).toMatchObject({ status: 404 });
  await stack.configure(await swarmConfig(asked({}, { features: { signup: true } })));
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 400_000);

test("an image that nobody has, and a node that is not there, are refused before anything is made", async () => {
  const images = { "arkindex/cantaloupe": `${cluster.registry}/no/such:1` };
  const swarm = { nodes: { gone: { labels: { disk: "fast" } } } };
  await stack.configure(await swarmConfig(asked({ images, swarm }, { features: { signup: true } })));
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toContain("2 problems, nothing was changed");
  expect(output).toContain("swarm.nodes.gone: no such node; there are m1 (manager, ready, active)");
  expect(output).toContain(`images.arkindex/cantaloupe = "${cluster.registry}/no/such:1": the manager cannot find it`);
}, 60_000);

test("destroy leaves nothing on the swarm but the volumes on the nodes", async () => {
  await stack.configure(await swarmConfig(asked({}, { features: { signup: true } })));
  succeeded(await stack.destroy());
  expect(await named()).toEqual({ services: {}, secrets: [], configs: [], networks: [] });
  const nodes = (await cluster.manager().listNodes()) as { Spec: { Labels: object } }[];
  for (const { Spec } of nodes) expect(Spec.Labels).toEqual({});
  await stack.dispose();
}, 180_000);

async function underLoad<T>(work: () => Promise<T>) {
  const load = new Load(cluster.address("m1"), outputs.ca, `${outputs.url}/api/v1/`);
  const result = await work().finally(() => new Promise((resolve) => setTimeout(resolve, 2000)));
  return { ...(await load.stop()), result };
}

/** What became of every task of the service, also of those that have ended. */
async function tasksEver(service: string) {
  const tasks = (await cluster.manager().listTasks({ filters: { service: [service] } })) as {
    Status: { State: string; ContainerStatus?: { ContainerID: string } };
  }[];
  return tasks.map(({ Status }) => Status);
}

/** What the swarm has of this stack: services with their ids, and the names of the rest. */
async function named() {
  const engine = cluster.manager();
  const filters = { label: [`platform-topologies.name=${name}`] };
  const services = (await engine.listServices({ filters })) as { ID: string; Spec: { Name: string } }[];
  const names = (all: unknown) => (all as { Spec: { Name: string } }[]).map(({ Spec }) => Spec.Name).sort();
  return {
    services: Object.fromEntries(services.map(({ ID, Spec }) => [Spec.Name, ID])),
    secrets: names(await engine.listSecrets({ filters })),
    configs: names(await engine.listConfigs({ filters })),
    networks: (await engine.listNetworks({ filters })).map(({ Name }) => Name),
  };
}

/** Without the provider's random ending. */
function plain(file: string): string {
  return file.replace(/-[0-9a-f]{7}$/, "");
}
