/** The ready stacks for AWS on the real engine and the simulated cloud: up, nothing to do, gone. */
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { adminPassword, licence } from "../support/pyrus.ts";
import { simulated } from "../support/simulated.ts";
import { repo, succeeded } from "../support/stack.ts";

const minutes = 60_000;
const pack = join(repo, "policy");

describe.each(["arangodb-aws", "media-aws", "pyrus-aws"])("stacks/%s.yaml", (name) => {
  test(
    "goes up, has nothing to do then, and goes",
    async () => {
      const stack = await simulated(name);
      expect(succeeded(await stack.up(["--policy-pack", pack]))).toContain("platform-topologies@v0.1.0 (local");
      succeeded(await stack.preview(["--expect-no-changes"]));
      const state = JSON.stringify(await stack.state());
      for (const secret of [licence, adminPassword]) expect(state).not.toContain(secret);
      succeeded(await stack.destroy());
      expect((await stack.state()).resources).toEqual([]);
    },
    10 * minutes,
  );
});
