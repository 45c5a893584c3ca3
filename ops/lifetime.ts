/** When waiting has to end early: the user cancelled, or the engine is gone. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const cancelled = new AbortController();
const parent = process.ppid;

/** The engine asks for this at the first Ctrl-C. */
export function cancel(): void {
  cancelled.abort();
}

/** Throws `otherwise` once cancelled, else waits. */
export async function pause(milliseconds: number, otherwise: string): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal: cancelled.signal });
  } catch {
    throw new Error(otherwise);
  }
  exitIfOrphan();
}

/**
 * An engine that was killed leaves its providers running. One that went on would remove a finished job whose result
 * nobody records, and the next `up` would run it twice.
 */
export function exitIfOrphan(): void {
  if (process.ppid !== parent) process.exit(1);
}

/** Looks every second, for the provider process only. */
export function watchParent(): void {
  setInterval(exitIfOrphan, 1000).unref();
}
