/** Warns when a stack's images get no more fixes. Moves no disk to another line without the operator's word. */
import type { Dict, List } from "./contracts.ts";
import type { Problem } from "./errors.ts";
import { at, own } from "./formats.ts";
import { imageLock } from "./image-lock.ts";
import { type Image, tagOf } from "./images.ts";
import type { Known } from "./known.ts";

const day = 24 * 3600 * 1000;
const warnDays = 90;
const page = "docs/releases.md";

/** What the lock file says of the images that a stack runs, if they are the lock file's own, from a registry. */
export function endings(images: List<Image>, overrides: Dict<string>, now: Date): string[] {
  return images.flatMap(({ key, ref, standsIn, rehearsing }) => {
    const { line, until } = own(imageLock, key) ?? {};
    // An image that was built here, or stands in, is of another version than the row's.
    const another = standsIn === true || rehearsing || ref.startsWith("platform-topologies/");
    if (line === undefined || until === undefined || another || own(overrides, key) !== undefined) return [];
    const days = Math.ceil((Date.parse(until) - now.getTime()) / day);
    if (days > warnDays) return [];
    const said = days < 0 ? `was mended until ${until}` : `is mended until ${until}, for ${String(days)} more days`;
    return [`images.${key}: ${line} ${said}: ${page} has the way on; an image that is named here is not warned of`];
  });
}

/**
 * A store whose default image is of another line than the one that this stack ran last. A newer checkout alone would
 * move its disk, and no server goes back. `images.<key>` is the operator's word, to stay or to move.
 */
export function movedLines(state: List<Known>, images: List<Image>, overrides: Dict<string>): Problem[] {
  const ours = /^(pulumi:pulumi:Stack$|platform-topologies:index:)/;
  const last = state.find(({ type, outputs }) => ours.test(type) && outputs.images !== undefined)?.outputs.images;
  return images.flatMap(({ key, ref }) => {
    const was = at(last, [key]);
    if (own(imageLock, key)?.data !== true || typeof was !== "string" || own(overrides, key) !== undefined) return [];
    if (lineOf(was) === undefined || lineOf(was) === lineOf(ref)) return [];
    const remedy = `this stack's disks are of ${was}, and the default is now ${ref}: name the first to stay, or the second once ${page} has been followed`;
    return [{ key: `images.${key}`, remedy }];
  });
}

/** 8.1 of `valkey:8.1.4-trixie`, 15 of `postgis:15-3.3`; undefined for a digest alone. */
function lineOf(ref: string): string | undefined {
  return /\d+(\.\d+)?/.exec(tagOf(ref.replace(/@sha256:.*$/, "")) ?? "")?.[0];
}
