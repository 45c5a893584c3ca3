/** Routes as the balancer's rules. Pure: a rule's number follows from its route, as renumbering fails half-way. */
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
  const numbers = numbersOf(
    routes.flatMap(({ host, path, hidden = [] }) => [path, ...hidden].map((each) => [host, each])),
  );
  const rule = (host: string, path: string): Rule => ({
    ...{ host, pattern: `${path}*`, priority: numbers.get(`${host} ${path}`) ?? NaN },
  });
  return routes.flatMap((route) => {
    const { host, path, hidden = [] } = route;
    return [...hidden.map((each) => rule(host, each)), { ...rule(host, path), route }];
  });
}

/**
 * Each rule's number, by host and path. Two that meet in one are rare: the second of the alphabet takes another, so a route
 * more moves nobody else, but one that meets it.
 */
function numbersOf(pairs: readonly (readonly [string, string])[]): Map<string, number> {
  const numbers = new Map<string, number>();
  const taken = new Set<number>();
  for (const [host, path] of [...pairs].sort((a, b) => (a.join(" ") < b.join(" ") ? -1 : 1))) {
    const key = `${host} ${path}`;
    if (numbers.has(key)) continue;
    let [number, turn] = [priorityOf(host, path), 0];
    while (taken.has(number) && turn < most) number = priorityOf(host, path, ++turn);
    taken.add(number);
    numbers.set(key, number);
  }
  return numbers;
}

/** More turns than a balancer has rules find a free number: 250 are there for each length. */
const most = 10_000;

/** From 1 to 50000, the lowest first. Paths of one length share 250 numbers. `turn`: another one than the first. */
export function priorityOf(host: string, path: string, turn = 0): number {
  const text = `${host} ${path}${turn === 0 ? "" : ` ${String(turn)}`}`;
  return 50_000 - 250 * path.length - (createHash("sha256").update(text).digest().readUInt32BE(0) % 250);
}

/** Routes that the balancer cannot take. */
export function checkRules(routes: readonly PlannedRoute[]): Problem[] {
  const rules = rulesOf(routes);
  const problems: Problem[] = [];
  for (const { host, pattern } of rules) {
    const say = (remedy: string): void => {
      problems.push({ key: "routes", value: `${host}${pattern.slice(0, -1)}`, remedy });
    };
    if (pattern.length > longestPath) say(`at most ${String(longestPath - 1)} characters in a path of the balancer`);
    if (/[*?]/.test(pattern.slice(0, -1))) say("the balancer takes * and ? for any characters: choose another path");
  }
  if (rules.length > mostRules)
    problems.push({ key: "routes", value: rules.length, remedy: `a balancer has at most ${String(mostRules)} rules` });
  return problems;
}
