/** ShinyProxy as the program registers it, on one Docker host and on a swarm: counts by type, and the values that matter. */
import { beforeAll, describe, expect, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import { ShinyProxy } from "../../components/systems/shinyproxy/shinyproxy.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

const apps = { demo: { title: "Demo", image: "example/demo:1" } };
const site = (more: object = {}) =>
  siteOf({
    name: "shiny",
    hostname: "shiny.example.com",
    images: { toolbox: "toolbox:1", rehearsal: "rehearsal:1", "docker-proxy": "docker-proxy:1" },
    rehearsal: true,
    copies: 1,
    ...more,
  });

const of = (all: readonly Registered[], type: string) =>
  Object.fromEntries(all.filter((each) => each.type.endsWith(`:${type}`)).map(({ name, inputs }) => [name, inputs]));

describe("on one Docker host", () => {
  let all: Registered[];
  beforeAll(async () => {
    all = await record(() => {
      const on = new DockerHost("docker", {
        site: site(),
        host: "unix:///run/d.sock",
        address: "0.0.0.0",
        tls: { mode: "local" },
      });
      new ShinyProxy("shinyproxy", { on, apps });
    });
  });

  test("inventory", () => {
    expect(inventory(all)).toMatchObject({
      "docker:Container": 10, // edge, influx, redis, sign-in, runner, reader, shinyproxy, telegraf twice, grafana
      "docker:Network": 6, // edge, app, data, apps, runner-api, reader-api
      "platform-topologies:Volume": 3, // influx, redis, grafana
      "platform-topologies:Gate": 10,
      "platform-topologies:Orphans": 3,
      "platform-topologies:Job": 1, // InfluxDB's databases and retention
      "random:RandomPassword": 6, // InfluxDB twice, Redis, sign-in twice, Grafana
    });
  });

  test("only the two filters hold the socket, and only their clients can reach them", () => {
    const containers = of(all, "Container");
    const holding = Object.entries(containers).filter(([, { volumes, mounts }]) =>
      JSON.stringify([volumes, mounts]).includes(".sock"),
    );
    expect(holding.map(([name]) => name)).toEqual(["shinyproxy-runner-1", "shinyproxy-reader-1"]);
    const joined = (name: string) =>
      (containers[name]?.networksAdvanced as { name: string }[]).map(({ name: network }) =>
        network.replace(/^docker-(.*)-id$/, "$1"),
      );
    expect(joined("shinyproxy-runner-1")).toEqual(["runner-api"]);
    expect(joined("shinyproxy-reader-1")).toEqual(["reader-api"]);
    expect(joined("shinyproxy-shinyproxy-1")).toEqual(["edge", "app", "data", "runner-api", "apps"]);
    expect(joined("shinyproxy-telegraf-1")).toEqual(["data", "reader-api"]);
    expect(joined("shinyproxy-telegraf-node-1")).toEqual(["data"]);
  });
});

test("on a swarm: constraints of everything, and a policy for apps", async () => {
  const all = await record(() => {
    const on = new Swarm("swarm", {
      site: site({
        backup: { everyHours: 24, keepDays: 7, drillEveryHours: 168, to: { path: "/backup" } },
        restore: { from: { path: "/backup" }, stack: "shiny", at: "latest" },
      }),
      managers: ["tcp://192.0.2.1:2375"],
      socket: "/run/user/1000/docker.sock",
      tls: { mode: "local" },
      pin: (ref) => Promise.resolve(ref),
    });
    new ShinyProxy("shinyproxy", { on, apps });
  });
  const services = of(all, "Service");
  const constraints = (name: string) =>
    (services[name]?.taskSpec as { placement: { constraints: string[] } } | undefined)?.placement.constraints ?? [];
  const free = Object.keys(services).filter(
    (name) => !constraints(name).some((each) => /^node\.(role==manager|labels\.)/.test(each)),
  );
  expect(free).toEqual(["shinyproxy-telegraf-node"]);
  expect(services["shinyproxy-telegraf-node"]).toMatchObject({ mode: { global: true } });
  // Nor do jobs and backups go where users' apps are.
  expect(Object.keys(services)).toContain("shinyproxy-backup");
  const jobs = Object.entries(of(all, "Job"))
    .filter(([name]) => !name.endsWith("-disk")) // a disk's marker is left where its volume node is
    .map(([name, { swarm }]) => [name, swarm]);
  const onManagers = { constraints: ["node.role==manager"] };
  expect(Object.fromEntries(jobs)).toEqual({
    "shinyproxy-influx-setup": onManagers,
    "shinyproxy-influx-restore": onManagers,
  });
  // The engine's own socket, of a kind that makes no folder where there is none.
  const runner = services["shinyproxy-runner"]?.taskSpec as { containerSpec: { mounts: object[] } } | undefined;
  expect(runner?.containerSpec.mounts).toEqual([
    { type: "bind", source: "/run/user/1000/docker.sock", target: "/var/run/docker.sock" },
  ]);
  const policies = Object.values(of(all, "ServiceConfig")).map(({ data }) =>
    Buffer.from(String(data), "base64").toString(),
  );
  const policy = policies.find((text) => text.includes("run-apps")) ?? "{}";
  expect(JSON.parse(policy)).toMatchObject({
    engine: "swarm",
    network: "shiny-apps",
    constraints: ["node.role==worker"],
    images: ["example/demo:1"],
    shmMib: { "example/demo:1": 512 }, // half of its memory
  });
});
