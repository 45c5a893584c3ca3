/** Parts of a resource's URN. */

/** `Volume shop-db-1`; empty where it is none. */
export function named(urn: string): string {
  return /(\w+)::([^:]*)$/.exec(urn)?.slice(1).join(" ") ?? "";
}

/** `aws:ec2/vpc:Vpc::shop`; empty where it is none. */
export function typed(urn: string): string {
  return /([^:$]+:[^$]+::[^:]*)$/.exec(urn)?.[1] ?? "";
}
