/** What an image is called: in the public registries, on this machine, and in a mirror. */
import { expect, test } from "@jest/globals";

import { reference } from "../../components/core/formats.ts";
import { imageLock, published } from "../../components/core/image-lock.ts";
import { imageOf, imageRow, noSuchImage, privateRow, resolveImage, tagOf } from "../../components/core/images.ts";
import { run } from "../../tools/commands/images.ts";
import { planStack } from "../../components/deploy.ts";
import { sentence } from "../../components/core/errors.ts";
import { siteOf } from "../../components/core/site.ts";
import { localImages, publishable } from "../../tools/images/list.ts";
import { copies } from "../../tools/images/push.ts";

import type { ImageChoices } from "../../components/core/images.ts";
import "../support/unpublished.ts";

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

/** What the lock file has after a release, for as long as `does` takes. */
function afterRelease(refs: Record<string, string>, does: () => void): void {
  Object.assign(published, refs);
  try {
    does();
  } finally {
    for (const key of Object.keys(refs)) Reflect.deleteProperty(published, key);
  }
}

test("every image of ours says by which commands an operator comes by it, in a stack and to importers", () => {
  const ours = Object.entries(imageLock).flatMap(([key, { built: is }]) => (is === true ? [key] : []));
  expect(ours.length).toBeGreaterThan(6);
  const site = siteOf({ name: "shop", hostname: "shop.example.com" });
  for (const key of ours) {
    const commands = `in a checkout \`npm run images -- build ${key}\`, then \`npm run images -- push registry.example.com/hub ${key}\` with a registry of yours, and name here what that prints; or set mirror`;
    const said = refOf(key, { built });
    expect(said).toContain(`images.${key}: ours, and in no public registry: ${commands}`);
    expect(said.length).toBeLessThanOrEqual(400);
    const told = site.image(key);
    expect("remedy" in told ? sentence(told) : told.ref).toBe(said);
  }
  const config = {
    system: "arkindex",
    topology: "docker",
    hostname: "a.example.com",
    docker: { address: "127.0.0.1" },
  };
  const { problems } = planStack(config, "prod");
  expect(problems.map(sentence)).toContain(refOf("toolbox", {}));
});

test("what a release has published is pulled, behind what the operator names, this machine's own and a mirror", () => {
  const ref = `ghcr.io/acme/platform/toolbox:1.2.3@sha256:${"0".repeat(64)}`;
  const public_ = { toolbox: ref };
  afterRelease(public_, () => {
    expect(refOf("toolbox", {})).toBe(ref);
    expect(refOf("toolbox", { built })).toBe(ref);
    expect(refOf("toolbox", { local: built })).toBe(built.toolbox);
    expect(refOf("toolbox", { mirror })).toBe(`${mirror}/platform-topologies/toolbox:1`);
    expect(refOf("toolbox", { overrides: { toolbox: "own/toolbox:1" } })).toBe("own/toolbox:1");
    expect(refOf("rehearsal", {})).toMatch(/^images\.rehearsal: ours, and in no public registry/);
    // A mirror is filled with it on a machine that has built none.
    const copy = { key: "toolbox", from: ref, to: [refOf("toolbox", { mirror })] };
    expect(copies(mirror, {}).find(({ key }) => key === "toolbox")).toEqual(copy);
  });
  expect(copies(mirror, {}).map(({ key }) => key)).not.toContain("toolbox");
});

test("without a mirror, what is only built has to have been built", () => {
  expect(refOf("toolbox", { built })).toMatch(/^images\.toolbox: ours, and in no public registry: in/);
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
  // A release gives out ours, and no stand-in for a public image.
  expect(publishable.map(({ key }) => key).sort()).toEqual(
    ["toolbox", "docker-proxy", "keepalived", "rehearsal", "shiny-demo", "postgres-cron", "postgres-ha"].sort(),
  );
  for (const { key, base } of publishable) expect([key, typeof base]).toEqual([key, "string"]);
});

