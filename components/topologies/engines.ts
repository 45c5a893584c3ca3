import type { Capabilities } from "../core/topology.ts";

/** What a Docker engine can, alone or as a node of a swarm. */
export const onEngines: Omit<Capabilities, "name" | "engine"> = {
  runners: [
    {
      name: "container",
      can: new Set([
        "container-api",
        "max-map-count",
        "exec-probe",
        "any-status-probe",
        "stop-first",
        "tcp-in",
        "short-names",
        "shared-folders",
        "file-folders",
      ]),
      limits: { bodyMib: Infinity, seconds: Infinity },
    },
  ],
  slots: new Set(["marker", "leave"]),
  nodes: true,
  autoscales: false,
  refuses: {},
  nameLength: 63, // a DNS label, and a service's name
  address: "name",
  backupPlaces: new Set(["path", "volume", "s3"]),
  edge: { by: "proxy", bodyMib: Infinity, seconds: Infinity },
};
