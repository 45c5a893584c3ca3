import { stringify } from "yaml";

import type { File, Workload } from "../core/contracts.ts";
import type { PlannedRoute, Site } from "../core/topology.ts";
import type { Backends, EdgeArgs, EdgeTls } from "./edge.ts";
import { eachOf, watched, watchScript } from "./traefik-watch.ts";

const folder = "/run/traefik";
/** Where ACME accounts and certificates are kept; the topology puts a disk there. */
export const acmeFolder = "/data";

/**
 * The edge proxy. Its routes come from a file, as everything is known at deployment: it needs no access to the
 * container engine's API, which would be root on the machine.
 */
export function traefik(args: EdgeArgs): Workload {
  const { site, routes, tls } = args;
  const watching = routes.some((route) => isWatched(route, args.backends(route)));
  const given = `${folder}/routes`;
  const files: File[] = [
    { path: `${given}/routes.yml`, content: stringify(dynamic(args), { lineWidth: 0 }) },
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
    ...prepared([..."acme" in tls ? [usable] : [], ...(watching ? [watchScript(`${given}/routes.yml`)] : [])]),
    command: ["traefik", ...flags(site, tls, watching ? watched : given)],
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

function prepared(scripts: string[]): Pick<Workload, "prepare"> {
  return scripts.length > 0 ? { prepare: scripts.join("\n") } : {};
}

/**
 * A file that others may read, as after a copy of the volume, or that a power cut left half written, makes Traefik serve
 * without certificates, healthy: it says one line in its log. The half one is kept beside; certificates are asked for anew.
 */
const usable = `store=${acmeFolder}/acme.json
if [ -s "$store" ]; then
  chmod 600 "$store"
  [ "$(tail -n 1 "$store")" = "}" ] || { echo "$store is not whole: it is $store.broken now, certificates are asked for anew" >&2; mv "$store" "$store.broken"; }
fi`;

function flags({ ports }: Site, tls: EdgeTls, routes: string): string[] {
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
    `--providers.file.directory=${routes}`,
    `--providers.file.watch=${String(routes === watched)}`,
    // A replica leaves the swarm's DNS two seconds before it is told to stop: the news has to be here by then.
    "--providers.providersThrottleDuration=200ms",
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
  const middlewares: Record<string, object> = {
    headers: { headers: { stsSeconds: 31536000, contentTypeNosniff: true, browserXssFilter: false } },
    // Only where no connection came about: a request that has been sent is never sent twice.
    retry: { retry: { attempts: 4, initialInterval: "100ms" } },
  };
  const routers: Record<string, object> = {};
  const services: Record<string, object> = {};
  const transports: Record<string, object> = {};
  for (const route of routes) {
    const name = `${route.to}-${route.host}${route.path}`.replaceAll(/[^a-z0-9]+/gi, "-").replace(/-$/, "");
    routers[name] = {
      rule: rule(route),
      entryPoints: ["websecure"],
      middlewares: ["headers", "retry", ...(route.strip === undefined ? [] : [`${name}-strip`])],
      service: name,
      tls: "acme" in tls ? { certResolver: "acme" } : {},
    };
    if (route.strip !== undefined) middlewares[`${name}-strip`] = { stripPrefix: { prefixes: [route.strip] } };
    const { hosts, watch } = backends(route);
    const each = isWatched(route, { watch });
    transports[name] = {
      // Where a name has several addresses, the first that takes no connection has two seconds of these.
      forwardingTimeouts: { dialTimeout: "4s", responseHeaderTimeout: `${String(route.seconds ?? 60)}s` },
      // No kept connections: on one to a node that has died, or a replica that stops, a request would hang or be lost.
      // And so each request asks DNS anew, which gives the replicas that are healthy now, in any order.
      ...(watch || hosts.length > 1 ? { maxIdleConnsPerHost: -1 } : {}),
    };
    services[name] = {
      loadBalancer: {
        servers: hosts.map((host) => ({ url: address(each ? eachOf(host) : host, route) })),
        ...(hosts.length > 1 || each ? health(route) : {}),
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

/** A sticky session needs a server for each replica. Without one, asking DNS at each request is enough. */
function isWatched({ sticky }: PlannedRoute, { watch }: Pick<Backends, "watch">): boolean {
  return watch && sticky !== undefined;
}

/**
 * A server with a health page is asked for it. Not Traefik's passive check: an application's own 500 counts as a dead
 * server there, and two such answers would close a route for everybody.
 */
function health({ check }: PlannedRoute): object {
  return check ? { healthCheck: { ...check, interval: "2s", timeout: "2s" } } : {};
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
