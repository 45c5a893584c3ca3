/** The costs in docs/aws.md are what the prices make of the stacks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { monthly } from "../../comment/prices.ts";
import { protecting } from "../support/protected.ts";
import { readyConfig, recordReady } from "../support/ready.ts";
import { repo } from "../support/stack.ts";

const page = readFileSync(join(repo, "docs/aws.md"), "utf8");

/** Dollars a month, by tens, and what has no price. */
async function cost(stack: string, over: object): Promise<string> {
  const all = await recordReady(stack, over);
  const made = all.map(({ type, name, inputs }) => ({
    ...{ urn: `urn:pulumi:stack::project::${type}::${name}`, inputs, outputs: {} },
  }));
  const { dollars, unpriced } = monthly(made) ?? { dollars: NaN, unpriced: ["all"] };
  expect(unpriced).toEqual([]);
  return String(Math.round(dollars / 10) * 10);
}

/** As few of everything as the system takes. */
const smallest: Readonly<Record<string, object>> = {
  arkindex: { version: "1.7.0", backends: 1, workers: 1, bucketKeys: true },
  arangodb: { mode: "single" },
  machines: { managers: { count: 1 }, workers: { apps: { count: 1 } }, sshKeys: ["ssh-ed25519 AAAA you"] },
  media: { nodes: 1, searchNodes: 1 },
  pyrus: {},
};

test.each(Object.keys(smallest))("%s", async (system) => {
  const stack = `${system}-aws`;
  const row = page.split("\n").find((line) => line.startsWith(`| \`stacks/${stack}.yaml\``)) ?? "";
  const cells = row.split("|").map((cell) => cell.trim());
  const own = {
    [system]: { ...(readyConfig(`stacks/${stack}.yaml`)[system] as object | undefined), ...smallest[system] },
  };
  expect(cells.slice(2, -1)).toEqual([
    await cost(stack, own),
    await cost(stack, {}),
    await cost(stack, protecting(stack)),
  ]);
});
