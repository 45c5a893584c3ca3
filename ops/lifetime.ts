/** When waiting has to end early: the user cancelled, or the engine is gone. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const cancelled = new AbortController();
const parent = process.ppid;

/** The engine calls this at the first Ctrl-C. */
export function cancel(): void {
  cancelled.abort();
}

/** Waits, and throws `otherwise` once the user has cancelled. */
export async function pause(milliseconds: number, otherwise: string): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal: cancelled.signal });
  } catch {
    throw new Error(otherwise);
  }
  exitIfOrphan();
}

/**
 * A killed engine leaves its providers running. A provider that went on would remove a finished job whose result nobody
 * records, and the next `up` would run the job again.
 */
function exitIfOrphan(): void {
  if (process.ppid !== parent) process.exit(1);
}

/** Looks every second. For the provider process only. */
export function watchParent(): void {
  setInterval(exitIfOrphan, 1000).unref();
}
