import { stringify } from "yaml";

import type { File, Workload } from "../core/contracts.ts";
import type { PlannedRoute, Site } from "../core/topology.ts";
import type { EdgeArgs, EdgeTls } from "./edge.ts";

const folder = "/run/traefik";
/** Where ACME accounts and certificates are kept; the topology puts a disk there. */
export const acmeFolder = "/data";

/**
 * The edge proxy. Its routes come from a file, as everything is known at deployment: it needs no access to the
 * container engine's API, which would be root on the machine.
 */
export function traefik(args: EdgeArgs): Workload {
  const { site, routes, tls } = args;
  const files: File[] = [
    { path: `${folder}/routes/routes.yml`, content: stringify(dynamic(args)) },
    ...("acme" in tls
      ? []
      : [
          { path: `${folder}/tls/cert.pem`, content: tls.cert },
          { path: `${folder}/tls/key.pem`, content: tls.key, secret: true },
        ]),
  ];
  return {
    image: "traefik",
    tier: "edge",
    cpu: 1,
    memoryMiB: 256,
    user: "acme" in tls ? "0:0" : "65532:65532", // a new volume is root's; no capability either way
    files,
    command: ["traefik", ...flags(site, tls)],
    ports: {
      http: { number: site.ports.http, protocol: "http" },
      https: { number: site.ports.https, protocol: "http" },
    },
    health: {
      ready: {
        command: [
          "traefik",
          "healthcheck",
          "--ping",
          "--ping.entryPoint=ping",
          "--entryPoints.ping.address=127.0.0.1:8082",
        ],
      },
      startSeconds: 60,
      stopSeconds: 15,
    },
    replicas: 1,
    // The one URL for browsers and containers: routed names lead here from the edge network too.
    names: [...new Set(routes.map(({ host }) => host))],
  };
}

function flags({ ports }: Site, tls: EdgeTls): string[] {
  const acme = "acme" in tls ? tls.acme : undefined;
  return [
    `--entryPoints.web.address=:${String(ports.http)}`,
    "--entryPoints.web.http.redirections.entryPoint.to=websecure",
    `--entryPoints.web.http.redirections.entryPoint.scheme=https`,
    `--entryPoints.websecure.address=:${String(ports.https)}`,
    // Uploads take longer than the default minute; a route's own limit is what counts.
    "--entryPoints.websecure.transport.respondingTimeouts.readTimeout=0s",
    "--entryPoints.ping.address=127.0.0.1:8082",
    "--ping.entryPoint=ping",
    `--providers.file.directory=${folder}/routes`,
    "--providers.file.watch=false",
    "--log.level=INFO",
    "--global.checkNewVersion=false",
    "--global.sendAnonymousUsage=false",
    ...(acme
      ? [
          `--certificatesResolvers.acme.acme.email=${acme.email}`,
          `--certificatesResolvers.acme.acme.storage=${acmeFolder}/acme.json`,
          "--certificatesResolvers.acme.acme.tlsChallenge=true",
          ...(acme.caServer === undefined ? [] : [`--certificatesResolvers.acme.acme.caServer=${acme.caServer}`]),
        ]
      : []),
  ];
}

/** Traefik's dynamic configuration. */
function dynamic({ routes, tls, backends }: EdgeArgs): object {
  const middlewares = {
    headers: { headers: { stsSeconds: 31536000, contentTypeNosniff: true, browserXssFilter: false } },
  };
  const routers: Record<string, object> = {};
  const services: Record<string, object> = {};
  const transports: Record<string, object> = {};
  for (const route of routes) {
    const name = `${route.to}-${route.host}${route.path}`.replaceAll(/[^a-z0-9]+/gi, "-").replace(/-$/, "");
    routers[name] = {
      rule: rule(route),
      entryPoints: ["websecure"],
      middlewares: ["headers"],
      service: name,
      tls: "acme" in tls ? { certResolver: "acme" } : {},
    };
    transports[name] = { forwardingTimeouts: { responseHeaderTimeout: `${String(route.seconds ?? 60)}s` } };
    services[name] = {
      loadBalancer: {
        servers: backends(route).hosts.map((host) => ({ url: address(host, route) })),
        serversTransport: name,
        passHostHeader: true,
        ...(route.sticky
          ? {
              sticky: {
                cookie: { name: route.sticky.cookie, maxAge: route.sticky.seconds, secure: true, httpOnly: true },
              },
            }
          : {}),
      },
    };
  }
  return {
    http: { routers, services, middlewares, serversTransports: transports },
    tls: {
      ...("acme" in tls
        ? {}
        : {
            certificates: [{ certFile: `${folder}/tls/cert.pem`, keyFile: `${folder}/tls/key.pem` }],
            stores: {
              default: { defaultCertificate: { certFile: `${folder}/tls/cert.pem`, keyFile: `${folder}/tls/key.pem` } },
            },
          }),
      options: { default: { minVersion: "VersionTLS12", sniStrict: "acme" in tls } },
    },
  };
}

function address(host: string, { target: { protocol, number } }: PlannedRoute): string {
  return `${protocol === "h2c" ? "h2c" : "http"}://${host}:${String(number)}`;
}

/** Without a rule of its own a hidden path is nobody's: 404. */
function rule({ host, path, hidden = [] }: PlannedRoute): string {
  return [
    `Host(\`${host}\`)`,
    ...(path === "/" ? [] : [`PathPrefix(\`${path}\`)`]),
    ...hidden.map((each) => `!PathPrefix(\`${each}\`)`),
  ].join(" && ");
}
