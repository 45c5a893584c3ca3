import { own } from "../components/core/formats.ts";
import type { Retirements, RetirementStore } from "../components/core/retirements.ts";
import type { Seen, Verdict } from "./judgement.ts";

export interface Limits {
  /** At most one replacement in so many seconds, over all stores. */
  readonly everySeconds: number;
}

/** What the reconciler does next, and what it reports. */
export type Decision =
  | { readonly do: "nothing"; readonly say: readonly string[] }
  /** A replacement was written down, but its deployment has not ended well: that comes first. */
  | { readonly do: "finish"; readonly say: readonly string[] }
  | { readonly do: "replace"; readonly member: Seen; readonly why: string; readonly say: readonly string[] };

/** One thing at a time: an unfinished replacement first, then at most one more, and not too soon after the last. */
export function decide(verdicts: readonly Verdict[], { history }: Retirements, now: number, limits: Limits): Decision {
  const say = verdicts.flatMap((verdict) =>
    verdict.is === "well" ? [] : [`${verdict.member.name}: ${label[verdict.is]}: ${verdict.why}`],
  );
  const begun = history.find(({ outcome }) => outcome === "begun");
  if (begun !== undefined) return { do: "finish", say: [...say, `${begun.member}: its replacement is not finished`] };
  const failed = verdicts.flatMap((verdict) => (verdict.is === "replace" ? [verdict] : []));
  const [first] = failed;
  if (first === undefined) return { do: "nothing", say };
  const last = history.at(-1);
  const left = last === undefined ? 0 : Date.parse(last.at) + limits.everySeconds * 1000 - now;
  if (left > 0) {
    const limit = `one replacement in ${String(limits.everySeconds)} s, the last was ${last?.member ?? ""}`;
    return {
      do: "nothing",
      say: [...say, `${first.member.name}: waits another ${String(Math.ceil(left / 1000))} s (${limit})`],
    };
  }
  return { do: "replace", member: first.member, why: first.why, say };
}
const label = { wait: "watched", replace: "failed", help: "needs an operator" } as const;

/** How many replacements the history keeps. */
const remembered = 20;

/** Writes a replacement down; false if somebody else has written one meanwhile. */
export async function begin(store: RetirementStore, { name, instead }: Seen, why: string, now: number) {
  const { number, retirements } = await store.latest();
  if (retirements.history.some(({ outcome }) => outcome === "begun")) return false;
  const { retired, history } = retirements;
  const entry = {
    ...{ at: new Date(now).toISOString(), member: name, why, outcome: "begun" as const },
    ...(instead.by === "disk" ? { disk: true as const } : {}),
  };
  const more =
    instead.by === "number"
      ? { [instead.role]: [...new Set([...(own(retired, instead.role) ?? []), instead.number])] }
      : {};
  return store.add({
    number: number + 1,
    retirements: { retired: { ...retired, ...more }, history: [...history, entry].slice(-remembered) },
  });
}

/** Notes that the deployment has ended well. */
export async function finish(store: RetirementStore): Promise<void> {
  const { number, retirements } = await store.latest();
  const history = retirements.history.map((entry) => ({ ...entry, outcome: "done" as const }));
  await store.add({ number: number + 1, retirements: { ...retirements, history } });
}
