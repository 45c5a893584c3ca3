/** What the clouds have in common. */
import type { Capabilities, Runner } from "../core/topology.ts";
import { everything } from "./engines.ts";

/** ShinyProxy needs our Docker API proxy, which starts containers: no cloud's managed runner allows that. */
const noContainers = "ShinyProxy starts containers through Docker; choose swarm on this cloud's machines";

/** A machine for each container that the managed runner cannot run. We start these containers, so all is possible. */
export const machine: Runner = {
  name: "machine",
  can: new Set([...everything, "own-machine"]),
  limits: { bodyMib: Infinity, seconds: Infinity },
};

/**
 * What the clouds have in common. Names are below a domain: no managed runner has a search domain of the stack's own.
 */
export const cloud: Omit<Capabilities, "name" | "runners" | "edge"> = {
  slots: new Set(["marker", "leave"]),
  nodes: false,
  copies: [1],
  autoscales: true,
  refuses: { containers: noContainers },
  nameLength: 63, // A DNS label. Shorter limits of a cloud (a Container App's 32) are met with a hash at the end.
  address: "domain",
  backupPlaces: new Set(["s3"]),
};

/** A balancer in front, which ends a request after `seconds`. `instead`: what has no such end. */
export function balancerEdge(seconds: number, instead?: string): Capabilities["edge"] {
  return { by: "balancer", bodyMib: Infinity, seconds, ...(instead === undefined ? {} : { instead }) };
}
