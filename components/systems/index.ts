import type { ComponentResourceOptions } from "@pulumi/pulumi";
import type { z } from "zod";

import type { System } from "../core/contracts.ts";
import type { Topology, TopologyName } from "../core/topology.ts";
import { Arkindex, arkindex, arkindexConfig } from "./arkindex.ts";
import type { SystemComponent } from "./system.ts";

/** A system as index.ts deploys it: its schema, its function, its component, and where it has been seen to work. */
export interface SystemEntry<C> {
  readonly config: z.ZodType<C>;
  readonly system: System<C>;
  readonly component: new (
    name: string,
    args: C & { readonly on: Topology },
    opts?: ComponentResourceOptions,
  ) => SystemComponent<C>;
  readonly on: readonly TopologyName[];
}

/** Every system that can be deployed. A new one is its own file and a row here. */
export const systems = {
  arkindex: { config: arkindexConfig, system: arkindex, component: Arkindex, on: ["docker"] } satisfies SystemEntry<
    z.output<typeof arkindexConfig>
  >,
} as const;
export type SystemName = keyof typeof systems;
