/** What an image is called: in the public registries, on this machine, and in a mirror. */
import { expect, test } from "@jest/globals";

import { imageLock } from "../../components/core/image-lock.ts";
import { resolveImage } from "../../components/core/images.ts";
import { run } from "../../tools/commands/images.ts";
import { localImages } from "../../tools/images/list.ts";
import { copies } from "../../tools/images/push.ts";

import type { ImageChoices } from "../../components/core/images.ts";

const mirror = "mirror.example.com:5000/hub";
const built = {
  toolbox: "platform-topologies/toolbox:1-0123abcd",
  redis: "platform-topologies/redis:valkey-8.1-0123abcd",
  elasticsearch: "platform-topologies/elasticsearch:8-stand-in-opensearch-2.15.0-0123abcd",
};

function refOf(key: string, choices: Partial<ImageChoices>): string {
  const found = resolveImage(key, { overrides: {}, local: {}, rehearsal: false, ...choices });
  return "remedy" in found ? `${found.key}: ${found.remedy}` : found.ref;
}

test.each<[string, string, Partial<ImageChoices>]>([
  ["redis", "docker.io/valkey/valkey:8.1", {}],
  ["redis", built.redis, { local: built }],
  ["redis", "own/redis:1", { local: built, overrides: { redis: "own/redis:1" } }],
  ["redis", `${mirror}/valkey/valkey:8.1`, { mirror }],
  ["redis", `${mirror}/valkey/valkey:8.1`, { mirror, local: built, built }],
  ["redis", "own/redis:1", { mirror, overrides: { redis: "own/redis:1" } }],
  ["minio", `${mirror}/minio/minio:RELEASE.2025-09-07T16-13-09Z`, { mirror }],
  ["shinyproxy", `${mirror}/openanalytics/shinyproxy:3.2.3`, { mirror }],
  ["toolbox", built.toolbox, { local: built }],
  ["toolbox", `${mirror}/platform-topologies/toolbox:${imageLock.toolbox?.version ?? ""}`, { mirror }],
  ["toolbox", `${mirror}/platform-topologies/toolbox:1-0123abcd`, { mirror, built }],
  ["toolbox", `${mirror}/platform-topologies/toolbox:1-0123abcd`, { mirror, local: built, built }],
  ["wiki/app", "own/app:1", { overrides: { "wiki/app": "own/app:1" } }],
  ["pyrus/files", `${mirror}/platform-topologies/rehearsal:1`, { mirror, built, rehearsal: true }],
])("%s is %s", (key, expected, choices) => {
  expect(refOf(key, choices)).toBe(expected);
});

test("without a mirror, what is only built has to have been built", () => {
  expect(refOf("toolbox", { built })).toMatch(/^images\.toolbox: it is built, not pulled: run/);
  expect(refOf("pyrus/files", { mirror })).toMatch(/^images\.pyrus\/files: a private image/);
  expect(refOf("wiki/app", {})).toMatch(
    /^images\.wiki\/app: a private image: .* as registry\.example\.com\/wiki\/app:/,
  );
  for (const key of ["postgres", "arkindex/bakend"]) expect(refOf(key, {})).toContain("no such image; known are");
});

test("what is pushed has the names that a stack with this mirror asks for", () => {
  const all = copies(mirror, built);
  for (const { key, to } of all) {
    expect(to).toContain(refOf(key, { mirror }));
    expect(to).toContain(refOf(key, { mirror, built, local: built }));
  }
  expect(all.find(({ key }) => key === "redis")?.from).toBe(built.redis);
  expect(all.find(({ key }) => key === "minio")?.from).toBe("quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z");
  // Neither what was never built nor what is private.
  expect(all.map(({ key }) => key)).not.toEqual(expect.arrayContaining(["rehearsal"]));
  expect(all.filter(({ key }) => key.includes("/"))).toEqual([]);
});

test("a stand-in says so in its tag, and every image that is built here is in the lock file", () => {
  for (const { key, version, official } of localImages) {
    const row = imageLock[key];
    expect([key, row?.ref !== undefined]).toEqual([key, official !== undefined]);
    if (key.startsWith("elasticsearch")) expect(version).toContain("stand-in");
  }
});

test.each([
  [[], /^use `npm run images -- build \[keys\]` or/],
  [["push"], /^use `npm run images -- build \[keys\]` or/],
  [["push", "https://mirror.example.com"], /^registry = "https:\/\/mirror\.example\.com": a registry, as/],
  [["build", "redis", "postgres"], /^postgres is not built here: use postgis, postgres-cron, redis, /],
])("npm run images -- %j is refused", async (args, message) => {
  for (let round = 1; round <= 2; round++) await expect(run(args)).rejects.toThrow(message);
});
