/** Which of this machine's images a stack runs, by its config: on paper, before anything is built. */
import { parsed, planStack } from "../../components/deploy.ts";
import { takesLocal } from "../setup/config.ts";
import { localImages } from "./list.ts";

/** Keys of the list, in its order. None for a config with mistakes: Pulumi tells them, and nobody waits for images first. */
export function wanted(config: Readonly<Record<string, unknown>>, stack: string): string[] {
  if (!takesLocal(config)) return [];
  const raw = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? parsed(value) : value]),
  );
  // As if each were named in the config: whatever the plan runs, a stand-in too, then tells its key.
  const marks = new Map(localImages.map(({ key }) => [key, `set-up.invalid/${key}:wanted`]));
  const chosen = typeof raw.images === "object" ? raw.images : {};
  const { images, problems } = planStack({ ...raw, images: { ...Object.fromEntries(marks), ...chosen } }, stack);
  // What is encrypted was not read.
  if (problems.some(({ key }) => !key.startsWith("secrets."))) return [];
  const run = new Set(images.map(({ ref }) => ref));
  return [...marks].filter(([, mark]) => run.has(mark)).map(([key]) => key);
}
