import type { Capabilities, Runner } from "../core/topology.ts";

/** What can be met wherever we start containers ourselves; machines and GPUs are another matter. */
export const everything: Runner["can"] = new Set([
  "container-api",
  "max-map-count",
  "exec-probe",
  "any-status-probe",
  "stop-first",
  "tcp-in",
  "short-names",
  "shared-memory",
  "shared-folders",
  "file-folders",
]);

/** One of our own proxies in front: it ends a request where its route says. */
export const proxyEdge: Capabilities["edge"] = { by: "proxy", bodyMib: Infinity, seconds: Infinity };

/** What a Docker engine can, alone or as a node of a swarm. */
export const onEngines: Omit<Capabilities, "name" | "engine"> = {
  runners: [
    {
      name: "container",
      can: everything,
      limits: { bodyMib: Infinity, seconds: Infinity },
    },
  ],
  slots: new Set(["marker", "leave", "colocate"]),
  nodes: true,
  copies: [1, 3],
  autoscales: false,
  refuses: { swarm: "the machines of a swarm are rented in a cloud: choose the topology aws" },
  nameLength: 63, // a DNS label, and a service's name
  address: "name",
  backupPlaces: new Set(["path", "volume", "s3"]),
  edge: proxyEdge,
};
