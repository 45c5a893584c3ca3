/**
 * Ctrl-C and SIGTERM: the newest handler decides. Without one the command ends, and all that it started ends with it.
 */
import process from "node:process";

type Handler = (again: boolean) => void;

const handlers: Handler[] = [];
let last = 0;
let count = 0;

function signalled(signal: NodeJS.Signals): void {
  // One Ctrl-C arrives up to three times: from the terminal, from npm, from enter.mjs.
  if (Date.now() - last < 500) return;
  last = Date.now();
  count++;
  const handler = handlers.at(-1);
  if (handler) {
    handler(count > 1);
    return;
  }
  process.stderr.write("\nstopped; nothing is broken: the same command goes on from here\n");
  process.exit(signal === "SIGINT" ? 130 : 143);
}

/** Starts to listen. main.ts calls it once. */
export function listen(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, signalled);
}

/** While `work` runs, an interrupt calls `handler` instead of ending the command. */
export async function interruptible<T>(handler: Handler, work: () => Promise<T>): Promise<T> {
  handlers.push(handler);
  try {
    return await work();
  } finally {
    handlers.splice(handlers.indexOf(handler), 1);
  }
}

/** Whether the user has asked to stop. */
export function interrupted(): boolean {
  return count > 0;
}
