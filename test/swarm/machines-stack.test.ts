/**
 * ShinyProxy on machines that another stack has made. That stack's AWS is simulated; in the place of its instances are
 * engines of this machine, behind an `ssh` that knows them by their ids, as Systems Manager would.
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

const name = "shiny-two";
const second = "second";
const managers = ["m1", "m2", "m3"];
const programs = newFolder("programs");
let cluster: Cluster;
let stack: TestStack;
let clientId: string;

beforeAll(async () => {
  const hostnames = Object.fromEntries(managers.map((node, index) => [node, `manager-${String(index + 1)}`]));
  cluster = await Cluster.start({ name: "twostacks", managers: 3, workers: 1, hostnames });
  await pushed(cluster);
  stack = await simulated("machines-aws", programs);
  succeeded(await stack.up());
  const { machines } = (await stack.outputs()) as {
    machines: { swarm: { managers: string[] }; existing: { "sign-in": { clientId: string } } };
  };
  ({ clientId } = machines.existing["sign-in"]);
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
  const demo = { title: "Demo", image: "shiny-demo", memoryMib: 256, cpu: 0.5 };
  const shinyproxy = { memoryMib: 512, influxGib: 1, apps: { demo } };
  const config = await swarmConfig({ cluster, name, system: "shinyproxy", config: { shinyproxy } });
  const said = Object.entries(config["platform-topologies:swarm"] as Record<string, unknown>);
  const swarm = Object.fromEntries(said.filter(([key]) => key !== "managers" && key !== "nodes"));
  const on = { ...config, "platform-topologies:swarm": { ...swarm, machines: stackName } };
  await writeFile(join(stack.folder, `Pulumi.${second}.yaml`), JSON.stringify({ config: on }));
}, 600_000);

afterAll(async () => {
  await cluster.stop();
}, 120_000);

test("it goes up by ssh alone, on the managers that the outputs name; then there is nothing to do", async () => {
  succeeded(await stack.run(["up", "--yes", "--skip-preview"], second));
  const { "telegraf-node": telemetry = [], ...others } = await tasksOf(cluster.manager(), name);
  expect(telemetry).toHaveLength(4);
  expect(Object.keys(others)).not.toContain("sign-in");
  for (const task of Object.values(others).flat()) expect(task).toMatch(/^running manager-\d$/);
  succeeded(await stack.run(["preview", "--expect-no-changes"], second));
}, 600_000);

test("ShinyProxy signs in at the pool of the other stack, with its client's secret, which no state has in plain", async () => {
  const { machineSecrets } = (await stack.outputs()) as { machineSecrets: Record<string, string> };
  const secret = machineSecrets["sign-inClientSecret"] ?? "";
  const found = await Promise.all(
    managers.map((node) => cluster.dockerOf(node).listContainers({ filters: { name: [`${name}-shinyproxy.`] } })),
  );
  const index = found.findIndex((each) => each.length > 0);
  const id = found[index]?.[0]?.Id ?? "";
  const file = await cluster.exec(
    managers[index] ?? "",
    ...["docker", "--host", `unix://${cluster.socket(managers[index] ?? "")}`],
    ...["exec", id, "cat", "/run/shinyproxy/application.yml"],
  );
  expect(file).toContain(".amazoncognito.com/oauth2/authorize");
  expect(file).toContain(clientId);
  expect(secret.length).toBeGreaterThan(20);
  expect(file).toContain(secret);
  const { code, output } = await stack.run(["stack", "export"], second);
  expect(code).toBe(0);
  expect(output).not.toContain(secret);
}, 120_000);

test("destroy leaves nothing on the machines", async () => {
  succeeded(await stack.run(["destroy", "--yes", "--skip-preview"], second));
  expect(await tasksOf(cluster.manager(), name)).toEqual({});
}, 300_000);
