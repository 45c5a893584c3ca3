/** Property bags as the engine sends them to a provider that takes neither secrets nor references wrapped. */

export type Bag = Readonly<Record<string, unknown>>;

/** What stands for a value that a preview does not know. The SDK has the same as `rpc.unknownValue`. */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value, or something inside it, is not known yet. */
export function isPartial(value: unknown): boolean {
  if (value === unknownValue) return true;
  if (Array.isArray(value)) return value.some(isPartial);
  return isBag(value) && Object.values(value).some(isPartial);
}

/** The text at a key; undefined for anything else, and for what is not known yet. */
export function textAt(bag: Bag, key: string): string | undefined {
  const value = bag[key];
  return typeof value === "string" && value !== unknownValue ? value : undefined;
}

/** `urn:pulumi:<stack>::<project>::<parents>$<type>::<name>`. */
export function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
