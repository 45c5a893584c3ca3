/** The ready stacks for AWS on the real engine and the simulated cloud: up, nothing to do, faults and what follows, gone. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";

import { simulation } from "../../tools/simulate/simulation.ts";
import { arkindexProgram, project } from "../support/arkindex.ts";
import { adminPassword, licence, setSecrets } from "../support/pyrus.ts";
import { newFolder } from "../support/folder.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

import type { Simulation } from "../../tools/simulate/simulation.ts";

const minutes = 60_000;

/** The config of a ready stack, without its published secrets, which are of another passphrase. */
function configOf(name: string): Record<string, unknown> {
  const file = readFileSync(join(repo, "stacks", `${name}.yaml`), "utf8");
  const { config } = parse(file) as { config: Record<string, unknown> };
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== `${project}:secrets`));
}

const running: Simulation[] = [];
const made: TestStack[] = [];
async function ready(name: string, over: Record<string, unknown> = {}): Promise<TestStack> {
  const simulated = await simulation(newFolder(`world-${name}`));
  running.push(simulated);
  const config = { ...configOf(name), ...over };
  const stack = await TestStack.create({ project, program: arkindexProgram(), config, env: simulated.env });
  made.push(stack);
  return stack;
}
afterAll(async () => {
  for (const stack of made) await stack.dispose();
  for (const each of running) await each.close();
}, 2 * minutes);

describe.each(["arangodb-aws", "media-aws", "pyrus-aws"])("stacks/%s.yaml", (name) => {
  test(
    "goes up, has nothing to do then, and goes",
    async () => {
      const stack = await ready(name);
      if (name === "pyrus-aws") await setSecrets(stack);
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
      const state = JSON.stringify(await stack.state());
      for (const secret of [licence, adminPassword]) expect(state).not.toContain(secret);
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    10 * minutes,
  );
});

describe("stacks/arkindex-aws.yaml", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await ready("arkindex-aws");
  }, 2 * minutes);

  /** What a run printed in which these faults were met. */
  async function upWith(faults: readonly string[]): Promise<{ code: number; output: string }> {
    process.env.SIMULATE_FAIL = faults.join(",");
    try {
      return await stack.up();
    } finally {
      delete process.env.SIMULATE_FAIL;
    }
  }

  test(
    "whatever fails on the way up fails again until it is mended, and the rest is made once",
    async () => {
      let left = [
        ...["create Vpc::aws-vpc", "create Cluster::aws-cluster", "create Subnet::aws-data-eu-central-1b"],
        ...["create NatGateway::", "create VpcEndpoint::aws-ecr-api", "create PrivateDnsNamespace::"],
        ...["create LoadBalancer::", "create ListenerRule::", "create Certificate::aws-edge"],
        ...["create Instance::arkindex-db", "create ReplicationGroup::", "create Bucket::arkindex-objects-staging"],
        ...["create AccessKey::", "create Volume::arkindex-solr-1", "create autoscaling/group:Group::arkindex-solr-1"],
        ...["create Role::arkindex-migrate-start", "create SecretVersion::arkindex-backend-secret"],
        ...[
          "task/arkindex-migrate",
          "machine/arkindex-solr-1",
          "service/backend",
          "create TaskDefinition::arkindex-worker",
        ],
      ];
      const all = left.length;
      let runs = 0;
      const met: string[] = [];
      while (left.length > 0) {
        runs++;
        expect(runs).toBeLessThanOrEqual(all);
        const { code, output } = await upWith(left);
        expect(code).not.toBe(0);
        const now = left.filter((fault) => metIn(output, fault));
        if (now.length === 0) throw new Error(`none of ${left.join(", ")} was met:\n${output}`);
        // The same again: no failed run leaves a record by which the next one passes.
        if (runs === 1 || now.some((fault) => !fault.startsWith("create")))
          expect((await upWith(now)).code).not.toBe(0);
        met.push(...now);
        left = left.filter((fault) => !now.includes(fault));
      }
      expect(met).toHaveLength(all);
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
    },
    30 * minutes,
  );

  test(
    "no secret is in the state, in what a run prints, or in a machine's user data",
    async () => {
      const { passwords } = (await stack.outputs()) as { passwords: Record<string, string> };
      const values = Object.values(passwords);
      expect(Object.keys(passwords).sort()).toEqual(["db", "objects"]);
      const state = JSON.stringify(await stack.state());
      const { output } = await stack.preview(["--diff", "--refresh=false"]);
      for (const value of values) for (const text of [state, output]) expect(text).not.toContain(value);
    },
    3 * minutes,
  );

  test(
    "goes, and nothing is left",
    async () => {
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    5 * minutes,
  );
});

/** Whether the run names what was to fail: a resource in the simulation's words, a task, service or machine in ours. */
function metIn(output: string, fault: string): boolean {
  const [, type, name = ""] = /^create ([\w/:]+)::(.*)$/.exec(fault) ?? [];
  if (type === undefined) return output.includes(`error: arkindex-${fault.replace(/^\w+\/(arkindex-)?/, "")} `);
  return new RegExp(`:${type} \\(${name}[^)]*\\): refused, as SIMULATE_FAIL`).test(output);
}
