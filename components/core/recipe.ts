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
 * Refuses names outside `grammar`: scripts, addresses and the dumps' files are made of these names, and a caller chose
 * them.
 * @throws ConfigError
 */
export function named(key: string, names: List<string>, grammar: RegExp, remedy: string): void {
  refuse(names.filter((name) => !grammar.test(name)).map((value) => ({ key, value, remedy })));
}

/** A one-time job with the clients of every store at hand, which the stores' own images do not all have. */
export const toolbox = { image: "toolbox", cpu: 1, memoryMib: 128, user: "65534:65534", trigger: "1" } as const;

/**
 * A name that nobody has (yet) fails within a second or two. A network without a way out has no resolver but Docker's
 * own, and glibc alone would wait 20 s.
 */
export const quickNames = { RES_OPTIONS: "timeout:1 attempts:1" } as const;
/** The same before one command of a shell. */
export const quick = `RES_OPTIONS='${quickNames.RES_OPTIONS}'`;

/**
 * For `prepare`: sets the limit of open files to what the engine allows, 65536 at most. Newer engines give a container
 * 1024, of which each client takes one or two. Older ones have a limit of a billion, and Erlang makes tables for it.
 */
export const openFiles = `most="$(ulimit -Hn)"
if [ "$most" = unlimited ] || [ "$most" -gt 65536 ]; then most=65536; fi
ulimit -Sn "$most"`;

/** For a job's `trigger`: a changed secret runs the job again. Nobody can read the secret from the fingerprint. */
export function fingerprint(...secrets: Output<string>[]): Output<string> {
  return all(secrets).apply((values) => createHash("sha256").update(values.join("\n")).digest("hex").slice(0, 16));
}

/**
 * How long a start may take. After a crash a server replays its log, reads its queues or syncs its files; a new member
 * takes rows over. A swarm kills what is not healthy by then, and the next start begins at the beginning.
 */
export const replaySeconds = 3600;

/**
 * Whether the engine only reports an unhealthy container. A swarm kills it: a store with a full disk takes no writes,
 * and would lose its reads as well, again and again.
 */
export function onlySaid({ engine }: Platform): boolean {
  return engine === "docker";
}
