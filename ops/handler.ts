import type { z } from "zod";

import { changed } from "./wire.ts";
import type { Bag, Values } from "./wire.ts";

export interface Difference {
  readonly changes: boolean;
  /** The properties whose change means: a new one. */
  readonly replaces?: string[];
}

/** One resource type. What it throws is shown to the user as it is: one clear sentence, then evidence. */
export interface Handler {
  readonly inputs: z.ZodObject;
  /** Why the change from `olds` to `news` is refused; asked in previews too. */
  refuse?(olds: Values, news: Values): string | undefined;
  diff(olds: Values, news: Values): Difference;
  /** Does the work. Answers computed outputs, which are stored beside the inputs. */
  create(inputs: Values): Promise<Bag>;
  update(olds: Values, news: Values): Promise<Bag>;
  /** What is so now, to be stored over the state; undefined when it is gone. */
  read?(state: Values): Promise<Bag | undefined>;
  delete?(state: Values): Promise<void>;
  /** Its id, of what create answered; default: its name in the program. */
  id?(made: Bag): string;
}

/**
 * A change of one of `replacing` makes a new one; of another input, an update; of `host`, where the work is done, and of
 * those in `silent`, nothing: the engine stores the new one without a word.
 */
export function compare(
  inputs: z.ZodObject,
  replacing: readonly string[],
  silent: readonly string[] = [],
): Handler["diff"] {
  const shape = Object.keys(inputs.shape).filter((key) => key !== "host" && !silent.includes(key));
  return (olds, news) => {
    const keys = changed(olds, news, shape);
    return { changes: keys.length > 0, replaces: keys.filter((key) => replacing.includes(key)) };
  };
}
