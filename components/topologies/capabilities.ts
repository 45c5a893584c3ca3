import type { Capabilities, Runner, TopologyName } from "../core/topology.ts";
import { dockerCapabilities } from "./docker/capabilities.ts";
import { everything } from "./engines.ts";
import { swarmCapabilities } from "./swarm/capabilities.ts";

/**
 * What each topology can do, as plain values: a system is checked against all of them without loading an SDK. The rows
 * of the clouds are design: building the topology has to prove them (docs/contracts.md).
 */

/** ShinyProxy needs our Docker API proxy, which starts containers: no cloud's managed runner allows that. */
const noContainers = "ShinyProxy starts containers through Docker; choose swarm on this cloud's machines";

/** A machine for each container that the managed runner cannot run. We start these containers, so all is possible. */
const machine: Runner = {
  name: "machine",
  can: everything,
  limits: { bodyMib: Infinity, seconds: Infinity },
};

/**
 * What the clouds have in common. Names are below a domain: no managed runner has a search domain of the stack's own.
 */
const cloud: Omit<Capabilities, "name" | "runners" | "edge"> = {
  slots: new Set(["marker", "leave"]),
  nodes: false,
  autoscales: true,
  refuses: { containers: noContainers },
  nameLength: 63, // A DNS label. Shorter limits of a cloud (a Container App's 32) are met with a hash at the end.
  address: "domain",
  backupPlaces: new Set(["s3"]),
};

/** A balancer in front, which ends a request after `seconds`. */
function balancer(seconds: number): Capabilities["edge"] {
  return { by: "balancer", bodyMib: Infinity, seconds };
}

/** Fargate, then EC2. ECS stops a task first where a service has a minimum of 0 and a maximum of 100 percent. */
const awsCapabilities: Capabilities = {
  name: "aws",
  runners: [
    {
      name: "serverless",
      can: new Set(["exec-probe", "any-status-probe", "stop-first", "tcp-in", "short-names", "file-folders"]),
      limits: { bodyMib: Infinity, seconds: Infinity },
    },
    machine,
  ],
  ...cloud,
  edge: balancer(4000), // the application load balancer's longest idle time-out
};

/**
 * Cloud Run, then Compute Engine. Cloud Run ends a body at 32 MiB (HTTP/1), mounts one secret a folder, counts 200 to
 * 399 as healthy, and has no search domain, so no short names.
 */
const gcpCapabilities: Capabilities = {
  name: "gcp",
  runners: [{ name: "serverless", can: new Set(), limits: { bodyMib: 32, seconds: 3600 } }, machine],
  ...cloud,
  edge: balancer(86_400), // a backend service's longest time-out
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
  edge: balancer(14_400), // Application Gateway's longest request time-out, 240 min
};

/** By name, as a stack's config says it. */
export const capabilities: Readonly<Record<TopologyName, Capabilities>> = {
  docker: dockerCapabilities,
  swarm: swarmCapabilities,
  aws: awsCapabilities,
  gcp: gcpCapabilities,
  azure: azureCapabilities,
};