test.each([
  [[], /^use `npm run images -- build \[keys\]` or/],
  [["push"], /^use `npm run images -- build \[keys\]` or/],
  [["push", "https://mirror.example.com"], /^registry = "https:\/\/mirror\.example\.com": a registry, as/],
  [["build", "redis", "postgres"], /^postgres is not built here: use postgis, postgres-ha, postgres-cron, redis, /],
  [["push", "r.example.com", "postgres"], /^postgres is no image that can be pushed: use postgis, redis, /],
  [["publish", "r.example.com"], /^use `npm run images -- build/],
  [["publish", "r.example.com", "1", "redis"], /^redis is not published: use postgres-ha, postgres-cron, toolbox, /],
  [["publish", "r.example.com", "1", "arangodb-toolbox"], /^arangodb-toolbox is not published: it has ArangoDB's own/],
  [["lock", "r.example.com", "1", "toolbox"], /^use `npm run images -- build/],
  [["lock", "r.example.com", "a b"], /^tag = a b: a tag, as 0\.1\.0$/],
])("npm run images -- %j is refused", async (args, message) => {
  for (let round = 1; round <= 2; round++) await expect(run(args)).rejects.toThrow(message);
});

const found = (key: string, choices: Partial<ImageChoices> = {}) =>
  resolveImage(key, { overrides: {}, local: {}, rehearsal: false, ...choices });

test("every row is a public image with its version, one of ours with its number, or a private one with an example", () => {
  expect(Object.keys(imageLock).length).toBeGreaterThan(25);
  const clients = new Set(Object.values(imageLock).flatMap(({ client }) => (client === undefined ? [] : [client])));
  expect([...clients].sort()).toEqual(["bash", "curl", "python", "wget"]);
  for (const [key, { ref, built: ours, version = "", example = "", instead }] of Object.entries(imageLock)) {
    expect([key, [ref, ours, example || undefined].filter((each) => each !== undefined).length]).toEqual([key, 1]);
    const whole = { ref: `${ref ?? ""}:${version}`, ours: version, example: example.replace("<name>", "name") };
    if (ref !== undefined) expect(reference.safeParse(whole.ref)).toMatchObject({ success: true });
    else if (ours) expect([key, whole.ours]).toEqual([key, expect.stringMatching(/^\d+(\.\d+)*$/)]);
    // What exists in an image's place is named under a key of the config.
    else if (instead !== undefined) expect(instead).toMatch(/^existing\.[a-z-]+$/);
    else
      expect([key, reference.safeParse(whole.example).success, whole.example]).toEqual([
        key,
        true,
        expect.stringContaining("/"),
      ]);
  }
});

test("a rehearsal runs a public image or one of ours in the place of each private one", () => {
  const local = Object.fromEntries(
    Object.entries(imageLock).flatMap(([key, { built: ours }]) => (ours ? [[key, `${key}:1`]] : [])),
  );
  for (const [key, row] of Object.entries(imageLock)) {
    if (row.ref !== undefined || row.built) continue;
    const { standIn } = row;
    const { ref, version = "" } = imageLock[standIn ?? "rehearsal"] ?? {};
    const its = ref === undefined ? `${standIn ?? "rehearsal"}:1` : `${ref}:${version}`;
    const stands = standIn === undefined ? { rehearsing: true } : { rehearsing: false, standsIn: true };
    expect(found(key, { local, rehearsal: true })).toMatchObject({ key, ref: its, ...stands });
    // The stand-in has not been built either.
    if (ref === undefined)
      expect(found(key, { rehearsal: true })).toMatchObject({ key: `images.${standIn ?? "rehearsal"}` });
    // What the operator names is run as it is.
    const named = found(key, { local, rehearsal: true, overrides: { [key]: "own/image:1" } });
    expect(named).toMatchObject({ key, ref: "own/image:1", rehearsing: false });
    expect(named).not.toHaveProperty("standsIn");
  }
});

