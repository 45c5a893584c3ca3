import { all, output, type Output } from "@pulumi/pulumi";
import { stringify } from "yaml";
import { z } from "zod";

import type { Given, Platform, System } from "../core/contracts.ts";

const app = z.strictObject({
  title: z.string().min(1),
  image: z.string().regex(/^[\w.-]+(:\d+)?(\/[\w.-]+)*(:[\w.-]+)?$/, "an image reference"),
  command: z.array(z.string()).optional(),
  port: z.int().min(1).max(65535).default(3838),
  memoryMiB: z.int().min(64).default(1024),
  cpu: z.number().min(0.1).default(1),
  /** Who may start it; unset: everyone who has signed in. */
  groups: z.array(z.string()).optional(),
});
const period = z.string().regex(/^\d+[dw]$/, "days or weeks, as 90d or 12w");
const labels = z.record(z.string(), z.string());

export const shinyproxyConfig = z.strictObject({
  title: z.string().default("ShinyProxy"),
  /** What a user may start, by the name that its address has. */
  apps: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "lower-case letters, digits, hyphens"), app),
  replicas: z.int().min(1).max(10).default(1),
  /** Labels of the nodes for everything but users' apps: on a swarm its managers. */
  controlNodes: labels.default({ role: "manager" }),
  /** The label of the nodes for users' apps, and for nothing else. */
  appNodes: z.string().default("role==worker"),
  adminGroups: z.array(z.string()).default(["admins"]),
  /** How long usage and machine statistics are kept. */
  keepUsage: period.default("365d"),
  keepMetrics: period.default("30d"),
  influxGib: z.int().min(1).default(20),
});
export type ShinyProxyConfig = z.output<typeof shinyproxyConfig>;

const folder = "/run/shinyproxy";
const health = { startSeconds: 120, stopSeconds: 30 };

/**
 * ShinyProxy starts a container for each user and app, through a filtered Docker API that keeps them on worker nodes.
 * Sign-in is any OpenID provider; usage goes to InfluxDB, machine statistics too (Telegraf), both shown by Grafana.
 * Traefik and its certificates are the topology's edge. Checked on paper; not deployable yet.
 */
export const shinyproxy: System<ShinyProxyConfig> = (p, c) => {
  const nodes = c.controlNodes;
  const influx = p.need("influx", "influx", {
    databases: { shinyproxy: { keep: c.keepUsage }, telegraf: { keep: c.keepMetrics } },
    gib: c.influxGib,
    nodeLabels: nodes,
  });
  // Sessions and running apps: without it a restarted ShinyProxy forgets those on other nodes.
  const redis = p.need("redis", "redis", {
    clientTls: false,
    clientAuth: true,
    keep: true,
    memoryMiB: 128,
    nodeLabels: nodes,
  });
  const signIn = p.need("oidc", "sign-in", { callback: `${p.url}/login/oauth2/code/shinyproxy`, groups: groupsOf(c) });
  const runner = p.need("containers", "runner", { may: "run-apps", appsOn: c.appNodes });
  const reader = p.need("containers", "reader", { may: "read", appsOn: c.appNodes });

  p.run("shinyproxy", {
    image: "shinyproxy",
    tier: "app",
    cpu: 2,
    memoryMiB: 2048,
    files: [
      { path: `${folder}/application.yml`, content: applicationYml(p, c, influx, redis, signIn, runner), secret: true },
    ],
    env: { SPRING_CONFIG_LOCATION: `file:${folder}/application.yml` }, // Spring Boot's own; the image's file is not read
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
    health: { ...health, ready: { http: "actuator", path: "/actuator/health/readiness" } },
    replicas: c.replicas,
    nodes,
    after: [influx, redis, signIn, runner],
  });

  p.run("telegraf", {
    image: "telegraf",
    tier: "app",
    cpu: 0.5,
    memoryMiB: 256,
    user: "65534:65534",
    files: [{ path: `${folder}/telegraf.conf`, content: telegrafConf(influx, reader), secret: true }],
    command: ["telegraf", "--config", `${folder}/telegraf.conf`],
    ports: { health: { number: 8080, protocol: "http" } },
    health: { ...health, ready: { http: "health", path: "/" } },
    replicas: 1, // a swarm's services are the same seen from any manager: two would count them twice
    nodes,
    after: [influx, reader],
  });

  const password = p.secret("grafana-password");
  p.slots("grafana", { count: 1, order: "one-by-one" }, () => ({
    image: "grafana",
    tier: "data", // where InfluxDB is: a slot of the app network would not reach it
    cpu: 1,
    memoryMiB: 512,
    user: "472:472",
    files: [
      { path: `${folder}/admin-password`, content: password, secret: true },
      { path: `${folder}/provisioning/datasources/influx.yml`, content: datasources(influx), secret: true },
    ],
    env: {
      GF_SECURITY_ADMIN_PASSWORD__FILE: `${folder}/admin-password`, // read at the first start only
      GF_PATHS_PROVISIONING: `${folder}/provisioning`,
      GF_SERVER_ROOT_URL: p.publicUrl("grafana"),
      GF_ANALYTICS_REPORTING_ENABLED: "false",
    },
    ports: { web: { number: 3000, protocol: "http" } },
    routes: [{ host: `grafana.${p.hostname}`, path: "/", port: "web", websocket: true, seconds: 300 }],
    health: { ...health, ready: { http: "web", path: "/api/health" } },
    disk: {
      path: "/var/lib/grafana",
      gib: 1,
      backup: { rebuilt: "data sources come from files; dashboards made by hand do not: export them" },
    },
    nodes,
    after: [influx],
  }));
};

