/** Networks that the operator has already: a stack joins them in the place of its own, and leaves them as they are. */
import { z } from "zod";

import type { Dict, List } from "../core/contracts.ts";
import { listed, type Problem } from "../core/errors.ts";
import { nameLabel } from "./survey.ts";
import type { NetworkChoices } from "./subnets.ts";

/** A network as an engine lists it. */
export const networkShape = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: z.string().default(""),
  Internal: z.boolean().default(false),
  Ingress: z.boolean().default(false),
  EnableIPv4: z.boolean().default(true),
  Labels: z.record(z.string(), z.string()).nullish(),
});
export type Network = z.infer<typeof networkShape>;

/** A container or a service, and the names by which it is found in each of its networks. */
export interface Member {
  readonly what: string;
  /** The stack's name on it; undefined: nothing of ours. */
  readonly stack: string | undefined;
  readonly names: Dict<List<string>>;
}

/** What an engine offers to join. */
export interface Offer {
  readonly driver: "bridge" | "overlay";
  readonly networks: List<Network>;
  /** Lists who is in the networks of these names. */
  readonly members: (networks: List<string>) => Promise<List<Member>>;
}

/** One engine's networks of the operator's, by the tier for which they stand. */
export class Adopted {
  readonly #key: string;
  readonly #stack: string;
  /** The config's name and the real name, by tier. */
  readonly #tiers: Dict<readonly [string, string]>;
  /** The names that the stack takes in each real network. */
  readonly #taken = new Map<string, Set<string>>();
  /** All names by which the stack's own containers are called. */
  readonly #called = new Set<string>();

