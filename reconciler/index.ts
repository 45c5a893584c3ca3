/** The reconciler of a stack on a swarm: puts another member in the place of one that has failed for good. */
import { z } from "zod";

import { parseConfig } from "../components/config.ts";
import { ConfigError } from "../components/core/errors.ts";
import { own } from "../components/core/formats.ts";
import { withRetirements } from "../components/core/retirements.ts";
import { planStack } from "../components/deploy.ts";
import { systems } from "../components/systems/index.ts";
import { topologies } from "../components/topologies/index.ts";
import { swarmConfig } from "../components/topologies/swarm/config.ts";
import { pinned } from "../components/topologies/swarm/images.ts";
import { constraintsOf } from "../components/topologies/swarm/placement.ts";
import { reach as reachEngine } from "../ops/docker.ts";
import { ask } from "./ask.ts";
import type { Policy } from "./judgement.ts";
import { Observer } from "./observe.ts";
import type { Limits } from "./replacement.ts";
import { type Store, storesOf } from "./stores/index.ts";
import type { Login } from "./stores/store.ts";
import { once, type Reach } from "./watch.ts";

export interface ReconcileArgs {
  /** The stack's config without the project's prefix, as its file has it now. */
  config(): Promise<Readonly<Record<string, unknown>>>;
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
  endpoints: z.record(z.string(), z.object({ user: z.string().default("") })),
  passwords: z.record(z.string(), z.string()),
  images: z.looseObject({ toolbox: z.string() }),
});

/** @throws ConfigError if no member of the stack may be replaced; an Error if the stack has no outputs yet. */
export async function reconciler(args: ReconcileArgs): Promise<Reconciler> {
  const { settings, topology: config = {} } = parseConfig(await args.config());
  if (settings === undefined) throw new ConfigError([{ key: "config", remedy: "not the config of a stack" }]);
  const { system, topology, name = `${system}-${args.stack}` } = settings;
  const kept = topologies[topology]?.retirements?.(config, name);
  if (kept === undefined)
    throw new ConfigError([
      {
        key: "topology",
        value: topology,
        remedy: "has no second place for a member's data: nothing is replaced by itself; choose swarm",
      },
    ]);
  const { retirable } = systems[system];
  /** The members change with the config, and with each that is retired. */
  const stores = async (): Promise<Store[]> => {
    const raw = await args.config();
    const { retirements } = await kept.latest();
    const { whole } = planStack(withRetirements(raw, retirements, system, retirable), args.stack);
    if (whole === undefined) throw new Error("the stack's config cannot be planned: run preview, which says why");
    const words = parseConfig(raw).settings?.disks ?? {};
    return storesOf({ plan: whole.plan, retirable, words });
  };
  if ((await stores()).length === 0)
    throw new ConfigError([
      { key: "system", value: system, remedy: "has no store here with members that another can stand in for" },
    ]);
  const { managers, place, registries } = swarmConfig.parse(config);
  const host = managers.join(",");
  const engine = () => reachEngine(host);
  const outputs = async () => {
    const { code, output } = await args.pulumi(["stack", "output", "--json", "--show-secrets"]);
    if (code !== 0) throw new Error(`the stack's outputs cannot be read: ${output.trim()}`);
    const read = outputsSchema.safeParse(JSON.parse(output));
    if (!read.success) throw new Error(`${args.stack} has no stores among its outputs: run up first`);
    return read.data;
  };
  await outputs();
  const observer = new Observer({
    ...{ engine, name, stores, policy: args.policy },
    ask: async (asked) => {
      const { endpoints, passwords, images } = await outputs();
      const image = await pinned(host, images.toolbox, registries);
      const login = (store: string): Login => ({
        user: own(endpoints, store)?.user ?? "",
        password: own(passwords, store) ?? "",
      });
      return ask(await engine(), { name, image, login, constraints: constraintsOf(place), registries }, asked);
    },
  });
  const reach: Reach = {
    store: kept,
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
