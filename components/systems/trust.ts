import { all, type Output } from "@pulumi/pulumi";

import type { Dict, File, Given } from "../core/contracts.ts";

/**
 * Tells clients the authorities that no public list has: the edge's own, a company's. They are one file at `path`. The
 * AWS SDKs and Python's requests take it in the place of the public authorities; Node adds it to them. So the AWS SDKs
 * get it only if `objects`, the object store's authority, is among them.
 */
export function trusting(
  path: string,
  objects: Output<string> | undefined,
  ...others: (Output<string> | undefined)[]
): { readonly files: File[]; readonly env: Dict<string> } {
  const known = [objects, ...others].filter((each) => each !== undefined);
  if (known.length === 0) return { files: [], env: {} };
  return {
    files: [{ path, content: all(known).apply((pems) => pems.join("\n")) }],
    env: {
      ...(objects === undefined ? {} : { AWS_CA_BUNDLE: path }),
      REQUESTS_CA_BUNDLE: path,
      NODE_EXTRA_CA_CERTS: path,
    },
  };
}

/** The authority for the object store's public name: the edge's for a store of the stack, else the company's. */
export function vouches({ internal }: Given<"objects">, edge: Output<string> | undefined): Output<string> | undefined {
  return internal.members.length > 0 ? edge : internal.ca;
}
