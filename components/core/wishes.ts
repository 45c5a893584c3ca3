import type { Slot, Wishes } from "./contracts.ts";

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
