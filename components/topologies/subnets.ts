/** The address ranges of a stack's networks: checks the chosen ones, and the room in them. IPv4 alone. */
import type { Container, Dict, List, Slot, Workload } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";

/** What a stack may say of its networks. */
export interface NetworkChoices {
  /**
   * Networks that exist already, by the tier for which they stand: `edge`, `app`, `data`; on a further machine
   * `app-<machine>`. The stack joins them, and neither makes, changes nor removes them. Default: it makes its own. A
   * change replaces the tier's containers, but no data. Refused: one that is not there or is of another kind, and one
   * in which somebody else has a name of the stack's.
   */
  readonly networks?: Dict<string> | undefined;
  /**
   * Ranges in CIDR form by the network's name: `edge`, `app`, `data`, and those that containers join by name (`apps`);
   * on a further machine `app-<machine>`. Default: the engine chooses. A change replaces the network and its
   * containers, but no data. On one host a network whose range is taken out of the config stays as it is.
   */
  readonly subnets?: Dict<string> | undefined;
  /** Bytes in a packet of every network that the stack makes. Default: the engine's own (1500). A change replaces all networks, as above. */
  readonly mtu?: number | undefined;
}

export interface Range {
  readonly text: string;
  readonly first: number;
  readonly last: number;
}

const pattern = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

/** Undefined for a text that is no IPv4 range. Host bits are cut off. */
export function rangeOf(text: string): Range | undefined {
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = (pattern.exec(text)?.slice(1) ?? []).map(Number);
  if (!pattern.test(text) || [a, b, c, d].some((byte) => byte > 255) || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const first = Math.floor((((a * 256 + b) * 256 + c) * 256 + d) / size) * size;
  return { text, first, last: first + size - 1 };
}

/** Why a range is no range for containers; undefined: it is one. */
export function unfit(text: string): string | undefined {
  const range = rangeOf(text);
  if (range === undefined) return "an IPv4 range in CIDR form, as 10.60.1.0/24";
  const bits = Number(text.split("/")[1]);
  const whole = `${dotted(range.first)}/${String(bits)}`;
  if (whole !== text) return `its last ${String(32 - bits)} bits have to be zero: ${whole}`;
  if (bits < 8 || bits > 28) return "from /8 to /28: 16 addresses are the fewest";
  const top = Math.floor(range.first / 2 ** 24);
  return top === 0 || top === 127 || top >= 224
    ? "a range that machines can have, as one within 10.0.0.0/8"
    : undefined;
}

export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => String(Math.floor(address / 2 ** shift) % 256)).join(".");
}

export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

const mtuOption = "com.docker.network.driver.mtu";

/** The arguments for a network that the operator has chosen. `options`: those that the network has anyway. */
export function chosen({ subnets = {}, mtu }: NetworkChoices, name: string, options: Dict<string> = {}) {
  const subnet = Object.hasOwn(subnets, name) ? subnets[name] : undefined;
  const all = { ...options, ...(mtu === undefined ? {} : { [mtuOption]: String(mtu) }) };
  return {
    ...(Object.keys(all).length === 0 ? {} : { options: all }),
    // The gateway is set, as some engines read back the one that they chose: a difference for ever.
    ...(subnet === undefined ? {} : { ipamConfigs: [{ subnet, gateway: dotted((rangeOf(subnet)?.first ?? 0) + 1) }] }),
  };
}

type Planned = List<readonly [string, Container]>;

/** Problems of the config's ranges with this plan. `names`: the topology's own networks, with or without containers. */
export function subnetProblems(
  key: string,
  subnets: Dict<string>,
  names: List<string>,
  planned: Planned,
  joined: (container: Container) => List<string>,
): Problem[] {
  const needed = addresses(planned, joined);
  const known = [...new Set([...names, ...needed.keys()])];
  const entries = Object.entries(subnets);
  return entries.flatMap(([name, value], index) => {
    const say = (remedy: string): Problem[] => [{ key: `${key}.${name}`, value, remedy }];
    if (!known.includes(name)) return say(`no such network; there are ${known.join(", ")}`);
    const range = rangeOf(value);
    if (range === undefined || unfit(value) !== undefined) return []; // reported already
    const other = entries.slice(0, index).find(([, earlier]) => overlaps(range, earlier));
    if (other !== undefined) return say(`overlaps with that of ${other[0]}: each needs its own`);
    const wanted = needed.get(name) ?? 0;
    if (range.last - range.first + 1 >= wanted) return [];
    return say(`too small: its containers need ${String(wanted)} addresses, so /${String(bitsFor(wanted))} or larger`);
  });
}

function overlaps(range: Range, text: string): boolean {
  const other = rangeOf(text);
  return other !== undefined && overlap(range, other);
}

function bitsFor(count: number): number {
  return 32 - Math.ceil(Math.log2(count));
}

/** Addresses of a range that the engine keeps, or that jobs, clients and a roll need beside the plan's containers. */
const spare = 8;

/** How many addresses each network needs. */
function addresses(planned: Planned, joined: (container: Container) => List<string>): Map<string, number> {
  const needed = new Map<string, number>();
  for (const [, container] of planned) {
    for (const name of joined(container)) {
      needed.set(name, (needed.get(name) ?? spare) + replicas(container));
    }
  }
  return needed;
}

/**
 * Addresses of a container: its replicas, and one for a swarm's virtual address or a new replica. Jobs are in `spare`.
 */
function replicas(container: Container & Partial<Pick<Workload, "replicas"> & Pick<Slot, "disk">>): number {
  if (container.disk !== undefined) return 2;
  if (container.replicas === undefined) return 0;
  return 1 + (typeof container.replicas === "object" ? container.replicas.max : Number(container.replicas) || 1);
}
