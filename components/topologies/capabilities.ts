import type { Capabilities, TopologyName } from "../core/topology.ts";
import { awsCapabilities } from "./aws/capabilities.ts";
import { balancerEdge, cloud, machine } from "./clouds.ts";
import { dockerCapabilities } from "./docker/capabilities.ts";
import { swarmCapabilities } from "./swarm/capabilities.ts";

/**
 * What each topology can do, as plain values: a system is checked against all of them without loading an SDK. The rows
 * of the clouds are design: building the topology has to prove them (docs/contracts.md).
 */

/**
 * Cloud Run, then Compute Engine. Cloud Run ends a body at 32 MiB (HTTP/1), mounts one secret a folder, counts 200 to
 * 399 as healthy, and has no search domain, so no short names.
 */
const gcpCapabilities: Capabilities = {
  name: "gcp",
  runners: [{ name: "serverless", can: new Set(), limits: { bodyMib: 32, seconds: 3600 } }, machine],
  ...cloud,
  edge: balancerEdge(86_400), // a backend service's longest time-out
};

/**
 * Container Apps, then virtual machines. Container Apps end a request after 240 s; their probes count 200 to 399 and
 * run no command. An old revision stays until the new one is ready, so nothing runs there that must never be two. An
 * app finds other apps by names of one label, but machines only by two labels.
 */
const azureCapabilities: Capabilities = {
  name: "azure",
  runners: [
    {
      name: "serverless",
      can: new Set(["tcp-in", "file-folders"]),
      limits: { bodyMib: Infinity, seconds: 240 },
    },
    machine,
  ],
  ...cloud,
  edge: balancerEdge(14_400), // Application Gateway's longest request time-out, 240 min
};

/** By name, as a stack's config says it. */
export const capabilities: Readonly<Record<TopologyName, Capabilities>> = {
  docker: dockerCapabilities,
  swarm: swarmCapabilities,
  aws: awsCapabilities,
  gcp: gcpCapabilities,
  azure: azureCapabilities,
};