test("of an image its client and its secrets are known as the row says, else there is none, and files", () => {
  const overrides = Object.fromEntries(Object.keys(imageLock).map((key) => [key, "own/image:1"]));
  for (const [key, { client = "none", secrets = "files" }] of Object.entries(imageLock))
    expect(found(key, { overrides })).toMatchObject({ key, client, secrets, rehearsing: false });
  expect(found("pyrus/files", { overrides: { "pyrus/files": "own/files:1" } })).toMatchObject({
    client: "bash",
    secrets: "env",
  });
  // A stand-in is probed as what it is, and reads its secrets where the application does.
  const local = { rehearsal: "rehearsal:1" };
  expect(found("pyrus/files", { local, rehearsal: true })).toMatchObject({ client: "curl", secrets: "env" });
  expect(found("media/assets", { local, rehearsal: true })).toMatchObject({ client: "curl", secrets: "files" });
});

test("what is missing says where to name it, and as what", () => {
  expect(refOf("openid", {})).toBe(
    "existing.sign-in: missing: name what you have there, as docs/ says; or set rehearsal: true for a stand-in",
  );
  expect(refOf("toolbox", {})).toMatch(/`npm run images -- build toolbox`/);
  expect(refOf("media/assets", {})).toMatch(
    /^images\.media\/assets: .* as registry\.example\.com\/media\/<name>:1\.0\.0, or set/,
  );
  expect(refOf("arkindex/bakend", {})).toBe(`images.arkindex/bakend: ${noSuchImage}`);
  expect(noSuchImage).toMatch(/^no such image; known are postgis, redis, .*image-lock\.ts\)$/);
  const at = (image: ReturnType<typeof found>) => ({ image: () => image });
  expect(imageOf(at(found("redis")), "redis").ref).toBe("docker.io/valkey/valkey:8.1");
  expect(() => imageOf(at(found("toolbox")), "toolbox")).toThrow(
    /^toolbox was not checked before it was made: ours, and in no/,
  );
});

test("a folder's row and a folder's reference are for every image in it that has none of its own", () => {
  expect(imageRow("media/assets")).toBe(imageLock["media/*"]);
  expect(imageRow("pyrus/elastic")).toBe(imageLock["pyrus/elastic"]);
  for (const none of ["arkindex/other", "constructor", "other"]) expect(imageRow(none)).toBeUndefined();
  const overrides = { "media/*": "r.example.com/m-*:2", "media/indexer": "own/indexer:1" };
  expect(refOf("media/assets", { overrides })).toBe("r.example.com/m-assets:2");
  expect(refOf("media/indexer", { overrides })).toBe("own/indexer:1");
  expect(refOf("wiki/app", { overrides: { "wiki/*": "r.example.com/*/wiki" } })).toBe("r.example.com/app/wiki");
});

test("an image of a further system is private; in a system's own folder every image has a row", () => {
  for (const key of ["wiki/app", "wiki-2/app-1"])
    expect(privateRow(key)).toEqual({ example: `registry.example.com/${key}:1.0.0` });
  for (const key of [
    "app",
    "Wiki/app",
    "2wiki/app",
    "-wiki/app",
    "wiki/App",
    "wiki/a/b",
    "wiki/",
    "/app",
    "a/wiki/app",
    "arkindex/app",
    "pyrus/app",
  ])
    expect([key, privateRow(key)]).toEqual([key, undefined]);
});

test("a digest is of the image in the registry, and not of what was built here", () => {
  const digest = `sha256:${"0".repeat(64)}` as const;
  const row = imageLock.redis;
  if (row === undefined) throw new Error("no row");
  Object.assign(row, { digest });
  try {
    expect(refOf("redis", {})).toBe(`docker.io/valkey/valkey:8.1@${digest}`);
    expect(refOf("redis", { mirror })).toBe(`${mirror}/valkey/valkey:8.1@${digest}`);
    expect(refOf("redis", { mirror, local: built })).toBe(`${mirror}/valkey/valkey:8.1`);
  } finally {
    Reflect.deleteProperty(row, "digest");
  }
});

test.each([
  ["a/b:1.2-rc_3", "1.2-rc_3"],
  ["host:5000/a:1", "1"],
  ["host:5000/a", undefined],
  ["a/b", undefined],
  ["a/b:", undefined],
  [undefined, undefined],
])("the tag of %s is %s", (ref, tag) => {
  expect(tagOf(ref)).toBe(tag);
});
