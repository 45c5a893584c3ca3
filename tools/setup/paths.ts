import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, without a trailing slash. */
export const repo = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** The folder of this checkout that is never committed: state, image list, the CLI's place. */
export const local = join(repo, ".local");

/** Where built parts are kept, outside the checkout, shared by all checkouts of this user. */
export function cacheRoot(): string {
  const chosen = process.env.PLATFORM_TOPOLOGIES_CACHE;
  return chosen === undefined || chosen === "" ? join(homedir(), ".cache/platform-topologies") : chosen;
}
