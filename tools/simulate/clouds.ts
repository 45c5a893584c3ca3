/** The clouds that can be simulated, by the names of their providers and topologies. */
import type { Cloud } from "./cloud.ts";

export const clouds: Readonly<Record<string, () => Promise<Cloud>>> = {
  aws: async () => (await import("./aws/index.ts")).aws,
};
