/** What a proxy at the edge is told, and its ports. */
import type { Input } from "@pulumi/pulumi";

import type { Engine, List, Port } from "../core/contracts.ts";
import type { PlannedRoute } from "../core/plan.ts";
import type { Site } from "../core/topology.ts";

/**
 * Who signs the edge's certificate. `key` is a secret. `trustedProxies`: TLS ends in front of the edge, at these
 * addresses; what they pass on by http is served, and the certificate is for the stack's own containers.
 */
export type EdgeTls =
  | { readonly cert: Input<string>; readonly key: Input<string>; readonly trustedProxies?: List<string> }
  | { readonly acme: { readonly email: string; readonly caServer?: string } };

/**
 * Where a route's replicas answer. `watch`: each host is a name of any number of addresses that come and go (a swarm's
 * `tasks.<service>`), so the edge keeps asking; else each is one replica's own name for good.
 */
export interface Backends {
  readonly hosts: List<string>;
  readonly watch: boolean;
}

export interface EdgeArgs {
  readonly site: Site;
  /** What runs the proxy: a swarm and ECS kill an unhealthy one. */
  readonly engine: Engine | "ecs";
  readonly routes: List<PlannedRoute>;
  readonly tls: EdgeTls;
  readonly backends: (route: PlannedRoute) => Backends;
  /**
   * Networks of what passes TCP on to the https port, each connection with the caller's address before it (the PROXY
   * protocol). Unset: callers come themselves. The http port only leads to https, so nobody's address counts there.
   */
  readonly proxyProtocol?: List<string>;
  /** The edge's own name, by which it sees whether DNS answers at all. Default: `edge`. */
  readonly ownName?: string;
}

/** The addresses that end TLS in front of the edge, if there are any. */
export function outside(tls: EdgeTls): List<string> | undefined {
  return "acme" in tls ? undefined : tls.trustedProxies;
}

/** Where the edge listens inside: containers call the same URLs as browsers, so for https it is the public port. */
export function edgePorts({ publicPort }: Site) {
  return {
    http: { number: publicPort === 80 ? 81 : 80, protocol: "http" },
    https: { number: publicPort, protocol: "http" },
  } as const satisfies Record<string, Port>;
}

/** The edge's ports inside with those of the machine that lead to them. */
export function publishedPorts(site: Site): List<{ readonly inside: number; readonly published: number }> {
  const { http, https } = edgePorts(site);
  const ports = site.ports;
  return [
    { inside: http.number, published: ports.http },
    ...(ports.https === undefined ? [] : [{ inside: https.number, published: ports.https }]),
  ];
}
