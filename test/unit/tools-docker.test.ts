/** The daemon that set-up starts: in a place of its own, beside the machine's one. */
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { docker, stopOurs } from "../../tools/setup/docker.ts";
import { which } from "../../tools/setup/which.ts";

import type { Place } from "../../tools/setup/docker.ts";

const able = process.platform === "linux" && process.getuid?.() === 0 && (await which("dockerd", "/usr/sbin"));
const onlyAsRoot = able ? test : test.skip;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dockerd-"));
});
afterAll(async () => {
  // A dockerd that failed leaves its data root mounted on itself.
  await execa("umount", ["--lazy", join(folder, "data")], { reject: false });
  await rm(folder, { recursive: true, force: true });
});

function place(...further: string[]): Place {
  const roots = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")];
  const args = [...roots, "--pidfile", join(folder, "pid"), "--bridge", "none", "--iptables=false", ...further];
  // A network of its own: a second daemon without a bridge takes the first one's docker0 away.
  return { socket: join(folder, "docker.sock"), inside: ["unshare", "--net"], args, folder };
}

onlyAsRoot(
  "a daemon is started once, taken when it runs, and ended by its own id only",
  async () => {
    expect(await docker(undefined, place())).toMatchObject({ started: true });
    expect(await docker(undefined, place())).toMatchObject({ started: false });
    expect(await stopOurs(place())).toBe("ended");
    await expect(access(join(folder, "pid"))).rejects.toThrow("ENOENT");
    expect(await stopOurs(place())).toBe("not ours");
  },
  90_000,
);

onlyAsRoot(
  "a daemon that cannot start says why in one sentence, each time",
  async () => {
    for (let round = 1; round <= 2; round++)
      await expect(docker(undefined, place("--storage-driver", "none-such"))).rejects.toThrow(
        /^dockerd ended at once \(.*driver not supported\): see its log$/,
      );
  },
  90_000,
);
