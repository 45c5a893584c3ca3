import type { z } from "zod";

import { changed } from "./wire.ts";
import type { Bag, Values } from "./wire.ts";

export interface Difference {
  readonly changes: boolean;
  /** The properties whose change replaces the resource. */
  readonly replaces?: string[];
}

/** One resource type. Users see its errors as they are: one clear sentence, then evidence. */
export interface Handler {
  readonly inputs: z.ZodObject;
  /** Why the change from `olds` to `news` is refused; asked in previews too. */
  refuse?(olds: Values, news: Values): string | undefined;
  diff(olds: Values, news: Values): Difference;
  /** Does the work. Returns computed outputs, which are stored beside the inputs. */
  create(inputs: Values): Promise<Bag>;
  update(olds: Values, news: Values): Promise<Bag>;
  /** The outputs as they are now, for the state; undefined if the thing is gone. */
  read?(state: Values): Promise<Bag | undefined>;
  delete?(state: Values): Promise<void>;
  /** The resource's id, from what `create` returned. Default: its name in the program. */
  id?(made: Bag): string;
}

/**
 * A change of an input in `replacing` replaces the resource; a change of another input updates it. A change of `host`
 * is no difference: it only says where the work is done. Nor is a change of `redact`: each new password of the stack
 * would change every gate and job. The engine still stores the new values, as it does for those in `silent`.
 */
export function compare(
  inputs: z.ZodObject,
  replacing: readonly string[],
  silent: readonly string[] = [],
): Handler["diff"] {
  const shape = Object.keys(inputs.shape).filter((key) => !silent.includes(key));
  return (olds, news) => {
    const keys = changed(seen(olds), seen(news), shape);
    return { changes: keys.length > 0, replaces: keys.filter((key) => replacing.includes(key)) };
  };
}

const unseen = ["host", "redact"];

/** The values without these inputs, also in the job of a finalizer. */
function seen(values: Values): Values {
  const without = (bag: Bag): Bag =>
    Object.fromEntries(
      Object.entries(bag)
        .filter(([key]) => !unseen.includes(key))
        .map(([key, value]) => [key, key === "job" ? without(value as Bag) : value]),
    );
  return { ...values, plain: without(values.plain) };
}
