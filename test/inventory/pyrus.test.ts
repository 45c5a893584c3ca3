/** Pyrus as the program registers it: counts by type and the values that matter, on one host and highly available. */
import { beforeAll, expect, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import { Pyrus, type PyrusConfig } from "../../components/systems/pyrus/pyrus.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

const site = () =>
  siteOf({
    name: "pyrus",
    hostname: "pyrus.example.com",
    copies: 1,
    images: {
      ...{ "pyrus/*": "registry.example.com/pyrus-*:1.22.1", "pyrus/elastic": "registry.example.com/elastic:7.17.10" },
      ...{ toolbox: "toolbox:1" },
    },
    secrets: { pyrusLicence: "the-licence", pyrusAdminPassword: "the-admin-password" },
  });

const deploy = (config: Partial<PyrusConfig> = {}) =>
  record(() => {
    const on = new DockerHost("docker", {
      ...{ site: site(), host: "unix:///run/d.sock", address: "0.0.0.0" },
      tls: { mode: "local" },
    });
    new Pyrus("pyrus", { adminEmail: "admin@example.com", ...config, on });
  });

let all: Registered[];
beforeAll(async () => {
  all = await deploy();
});
const containers = (of = all) => of.filter(({ type }) => type === "docker:index/container:Container");
const named = (type: string, name: string, of = all): Registered["inputs"] => {
  const found = of.find((each) => each.name === `pyrus-${name}` && each.type.endsWith(`:${type}`));
  if (found === undefined) throw new Error(`no ${type} ${name}`);
  return found.inputs;
};
const env = (inputs: Registered["inputs"]) =>
  Object.fromEntries(
    (inputs.envs as string[]).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );

test("one host: fifteen containers and the object store", () => {
  expect(inventory(all)).toMatchObject({
    "docker:Container": 16,
    "docker:Network": 3,
    "platform-topologies:Volume": 5, // two PostgreSQL, Elasticsearch, NATS, objects
    "platform-topologies:Gate": 16,
    "platform-topologies:Job": 13, // five stores' own, eight of the vendor's setup
    "platform-topologies:Pyrus": 1,
  });
  expect(
    containers()
      .map(({ name }) => name.replace("pyrus-", ""))
      .sort(),
  ).toContain("scheduler-1");
});

test("highly available: the vendor's counts, the scheduler once, three NATS, three Elasticsearch with TLS among themselves", async () => {
  const many = await deploy({ ha: true, replicas: { bind: 4 } });
  const counts: Record<string, number> = {};
  for (const { name } of containers(many)) {
    const key = name.replace("pyrus-", "").replace(/-\d+$/, "");
    counts[key] = (counts[key] ?? 0) + 1;
  }
  expect(counts).toEqual({
    ...{ "web-api": 3, files: 3, "preview-generator": 3, bind: 4, "identity-server": 2, "mail-sender": 2 },
    ...{ "mail-reader": 2, "notification-service": 2, "async-worker": 2, scheduler: 1 },
    ...{ postgresql: 1, logs: 1, elasticsearch: 3, nats: 3, objects: 1, edge: 1 },
  });
  expect(env(named("Container", "web-api-1", many)).NATS_HA_REPLICAS).toBe("3");
  const { command } = named("Container", "elasticsearch-2", many) as { command: string[] };
  expect(command).toContain("-Ediscovery.seed_hosts=elasticsearch-1,elasticsearch-2,elasticsearch-3");
  expect(command).toContain("-Expack.security.transport.ssl.enabled=true");
  // The cluster is formed by the first alone, on a disk that was made for it.
  const prepare = (name: string) => JSON.stringify(named("Container", name, many).entrypoints);
  expect(prepare("elasticsearch-1")).toContain("-Ecluster.initial_master_nodes=elasticsearch-1");
  expect(prepare("elasticsearch-2")).not.toContain("initial_master_nodes");
  // Each of the three is the others' client, too.
  expect(named("Certificate", "elasticsearch-transport", many)).toMatchObject({ members: true });
});

test("connection strings are the vendor's", () => {
  const { MAIN_CONN_STRING = "", APPLICATION_NAME, NATS_USER } = env(named("Container", "web-api-1"));
  expect(JSON.parse(MAIN_CONN_STRING)).toEqual({
    ConnectionName: "default",
    ConnectionString:
      "Server=pyrus-postgresql;Port=5432;Username=pyrusadm;Password=password-of-pyrus-postgresql-owner-password;Database=pyrusdb;",
    DatabaseEngine: "Postgres",
    DatabaseType: "Data",
  });
  expect([APPLICATION_NAME, NATS_USER]).toEqual(["web-api", "app"]);
});

test("the names that the applications expect", () => {
  const aliases = (name: string) =>
    (named("Container", name).networksAdvanced as { aliases: string[] }[]).flatMap(({ aliases: each }) => each);
  expect(aliases("postgresql-1")).toContain("pyrus-postgresql");
  expect(aliases("logs-1")).toContain("pyrus-logs-pgsql");
  expect(aliases("elasticsearch-1")).toContain("pyrus-elastic");
  expect(aliases("nats-1")).toContain("pyrus-nats");
  expect(aliases("identity-server-1")).toContain("pyrus-identity-server");
});

test("images by one pattern; a probe with nothing but bash where they have no client", () => {
  const refs = all.filter(({ type }) => type.endsWith(":RemoteImage")).map(({ inputs }) => inputs.name);
  expect(refs).toContain("registry.example.com/pyrus-file-service:1.22.1");
  expect(refs).toContain("registry.example.com/pyrus-pgsql-16:1.22.1");
  expect(JSON.stringify(named("Container", "files-1").healthcheck)).toContain("/dev/tcp/127.0.0.1/18888");
});

test("no secret in a command, and setup's steps in the vendor's order", () => {
  const jobs = all.filter(({ type }) => type === "platform-topologies:index:Job");
  for (const { inputs } of [...jobs, ...containers()])
    expect(JSON.stringify([inputs.command, inputs.entrypoint, inputs.entrypoints])).not.toMatch(
      /password-of-|the-licence|the-admin/,
    );
  const { command } = named("Job", "setup-parameters") as { command: string[] };
  expect(command.at(-1)).toContain("--setup -id 100001 -v 'pyrus.example.com'");
  expect(command.at(-1)).toContain("--storageType MinIo --endpointUrl 'http://objects-1:9000'");
  expect(named("Job", "setup-elastic-it")).toMatchObject({ command: ["-it"] });
});

test("maintenance takes the applications and leaves stores and setup", async () => {
  const none = await deploy({ maintenance: true });
  expect(
    containers(none)
      .map(({ name }) => name.replace("pyrus-", ""))
      .sort(),
  ).toEqual([...["elasticsearch-1", "logs-1", "nats-1", "objects-1", "postgresql-1"]]);
});

test("on a swarm: applications and stores on the nodes that are named for them", async () => {
  const nodes = { postgresql: { disk: "fast" }, objects: { disk: "large" }, "preview-generator": { previews: "yes" } };
  const many = await record(() => {
    const on = new Swarm("swarm", {
      ...{ site: site(), managers: ["tcp://192.0.2.1:2375"], place: { apps: "yes" } },
      ...{ tls: { mode: "local" }, pin: (ref: string) => Promise.resolve(ref) },
    });
    new Pyrus("pyrus", { adminEmail: "admin@example.com", ha: true, nodes, on });
  });
  const volumeNodes = many.filter(({ type }) => type === "platform-topologies:index:VolumeNode");
  const asked = Object.fromEntries(volumeNodes.map(({ name, inputs }) => [name, inputs.constraints]));
  expect(asked).toMatchObject({
    "swarm-postgresql-1": { labels: { disk: "fast" } },
    "swarm-objects-1": { labels: { disk: "large" } },
    "swarm-logs-1": { labels: { apps: "yes" } },
    "swarm-nats-3": { labels: { apps: "yes" } },
  });
  const { taskSpec } = named("Service", "preview-generator", many) as { taskSpec: object };
  expect(taskSpec).toMatchObject({ placement: { constraints: ["node.labels.previews==yes"] } });
});
