/** Values that no quotes can carry to the program that reads them. They are refused where they are set. */
import type { Dict } from "./contracts.ts";
import type { Problem } from "./errors.ts";
import type { Existing } from "./existing.ts";
import { notForRclone } from "./syntax.ts";

interface Rule {
  readonly wrong: RegExp;
  readonly remedy: string;
}

/** Every store's keys are letters and digits. The usual slip: a line end or a blank was copied along. */
const keyOfObjects: Rule = {
  wrong: new RegExp(`^\\s|\\s$|[\\x00-\\x1f]|\\\\\\\\|${notForRclone.source}`),
  remedy: "an object store's key is one line, without a blank at its ends, two backslashes in a row or %(…)s",
};
/** Telegraf would look such a password up in a store of secrets. */
const passwordOfInflux: Rule = {
  wrong: /@\{\w+:\w+\}/,
  remedy: "Telegraf cannot be told @{name:name}: choose another",
};

/** Everything in a stack's config that its reader could not be given. Secrets are not shown. */
export function checkValues(
  raw: unknown,
  { secrets, existing }: { readonly secrets: Dict<string>; readonly existing: Dict<Existing> },
): Problem[] {
  const rules: Record<string, Rule> = { backupKey: keyOfObjects, backupSecret: keyOfObjects };
  for (const [name, { kind }] of Object.entries(existing)) {
    if (kind === "objects") Object.assign(rules, { [`${name}Key`]: keyOfObjects, [`${name}Secret`]: keyOfObjects });
    if (kind === "influx") rules[`${name}Password`] = passwordOfInflux;
  }
  return [
    ...withNul(raw, []),
    ...Object.entries(rules).flatMap(([name, { wrong, remedy }]) =>
      wrong.test(secrets[name] ?? "") ? [{ key: `secrets.${name}`, remedy }] : [],
    ),
  ];
}

/** Values with a NUL, which ends every argument and every variable. */
function withNul(value: unknown, path: readonly string[]): Problem[] {
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => withNul(inner, [...path, key]));
  const found = typeof value === "string" && value.includes("\0");
  return found ? [{ key: path.join("."), remedy: "it holds the character NUL, which no program can be given" }] : [];
}
