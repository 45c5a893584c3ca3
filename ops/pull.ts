/** Has an engine pull an image, with the credentials of `docker login` on this machine. */
import type Docker from "dockerode";

import { credentials } from "./registry.ts";

/** @throws the engine's own words. */
export async function pull(engine: Docker, ref: string, registries: readonly string[]): Promise<void> {
  const auth = await credentials(ref, registries);
  const progress = await engine.pull(ref, auth === undefined ? {} : { authconfig: auth });
  let lines = "";
  for await (const chunk of progress) lines += String(chunk);
  // An error after the answer has begun is a line of the answer.
  const [, failed] = /"error":\s*("(?:[^"\\]|\\.)*")/.exec(lines) ?? [];
  if (failed !== undefined) throw new Error(JSON.parse(failed) as string);
}
