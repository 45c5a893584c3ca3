/** A swarm for a test, taken away at its end. The next test's start takes away the swarm of one that was killed. */
import { Cluster } from "../../tools/swarm/cluster.ts";

import type { ClusterArgs } from "../../tools/swarm/cluster.ts";

export async function onSwarm<T>(args: ClusterArgs, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.start(args);
  try {
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}

/** Asks until `good` accepts the answer; the last answer is in the error. */
export async function eventually<T>(seconds: number, ask: () => Promise<T>, good: (answer: T) => boolean): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() > end) throw new Error(`not within ${String(seconds)} s; at last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
