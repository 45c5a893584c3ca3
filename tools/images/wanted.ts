/** Tells from its config which of this machine's images a stack runs, by a dry run, before anything is built. */
import { parsed, planStack } from "../../components/deploy.ts";
import { takesLocal } from "../setup/config.ts";
import { localImages } from "./list.ts";

/**
 * Keys of the list, in its order. None for a config with mistakes, so that nobody waits for images before Pulumi
 * reports them.
 */
export function wanted(config: Readonly<Record<string, unknown>>, stack: string): string[] {
  if (!takesLocal(config)) return [];
  const { images, problems } = planStack(marked(config), stack);
  // Problems of secrets do not count, as encrypted values were not read.
  if (problems.some(({ key }) => !key.startsWith("secrets."))) return [];
  const run = new Set(images.map(({ ref }) => ref));
  return [...marks].filter(([, mark]) => run.has(mark)).map(([key]) => key);
}

const marks = new Map(localImages.map(({ key }) => [key, `set-up.invalid/${key}:wanted`]));

/**
 * The config as the program reads it. Where it runs this machine's images each has a mark, as if the config named it: what
 * set-up has built so far does not count, and every image that the plan runs, stand-ins too, tells its key.
 */
export function marked(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const raw = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? parsed(value) : value]),
  );
  if (!takesLocal(raw)) return raw;
  const chosen = typeof raw.images === "object" ? raw.images : {};
  return { ...raw, images: { ...Object.fromEntries(marks), ...chosen } };
}
