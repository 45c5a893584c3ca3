/**
 * Every secret this process was given. Whatever leaves it (log, page, health answer, error) passes through `scrub`.
 */
export class Secrets {
  readonly #values = new Set<string>();

  /** Remembers a value, its lines (a key in PEM) and the forms in which a URL or a header would carry it. */
  add(...values: readonly (string | undefined)[]): void {
    for (const value of values) {
      // Three letters are no secret, and blanking them out would make every message unreadable.
      if (value === undefined || value.length < 4) continue;
      const lines = value.split("\n").filter((line) => line.length > 7);
      for (const text of [value, ...lines]) {
        this.#values.add(text);
        this.#values.add(encodeURIComponent(text));
        this.#values.add(Buffer.from(text).toString("base64"));
        this.#values.add(JSON.stringify(text).slice(1, -1));
      }
    }
  }

  scrub(text: string): string {
    // Longest first: else a short secret inside a longer one would leave the rest of that visible.
    const values = [...this.#values].sort((a, b) => b.length - a.length);
    return values.reduce((left, value) => left.replaceAll(value, "***"), text);
  }
}
