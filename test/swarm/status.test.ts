/** `npm run status` of a small stack on a swarm of two nodes: all is well, a node is drained, a service is removed. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { eventually } from "../support/arkindex.ts";
import { generatedSecrets } from "../support/secrets.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Asking, findings } from "../support/status.ts";
import { placeOf, swarmStack } from "../support/swarm-stack.ts";

const name = "status-swarm";
let cluster: Cluster;
let stack: TestStack;
let asking: Asking;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "status", network: "10.213.157", managers: 1, workers: 1 });
  const backup = { everyHours: 24, to: { volume: `${name}-backup` } };
  const config = { arangodb: { mode: "single" }, backup };
  stack = await swarmStack({ cluster, name, system: "arangodb", config });
  // A job waits a minute for its image, and nodes of a busy machine may pull for longer: then it is there.
  if ((await stack.up()).code !== 0) succeeded(await stack.up());
  asking = new Asking(stack, await generatedSecrets(stack));
}, 900_000);

afterAll(async () => {
  await stack.dispose();
  await cluster.stop();
}, 300_000);

test("all is well: the node of each service, the certificate that is served, the backup by its log", async () => {
  const { exitCode, status } = await eventually(async () => {
    const seen = await asking.json();
    return seen.status.backup?.lastRun === undefined ? undefined : seen;
  }, 300);
  expect({ exitCode, findings: status.findings }).toEqual({ exitCode: 0, findings: [] });
  expect(status.parts.map((part) => [part.name, part.kind, part.condition])).toEqual(
    ["backup", "edge", "single-1"].map((part) => [`${name}-${part}`, "service", "well"]),
  );
  const { node } = await placeOf(cluster, name, "single-1");
  expect(status.parts.find((part) => part.name === `${name}-single-1`)?.where[0]).toContain(node);
  expect(status.certificates[0]).toMatchObject({ from: "served" });
  expect(status.backup).toMatchObject({ from: "log", everyHours: 24 });
}, 400_000);

test("a node that is drained keeps the only disk: that is said, with what to type", async () => {
  const { node } = await placeOf(cluster, name, "single-1");
  const manager = cluster.dockerOf("m1");
  const nodes = (await manager.listNodes()) as { ID: string; Description: { Hostname: string } }[];
  const hostname = nodes.find(({ Description }) => Description.Hostname.includes(node))?.Description.Hostname ?? "";
  const set = async (availability: string): Promise<void> => {
    const found = manager.getNode(nodes.find(({ Description }) => Description.Hostname === hostname)?.ID ?? "");
    const { Version, Spec } = (await found.inspect()) as { Version: { Index: number }; Spec: object };
    await found.update({ version: Version.Index, ...Spec, Availability: availability });
  };
  await set("drain");
  try {
    // The task has to end first.
    const said = `${name}-single-1: its node ${hostname} is drained`;
    const { exitCode, status } = await eventually(async () => {
      const seen = await asking.json();
      return findings(seen.status, "unwell").includes(said) ? seen : undefined;
    }, 60);
    expect(exitCode).toBe(1);
    const look = status.findings.find(({ what }) => what === `${name}-single-1`)?.look;
    expect(look).toBe(`\`docker node update --availability active ${hostname}\``);
  } finally {
    await set("active");
  }
  await eventually(async () => ((await asking.json()).exitCode === 0 ? true : undefined), 120);
}, 400_000);

test("a service that somebody has removed, and managers of which none answers", async () => {
  await cluster.dockerOf("m1").getService(`${name}-backup`).remove();
  const { status } = await asking.json();
  expect(findings(status, "unwell")).toEqual([`${name}-backup: is not on its swarm`]);
  succeeded(await stack.up());
  await cluster.kill("m1");
  try {
    const dark = await asking.json();
    expect(dark.exitCode).toBe(2);
    expect(dark.status.findings.map(({ condition }) => condition)).toContain("unknown");
    expect(dark.status.parts.every(({ condition }) => condition === "unknown")).toBe(true);
  } finally {
    await cluster.start("m1");
  }
}, 600_000);
