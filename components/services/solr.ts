import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Ask, Given, Platform, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { named, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";
import { collections, command, environment, mend, port, rebuilt, threeSolrs, well } from "./solr-three.ts";

/**
 * Solr in cloud mode: collections, as Arkindex speaks of them, need that. One with its own ZooKeeper inside, or three that
 * keep an ensemble of three.
 */
export const solr: Recipe<"solr"> = (p, name, ask) => {
  named(`${name}.collections`, ask.collections, /^[\w.][\w.-]*$/, "letters, digits, dots, _ and inner hyphens");
  return (ask.copies ?? p.copies) === 1 ? oneSolr(p, name, ask) : threeSolrs(p, name, ask);
};

function oneSolr(p: Platform, name: string, ask: Ask<"solr">): Given<"solr"> {
  const slot = `${name}-1`;
  const host = p.address(slot);
  const made = p.slots(name, { count: 1 }, () => ({
    ...storeOptions(ask, "solr"),
    tier: "data",
    cpu: 2,
    memoryMib: ask.memoryMib * 2,
    user: "8983:8983",
    env: environment(ask, host),
    prepare: mend,
    command,
    ports: { http: { number: port, protocol: "http" } },
    health: {
      ready: { command: ["sh", "-c", well] },
      startSeconds: replaySeconds,
      stopSeconds: 60,
    },
    disk: { path: "/var/solr", gib: ask.gib, backup: { rebuilt } },
  }));
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    command: ["sh", "-euc", collections(host, ask)],
    seconds: 300,
    after: made,
  });
  return { host, port, members: [slot], ready: setup.ready };
}

/** Solr with its collections. */
export class Solr extends Service<"solr"> {
  /** How containers supply it. */
  static readonly recipe = solr;

  constructor(name: string, args: ServiceArgs<"solr">, opts?: ComponentResourceOptions) {
    super("Solr", "solr", solr, name, args, opts);
  }
}
