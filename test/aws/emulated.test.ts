/** The ready stacks with the AWS provider's own code against moto, somebody else's AWS. */
import { describe, expect, test } from "@jest/globals";

import { emulated } from "../support/emulated.ts";
import { succeeded } from "../support/stack.ts";

const minutes = 60_000;

describe.each(["arkindex-aws", "arangodb-aws", "media-aws", "pyrus-aws", "machines-aws"])("stacks/%s.yaml", (name) => {
  test(
    "goes up, has nothing to do then, and goes without a rest",
    async () => {
      const { stack, all } = await emulated(name);
      const before = await counted(all);
      succeeded(await stack.up());
      succeeded(await stack.preview(["--expect-no-changes"]));
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
      expect(await counted(all)).toEqual(before);
    },
    60 * minutes,
  );
});

/** How many of each kind AWS has. Some are there from the beginning, as its default network. */
async function counted(all: () => Promise<Record<string, Record<string, unknown[]>>>): Promise<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(await all()).flatMap(([service, kinds]) =>
      Object.entries(kinds).map(([kind, each]) => [`${service} ${kind}`, each.length] as const),
    ),
  );
}