function groupsOf({ adminGroups, apps }: ShinyProxyConfig): string[] {
  return [...new Set([...adminGroups, ...Object.values(apps).flatMap(({ groups = [] }) => groups)])].sort();
}

function applicationYml(
  p: Platform,
  c: ShinyProxyConfig,
  influx: Given<"influx">,
  redis: Given<"redis">,
  signIn: Given<"oidc">,
  runner: Given<"containers">,
): Output<string> {
  return output({
    influx: address(influx),
    influxPassword: influx.password,
    redisHost: redis.host,
    redisPassword: redis.password ?? "",
    clientId: signIn.clientId,
    clientSecret: signIn.clientSecret,
    urls: signIn.urls,
  }).apply((given) =>
    stringify({
      proxy: {
        title: c.title,
        "container-backend": runner.engine === "swarm" ? "docker-swarm" : "docker",
        docker: { url: runner.url, "internal-networking": true, "default-container-network": runner.network },
        "stop-proxies-on-shutdown": false,
        "store-mode": "Redis",
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
        },
        // Its collector knows no other way to sign in, and takes only an address with exactly this path.
        "usage-stats-url": `${given.influx}/write?db=shinyproxy&u=${influx.user}&p=${given.influxPassword}`,
        specs: Object.entries(c.apps).map(([id, app]) => ({
          id,
          "display-name": app.title,
          "container-image": app.image,
          ...(app.command ? { "container-cmd": app.command } : {}),
          port: app.port,
          "container-memory-limit": `${String(app.memoryMiB)}m`,
          "container-cpu-limit": app.cpu,
          ...(app.groups ? { "access-groups": app.groups } : {}),
        })),
      },
      spring: {
        session: { "store-type": "redis" },
        data: { redis: { host: given.redisHost, port: redis.port, password: given.redisPassword } },
      },
      server: { "forward-headers-strategy": "native", "secure-cookies": p.url.startsWith("https:") },
    }),
  );
}

function address({ host, port, ca }: Given<"influx">): Output<string> {
  return output(host).apply((at) => `${ca === undefined ? "http" : "https"}://${at}:${String(port)}`);
}

function telegrafConf(influx: Given<"influx">, { url, engine }: Given<"containers">): Output<string> {
  return all([address(influx), influx.password]).apply(
    ([at, password]) => `[[inputs.docker]]
  endpoint = "${url}"
  gather_services = ${String(engine === "swarm")}
[[outputs.influxdb]]
  urls = ["${at}"]
  database = "telegraf"
  skip_database_creation = true
  username = "${influx.user}"
  password = "${password}"
[[outputs.health]]
  service_address = "http://:8080"
`,
  );
}

function datasources(influx: Given<"influx">): Output<string> {
  return all([address(influx), influx.password]).apply(([url, password]) =>
    stringify({
      apiVersion: 1,
      datasources: ["shinyproxy", "telegraf"].map((database) => ({
        name: database,
        type: "influxdb",
        access: "proxy",
        url,
        user: influx.user,
        jsonData: { dbName: database },
        secureJsonData: { password },
      })),
    }),
  );
}
