import { pingManager, messageOf } from "../../../ops/docker.ts";

/** A busy manager may need seconds to answer, and another one in its place is a difference in the preview. */
const patience = 10_000;

/**
 * The first in the list that answers as a manager within 10 s. If none does, the first of all, so that its own error is
 * seen. A process asks once, so that a whole run goes to the same manager.
 */
export function firstManager(managers: readonly string[]): Promise<string> {
  const key = managers.join();
  const found = asked.get(key) ?? find(managers);
  asked.set(key, found);
  return found;
}
const asked = new Map<string, Promise<string>>();

async function find(managers: readonly string[]): Promise<string> {
  const [first = "", ...others] = managers;
  if (others.length === 0) return first;
  const refusals = managers.map(refusal);
  for (const [index, manager] of managers.entries()) if ((await refusals[index]) === undefined) return manager;
  return first;
}

/** Why an engine cannot be asked as a manager, in one sentence; undefined: it can. */
export function refusal(manager: string): Promise<string | undefined> {
  return pingManager(manager, patience).then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
}
