import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import type { Check } from "../checks/check.ts";
import { redis } from "../checks/redis.ts";
import { applicationSchema } from "../config/shinyproxy.ts";
import { parseConfig, readConfig } from "../config/file.ts";
import { Refusal } from "../errors.ts";
import type { MakeRole } from "../role.ts";
import { sendJson } from "../server.ts";
import { backendOf } from "../shinyproxy/engine.ts";
import { Site } from "../shinyproxy/site.ts";
import { State } from "../shinyproxy/state.ts";

const flag = "--spring.config.location=";

/**
 * ShinyProxy's stand-in: signs in by OpenID, starts a container for each user and app through the Docker API with
 * containerproxy's own calls, passes HTTP and websockets on, and keeps sessions and running apps in Redis.
 */
export const shinyproxy: MakeRole = ({ args, secrets, host }) => {
  const path = args.find((arg) => arg.startsWith(flag))?.slice(flag.length) ?? "";
  if (path === "") throw new Refusal(`${flag} is not there: it must name application.yml`);
  const application = parseConfig(readConfig(path, "spring.config.location"), path, applicationSchema);
  const { proxy, spring } = application;
  secrets.add(
    proxy.openid["client-secret"],
    spring.data.redis.password,
    new URL(proxy["usage-stats-url"]).searchParams.get("p") ?? undefined,
  );
  const { host: at, port, password } = spring.data.redis;
  const access = { host: at, port, password };
  const engine = backendOf(application);
  return {
    name: "shinyproxy",
    title: "ShinyProxy",
    checks: [
      redis(access, host),
      // containerproxy checks these two at its own start. Users who have signed in and have an app need neither.
      atStart({ name: "docker", target: proxy.docker.url, required: true, run: () => engine.check() }),
      atStart({
        name: "keys",
        target: proxy.openid["jwks-url"],
        required: true,
        run: (signal) => keys(proxy.openid["jwks-url"], signal),
      }),
    ],
    listen: async (loop, say) => {
      await new Site(application, new State(access), secrets, say).listen(8080);
      const actuator = http.createServer((request, response) => {
        const health = loop.health();
        if (!/^\/actuator\/health(\/readiness|\/liveness)?$/.test(request.url ?? "")) sendJson(response, 404, {});
        else sendJson(response, health.ok ? 200 : 503, { status: health.ok ? "UP" : "OUT_OF_SERVICE", ...health });
      });
      await new Promise<void>((resolve) => actuator.listen(9090, resolve));
    },
  };
};

/** Once the check has succeeded, its failures are only reported. */
function atStart(check: Check): Check {
  let seen = false;
  const run = async (signal: AbortSignal): Promise<string> => {
    if (!seen) {
      const found = await check.run(signal);
      seen = true;
      return found;
    }
    const silence = sleep(4000).then(() => Promise.reject(new Error("no answer within 4 s")));
    return Promise.race([check.run(signal), silence]).catch(
      (error: unknown) => `was there at the start; now: ${error instanceof Error ? error.message : String(error)}`,
    );
  };
  return { ...check, run };
}

async function keys(url: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Refusal(`${url}: ${String(answer.status)}`);
  return "the provider's keys were read";
}
