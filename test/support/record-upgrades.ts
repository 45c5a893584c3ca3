/**
 * Records the states that this release writes, for test/data/upgrades/<version of package.json>, one stack at a time:
 *   node_modules/node/bin/node test/support/record-upgrades.ts [arangodb-docker…]
 * Each is a ready stack of stacks/, brought up: on this machine's engine, on a swarm of its own, or on the simulated cloud.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { parse } from "yaml";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { simulation } from "../../tools/simulate/simulation.ts";
import { arkindexProgram, cleanUp, localImages, project, sweep } from "./arkindex.ts";
import { setSecrets } from "./pyrus.ts";
import { simulatedConfig } from "./simulated-stack.ts";
import { repo, succeeded, TestStack } from "./stack.ts";
import { pushed } from "./swarm-stack.ts";
import { exported, type Fixture, keep, upgradeStack } from "./upgrades.ts";

const ready = [
  ...["shinyproxy-docker", "arangodb-docker", "media-docker", "arkindex-docker", "pyrus-docker"],
  ...["arangodb-swarm", "shinyproxy-swarm", "media-swarm", "arkindex-swarm", "pyrus-swarm"],
  ...["arangodb-aws", "arkindex-aws", "media-aws", "pyrus-aws", "machines-aws"],
];

const base = { project, program: arkindexProgram(), name: upgradeStack };
const { version } = JSON.parse(await readFile(join(repo, "package.json"), "utf8")) as { version: string };
const wanted = process.argv.length > 2 ? process.argv.slice(2) : ready;
const unknown = wanted.filter((name) => !ready.includes(name));
if (unknown.length > 0) throw new Error(`no stack ${unknown.join(", ")}: ${ready.join(", ")}`);
/** Of all stacks on a swarm, made for the first: its registry is filled once. */
let cluster: Cluster | undefined;
try {
  for (const name of wanted) {
    const [system = "", topology = ""] = name.split("-");
    const began = Date.now();
    const found = await (topology === "aws" ? onAws(name) : topology === "swarm" ? onSwarm(name) : onDocker(name));
    const day = new Date().toISOString().slice(0, 10);
    const bytes = keep({ version, system, topology, day, ...found });
    const told = [`${String(found.state.deployment.resources.length)} resources`, `${String(bytes)} bytes`];
    process.stdout.write(`${name}: ${told.join(", ")}, ${String(Math.round((Date.now() - began) / 1000))} s\n`);
  }
} finally {
  await cluster?.stop();
}

type Found = Pick<Fixture, "settings" | "state">;

/** The config of a ready stack with other values of these keys, without the project's prefix; undefined takes one away. */
function configOf(name: string, over: (own: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>) {
  const config = simulatedConfig(name);
  const own = Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace(`${project}:`, ""), value]));
  const changed = Object.entries(over(own)).map(([key, value]) => [`${project}:${key}`, value]);
  const all = { ...config, ...Object.fromEntries(changed) } as Record<string, unknown>;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Brought up, with nothing left to do. */
async function recorded(name: string, stack: TestStack): Promise<Found> {
  if (name.startsWith("pyrus")) await setSecrets(stack);
  // A busy machine may need longer for an image than a job may take: what failed is not in the state.
  if ((await stack.up()).code !== 0) succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
  // In plain text it is a quarter as large, and the same state is the same file. What is secret in it goes with the stack.
  const state = exported.parse(JSON.parse(succeeded(await stack.run(["stack", "export", "--show-secrets"]))));
  return { settings: parse(await readFile(stack.settings, "utf8")) as Found["settings"], state };
}

async function onDocker(name: string): Promise<Found> {
  const site = `upgrade-${name.replace("-docker", "")}`;
  const config = configOf(name, () => ({
    name: site,
    // The images are not part of what is compared: they stay as they were.
    ...{ localImages: undefined, images: localImages() },
    // The test's engine is another one.
    docker: { address: "127.0.0.1", ports: { http: 15_902, https: 15_903 }, socket: "/var/run/docker.sock" },
    backup: { everyHours: 24, to: { volume: `${site}-backup` } },
  }));
  await sweep(site);
  const stack = await TestStack.create({ ...base, config });
  try {
    return await recorded(name, stack);
  } finally {
    await cleanUp(stack, site);
  }
}

/** One node is enough: how many there are is not in the state. */
async function onSwarm(name: string): Promise<Found> {
  cluster ??= await Cluster.start({ name: "upgrade", network: "10.213.181", managers: 1, workers: 0 });
  const swarm = { managers: [cluster.host("m1")], nodes: { m1: { address: cluster.address("m1") } } };
  const images = await pushed(cluster);
  const config = configOf(name, (own) => ({
    mirror: undefined,
    images,
    swarm: { ...(own.swarm as object), ...swarm },
  }));
  const stack = await TestStack.create({ ...base, config });
  try {
    return await recorded(name, stack);
  } finally {
    await stack.dispose();
  }
}

async function onAws(name: string): Promise<Found> {
  const world = await mkdtemp(join(tmpdir(), "world-"));
  const cloud = await simulation(world);
  const stack = await TestStack.create({
    ...{ ...base, config: simulatedConfig(name), env: cloud.env },
    level: "simulated",
  });
  try {
    return await recorded(name, stack);
  } finally {
    await stack.dispose();
    await cloud.close();
    await rm(world, { recursive: true, force: true });
  }
}
