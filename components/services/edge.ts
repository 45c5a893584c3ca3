import type { Input } from "@pulumi/pulumi";

import type { EdgeWish, List, Workload } from "../core/contracts.ts";
import type { PlannedRoute, Site } from "../core/topology.ts";
import { nginx } from "./nginx.ts";
import { traefik } from "./traefik.ts";

/** Who signs the edge's certificate. `key` is a secret. */
export type EdgeTls =
  | { readonly cert: Input<string>; readonly key: Input<string> }
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
  readonly routes: List<PlannedRoute>;
  readonly tls: EdgeTls;
  readonly backends: (route: PlannedRoute) => Backends;
}

/** The proxies that can stand at the edge, by the name that a system wishes for. */
export const proxies: Readonly<Record<EdgeWish["proxy"], (args: EdgeArgs) => Workload>> = {
  traefik,
  nginx,
};

/** The workload at the edge, without its published ports: those are the topology's to place. */
export function edgeProxy({ proxy }: EdgeWish, args: EdgeArgs): Workload {
  return proxies[proxy](args);
}
