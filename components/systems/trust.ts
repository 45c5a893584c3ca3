import { all, type Output } from "@pulumi/pulumi";

import type { Dict, File, Given } from "../core/contracts.ts";

/**
 * Where clients find the authorities that no public list has: the edge's own, a company's. One file at `path`, which the
 * AWS SDKs and Python's requests take in the place of the public ones; Node adds it.
 */
export function trusting(
  path: string,
  ...authorities: (Output<string> | undefined)[]
): { readonly files: File[]; readonly env: Dict<string> } {
  const known = authorities.filter((each) => each !== undefined);
  if (known.length === 0) return { files: [], env: {} };
  return {
    files: [{ path, content: all(known).apply((pems) => pems.join("\n")) }],
    env: { AWS_CA_BUNDLE: path, REQUESTS_CA_BUNDLE: path, NODE_EXTRA_CA_CERTS: path },
  };
}

/** Who vouches for the object store's public name: the edge's authority for one of the stack's own, else the company's. */
export function vouches({ internal }: Given<"objects">, edge: Output<string> | undefined): Output<string> | undefined {
  return internal.members.length > 0 ? edge : internal.ca;
}
