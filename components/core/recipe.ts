/** What recipes share. */
import { createHash } from "node:crypto";

import { all, type Output } from "@pulumi/pulumi";

import type { List, Platform, Slot, StoreOptions } from "./contracts.ts";
import { refuse } from "./errors.ts";

/** What an ask adds to the slots that carry a store: the application's own image, names and nodes. */
export function storeOptions(
  { names, image, nodeLabels }: StoreOptions,
  otherwise: string,
): Pick<Slot, "image" | "names" | "nodes"> {
  return {
    image: image ?? otherwise,
    ...(names === undefined ? {} : { names }),
    ...(nodeLabels === undefined ? {} : { nodes: nodeLabels }),
  };
}

/**
 * Names that a caller chose and that scripts, addresses and the dumps' files are made of: others are refused.
 * @throws ConfigError
 */
export function named(key: string, names: List<string>, grammar: RegExp, remedy: string): void {
  refuse(names.filter((name) => !grammar.test(name)).map((value) => ({ key, value, remedy })));
}

/** A one-time job with the clients of every store at hand, which the stores' own images do not all have. */
export const toolbox = { image: "toolbox", cpu: 1, memoryMib: 128, user: "65534:65534", trigger: "1" } as const;

/**
 * A name of nobody (yet) is refused within a second or two. A network without an outside has no resolver but Docker's
 * own, and glibc's patience is 20 s.
 */
export const quickNames = { RES_OPTIONS: "timeout:1 attempts:1" } as const;

/**
 * For \`prepare\`: as many open files as the engine allows, 65536 at most. Containers begin with 1024 on newer engines, of
 * which a client takes one or two; with none to speak of on older ones, where Erlang makes tables for a billion.
 */
export const openFiles = `most="$(ulimit -Hn)"
if [ "$most" = unlimited ] || [ "$most" -gt 65536 ]; then most=65536; fi
ulimit -Sn "$most"`;

/** For a job's `once`: a changed secret runs it again; what it was cannot be told from this. */
export function fingerprint(...secrets: Output<string>[]): Output<string> {
  return all(secrets).apply((values) => createHash("sha256").update(values.join("\n")).digest("hex").slice(0, 16));
}

/**
 * A server that starts after a crash first replays its log, reads its queues, or syncs its files, and a new member takes
 * rows over: as long as it takes. A swarm kills what is not healthy by then, and the next start begins at the beginning.
 */
export const replaySeconds = 3600;

/**
 * Whether "unhealthy" is only said. A swarm kills what is unhealthy: of a store that takes no writes, as its disk is full,
 * it would take away the reads as well, again and again.
 */
export function onlySaid({ engine }: Platform): boolean {
  return engine === "docker";
}
