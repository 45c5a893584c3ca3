import type { ComponentResourceOptions } from "@pulumi/pulumi";
import type { z } from "zod";

import type { System } from "../core/contracts.ts";
import type { Plan } from "../core/plan.ts";
import { planOf } from "../core/recorder.ts";
import type { Retirable } from "../core/retirements.ts";
import type { OwnTopology, Place, Topology, TopologyName } from "../core/topology.ts";
import { ArangoDb, arangodb, arangodbConfig, retirable } from "./arangodb/arangodb.ts";
import { Arkindex, arkindex, arkindexConfig } from "./arkindex.ts";
import { Pyrus, pyrus, pyrusConfig } from "./pyrus/pyrus.ts";
import { ShinyProxy, shinyproxy, shinyproxyConfig } from "./shinyproxy/shinyproxy.ts";
import { machines, machinesConfig, SwarmMachines } from "./machines.ts";
import { media, mediaConfig, MediaPlatform } from "./media.ts";
import type { SystemComponent } from "../core/system.ts";

/** Every system that can be deployed. A new one is its own file and a row here. */
export const systems = {
  arangodb: entry({
    config: arangodbConfig,
    system: arangodb,
    component: ArangoDb,
    on: ["docker", "swarm", "aws"],
    retirable,
  }),
  arkindex: entry({ config: arkindexConfig, system: arkindex, component: Arkindex, on: ["docker", "swarm", "aws"] }),
  machines: entry({ config: machinesConfig, system: machines, component: SwarmMachines, on: ["aws"] }),
  media: entry({
    config: mediaConfig,
    system: media,
    component: MediaPlatform,
    on: ["docker", "swarm", "aws"],
    retirable: { cassandra: [] },
  }),
  pyrus: entry({ config: pyrusConfig, system: pyrus, component: Pyrus, on: ["docker", "swarm", "aws"] }),
  shinyproxy: entry({ config: shinyproxyConfig, system: shinyproxy, component: ShinyProxy, on: ["docker", "swarm"] }),
} as const;
export type SystemName = keyof typeof systems;

/** A system's own part of a stack's config, as its schema returned it. Only the entry of that system can read it. */
export type SystemSettings = object;

/** A system as index.ts deploys it. `on`: the topologies where it was seen to work. */
export interface SystemEntry {
  readonly config: z.ZodType<object>;
  /** Its component's name, in the type's token and in every language. */
  readonly component: string;
  readonly on: readonly TopologyName[];
  /** Roles whose members the reconciler may retire. */
  readonly retirable?: Retirable;
  plan(settings: SystemSettings, place: Place): Plan;
  make(
    name: string,
    settings: SystemSettings,
    on: Topology | OwnTopology,
    opts: ComponentResourceOptions,
  ): SystemComponent<unknown>;
}

interface Row<C> {
  readonly config: z.ZodType<C>;
  readonly system: System<C>;
  readonly component: new (
    name: string,
    args: C & { readonly on: Topology | OwnTopology },
    opts?: ComponentResourceOptions,
  ) => SystemComponent<C>;
  readonly on: readonly TopologyName[];
  readonly retirable?: Retirable;
}

/** Ties a schema to the function and the component that read what it returns. */
function entry<C extends object>({
  config,
  system,
  component: Component,
  on: seenOn,
  retirable: roles,
}: Row<C>): SystemEntry {
  return {
    config,
    component: Component.name,
    on: seenOn,
    ...(roles === undefined ? {} : { retirable: roles }),
    plan: (settings, place) => planOf(system, settings as C, place),
    make: (name, settings, on, opts) => new Component(name, { ...(settings as C), on }, opts),
  };
}
