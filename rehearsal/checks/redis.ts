import { createClient } from "redis";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

export interface RedisAccess {
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Verified by this authority (PEM), or by the public ones. Absent: plain text. */
  readonly tls?: { readonly ca?: string };
}

export type RedisClient = ReturnType<typeof connectionTo>;

/** A client that does not reconnect: the loop tries again. */
function connectionTo(access: RedisAccess) {
  const { host, port, user, password, tls } = access;
  const client = createClient({
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    socket: {
      host,
      port,
      connectTimeout: 7500,
      socketTimeout: 8000,
      reconnectStrategy: false,
      ...(tls === undefined ? {} : { tls: true as const, ...tls }),
    },
  });
  client.on("error", () => undefined); // the awaited command reports it
  return client;
}

export async function withRedis<T>(access: RedisAccess, work: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = connectionTo(access);
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.destroy();
  }
}

/** Sets a key with a short life and gets it back, then does what `also` says on the same connection. */
export function redis(access: RedisAccess, host: string, also?: (client: RedisClient) => Promise<string>): Check {
  return {
    name: "redis",
    target: `${access.host}:${String(access.port)}`,
    required: true,
    run: () =>
      withRedis(access, async (client) => {
        const key = `rehearsal:probe:${host}`;
        const value = String(Date.now());
        await client.set(key, value, { expiration: { type: "EX", value: 60 } });
        if ((await client.get(key)) !== value) throw new Refusal("redis gave back another value than was set");
        const more = await also?.(client);
        return more === undefined ? "key set and read" : `key set and read, ${more}`;
      }),
  };
}
