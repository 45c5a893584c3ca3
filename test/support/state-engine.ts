/** A Docker engine, or a swarm's manager, that has exactly what a state says: nothing is lost, nothing is in the way. */
import { z } from "zod";

import { diskLabel } from "../../ops/volume.ts";
import { generationLabel, spreadLabel, volumeNodeLabel, volumeNodeOwnerLabel } from "../../ops/volume-node-choice.ts";
import { type Answers, fakeEngine, type FakeEngine } from "./fake-engine.ts";
import type { Recorded } from "./upgrades.ts";

/** `nodes`: the names of a swarm's nodes; none: one host. */
export function stateEngine(resources: readonly Recorded[], nodes: readonly string[] = []): Promise<FakeEngine> {
  return fakeEngine({ ...engine(resources), ...(nodes.length > 0 ? swarm(resources, nodes) : {}) });
}

/** What both answer. */
function engine(resources: readonly Recorded[]): Answers {
  const of = outputsOf(resources);
  const id = of("platform-topologies:index:StackIdentity").map(({ engine: known }) => known)[0];
  return {
    "GET /_ping": "OK",
    "GET /info": { ID: id, Name: "state", Swarm: { LocalNodeState: "inactive" } },
    "GET /containers/json": of("docker:index/container:Container").map((each) => ({
      ...{ Id: each.id, Names: [`/${String(each.name)}`], Labels: labelsOf(each), State: "running", Status: "Up" },
      Ports: [],
    })),
    "GET /networks": of("docker:index/network:Network").map((each) => ({
      ...{ Id: each.id, Name: each.name, Labels: labelsOf(each), Scope: each.driver === "overlay" ? "swarm" : "local" },
    })),
    "GET /volumes": {
      Volumes: of("platform-topologies:index:Volume").map(({ name, labels, disk }) => ({
        ...{ Name: name, Labels: { ...(labels as object), [diskLabel]: disk } },
      })),
    },
    "GET /images/json": of("docker:index/remoteImage:RemoteImage").map(({ imageId }) => ({ Id: imageId })),
    ...Object.fromEntries(imagesOf(resources).map((ref) => [`GET /images/${ref}/json`, { Id: ref }])),
  };
}

function swarm(resources: readonly Recorded[], nodes: readonly string[]): Answers {
  const of = outputsOf(resources);
  const [identity] = of("platform-topologies:index:StackIdentity");
  const known = of("platform-topologies:index:VolumeNode").map((each) => volumeNode.parse(each));
  const idOf = (name: string): string => known.find(({ node }) => node === name)?.nodeId ?? name;
  const [first = ""] = nodes;
  const services = of("docker:index/service:Service").map((each) => ({
    ID: each.id,
    Spec: {
      ...{ Name: each.name, Labels: labelsOf(each), TaskTemplate: { ContainerSpec: {} } },
      Mode: { Replicated: mode.parse(each.mode).replicated },
    },
  }));
  const named = (type: string) => of(type).map(({ id, name }) => ({ ID: id, Spec: { Name: name } }));
  return {
    "GET /info": {
      ...{ ID: idOf(first), Name: first },
      Swarm: { NodeID: idOf(first), LocalNodeState: "active", ControlAvailable: true },
    },
    "GET /swarm": { ID: identity?.engine },
    "GET /nodes": nodes.map((name) => ({
      ...{ ID: idOf(name), Version: { Index: 1 }, Description: { Hostname: name }, Status: { State: "ready" } },
      Spec: {
        ...{ Role: "manager", Availability: "active" },
        Labels: Object.assign({}, ...known.filter(({ node }) => node === name).map(labelsOfVolumeNode)) as object,
      },
    })),
    "GET /services": services,
    "GET /tasks": [],
    "GET /secrets": named("docker:index/secret:Secret"),
    "GET /configs": named("docker:index/serviceConfig:ServiceConfig"),
    ...Object.fromEntries(
      imagesOf(resources).map((ref) => [
        `GET /distribution/${ref}/json`,
        { Descriptor: { digest: digestIn(resources, ref) } },
      ]),
    ),
  };
}

const outputsOf =
  (resources: readonly Recorded[]) =>
  (type: string): Readonly<Record<string, unknown>>[] =>
    resources.filter((each) => each.type === type).map(({ id, outputs = {} }) => ({ id, ...outputs }));

/** The references of the stack's images, by its own outputs. */
function imagesOf(resources: readonly Recorded[]): string[] {
  const [stack] = outputsOf(resources)("pulumi:pulumi:Stack");
  return Object.values(z.record(z.string(), z.string()).parse(stack?.images));
}

/** The Docker provider keeps labels as a list. */
const labels = z.array(z.object({ label: z.string(), value: z.string() })).nullish();
function labelsOf(outputs: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries((labels.parse(outputs.labels) ?? []).map(({ label, value }) => [label, value]));
}

/** A global service has as many tasks as nodes, and no count of them. */
const mode = z.object({
  replicated: z
    .object({ replicas: z.number() })
    .nullish()
    .transform((found) => (found ? { Replicas: found.replicas } : undefined)),
});

const volumeNode = z.object({
  ...{ name: z.string(), node: z.string(), nodeId: z.string(), value: z.string(), spread: z.string() },
  ...{ generation: z.string().optional(), owner: z.string() },
});

function labelsOfVolumeNode({ name, value, spread, generation, owner }: z.infer<typeof volumeNode>) {
  return {
    [volumeNodeLabel + name]: value,
    [spreadLabel + name]: spread,
    [volumeNodeOwnerLabel + name]: owner,
    ...(generation === undefined ? {} : { [generationLabel + name]: generation }),
  };
}

/** The digest by which services and jobs run the image; one that only users' programs run has any. */
function digestIn(resources: readonly Recorded[], ref: string): string {
  const found = JSON.stringify(resources).split(`"${ref}@`)[1]?.split('"')[0];
  return found ?? `sha256:${"0".repeat(64)}`;
}
