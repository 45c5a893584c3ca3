/** Questions with a limit of time, and answers that may be a sentence. */
import { messageOf } from "../../ops/docker.ts";

export type Answer<T> =
  { readonly told: T; readonly failed?: never } | { readonly told?: never; readonly failed: string };

/** `ask` gets a signal, by which its requests end when the time is over. */
export async function within<T>(
  seconds: number,
  whom: string,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<Answer<T>> {
  const end = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer<T>>((resolve) => {
    timer = setTimeout(() => {
      resolve({ failed: `${whom} did not answer within ${String(seconds)} s` });
    }, seconds * 1000);
  });
  const answer = ask(end.signal).then(
    (told): Answer<T> => ({ told }),
    (error: unknown): Answer<T> => ({ failed: messageOf(error) }),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    end.abort(); // where one request has failed, the others would go on, and be tried again
  }
}

/** How long an engine may take, in seconds: ssh alone may need some to begin. */
export const patience = 20;
