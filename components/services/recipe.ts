/** What recipes share. */
import type { Slot, Wishes } from "../core/contracts.ts";

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