  /** `key`: the config's for them. `tiers`: those of this engine, by their names in the config. */
  constructor(key: string, stack: string, { networks = {} }: NetworkChoices, tiers: Dict<string>) {
    this.#key = key;
    this.#stack = stack;
    this.#tiers = Object.fromEntries(
      Object.entries(tiers).flatMap(([called, tier]) => {
        const name = Object.hasOwn(networks, called) ? networks[called] : undefined;
        return name === undefined ? [] : [[tier, [called, name] as const]];
      }),
    );
  }

  /** The real name of the network that stands for a tier; undefined: the stack makes its own. */
  of(tier: string): string | undefined {
    return Object.hasOwn(this.#tiers, tier) ? this.#tiers[tier]?.[1] : undefined;
  }

  /**
   * The names that a container takes in a tier's network. In an edge network of the operator's these are the public ones
   * alone: several stacks stand behind one proxy there, and ours calls its backends by names that begin with the stack's.
   */
  aliases(tier: string, names: List<string>): string[] {
    for (const name of names) this.#called.add(name);
    const network = this.of(tier);
    if (network === undefined) return [...names];
    const taken = tier === "edge" ? names.filter((name) => name.includes(".")) : [...names];
    this.#taken.set(network, new Set([...(this.#taken.get(network) ?? []), ...taken]));
    return taken;
  }

  /** Reports networks that are not there or do not fit, and names that somebody else has in them. */
  async problems({ driver, networks, members }: Offer): Promise<Problem[]> {
    const asked = Object.entries(this.#tiers);
    const unfit = asked.flatMap(([tier, [called, value]]): Problem[] => {
      const remedy = this.#unfit(tier, value, driver, networks);
      return remedy === undefined ? [] : [{ key: `${this.#key}.${called}`, value, remedy }];
    });
    if (asked.length === 0 || unfit.length > 0) return unfit;
    const joined = asked.map(([, [, name]]) => name);
    const there = await members(joined);
    const further = [...new Set(there.filter((each) => !this.#own(each)).flatMap(({ names }) => Object.keys(names)))];
    const beyond = further.filter((name) => !joined.includes(name));
    const near = beyond.length === 0 ? [] : await members(beyond);
    return asked.flatMap(([, [called, value]]) =>
      this.#clashes(value, there, near).map((remedy) => ({ key: `${this.#key}.${called}`, value, remedy })),
    );
  }

  #unfit(tier: string, name: string, driver: Offer["driver"], networks: List<Network>): string | undefined {
    const [network, second] = networks.filter(({ Name }) => Name === name);
    if (network === undefined) {
      const others = networks.filter((each) => each.Driver === driver && !each.Ingress && !builtIn.includes(each.Name));
      const make = `docker network create ${driver === "overlay" ? "-d overlay --attachable " : ""}${name}`;
      return `no such network; there are ${listed(others.map(({ Name }) => Name).sort()) || "none"}: \`${make}\`, or leave it out for one of the stack's own`;
    }
    if (second !== undefined) return "there are two networks of this name: remove one";
    if (network.Labels?.[nameLabel] === this.#stack)
      return "this stack has made it: leave it out, or name one of yours";
    if (network.Ingress) return "the swarm's own, for published ports alone: name another";
    if (network.Driver !== driver)
      return `its driver is ${network.Driver || "unknown"}, and the stack's containers need a network of ${driver}: name another`;
    if (!network.EnableIPv4) return "it has no IPv4 addresses: name one that has, beside IPv6 or alone";
    if (tier === "edge" && network.Internal)
      return "it is internal, so nothing reaches the edge's published ports: name one that is not";
    return undefined;
  }

  /** Who answers to a name that the stack calls, or calls a name that the stack would take. */
  #clashes(network: string, there: List<Member>, near: List<Member>): string[] {
    const taken = this.#taken.get(network) ?? new Set<string>();
    const others = there.filter((each) => !this.#own(each) && Object.hasOwn(each.names, network));
    const inside = others.flatMap(({ what, names }) =>
      (names[network] ?? [])
        .filter((name) => this.#called.has(name))
        .map((name) => `${what} has the name ${name} there, by which the stack calls a part of its own`),
    );
    const beside = [...near, ...there].flatMap((member) => {
      const both = others.filter(({ what }) => what !== member.what).flatMap(({ names }) => Object.keys(names));
      return Object.entries(this.#own(member) ? {} : member.names).flatMap(([far, names]) =>
        far === network || !both.includes(far)
          ? []
          : names
              .filter((name) => taken.has(name))
              .map(
                (name) => `${member.what} is called ${name} in ${far} by who is in both, and the stack would take it`,
              ),
      );
    });
    return [...new Set([...inside, ...beside])].map((why) => `${why}: name another network, or rename it`);
  }

  #own({ stack }: Member): boolean {
    return stack === this.#stack;
  }
}

/** Docker's own. No container has a name in them. */
export const builtIn = ["bridge", "host", "none"];

/** What is wrong with the config's networks by themselves. `tiers`: their names there. `more`: networks that are made. */
export function adoptedProblems(
  key: string,
  { networks = {}, subnets = {}, mtu }: NetworkChoices,
  tiers: List<string>,
  more: List<string>,
): Problem[] {
  const entries = Object.entries(networks);
  const found = entries.flatMap(([called, value], index): Problem[] => {
    const say = (remedy: string): Problem[] => [{ key: `${key}.networks.${called}`, value, remedy }];
    if (more.includes(called))
      return say("what a system starts there itself has a network of the stack's own: leave it out");
    if (!tiers.includes(called)) return say(`no such network; there are ${tiers.join(", ")}`);
    if (Object.hasOwn(subnets, called)) return say(`it has its range already: leave ${key}.subnets.${called} out`);
    const same = entries.slice(0, index).find(([other, name]) => name === value && !separate(called, other));
    return same === undefined ? [] : say(`it stands for ${same[0]} already: each tier needs a network of its own`);
  });
  if (mtu === undefined || more.length > 0 || tiers.some((tier) => !Object.hasOwn(networks, tier))) return found;
  return [...found, { key: `${key}.mtu`, value: mtu, remedy: "the stack makes no network: leave it out" }];
}

/** Networks of two engines may have one name. */
function separate(called: string, other: string): boolean {
  return called.startsWith("app-") || other.startsWith("app-");
}
