/**
 * Images of the machine's own engine, into the registries' common store. The engine takes plain HTTP from 127.0.0.0/8
 * alone without being configured, so a registry at loopback receives them.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import Docker from "dockerode";
import { execa } from "execa";
import { lock } from "proper-lockfile";

import { Problem } from "../setup/problem.ts";
import { end, pidIn } from "./process.ts";
import { registryStore, serveRegistry } from "./registry.ts";

import type { Say } from "../setup/cache.ts";

/** Always the same one: the engine remembers by it which layers are there already. */
const loopback = "127.0.0.1:5059";

/**
 * Pushes references of the machine's engine; those that are there already take no time. Gives, for each, its reference
 * at `registry`, which serves the common store.
 */
export async function push(
  registry: string,
  refs: readonly string[],
  say: Say = () => undefined,
): Promise<Record<string, string>> {
  const at = (where: string, ref: string): string => `${where}/${withoutHost(ref)}`;
  const engine = new Docker();
  const wanted: string[] = [];
  for (const ref of refs) {
    const image = await engine
      .getImage(ref)
      .inspect()
      .catch(() => undefined);
    if (image === undefined) throw new Problem(`the engine has no image ${ref}: build or pull it first`);
    if ((await idAt(registry, withoutHost(ref))) !== image.Id) wanted.push(ref);
  }
  if (wanted.length > 0)
    await through(loopback, async () => {
      for (const [index, ref] of wanted.entries()) {
        say(`pushing ${ref}, ${String(index + 1)} of ${String(wanted.length)}`);
        const there = at(loopback, ref);
        await execa("docker", ["tag", ref, there]);
        try {
          await execa("docker", ["push", "--quiet", there]);
        } finally {
          await execa("docker", ["rmi", "--no-prune", there], { reject: false });
        }
      }
    });
  return Object.fromEntries(refs.map((ref) => [ref, at(registry, ref)]));
}

/** One pusher at a time on this machine. */
async function through(address: string, work: () => Promise<void>): Promise<void> {
  const folder = join(registryStore(), ".push");
  await mkdir(folder, { recursive: true });
  const retries = { retries: 600, factor: 1, minTimeout: 1_000 };
  const release = await lock(folder, { stale: 15_000, update: 3_000, retries });
  const pidFile = join(folder, "registry.pid");
  try {
    await end(await pidIn(pidFile)); // of a pusher that was killed
    await serveRegistry(folder, "registry", address);
    await work();
  } finally {
    await end(await pidIn(pidFile));
    await rm(pidFile, { force: true });
    await release();
  }
}

/** The id of the image that the registry has under this reference. */
async function idAt(registry: string, ref: string): Promise<string | undefined> {
  const colon = ref.lastIndexOf(":");
  const url = `http://${registry}/v2/${ref.slice(0, colon)}/manifests/${ref.slice(colon + 1)}`;
  const accept = "application/vnd.docker.distribution.manifest.v2+json";
  const answer = await fetch(url, { headers: { accept } }).catch(() => undefined);
  if (!answer?.ok) {
    await answer?.arrayBuffer();
    return undefined;
  }
  const manifest = (await answer.json()) as { config?: { digest?: string } };
  return manifest.config?.digest;
}

/** `docker.io/library/redis:7.0` is `library/redis:7.0` in a mirror; a reference without a tag means `latest`. */
function withoutHost(ref: string): string {
  const [first = "", ...rest] = ref.split("/");
  const path = rest.length > 0 && /[.:]|^localhost$/.test(first) ? rest.join("/") : ref;
  return /:[^/]+$/.test(path) ? path : `${path}:latest`;
}
