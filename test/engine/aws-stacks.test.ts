/** The ready stacks for AWS on the real engine and the simulated cloud: up, nothing to do, gone. */
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { project } from "../support/arkindex.ts";
import { adminPassword, licence } from "../support/pyrus.ts";
import { simulated, simulatedConfig } from "../support/simulated.ts";
import { repo, succeeded, type TestStack } from "../support/stack.ts";

const minutes = 60_000;
const pack = join(repo, "policy");
const awsKey = `${project}:aws`;

/** What holds data, and the machines that have them, by their ids. */
async function storesOf(stack: TestStack): Promise<string[]> {
  const stores = /^(aws:(ebs\/volume|ec2\/networkInterface|s3\/bucket|autoscaling\/group):|random:)/;
  const { resources } = await stack.state();
  return resources.flatMap(({ type, urn, id = "" }) => (stores.test(type) ? [`${urn} ${id}`] : [])).sort();
}

describe.each([
  ["arangodb-aws", "balancer"],
  ["media-aws", "balancer"],
  ["pyrus-aws", "proxy"],
])("stacks/%s.yaml", (name, then) => {
  test(
    `goes up, has nothing to do then, ${then === "proxy" ? "takes our own proxy as its edge, " : ""}and goes`,
    async () => {
      const stack = await simulated(name);
      expect(succeeded(await stack.up(["--policy-pack", pack]))).toContain("platform-topologies@v0.1.0 (local");
      succeeded(await stack.preview(["--expect-no-changes"]));
      if (then === "proxy") {
        const before = await storesOf(stack);
        const { [awsKey]: aws } = simulatedConfig(name);
        await stack.reconfigure({ [awsKey]: { ...(aws as object), edge: "proxy" } });
        succeeded(await stack.up(["--policy-pack", pack]));
        succeeded(await stack.preview(["--expect-no-changes"]));
        expect(await storesOf(stack)).toEqual(before);
        const balancers = (await stack.state()).resources.filter(({ type }) => type.endsWith(":LoadBalancer"));
        expect(balancers.map(({ inputs }) => inputs?.loadBalancerType)).toEqual(["network"]);
      }
      const state = JSON.stringify(await stack.state());
      for (const secret of [licence, adminPassword]) expect(state).not.toContain(secret);
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    20 * minutes,
  );
});
