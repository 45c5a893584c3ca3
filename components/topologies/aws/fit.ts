/** Names as AWS takes them. Without any SDK. */
import { createHash } from "node:crypto";

/** The longest name of a bucket. */
export const longestBucket = 63;

/** A bucket's name in the account's own space: nobody else can hold it, and it can be made again. */
export function bucketName(at: { readonly account: string; readonly region: string }, name: string): string {
  return `${name}-${at.account}-${at.region}-an`;
}

/** A name of at most `longest` characters: the whole one, or its head and a hash of the whole. */
export function fit(name: string, longest: number): string {
  if (name.length <= longest) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 6);
  return `${name.slice(0, longest - 7).replace(/-+$/, "")}-${hash}`;
}
