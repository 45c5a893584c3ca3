/**
 * Repairs what a killed `pulumi up` leaves on this machine: a lock whose process is dead, plugins without an engine,
 * operations that were under way. What it has left on the engine is the next `up`'s own to see to (survey.ts).
 */
import { readFile, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { execa } from "execa";

import { local, repo } from "./setup/paths.ts";
import { codeOf, Problem } from "./setup/problem.ts";

import type { Toolchain } from "./setup/toolchain.ts";

const project = "platform-topologies";

interface Resource {
  urn: string;
  type: string;
  id?: string;
  outputs?: Record<string, unknown>;
  protect?: boolean;
}

interface Snapshot {
  resources?: Resource[];
  pending_operations?: { type: string; resource: Resource }[];
}

/** Where a stack's Pulumi.yaml and its local backend are. Default: this checkout's own. */
export interface Place {
  readonly folder: string;
  readonly state: string;
}

const here: Place = { folder: repo, state: join(local, "state") };

/** Repairs the stack and says in one line each what it did; nothing to repair costs milliseconds. */
export async function heal(tools: Toolchain, stack: string, place = here): Promise<string[]> {
  if (process.env.PULUMI_BACKEND_URL) return []; // a shared backend: its locks are others' as well
  return [
    ...(await clearLock(tools, stack, place)),
    ...(await endOrphans(tools)),
    ...(await clearPending(tools, stack, place)),
  ];
}

async function clearLock(tools: Toolchain, stack: string, place: Place): Promise<string[]> {
  const folder = join(place.state, ".pulumi/locks/organization", project, stack);
  const names = await readdir(folder).catch(() => []);
  const holders = [];
  for (const name of names.filter((each) => each.endsWith(".json")))
    holders.push(JSON.parse(await readFile(join(folder, name), "utf8")) as { pid: number; hostname: string });
  if (holders.length === 0) return [];
  const alive = [];
  for (const holder of holders) if (holder.hostname !== hostname() || (await isPulumi(holder.pid))) alive.push(holder);
  if (alive[0])
    throw new Problem(
      `another Pulumi (process ${String(alive[0].pid)} on ${alive[0].hostname}) is working on ${stack}: wait for its end, or end it, and run the same command again`,
    );
  await execa(tools.pulumi, ["cancel", "--stack", stack, "--yes"], { cwd: place.folder, env: tools.env });
  return [`the lock of process ${holders.map(({ pid }) => pid).join(", ")}, which is dead, is gone`];
}

/** Another program may have been given the dead one's number. */
async function isPulumi(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  if (process.platform !== "linux") return true;
  return (await readFile(`/proc/${String(pid)}/comm`, "utf8").catch(() => "")).startsWith("pulumi");
}

/** Plugins outlive a killed engine, and would finish making a container after we have looked for it. */
async function endOrphans(tools: Toolchain): Promise<string[]> {
  if (process.platform !== "linux") return [];
  const homes = [tools.env.PULUMI_HOME, join(repo, "ops")].filter((home) => home !== undefined);
  const ended: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const proc = `/proc/${String(pid)}`;
    const command = (await readFile(`${proc}/cmdline`, "utf8").catch(() => "")).split("\0");
    const file = command.slice(0, 3).find((word) => homes.some((home) => word.startsWith(`${home}/`)));
    if (file === undefined) continue;
    const parent = Number(/^PPid:\s*(\d+)/m.exec(await readFile(`${proc}/status`, "utf8").catch(() => ""))?.[1]);
    if (Number.isNaN(parent) || (await isPulumi(parent))) continue;
    try {
      process.kill(pid, "SIGKILL");
      ended.push(`process ${String(pid)} (${file.split("/").at(-1) ?? file}), left by a Pulumi that is gone, is ended`);
    } catch (error) {
      if (codeOf(error) !== "ESRCH") throw error;
    }
  }
  if (ended.length > 0) await sleep(1_000); // the Docker engine may still be answering what they asked
  return ended;
}

/** The stack's checkpoint, read from the local backend; empty where there is none. */
export async function snapshot(stack: string, place = here): Promise<Snapshot> {
  const file = join(place.state, ".pulumi/stacks", project, `${stack}.json`);
  const text = await readFile(file, "utf8").catch(() => "{}");
  return (JSON.parse(text) as { checkpoint?: { latest?: Snapshot | null } }).checkpoint?.latest ?? {};
}

/**
 * `pulumi up` goes on after an interrupted create (and warns for ever); an interrupted update or delete it takes for
 * done or undone as the state has it. So those resources are read again; the stack itself is named so that a target
 * exists when there are creates only.
 */
async function clearPending(tools: Toolchain, stack: string, place: Place): Promise<string[]> {
  const { resources = [], pending_operations: pending = [] } = await snapshot(stack, place);
  if (pending.length === 0) return [];
  const known = new Set(resources.map(({ urn }) => urn));
  const urns = pending.map(({ resource }) => resource.urn).filter((urn) => known.has(urn));
  const root = resources.find(({ urn }) => urn.includes("::pulumi:pulumi:Stack::"));
  const targets = [...new Set([...urns, ...(root ? [root.urn] : [])])].flatMap((urn) => ["--target", urn]);
  const args = ["refresh", "--stack", stack, "--clear-pending-creates", "--yes", "--skip-preview", "--non-interactive"];
  const result = await execa(tools.pulumi, [...args, ...targets], {
    cwd: place.folder,
    env: tools.env,
    all: true,
    reject: false,
  });
  if (result.exitCode !== 0) throw new Problem(`operations that were under way cannot be cleared: ${result.all}`);
  return pending.map(
    ({ type, resource }) => `${type} ${resource.urn.split("::").at(-1) ?? ""} was interrupted; cleared`,
  );
}
