/** ArangoDB as the program registers it on each topology: counts by type, and the values that matter. */
import { beforeAll, describe, expect, jest, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import type { Topology } from "../../components/core/topology.ts";
import { ArangoDb } from "../../components/systems/arangodb/arangodb.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

const site = () =>
  siteOf({
    name: "db",
    hostname: "db.example.com",
    images: { toolbox: "r.example.com/toolbox:1", "arangodb-toolbox": "r.example.com/arangodb-toolbox:1" },
    backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: { volume: "backup" } },
  });
jest.setTimeout(60_000); // the first load of the SDK takes longer than five seconds on a busy machine

const tls = { mode: "local" } as const;
const host = () => new DockerHost("docker", { site: site(), host: "unix:///run/d.sock", address: "0.0.0.0", tls });
const swarm = () =>
  new Swarm("swarm", {
    site: site(),
    managers: ["tcp://m1:2375"],
    tls,
    publish: "host",
    pin: (ref) => Promise.resolve(`${ref}@sha256:1`),
  });

type Config = Omit<ConstructorParameters<typeof ArangoDb>[1], "on">;
const deploy = (on: () => Topology, config: Config = {}) =>
  record(() => {
    new ArangoDb("arangodb", { ...config, on: on() });
  });

describe.each([
  ["docker", host, "docker:index/container:Container"],
  ["swarm", swarm, "docker:index/service:Service"],
] as const)("on %s", (_, on, runs) => {
  let all: Registered[];
  beforeAll(async () => {
    all = await deploy(on);
  }, 60_000);
  const names = (of: readonly Registered[]) => new Set(of.map(({ type, name }) => `${type} ${name}`));
  const added = (more: readonly Registered[], than: readonly Registered[]) =>
    [...names(more)].filter((each) => !names(than).has(each)).sort();

  test("inventory", () => {
    const counts = inventory(all);
    expect(counts).toMatchObject({
      // upgrade-begin, root-login, upgrade-end; on a swarm a marker for each disk
      "platform-topologies:Job": runs.startsWith("docker:index/container") ? 3 : 9 + 3,
      "platform-topologies:Finalizer": 3 * 2 + 3, // DB servers leave and have left, coordinators have left
      "random:RandomPassword": 2, // JWT secret, root
      "platform-topologies:ArangoDb": 1,
    });
    // agents, DB servers, coordinators, edge, backup
    expect(all.filter(({ type }) => type === runs)).toHaveLength(3 + 3 + 3 + 2);
  });

  test("a fourth DB server adds what is its own, and changes nothing", async () => {
    const more = await deploy(on, { dbservers: { count: 4 } });
    expect(added(all, more)).toEqual([]);
    for (const each of added(more, all))
      expect(each).toMatch(/ arangodb-dbserver-4(-disk|-leave|-left|-run-.*)?$| swarm-dbserver-4$/);
    const before = new Map(all.map(({ type, name, inputs }) => [`${type} ${name}`, JSON.stringify(inputs)]));
    const changed = more.filter(({ type, name, inputs }) => {
      const was = before.get(`${type} ${name}`);
      return was !== undefined && was !== JSON.stringify(inputs);
    });
    expect(changed.map(({ name }) => name)).toEqual([]);
  });

  test("a retired one makes room for the next number", async () => {
    const after = await deploy(on, { dbservers: { retired: [2] } });
    const servers = (of: readonly Registered[]) =>
      of.flatMap(({ type, name }) => (type === runs && name.includes("dbserver") ? [name] : [])).sort();
    expect(servers(after)).toEqual(["arangodb-dbserver-1", "arangodb-dbserver-3", "arangodb-dbserver-4"]);
  });

  test("no password in an environment or a command", () => {
    for (const { type, inputs } of all) {
      if (type !== runs) continue;
      const spec = (inputs.taskSpec as { containerSpec?: object } | undefined)?.containerSpec ?? inputs;
      const { envs, env, command, args, commands, entrypoints, labels } = spec as Record<string, unknown>;
      expect(JSON.stringify([envs, env, command, args, commands, entrypoints, labels])).not.toContain("password-of-");
    }
  });
});

test("a single server is one container", async () => {
  const all = await deploy(host, { mode: "single" });
  const containers = all.flatMap(({ type, name }) => (type === "docker:index/container:Container" ? [name] : []));
  expect(containers.sort()).toEqual(["arangodb-backup-1", "arangodb-edge", "arangodb-single-1"]);
});
