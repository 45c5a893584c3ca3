/** Runs commands whose output the user sees as it comes. */
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";

import { interruptible } from "./interrupt.ts";
import { codeOf, Problem } from "./problem.ts";

export interface Streaming {
  cwd: string;
  env?: Readonly<Record<string, string>>;
  /** Hands a terminal over, with its keys: Pulumi shows its live display only if the user can type. */
  live?: boolean;
  /** Ends what the command has left in its process group: the children of test runners may hang on. */
  endGroup?: boolean;
}

/**
 * Runs a command in a process group of its own, so that Ctrl-C reaches it once, from us: the first asks it to finish
 * what it has begun, the second ends it. (Pulumi ends at once on a second one, and a terminal's Ctrl-C comes twice.)
 * A live display reads Ctrl-C as a key: then Pulumi alone gets it, and does the same.
 */
export async function stream(file: string, args: readonly string[], options: Streaming): Promise<number> {
  const live = options.live === true && process.stdin.isTTY && process.stdout.isTTY;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: [live ? "inherit" : "ignore", "inherit", "inherit"],
    detached: true,
  });
  const end = (again: boolean): void => {
    if (child.pid === undefined) return;
    process.stderr.write(again ? "\nending it now\n" : "\nfinishing what has begun; Ctrl-C again ends it at once\n");
    // The first Ctrl-C asks the command alone; the second ends its whole group.
    if (again) endGroup(child.pid);
    else child.kill("SIGINT");
  };
  return interruptible(
    end,
    () =>
      new Promise((resolve, reject) => {
        child.on("error", (error) => {
          reject(new Problem(`${file} could not be started (${error.message})`));
        });
        child.on("close", (code, signal) => {
          if (options.endGroup && child.pid !== undefined) endGroup(child.pid);
          if (live && signal !== null) restore();
          resolve(code ?? (signal === "SIGINT" ? 130 : 137));
        });
      }),
  );
}

/** A killed display leaves the terminal without echo and cursor. */
function restore(): void {
  spawnSync("stty", ["sane"], { stdio: ["inherit", "ignore", "ignore"] });
  process.stdout.write("\u001b[?25h");
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}
