/** What the processes that some work starts take of the machine, by Linux' /proc. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

export interface Taken {
  readonly command: string;
  /** Seconds of processor time, of all its threads. */
  readonly cpu: number;
  /** The most memory that it had at once (VmHWM). What processes share counts for each. */
  readonly peakMib: number;
}

/** Milliseconds between two looks: what a process takes after the last one is not seen. */
const every = 20;
/** Linux counts processor time in hundredths of a second. */
const ticks = 100;

export interface Watched {
  readonly processes: readonly Taken[];
  /** The most that all had at once. */
  readonly peakMib: number;
}

/** Everything that descends from this process while the work goes on. */
export async function watched(work: () => Promise<void>): Promise<Watched> {
  const taken = new Map<string, Taken>();
  let most = 0;
  // Each process is asked for its parent once, as a machine has hundreds of them.
  let parents = new Map<string, string>();
  const ours = (pid: string): boolean => {
    const parent = parents.get(pid);
    return taken.has(pid) || parent === String(process.pid) || (parent !== undefined && ours(parent));
  };
  const look = (): void => {
    const pids = readdirSync("/proc").filter((each) => /^\d+$/.test(each));
    parents = new Map(pids.map((pid) => [pid, parents.get(pid) ?? statOf(pid)[1] ?? ""]));
    let together = 0;
    for (const pid of pids.filter(ours)) {
      const stat = statOf(pid);
      const [, peak, now] = /^VmHWM:\s+(\d+) kB\nVmRSS:\s+(\d+) kB$/m.exec(read(pid, "status")) ?? [];
      if (peak === undefined || now === undefined) continue; // it has ended
      taken.set(pid, {
        command: read(pid, "cmdline").replaceAll("\0", " "),
        cpu: (Number(stat[11]) + Number(stat[12])) / ticks,
        peakMib: Number(peak) / 1024,
      });
      together += Number(now) / 1024;
    }
    most = Math.max(most, together);
  };
  const looks = setInterval(look, every);
  try {
    await work();
  } finally {
    clearInterval(looks);
  }
  return { processes: [...taken.values()], peakMib: most };
}

/** The fields of proc(5) from the third on. */
function statOf(pid: string): string[] {
  return read(pid, "stat")
    .replace(/^.*\) /s, "")
    .split(" ");
}

/** Empty if the process has gone. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
