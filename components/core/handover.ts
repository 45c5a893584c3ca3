/** What a stack of machines hands to the stack on them: through its outputs, into the other's config. */
import { all, type Output, output, secret } from "@pulumi/pulumi";
import { z } from "zod";

import type { Dict, Given, Kind, List } from "./contracts.ts";
import { own } from "./formats.ts";
import type { PlannedNeed } from "./plan.ts";
import type { Supplied } from "./real.ts";

/** The output `machines`. */
const machines = z.object({
  swarm: z.object({ managers: z.array(z.string()).min(1), nodes: z.array(z.string()) }),
  /** Rows as `existing` in a stack's config has them, by the need's name. */
  existing: z.record(z.string(), z.looseObject({ kind: z.string() })),
});
const secrets = z.record(z.string(), z.string());

/** The outputs `machines` and `machineSecrets` of another stack. */
export interface Handed {
  readonly machines: z.output<typeof machines>;
  readonly secrets: Dict<string>;
}

/** Undefined: the stack has no swarm, or was not deployed as a whole. */
export function handedBy(outputs: Dict<unknown>): Handed | undefined {
  const parts = z.object({ machines, machineSecrets: secrets.default({}) }).safeParse(outputs);
  return parts.success ? { machines: parts.data.machines, secrets: parts.data.machineSecrets } : undefined;
}

/** What a stack with a swarm exports; undefined: it has none. */
export function handedOver(needs: List<PlannedNeed>, supplied: List<Supplied>) {
  const swarm = supplied.find(({ given }) => "managers" in given)?.given as Given<"swarm"> | undefined;
  if (swarm === undefined) return undefined;
  const rows: Record<string, Output<unknown>> = {};
  const words: Record<string, Output<string>> = {};
  for (const { name, kind } of needs) {
    const given = supplied.find((each) => each.name === name)?.given;
    const row = given && rowOf(kind, name, given);
    if (row === undefined) continue;
    rows[name] = output(row.row);
    Object.assign(words, row.secrets);
  }
  return {
    machines: output({ swarm: { managers: all([...swarm.managers]), nodes: [...swarm.nodes] }, existing: rows }),
    secrets: secret(output(words)),
  };
}

/** A row of `existing`, and what `secrets` has for it. */
function rowOf(kind: Kind, name: string, given: Supplied["given"]) {
  if ("issuer" in given) {
    const { issuer, urls, groupsClaim, clientId, clientSecret } = given;
    return { row: { kind, issuer, urls, groupsClaim, clientId }, secrets: { [`${name}ClientSecret`]: clientSecret } };
  }
  if ("bucket" in given) {
    const { api, url, region, key, secret: its } = given;
    const [prefix = "", suffix = ""] = given.bucket("*").split("*");
    return {
      row: { kind, api, url, region, prefix, suffix },
      secrets: { [`${name}Key`]: key, [`${name}Secret`]: its },
    };
  }
  if ("host" in given) {
    const { host, port, tls = false, ca } = given;
    const login = "user" in given && given.password !== undefined ? { user: given.user } : {};
    const password = "password" in given ? given.password : undefined;
    return {
      row: { kind, host, port, tls, ...login, ...(ca === undefined ? {} : { ca }) },
      secrets: password === undefined ? {} : { [`${name}Password`]: password },
    };
  }
  return undefined;
}

/**
 * The config with what the machines' stack hands over. The operator's own words win, and a row that nothing here needs
 * stays away.
 */
export function withHanded(
  raw: Dict<unknown>,
  { machines: { swarm, existing }, secrets: handed }: Handed,
  needs: List<Pick<PlannedNeed, "name" | "kind">>,
): Dict<unknown> {
  const words = (key: string): Dict<unknown> => {
    const value = own(raw, key);
    return typeof value === "object" && value !== null ? (value as Dict<unknown>) : {};
  };
  const rows = needs.flatMap(({ name, kind }) => {
    const row = own(existing, name);
    return row?.kind === kind && !Object.hasOwn(words("existing"), name) ? [[name, row] as const] : [];
  });
  const names = rows.map(([name]) => name);
  const its = Object.entries(handed).filter(([key]) => names.some((name) => ofRow(name).includes(key)));
  const nodes = Object.fromEntries(swarm.nodes.map((node) => [node, {}]));
  const { nodes: described, ...said } = words("swarm");
  return {
    ...raw,
    swarm: { managers: swarm.managers, ...said, nodes: { ...nodes, ...(described as object | undefined) } },
    existing: { ...Object.fromEntries(rows), ...words("existing") },
    secrets: { ...Object.fromEntries(its), ...words("secrets") },
  };
}

/** The secrets that a row of this name may have. */
function ofRow(name: string): string[] {
  return ["ClientSecret", "Key", "Password", "Secret"].map((what) => name + what);
}
