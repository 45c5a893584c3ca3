import { z } from "zod";

import type { Dict, List } from "./contracts.ts";
import { own } from "./formats.ts";

/**
 * What the reconciler has replaced, kept beside the operator's own config: every `up` of the stack reads it. Each version
 * is an object of its own, so that making its name is a compare-and-swap.
 */
export const retirementsSchema = z.object({
  /** Member numbers by role, as `{ dbserver: [2] }`. */
  retired: z.record(z.string(), z.array(z.int().min(1))),
  history: z.array(
    z.object({
      /** ISO 8601. */
      at: z.string(),
      /** As `dbserver-2`. */
      member: z.string(),
      why: z.string(),
      /** The member stays, on a new disk. Default: its number is retired. */
      disk: z.literal(true).optional(),
      /** `begun` until the deployment that follows has ended well. */
      outcome: z.enum(["begun", "done"]),
    }),
  ),
});
export type Retirements = z.infer<typeof retirementsSchema>;
export const nothingRetired: Retirements = { retired: {}, history: [] };

/** One version of the retirements; the highest counts. */
export interface Version {
  readonly number: number;
  readonly retirements: Retirements;
}

/** Where versions are kept: with the stack, so that every operator and every machine sees the same. */
export interface RetirementStore {
  /** Version 0 with nothing retired, if there is none yet. */
  latest(): Promise<Version>;
  /** Makes version `number`; false where somebody else has made it meanwhile. */
  add(version: Version): Promise<boolean>;
}

/** Where a system's config has the key `retired` of each role: the keys that lead there. None: at its top. */
export type Retirable = Dict<List<string>>;

/** A stack's raw config with the retirements in. `system`: the key of the system's own part. */
export function withRetirements(
  raw: Dict<unknown>,
  { retired, history }: Retirements,
  system: string,
  retirable: Retirable = {},
): Dict<unknown> {
  const asked = Object.entries(retired).reduce<unknown>((config, [role, numbers]) => {
    const keys = own(retirable, role);
    return keys === undefined || numbers.length === 0 ? config : retiredAt(config, keys, numbers);
  }, raw[system]);
  // The state remembers the word of a disk that was made: nobody has to say it any more.
  const words = history.filter(({ disk, outcome }) => disk === true && outcome === "begun");
  return {
    ...raw,
    ...(asked === raw[system] ? {} : { [system]: asked }),
    ...(words.length === 0
      ? {}
      : { disks: { ...record(raw.disks), ...Object.fromEntries(words.map(({ member, at }) => [member, at])) } }),
  };
}

function retiredAt(config: unknown, [key, ...rest]: List<string>, numbers: List<number>): Dict<unknown> {
  const before = record(config);
  if (key !== undefined) return { ...before, [key]: retiredAt(before[key], rest, numbers) };
  const list: List<unknown> = Array.isArray(before.retired) ? before.retired : [];
  return { ...before, retired: [...new Set([...list, ...numbers])] };
}

function record(value: unknown): Dict<unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Dict<unknown>) : {};
}
