/** Arkindex on one Docker host, as the program registers it: counts by type, and the values that matter. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { secret } from "@pulumi/pulumi";

import { imageLock } from "../../components/core/image-lock.ts";
import { siteOf } from "../../components/core/site.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import type { Tls } from "../../components/topologies/tls.ts";
import { certificate } from "../support/certificates.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

const site = () =>
  siteOf({
    name: "ark",
    hostname: "ark.example.com",
    images: { toolbox: "toolbox:1", rehearsal: "rehearsal:1" },
    rehearsal: true,
    secrets: { "ponosSeed-gpu": "the-seed" },
    backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: { path: "/srv/backup" } },
  });
const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";

function deploy(
  config: Partial<ConstructorParameters<typeof Arkindex>[1]> = {},
  more: Partial<ConstructorParameters<typeof DockerHost>[1]> = {},
) {
  return record(() => {
    const on = new DockerHost("docker", {
      site: site(),
      host: "unix:///run/d.sock",
      address: "0.0.0.0",
      tls: { mode: "local" },
      ...more,
    });
    new Arkindex("arkindex", { ...config, on });
  });
}

let all: Registered[];
beforeAll(async () => {
  all = await deploy();
});
const containers = (of = all) => of.filter(({ type }) => type === "docker:index/container:Container");
const byName = (name: string, of = all): Registered["inputs"] => {
  const found = of.find((each) => each.name === name && each.type === "docker:index/container:Container");
  if (found === undefined) throw new Error(`no container ${name}`);
  return found.inputs;
};
const networks = (inputs: Registered["inputs"]) =>
  (inputs.networksAdvanced as { name: string }[]).map(({ name }) => name.replace(/^docker-(.*)-id$/, "$1"));

test("inventory", () => {
  expect(inventory(all)).toEqual({
    "docker:Container": 10, // edge, 4 stores, backend, worker, cantaloupe, backup, the drill's server
    "docker:Network": 3, // edge, app, data
    "docker:RemoteImage": 7, // one an image: backend, worker and cantaloupe rehearse on one
    "platform-topologies:Certificate": 1,
    "platform-topologies:Gate": 10, // one a container
    "platform-topologies:Job": 5, // db, objects and solr set up; migrate; system workers
    "platform-topologies:StackIdentity": 1,
    "platform-topologies:Volume": 4, // one a store
    "platform-topologies:Arkindex": 1,
    "platform-topologies:DockerHost": 1,
    "platform-topologies:ObjectStore": 1,
    "platform-topologies:Postgres": 1,
    "platform-topologies:Redis": 1,
    "platform-topologies:Solr": 1,
    "pulumi:docker": 1,
    "pulumi:providers:platform-topologies": 1,
    "pulumi:random": 1,
    "random:RandomId": 4, // which disk each volume is
    "random:RandomPassword": 4, // database and its owner, object store, Django
  });
});

test("every resource has a provider of its own topology, never a default one", () => {
  for (const { custom, type, provider, name } of all) {
    if (!custom || type.startsWith("pulumi:")) continue;
    const [packageName = ""] = type.split(":");
    expect(`${name} ${provider}`).toMatch(new RegExp(`DockerHost\\$pulumi:providers:${packageName}::docker-`));
  }
});

test("every password has lower and upper case and a digit, as the clouds' stores ask", () => {
  const passwords = all.filter(({ type }) => type.endsWith(":RandomPassword"));
  for (const { inputs } of passwords)
    expect(inputs).toEqual({ length: 32, special: false, minLower: 1, minUpper: 1, minNumeric: 1 });
});

test("component inputs are stored in the state, so there are none", () => {
  for (const { custom, inputs } of all) if (!custom) expect(inputs).toEqual({});
});

test("who is on which network", () => {
  expect(Object.fromEntries(containers().map(({ name, inputs }) => [name, networks(inputs).join(" ")]))).toEqual({
    "arkindex-edge": "edge",
    "arkindex-db-1": "data",
    "arkindex-redis-1": "data",
    "arkindex-solr-1": "data",
    "arkindex-objects-1": "edge app",
    "arkindex-backend-1": "edge app data",
    "arkindex-worker-1": "edge app data",
    "arkindex-cantaloupe-1": "edge app data",
    "arkindex-backup-1": "app data",
    "arkindex-db-1-drill-1": "data",
  });
  const data = all.find(({ name, type }) => name === "docker-data" && type.startsWith("docker:"));
  expect(data?.inputs.internal).toBe(true);
});

describe("every container", () => {
  test("only the edge publishes ports", () => {
    expect(
      containers()
        .filter(({ inputs }) => inputs.ports !== undefined)
        .map(({ name }) => name),
    ).toEqual(["arkindex-edge"]);
    expect(byName("arkindex-edge").ports).toEqual([
      { internal: 80, external: 80, ip: "0.0.0.0" },
      { internal: 443, external: 443, ip: "0.0.0.0" },
    ]);
  });

  test("no privileges, limits, restarts, rotated logs, a grace before the kill", () => {
    for (const { inputs } of containers()) {
      expect(inputs).toMatchObject({
        capabilities: { drops: ["ALL"] },
        securityOpts: ["no-new-privileges:true"],
        restart: "unless-stopped",
        logOpts: { "max-size": "10m", "max-file": "3" },
        init: true,
        mustRun: false,
      });
      expect(inputs.privileged).toBeUndefined();
      expect(inputs.memory).toBe(inputs.memorySwap);
      expect(Number(inputs.memory)).toBeGreaterThanOrEqual(128);
      expect(Number(inputs.cpus)).toBeGreaterThan(0);
      expect(Number(inputs.destroyGraceSeconds)).toBeGreaterThanOrEqual(15);
      expect(inputs.healthcheck).toBeDefined();
    }
  });

  test("no password in an environment or a command", () => {
    for (const { inputs } of containers()) {
      expect(JSON.stringify([inputs.envs, inputs.command, inputs.entrypoints, inputs.labels])).not.toMatch(
        /password-of-|the-seed|KEY/,
      );
    }
  });
});

test("config.yml is a file of backend and worker, with the documented keys", () => {
  for (const name of ["arkindex-backend-1", "arkindex-worker-1"]) {
    const [config] = byName(name).uploads as { file: string; content: string }[];
    expect(config?.file).toBe("/run/arkindex/config.yml");
    expect(config?.content).toBe(`secret_key: password-of-arkindex-secret-key
public_hostname: https://ark.example.com
database:
  host: db-1
  port: 5432
  name: arkindex
  user: app
  password: password-of-arkindex-db-owner-password
redis:
  host: redis-1
s3:
  access_key_id: app
  secret_access_key: password-of-arkindex-objects-password
  endpoint: https://objects.ark.example.com
  region: us-east-1
solr:
  api_url: http://solr-1:8983/solr/
cache:
  type: redis
features:
  signup: false
  search: true
  ingest: true
static: {}
ingest:
  extra_buckets: []
`);
  }
});

test("adding a replica adds its container and gate, and a server at the edge", async () => {
  const more = await deploy({ backends: 2 });
  const names = (of: readonly Registered[]) => new Set(of.map(({ type, name }) => `${type} ${name}`));
  expect([...names(more)].filter((each) => !names(all).has(each)).sort()).toEqual([
    "docker:index/container:Container arkindex-backend-2",
    "platform-topologies:index:Gate arkindex-backend-2",
  ]);
  expect([...names(all)].filter((each) => !names(more).has(each))).toEqual([]);
  const changed = containers().filter(
    ({ name, inputs }) => JSON.stringify(inputs) !== JSON.stringify(byName(name, more)),
  );
  expect(changed.map(({ name }) => name)).toEqual(["arkindex-edge"]);
});

test("an agent on another machine has that machine's engine, network and image, and is trusted with its socket", async () => {
  const host = "ssh://root@gpu1.example.com";
  const machines = { gpu1: { host, socket: "/run/gpu/docker.sock" } };
  const more = await deploy({ agents: { gpu: { farm, machine: "gpu1" } } }, { machines });
  const agent = more.find(({ name, type }) => name === "arkindex-agent-gpu-1" && type.startsWith("docker:"));
  expect(agent?.provider).toContain("::docker-engine-gpu1::");
  expect(networks(agent?.inputs ?? {})).toEqual(["app-gpu1"]);
  expect(agent?.inputs.image).toBe("sha256:docker-image-rehearsal-gpu1");
  expect(agent?.inputs.mounts).toEqual([
    { type: "bind", source: "/run/gpu/docker.sock", target: "/var/run/docker.sock" },
  ]);
  expect(JSON.stringify(agent?.inputs.volumes)).not.toContain(".sock"); // a volume's source would be made
  const gate = more.find(
    ({ name, type }) => name === "arkindex-agent-gpu-1" && type.startsWith("platform-topologies:index:"),
  );
  expect(gate?.inputs.host).toBe("ssh://root@gpu1.example.com");
});

test("an agent beside the rest has the socket that the engine is reached by, or the one that is named", async () => {
  const source = async (socket?: string) => {
    const more = await deploy({ agents: { gpu: { farm } } }, socket === undefined ? {} : { socket });
    return byName("arkindex-agent-gpu-1", more).mounts;
  };
  const target = "/var/run/docker.sock";
  expect(await source()).toEqual([{ type: "bind", source: "/run/d.sock", target }]);
  expect(await source("/run/e.sock")).toEqual([{ type: "bind", source: "/run/e.sock", target }]);
});

test("chosen ranges and MTU reach each network, and a change of one replaces that network", async () => {
  const subnets = { edge: "10.60.1.0/24", data: "10.60.3.0/24", "app-gpu1": "10.60.4.0/24" };
  const machines = { gpu1: { host: "ssh://gpu1.example.com", socket: "/var/run/docker.sock" } };
  const config = { agents: { gpu: { farm, machine: "gpu1" } } };
  const more = await deploy(config, { subnets, mtu: 1400, machines });
  const made = more.filter(({ type }) => type === "docker:index/network:Network");
  const mtu = { "com.docker.network.driver.mtu": "1400" };
  const range = (subnet: string, gateway: string) => ({ ipamConfigs: [{ subnet, gateway }] });
  expect(
    Object.fromEntries(made.map(({ name, inputs: { ipamConfigs, options } }) => [name, { ipamConfigs, options }])),
  ).toEqual({
    "docker-edge": { ...range("10.60.1.0/24", "10.60.1.1"), options: mtu },
    "docker-app": { options: mtu },
    "docker-data": {
      ...range("10.60.3.0/24", "10.60.3.1"),
      options: { ...mtu, "com.docker.network.bridge.inhibit_ipv4": "true" },
    },
    "docker-app-gpu1": { ...range("10.60.4.0/24", "10.60.4.1"), options: mtu },
  });
});

test("PostgreSQL has half of its memory as shared memory, nobody else asks for more than Docker's own", () => {
  const shared = containers().flatMap(({ name, inputs }) =>
    inputs.shmSize === undefined ? [] : [[name, inputs.shmSize, inputs.memory]],
  );
  expect(Object.fromEntries(shared.map(([name, ...sizes]) => [name, sizes]))).toEqual({
    "arkindex-db-1": [512, 1024],
    "arkindex-db-1-drill-1": [256, 512],
  });
});

describe("the edge's certificate", () => {
  const edge = async (tls: Tls) => {
    const resources = await record(() => {
      const on = new DockerHost("docker", { site: site(), host: "unix:///run/d.sock", address: "0.0.0.0", tls });
      new Arkindex("arkindex", { on });
    });
    return { resources, inputs: byName("arkindex-edge", resources), backend: byName("arkindex-backend-1", resources) };
  };
  const files = ({ uploads }: Registered["inputs"]) => {
    const found: Record<string, string> = {};
    for (const { file, content } of uploads as { file: string; content: string }[])
      found[file.split("/").at(-1) ?? ""] = content;
    return found;
  };

  test("local: made by ops, and callers of the edge are given the authority", async () => {
    const { inputs, backend } = await edge({ mode: "local" });
    expect(files(inputs)).toMatchObject({ "cert.pem": "CERT", "key.pem": "KEY" });
    expect(files(backend)["ca.pem"]).toBe("CA");
    expect(backend.envs).toContain("AWS_CA_BUNDLE=/run/arkindex/ca.pem");
  });

  test("own: the caller's files, no authority of ours", async () => {
    const { hostname } = site();
    const { pem: cert, key } = await certificate({ name: hostname, hostnames: [hostname, `*.${hostname}`] });
    const { resources, inputs, backend } = await edge({ mode: "own", cert, key: secret(key) });
    expect(files(inputs)).toMatchObject({ "cert.pem": cert, "key.pem": key });
    expect(inventory(resources)["platform-topologies:Certificate"]).toBeUndefined();
    expect(files(backend)["ca.pem"]).toBeUndefined();
  });

  test("ACME: a resolver, and a disk for accounts and certificates", async () => {
    const { resources, inputs } = await edge({ mode: "acme", email: "a@example.com" });
    expect(JSON.stringify(inputs.command)).toContain("--certificatesResolvers.acme.acme.email=a@example.com");
    expect(inputs.volumes).toEqual([{ volumeName: "ark-edge", containerPath: "/data" }]);
    expect(files(inputs)["routes.yml"]).toContain("certResolver: acme");
    expect(inventory(resources)["platform-topologies:Volume"]).toBe(5);
  });
});

test("a public image and one of ours have a version in the lock file; a private one has none", () => {
  for (const [key, { ref, version, built, example }] of Object.entries(imageLock)) {
    expect({ key, whole: (example === undefined) === (version !== undefined) }).toEqual({ key, whole: true });
    expect([ref, built, example].filter((each) => each !== undefined)).toHaveLength(1);
    expect(version).not.toBe("latest");
  }
});
