/** Routes as the balancer's rules. Pure: a rule's number follows from its route alone, as renumbering fails half-way. */
import { createHash } from "node:crypto";

import type { Problem } from "../../core/errors.ts";
import type { PlannedRoute } from "../../core/plan.ts";

/** One rule: a host, and the beginning of a path. */
export interface Rule {
  readonly host: string;
  /** As the balancer takes it: `/iiif/*`. */
  readonly pattern: string;
  readonly priority: number;
  /** Unset: nobody outside gets it (404). */
  readonly route?: PlannedRoute;
}

/** The longest path that a rule takes, its `*` included (the balancers' quotas). */
const longestPath = 128;
/** Rules of one balancer, besides the default ones. */
const mostRules = 100;

/** The rules of a plan's routes. The longest path comes first, and what is hidden before what shows it. */
export function rulesOf(routes: readonly PlannedRoute[]): Rule[] {
  return routes.flatMap((route) => {
    const { host, path, hidden = [] } = route;
    return [...hidden.map((each) => rule(host, each)), { ...rule(host, path), route }];
  });
}

function rule(host: string, path: string): Rule {
  return { host, pattern: `${path}*`, priority: priorityOf(host, path) };
}

/** From 1 to 50000, the lowest first. Paths of one length share 250 numbers. */
export function priorityOf(host: string, path: string): number {
  const digest = createHash("sha256").update(`${host} ${path}`).digest();
  return 50_000 - 250 * path.length - (digest.readUInt32BE(0) % 250);
}

/** Routes that the balancer cannot take. */
export function checkRules(routes: readonly PlannedRoute[]): Problem[] {
  const rules = rulesOf(routes);
  const problems: Problem[] = [];
  const first = new Map<number, Rule>();
  for (const each of rules) {
    const { host, pattern, priority } = each;
    const say = (remedy: string): void => {
      problems.push({ key: "routes", value: `${host}${pattern.slice(0, -1)}`, remedy });
    };
    if (pattern.length > longestPath) say(`at most ${String(longestPath - 1)} characters in a path of the balancer`);
    if (/[*?]/.test(pattern.slice(0, -1))) say("the balancer takes * and ? for any characters: choose another path");
    const other = first.get(priority);
    if (other !== undefined && (other.host !== host || other.pattern !== pattern))
      say(`its rule has the number of ${other.host}${other.pattern.slice(0, -1)}: change one of the two paths`);
    first.set(priority, each);
  }
  if (rules.length > mostRules)
    problems.push({ key: "routes", value: rules.length, remedy: `a balancer has at most ${String(mostRules)} rules` });
  return problems;
}
