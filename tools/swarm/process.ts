/** Processes that outlive the one that starts them. Number and start time find them again. */
import { spawn } from "node:child_process";
import { open, readFile, rm } from "node:fs/promises";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { codeOf } from "../setup/problem.ts";

/** A process, told from a later one with the same number by its start time (ticks since boot). */
export interface Pid {
  readonly pid: number;
  readonly startTime: string;
}

/**
 * The process writes its own number before it becomes the program, so that it never runs without a record.
 */
const writesItsPid =
  'read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ at _ < /proc/$$/stat; echo "$$ $at" > "$0"; exec "$@"';

/** Starts a program in a session of its own; its output goes to `log`, its number to `pidFile`. */
export async function launch(pidFile: string, log: string, command: readonly string[]): Promise<void> {
  await rm(pidFile, { force: true });
  const out = await open(log, "a");
  const child = spawn("sh", ["-c", writesItsPid, pidFile, ...command], {
    detached: true,
    stdio: ["ignore", out.fd, out.fd],
  });
  child.on("error", () => undefined); // callers see that the process is not there
  child.unref();
  await out.close();
}

export async function pidIn(pidFile: string): Promise<Pid | undefined> {
  const text = await readFile(pidFile, "utf8").catch(() => "");
  const [pid, startTime] = text.trim().split(" ");
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}

export async function self(): Promise<Pid> {
  return { pid: process.pid, startTime: (await startTimeOf(process.pid)) ?? "" };
}

export async function alive(pid: Pid | undefined): Promise<boolean> {
  return pid !== undefined && (await startTimeOf(pid.pid)) === pid.startTime;
}

/** Sends SIGKILL, and waits until the process is gone. */
export async function end(pid: Pid | undefined): Promise<void> {
  if (pid === undefined) return;
  for (let tries = 0; tries < 200 && (await alive(pid)); tries++) {
    try {
      process.kill(pid.pid, "SIGKILL");
    } catch (error) {
      if (codeOf(error) !== "ESRCH") throw error;
    }
    await sleep(25);
  }
}

/** The start time of a process; undefined if there is none, or only a zombie. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, "utf8").catch(() => "");
  // The second field, the name in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
