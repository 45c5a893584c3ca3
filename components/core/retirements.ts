import { z } from "zod";

import type { Dict, List } from "./contracts.ts";
import { own } from "./formats.ts";

/**
 * The members that the reconciler has retired, kept beside the operator's own config: every `up` of the stack adds them
 * to `retired` of their role. Each version is an object of its own, so that making its name is a compare-and-swap.
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

/** A system's raw config with the retired numbers in; `keys`: the key of each role in that config. */
export function withRetired(raw: unknown, retired: Retirements["retired"], keys: Dict<string>): Dict<unknown> {
  const config: Record<string, unknown> = { ...record(raw) };
  for (const [role, numbers] of Object.entries(retired)) {
    const key = own(keys, role);
    if (key === undefined || numbers.length === 0) continue;
    const asked = record(config[key]);
    const before: List<unknown> = Array.isArray(asked.retired) ? asked.retired : [];
    config[key] = { ...asked, retired: [...new Set([...before, ...numbers])] };
  }
  return config;
}

function record(value: unknown): Dict<unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Dict<unknown>) : {};
}
