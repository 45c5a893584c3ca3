import type { Workload } from "../core/contracts.ts";
import { ConfigError, type Problem } from "../core/errors.ts";
import type { PlannedRoute } from "../core/plan.ts";
import { type EdgeArgs, edgePorts } from "./proxy.ts";
import { certificateHealth, endOf } from "./health.ts";
import { config, stickyVariables, upstreamOf } from "./nginx-conf.ts";
import { resolver, type Upstream, work } from "./nginx-resolver.ts";

const folder = "/run/nginx";
const conf = `${folder}/nginx.conf`;
const [cert, key, ends] = ["cert.pem", "key.pem", "ends"].map((name) => `${folder}/tls/${name}`) as [
  string,
  string,
  string,
];

/**
 * nginx as the edge: TLS with a given certificate, http to https, websockets, sticky sessions, bodies of any size
 * passed on as they come. A loop beside nginx finds the addresses, because nginx wants every name to exist at its own
 * start.
 * @throws ConfigError for what `nginxProblems` names.
 */
export function nginx(args: EdgeArgs): Workload {
  const { site, routes, tls, backends, ownName = "edge" } = args;
  const problems = nginxProblems("tls.mode", "acme" in tls ? "acme" : "own", routes);
  if ("acme" in tls || problems.length > 0) throw new ConfigError(problems);
  const upstreams = new Map<string, Upstream>();
  for (const route of routes) {
    const { hosts } = backends(route);
    const sticky = route.sticky ? { sticky: stickyVariables(route) } : {};
    upstreams.set(upstreamOf(route), { name: upstreamOf(route), port: route.target.number, hosts, ...sticky });
  }
  return {
    image: "nginx",
    tier: "edge",
    cpu: 1,
    memoryMib: 256,
    user: "101:101", // the official image's nginx; containers may open ports below 1024 without a capability
    files: [
      { path: conf, content: config(args, folder) },
      { path: cert, content: tls.cert },
      { path: key, content: tls.key, secret: true },
      endOf(tls.cert, ends),
    ],
    prepare: resolver([...upstreams.values()], conf, key, ownName),
    command: ["nginx", "-c", conf, "-g", "daemon off;"],
    ports: edgePorts(site),
    health: {
      ready: { command: certificateHealth(args, ends, `${alive} && ${handshake(args)}`, alive) },
      startSeconds: 60,
      stopSeconds: 30, // the official image's stop signal lets requests finish
    },
    replicas: 1,
    // The one URL for browsers and containers: routed names lead here from the edge network too.
    names: [...new Set(routes.map(({ host }) => host))],
  };
}

/** Checks nginx and the loop: without the loop nginx would not find a replaced container. */
const alive = `curl -fsS -m 4 -o /dev/null http://127.0.0.1:8082/health && [ -n "$(find ${work}/alive -mmin -1)" ]`;

/** Verifies that nginx serves the given certificate. No application is asked: the page belongs to no host. */
function handshake({ site: { hostname, publicPort }, proxyProtocol }: EdgeArgs): string {
  const at = `${hostname}:${String(publicPort)}`;
  const passed = proxyProtocol === undefined ? "" : " --haproxy-protocol";
  return `curl -sS -m 4 -o /dev/null --noproxy '*'${passed} --cacert ${cert} --resolve ${at}:127.0.0.1 -H 'Host: nobody.invalid' https://${at}/`;
}

/** What nginx cannot do, for the check before anything is made. `key`: the config's key for the mode of TLS. */
export function nginxProblems(
  key: string,
  mode: "local" | "own" | "acme" | "outside",
  routes: readonly PlannedRoute[],
): Problem[] {
  return [
    ...(mode === "acme"
      ? [
          {
            key,
            value: mode,
            remedy: "nginx gets no certificates by itself: use own, with a certificate of your authority, or local",
          },
        ]
      : []),
    ...sharedCookies(routes).map((cookie) => ({
      key: "routes.sticky.cookie",
      value: cookie,
      remedy: "two workloads would overwrite each other's: give each a cookie of its own",
    })),
    ...routes
      .filter(({ target }) => target.protocol !== "http")
      .map(({ to, target }) => ({
        key: `${to}.routes`,
        value: target.protocol,
        remedy: "nginx speaks http to its backends",
      })),
  ];
}

/** Cookies that two workloads share: a cookie names a replica of one workload. */
function sharedCookies(routes: readonly PlannedRoute[]): string[] {
  const by = new Map<string, Set<string>>();
  for (const route of routes)
    if (route.sticky) by.set(route.sticky.cookie, (by.get(route.sticky.cookie) ?? new Set()).add(upstreamOf(route)));
  return [...by].flatMap(([cookie, upstreams]) => (upstreams.size > 1 ? [cookie] : []));
}
