/**
 * A deployment that ends well means that the platform is up: what others did to a stack's things on a swarm is healed by
 * the next `up`, or refused with one sentence, in the preview already. On a real swarm of two nodes.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { join } from "../../tools/swarm/swarm.ts";
import { stackName } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { pushed, tasksOf } from "../support/swarm-stack.ts";
import { eventually } from "../support/swarm.ts";

const name = "survey";
const config = { "pulumi:disable-default-providers": ["*"] };
let cluster: Cluster;
let manager: Docker;
let image: string;
let stack: TestStack;

interface More {
  readonly replicas?: number;
  readonly disks?: Readonly<Record<string, string>>;
}

/** A store that refuses an empty disk, what was set up on it once, and an application of two replicas. */
function program({ replicas = 2, disks = {} }: More = {}): string {
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { z } from "zod";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { Swarm } from "${repo}/components/topologies/swarm/index.ts";

const small = { image: "toolbox", cpu: 1, memoryMib: 32, user: "0:0" };
const health = { ready: { command: ["true"] }, startSeconds: 5, stopSeconds: 1 };
const idle = { ...small, prepare: "trap 'exit 0' TERM", command: ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"], health };
const system = (p) => {
  const [store] = p.slots("store", { count: 1 }, () => ({
    ...idle, tier: "data", files: [{ path: "/run/password", content: "p", secret: true }],
    disk: { path: "/data", gib: 1, backup: { rebuilt: "from nothing" } },
  }));
  const setup = p.job("setup", { ...small, tier: "data", seconds: 60, trigger: "1", after: [store], command: ["true"] });
  p.run("web", { ...idle, tier: "app", replicas: ${String(replicas)}, after: [store, setup] });
};
class Small extends SystemComponent {
  constructor(name, args) { super("Small", system, z.any(), name, args); }
}
const site = siteOf({
  name: "${name}", hostname: "survey.example.com", images: { toolbox: "${image}" }, protect: false,
  disks: ${JSON.stringify(disks)},
});
const on = new Swarm("swarm", {
  site, managers: ["${cluster.host("m1")}"], tls: { mode: "local" }, encrypted: false, endpointMode: "dnsrr",
  nodes: { w1: { labels: { disk: "fast" } } }, place: { disk: "fast" },
});
new Small("small", { on });
`;
}

beforeAll(async () => {
  cluster = await Cluster.start({ name: "survey", network: "10.213.171", workers: 1 });
  manager = cluster.manager();
  image = (await pushed(cluster)).toolbox ?? "";
  stack = await TestStack.create({ program: program(), config });
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

afterAll(async () => {
  await stack.dispose();
  await cluster.stop();
}, 120_000);

/** An `up` that heals, saying each of `sentences`, after which everything runs and there is nothing to do. */
async function heals(...sentences: string[]): Promise<void> {
  const preview = sentences.length > 0 ? succeeded(await stack.preview()) : "";
  const up = succeeded(await stack.up());
  for (const sentence of sentences) {
    expect(preview).toContain(sentence);
    expect(up).toContain(sentence);
  }
  expect(await tasksOf(manager, name)).toEqual({ "store-1": ["running w1"], web: ["running w1", "running w1"] });
  succeeded(await stack.preview(["--expect-no-changes"]));
}

/** A preview, and an `up`, that end with an exit code and these sentences. */
async function fails(run: TestStack, ...sentences: string[]): Promise<void> {
  for (const { code, output } of [await run.preview(), await run.up()]) {
    for (const sentence of sentences) expect(output).toContain(sentence);
    expect(code).not.toBe(0);
  }
}

async function nodes(): Promise<NodeInfo[]> {
  return ((await manager.listNodes()) as NodeInfo[]).filter(({ Description }) => Description.Hostname === "w1");
}
async function states(id: string): Promise<string | undefined> {
  return (await nodes()).find(({ ID }) => ID === id)?.Status.State;
}
/** Why the tasks that should run do not. */
async function pending(): Promise<string[]> {
  const tasks = (await manager.listTasks({ filters: { "desired-state": ["running"] } })) as TaskInfo[];
  return tasks.map(({ Status }) => Status.Err ?? Status.State);
}
/** All three tasks wait for a node. For a moment the old ones are to end, and the new ones are not there yet. */
const unplaced = (states: readonly string[]) =>
  states.length === 3 && states.every((state) => state.startsWith("no suitable node"));
interface TaskInfo {
  readonly Status: { readonly State: string; readonly Err?: string };
}

async function relabel(node: string, edit: (labels: Record<string, string>) => Record<string, string>): Promise<void> {
  const found = (await manager.getNode(node).inspect()) as NodeInfo;
  const Labels = edit(found.Spec.Labels);
  await manager.getNode(found.ID).update({ version: found.Version.Index, ...found.Spec, Labels });
}
interface NodeInfo {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Labels: Record<string, string>; readonly Availability: string };
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string };
}
async function availability(node: string, Availability: string): Promise<void> {
  const found = (await manager.getNode(node).inspect()) as NodeInfo;
  await manager.getNode(found.ID).update({ version: found.Version.Index, ...found.Spec, Availability });
}
async function scale(service: string, Replicas: number): Promise<void> {
  const found = (await manager.getService(`${name}-${service}`).inspect()) as {
    Version: { Index: number };
    Spec: object;
  };
  const body = { ...found.Spec, Mode: { Replicated: { Replicas } } };
  await manager.getService(`${name}-${service}`).update({ _query: { version: found.Version.Index }, _body: body });
}
async function volumeNodeLabels(): Promise<Record<string, string>> {
  const { Spec } = (await manager.getNode("w1").inspect()) as NodeInfo;
  return Object.fromEntries(Object.entries(Spec.Labels).filter(([key]) => key.startsWith("platform-topologies.")));
}

test("a secret that was removed is refused until a refresh, which makes it again", async () => {
  const secrets = (await manager.listSecrets({ filters: { label: [`platform-topologies.name=${name}`] } })) as {
    ID: string;
    Spec: { Name: string };
  }[];
  const password = secrets.find(({ Spec }) => Spec.Name.includes("store-1"));
  expect(password).toBeDefined();
  await manager.getService(`${name}-store-1`).remove();
  await manager.getSecret(password?.ID ?? "").remove();
  await fails(stack, `the secret or config ${password?.Spec.Name ?? ""} of this stack was removed from the swarm`);
  succeeded(await stack.run(["refresh", "--yes", "--skip-preview"]));
  await heals();
}, 180_000);

test("what was removed or scaled comes back with the next up, and so do a node's labels", async () => {
  await manager.getService(`${name}-web`).remove();
  await scale("store-1", 0);
  await relabel("w1", ({ disk = "", ...labels }) => (disk === "fast" ? labels : {}));
  await heals(
    `service ${name}-web is gone from the engine: it is made again`,
    `service ${name}-store-1 was scaled to 0: it is scaled back to 1`,
    "node w1 has lost disk=fast: it is put back",
  );
}, 240_000);

test("a renamed stack changes nothing", async () => {
  const other = `${stackName}-renamed`;
  succeeded(await stack.run(["stack", "rename", other]));
  try {
    succeeded(await stack.run(["preview", "--expect-no-changes"], other));
  } finally {
    succeeded(await stack.run(["stack", "rename", stackName], other));
  }
}, 60_000);

test("another state of the same name is refused, and takes nothing", async () => {
  const second = await TestStack.create({ program: program(), config });
  await fails(
    second,
    "exist and belong to another state: name the stack otherwise",
    `the node w1 has the label platform-topologies.volume-node.${name}.store-1=`,
  );
  await second.dispose();
}, 120_000);

test("what an interrupted run of this very state has left is its own: the same disk, services anew", async () => {
  const volumeNode = await volumeNodeLabels();
  const { resources } = await stack.state();
  const { urn = "" } = resources.find(({ type }) => type === "platform-topologies:index:VolumeNode") ?? {};
  succeeded(await stack.run(["state", "delete", urn, "--target-dependents", "--yes"]));
  await heals();
  expect(await volumeNodeLabels()).toEqual(volumeNode);
}, 120_000);

test("a drained node is told with the remedy, and what was there comes back when it is active", async () => {
  await availability("w1", "drain");
  await eventually(20, pending, unplaced);
  const remedy = "its node w1 is drained: `docker node update --availability active w1`";
  await fails(stack, `service ${name}-store-1 does not work: ${remedy}`);
  await availability("w1", "active");
  const volumeNode = await volumeNodeLabels();
  await relabel("w1", ({ disk = "" }) => ({ disk }));
  await heals(`volume node ${name}.store-1 has lost its label on the node w1: it is put back`);
  expect(await volumeNodeLabels()).toEqual(volumeNode);
}, 180_000);

test("a node that has left and joined again is told, with the labels to move and the volume to look for", async () => {
  const w1 = cluster.dockerOf("w1");
  const { ID: old } = (await manager.getNode("w1").inspect()) as NodeInfo;
  const volumeNode = await volumeNodeLabels();
  await w1.swarmLeave({ force: true });
  await eventually(
    30,
    () => states(old),
    (state) => state === "down",
  );
  await join(manager, w1, "worker", cluster.address("w1"));
  const now = (await nodes()).find(({ ID }) => ID !== old && ID !== "")?.ID ?? "";
  await eventually(20, pending, unplaced);
  const value = volumeNode[`platform-topologies.volume-node.${name}.store-1`] ?? "";
  const { output, code } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toContain(`its node w1 is down, and has joined the swarm again as ${now}`);
  expect(output).toContain(`look there for the volume ${name}-store-1-${value}`);
  expect(output).toContain(`--label-add platform-topologies.volume-node.${name}.store-1=${value}`);
  await relabel(now, (labels) => ({ ...labels, ...volumeNode }));
  await manager.getNode(old).remove({ force: true });
  await heals("node w1 has lost disk=fast: it is put back");
}, 180_000);

test("a word for a disk makes a new one, on which all is set up again; without the word nothing changes", async () => {
  const volumeNode = await volumeNodeLabels();
  await stack.rewrite(program({ disks: { "store-1": "today" } }));
  const output = succeeded(await stack.up());
  for (const made of ["VolumeNode swarm-store-1", "Job small-store-1-disk", "Job small-setup"])
    expect(output).toContain(`${made} created replacement`);
  expect(await volumeNodeLabels()).not.toEqual(volumeNode);
  await stack.rewrite(program());
  succeeded(await stack.preview(["--expect-no-changes"]));
  await scale("web", 1);
  await heals(`service ${name}-web was scaled to 1: it is scaled back to 2`);
}, 180_000);
