/** Two stacks: machines on the simulated AWS, and ShinyProxy on them, on the real engine. No machine is there to answer. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeAll, expect, test } from "@jest/globals";

import { arkindexProgram } from "../support/arkindex.ts";
import { simulated, simulatedConfig } from "../support/simulated.ts";
import { stackName } from "../support/run.ts";
import { type StateResource, succeeded, type TestStack } from "../support/stack.ts";

let stack: TestStack;
const second = "second";
/** A preview of ShinyProxy in the same project, on the machines of the first stack. */
async function previewOn(machines: string): Promise<string> {
  const config = simulatedConfig("shinyproxy-swarm-aws");
  const swarm = { ...(config["platform-topologies:swarm"] as object), machines };
  const file = join(stack.folder, `Pulumi.${second}.yaml`);
  await writeFile(file, JSON.stringify({ config: { ...config, "platform-topologies:swarm": swarm } }));
  const { code, output } = await stack.run(["preview"], second);
  expect(code).not.toBe(0);
  return output.replaceAll(/\s+/g, " ");
}

beforeAll(async () => {
  stack = await simulated("machines-aws");
  await stack.rewrite(arkindexProgram());
  succeeded(await stack.run(["stack", "init", second]));
});

test("a stack that was not deployed has no machines, and one that is not there is none", async () => {
  expect(await previewOn(stackName)).toContain(
    `swarm.machines = "${stackName}": has no machines yet: deploy it, with system: machines, before this one`,
  );
  expect(await previewOn("nowhere")).toMatch(
    /swarm\.machines = "nowhere": cannot be read \(.*nowhere.*\): `pulumi stack ls/,
  );
});

test("up, an empty preview, no secret in plain", async () => {
  succeeded(await stack.up());
  const again = await stack.preview(["--expect-no-changes"]);
  expect(succeeded(again)).toContain("unchanged");
  const { machineSecrets } = (await stack.outputs()) as { machineSecrets: Record<string, string> };
  expect(Object.keys(machineSecrets)).toEqual(["sign-inClientSecret"]);
  const text = JSON.stringify((await stack.state()).resources.map(({ outputs, inputs }) => ({ outputs, inputs })));
  for (const secret of Object.values(machineSecrets)) {
    expect(secret.length).toBeGreaterThan(20);
    expect(text).not.toContain(secret);
  }
});

test("the second stack has the managers, the nodes and sign-in from the first one's outputs", async () => {
  const { machines } = (await stack.outputs()) as { machines: { swarm: { managers: string[] } } };
  const said = await previewOn(stackName);
  expect(machines.swarm.managers).toHaveLength(3);
  // Preflight asks each of them, and nothing else is missing: sign-in and its secret are there.
  for (const manager of machines.swarm.managers) expect(said).toContain(`swarm.managers = "${manager}"`);
  expect(said).not.toContain("sign-in");
});

test("a worker more changes its group and its wait alone; another size of the managers changes each in its turn", async () => {
  const config = simulatedConfig("machines-aws");
  const machines = config["platform-topologies:machines"] as { managers: object; workers: { apps: object } };
  const changes = async (over: object): Promise<string[]> => {
    await stack.reconfigure({ "platform-topologies:machines": { ...machines, ...over } });
    const said = succeeded(await stack.preview(["--json"]));
    const { steps } = JSON.parse(said.slice(said.indexOf("{"))) as { steps: { op: string; urn: string }[] };
    return steps.filter(({ op }) => op !== "same").map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? ""}`);
  };
  expect((await changes({ workers: { apps: { ...machines.workers.apps, count: 3 } } })).sort()).toEqual([
    "update machines-swarm-apps",
    "update machines-swarm-apps",
    "update machines-swarm-apps-machines",
  ]);
  const larger = await changes({ managers: { ...machines.managers, memoryMib: 7168 } });
  for (const number of [1, 2, 3])
    expect(larger.filter((each) => each === `update machines-swarm-manager-${String(number)}`)).toHaveLength(2);
  expect(larger.filter((each) => !each.startsWith("update"))).toEqual([]);
  await stack.reconfigure({ "platform-topologies:machines": machines });
});

test("destroy leaves nothing", async () => {
  succeeded(await stack.destroy());
  const left = (await stack.state()).resources.filter(({ type }: StateResource) => !type.startsWith("pulumi:"));
  expect(left).toEqual([]);
});
