import { type ComponentResourceOptions, output } from "@pulumi/pulumi";

import type { Platform, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { redisString } from "../core/syntax.ts";
import { onlySaid, replaySeconds, storeOptions, toolbox } from "../core/recipe.ts";
import { redisCopies } from "./redis-copies.ts";
import { lines, paths, port, type Server, signIn } from "./redis-parts.ts";

/**
 * Redis. `keep`: an append-only file on its disk, so that queued jobs outlive a restart. Of three copies one leads, and
 * another takes over when it is lost: redis-copies.ts.
 */
export const redis: Recipe<"redis"> = (p, name, ask) => {
  const password = ask.clientAuth ? p.secret(`${name}-password`, name) : undefined;
  const settings = {
    dir: "/data",
    appendonly: ask.keep ? "yes" : "no",
    save: '""',
    maxmemory: `${String(ask.memoryMib)}mb`,
    "maxmemory-policy": ask.keep ? "noeviction" : "allkeys-lru",
    // Without this, a Redis without a password answers its own machine alone. The data network guards it.
    "protected-mode": "no",
  };
  const plain = lines(settings);
  const serverAt = (number: number): Server => ({
    tier: "data",
    cpu: 1,
    // A rewrite of the append-only file forks, and needs memory beside the data.
    memoryMib: ask.memoryMib * 2,
    user: "999:999",
    files: password
      ? [
          {
            path: paths.conf,
            content: password.apply((value) => `${plain}requirepass ${redisString(value)}\n`),
            secret: true,
          },
          { path: paths.password, content: password, secret: true },
        ]
      : [{ path: paths.conf, content: plain }],
    ...(ask.keep ? { prepare: withoutNuls } : {}),
    command: ["redis-server", paths.conf],
    ports: { redis: { number, protocol: "tcp" } },
    health: {
      ready: { command: ["sh", "-c", probe(p, password !== undefined, number)] },
      startSeconds: replaySeconds,
      stopSeconds: 30,
    },
    disk: {
      path: "/data",
      gib: 1,
      backup: { rebuilt: "jobs in flight are started again by their system; the cache fills itself" },
    },
  });
  const login = password ? { user: "default", password } : {};
  if ((ask.copies ?? p.copies) === 3) return { ...redisCopies(p, name, ask, serverAt, password), ...login };
  const made = p.slots(name, { count: 1 }, () => ({ ...storeOptions(ask, "redis"), ...serverAt(port) }));
  const slot = `${name}-1`;
  return { host: p.address(slot), port, members: [slot], ...login, ready: made.flatMap(({ ready }) => ready) };
};

/**
 * The same on a server that the place brings. A job speaks to it once: a store that takes nobody is not ready, in the
 * run that made it and in the next.
 */
export const managedRedis: Recipe<"redis"> = (p, name, ask) => {
  const server = p.managed("redis", name, ask);
  const { password } = server;
  const hostFile = { path: "/run/redis/host", content: output(server.host) };
  const checked = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    files: [hostFile, ...(password ? [{ path: paths.password, content: password, secret: true }] : [])],
    command: [
      "sh",
      "-euc",
      `${password ? signIn : ""}redis-cli -h "$(cat ${hostFile.path})" -p ${String(server.port)}${server.tls ? " --tls" : ""} ping | grep -x PONG`,
    ],
    seconds: 300,
    after: [server],
  });
  return { ...server, ready: checked.ready };
};

/**
 * The probe signs in: a stranger is told NOAUTH even while Redis loads its data (LOADING), or refuses every write
 * because the disk is full (MISCONF).
 */
function probe(p: Platform, signsIn: boolean, number: number): string {
  const well = onlySaid(p) ? "PONG" : "PONG | MISCONF*";
  return `${signsIn ? signIn : ""}said="$(redis-cli ${number === port ? "" : `-p ${String(number)} `}ping)"; case "$said" in ${well}) ;; *) echo "Redis: $said"; exit 1 ;; esac`;
}

/**
 * A power cut may leave NULs behind the last write, and Redis then refuses to start. No command ends in a NUL, so they
 * can go. Redis itself drops a command that is cut short.
 */
const withoutNuls = `for file in /data/appendonlydir/*.incr.aof; do
  [ -e "$file" ] || continue
  while nuls="$(tail -c 65536 "$file" | od -An -v -tx1 -w1 | awk '$1 == "00" { n++; next } { n = 0 } END { print n + 0 }')"
    [ "$nuls" -gt 0 ]; do
    echo "$file: $nuls NUL bytes at its end are cut off: a power cut left them" >&2
    truncate -s "-$nuls" "$file" || break
  done
done`;

/** Redis: jobs and cache. */
export class Redis extends Service<"redis"> {
  /** How containers supply it. */
  static readonly recipe = redis;

  constructor(name: string, args: ServiceArgs<"redis">, opts?: ComponentResourceOptions) {
    super("Redis", "redis", redis, name, args, opts);
  }
}
