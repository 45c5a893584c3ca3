/** Has an engine pull an image, with what `docker login` on this machine knows. */
import type Docker from "dockerode";

import { credentials } from "./registry.ts";

/** @throws the engine's own words. */
export async function pull(engine: Docker, ref: string, registries: readonly string[]): Promise<void> {
  const auth = await credentials(ref, registries);
  const progress = await engine.pull(ref, auth === undefined ? {} : { authconfig: auth });
  let lines = "";
  for await (const chunk of progress) lines += String(chunk);
  // What goes wrong after the answer has begun is a line of it.
  const [, failed] = /"error":\s*("(?:[^"\\]|\\.)*")/.exec(lines) ?? [];
  if (failed !== undefined) throw new Error(JSON.parse(failed) as string);
}
