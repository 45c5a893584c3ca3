/** Finds who holds a port of the edge: another container of the engine, or a program of this machine. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";

import type { List } from "../../core/contracts.ts";

/** An address and a TCP port that somebody listens on. */
export interface Listener {
  readonly address: string;
  readonly port: number;
}

/**
 * Whether two programs cannot listen on both at once. `::` is all addresses, as programs and engines open it; `0.0.0.0`
 * all of IPv4. An IPv4 address may be written as IPv6.
 */
export function conflict(a: Listener, b: Listener): boolean {
  if (a.port !== b.port) return false;
  const [one, other] = [plain(a.address), plain(b.address)];
  return one === other || covers(one, other) || covers(other, one);
}

function covers(all: string, address: string): boolean {
  return all === "::" || (all === "0.0.0.0" && (address === "::" || !address.includes(":")));
}

/** One form for each address: IPv6 in the shortest, IPv4 as IPv4. */
function plain(address: string): string {
  if (!address.includes(":")) return address === "" ? "0.0.0.0" : address;
  const host = URL.canParse(`http://[${address}]`) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (mapped === null) return host;
  const [high = 0, low = 0] = mapped.slice(1).map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** What the engine's list of containers says of one; a stopped one has no ports. */
export interface Publisher {
  readonly Ports: List<{
    readonly IP?: string;
    readonly PublicPort?: number;
    readonly Type: string;
  }>;
}

/** The TCP ports that a container has on its host. */
export function published({ Ports }: Publisher): Listener[] {
  return Ports.flatMap(({ IP = "", PublicPort, Type }) =>
    Type !== "tcp" || PublicPort === undefined ? [] : [{ address: IP, port: PublicPort }],
  );
}

/**
 * Whether a program of this machine has the port. `known`: the ports of containers, on which the engine itself listens.
 */
export async function held(wanted: Listener, known: List<Listener>): Promise<boolean> {
  const all = await machineListeners();
  if (all === undefined) return !known.some((each) => conflict(each, wanted)) && !(await free(wanted));
  const foreign = all.filter(
    ({ address, port }) => !known.some((each) => each.port === port && plain(each.address) === plain(address)),
  );
  return foreign.some((each) => conflict(each, wanted));
}

/** Everything that listens on this machine; undefined if the system has no list (only Linux has one). */
async function machineListeners(): Promise<Listener[] | undefined> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((table) => readFile(`/proc/net/${table}`, "utf8").catch(() => "")),
  );
  return tables.join("") === "" ? undefined : tables.flatMap(parseListeners);
}

const listening = "0A";

/** Reads the kernel's table: each address is in words of 32 bits, whose last byte comes first. */
export function parseListeners(table: string): Listener[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    const [address = "", port = ""] = local.split(":");
    if (state !== listening || !/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(address)) return [];
    const bytes = (address.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
    const text =
      bytes.length === 4
        ? bytes.map((byte) => Number.parseInt(byte, 16)).join(".")
        : (bytes.join("").match(/.{4}/g) ?? []).join(":");
    return [{ address: text, port: Number.parseInt(port, 16) }];
  });
}

/** Takes the port for a moment. A port that this user may not take counts as free: the engine may take it. */
function free({ address, port }: Listener): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "EADDRINUSE");
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
