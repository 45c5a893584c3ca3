/** A mirror for real: what `npm run images -- push` leaves there is what a stack with `mirror` set pulls and runs. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { stringify } from "yaml";

import { imageLock } from "../../components/core/image-lock.ts";
import { resolveImage } from "../../components/core/images.ts";
import { built, images } from "../../tools/images/index.ts";
import { lockedAt } from "../../tools/images/lock.ts";
import { copies, push } from "../../tools/images/push.ts";
import { installRegistry } from "../../tools/swarm/registry.ts";

import type { ChildProcess } from "node:child_process";

const registry = "127.0.0.1:5151";
const mirror = `${registry}/hub`;
let folder = "";
let server: ChildProcess | undefined;

beforeAll(async () => {
  await images(() => undefined);
  await installRegistry();
  folder = await mkdtemp(join(tmpdir(), "registry-"));
  const storage = { filesystem: { rootdirectory: join(folder, "store") } };
  const log = { level: "error", accesslog: { disabled: true } };
  await writeFile(join(folder, "config.yml"), stringify({ version: "0.1", log, storage, http: { addr: registry } }));
  server = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  for (let tries = 0; tries < 40 && !(await fetch(`http://${registry}/v2/`).catch(() => undefined))?.ok; tries++)
    await sleep(250);
}, 30 * 60_000);

afterAll(async () => {
  const names = await local();
  if (names.length > 0) await execa("docker", ["image", "rm", ...names], { reject: false });
  server?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** Names of the mirror that the engine knows. */
async function local(): Promise<string[]> {
  const format = ["--format", "{{.Repository}}:{{.Tag}}"];
  const { stdout } = await execa("docker", ["image", "ls", ...format]);
  return stdout.split("\n").filter((line) => line.startsWith(`${mirror}/`));
}

test("a public image built here and one of ours are pulled under their names in the mirror", async () => {
  const list = await built();
  const wanted = ["redis", "toolbox", "minio"];
  // `minio` is missing: as if this machine had neither built nor pulled it.
  const chosen = copies(mirror, list)
    .filter(({ key }) => wanted.includes(key))
    .map((copy) => (copy.key === "minio" ? { ...copy, from: "platform-topologies-test/missing:1" } : copy));
  for (let round = 1; round <= 2; round++) {
    const { pushed, missing } = await push(chosen, () => undefined);
    expect(pushed.map(({ key }) => key)).toEqual(["redis", "toolbox"]);
    expect(missing.map(({ key }) => key)).toEqual(["minio"]);
  }
  // The names were for the push alone.
  expect(await local()).toEqual([]);

  const choices = { overrides: {}, rehearsal: false, mirror };
  const asked = [
    resolveImage("redis", { ...choices, local: {} }),
    resolveImage("redis", { ...choices, local: list, built: list }),
    resolveImage("toolbox", { ...choices, local: {}, built: list }),
    // A machine without set-up's list knows the version alone.
    resolveImage("toolbox", { ...choices, local: {} }),
  ].map((found) => ("remedy" in found ? found.remedy : found.ref));
  expect(new Set(asked)).toEqual(
    new Set([
      `${mirror}/valkey/valkey:${imageLock.redis?.version ?? ""}`,
      `${mirror}/platform-topologies/toolbox:${list.toolbox?.split(":")[1] ?? ""}`,
      `${mirror}/platform-topologies/toolbox:${imageLock.toolbox?.version ?? ""}`,
    ]),
  );
  for (const name of asked) await execa("docker", ["pull", "--quiet", name]);
  const [redis = ""] = asked;
  const run = ["run", "--rm", "--network", "none", redis, "redis-server", "--version"];
  expect((await execa("docker", run)).stdout).toContain(" server v=8.1.");
}, 240_000);

test("what the engine has not is pulled first, where it is named", async () => {
  const list = await built();
  const [one] = copies(mirror, list).filter(({ key }) => key === "docker-proxy");
  if (one === undefined) throw new Error("no docker-proxy");
  await push([one], () => undefined);
  // Under its name in the mirror it is not on this machine: push has taken that away.
  const other = { key: one.key, from: one.to[0] ?? "", to: [`${registry}/other/docker-proxy:1`] };
  expect(await push([other], () => undefined)).toEqual({ pushed: [], missing: [other] });
  expect(await push([other], () => undefined, true)).toEqual({ pushed: [other], missing: [] });
  const nobody = { ...other, from: `${mirror}/platform-topologies/nobody:1` };
  for (let round = 1; round <= 2; round++)
    await expect(push([nobody], () => undefined, true)).rejects.toThrow(/nobody:1 could not be pulled: see the log/);
}, 240_000);

test("the lock file's digest of a published image is what an engine pulls by it", async () => {
  const [from = "", path] = [(await built())["docker-proxy"], "release/docker-proxy"];
  const name = `${registry}/${path}:1.2.3-amd64`;
  await execa("docker", ["tag", from, name]);
  const { stdout } = await execa("docker", ["push", name]).finally(() => execa("docker", ["rmi", "--no-prune", name]));
  const [, digest, size] = /digest: (sha256:\w+) size: (\d+)/.exec(stdout) ?? [];
  // buildx would leave a list of one image for each machine; this machine builds for its own alone.
  const mediaType = "application/vnd.docker.distribution.manifest.list.v2+json";
  const image = { mediaType: "application/vnd.docker.distribution.manifest.v2+json", size: Number(size), digest };
  const manifests = ["amd64", "arm64"].map((architecture) => ({ ...image, platform: { os: "linux", architecture } }));
  const put = await fetch(`http://${registry}/v2/${path}/manifests/1.2.3`, {
    method: "PUT",
    headers: { "content-type": mediaType },
    body: JSON.stringify({ schemaVersion: 2, mediaType, manifests }),
  });
  expect(put.status).toBe(201);
  const { "docker-proxy": ref = "" } = await lockedAt(`${registry}/release`, "1.2.3", ["docker-proxy"]);
  expect(ref).toBe(`${registry}/${path}:1.2.3@${put.headers.get("docker-content-digest") ?? ""}`);
  await execa("docker", ["pull", "--quiet", ref]);
  const ids = await execa("docker", ["image", "inspect", "--format", "{{.Id}}", ref, from]);
  await execa("docker", ["rmi", "--no-prune", ref]);
  expect(new Set(ids.stdout.split("\n")).size).toBe(1);
  // The image by its own tag is no list.
  await expect(lockedAt(`${registry}/release`, "1.2.3-amd64", ["docker-proxy"])).rejects.toThrow(/is not there for/);
}, 240_000);

test("a registry that does not answer: one sentence, each time, and no name is left", async () => {
  const nowhere = "127.0.0.1:5152/hub";
  const one = copies(nowhere, await built()).filter(({ key }) => key === "redis");
  for (let round = 1; round <= 2; round++)
    await expect(push(one, () => undefined)).rejects.toThrow(
      /^127\.0\.0\.1:5152\/hub\/valkey\/valkey:8\.1 could not be/,
    );
  expect((await execa("docker", ["image", "ls", "--quiet", `${nowhere}/valkey/valkey`])).stdout).toBe("");
}, 120_000);
