/**
 * Repairs what a killed `pulumi up` leaves on this machine: a lock whose process is dead, plugins without an engine,
 * operations that were under way. The next `up` itself mends what it has left on the Docker engine (survey.ts).
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

/** Repairs the stack. Returns a line for each repair. Costs milliseconds if there is nothing to repair. */
export async function heal(tools: Toolchain, stack: string, place = here): Promise<string[]> {
  if (process.env.PULUMI_BACKEND_URL) return []; // in a shared backend a lock may be another machine's
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

/** Whether the process is Pulumi: another program may have got the dead one's number. */
async function isPulumi(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  if (process.platform !== "linux") return true;
  return (await readFile(`/proc/${String(pid)}/comm`, "utf8").catch(() => "")).startsWith("pulumi");
}

/** Ends plugins without an engine: they outlive it, and could finish a container after we have looked for it. */
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
  if (ended.length > 0) await sleep(1_000); // the Docker engine may still work on their requests
  return ended;
}

/** The stack's checkpoint, read from the local backend; empty where there is none. */
export async function snapshot(stack: string, place = here): Promise<Snapshot> {
  const file = join(place.state, ".pulumi/stacks", project, `${stack}.json`);
  const text = await readFile(file, "utf8").catch(() => "{}");
  return (JSON.parse(text) as { checkpoint?: { latest?: Snapshot | null } }).checkpoint?.latest ?? {};
}

/**
 * `pulumi up` goes on after an interrupted create, and warns for ever. After an interrupted update or delete it
 * believes the state. So this refreshes those resources. The stack itself is a target, too: interrupted creates alone
 * would leave none.
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
