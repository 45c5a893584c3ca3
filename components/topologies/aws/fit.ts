import { createHash } from "node:crypto";

/** A name of at most `longest` characters: the whole one, or its head and a hash of the whole. */
export function fit(name: string, longest: number): string {
  if (name.length <= longest) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 6);
  return `${name.slice(0, longest - 7).replace(/-+$/, "")}-${hash}`;
}
