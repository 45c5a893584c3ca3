/** Arkindex on AWS, on the real engine and the simulated cloud: faults, secrets, rules. More faults: test/aws. */
import { join } from "node:path";

import { beforeAll, describe, expect, test } from "@jest/globals";

import { arkindexProgram, project } from "../support/arkindex.ts";
import { convergesThrough, ends, goesOnAfterKill, refused } from "../support/faults.ts";
import { protecting } from "../support/protected.ts";
import { leaks } from "../support/secrets.ts";
import { simulated, simulatedConfig } from "../support/simulated.ts";
import { repo, succeeded, type TestStack } from "../support/stack.ts";

const minutes = 60_000;
const pack = join(repo, "policy");
const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";

describe("stacks/arkindex-aws.yaml", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await simulated("arkindex-aws");
  }, 2 * minutes);

  test(
    "what fails on the way up fails again until it is mended, and the rest is made once",
    () =>
      convergesThrough(stack, [
        refused("NatGateway", "aws-nat"),
        refused("rds/instance:Instance", "arkindex-db"),
        ends("task", "arkindex-migrate", "arkindex-migrate"),
        ends("machine", "arkindex-solr-1", "arkindex-solr-1"),
        ends("service", "backend", "arkindex-backend"),
      ]),
    20 * minutes,
  );

  test(
    "a provider of ours that is killed while a job runs leaves it running, and the next run takes it over",
    async () => {
      await stack.reconfigure({
        [`${project}:arkindex`]: { version: "1.8.0", backends: 2, workers: 2, bucketKeys: true },
      });
      await goesOnAfterKill(stack);
    },
    5 * minutes,
  );

  test(
    "a rule of the policy pack that is broken stops the preview, with its control; advice does not",
    async () => {
      expect(succeeded(await stack.preview(["--policy-pack", pack]))).toContain("[advisory]  cache-tls-alone");
      await stack.rewrite(`import { Volume } from "@pulumi/aws/ebs/volume.js";
        import { Provider } from "@pulumi/aws/provider.js";
        const provider = new Provider("aws", { region: "eu-central-1", skipCredentialsValidation: true });
        new Volume("plain", { availabilityZone: "eu-central-1a", size: 1 }, { provider });`);
      const { code, output } = await stack.preview(["--policy-pack", pack]);
      await stack.rewrite(arkindexProgram());
      expect(code).not.toBe(0);
      expect(output).toMatch(/\[mandatory\] {2}disk-encrypted {2}\(aws:ebs:Volume: plain\)/);
      expect(output).toContain("EC2.3, CIS AWS 6.1.1: a disk is encrypted");
    },
    3 * minutes,
  );

  test(
    "no secret is in the state, in what a run prints, or in a machine's user data",
    async () => {
      const { passwords } = (await stack.outputs()) as { passwords: Record<string, string> };
      const values = Object.values(passwords);
      expect(Object.keys(passwords).sort()).toEqual(["db", "db-admin", "objects"]);
      const state = JSON.stringify(await stack.state());
      const { output } = await stack.preview(["--diff", "--refresh=false"]);
      for (const value of values) for (const text of [state, output]) expect(text).not.toContain(value);
    },
    3 * minutes,
  );

  test(
    "agents come later, each on a machine of its own; there is nothing to do then, and no seed is told",
    async () => {
      const seeds = { cpu: "seed-of-the-farm-of-processors", gpu: "seed-of-the-farm-of-gpus" };
      for (const [name, seed] of Object.entries(seeds))
        succeeded(
          await stack.run(["config", "set", "--path", "--secret", `${project}:secrets.ponosSeed-${name}`, seed]),
        );
      const key = `${project}:arkindex`;
      const agents = { cpu: { farm }, gpu: { farm, gpus: 1, replicas: 2 } };
      await stack.reconfigure({ [key]: { ...(simulatedConfig("arkindex-aws")[key] as object), agents } });
      const made = await stack.up();
      succeeded(made);
      const again = await stack.preview(["--diff", "--expect-no-changes"]);
      succeeded(again);
      const { resources } = await stack.state();
      for (const text of [made.output, again.output, JSON.stringify(resources)]) expect(leaks(text, seeds)).toEqual([]);
      const gates = resources.filter(({ type }) => type === "platform-topologies:index:Machine");
      expect(gates.map(({ urn }) => urn.split("::").at(-1)).sort()).toEqual(
        expect.arrayContaining(["cpu-1", "gpu-1", "gpu-2"].map((name) => `arkindex-agent-${name}`)),
      );
    },
    10 * minutes,
  );

  test(
    "goes, and nothing is left",
    async () => {
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    5 * minutes,
  );

  test(
    "protected and with a key of its own it has nothing to do then, and no other key is taken",
    async () => {
      const aws = simulatedConfig("arkindex-aws")[`${project}:aws`] as object;
      const { backup, secrets } = protecting("arkindex-aws") as { backup: object; secrets: Record<string, string> };
      const keyed = {
        ...{ [`${project}:protect`]: true, [`${project}:backup`]: backup },
        [`${project}:aws`]: { ...aws, kmsKey: "create" },
      };
      await stack.reconfigure(keyed);
      for (const [key, value] of Object.entries(secrets))
        succeeded(await stack.run(["config", "set", "--path", "--secret", `${project}:secrets.${key}`, value]));
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
      const { resources } = await stack.state();
      const made = resources
        .filter(({ type }) => /kms\/key:|dlm\/|bucketLogging:|logMetricFilter:/.test(type))
        .map(({ type }) => type);
      expect([...new Set(made)].sort()).toEqual([
        "aws:cloudwatch/logMetricFilter:LogMetricFilter",
        "aws:dlm/lifecyclePolicy:LifecyclePolicy",
        "aws:kms/key:Key",
        "aws:s3/bucketLogging:BucketLogging",
      ]);
      await stack.reconfigure({ [`${project}:aws`]: aws });
      const { code, output } = await stack.preview();
      expect(code).not.toBe(0);
      expect(output).toMatch(/aws\.kmsKey: what the stack keeps is encrypted with arn:aws:kms:\S+: that stays/);
      await stack.reconfigure({ ...keyed, [`${project}:protect`]: false });
      succeeded(await stack.up());
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    10 * minutes,
  );
});
