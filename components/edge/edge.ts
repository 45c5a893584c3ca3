import type { EdgeOptions, Workload } from "../core/contracts.ts";
import { nginx } from "./nginx.ts";
import type { EdgeArgs } from "./proxy.ts";
import { traefik } from "./traefik.ts";

/** The proxies that can stand at the edge, by the name that a system wishes for. */
export const proxies: Readonly<Record<EdgeOptions["proxy"], (args: EdgeArgs) => Workload>> = {
  traefik,
  nginx,
};

/** The workload at the edge, without its published ports: the topology decides those. */
export function edgeProxy({ proxy }: EdgeOptions, args: EdgeArgs): Workload {
  return proxies[proxy](args);
}
