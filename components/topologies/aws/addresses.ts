/** The private network's parts, by number: an address never depends on what else a stack has. */
import type { List } from "../../core/contracts.ts";
import { dotted, overlap, type Range, rangeOf, unfit } from "../subnets.ts";
import type { AwsConfig } from "./config.ts";
import { managersGroup } from "./sizes.ts";

/** Outside in. Only what lies in `edge` has an address that the world sees; `data` has no way out. */
export const tiers = ["edge", "app", "data"] as const;
export type AwsTier = (typeof tiers)[number];

/** The range of a tier in a zone: one of sixteen equal parts of the network, four for each tier. */
export function subnetRange(cidr: string, tier: AwsTier, zone: number): string {
  const bits = Number(cidr.split("/")[1]) + 4;
  const first = rangeOf(cidr)?.first ?? 0;
  return `${dotted(first + (tiers.indexOf(tier) * 4 + zone) * 2 ** (32 - bits))}/${String(bits)}`;
}

/** Where the edge's balancer is. A network that is there already tells no ranges of its subnets, but the one for all. */
export function edgeRanges({ cidr, zones, vpc }: Pick<AwsConfig, "cidr" | "zones" | "vpc">): string[] {
  return vpc === undefined ? zones.map((_, zone) => subnetRange(cidr, "edge", zone)) : [vpc.cidr];
}

const privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/** Docker's own bridge on each machine, and the networks of a swarm on such machines (POOL in node.py). */
const engineRanges = ["172.17.0.0/16", "172.28.0.0/14"];

/** What is wrong with a stack's network; undefined: nothing. */
export function unfitNetwork(cidr: string): string | undefined {
  const range = rangeOf(cidr);
  const wrong = unfit(cidr);
  if (range === undefined || wrong !== undefined) return wrong;
  const bits = Number(cidr.split("/")[1]);
  if (bits < 16 || bits > 20) return "from /16 to /20, as the tiers have a part in each zone";
  if (!privateRanges.some((each) => within(range, rangeOf(each)))) return `a part of ${privateRanges.join(", ")}`;
  const taken = engineRange(range);
  return taken === undefined ? undefined : `the machines' own engines have ${taken}: choose another`;
}

/** A range of the machines' own engines in which this one is, or the other way round. */
export function engineRange(range: Range): string | undefined {
  return engineRanges.find((each) => overlap(range, rangeOf(each) ?? range));
}

export function within(range: Range, whole: Range | undefined): boolean {
  return whole !== undefined && range.first >= whole.first && range.last <= whole.last;
}

/** A machine's name in its swarm. */
export function hostOf(group: string, index: number): string {
  return `${group === managersGroup ? "manager" : group}-${String(index + 1)}`;
}

/** The zone of the slot or replica with this number: one after another. */
export function zoneOf(zones: List<string>, number = 0): string {
  return zones[number % zones.length] ?? "";
}
