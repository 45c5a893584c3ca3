/** Commands whose output the user sees as it comes. */
import { spawn } from "node:child_process";
import process from "node:process";

import { interruptible } from "./interrupt.ts";
import { codeOf, Problem } from "./problem.ts";

export interface Streaming {
  cwd: string;
  env?: Readonly<Record<string, string>>;
  /** Is given each chunk of stdout too; the user sees it all the same. */
  onOutput?: (text: string) => void;
  /** Ends whatever the command has left in its process group: for test runners, whose children may hang on. */
  endGroup?: boolean;
}

/**
 * Runs a command in a process group of its own, so that Ctrl-C reaches it once, from us: the first asks it to finish
 * what it has begun, the second ends it. (Pulumi ends at once on a second one, and a terminal's Ctrl-C comes twice.)
 */
export async function stream(file: string, args: readonly string[], options: Streaming): Promise<number> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", options.onOutput ? "pipe" : "inherit", "inherit"],
    detached: true,
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    options.onOutput?.(chunk.toString());
  });
  const end = (again: boolean): void => {
    if (child.pid === undefined) return;
    process.stderr.write(again ? "\nending it now\n" : "\nfinishing what has begun; Ctrl-C again ends it at once\n");
    // The command alone is asked; its whole group is ended.
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
          resolve(code ?? (signal === "SIGINT" ? 130 : 137));
        });
      }),
  );
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}
