/** Which stacks a change touches: too many costs seconds, too few hides a change. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import { execa } from "execa";

import { changedSince, touches } from "../../tools/touched.ts";
import { newFolder } from "../support/folder.ts";

const stacks = {
  "arkindex-docker": ["arkindex", "docker"],
  "arkindex-swarm": ["arkindex", "swarm"],
  "arkindex-aws": ["arkindex", "aws"],
  "pyrus-aws": ["pyrus", "aws"],
} as const;
const all = Object.keys(stacks);

async function touched(file: string, simulated = false): Promise<string[]> {
  const found: string[] = [];
  for (const [name, [system, topology]] of Object.entries(stacks))
    if (await touches({ configFile: `stacks/${name}.yaml`, system, topology }, [file], simulated)) found.push(name);
  return found;
}

test.each<[string, readonly string[]]>([
  ["stacks/arkindex-aws.yaml", ["arkindex-aws"]],
  ["components/systems/arkindex.ts", ["arkindex-docker", "arkindex-swarm", "arkindex-aws"]],
  ["components/systems/pyrus/pyrus.ts", ["pyrus-aws"]],
  ["components/systems/index.ts", all],
  ["components/topologies/aws/network.ts", ["arkindex-aws", "pyrus-aws"]],
  ["components/topologies/aws/slot.py", ["arkindex-aws", "pyrus-aws"]],
  ["components/topologies/aws/managed/postgres.ts", ["arkindex-aws", "pyrus-aws"]],
  ["components/topologies/docker/container.ts", ["arkindex-docker"]],
  ["components/topologies/docker/ports.ts", ["arkindex-docker", "arkindex-swarm"]],
  ["components/core/image-lock.ts", all],
  ["components/services/postgres.ts", all],
  ["ops/gate.ts", all],
  ["policy/aws.ts", all],
  ["package-lock.json", all],
  ["Pulumi.yaml", all],
  ["index.ts", all],
  ["docs/aws.md", []],
  ["test/unit/aws.test.ts", []],
  ["tools/simulate/world.ts", []],
  ["comment/render.ts", []],
  ["README.md", []],
])("%s", async (file, wanted) => {
  expect(await touched(file)).toEqual(wanted);
});

test("the simulated cloud is a part of its previews", async () => {
  expect(await touched("tools/simulate/world.ts", true)).toEqual(all);
});

test("what differs is counted from the branch point on, whatever the names of files", async () => {
  const cwd = newFolder("touched");
  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main", ...args], {
      cwd,
    });
  const write = async (file: string, text: string): Promise<void> => {
    await writeFile(join(cwd, file), text);
    await git("add", "-A");
    await git("commit", "-m", file);
  };
  await git("init");
  await write("a", "1");
  await write("old", "the same text in both, so that it might be called a renaming\n");
  await git("checkout", "-b", "branch");
  await mkdir(join(cwd, "d"));
  await write('d/with "quotes" and ü\n.ts', "1");
  await rm(join(cwd, "old"));
  await write("new", "the same text in both, so that it might be called a renaming\n");
  await git("checkout", "main");
  await write("main-only", "1");
  await git("checkout", "branch");
  expect((await changedSince("main", cwd)).sort()).toEqual(['d/with "quotes" and ü\n.ts', "new", "old"]);
  await expect(changedSince("nowhere", cwd)).rejects.toThrow(/--since nowhere: git does not know/);
  await expect(changedSince("--output=/tmp/x", cwd)).rejects.toThrow(/git does not know/);
});
