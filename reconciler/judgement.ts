/**
 * Judges which member of which store has failed for good, and whether another can safely take its place. Pure, and the same
 * for each store: observations go in.
 */

/** How another takes a member's place. */
export type Instead =
  /** A new number: this one is retired, in the config of its role. */
  | { readonly by: "number"; readonly role: string; readonly number: number }
  /** The same member on a new, empty disk, which the others fill. */
  | { readonly by: "disk" }
  /** Only an operator can do it. */
  | { readonly by: "operator"; readonly remedy: string };

/** A member of a store, as the plan has it. */
export interface Member {
  /** Its slot, as `dbserver-2`. */
  readonly name: string;
  readonly instead: Instead;
  /** The slot whose machine it shares, and with which it goes to another one. */
  readonly beside?: string;
}

/** How the store's cluster sees a member. */
export interface Standing {
  /** `unknown`: it never joined, or nobody says. */
  readonly status: "well" | "down" | "unknown";
  /** Why no other may take its place now, as where it is the only one in sync. */
  readonly danger?: string | undefined;
}

/** A member as the swarm and its store's cluster show it. */
export interface Seen extends Member, Standing {
  /** The times when its process ended, in milliseconds since 1970. */
  readonly ends: readonly number[];
  /** Its last error, for the history. */
  readonly said?: string;
  /** Since when it cannot run, as its node, and with it its disk, is away. */
  readonly lostSince?: number;
}

export interface Observed {
  readonly now: number;
  /** Of all stores. Of several that have failed the first is replaced. */
  readonly members: readonly Seen[];
}

/** As in kube-arangodb: five ends of the process within ten minutes. `graceSeconds`: how long a node may be away. */
export interface Policy {
  readonly ends: number;
  readonly withinSeconds: number;
  readonly graceSeconds: number;
}
export const usual: Policy = { ends: 5, withinSeconds: 600, graceSeconds: 900 };

export type Verdict =
  | { readonly member: Seen; readonly is: "well" }
  | { readonly member: Seen; readonly is: "wait"; readonly why: string }
  | { readonly member: Seen; readonly is: "replace"; readonly why: string }
  | { readonly member: Seen; readonly is: "help"; readonly why: string };

/** One verdict for each member. `replace`: another may take its place; `help`: an operator has to act. */
export function judge({ members, now }: Observed, policy: Policy = usual): Verdict[] {
  return members.map((member) => {
    const why = failure(member, now, policy);
    if (why === undefined) return { member, is: "well" };
    if (why.soon) return { member, is: "wait", why: why.text };
    const { danger, instead, beside, lostSince } = member;
    // A new disk would be made on the same machine, which is away.
    if (beside !== undefined && lostSince !== undefined)
      return { member, is: "wait", why: `${why.text}; it goes with ${beside}, whose machine it shares` };
    if (danger !== undefined) return { member, is: "help", why: `${why.text}; not safe to replace: ${danger}` };
    if (instead.by === "operator") return { member, is: "help", why: `${why.text}; ${instead.remedy}` };
    return { member, is: "replace", why: why.text };
  });
}

/** When a member's process ended lately. */
export function recentEnds({ ends }: Pick<Seen, "ends">, now: number, { withinSeconds }: Policy): readonly number[] {
  return ends.filter((at) => now - at <= withinSeconds * 1000);
}

function failure(member: Seen, now: number, policy: Policy): { text: string; soon: boolean } | undefined {
  const { status, lostSince, said } = member;
  if (status === "well") return undefined; // the member has come back, however often it ended before
  const recent = recentEnds(member, now, policy).length;
  const words = said === undefined ? "" : ` (${said})`;
  if (recent >= policy.ends) {
    const minutes = Math.round(policy.withinSeconds / 60);
    return {
      text: `its process has ended ${String(recent)} times within ${String(minutes)} minutes${words}`,
      soon: false,
    };
  }
  if (lostSince !== undefined) {
    const seconds = Math.round((now - lostSince) / 1000);
    const text = `its node has been away for ${String(seconds)} s`;
    return { text: `${text}, of ${String(policy.graceSeconds)} s that it may`, soon: seconds < policy.graceSeconds };
  }
  if (recent > 0)
    return { text: `its process has ended ${String(recent)} times, of ${String(policy.ends)}${words}`, soon: true };
  return status === "down" ? { text: "it does not answer its cluster", soon: true } : undefined;
}
