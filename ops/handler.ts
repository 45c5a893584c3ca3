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
  delete?(state: Values): Promise<void>;
}

/** A change of one of `replacing` makes a new one; of another input, an update. */
export function compare(inputs: z.ZodObject, replacing: readonly string[]): Handler["diff"] {
  return (olds, news) => {
    const keys = changed(olds, news, Object.keys(inputs.shape));
    return { changes: keys.length > 0, replaces: keys.filter((key) => replacing.includes(key)) };
  };
}
