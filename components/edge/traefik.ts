import { stringify } from "yaml";

import type { File, List, Probe, Workload } from "../core/contracts.ts";
import { baseOf, covers, hiddenOf, literally } from "../core/routes.ts";
import type { PlannedRoute } from "../core/plan.ts";
import type { Site } from "../core/topology.ts";
import { type Backends, type EdgeArgs, edgePorts, outside } from "./proxy.ts";
import { certificateHealth, endOf } from "./health.ts";
import { eachOf, watched, watchScript } from "./traefik-watch.ts";

const folder = "/run/traefik";
const [cert, key, ends] = ["cert.pem", "key.pem", "ends"].map((name) => `${folder}/tls/${name}`) as [
  string,
  string,
  string,
];
/** Where ACME accounts and certificates are kept; the topology puts a disk there. */
export const acmeFolder = "/data";
/** Entry points for the health check alone: does Traefik answer, and does it serve the given certificate? */
const ping = "--entryPoints.ping.address=127.0.0.1:8082";
const self = "--entryPoints.self.address=127.0.0.2:8082";

/**
 * The edge proxy. Its routes come from a file, as everything is known at deployment: it needs no access to the
 * container engine's API, which would be root on the machine.
 */
export function traefik(args: EdgeArgs): Workload {
  const { routes, tls } = args;
  const watching = routes.some((route) => isWatched(route, args.backends(route)));
  const given = `${folder}/routes`;
  const files: File[] = [
    { path: `${given}/routes.yml`, content: stringify(dynamic(args), { lineWidth: 0 }) },
    ...("acme" in tls
      ? []
      : [{ path: cert, content: tls.cert }, { path: key, content: tls.key, secret: true }, endOf(tls.cert, ends)]),
  ];
  return {
    image: "traefik",
    tier: "edge",
    cpu: 1,
    memoryMib: 256,
    user: "acme" in tls ? "0:0" : "65532:65532", // a new volume is root's; neither user has a capability
    files,
    ...prepared([...("acme" in tls ? [usable] : []), ...(watching ? [watchScript(`${given}/routes.yml`)] : [])]),
    command: ["traefik", ...flags(args, watching ? watched : given)],
    ports: edgePorts(args.site),
    health: { ready: ready(args), startSeconds: 60, stopSeconds: 15 },
    replicas: 1,
    // The one URL for browsers and containers: routed names lead here from the edge network too.
    names: [...new Set(routes.map(({ host }) => host))],
  };
}

/**
 * If the key does not fit, Traefik serves a certificate of its own making, and says so in its log alone. The official
 * image has no client that could verify, but Traefik can: the entry point `self` makes a handshake with Traefik's own
 * https port. With ACME there is nothing to verify before the authority has called.
 */
function ready(args: EdgeArgs): Probe {
  const alive = ["traefik", "healthcheck", "--ping", "--ping.entryPoint=ping", ping];
  if ("acme" in args.tls) return { command: alive };
  const handshake = ["traefik", "healthcheck", "--ping", "--ping.entryPoint=self", self];
  return { command: certificateHealth(args, ends, handshake.join(" "), alive.join(" ")) };
}

function prepared(scripts: string[]): Pick<Workload, "prepare"> {
  return scripts.length > 0 ? { prepare: scripts.join("\n") } : {};
}

/**
 * Mends the file of ACME certificates. If others may read it, as after a copy of the volume, or a power cut left it
 * half written, Traefik logs one line and serves without certificates, healthy. A half file is kept beside; Traefik
 * asks for certificates anew.
 */
const usable = `store=${acmeFolder}/acme.json
if [ -s "$store" ]; then
  chmod 600 "$store"
  [ "$(tail -n 1 "$store")" = "}" ] || { echo "$store is not whole: it is $store.broken now, certificates are asked for anew" >&2; mv "$store" "$store.broken"; }
fi`;

