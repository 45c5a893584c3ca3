/** What recipes share. */
import { createHash } from "node:crypto";

import { all, type Output } from "@pulumi/pulumi";

import type { Platform, Slot, Wishes } from "../core/contracts.ts";

/** What an ask adds to the slots that carry a store: the application's own image, names and nodes. */
export function wishes(
  { names, image, nodeLabels }: Wishes,
  otherwise: string,
): Pick<Slot, "image" | "names" | "nodes"> {
  return {
    image: image ?? otherwise,
    ...(names === undefined ? {} : { names }),
    ...(nodeLabels === undefined ? {} : { nodes: nodeLabels }),
  };
}

/** A one-time job with the clients of every store at hand, which the stores' own images do not all have. */
export const toolbox = { image: "toolbox", cpu: 1, memoryMiB: 128, user: "65534:65534", once: "1" } as const;

/**
 * A name of nobody (yet) is refused within a second or two. A network without an outside has no resolver but Docker's
 * own, and glibc's patience is 20 s.
 */
export const quickNames = { RES_OPTIONS: "timeout:1 attempts:1" } as const;

/**
 * A server that starts after a crash first replays its log, reads its queues, or syncs its files: as long as it takes. A
 * swarm kills what is not healthy by then, and the next start begins at the beginning.
 */
export const replaySeconds = 3600;

/**
 * Whether "unhealthy" is only said. A swarm kills what is unhealthy: of a store that takes no writes, as its disk is full,
 * it would take away the reads as well, again and again.
 */
export function onlySaid({ engine }: Platform): boolean {
  return engine === "docker";
}

/** For a job's `once`: a changed secret runs it again; what it was cannot be told from this. */
export function digest(...secrets: Output<string>[]): Output<string> {
  return all(secrets).apply((values) => createHash("sha256").update(values.join("\n")).digest("hex").slice(0, 16));
}
