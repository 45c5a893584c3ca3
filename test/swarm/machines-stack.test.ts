/**
 * A platform on machines that another stack has made. That stack's AWS is simulated; in the place of its instances are
 * engines of this machine, behind an `ssh` that knows them by their ids, as Systems Manager would. It is ArangoDB, as
 * ShinyProxy waits for the keys of the pool, and no Cognito is here.
 */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { newFolder } from "../support/folder.ts";
import { stackName } from "../support/run.ts";
import { simulated } from "../support/simulated.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { pushed, swarmConfig, tasksOf } from "../support/swarm-stack.ts";

const name = "arango-two";
const second = "second";
const managers = ["m1", "m2", "m3"];
const programs = newFolder("programs");
let cluster: Cluster;
let stack: TestStack;

beforeAll(async () => {
  const hostnames = Object.fromEntries(managers.map((node, index) => [node, `manager-${String(index + 1)}`]));
  cluster = await Cluster.start({ name: "twostacks", managers: 3, workers: 1, hostnames });
  await pushed(cluster);
  stack = await simulated("machines-aws", programs);
  succeeded(await stack.up());
  const { machines } = (await stack.outputs()) as { machines: { swarm: { managers: string[] } } };
  for (const [index, manager] of machines.swarm.managers.entries())
    await writeFile(join(programs, new URL(manager).hostname), cluster.socket(managers[index] ?? ""));
  const ssh = `#!/bin/sh
for word in "$@"; do
  case $word in i-*) exec docker --host "unix://$(cat '${programs}'/$word)" system dial-stdio ;; esac
done
exit 255
`;
  await writeFile(join(programs, "ssh"), ssh);
  await chmod(join(programs, "ssh"), 0o755);

  succeeded(await stack.run(["stack", "init", second]));
  const config = await swarmConfig({ cluster, name, system: "arangodb" });
  const said = Object.entries(config["platform-topologies:swarm"] as Record<string, unknown>);
  const swarm = Object.fromEntries(said.filter(([key]) => key !== "managers" && key !== "nodes"));
  const on = { ...config, "platform-topologies:swarm": { ...swarm, machines: stackName } };
  await writeFile(join(stack.folder, `Pulumi.${second}.yaml`), JSON.stringify({ config: on }));
}, 600_000);

afterAll(async () => {
  await cluster.stop();
}, 120_000);

test("it goes up by ssh alone, on the nodes that the outputs name; then there is nothing to do", async () => {
  succeeded(await stack.run(["up", "--yes", "--skip-preview"], second));
  const tasks = await tasksOf(cluster.manager(), name);
  expect(tasks.edge).toEqual(managers.map((_, index) => `running manager-${String(index + 1)}`));
  for (const task of Object.values(tasks).flat()) expect(task).toMatch(/^running (manager-\d|w1)$/);
  succeeded(await stack.run(["preview", "--expect-no-changes"], second));
}, 600_000);

test("destroy leaves nothing on the machines", async () => {
  succeeded(await stack.run(["destroy", "--yes", "--skip-preview"], second));
  expect(await tasksOf(cluster.manager(), name)).toEqual({});
}, 300_000);
