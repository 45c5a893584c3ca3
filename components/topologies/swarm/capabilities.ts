import type { Capabilities } from "../../core/topology.ts";
import { onEngines } from "../engines.ts";

/** A Docker Swarm on machines of one's own. Placement by node labels; a slot is a service, pinned to its volume. */
export const swarmCapabilities: Capabilities = { name: "swarm", engine: "swarm", ...onEngines, copies: [3, 1] };
