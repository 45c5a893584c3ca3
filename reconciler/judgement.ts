/** Judges which member has failed for good, and whether another can safely take its place. Pure: observations go in. */

export type Role = "agent" | "dbserver" | "coordinator";

/** A member as the swarm and the cluster show it. */
export interface Seen {
  /** As `dbserver-2`. */
  readonly name: string;
  readonly role: Role;
  readonly number: number;
  /** The times when its process ended, in milliseconds since 1970. */
  readonly ends: readonly number[];
  /** Its last error, for the history. */
  readonly said?: string;
  /** Its status in the cluster. `unknown`: it never joined. */
  readonly status: "GOOD" | "BAD" | "FAILED" | "unknown";
  /** Since when it cannot run, as its node, and with it its disk, is away. */
  readonly lostSince?: number;
}

/** A shard, and the members that hold a copy of it. */
export interface Copies {
  readonly shard: string;
  /** Members that should hold a copy, or do. */
  readonly planned: readonly string[];
  readonly inSync: readonly string[];
}

export interface Observed {
  readonly now: number;
  readonly members: readonly Seen[];
  readonly shards: readonly Copies[];
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
  | { readonly member: Seen; readonly is: "retire"; readonly why: string }
  | { readonly member: Seen; readonly is: "help"; readonly why: string };

/** One verdict for each member. `retire`: another may take its place; `help`: an operator has to act. */
export function judge(observed: Observed, policy: Policy = usual): Verdict[] {
  return observed.members.map((member) => {
    const why = failure(member, observed.now, policy);
    if (why === undefined) return { member, is: "well" };
    if (why.soon) return { member, is: "wait", why: why.text };
    if (member.role === "agent") {
      const others = observed.members.filter(
        ({ role, status, name }) => role === "agent" && status === "GOOD" && name !== member.name,
      );
      const remedy =
        others.length >= 2
          ? `an agent keeps its name: set arangodb.rebuild to ["${member.name}"], up, and take it out again`
          : "bring another agent back first: without two there is no majority";
      return { member, is: "help", why: `${why.text}; ${remedy}` };
    }
    const danger = member.role === "dbserver" ? onlyCopy(member, observed) : nobodyElse(member, observed);
    return danger === undefined
      ? { member, is: "retire", why: why.text }
      : { member, is: "help", why: `${why.text}; not safe to replace: ${danger}` };
  });
}

function failure(
  { ends, status, lostSince, said }: Seen,
  now: number,
  policy: Policy,
): { text: string; soon: boolean } | undefined {
  if (status === "GOOD") return undefined; // the member has come back, however often it ended before
  const recent = ends.filter((at) => now - at <= policy.withinSeconds * 1000).length;
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
  return status === "FAILED" ? { text: "it does not answer the cluster", soon: true } : undefined;
}

/** Shards that no healthy server but this one has in sync. */
function onlyCopy({ name }: Seen, { shards, members }: Observed): string | undefined {
  const good = members.filter(({ status }) => status === "GOOD").map((member) => member.name);
  const alone = shards
    .filter(({ planned, inSync }) => planned.includes(name) || inSync.includes(name))
    .filter(({ inSync }) => !inSync.some((other) => other !== name && good.includes(other)));
  return alone.length === 0 ? undefined : `no healthy server has ${alone.map(({ shard }) => shard).join(", ")} in sync`;
}

function nobodyElse({ name, role }: Seen, { members }: Observed): string | undefined {
  const others = members.some((other) => other.role === role && other.name !== name && other.status === "GOOD");
  return others ? undefined : `no other ${role} is healthy`;
}