function flags({ site, tls, proxyProtocol }: EdgeArgs, routes: string): string[] {
  const acme = "acme" in tls ? tls.acme : undefined;
  const { http, https } = edgePorts(site);
  const trusted = outside(tls);
  return [
    `--entryPoints.web.address=:${String(http.number)}`,
    ...(trusted
      ? [
          `--entryPoints.web.forwardedHeaders.trustedIPs=${trusted.join(",")}`,
          "--entryPoints.web.transport.respondingTimeouts.readTimeout=0s",
        ]
      : [
          "--entryPoints.web.http.redirections.entryPoint.to=websecure",
          "--entryPoints.web.http.redirections.entryPoint.scheme=https",
        ]),
    `--entryPoints.websecure.address=:${String(https.number)}`,
    // Uploads take longer than the default minute; a route's own limit is what counts.
    "--entryPoints.websecure.transport.respondingTimeouts.readTimeout=0s",
    ...(proxyProtocol ? [`--entryPoints.websecure.proxyProtocol.trustedIPs=${proxyProtocol.join(",")}`] : []),
    ping,
    "--ping.entryPoint=ping",
    ...(acme ? [] : [self]),
    `--providers.file.directory=${routes}`,
    `--providers.file.watch=${String(routes === watched)}`,
    // A replica leaves the swarm's DNS two seconds before it is told to stop: Traefik has to know by then.
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
function dynamic({ site, routes, tls, backends }: EdgeArgs): object {
  const trusted = outside(tls);
  const middlewares: Record<string, object> = {
    headers: {
      headers: {
        // Headers that no proxy here writes are a stranger's claim.
        customRequestHeaders: { Forwarded: "", "X-Forwarded-Port": String(site.publicPort) },
        stsSeconds: 31536000,
        forceSTSHeader: trusted !== undefined,
        contentTypeNosniff: true,
        browserXssFilter: false,
      },
    },
    // Only if no connection came about: a request that has been sent is never sent twice.
    retry: { retry: { attempts: 4, initialInterval: "100ms" } },
    ...(trusted ? fromOutside(trusted) : {}),
  };
  const routers: Record<string, object> = {};
  const services: Record<string, object> = {};
  const transports: Record<string, object> = {};
  for (const [index, route] of routes.entries()) {
    const name = `${route.to}-${String(index)}`;
    const router = {
      rule: rule(route, routes),
      priority: baseOf(route.path).length + 1, // the longest path wins, whatever else its rule says
      entryPoints: ["websecure"],
      middlewares: ["headers", "retry", ...(route.strip === undefined ? [] : [`${name}-strip`])],
      service: name,
    };
    routers[name] = { ...router, tls: "acme" in tls ? { certResolver: "acme" } : {} };
    if (trusted)
      routers[`${name}-web`] = {
        ...router,
        entryPoints: ["web"],
        middlewares: ["trusted", "outside", ...router.middlewares],
      };
    if (route.strip !== undefined) middlewares[`${name}-strip`] = { stripPrefix: { prefixes: [baseOf(route.strip)] } };
    const { hosts, watch } = backends(route);
    const each = isWatched(route, { watch });
    transports[name] = {
      // If a name has several addresses, one that takes no connection costs two of these seconds.
      forwardingTimeouts: { dialTimeout: "4s", responseHeaderTimeout: `${String(route.seconds ?? 60)}s` },
      // No kept connections: on one to a dead node or a stopping replica, a request would hang or be lost. So each
      // request asks DNS anew, which names the replicas that are healthy now, in any order.
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
  if (!("acme" in tls)) ownHandshake(site, routers, services, transports);
  return {
    http: { routers, services, middlewares, serversTransports: transports },
    tls: {
      ...("acme" in tls
        ? {}
        : {
            certificates: [{ certFile: cert, keyFile: key }],
            stores: { default: { defaultCertificate: { certFile: cert, keyFile: key } } },
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
 * Traefik asks a server for its health page, if there is one. Traefik's passive check is no choice: it counts an
 * application's own 500 as a dead server, and two such answers would close a route for everybody.
 */
function health({ check }: PlannedRoute): object {
  return check ? { healthCheck: { ...check, interval: "2s", timeout: "2s" } } : {};
}

function address(host: string, { target }: PlannedRoute): string {
  return `http://${host}:${String(target.number)}`;
}

/** A hidden path has no router: 404. Case and what follows a `;` do not count for it: applications may ignore both. */
function rule({ host, path }: PlannedRoute, routes: List<PlannedRoute>): string {
  const base = baseOf(path);
  const hidden = hiddenOf(routes.filter((route) => route.host === host)).filter((each) => covers(path, each));
  return [
    `Host(\`${host}\`)`,
    ...(base === "" ? [] : [`(Path(\`${base}\`) || PathPrefix(\`${base}/\`))`]),
    ...hidden.map((each) => `!PathRegexp(\`(?i)^${literally(each)}(?:[/;%]|$)\`)`),
  ].join(" && ");
}

/**
 * Plain http is for the balancers that end TLS for us. All other callers are refused: a redirect to https would send a
 * balancer that is missing in the list round for ever. All that the balancers pass on has come by TLS, whatever scheme
 * the last of them names.
 */
function fromOutside(trusted: List<string>): Record<string, object> {
  return {
    trusted: { ipAllowList: { sourceRange: [...trusted] } },
    outside: {
      headers: {
        customRequestHeaders: { "X-Forwarded-Proto": "https", "X-Real-Ip": "" }, // a visitor often sets X-Real-Ip himself
      },
    },
  };
}

/**
 * Leads the entry point `self` to the https port and its ping, each time by a new connection that verifies the file.
 */
function ownHandshake(
  { hostname, publicPort }: Site,
  routers: Record<string, object>,
  services: Record<string, object>,
  transports: Record<string, object>,
): void {
  const page = "Path(`/ping`)";
  routers.self = { rule: page, entryPoints: ["self"], service: "self" };
  routers["self-answers"] = {
    rule: `Host(\`127.0.0.1\`) && ${page}`,
    entryPoints: ["websecure"],
    service: "ping@internal",
    tls: {},
  };
  services.self = {
    loadBalancer: {
      servers: [{ url: `https://127.0.0.1:${String(publicPort)}` }],
      serversTransport: "self",
      passHostHeader: false,
    },
  };
  transports.self = {
    serverName: hostname,
    rootCAs: [cert],
    maxIdleConnsPerHost: -1,
    disableHTTP2: true, // HTTP/2 connections are kept all the same, and delay Traefik's end by a second and a half
    forwardingTimeouts: { dialTimeout: "2s", responseHeaderTimeout: "2s" },
  };
}
