/** What is in a picture of a deployment. */
import type { List, Slot, Tier, Workload } from "../core/contracts.ts";

/** Where a topology puts what it runs, in an operator's words. */
export interface Where {
  /** The whole place, as `Docker host ssh://pilot`. */
  readonly title: string;
  /** What answers the public names, and what to know of it. */
  readonly edge: { readonly title: string; readonly says: List<string> };
  /** The machine, node labels or zone of a container; undefined: nothing is said of it. */
  of(container: Slot | Workload): string | undefined;
  /** A disk of this size; `volume` where nobody keeps the size. */
  disk(gib: number): string;
}

/** `world`: who calls. `outside`: what exists already, and where backups go. */
export type Band = "world" | Tier | "outside";

/** From the outside in. */
export const bands: List<Band> = ["world", "edge", "app", "data", "isolated", "outside"];

/** A slot of a card. */
export interface Member {
  readonly name: string;
  readonly disk: string;
  readonly where: string | undefined;
}

/** A part, or several alike: a workload with its replicas, a store with its members. */
export interface Card {
  /** The name of the need, the workload or the role. What is no part of the plan begins with a capital. */
  readonly id: string;
  readonly band: Band;
  readonly by: "world" | "edge" | "workload" | "slots" | "managed" | "existing" | "place";
  readonly title: string;
  /** The public names and paths that lead to it. */
  readonly routes: List<string>;
  readonly says: List<string>;
  readonly members: List<Member>;
  readonly rehearses: boolean;
}

/** Cards of one band that are called by the same ones, and call the same ones: an arrow to the frame is one to each. */
export interface Frame {
  readonly id: string;
  readonly band: Band;
  readonly cards: List<Card>;
}

/** From who calls to who is called. */
export type Arrow = readonly [from: string, to: string];

export interface Picture {
  /** The stack's name. */
  readonly title: string;
  readonly where: string;
  readonly frames: List<Frame>;
  /** Between frames, by their ids. */
  readonly arrows: List<Arrow>;
}

/** What has to be seen at once. */
export function tagsOf({ by, rehearses }: Card): string[] {
  return [
    ...(by === "managed" ? ["managed"] : []),
    ...(by === "existing" ? ["exists"] : []),
    ...(rehearses ? ["rehearses"] : []),
  ];
}

/** A card without members. Empty lines are left out. */
export function card(id: string, band: Band, by: Card["by"], title: string, says: List<string>): Card {
  return { id, band, by, title, says: says.filter((line) => line !== ""), routes: [], members: [], rehearses: false };
}
