import { createClient } from "redis";
import { z } from "zod";

import type { RedisAccess } from "../checks/redis.ts";

const sessionSchema = z.object({ user: z.string(), groups: z.array(z.string()) });
export type Session = z.output<typeof sessionSchema>;

const appSchema = z.object({
  id: z.string(),
  spec: z.string(),
  user: z.string(),
  /** The service's or the container's id. */
  backend: z.string(),
  /** `http://host:port` */
  target: z.string(),
  /** The last sign of life of its user's browser; epoch milliseconds. */
  seen: z.number(),
});
export type RunningApp = z.output<typeof appSchema>;

const loginSchema = z.object({ verifier: z.string(), nonce: z.string(), to: z.string() });
export type Login = z.output<typeof loginSchema>;

const day = 86_400;
const apps = "shinyproxy:apps";

/** What has to outlive this process: sessions and running apps, in Redis. */
export class State {
  readonly #redis: ReturnType<typeof createClient>;

  constructor({ host, port, password }: RedisAccess) {
    this.#redis = createClient({ socket: { host, port }, ...(password === undefined ? {} : { password }) });
    this.#redis.on("error", () => undefined); // the check says what is wrong
    void this.#redis.connect().catch(() => undefined);
  }

  async session(id: string): Promise<Session | undefined> {
    return parsed(sessionSchema, await this.#redis.get(`shinyproxy:session:${id}`));
  }
  async keepSession(id: string, session: Session): Promise<void> {
    await this.#redis.set(`shinyproxy:session:${id}`, JSON.stringify(session), {
      expiration: { type: "EX", value: day },
    });
  }
  async endSession(id: string): Promise<void> {
    await this.#redis.del(`shinyproxy:session:${id}`);
  }

  async keepLogin(state: string, login: Login): Promise<void> {
    await this.#redis.set(`shinyproxy:login:${state}`, JSON.stringify(login), {
      expiration: { type: "EX", value: 600 },
    });
  }
  async takeLogin(state: string): Promise<Login | undefined> {
    return parsed(loginSchema, await this.#redis.getDel(`shinyproxy:login:${state}`));
  }

  async apps(): Promise<RunningApp[]> {
    return Object.values(await this.#redis.hGetAll(apps)).flatMap((text) => parsed(appSchema, text) ?? []);
  }
  async app(id: string): Promise<RunningApp | undefined> {
    return parsed(appSchema, await this.#redis.hGet(apps, id));
  }
  async keepApp(app: RunningApp): Promise<void> {
    await this.#redis.hSet(apps, app.id, JSON.stringify(app));
  }
  /** Returns whether the app was there: so only one of two replicas ends it. */
  async forgetApp(id: string): Promise<boolean> {
    return (await this.#redis.hDel(apps, id)) === 1;
  }
}

function parsed<T>(schema: z.ZodType<T>, text: string | null): T | undefined {
  return text === null ? undefined : schema.parse(JSON.parse(text));
}
