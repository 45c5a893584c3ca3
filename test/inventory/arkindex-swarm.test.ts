/** Arkindex on a swarm, as the program registers it: counts by type, and the values that matter. */
import { beforeAll, describe, expect, jest, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { Swarm, type SwarmArgs } from "../../components/topologies/swarm/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

jest.setTimeout(60_000); // on a busy machine one recording takes seconds

const site = (protect = true) =>
  siteOf({
    name: "ark",
    hostname: "ark.example.com",
    images: { toolbox: "toolbox:1", rehearsal: "rehearsal:1" },
    rehearsal: true,
    protect,
    copies: 1,
    backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: { path: "/srv/backup" } },
  });

function deploy(swarm: Partial<SwarmArgs> = {}, config: Partial<ConstructorParameters<typeof Arkindex>[1]> = {}) {
  return record(() => {
    const on = new Swarm("swarm", {
      site: site(),
      managers: ["tcp://10.0.0.1:2375"],
      nodes: { w1: { labels: { disk: "fast" } }, w2: { address: "192.0.2.2" } },
      tls: { mode: "local" },
      pin: (ref) => Promise.resolve(`${ref}@sha256:0`),
      ...swarm,
    });
    new Arkindex("arkindex", { backends: 2, ...config, on });
  });
}

let all: Registered[];
beforeAll(async () => {
  all = await deploy();
});

interface Spec {
  readonly name: string;
  readonly mode: object;
  readonly endpointSpec: { readonly mode: string; readonly ports?: object[] };
  readonly updateConfig: Record<string, unknown>;
  readonly taskSpec: {
    readonly networksAdvanceds: { readonly id: string; readonly aliases: string[] }[];
    readonly placement: { readonly constraints: string[] };
    readonly resources: object;
    readonly containerSpec: {
      readonly image: string;
      readonly env: Record<string, string>;
      readonly mounts?: {
        readonly source: string;
        readonly type: string;
        readonly volumeOptions?: { readonly labels: object[] };
      }[];
      readonly stopGracePeriod: string;
      readonly hostname?: string;
      readonly secrets?: { readonly fileName: string }[];
      readonly configs?: { readonly fileName: string }[];
    };
  };
}
const services = (of = all) =>
  new Map(
    of
      .filter(({ type }) => type === "docker:index/service:Service")
      .map(({ name, inputs }) => [name.replace("arkindex-", ""), inputs as unknown as Spec]),
  );
