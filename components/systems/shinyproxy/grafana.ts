import { all, interpolate, type Output } from "@pulumi/pulumi";

import type { Given, Platform, Slot } from "../../core/contracts.ts";
import { urlOf } from "../../core/endpoint.ts";
import { eachString, grafanaText, yaml } from "../../core/syntax.ts";
import type { ShinyProxyConfig } from "./config.ts";
import { dashboard } from "./dashboard.ts";
import { databases } from "./influx.ts";

const folder = "/run/grafana";
const dashboards = `${folder}/dashboards`;

/**
 * Grafana with its data sources and its dashboard from files: there is nothing to set up by hand. One keeps what its users
 * make in a file on its disk; where stores have three copies, two keep it in a PostgreSQL.
 */
export function grafana(p: Platform, c: ShinyProxyConfig, influx: Given<"influx">): void {
  const server = serverOf(p, c, influx);
  if (p.copies === 1) {
    p.slots("grafana", { count: 1 }, () => ({ ...server, disk }));
    return;
  }
  const database = "grafana";
  const db = p.need("postgres", "grafana-db", {
    databases: [database],
    clientTls: "verifies",
    gib: 1,
    memoryMib: 256,
    nodeLabels: c.controlNodes,
  });
  const [password, ca] = [`${folder}/database-password`, `${folder}/database-ca.pem`];
  p.run("grafana", {
    ...server,
    replicas: 2,
    files: [
      ...server.files,
      { path: password, content: db.password, secret: true },
      ...(db.ca === undefined ? [] : [{ path: ca, content: db.ca }]),
    ],
    env: {
      ...server.env,
      GF_DATABASE_TYPE: "postgres",
      GF_DATABASE_HOST: interpolate`${db.host}:${db.port}`,
      GF_DATABASE_NAME: database,
      GF_DATABASE_USER: db.user,
      GF_DATABASE_PASSWORD__FILE: password,
      GF_DATABASE_SSL_MODE: db.tls === true ? "verify-full" : "disable",
      ...(db.ca === undefined ? {} : { GF_DATABASE_CA_CERT_PATH: ca }),
    },
    after: [influx, db],
  });
}

function serverOf(p: Platform, c: ShinyProxyConfig, influx: Given<"influx">) {
  return {
    image: "grafana",
    tier: "data", // InfluxDB is there: a slot of the app network would not reach it
    cpu: 1,
    memoryMib: 512,
    user: "472:472",
    // The official image's own start script: it handles `…__FILE` variables and the image's paths.
    command: ["/run.sh"],
    files: [
      { path: `${folder}/admin-password`, content: p.secret("grafana-password"), secret: true },
      { path: `${folder}/provisioning/datasources/influx.yml`, content: datasources(influx), secret: true },
      { path: `${folder}/provisioning/dashboards/files.yml`, content: yaml(provider) },
      {
        path: `${dashboards}/shinyproxy.json`,
        content: JSON.stringify(dashboard(c, p.engine ?? "docker"), undefined, 1),
      },
    ],
    env: {
      GF_SECURITY_ADMIN_PASSWORD__FILE: `${folder}/admin-password`, // Grafana reads it at the first start only
      GF_PATHS_PROVISIONING: `${folder}/provisioning`,
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: `${dashboards}/shinyproxy.json`,
      GF_SERVER_ROOT_URL: p.publicUrl("grafana"),
      GF_ANALYTICS_REPORTING_ENABLED: "false",
      GF_ANALYTICS_CHECK_FOR_UPDATES: "false",
      GF_SECURITY_COOKIE_SECURE: "true",
      GF_USERS_ALLOW_SIGN_UP: "false",
    },
    ports: { web: { number: 3000, protocol: "http" } },
    routes: [{ host: p.publicHost("grafana"), path: "/", port: "web", websocket: true, seconds: 300 }],
    health: { ready: { http: "web", path: "/api/health" }, startSeconds: 120, stopSeconds: 30 },
    nodes: c.controlNodes,
    after: [influx],
  } as const;
}

const disk: Slot["disk"] = {
  path: "/var/lib/grafana",
  gib: 1,
  backup: { rebuilt: "data sources and the dashboard come from files; dashboards made by hand do not: export them" },
};

const provider = {
  apiVersion: 1,
  providers: [
    { name: "files", type: "file", disableDeletion: true, allowUiUpdates: false, options: { path: dashboards } },
  ],
};

function datasources(influx: Given<"influx">): Output<string> {
  return all([urlOf(influx), influx.password, influx.ca ?? ""]).apply(([url, password, ca]) =>
    yaml(
      eachString(
        {
          apiVersion: 1,
          datasources: Object.values(databases).map((database) => ({
            name: database,
            uid: database,
            type: "influxdb",
            access: "proxy",
            url,
            user: influx.user,
            jsonData: { dbName: database, ...(ca === "" ? {} : { tlsAuthWithCACert: true }) },
            secureJsonData: { password, ...(ca === "" ? {} : { tlsCACert: ca }) },
          })),
        },
        grafanaText,
      ),
    ),
  );
}
