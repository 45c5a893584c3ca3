/** Asks the engine, before the first network is made, whether it has room for the stack's networks. */
import { readFile } from "node:fs/promises";

import type Docker from "dockerode";
import { z } from "zod";

import type { Dict, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import { type NetworkChoices, overlap, type Range, rangeOf } from "./subnets.ts";

/** The networks that a stack has on one engine. */
export interface Asked extends NetworkChoices {
  /** The config's key for the networks. */
  readonly key: string;
  /** Their full names, by their names in the config. */
  readonly networks: Dict<string>;
  /** `swarm`: the swarm's own pools count. */
  readonly scope: "local" | "swarm";
  /** The engine runs on this machine, so that this machine's routes count. */
  readonly here: boolean;
}

const networkShape = z.object({
  Name: z.string(),
  Scope: z.string().default("local"),
  IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().default("") })).nullish() }).nullish(),
});
const infoShape = z.object({
  DefaultAddressPools: z.array(z.object({ Base: z.string(), Size: z.number() })).nullish(),
  Swarm: z
    .object({
      Cluster: z.object({ DefaultAddrPool: z.array(z.string()).nullish(), SubnetSize: z.number().nullish() }).nullish(),
    })
    .nullish(),
});
type Info = z.infer<typeof infoShape>;

interface Taken extends Range {
  readonly by: string;
  readonly scope: string;
}

/** Reports chosen ranges that something else has, and networks for which the engine has no range left. */
export async function addressProblems(engine: Docker, asked: Asked): Promise<Problem[]> {
  const [networks, info, routes] = await Promise.all([
    engine.listNetworks().then((found) => z.array(networkShape).parse(found)),
    engine.info().then((found: unknown) => infoShape.parse(found)),
    asked.here ? machineRoutes() : [],
  ]);
  const taken = networks.flatMap(({ Name, Scope, IPAM }) =>
    (IPAM?.Config ?? []).flatMap(({ Subnet }): Taken[] => {
      const range = rangeOf(Subnet);
      return range === undefined ? [] : [{ ...range, by: Name, scope: Scope }];
    }),
  );
  // The bridge of a network is a route, too.
  const others = routes.filter(
    (route) => !taken.some(({ first, last }) => first === route.first && last === route.last),
  );
  return [
    ...collisions(asked, taken, others),
    ...noRoom(asked, new Set(networks.map(({ Name }) => Name)), info, [
      ...taken.filter(({ scope }) => asked.scope === "local" || scope === "swarm"),
      ...(asked.scope === "local" ? others : []),
    ]),
  ];
}

function collisions({ key, subnets = {}, networks }: Asked, taken: List<Taken>, routes: List<Taken>): Problem[] {
  return Object.entries(subnets).flatMap(([name, value]): Problem[] => {
    const range = rangeOf(value);
    if (range === undefined || !Object.hasOwn(networks, name)) return [];
    const say = (remedy: string): Problem[] => [{ key: `${key}.${name}`, value, remedy }];
    const network = taken.find((other) => other.by !== networks[name] && overlap(range, other));
    if (network !== undefined) return say(`the network ${network.by} has ${network.text}: choose another range`);
    const route = routes.find((other) => overlap(range, other));
    return route === undefined
      ? []
      : say(`this machine reaches ${route.text} through ${route.by}: choose another range`);
  });
}

function noRoom(
  { key, subnets = {}, networks, scope }: Asked,
  there: ReadonlySet<string>,
  info: Info,
  taken: List<Range>,
): Problem[] {
  const wanted = Object.keys(networks).filter(
    (name) => !Object.hasOwn(subnets, name) && !there.has(networks[name] ?? ""),
  );
  const chosen = Object.values(subnets).flatMap((value) => rangeOf(value) ?? []);
  const free = room(scope === "swarm" ? swarmPools(info) : enginePools(info), [...taken, ...chosen], wanted.length);
  if (free === wanted.length) return [];
  const have = free === 0 ? "no address range left" : `address ranges for ${String(free)} of them`;
  return [
    {
      key,
      remedy:
        `the stack makes the networks ${wanted.join(", ")}, and the ${scope === "swarm" ? "swarm" : "engine"} has ${have}: ` +
        `give them ranges of your own, as {${wanted[0] ?? "edge"}: 10.60.1.0/24}, or remove networks that nobody needs (docker network prune)`,
    },
  ];
}

interface Pool {
  readonly Base: string;
  readonly Size: number;
}

/** The pools of an engine whose daemon.json names none. */
const usual: List<Pool> = [
  ...["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16"].map((Base) => ({ Base, Size: 16 })),
  ...["172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14"].map((Base) => ({ Base, Size: 16 })),
  { Base: "192.168.0.0/16", Size: 20 },
];

function enginePools({ DefaultAddressPools }: Info): List<Pool> {
  return DefaultAddressPools?.length ? DefaultAddressPools : usual;
}

function swarmPools({ Swarm }: Info): List<Pool> {
  const { DefaultAddrPool, SubnetSize } = Swarm?.Cluster ?? {};
  const bases = DefaultAddrPool?.length ? DefaultAddrPool : ["10.0.0.0/8"];
  return bases.map((Base) => ({ Base, Size: SubnetSize ?? 24 }));
}

/** For how many networks the pools have a range, up to `wanted`. */
function room(pools: List<Pool>, taken: List<Range>, wanted: number): number {
  let free = 0;
  for (const { Base, Size } of pools) {
    const base = rangeOf(Base);
    const size = 2 ** (32 - Size);
    if (base === undefined) return wanted; // IPv6: we do not judge it
    for (let first = base.first; first < base.last && free < wanted; first += size) {
      const range = { text: "", first, last: first + size - 1 };
      if (!taken.some((other) => overlap(range, other))) free++;
    }
  }
  return free;
}

/** This machine's routes, but for the default one. Empty if the system does not tell them. */
async function machineRoutes(): Promise<Taken[]> {
  const table = await readFile("/proc/net/route", "utf8").catch(() => "");
  return parseRoutes(table);
}

/** Reads the kernel's table: addresses are hexadecimal numbers, their last byte first. */
export function parseRoutes(table: string): Taken[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [by = "", destination = "", , , , , , mask = ""] = line.split(/\s+/);
      const bits = bytes(mask).reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
      const range = bits === 0 ? undefined : rangeOf(`${bytes(destination).join(".")}/${String(bits)}`);
      return range === undefined ? [] : [{ ...range, by, scope: "local" }];
    });
}

function bytes(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse();
}
