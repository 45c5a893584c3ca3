/** The ready stacks for AWS on the real engine and the simulated cloud: up, nothing to do, gone. */
import { join } from "node:path";

import { beforeAll, describe, expect, test } from "@jest/globals";

import { project } from "../support/arkindex.ts";
import { convergesThrough, ends, refused } from "../support/faults.ts";
import { adminPassword, licence } from "../support/pyrus.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
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

describe("a media platform with AWS' own search", () => {
  let stack: TestStack;
  beforeAll(async () => {
    const { [`${project}:aws`]: aws } = simulatedConfig("media-aws");
    const media = { nodes: 1, searchSpeaks: ["opensearch2"], services: { search: { path: "/" }, indexer: {} } };
    stack = await simulated("media-aws");
    await stack.reconfigure({
      [`${project}:media`]: media,
      [`${project}:aws`]: { ...(aws as object), searchRole: true },
    });
  }, 2 * minutes);

  test(
    "is not ready while its search lets nobody in, in the next run either; then it is made once",
    () =>
      convergesThrough(stack, [
        refused("opensearch/domain:Domain", "media-elasticsearch"),
        ends("task", "media-elasticsearch-setup", "media-elasticsearch-setup"),
      ]),
    20 * minutes,
  );

  test(
    "keeps the rules, says who supplies it, shows no secret, and goes but for the account's role",
    async () => {
      const output = succeeded(await stack.preview(["--expect-no-changes", "--diff", "--policy-pack", pack]));
      const { suppliers, endpoints } = (await stack.outputs()) as Record<string, Record<string, unknown>>;
      expect(suppliers?.elasticsearch).toBe("elasticsearch: managed, as it is Amazon OpenSearch Service");
      expect(endpoints?.elasticsearch).toMatchObject({ port: 443, user: "app" });
      const secrets = await generatedSecrets(stack);
      expect(secrets["elasticsearch-master"]).toMatch(/!/);
      for (const text of [JSON.stringify(await stack.state()), output]) expect(leaks(text, secrets)).toEqual([]);
      expect(output).not.toContain("[mandatory]");
      expect(succeeded(await stack.destroy())).toMatch(/retain|ServiceLinkedRole/);
      expect((await stack.state()).resources).toEqual([]);
    },
    10 * minutes,
  );
});
