import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { redisString } from "../core/syntax.ts";
import { wishes } from "./recipe.ts";

/** One Redis server. `keep`: an append-only file on its disk, so that queued jobs outlive a restart. */
export const redis: Recipe<"redis"> = (p, name, ask) => {
  const password = ask.clientAuth ? p.secret(`${name}-password`) : undefined;
  const host = `${name}-1`;
  const conf = "/run/redis/redis.conf";
  const settings = {
    dir: "/data",
    appendonly: ask.keep ? "yes" : "no",
    save: '""',
    maxmemory: `${String(ask.memoryMiB)}mb`,
    "maxmemory-policy": ask.keep ? "noeviction" : "allkeys-lru",
    // Without a password Redis answers only itself unless told otherwise; the data network is what guards it.
    "protected-mode": "no",
  };
  const plain = Object.entries(settings)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
  const made = p.slots(name, { count: 1, order: "one-by-one" }, () => ({
    ...wishes(ask, "redis"),
    tier: "data",
    cpu: 1,
    // Room beside the data: a rewrite of the append-only file forks.
    memoryMiB: ask.memoryMiB * 2,
    user: "999:999",
    files: [
      password
        ? {
            path: conf,
            content: password.apply((value) => `${plain}requirepass ${redisString(value)}\n`),
            secret: true,
          }
        : { path: conf, content: plain },
    ],
    command: ["redis-server", conf],
    ports: { redis: { number: 6379, protocol: "tcp" } },
    // NOAUTH is an answer too: the probe needs no password, only a server that has loaded its data.
    health: {
      ready: { command: ["sh", "-c", "redis-cli ping | grep -qE 'PONG|NOAUTH'"] },
      startSeconds: 60,
      stopSeconds: 30,
    },
    disk: {
      path: "/data",
      gib: 1,
      backup: { rebuilt: "jobs in flight are started again by their system; the cache fills itself" },
    },
  }));
  const login = password ? { user: "default", password } : {};
  return { host, port: 6379, members: [host], ...login, ready: made.flatMap(({ ready }) => ready) };
};

/** Redis: jobs and cache. */
export class Redis extends Service<"redis"> {
  static readonly recipe = redis;

  constructor(name: string, args: ServiceArgs<"redis">, opts?: ComponentResourceOptions) {
    super("Redis", redis, name, args, opts);
  }
}
