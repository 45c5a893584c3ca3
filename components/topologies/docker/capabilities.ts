import type { Capabilities } from "../../core/topology.ts";
import { onEngines } from "../engines.ts";

/** One Docker host (and further ones for workloads that name a machine). */
export const dockerCapabilities: Capabilities = { name: "docker", engine: "docker", ...onEngines };
