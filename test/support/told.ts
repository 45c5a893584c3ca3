/** A system's plan with a word in the place of each secret, so that its files read as the applications will read them. */
import { type Output, output, type Resource, secret } from "@pulumi/pulumi";

import type {
  Ask,
  Certificate,
  Container,
  Dump,
  Given,
  Job,
  Kind,
  Ready,
  Recipe,
  Slot,
  Workload,
} from "../../components/core/contracts.ts";
import { BasePlatform } from "../../components/core/platform.ts";
import { supplierOf } from "../../components/core/supply.ts";
import type { Place, Site, TopologyName } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { resolved } from "./hostile.ts";
import { type Name, site, withSystem } from "./sketches.ts";

/** What a part is, with the values that it is given in the place of Outputs. */
export interface Part extends Omit<Container, "env" | "secretEnv" | "files" | "after"> {
  readonly env?: Readonly<Record<string, string>>;
  readonly secretEnv?: Readonly<Record<string, string>>;
  readonly files?: readonly { readonly path: string; readonly content: string; readonly secret?: boolean }[];
  readonly replicas?: Workload["replicas"];
  readonly health?: Workload["health"];
  readonly disk?: Slot["disk"];
  readonly trigger?: string;
  readonly seconds?: number;
  /** The names of the parts that it waits for. */
  readonly after?: readonly string[];
}

/** Every secret is its own name. */
class Told extends BasePlatform {
  readonly ca = output("authority of the edge");
  readonly parts = new Map<string, Container>();
  readonly names = new Map<object, string>();
  readonly #place: Place;

  constructor(place: Place) {
    super(place);
    this.#place = place;
  }
  secret(name: string): Output<string> {
    return this.#word(name);
  }
  configured(name: string): Output<string> {
    return this.#word(name);
  }
  #word(name: string): Output<string> {
    if (name === "") throw new Error("a secret without a name");
    return secret(`word-of-${name}`);
  }
  certificate(name: string): Certificate {
    if (name === "") throw new Error("a certificate without a name");
    return {
      ca: output(`authority of ${name}`),
      cert: output(`certificate of ${name}`),
      key: secret(`word-of-${name}-key`),
    };
  }
  edge(): void {
    // is nobody's part
  }
  protected offer(): void {
    // to nobody
  }
  protected supply<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const recipe: Recipe<K> | undefined = supplierOf(this.#place, kind, name, ask).recipe;
    if (recipe === undefined) throw new Error(`nobody supplies ${name}`);
    return recipe(this, name, ask);
  }
  /** A server of the place's own, of the right shape for a database. */
  managed<K extends Kind>(_kind: K, name: string): Given<K> {
    const store = { host: `${name}.managed.example.com`, port: 5432, tls: true, members: [] };
    return { ...store, user: "place", password: this.#word(`${name}-managed`), ready: [] };
  }
  protected makeWorkload(name: string, workload: Workload): Resource[] {
    this.parts.set(name, workload);
    return [this.#made(name)];
  }
  protected makeSlot(name: string, slot: Slot): Resource[] {
    this.parts.set(name, slot);
    for (const [end, job] of Object.entries({ leave: slot.leave, left: slot.left }))
      if (job !== undefined) this.parts.set(`${name}-${end}`, job);
    return [this.#made(name)];
  }
  job(name: string, job: Job): Ready {
    this.parts.set(name, job);
    return { ready: [this.#made(name)] };
  }
  /** Nothing is made: what stands for it is told apart by its name. */
  #made(name: string): Resource {
    const nothing: object = {};
    this.names.set(nothing, name);
    return nothing as Resource;
  }
}

const place = (at: Partial<Site>, on: TopologyName): Place => ({
  site: site(at),
  services: containerServices,
  capabilities: capabilities[on],
});

/** Every part of a system, by its name, as the Outputs leave it. */
export async function told(
  name: Name,
  over: object = {},
  at: Partial<Site> = {},
  on: TopologyName = "docker",
): Promise<ReadonlyMap<string, Part>> {
  const platform = new Told(place(at, on));
  withSystem(name, over, (system, config) => {
    system(platform, config);
  });
  return plainParts(platform);
}

export interface ToldRecipe<K extends Kind> {
  readonly parts: ReadonlyMap<string, Part>;
  readonly given: Given<K>;
  /** The names of the parts for which a client waits. */
  readonly ready: readonly string[];
  readonly dumps: readonly Dump[];
}

/** The parts that a recipe alone makes for a need of this name, and what it gives. */
export async function toldRecipe<K extends Kind>(
  kind: K,
  ask: Ask<K>,
  on: TopologyName = "docker",
  recipe: Recipe<K> | undefined = containerServices[kind]?.recipe,
): Promise<ToldRecipe<K>> {
  const platform = new Told(place({}, on));
  if (recipe === undefined) throw new Error(`no recipe for ${kind}`);
  const given = recipe(platform, "store", ask);
  return {
    parts: await plainParts(platform),
    given: (await resolved(without(given, "ready"))) as Given<K>,
    ready: given.ready.map((each) => platform.names.get(each) ?? ""),
    dumps: (await resolved(platform.dumps)) as readonly Dump[],
  };
}

/** Resources stay out of what is resolved. */
const without = (value: object, key: string): object =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));

async function plainParts({ parts, names }: Told): Promise<ReadonlyMap<string, Part>> {
  const plain = await Promise.all(
    [...parts].map(async ([part, container]) => {
      const after = container.after?.flatMap(({ ready }) => ready.map((each) => names.get(each) ?? ""));
      const said = await resolved(without(container, "after"));
      return [part, { ...(said as Part), ...(after === undefined ? {} : { after }) }] as const;
    }),
  );
  return new Map(plain);
}

/** Every text that a part is given: its words, its variables, its files. */
export function textsOf({ command = [], args = [], prepare, env = {}, secretEnv = {}, files = [] }: Part): string[] {
  return [
    ...command,
    ...args,
    ...(prepare === undefined ? [] : [prepare]),
    ...Object.values(env),
    ...Object.values(secretEnv),
    ...files.map(({ content }) => content),
  ];
}
