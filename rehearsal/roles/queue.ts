import { setTimeout as sleep } from "node:timers/promises";
import { withRedis, type RedisAccess, type RedisClient } from "../checks/redis.ts";

const jobs = "rehearsal:jobs";
const heartbeat = "rehearsal:worker";

/** Adds a job. Keeps the list short, in case the stack's worker is away for a week. */
export async function enqueue(client: RedisClient, from: string): Promise<string> {
  await client.lPush(jobs, JSON.stringify({ from, at: Date.now() }));
  await client.lTrim(jobs, 0, 99);
  return "job queued";
}

/** The host name of the worker that answered last; undefined after 30 s of silence. */
export async function lastHeartbeat(client: RedisClient): Promise<string | undefined> {
  return (await client.get(heartbeat)) ?? undefined;
}

/** Takes jobs and answers each with a heartbeat, for ever. A lost Redis is tried again every second. */
export async function takeJobs(access: RedisAccess, host: string): Promise<never> {
  for (;;) {
    // The check `redis` reports the error.
    await withRedis(access, (client) => answerJobs(client, host)).catch(() => undefined);
    await sleep(1000);
  }
}

async function answerJobs(client: RedisClient, host: string): Promise<never> {
  for (;;) {
    const job = await client.brPop(jobs, 2);
    if (job !== null) await client.set(heartbeat, host, { expiration: { type: "EX", value: 30 } });
  }
}
