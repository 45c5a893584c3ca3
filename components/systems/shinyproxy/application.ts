import { output, type Output } from "@pulumi/pulumi";

import type { Given, Platform } from "../../core/contracts.ts";
import { urlOf } from "../../core/endpoint.ts";
import { eachString, springText, yaml } from "../../core/syntax.ts";
import type { App, ShinyProxyConfig } from "./config.ts";
import { databases } from "./influx.ts";

/** ShinyProxy's own configuration: keys as containerproxy 1.2 and ShinyProxy 3.2 read them. */
export function applicationYml(
  p: Platform,
  c: ShinyProxyConfig,
  influx: Given<"influx">,
  redis: Given<"redis">,
  signIn: Given<"oidc">,
  runner: Given<"containers">,
): Output<string> {
  return output({
    influx: urlOf(influx),
    influxPassword: influx.password,
    redisHost: redis.host,
    redisPassword: redis.password ?? "",
    clientId: signIn.clientId,
    clientSecret: signIn.clientSecret,
    urls: signIn.urls,
  }).apply((given) =>
    yaml(
      eachString(
        {
          proxy: {
            title: c.title,
            "container-backend": runner.engine === "swarm" ? "docker-swarm" : "docker",
            docker: { url: runner.url, "internal-networking": true, "default-container-network": runner.network },
            "stop-proxies-on-shutdown": false,
            "store-mode": "Redis",
            "heartbeat-timeout": Math.round(c.idleMinutes * 60_000),
            authentication: "openid",
            "admin-groups": c.adminGroups,
            openid: {
              "auth-url": given.urls.auth,
              "token-url": given.urls.token,
              "jwks-url": given.urls.keys,
              "logout-url": given.urls.logout,
              "client-id": given.clientId,
              "client-secret": given.clientSecret,
              "roles-claim": signIn.groupsClaim,
              "username-attribute": c.userClaim,
              "with-pkce": true,
            },
            // ShinyProxy's collector has no other way to sign in, and takes only an address with exactly this path.
            "usage-stats-url": `${given.influx}/write?db=${databases.usage}&u=${encodeURIComponent(influx.user)}&p=${encodeURIComponent(given.influxPassword)}`,
            specs: Object.entries(c.apps).map(([id, app]) => spec(p, id, app, runner)),
          },
          spring: {
            session: { "store-type": "redis" },
            data: { redis: { host: given.redisHost, port: redis.port, password: given.redisPassword } },
          },
          server: { "forward-headers-strategy": "native", "secure-cookies": p.url.startsWith("https:") },
        },
        springText,
      ),
    ),
  );
}

function spec(p: Platform, id: string, app: App, { network }: Given<"containers">): object {
  const volumes = Object.entries(app.volumes).map(([path, volume]) => `${volume}:${path}`);
  return {
    id,
    "display-name": app.title,
    "container-image": p.image(app.image),
    ...(app.command ? { "container-cmd": app.command } : {}),
    ...(Object.keys(app.env).length > 0 ? { "container-env": app.env } : {}),
    ...(volumes.length > 0 ? { "container-volumes": volumes } : {}),
    port: app.port,
    "container-network": network,
    "container-memory-limit": `${String(app.memoryMib)}m`,
    "container-cpu-limit": app.cpu,
    ...(app.groups ? { "access-groups": app.groups } : {}),
  };
}
