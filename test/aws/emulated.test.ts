/** The ready stacks with the AWS provider's own code against moto, somebody else's AWS. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { emulated } from "../support/emulated.ts";
import { succeeded } from "../support/stack.ts";

const minutes = 60_000;
/** ECS keeps the revisions of a task: its circuit breaker goes back to one. */
const kept = "aws:ecs/taskDefinition:TaskDefinition";

describe.each(["arkindex-aws", "arangodb-aws", "media-aws", "pyrus-aws", "machines-aws"])("stacks/%s.yaml", (name) => {
  test(
    "goes up, has nothing to do then, and goes: the provider finds nothing that it made any more",
    async () => {
      const stack = await emulated(name);
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
      const whole = succeeded(await stack.run(["stack", "export"]));
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);

      const file = join(stack.folder, "whole.json");
      await writeFile(file, whole.slice(whole.indexOf("{")));
      succeeded(await stack.run(["stack", "import", "--file", file]));
      succeeded(await stack.run(["refresh", "--yes", "--skip-preview"]));
      const left = (await stack.state()).resources.filter(({ type }) => type.startsWith("aws:") && type !== kept);
      expect(left.map(({ urn }) => urn)).toEqual([]);
    },
    60 * minutes,
  );
});
