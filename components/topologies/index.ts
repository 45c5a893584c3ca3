import { type TopologyName } from "../core/topology.ts";
import { aws } from "./aws/entry.ts";
import { docker } from "./docker/entry.ts";
import type { TopologyEntry } from "./entry.ts";
import { swarm } from "./swarm/entry.ts";

/** The topologies that can be deployed on; a new one is its own folder and a row here. */
export const topologies: { readonly [T in TopologyName]?: TopologyEntry } = { docker, swarm, aws };
