import type { Need } from "../core/contracts.ts";
import type { Capabilities, Runner, TopologyName } from "../core/topology.ts";
import { dockerCapabilities } from "./docker/capabilities.ts";
import { swarmCapabilities } from "./swarm/capabilities.ts";

/**
 * What each topology can do, as plain values: a system is checked against all of them without loading an SDK. Those of
 * the clouds are design, to be proven when the topology is built; see docs/contracts.md.
 */
const nameLength = 63; // A DNS label. Shorter limits of a cloud (a Container App's 32) are met with a hash at the end.
const everything: readonly Need[] = [
  "tcp-in",
  "many-ports",
  "exec-probe",
  "short-names",
  "container-api",
  "gpu",
  "max-map-count",
  "shared-folders",
];

/** Our own Docker API proxy, which ShinyProxy needs, starts containers: no cloud's managed runner does. */
const noContainers = "ShinyProxy starts containers through Docker; choose swarm on this cloud's machines";

/** Machines of one container each, with a fixed address where it is asked: what the managed runner cannot run. */
function machine(seconds: number): Runner {
  return { name: "machine", can: new Set([...everything, "fixed-ip"]), limits: { bodyMib: Infinity, seconds } };
}

/** Fargate, then EC2. The balancer's idle time-out ends at 4000 s. */
export const awsCapabilities: Capabilities = {
  name: "aws",
  runners: [
    {
      name: "serverless",
      can: new Set(["tcp-in", "many-ports", "exec-probe", "short-names"]),
      limits: { bodyMib: Infinity, seconds: 4000 },
    },
    machine(4000),
  ],
  slots: new Set(["marker", "leave"]),
  eachNode: false,
  autoscales: true,
  refuses: { containers: noContainers },
  nameLength,
};

/** Cloud Run, then Compute Engine. Cloud Run ends a body at 32 MiB (HTTP/1) and has no search domain, so no short names. */
export const gcpCapabilities: Capabilities = {
  name: "gcp",
  runners: [{ name: "serverless", can: new Set(), limits: { bodyMib: 32, seconds: 3600 } }, machine(86400)],
  slots: new Set(["marker", "leave"]),
  eachNode: false,
  autoscales: true,
  refuses: { containers: noContainers },
  nameLength,
};

/** Container Apps, then virtual machines. Its ingress ends a request after 240 s and it has no command as a probe. */
export const azureCapabilities: Capabilities = {
  name: "azure",
  runners: [
    { name: "serverless", can: new Set(["tcp-in", "short-names"]), limits: { bodyMib: Infinity, seconds: 240 } },
    machine(14400), // Application Gateway in front: 240 min for one request
  ],
  slots: new Set(["marker", "leave"]),
  eachNode: false,
  autoscales: true,
  refuses: { containers: noContainers },
  nameLength,
};

/** By name, as a stack's config says it. */
export const capabilities: Readonly<Record<TopologyName, Capabilities>> = {
  docker: dockerCapabilities,
  swarm: swarmCapabilities,
  aws: awsCapabilities,
  gcp: gcpCapabilities,
  azure: azureCapabilities,
};
