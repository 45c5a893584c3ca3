import { documentedNames } from "./documented.ts";
import { Fatal } from "./fatal.ts";

/** The command line: each option's values in order. As in arangod, a flag without a value is `true`. */
export class Options {
  readonly #values = new Map<string, string[]>();

  /** @throws Fatal for an option that the documentation of 3.12 does not list. */
  constructor(args: readonly string[]) {
    const known = new Set(documentedNames());
    const rest = [...args];
    for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
      const [, name = "", , inline] = /^--([^=]+)(=([^]*))?$/.exec(arg) ?? [];
      if (!known.has(name)) throw new Fatal(`unknown option '${arg}': not documented for arangod 3.12`);
      const next = rest[0];
      const value = inline ?? (next !== undefined && !next.startsWith("--") ? rest.shift() : undefined) ?? "true";
      this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
    }
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
  text(name: string): string | undefined {
    return this.all(name).at(-1);
  }
  is(name: string, otherwise = false): boolean {
    const value = this.text(name);
    return value === undefined ? otherwise : value === "true" || value === "1" || value === "yes";
  }
  number(name: string, otherwise: number): number {
    const value = Number(this.text(name) ?? otherwise);
    if (!Number.isFinite(value)) throw new Fatal(`--${name} needs a number`);
    return value;
  }
}
