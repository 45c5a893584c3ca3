/** What the engine sends and takes: property bags in which secrets, outputs and unknowns are wrapped. */
import { isDeepStrictEqual } from "node:util";

import rpc from "@pulumi/pulumi/runtime/rpc.js";

export type Bag = Readonly<Record<string, unknown>>;

export interface Values {
  /**
   * The bag as sent. As outputs it keeps secrets encrypted in the state; unwrapped values would be plain text there.
   */
  readonly raw: Bag;
  /** Unwrapped, to work with; never to be returned. */
  readonly plain: Bag;
  /** Every string that came inside a secret, to be taken out of logs. */
  readonly secrets: readonly string[];
  /** Whether a value is not known yet, as in a preview. */
  readonly partial: boolean;
}

export function values(raw: Bag): Values {
  const secrets: string[] = [];
  let partial = false;
  const open = (value: unknown, hidden: boolean): unknown => {
    if (typeof value === "string") {
      if (value === rpc.unknownValue) partial = true;
      else if (hidden) secrets.push(value);
      return value;
    }
    if (Array.isArray(value)) return value.map((item: unknown) => open(item, hidden));
    if (!isBag(value)) return value;
    const signature = value[rpc.specialSigKey];
    if (signature === rpc.specialSecretSig) return open(value.value, true);
    if (signature === rpc.specialOutputValueSig) {
      return open(value.value ?? rpc.unknownValue, hidden || value.secret === true);
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, open(item, hidden)]));
  };
  const plain = Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, open(value, false)]));
  return { raw, plain, secrets, partial };
}

/** A value that the engine encrypts in the state and blanks in its output. */
export function secret(value: unknown): Bag {
  return { [rpc.specialSigKey]: rpc.specialSecretSig, value };
}

/** The `keys` in which the two differ, wrapped or not. */
export function changed(olds: Values, news: Values, keys: readonly string[]): string[] {
  return keys.filter((key) => !isDeepStrictEqual(olds.plain[key], news.plain[key]));
}

function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null;
}
