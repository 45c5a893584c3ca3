import type { Capabilities } from "../../core/topology.ts";

/** A Docker Swarm on machines of one's own. Placement by node labels; a slot is a service, pinned to its volume. */
export const swarmCapabilities: Capabilities = {
  name: "swarm",
  runners: [
    {
      name: "container",
      can: new Set([
        "tcp-in",
        "many-ports",
        "exec-probe",
        "short-names",
        "container-api",
        "gpu",
        "max-map-count",
        "shared-folders",
      ]),
      limits: { bodyMib: Infinity, seconds: Infinity },
    },
  ],
  slots: new Set(["marker", "leave"]),
  eachNode: true,
  autoscales: false,
  refuses: {},
  nameLength: 63, // a service's name, and a DNS label
};
