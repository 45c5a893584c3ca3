import { decide, begin, finish, type Limits } from "./replacement.ts";
import { judge, type Observed, type Policy } from "./judgement.ts";
import type { RetirementStore } from "../components/core/retirements.ts";

/** What the reconciler acts through; a test has its own. */
export interface Reach {
  readonly store: RetirementStore;
  observe(): Promise<Observed>;
  /** Runs the stack's own program. `said`: its last output, if it failed. */
  deploy(): Promise<{ readonly ok: boolean; readonly said: string }>;
  say(line: string): void;
}

/** One look, and at most one replacement. True if all members are well, or are well again: no other is to be replaced. */
export async function once(reach: Reach, policy: Policy, limits: Limits): Promise<boolean> {
  const observed = await reach.observe();
  const { retirements } = await reach.store.latest();
  const verdicts = judge(observed, policy);
  const decision = decide(verdicts, retirements, observed.now, limits);
  for (const line of decision.say) reach.say(line);
  if (decision.do === "nothing") return decision.say.length === 0;
  if (decision.do === "replace") {
    const { member, why } = decision;
    if (!(await begin(reach.store, member, why, observed.now))) {
      reach.say(`${member.name}: another reconciler was faster`);
      return false;
    }
    const done = { number: "retired", disk: "to have a new disk", operator: "" }[member.instead.by];
    reach.say(`${member.name}: ${done}, because ${why}; deploying the stack`);
  }
  const { ok, said } = await reach.deploy();
  if (ok) await finish(reach.store);
  reach.say(ok ? "the stack is deployed" : `the deployment failed and is tried again at the next look: ${said}`);
  const begun = retirements.history.find(({ outcome }) => outcome === "begun")?.member;
  const replaced = decision.do === "replace" ? decision.member.name : begun;
  return ok && verdicts.every(({ is, member: { name, beside } }) => is === "well" || [name, beside].includes(replaced));
}
