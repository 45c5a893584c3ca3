/** A kill -9 can come at any moment: each of the state's files has to be written whole or not at all. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { stackName } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

test("no sidecar file, which the backend does not write atomically, is needed or made", async () => {
  const stack = await TestStack.create({ program: `export const answer = 42;` });
  try {
    succeeded(await stack.up());
    const files = await readdir(join(stack.folder, "state"), { recursive: true });
    expect(files.filter((file) => file.endsWith(`${stackName}.json`))).toHaveLength(1);
    expect(files.filter((file) => file.endsWith(".attrs"))).toEqual([]);
  } finally {
    await stack.dispose();
  }
  expect(await readFile(join(repo, "Pulumi.yaml"), "utf8")).toContain("&metadata=skip");
}, 60_000);

test("the images of the last run are in the state that a program is told", async () => {
  const stack = await TestStack.create({
    program: `import { stateOfStack } from "${repo}/components/core/known.ts";
import { movedLines } from "${repo}/components/core/releases.ts";
const redis = { key: "redis", ref: "docker.io/valkey/valkey:8.1", rehearsing: false, client: "none", secrets: "files" };
export const refused = movedLines((await stateOfStack()) ?? [], [redis], {}).map(({ key }) => key);
export const images = { redis: "docker.io/library/redis:7.0" };`,
  });
  try {
    succeeded(await stack.up());
    expect(await stack.outputs()).toMatchObject({ refused: [] });
    succeeded(await stack.up());
    expect(await stack.outputs()).toMatchObject({ refused: ["images.redis"] });
  } finally {
    await stack.dispose();
  }
}, 60_000);
