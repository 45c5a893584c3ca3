import { ping } from "../../../ops/docker.ts";

/** The first in the list that answers within 3 s; the first of all, if none does, so that its own error is seen. */
export async function firstManager(managers: readonly string[]): Promise<string> {
  const [first = "", ...others] = managers;
  if (others.length === 0) return first;
  const answers = await Promise.allSettled(managers.map((manager) => ping(manager, 3000)));
  return managers.find((_, index) => answers[index]?.status === "fulfilled") ?? first;
}
