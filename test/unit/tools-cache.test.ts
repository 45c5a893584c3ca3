import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { cached, isCached, keyOf } from "../../tools/setup/cache.ts";
import { repo } from "../../tools/setup/paths.ts";

import type { Recipe } from "../../tools/setup/cache.ts";

/** A time without fractions, which utimes can set again. */
const someTime = 1_700_000_000;

let root = "";
let made = 0;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cache-"));
  process.env.PLATFORM_TOPOLOGIES_CACHE = root;
  made = 0;
});
afterEach(async () => {
  delete process.env.PLATFORM_TOPOLOGIES_CACHE;
  await rm(root, { recursive: true, force: true });
});

function recipe(change: Partial<Recipe> = {}): Recipe {
  return {
    name: "part",
    version: "1",
    inputs: ["package.json"],
    make: async (into) => {
      made++;
      await mkdir(join(into, "folder"));
      await writeFile(join(into, "folder/file"), "content");
      await utimes(join(into, "folder/file"), someTime, someTime);
    },
    ...change,
  };
}

test("a part is made once, also when two ask for it at the same time", async () => {
  const [one, two] = await Promise.all([cached(recipe()), cached(recipe())]);
  expect(one).toBe(two);
  expect(await readFile(join(one, "folder/file"), "utf8")).toBe("content");
  await cached(recipe());
  expect(made).toBe(1);
});

test("a failed make leaves nothing, and the next one makes it", async () => {
  const failing = recipe({
    make: async (into) => {
      await writeFile(join(into, "half"), "");
      throw new Error("no network");
    },
  });
  await expect(cached(failing)).rejects.toThrow("no network");
  await expect(cached(failing)).rejects.toThrow("no network");
  expect(await readdir(join(root, "parts"))).toEqual([]);
  expect(await readdir(join(root, "scratch"))).toEqual([]);
  await cached(recipe());
  expect(made).toBe(1);
});

test("a process killed while it makes a part leaves no part, and what it left is cleared", async () => {
  // The killed process's lock is refreshed no more: it is taken over after 15 s.
  const script = `
    import { cached } from ${JSON.stringify(join(repo, "tools/setup/cache.ts"))};
    await cached({ name: "part", version: "1", inputs: ["package.json"], make: async (into) => {
      console.log("making");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    } });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PLATFORM_TOPOLOGIES_CACHE: root },
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await readdir(join(root, "scratch"))).toHaveLength(1);
  const said: string[] = [];
  await cached(recipe(), (line) => said.push(line));
  expect(made).toBe(1);
  expect(said).toEqual(["waiting for another process that makes part 1"]);
  expect(await readdir(join(root, "scratch"))).toEqual([]);
}, 40_000);

test.each([
  ["a file is gone", (file: string) => rm(file)],
  ["a file is cut short", (file: string) => writeFile(file, "con")],
])("a damaged part is made again: %s", async (_what, damage) => {
  const place = await cached(recipe());
  await damage(join(place, "folder/file"));
  expect(await isCached(recipe())).toBe(false);
  expect(await readFile(join(await cached(recipe()), "folder/file"), "utf8")).toBe("content");
  expect(made).toBe(2);
});

test("only the full check reads every byte", async () => {
  const file = join(await cached(recipe()), "folder/file");
  await writeFile(file, "CONTENT");
  await utimes(file, someTime, someTime);
  await cached(recipe());
  expect(made).toBe(1);
  await cached(recipe(), undefined, "full");
  expect(made).toBe(2);
  expect(await readFile(file, "utf8")).toBe("content");
});

test("version, options and inputs make another key; the order of inputs does not", async () => {
  const keys = await Promise.all([
    keyOf(recipe()),
    keyOf(recipe({ version: "2" })),
    keyOf(recipe({ options: ["-tags", "x"] })),
    keyOf(recipe({ inputs: ["package.json", "tools/go/minio"] })),
  ]);
  expect(new Set(keys).size).toBe(4);
  expect(await keyOf(recipe({ inputs: ["tools/go/minio", "package.json"] }))).toBe(keys[3]);
});
