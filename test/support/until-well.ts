/** For tests of the reconciler on a swarm. */
import process from "node:process";

import type { Reconciler } from "../../reconciler/index.ts";
import { eventually } from "./swarm.ts";

/** Looks until all is well. A swarm forgets ends of tasks, so there is a glance between two looks. */
export async function untilWell(watcher: Reconciler, seconds: number): Promise<void> {
  await eventually(
    seconds,
    async () => {
      await watcher.glance();
      return watcher.once().catch((error: unknown) => {
        process.stdout.write(`reconciler: ${String(error)}\n`);
        return false;
      });
    },
    Boolean,
  );
}
