import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { System } from "../../core/contracts.ts";
import { applicationYml } from "./application.ts";
import { groupsOf, sharedMemory, shinyproxyConfig, type ShinyProxyConfig } from "./config.ts";
import { grafana } from "./grafana.ts";
import { databases } from "./influx.ts";
import { clusterTelegraf, nodeTelegraf } from "./telegraf.ts";
import { type SystemArgs, SystemComponent } from "../../core/system.ts";

export { shinyproxyConfig };

const configPath = "/run/shinyproxy/application.yml";

/**
 * ShinyProxy starts a container for each user and app, through a filtered Docker API that keeps them on worker nodes.
 * Sign-in is any OpenID provider; usage goes to InfluxDB, nodes and services too (Telegraf), all shown by Grafana.
 * Traefik and its certificates are the topology's edge.
 */
export const shinyproxy: System<ShinyProxyConfig> = (p, c) => {
  const nodes = c.controlNodes;
  const influx = p.need("influx", "influx", {
    databases: { [databases.usage]: { keep: c.keepUsage }, [databases.metrics]: { keep: c.keepMetrics, dump: false } },
    gib: c.influxGib,
    memoryMib: c.influxMemoryMib,
    nodeLabels: nodes,
  });
  // Redis keeps sessions and running apps: without it a restarted ShinyProxy forgets the apps on other nodes.
  const redis = p.need("redis", "redis", {
    clientTls: "never",
    clientAuth: true,
    keep: true,
    memoryMib: 128,
    nodeLabels: nodes,
  });
  const signIn = p.need("oidc", "sign-in", {
    callback: `${p.url}/login/oauth2/code/shinyproxy`,
    groups: groupsOf(c),
    nodeLabels: nodes,
  });
  const apps = Object.values(c.apps);
  const runner = p.need("containers", "runner", {
    may: "run-apps",
    appsOn: c.appNodes,
    images: [...new Set(apps.map(({ image }) => p.image(image)))],
    memoryMib: Math.max(...apps.map(({ memoryMib }) => memoryMib)),
    cpu: Math.max(...apps.map(({ cpu }) => cpu)),
    shmMib: Object.fromEntries(
      // Of two apps with one image the larger size counts.
      [...apps].sort((a, b) => sharedMemory(a) - sharedMemory(b)).map((app) => [p.image(app.image), sharedMemory(app)]),
    ),
    volumes: [...new Set(apps.flatMap(({ volumes }) => Object.values(volumes)))],
  });
  const reader = p.need("containers", "reader", { may: "read" });

  p.run("shinyproxy", {
    image: "shinyproxy",
    tier: "app",
    networks: runner.networks,
    cpu: 2,
    memoryMib: c.memoryMib,
    files: [{ path: configPath, content: applicationYml(p, c, influx, redis, signIn, runner), secret: true }],
    // The official image's command, with our configuration file.
    command: [
      ...["java", "-XX:MaxRAMPercentage=70", "-jar", "/opt/shinyproxy/shinyproxy.jar"],
      ...["--spring.jmx.enabled=false", `--spring.config.location=${configPath}`],
    ],
    ports: { web: { number: 8080, protocol: "http" }, actuator: { number: 9090, protocol: "http" } },
    routes: [
      {
        host: p.hostname,
        path: "/",
        port: "web",
        websocket: true,
        seconds: 3600,
        sticky: { cookie: "shinyproxy-node", seconds: 86400 },
      },
    ],
    health: { ready: { http: "actuator", path: "/actuator/health/readiness" }, startSeconds: 120, stopSeconds: 30 },
    replicas: c.replicas ?? (p.copies === 1 ? 1 : 2),
    nodes,
    after: [influx, redis, signIn, runner],
  });
  p.run("telegraf", clusterTelegraf(influx, reader, nodes));
  p.run("telegraf-node", nodeTelegraf(influx));
  grafana(p, c, influx);
};

/**
 * ShinyProxy on a topology. Another app or image replaces ShinyProxy and its filter of the Docker API alone: sessions
 * and running apps stay.
 */
export class ShinyProxy extends SystemComponent<ShinyProxyConfig> {
  constructor(name: string, args: SystemArgs<typeof shinyproxyConfig>, opts?: ComponentResourceOptions) {
    super("ShinyProxy", shinyproxy, shinyproxyConfig, name, args, opts);
  }
}
