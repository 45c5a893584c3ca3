/**
 * Pushes images of the machine's own engine into the registries' common store. Without configuration the engine speaks
 * plain HTTP to 127.0.0.0/8 alone, so a registry at loopback receives them.
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

/** Always the same address: by it the engine remembers which layers are there already. */
const loopback = "127.0.0.1:5059";

/** An image of the machine's engine, and its name in the registry: a path and a tag. */
interface Wanted {
  readonly from: string;
  readonly to: string;
}

/**
 * Pushes references of the machine's engine; those that are there already take no time. Returns for each its reference
 * at `registry`, which serves the common store.
 */
export async function push(registry: string, refs: readonly string[], say?: Say): Promise<Record<string, string>> {
  await pushAs(
    registry,
    refs.map((from) => ({ from, to: withoutHost(from) })),
    say,
  );
  return Object.fromEntries(refs.map((ref) => [ref, `${registry}/${withoutHost(ref)}`]));
}

/** Pushes under other names, as those that a stack with `mirror: <registry>` pulls. */
export async function pushAs(registry: string, list: readonly Wanted[], say: Say = () => undefined): Promise<void> {
  const engine = new Docker();
  const missing: Wanted[] = [];
  for (const one of list) {
    const image = await engine
      .getImage(one.from)
      .inspect()
      .catch(() => undefined);
    if (image === undefined) throw new Problem(`the engine has no image ${one.from}: build or pull it first`);
    if ((await idAt(registry, one.to)) !== image.Id) missing.push(one);
  }
  if (missing.length > 0)
    await through(loopback, async () => {
      for (const [index, { from, to }] of missing.entries()) {
        say(`pushing ${from}, ${String(index + 1)} of ${String(missing.length)}`);
        const there = `${loopback}/${to}`;
        await execa("docker", ["tag", from, there]);
        try {
          await execa("docker", ["push", "--quiet", there]);
        } finally {
          await execa("docker", ["rmi", "--no-prune", there], { reject: false });
        }
      }
    });
}

/** Lets one process at a time push on this machine. */
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
