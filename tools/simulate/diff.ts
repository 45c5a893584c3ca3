/** What differs between the inputs of two runs, path by path, and what of it makes another resource. */
import { isDeepStrictEqual } from "node:util";

import { isBag, isPartial, nameOf } from "./wire.ts";

import type { Cloud } from "./cloud.ts";
import type { Resource } from "./typings.ts";
import type { Bag } from "./wire.ts";

export interface Change {
  kind: "add" | "delete" | "update";
  replaces: boolean;
}

export interface Difference {
  /** By path: `tags.owner`, `loadBalancers[0].targetGroupArn`. */
  changes: Map<string, Change>;
  /** The top-level properties that make another resource. */
  replaces: string[];
  deleteBeforeReplace: boolean;
}

export function difference(cloud: Cloud, token: string, resource: Resource, olds: Bag, news: Bag): Difference {
  const changes = new Map<string, Change>();
  const making = new Set([
    ...cloud.replaces(token, olds, news),
    ...Object.keys(resource.inputs).filter((key) => resource.inputs[key]?.replaces),
  ]);
  for (const [path, kind] of paths(without(olds), without(news))) {
    const plain = path.replace(/\[\d+\]/g, "");
    const replaces = [...making].some(
      (each) => plain === each || plain.startsWith(`${each}.`) || each.startsWith(`${plain}.`),
    );
    changes.set(path, { kind, replaces });
  }
  const replaces = [...changes].flatMap(([path, change]) => (change.replaces ? [path.split(/[.[]/)[0] ?? path] : []));
  return {
    changes,
    replaces: [...new Set(replaces)],
    deleteBeforeReplace: replaces.length > 0 && (cloud.deletesFirst(token) || keepsName(cloud, token, olds, news)),
  };
}

/** Two things cannot have one name. One that the provider made up is another each time. */
function keepsName(cloud: Cloud, token: string, olds: Bag, news: Bag): boolean {
  const { property } = cloud.nameOf(token) ?? {};
  if (property === undefined || news[property] === undefined) return false;
  const made = Array.isArray(news.__defaults) && news.__defaults.includes(property);
  return !made && isDeepStrictEqual(olds[property], news[property]);
}

function* paths(olds: unknown, news: unknown, at = ""): Generator<[string, Change["kind"]]> {
  if (isDeepStrictEqual(olds, news) && !isPartial(news)) return;
  if (isBag(olds) && isBag(news)) {
    for (const key of new Set([...Object.keys(olds), ...Object.keys(news)])) {
      const next = at === "" ? key : `${at}.${key}`;
      if (olds[key] === undefined || olds[key] === null) {
        if (news[key] !== undefined && news[key] !== null) yield [next, "add"];
      } else if (news[key] === undefined || news[key] === null) yield [next, "delete"];
      else yield* paths(olds[key], news[key], next);
    }
  } else if (Array.isArray(olds) && Array.isArray(news)) {
    for (let index = 0; index < Math.max(olds.length, news.length); index++) {
      const next = `${at}[${String(index)}]`;
      if (index >= olds.length) yield [next, "add"];
      else if (index >= news.length) yield [next, "delete"];
      else yield* paths(olds[index], news[index], next);
    }
  } else yield [at, "update"];
}

function without(bag: Bag): Bag {
  return Object.fromEntries(Object.entries(bag).filter(([key]) => key !== "__defaults"));
}

/**
 * The name that the provider makes up: the resource's, and seven digits that are others for another incarnation. The
 * old one stays while the resource does.
 */
export function named(
  cloud: Cloud,
  urn: string,
  token: string,
  resource: Resource,
  olds: Bag,
  news: Bag,
  digits: string,
): { inputs: Bag; problem?: string } {
  const defaults = Object.fromEntries(
    Object.entries(cloud.defaults(token)).filter(([key]) => news[key] === undefined && key in resource.inputs),
  );
  const rule = cloud.nameOf(token) ?? ("name" in resource.inputs ? { property: "name", longest: 255 } : undefined);
  const added = { ...defaults };
  let problem: string | undefined;
  if (
    rule &&
    rule.longest > 0 &&
    rule.property in resource.inputs &&
    news[rule.property] === undefined &&
    news[`${rule.property}Prefix`] === undefined
  ) {
    const { property, longest } = rule;
    const kept = Array.isArray(olds.__defaults) && olds.__defaults.includes(property) ? olds[property] : undefined;
    const base = "lower" in rule ? nameOf(urn).toLowerCase() : nameOf(urn);
    const made = `${base}-${digits}`;
    if (made.length > longest)
      problem = `failed to generate a name for ${nameOf(urn)}.${property}: it plus 8 random characters is longer than the maximum length ${String(longest)}`;
    added[property] = kept ?? made;
  }
  return {
    inputs: { ...news, ...added, __defaults: Object.keys(added).sort() },
    ...(problem === undefined ? {} : { problem }),
  };
}
