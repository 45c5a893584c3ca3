/** The ready stacks with the AWS provider's own code against moto, somebody else's AWS. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { emulated } from "../support/emulated.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const minutes = 60_000;
const kept = [
  "aws:ecs/taskDefinition:TaskDefinition", // ECS keeps the revisions: its circuit breaker goes back to one
  "aws:servicediscovery/instance:Instance", // read through its service, which is gone
];

async function exported(stack: TestStack): Promise<string> {
  const text = succeeded(await stack.run(["stack", "export"]));
  return text.slice(text.indexOf("{"));
}

async function imported(stack: TestStack, state: string): Promise<void> {
  const file = join(stack.folder, "state.json");
  await writeFile(file, state);
  succeeded(await stack.run(["stack", "import", "--file", file]));
}

describe.each(["arkindex-aws", "arangodb-aws", "media-aws", "pyrus-aws", "machines-aws"])("stacks/%s.yaml", (name) => {
  test(
    "goes up, has nothing to do then, and goes: the provider finds nothing that it made any more",
    async () => {
      const stack = await emulated(name);
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
      const made = await exported(stack);
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);

      const nothing = await exported(stack);
      await imported(stack, made);
      await stack.run(["refresh", "--yes", "--skip-preview"]); // the provider cannot read what lies in what is gone
      const left = (await stack.state()).resources.filter(
        ({ type }) => type.startsWith("aws:") && !kept.includes(type),
      );
      await imported(stack, nothing);
      expect(left.map(({ urn }) => urn)).toEqual([]);
    },
    60 * minutes,
  );
});
