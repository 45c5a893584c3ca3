/** `npm run status`: what it asks engines, managers, AWS and the edge, and what it makes of those that do not answer. */
import { createServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test } from "@jest/globals";

import { askBackup } from "../../tools/status/backup.ts";
import { askRegions } from "../../tools/status/aws.ts";
import { askEdge } from "../../tools/status/certificate.ts";
import { askHosts } from "../../tools/status/docker.ts";
import { stateOf } from "../../tools/status/state.ts";
import { askSwarms } from "../../tools/status/swarm.ts";
import { fakeAws, Refusal } from "../support/fake-aws.ts";
import { fakeEngine } from "../support/fake-engine.ts";
import { certificate } from "../support/certificates.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Given {
  readonly type: string;
  readonly name: string;
  readonly outputs?: object;
  readonly id?: string;
  readonly provider?: string;
}
const urn = (type: string, name: string): string => `urn:pulumi:prod::platform-topologies::${type}::${name}`;
const state = (...resources: Given[]) =>
  stateOf(
    JSON.stringify({
      deployment: { resources: resources.map((each) => ({ urn: urn(each.type, each.name), ...each })) },
    }),
  );
const provider = (host: string): Given => ({
  type: "pulumi:providers:docker",
  name: "engine",
  id: "p",
  outputs: { host },
});
const identity: Given = {
  type: "platform-topologies:index:StackIdentity",
  name: "docker-identity",
  outputs: { name: "shop", topology: "docker", owner: "0a0b" },
};
const made = (type: string, name: string, outputs: object = {}): Given => ({
  ...{ type, name, id: `id-${name}`, provider: `${urn("pulumi:providers:docker", "engine")}::p` },
  outputs: { name: `shop-${name}`, ...outputs },
});
const labels = { "platform-topologies.name": "shop" };

/** An address that takes connections, and never says anything. */
async function silent(): Promise<string> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

test("an engine: only containers of the state, and of the stack's name, are looked at", async () => {
  const look = (name: string) => ({
    Id: name,
    Name: `/${name}`,
    State: { Status: "running" },
    Config: { Labels: labels },
  });
  const engine = await fakeEngine({
    "GET /_ping": "OK",
    "GET /info": { Name: "m1" },
    "GET /containers/json": [
      { Id: "shop-db-1", Names: ["/shop-db-1"], Labels: {} },
      { Id: "shop-old", Names: ["/shop-old"], Labels: labels },
      { Id: "shop-gone", Names: ["/shop-gone"], Labels: labels },
      { Id: "other", Names: ["/other"], Labels: {} },
    ],
    "GET /containers/shop-db-1/json": look("shop-db-1"),
    "GET /containers/shop-old/json": look("shop-old"),
    "GET /networks": [{ Name: "shop-app" }],
    "GET /volumes": { Volumes: null },
  });
  closing.push(() => {
    engine.close();
  });
  const [host] = await askHosts(
    state(identity, provider(engine.host), made("docker:index/container:Container", "db-1")),
  );
  expect(host).toMatchObject({ machine: "m1", networks: ["shop-app"], volumes: [] });
  expect(host?.containers.map(({ Name }) => Name)).toEqual(["/shop-db-1", "/shop-old"]);
  expect(engine.asked.filter((each) => each.includes("other"))).toEqual([]);
  expect(engine.asked.every((each) => each.startsWith("GET "))).toBe(true); // it changes nothing
});

test("an engine that is not there, and one that says nothing, are a sentence each", async () => {
  const container = made("docker:index/container:Container", "db-1");
  const [none] = await askHosts(state(provider("unix:///nowhere/docker.sock"), container));
  expect(none).toMatchObject({
    failed:
      "Docker at unix:///nowhere/docker.sock is not there: start the Docker engine, or correct the path of its socket",
    containers: [],
  });
  const at = `tcp://${await silent()}`;
  const [mute] = await askHosts(state(provider(at), container));
  expect(mute?.failed).toMatch(`Docker at ${at} did not answer in time`);
});

test("a swarm: by its gates' managers, of which one is away", async () => {
  const spec = (name: string, env: string[] = []) => ({
    Name: `shop-${name}`,
    Labels: labels,
    TaskTemplate: { ContainerSpec: { Image: `${name}:1`, Env: env } },
    Mode: { Replicated: { Replicas: 1 } },
  });
  const task = {
    ID: "t1",
    ServiceID: "id-db-1",
    CreatedAt: "2026-03-01T00:00:00Z",
    NodeID: "n1",
    DesiredState: "running",
  };
  const engine = await fakeEngine({
    "GET /_ping": "OK",
    "GET /info": { Swarm: { LocalNodeState: "active", ControlAvailable: true } },
    "GET /services": [
      { ID: "id-db-1", Spec: spec("db-1") },
      { ID: "id-backup", Spec: spec("backup", ["EVERY_HOURS=6"]) },
      { ID: "x", Spec: { ...spec("x"), Name: "other", Labels: {} } },
    ],
    "GET /networks": [],
    "GET /nodes": [
      {
        ID: "n1",
        Version: { Index: 1 },
        Spec: { Role: "manager", Availability: "active" },
        Status: { State: "ready" },
      },
    ],
    "GET /secrets": [{ Spec: { Name: "shop-s" } }],
    "GET /configs": [],
    "GET /tasks": [{ ...task, Spec: {}, Status: { State: "running", Timestamp: "2026-03-01T00:00:09Z" } }],
  });
  closing.push(() => {
    engine.close();
  });
  const host = `unix:///nowhere/docker.sock,${engine.host}`;
  const gate: Given = {
    type: "platform-topologies:index:ServiceGate",
    name: "db-1",
    outputs: { service: "id-db-1", host },
  };
  const [swarm] = await askSwarms(state(identity, provider(host), made("docker:index/service:Service", "db-1"), gate));
  expect(swarm).toMatchObject({ host, files: ["shop-s"], tasks: [{ Status: { Timestamp: "2026-03-01T00:00:09Z" } }] });
  expect(swarm?.services.map(({ name, image, everyHours }) => [name, image, everyHours])).toEqual([
    ["shop-db-1", "db-1:1", undefined],
    ["shop-backup", "backup:1", 6],
  ]);
  const [dark] = await askSwarms(
    state(provider("unix:///nowhere/docker.sock"), made("docker:index/service:Service", "db-1")),
  );
  expect(dark?.failed).toMatch(/^Docker at unix:\/\/\/nowhere\/docker.sock is not there/);
});

