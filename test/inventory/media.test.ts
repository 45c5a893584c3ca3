/** A media platform's region as the program registers it: counts by type, and the values that matter. */
import { beforeAll, expect, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import { MediaPlatform } from "../../components/systems/media.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { inventory, record, type Registered } from "../support/mocks.ts";

let all: Registered[];
beforeAll(async () => {
  all = await record(() => {
    const site = siteOf({
      name: "media",
      hostname: "media.example.com",
      images: { toolbox: "toolbox:1", rehearsal: "rehearsal:1" },
      rehearsal: true,
    });
    const on = new DockerHost("docker", {
      site,
      host: "unix:///run/d.sock",
      address: "0.0.0.0",
      tls: { mode: "local" },
    });
    new MediaPlatform("media", { on, searchNodes: 3 });
  });
});

const container = (name: string): Registered["inputs"] => {
  const found = all.find((each) => each.name === name && each.type === "docker:index/container:Container");
  if (found === undefined) throw new Error(`no container ${name}`);
  return found.inputs;
};
const networks = (name: string) =>
  (container(name).networksAdvanced as { name: string }[]).map((each) => each.name.replace("-id", ""));

test("inventory", () => {
  expect(inventory(all)).toEqual({
    "docker:Container": 21, // edge, 3 Cassandra, 3 RabbitMQ, 3 Elasticsearch, Redis, object store, 9 services
    "docker:Network": 3, // edge, app, data
    "docker:RemoteImage": 8, // one an image: the services rehearse on one
    "platform-topologies:Certificate": 2, // the edge's, and Elasticsearch's nodes among themselves
    "platform-topologies:Finalizer": 9, // a Cassandra node that leaves; a RabbitMQ node before and after it goes
    "platform-topologies:Gate": 21, // one a container
    // Cassandra's set-up and repair; RabbitMQ's copies on new members; Elasticsearch, buckets; tables
    "platform-topologies:Job": 6,
    "platform-topologies:StackIdentity": 1,
    "platform-topologies:Volume": 11, // one a store's node
    "platform-topologies:Cassandra": 1,
    "platform-topologies:DockerHost": 1,
    "platform-topologies:Elasticsearch": 1,
    "platform-topologies:MediaPlatform": 1,
    "platform-topologies:ObjectStore": 1,
    "platform-topologies:RabbitMq": 1,
    "platform-topologies:Redis": 1,
    "pulumi:docker": 1,
    "pulumi:providers:platform-topologies": 1,
    "pulumi:random": 1,
    "random:RandomId": 11, // which disk each volume is
    // Cassandra's application and operator, RabbitMQ's login and cookie, Elasticsearch, Redis, object store
    "random:RandomPassword": 7,
  });
});

test("stores are in the data network alone, services in all three, the object store in edge and app", () => {
  for (const store of ["cassandra-1", "rabbit-1", "elasticsearch-1", "redis-1"])
    expect([store, networks(`media-${store}`)]).toEqual([store, ["docker-data"]]);
  expect(networks("media-objects-1").sort()).toEqual(["docker-app", "docker-edge"]);
  for (const service of ["frontend-1", "indexer-1"])
    expect([service, networks(`media-${service}`).sort()]).toEqual([
      service,
      ["docker-app", "docker-data", "docker-edge"],
    ]);
});

test("component inputs are stored in the state, so there are none", () => {
  const components = all.filter(({ custom }) => !custom);
  expect(components.length).toBeGreaterThan(6);
  for (const { inputs } of components) expect(inputs).toEqual({});
});

test("passwords travel as files, in no environment", () => {
  for (const { type, inputs } of all) {
    if (type !== "docker:index/container:Container") continue;
    expect(JSON.stringify(inputs.envs)).not.toContain("password-of-");
  }
});
