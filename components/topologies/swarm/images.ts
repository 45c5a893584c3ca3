import { z } from "zod";

import { explain, reach, messageOf } from "../../../ops/docker.ts";
import { credentials } from "../../../ops/registry.ts";

/** Whether set-up built the image on this machine: no registry has it. */
export function isLocal(ref: string): boolean {
  return ref.startsWith("platform-topologies/");
}

/**
 * The reference with its digest, as a manager finds it in the registry. To a reference without one the manager adds it
 * when a service is made, but not when it is changed: every preview would show a difference.
 * @throws one sentence when the manager cannot find the image.
 */
export async function pinned(host: string, ref: string, registries: readonly string[]): Promise<string> {
  if (isLocal(ref) || ref.includes("@sha256:")) return ref;
  const engine = await reach(host);
  try {
    const auth = await credentials(ref, registries);
    const found = await engine.getImage(ref).distribution(auth === undefined ? undefined : { authconfig: auth });
    return `${ref}@${distribution.parse(found).Descriptor.digest}`;
  } catch (error) {
    throw new Error(messageOf(explain(error, host)), { cause: error });
  }
}
const distribution = z.object({ Descriptor: z.object({ digest: z.string() }) });