const arn = (what: string): string => `arn:aws:ecs:eu-central-1:123456789012:${what}`;
const awsState = (at: object) =>
  state(
    ...["backend", "backup"].flatMap((name): Given[] => [
      {
        type: "aws:ecs/service:Service",
        name,
        outputs: { name, arn: arn(`service/shop/${name}`), cluster: arn("cluster/shop") },
      },
      { type: "platform-topologies:index:EcsGate", name, outputs: { service: name, logGroup: `/shop/${name}`, at } },
    ]),
    { type: "aws:autoscaling/group:Group", name: "solr-1", outputs: { name: "solr-1-x", arn: arn("group") } },
  );

test("AWS: every page, by the endpoint that the stack's own gates have", async () => {
  const aws = await fakeAws({
    DescribeServices: ({ services }) => ({ services: (services as string[]).map((serviceName) => ({ serviceName })) }),
    ListTasks: ({ nextToken }) => (nextToken === undefined ? { taskArns: ["a"], nextToken: "2" } : { taskArns: ["b"] }),
    DescribeTasks: ({ tasks }) => ({ tasks: (tasks as string[]).map((taskArn) => ({ taskArn })) }),
    DescribeAutoScalingGroups: () => ({
      AutoScalingGroups: [{ AutoScalingGroupName: "solr-1-x", Instances: [{ InstanceId: "i-1" }] }],
    }),
    DescribeInstanceInformation: () => ({ InstanceInformationList: [{ InstanceId: "i-1", PingStatus: "Online" }] }),
    FilterLogEvents: ({ nextToken }) =>
      nextToken === undefined
        ? { events: [], nextToken: "2" }
        : { events: [{ message: "backup 2026-02-28T02-00-00Z is complete" }] },
  });
  closing.push(() => {
    aws.close();
  });
  const given = awsState(aws.at);
  const [region] = await askRegions(given);
  expect(region?.failed).toBeUndefined();
  expect(region?.services.map(({ serviceName }) => serviceName)).toEqual(["backend", "backup"]);
  expect(region?.tasks.map(({ taskArn }) => taskArn)).toEqual(["a", "b"]);
  expect(region?.machines).toMatchObject([{ InstanceId: "i-1", PingStatus: "Online" }]);
  const backup = await askBackup(given, [], []);
  expect(backup).toMatchObject({ from: "log", words: "backup 2026-02-28T02-00-00Z is complete" });
  expect(aws.of("FilterLogEvents")[0]).toMatchObject({ logGroupName: "/shop/backup" });
  expect(aws.calls.every(({ action }) => /^(Describe|List|Filter)/.test(action))).toBe(true); // it changes nothing
});

test("AWS that refuses is a sentence", async () => {
  const aws = await fakeAws({
    DescribeServices: () => {
      throw new Refusal("AccessDeniedException", "not authorized to perform: ecs:DescribeServices");
    },
  });
  closing.push(() => {
    aws.close();
  });
  const [region] = await askRegions(awsState(aws.at));
  expect(region?.failed).toMatch(/refuses a call \(not authorized .+\): let its policy allow that/);
});

const stack = (url: string): Given => ({
  type: "pulumi:pulumi:Stack",
  name: "s",
  outputs: { url, places: { edge: "127.0.0.1" } },
});

test("the edge: until when its certificate is good, and whether it is for this name", async () => {
  const { pem: cert, key } = await certificate({ name: "shop", hostnames: ["shop.example.com"] });
  const server = createTlsServer({ cert, key });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const port = String((server.address() as AddressInfo).port);
  const right = await askEdge(state(stack(`https://shop.example.com:${port}`)));
  expect(right).toMatchObject({ served: { at: `127.0.0.1:${port}`, host: "shop.example.com", wrong: undefined } });
  const wrong = await askEdge(state(stack(`https://other.example.com:${port}`)));
  expect(wrong).toMatchObject({ served: { wrong: expect.stringContaining("other.example.com") } });
});

test("an edge that nobody reaches, or that says nothing, is a sentence", async () => {
  const at = await silent();
  const seen = await askEdge(state(stack(`https://nowhere.invalid:${at.split(":")[1] ?? ""}`)));
  expect(seen).toMatchObject({
    host: "nowhere.invalid",
    failed: expect.stringMatching(`^${at} did not answer within 5 s; nowhere.invalid:\\d+ has no address here`),
  });
  expect(await askEdge(state(identity))).toBeUndefined();
});
