import type { Capabilities } from "../../core/topology.ts";

/** One Docker host (and further ones for workloads that name a machine). */
export const dockerCapabilities: Capabilities = {
  name: "docker",
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
  nameLength: 63, // a DNS label
};
