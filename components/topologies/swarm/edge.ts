import type { Dict } from "../../core/contracts.ts";
import type { PlannedRoute } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { type Backends, publishedPorts } from "../../edge/proxy.ts";
import type { SwarmArgs } from "./args.ts";
import type { Part } from "./service.ts";

/** The nodes that clients call. */
export function edgeNodes({ edge }: Pick<SwarmArgs, "edge">): Dict<string> {
  return edge?.nodes ?? { role: "manager" };
}

/**
 * Where a route's replicas answer: those of a workload under `tasks.<service>`, which the swarm keeps up to date in
 * either endpoint mode; a slot under its own name, or its service's where the network is the operator's (`adopted`).
 * So the edge, not a virtual address, chooses the replica. Sticky
 * sessions need that, and a dead node costs a request at most one more try.
 */
export function backendsOf(site: Site, adopted = false): (route: PlannedRoute) => Backends {
  const full = (host: string): string => (adopted ? `${site.name}-${host}` : host);
  return ({ of, to, hosts }) =>
    of === "replicas" ? { hosts: [`tasks.${site.name}-${to}`], watch: true } : { hosts: hosts.map(full), watch: false };
}

/**
 * One proxy on each edge node, on that node's own ports. With `ingress` there are two on any nodes, on the ports of all
 * nodes. With ACME there is one: its certificates are on one disk, and a challenge has to reach the proxy that asked.
 */
export function edgeShape({
  site,
  publish = "host",
  tls,
  endpointMode = "vip",
}: SwarmArgs): Pick<Part, "replicas" | "ports" | "stopFirst" | "endpointMode"> {
  const acme = tls.mode === "acme";
  return {
    replicas: acme ? 1 : publish === "host" ? "each-node" : 2,
    // A node cannot have one host-mode port twice, nor a disk two servers.
    stopFirst: acme || publish === "host",
    // Ingress needs a virtual address.
    endpointMode: publish === "host" ? endpointMode : "vip",
    ports: publishedPorts(site).map(({ inside, published }) => ({
      protocol: "tcp",
      targetPort: inside,
      publishedPort: published,
      publishMode: publish,
    })),
  };
}
