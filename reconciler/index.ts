/** The reconciler of a stack on a swarm: puts another member in the place of one that has failed for good. */
import { z } from "zod";

import { parseConfig } from "../components/config.ts";
import { ConfigError } from "../components/core/errors.ts";
import { systems } from "../components/systems/index.ts";
import { topologies } from "../components/topologies/index.ts";
import { swarmConfig } from "../components/topologies/swarm/config.ts";
import { reach as reachEngine } from "../ops/docker.ts";
import { type Ask, through } from "./edge.ts";
import type { Policy } from "./judgement.ts";
import { Observer } from "./observe.ts";
import type { Limits } from "./retirement.ts";
import { once, type Reach } from "./watch.ts";

export interface ReconcileArgs {
  /** The stack's config without the project's prefix, as its file has it. */
  readonly raw: Readonly<Record<string, unknown>>;
  readonly stack: string;
  /** Runs the Pulumi CLI on this stack. */
  pulumi(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
  say(line: string): void;
  readonly policy: Policy;
  readonly limits: Limits;
}

export interface Reconciler {
  /** Looks once, and replaces at most one member. True if every member is well, or is well again. */
  once(): Promise<boolean>;
  /** Only looks, to remember ends of tasks before the swarm forgets them. */
  glance(): Promise<void>;
}

const outputsSchema = z.object({
  url: z.string(),
  ca: z.string().optional(),
  endpoints: z.object({ cluster: z.object({ user: z.string() }) }),
  passwords: z.object({ cluster: z.string() }),
  places: z.object({ nodes: z.record(z.string(), z.string()).optional() }).optional(),
});

/** @throws ConfigError if no member of the stack may be replaced; an Error if the stack has no outputs yet. */
export async function reconciler(args: ReconcileArgs): Promise<Reconciler> {
  const { settings, topology: config = {} } = parseConfig(args.raw);
  if (settings === undefined) throw new ConfigError([{ key: "config", remedy: "not the config of a stack" }]);
  const { system, topology, name = `${system}-${args.stack}` } = settings;
  if (systems[system].retirable === undefined)
    throw new ConfigError([
      { key: "system", value: system, remedy: "has no members that another can replace; arangodb has" },
    ]);
  const store = topologies[topology]?.retirements?.(config, name);
  if (store === undefined)
    throw new ConfigError([
      {
        key: "topology",
        value: topology,
        remedy: "has no second place for a member's data: nothing is replaced by itself; choose swarm",
      },
    ]);
  const { managers } = swarmConfig.parse(config);
  const { code, output } = await args.pulumi(["stack", "output", "--json", "--show-secrets"]);
  if (code !== 0) throw new Error(`the stack's outputs cannot be read: ${output.trim()}`);
  const outputs = outputsSchema.safeParse(JSON.parse(output));
  if (!outputs.success) throw new Error(`${args.stack} has no cluster among its outputs: run up first`);
  const { url, ca, endpoints, passwords, places } = outputs.data;
  const addresses = Object.values(places?.nodes ?? {});
  const ask: Ask = through({ url, ca, user: endpoints.cluster.user, password: passwords.cluster, addresses });
  const observer = new Observer(() => reachEngine(managers.join(",")), name, ask);
  const reach: Reach = {
    store,
    observe: () => observer.observe(),
    deploy: async () => {
      const up = await args.pulumi(["up", "--yes", "--skip-preview"]);
      return { ok: up.code === 0, said: up.output.trim().split("\n").slice(-12).join("\n") };
    },
    say: (line) => {
      args.say(line);
    },
  };
  return { once: () => once(reach, args.policy, args.limits), glance: () => observer.glance() };
}