const service = (name: string, of = all): Spec => {
  const found = services(of).get(name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};
const stores = ["db-1", "redis-1", "objects-1", "solr-1"];

test("inventory", () => {
  expect(inventory(all)).toEqual({
    "docker:Network": 3, // edge, app, data
    "docker:Secret": 10, // one a secret file of a service; a job's are its own
    "docker:Service": 10, // edge, 4 stores, backend, worker, cantaloupe, backup, the drill's server
    "docker:ServiceConfig": 11,
    "platform-topologies:Certificate": 1,
    "platform-topologies:Job": 9, // set-up, migration, system workers, and a marker for each store's disk
    "platform-topologies:NodeLabels": 1, // w1; w2 has nothing to set
    "platform-topologies:VolumeNode": 4, // one a store
    "platform-topologies:ServiceEnd": 10, // one a service, and its gate
    "platform-topologies:ServiceGate": 10,
    "platform-topologies:StackIdentity": 1,
    "platform-topologies:Arkindex": 1,
    "platform-topologies:ObjectStore": 1,
    "platform-topologies:Postgres": 1,
    "platform-topologies:Redis": 1,
    "platform-topologies:Solr": 1,
    "platform-topologies:Swarm": 1,
    "pulumi:docker": 1,
    "pulumi:providers:platform-topologies": 1,
    "pulumi:random": 1,
    "random:RandomPassword": 4,
  });
});

test("every resource has a provider of its own topology, and component inputs are none", () => {
  for (const { custom, type, provider, name, inputs } of all) {
    if (!custom) expect(inputs).toEqual({});
    if (!custom || type.startsWith("pulumi:")) continue;
    const [packageName = ""] = type.split(":");
    expect(`${name} ${provider}`).toMatch(new RegExp(`Swarm\\$pulumi:providers:${packageName}::swarm-`));
  }
});

test("who is on which network, under which names", () => {
  const networks = Object.fromEntries(
    [...services()].map(([name, { taskSpec }]) => [
      name,
      taskSpec.networksAdvanceds.map(({ id }) => id.replace(/^swarm-(.*)-id$/, "$1")).join(" "),
    ]),
  );
  expect(networks).toEqual({
    edge: "edge",
    "db-1": "data",
    "redis-1": "data",
    "solr-1": "data",
    "objects-1": "edge app",
    backend: "edge app data",
    worker: "edge app data",
    cantaloupe: "edge app data",
    backup: "app data",
    "db-1-drill": "data",
  });
  expect(service("edge").taskSpec.networksAdvanceds[0]?.aliases).toEqual([
    "ark.example.com",
    "edge",
    "objects.ark.example.com",
  ]);
  expect(service("backend").taskSpec.networksAdvanceds[2]?.aliases).toEqual(["backend"]);
  const made = all.filter(({ type }) => type === "docker:index/network:Network");
  for (const { name, inputs } of made)
    expect(inputs).toMatchObject({
      driver: "overlay",
      attachable: true,
      internal: name === "swarm-data",
      options: { encrypted: "true" },
    });
});

describe("every service", () => {
  test("only the edge publishes ports, on the managers' own", () => {
    expect(
      [...services()].filter(([, { endpointSpec }]) => endpointSpec.ports !== undefined).map(([name]) => name),
    ).toEqual(["edge"]);
    expect(service("edge")).toMatchObject({
      mode: { global: true },
      endpointSpec: {
        ports: [
          { targetPort: 80, publishedPort: 80, publishMode: "host" },
          { targetPort: 443, publishedPort: 443, publishMode: "host" },
        ],
      },
      updateConfig: { order: "stop-first" },
      taskSpec: { placement: { constraints: ["node.role==manager"] } },
    });
  });

  test("limits, a grace, no capabilities, a health check, rotated logs, the way back when an update fails", () => {
    for (const [, spec] of services()) {
      // Stores are started again sooner than who waits for one.
      const retries = "hostname" in spec.taskSpec.containerSpec ? 3 : 6;
      expect(spec).toMatchObject({
        updateConfig: { failureAction: "rollback", maxFailureRatio: "0.0", parallelism: 1 },
        taskSpec: {
          restartPolicy: { condition: "any" },
          logDriver: { options: { "max-size": "10m", "max-file": "3" } },
          containerSpec: { capDrops: ["ALL"], init: true, healthcheck: { retries } },
        },
      });
      const { memoryBytes } = (spec.taskSpec.resources as { limits: { memoryBytes: number } }).limits;
      expect(memoryBytes).toBeGreaterThanOrEqual(128 * 1024 * 1024);
      expect(spec.taskSpec.containerSpec.stopGracePeriod).toMatch(/^([1-9]\dm?s?|1m)$/);
      expect(spec.taskSpec.containerSpec.image).toMatch(/@sha256:0$/);
      expect(spec.taskSpec.containerSpec.env.PLATFORM_TOPOLOGIES_SPEC).toMatch(/^[0-9a-f]{16}$/);
    }
  });

  test("waits for its gate, which knows it by its hash", () => {
    const gates = all.filter(({ type }) => type === "platform-topologies:index:ServiceGate");
    for (const { name, inputs } of gates) {
      const { env } = service(name.replace("arkindex-", "")).taskSpec.containerSpec;
      expect(inputs).toMatchObject({ service: `${name}-id`, spec: env.PLATFORM_TOPOLOGIES_SPEC });
    }
  });
});

test("a slot is one task under its own name, stopped before it is replaced, pinned to its volume node and its volume", () => {
  for (const name of stores) {
    const { mode, endpointSpec, updateConfig, taskSpec } = service(name);
    expect(mode).toEqual({ replicated: { replicas: 1 } });
    expect(endpointSpec.mode).toBe("dnsrr");
    expect(updateConfig.order).toBe("stop-first");
    expect(taskSpec.containerSpec.hostname).toBe(name);
    expect(taskSpec.placement.constraints).toEqual([
      `node.labels.platform-topologies.volume-node.ark.${name}==swarm-${name}-id`,
    ]);
    const volumes = taskSpec.containerSpec.mounts?.filter(({ type }) => type === "volume");
    expect(volumes?.map(({ source }) => source)).toEqual([`ark-${name}-swarm-${name}-id`]);
  }
  const volumeNodes = all
    .filter(({ type }) => type === "platform-topologies:index:VolumeNode")
    .map(({ inputs }) => inputs);
  expect(volumeNodes).toContainEqual({
    host: "tcp://10.0.0.1:2375",
    name: "ark.db-1",
    constraints: { labels: {} },
    spread: "ark/db",
    owner: "swarm-identity-id",
    spare: false,
    generation: "",
    round: "0",
  });
  for (const name of stores) {
    const labels = service(name).taskSpec.containerSpec.mounts?.find(({ type }) => type === "volume")?.volumeOptions
      ?.labels;
    const disk = { label: "platform-topologies.disk", value: `swarm-${name}-id` };
    expect(labels).toContainEqual(disk);
    const marker = all.find(
      (each) => each.type === "platform-topologies:index:Job" && each.name === `arkindex-${name}-disk`,
    );
    expect(marker?.inputs).toMatchObject({ trigger: disk.value, mounts: [{ labels: { [disk.label]: disk.value } }] });
  }
});

test("what was done once for a store knows its disk", () => {
  const job = (name: string) =>
    all.find((each) => each.type === "platform-topologies:index:Job" && each.name === `arkindex-${name}`);
  expect(job("db-setup")?.inputs.disks).toEqual({ "db-1": "swarm-db-1-id" });
  expect(job("migrate")?.inputs.disks).toMatchObject({ "db-1": "swarm-db-1-id" });
});

test("a workload scales and starts its new task first", () => {
  expect(service("backend")).toMatchObject({
    mode: { replicated: { replicas: 2 } },
    endpointSpec: { mode: "vip" },
    updateConfig: { order: "start-first" },
    taskSpec: { placement: { constraints: [] } },
  });
});

test("another number of replicas changes one service and waits for it, and nothing else", async () => {
  const more = await deploy({}, { backends: 3 });
  const differ = more.filter(({ type, name, inputs }) => {
    const before = all.find((each) => each.type === type && each.name === name);
    return JSON.stringify(before?.inputs) !== JSON.stringify(inputs);
  });
  expect(differ.map(({ type, name }) => `${type} ${name}`)).toEqual([
    "docker:index/service:Service arkindex-backend",
    "platform-topologies:index:ServiceGate arkindex-backend",
  ]);
});

test("no password in a command, a label, an environment or a config", () => {
  for (const { inputs, type } of all) {
    if (type === "docker:index/serviceConfig:ServiceConfig")
      expect(Buffer.from(String(inputs.data), "base64").toString()).not.toMatch(/password-of-|KEY/);
    if (type === "docker:index/service:Service") expect(JSON.stringify(inputs)).not.toMatch(/password-of-|KEY/);
  }
});

describe("options", () => {
  test("a volume driver frees the slots", async () => {
    const free = await deploy({ volumes: { driver: "nfs", options: { device: ":/export/{volume}" } } });
    expect(inventory(free)["platform-topologies:VolumeNode"]).toBeUndefined();
    expect(service("db-1", free).taskSpec).toMatchObject({
      placement: { constraints: [] },
      containerSpec: {
        mounts: [
          { type: "tmpfs" },
          { source: "ark-db-1", volumeOptions: { driverName: "nfs", driverOptions: { device: ":/export/ark-db-1" } } },
        ],
      },
    });
  });

  test("labels for everything that names none, and for the edge", async () => {
    const placed = await deploy({ place: { zone: "a", role: "worker" }, edge: { nodes: { edge: "yes" } } });
    const constraints = (name: string) => service(name, placed).taskSpec.placement.constraints;
    expect(constraints("backend")).toEqual(["node.labels.zone==a", "node.role==worker"]);
    expect(constraints("edge")).toEqual(["node.labels.edge==yes"]);
    const job = placed.find(
      ({ name, type }) => type === "platform-topologies:index:Job" && name === "arkindex-migrate",
    );
    expect(job?.inputs.swarm).toEqual({ constraints: ["node.labels.zone==a", "node.role==worker"] });
    const volumeNode = placed.find(({ type }) => type === "platform-topologies:index:VolumeNode");
    expect(volumeNode?.inputs.constraints).toEqual({ labels: { zone: "a" }, role: "worker" });
  });

  test("ingress: the edge is replicated, and new before old", async () => {
    const edge = service("edge", await deploy({ publish: "ingress" }));
    expect(edge).toMatchObject({ mode: { replicated: { replicas: 2 } }, updateConfig: { order: "start-first" } });
  });

  test("ACME: one edge, with a volume node for its certificates", async () => {
    const acme = await deploy({ tls: { mode: "acme", email: "a@example.com" } });
    expect(service("edge", acme)).toMatchObject({
      mode: { replicated: { replicas: 1 } },
      taskSpec: { containerSpec: { mounts: [{ target: "/data", source: "ark-edge-swarm-edge-id" }] } },
    });
    const volumeNode = acme.find(
      ({ type, name }) => type === "platform-topologies:index:VolumeNode" && name === "swarm-edge",
    );
    expect(volumeNode?.inputs.constraints).toEqual({ labels: {}, role: "manager" });
  });

  test("an agent that names a node runs there, with that node's engine at hand", async () => {
    const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";
    const secrets = { "ponosSeed-gpu": "the-seed" };
    const gpu = await record(() => {
      const own = siteOf({
        name: "ark",
        hostname: "ark.example.com",
        images: { rehearsal: "r:1", toolbox: "t:1" },
        rehearsal: true,
        copies: 1,
        secrets,
      });
      const on = new Swarm("swarm", {
        site: own,
        managers: ["unix:///d"],
        nodes: { w1: {} },
        tls: { mode: "local" },
        pin: (ref) => Promise.resolve(ref),
      });
      new Arkindex("arkindex", { agents: { gpu: { farm, machine: "w1" } }, on });
    });
    expect(service("agent-gpu", gpu).taskSpec).toMatchObject({
      placement: { constraints: ["node.hostname==w1"] },
      containerSpec: {
        mounts: [
          { type: "volume", source: "ark-ponos-gpu" },
          { type: "bind", source: "/d", target: "/var/run/docker.sock" },
        ],
      },
    });
  });
});

test("chosen ranges and MTU reach each overlay, with what the engine reads back left out of the difference", async () => {
  const more = await deploy({ subnets: { app: "10.60.2.0/24" }, mtu: 1400 });
  const networks = more.filter(({ type }) => type === "docker:index/network:Network");
  const options = { encrypted: "true", "com.docker.network.driver.mtu": "1400" };
  expect(Object.fromEntries(networks.map(({ name, inputs }) => [name, [inputs.ipamConfigs, inputs.options]]))).toEqual({
    "swarm-edge": [undefined, options],
    "swarm-app": [[{ subnet: "10.60.2.0/24", gateway: "10.60.2.1" }], options],
    "swarm-data": [undefined, options],
  });
});

test("PostgreSQL's shared memory is a file system of that size, without a mode of its own", async () => {
  const { taskSpec } = (await deploy()).find(({ name, type }) => name === "arkindex-db-1" && type.endsWith(":Service"))
    ?.inputs as unknown as { taskSpec: { containerSpec: { mounts: Record<string, unknown>[] } } };
  expect(taskSpec.containerSpec.mounts.filter(({ type }) => type === "tmpfs")).toEqual([
    { type: "tmpfs", target: "/dev/shm", tmpfsOptions: { sizeBytes: 512 * 1024 * 1024 } },
  ]);
});
