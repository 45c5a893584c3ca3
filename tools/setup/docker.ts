/** A Docker engine: the one that answers, or Debian's, installed and started when this user is root. */
import { spawn } from "node:child_process";
import { open, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import Docker from "dockerode";

import { aptInstall } from "./apt.ts";
import { cacheRoot } from "./paths.ts";
import { codeOf, Problem } from "./problem.ts";
import { which } from "./which.ts";

import type { Say } from "./cache.ts";

/** Where a daemon of ours lives; the default is the machine's usual place. Tests use another. */
export interface Place {
  socket: string;
  /** A command before dockerd, as `unshare --net`. Default: none. */
  inside?: readonly string[];
  /** Further arguments of dockerd: other roots, no bridge. */
  args: readonly string[];
  /** Holds `dockerd.json` (which daemon is ours) and `dockerd.log`. */
  folder: string;
}

export interface Engine {
  version: string;
  /** Where the engine comes from, in words for a person. */
  how: string;
  /** Whether this call started the daemon. */
  started: boolean;
}

/** A process, told from a later one with the same number by its start time. */
interface Ours {
  pid: number;
  startTime: string;
}

function usualPlace(): Place {
  return { socket: "/var/run/docker.sock", args: [], folder: cacheRoot() };
}

/** Takes the engine that answers, or installs and starts one. Throws a Problem where neither can be. */
export async function docker(say: Say = () => undefined, place: Place = usualPlace()): Promise<Engine> {
  const host = process.env.DOCKER_HOST;
  const usual = place.socket === usualPlace().socket;
  if (host !== undefined && host !== "" && usual) {
    const version = await ping(new Docker()).catch((error: unknown) => {
      throw new Problem(
        `DOCKER_HOST is ${host}, but no Docker engine answers there (${String(error)}): start it, or unset DOCKER_HOST`,
      );
    });
    return { version, how: `${version}, at ${host}`, started: false };
  }
  const engine = new Docker({ socketPath: place.socket });
  try {
    const version = await ping(engine);
    return { version, how: `${version}, which was running`, started: false };
  } catch (error) {
    if (codeOf(error) === "EACCES")
      throw new Problem(
        `this user may not use ${place.socket}: add it to the group docker (usermod -aG docker <user>), or run as root`,
      );
  }
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new Problem(
      `no Docker engine answers at ${place.socket}: start it or install one (https://docs.docker.com/engine/install/), or set DOCKER_HOST to one that runs`,
    );
  const installed = await install(say);
  const version = await start(engine, place, say);
  return { version, how: `${version}, ${installed ? "installed from Debian and " : ""}started`, started: true };
}

async function ping(engine: Docker): Promise<string> {
  const answer = await Promise.race([engine.version(), sleep(5_000, undefined, { ref: false })]);
  if (answer === undefined) throw new Error("no answer within 5 s");
  return answer.Version;
}

async function install(say: Say): Promise<boolean> {
  if (await which("dockerd", "/usr/sbin", "/sbin")) return false;
  await aptInstall(["docker.io", "iptables"], "Docker engine", say);
  return true;
}

/** Starts a dockerd that outlives us, and waits for its first answer. */
async function start(engine: Docker, place: Place, say: Say): Promise<string> {
  await mkdir(place.folder, { recursive: true });
  const log = join(place.folder, "dockerd.log");
  const out = await open(log, "w");
  const dockerd = (await which("dockerd", "/usr/sbin", "/sbin")) ?? "dockerd";
  const [program, ...before] = [...(place.inside ?? []), dockerd];
  const child = spawn(program, [...before, "--host", `unix://${place.socket}`, ...place.args], {
    detached: true, // its own session: Ctrl-C and the end of this process do not reach it
    stdio: ["ignore", out.fd, out.fd],
  });
  await out.close();
  if (child.pid === undefined) throw new Problem("dockerd could not be started", log);
  const ours: Ours = { pid: child.pid, startTime: (await startTimeOf(child.pid)) ?? "" };
  await writeFile(join(place.folder, "dockerd.json"), JSON.stringify(ours));
  child.unref();
  for (let tenths = 0; tenths < 600; tenths++) {
    await sleep(100);
    if (child.exitCode !== null) {
      const reason = (await readFile(log, "utf8")).trim().split("\n").at(-1) ?? "";
      throw new Problem(`dockerd ended at once (${reason}): see its log`, log);
    }
    const version = await ping(engine).catch(() => undefined);
    if (version !== undefined) return version;
    if (tenths % 10 === 0) say(`waiting for dockerd, ${String(tenths / 10)} s`);
  }
  throw new Problem("dockerd was started but does not answer after 60 s: see its log", log);
}

/**
 * Ends the daemon if we started it and no container is left in it. It never ends another one: the id and the start time
 * tell the process.
 */
export async function stopOurs(place: Place = usualPlace()): Promise<"not ours" | "in use" | "ended"> {
  const file = join(place.folder, "dockerd.json");
  const ours = await readFile(file, "utf8").then(
    (text) => JSON.parse(text) as Ours,
    () => undefined,
  );
  if (ours === undefined || (await startTimeOf(ours.pid)) !== ours.startTime) return "not ours";
  const engine = new Docker({ socketPath: place.socket });
  if ((await engine.listContainers({ all: true })).length > 0) return "in use";
  process.kill(ours.pid, "SIGTERM");
  for (let tenths = 0; tenths < 300 && (await startTimeOf(ours.pid)) === ours.startTime; tenths++) await sleep(100);
  await rm(file, { force: true });
  return "ended";
}

/** When the process began, in ticks since boot; undefined if there is none, or only a zombie. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, "utf8").catch(() => "");
  // The second field, the name in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : fields[19];
}
