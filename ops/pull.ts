/** Has an engine pull an image, with what `docker login` on this machine knows. */
import type Docker from "dockerode";

import { said } from "./docker.ts";
import { credentials } from "./registry.ts";

/** @throws one sentence with the reference. */
export async function pull(engine: Docker, ref: string, registries: readonly string[]): Promise<void> {
  try {
    const auth = await credentials(ref, registries);
    const stream = await engine.pull(ref, auth === undefined ? {} : { authconfig: auth });
    await new Promise<void>((resolve, reject) => {
      engine.modem.followProgress(stream, (error: Error | null) => {
        if (error) reject(error);
        else resolve();
      });
    });
  } catch (error) {
    throw new Error(`${ref} cannot be pulled: ${said(error)}`, { cause: error });
  }
}
