/** The backup's container and the jobs that restore: what they run, where they write, and when there is none. */
import { expect, test } from "@jest/globals";
import { output, type Output } from "@pulumi/pulumi";

import { backup, restoreJob, scriptOf } from "../../components/core/backup.ts";
import type { Container, Workload } from "../../components/core/contracts.ts";
import type { BackupPlace, NamedDump } from "../../components/core/topology.ts";
import { site } from "../support/sketches.ts";

const folder: BackupPlace = { path: "/mnt/backup" };
const s3 = { endpoint: "https://s3.example.com", bucket: "b", region: "eu" };
const dump = (store: string, more: Partial<NamedDump> = {}): NamedDump => ({
  ...{ store, tier: "data", dump: `dump ${store}`, restore: `restore ${store}`, drill: `drill ${store}` },
  ...more,
});
const asked = { everyHours: 6, keepDays: 14, drillEveryHours: 168, to: folder };
const configured = (name: string): Output<string> => output(`value of ${name}`);
const server = { image: "postgres" } as Workload;

/** What a stack with these dumps runs. */
function runs(dumps: readonly NamedDump[], more: Partial<typeof asked> | "none" = {}): Record<string, Workload> {
  const made: Record<string, Workload> = {};
  const run = (name: string, workload: Workload) => {
    made[name] = workload;
    return { host: name, ready: [], port: () => ({ host: name, port: 0 }) };
  };
  const stores = [{ ready: [] }];
  backup({ dumps, stores, run, configured }, site(more === "none" ? {} : { backup: { ...asked, ...more } }));
  return made;
}
/** A container's files, by their paths; `secret` of those that are. */
async function files({ files: list = [] }: Pick<Container, "files">): Promise<Record<string, string>> {
  const read = list.map(async ({ path, content, secret }) => {
    const text = await new Promise<string>((resolve) => void output(content).apply(resolve));
    return [secret === true ? `secret ${path}` : path, text] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

test("without a place, or without a store, nothing is backed up", () => {
  expect(runs([dump("db-1")], "none")).toEqual({});
  expect(runs([])).toEqual({});
  expect(Object.keys(runs([dump("db-1")]))).toEqual(["backup"]);
});

test("the container waits for the stores, knows its place and times, and is never two", () => {
  expect(runs([dump("db-1")]).backup).toMatchObject({
    command: ["backup", "schedule"],
    env: {
      ...{ PLACE: "/backup/sample", WHERE: "the folder /mnt/backup" },
      ...{ EVERY_HOURS: "6", KEEP_DAYS: "14", DRILL_HOURS: "168" },
    },
    mounts: [{ folder: "/mnt/backup", path: "/backup" }],
    replicas: 1,
    update: "stop-first",
    health: { ready: { command: ["backup", "healthy"] } },
    after: [{ ready: [] }],
  });
});

test("a store that is drilled has a throw-away server, while there are drills", () => {
  const dumps = [dump("db-1", { drillServer: server }), dump("kv-1")];
  expect(runs(dumps)).toMatchObject({ "db-1-drill": server });
  expect(Object.keys(runs(dumps)).sort()).toEqual(["backup", "db-1-drill"]);
  expect(Object.keys(runs(dumps, { drillEveryHours: 1 }))).toContain("db-1-drill");
  expect(Object.keys(runs(dumps, { drillEveryHours: 0 }))).toEqual(["backup"]);
});

test("a store's script has a function for each verb, also for what the store does not do", () => {
  expect(scriptOf({ dump: "a", restore: "b", drill: "c" }, ["dump", "check"])).toBe(
    'dump() {\na\n}\ncheck() {\n:\n}\n"$1"\n',
  );
});

test("the container has the scripts of all stores, each with its verbs and its own files", async () => {
  const own = { path: "/etc/db.conf", content: "x", secret: true };
  const dumps = [dump("db-1", { files: [own], check: "check db-1", prune: "prune db-1" }), dump("kv-1")];
  const script = (store: string, check: string, prune: string) =>
    [
      `dump() {\ndump ${store}\n}`,
      `check() {\n${check}\n}`,
      `drill() {\ndrill ${store}\n}`,
      `prune() {\n${prune}\n}`,
      '"$1"\n',
    ].join("\n");
  expect(await files(runs(dumps).backup ?? {})).toEqual({
    "/run/backup/scripts/db-1": script("db-1", "check db-1", "prune db-1"),
    "/run/backup/scripts/kv-1": script("kv-1", ":", ":"),
    "secret /etc/db.conf": "x",
  });
});

test.each<[string, BackupPlace, string, string, readonly object[] | undefined]>([
  ["a folder", folder, "/backup/sample", "the folder /mnt/backup", [{ folder: "/mnt/backup", path: "/backup" }]],
  ["a volume", { volume: "nfs" }, "/backup/sample", "the volume nfs", [{ volume: "nfs", path: "/backup" }]],
  ["a bucket", { s3 }, "place:b/sample", "the bucket b at https://s3.example.com", undefined],
])("%s as the place", async (_, to, PLACE, WHERE, mounts) => {
  const made = runs([], { to: to as typeof folder });
  expect(made).toEqual({});
  const { backup: container } = runs([dump("db-1")], { to: to as typeof folder });
  expect(container?.env).toMatchObject({ PLACE, WHERE });
  expect(container?.mounts).toEqual(mounts);
  const { "secret /run/backup/rclone/place.conf": section } = await files(container ?? {});
  const keys = { type: "s3", provider: "Other", endpoint: s3.endpoint, region: "eu" };
  const secrets = {
    access_key_id: "value of backupKey",
    secret_access_key: "value of backupSecret",
    no_check_bucket: "true",
  };
  const lines = Object.entries({ ...keys, ...secrets }).map(([key, value]) => `${key} = \`${value}\`\n`);
  expect(section).toBe("s3" in to ? `[place]\n${lines.join("")}` : undefined);
});

test("the image is that of the first store which names one", () => {
  const image = (...images: (string | undefined)[]) =>
    runs(images.map((each, index) => dump(`db-${String(index)}`, each === undefined ? {} : { image: each }))).backup
      ?.image;
  expect([image(undefined), image(undefined, "own", "other"), image("own")]).toEqual(["toolbox", "own", "own"]);
});

test("it runs on the stores' nodes, if all name the same", () => {
  const on = (...nodes: (Record<string, string> | undefined)[]) =>
    runs(nodes.map((each, index) => dump(`db-${String(index)}`, each === undefined ? {} : { nodes: each }))).backup;
  expect(on({ disk: "fast" }, { disk: "fast" })?.nodes).toEqual({ disk: "fast" });
  for (const other of [
    on(undefined),
    on({ disk: "fast" }, { disk: "slow" }),
    on({ disk: "fast" }, undefined),
    on(undefined, { disk: "fast" }),
  ])
    expect(other).not.toHaveProperty("nodes");
});

test("a restore reads another stack's run into one store, once for each such run", async () => {
  const after = [{ ready: [] }];
  const job = restoreJob({ from: folder, stack: "old", at: "2026-01-31T04-00-00Z" }, dump("db-1"), configured, after);
  expect(job).toMatchObject({
    command: ["backup", "restore", "db-1", "2026-01-31T04-00-00Z"],
    env: { PLACE: "/backup/old" },
    trigger: "old 2026-01-31T04-00-00Z",
    seconds: 21_600,
    after,
  });
  expect(await files(job)).toEqual({ "/run/backup/scripts/db-1": 'restore() {\nrestore db-1\n}\n"$1"\n' });
});

test("a restore to a second is for what keeps a log; the rest comes back as of the run", async () => {
  const to = { from: folder, stack: "old", at: "latest", until: "2026-01-31T04:05:06Z" };
  const db = dump("db-1", { recover: "recover db-1" });
  const job = restoreJob(to, db, configured, []);
  expect(job).toMatchObject({
    command: ["backup", "recover", "db-1", "2026-01-31T04:05:06Z"],
    trigger: "old 2026-01-31T04:05:06Z",
  });
  expect(await files(job)).toEqual({ "/run/backup/scripts/db-1": 'recover() {\nrecover db-1\n}\n"$1"\n' });
  expect(restoreJob(to, dump("objects"), configured, [])).toMatchObject({
    command: ["backup", "restore", "objects", "latest"],
    trigger: "old latest",
  });
  expect(restoreJob({ ...to, until: undefined }, db, configured, []).command).toEqual([
    ...["backup", "restore", "db-1", "latest"],
  ]);
});

test("only a store with a log is followed", async () => {
  const { backup: both } = runs([dump("db-1", { log: "follow db-1" }), dump("objects")]);
  const scripts = await files(both ?? {});
  expect(scripts["/run/backup/scripts/db-1"]).toContain("log() {\nfollow db-1\n}");
  expect(scripts["/run/backup/scripts/objects"]).not.toContain("log()");
});
