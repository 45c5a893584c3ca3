/** An image registry (Debian's docker-registry); all clusters' registries share one store, so a push is made once. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { execa } from "execa";
import { stringify } from "yaml";

import { cacheRoot } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { which } from "../setup/which.ts";
import { alive, launch, pidIn } from "./process.ts";

export function registryStore(): string {
  return join(cacheRoot(), "registry");
}

export async function installRegistry(): Promise<void> {
  if (await which("docker-registry", "/usr/bin")) return;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "--no-install-recommends", "docker-registry"];
  for (const args of [["update"], install]) {
    const done = await execa("apt-get", args, { env, stdin: "ignore", all: true, reject: false });
    if (done.failed)
      throw new Problem(
        `the image registry could not be installed (${done.all.trim().split("\n").at(-1) ?? ""}): ` +
          "install a docker-registry, or run on Debian",
      );
  }
}

/** Serves the store at `address` until the process of `pidFile` in `folder` is ended. */
export async function serveRegistry(folder: string, name: string, address: string): Promise<void> {
  await installRegistry();
  await mkdir(registryStore(), { recursive: true });
  await mkdir(folder, { recursive: true });
  const config = join(folder, `${name}.yml`);
  await writeFile(
    config,
    stringify({
      version: "0.1",
      log: { level: "warn", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: registryStore() }, delete: { enabled: true } },
      http: { addr: address },
    }),
  );
  const pidFile = join(folder, `${name}.pid`);
  const log = join(folder, `${name}.log`);
  await launch(pidFile, log, ["docker-registry", "serve", config]);
  const began = Date.now();
  while (Date.now() - began < 20_000) {
    const answer = await fetch(`http://${address}/v2/`).catch(() => undefined);
    await answer?.arrayBuffer();
    // An answer at our address counts only while our own process lives: it may be another program's.
    if (answer?.ok && (await alive(await pidIn(pidFile)))) return;
    if (Date.now() - began > 1_000 && !(await alive(await pidIn(pidFile)))) break;
    await sleep(50);
  }
  throw new Problem(`the image registry does not answer at ${address}: see its log`, log);
}
