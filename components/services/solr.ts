import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { replaySeconds, toolbox, wishes } from "./recipe.ts";

/** One Solr in cloud mode with its own ZooKeeper inside: collections, as Arkindex speaks of them, need that mode. */
export const solr: Recipe<"solr"> = (p, name, ask) => {
  const host = `${name}-1`;
  const made = p.slots(name, { count: 1, order: "one-by-one" }, () => ({
    ...wishes(ask, "solr"),
    tier: "data",
    cpu: 2,
    memoryMiB: ask.memoryMiB * 2,
    user: "8983:8983",
    env: { SOLR_HEAP: `${String(ask.memoryMiB)}m`, SOLR_HOST: host, SOLR_JETTY_HOST: "0.0.0.0" },
    command: ["solr", "start", "-f", "-c", "-p", "8983"],
    ports: { http: { number: 8983, protocol: "http" } },
    // Without its cores, as after a power cut that broke an index, Solr itself is well and no search is answered.
    health: {
      ready: { http: "http", path: "/solr/admin/info/health?requireHealthyCores=true" },
      startSeconds: replaySeconds,
      stopSeconds: 60,
    },
    disk: {
      path: "/var/solr",
      gib: ask.gib,
      backup: { rebuilt: "the index is made again from the database: `arkindex reindex`" },
    },
  }));
  const api = `http://${host}:8983/solr/admin/collections`;
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    command: [
      "sh",
      "-euc",
      ask.collections
        .map(
          (collection) =>
            `curl -fsS '${api}?action=LIST' | jq -e '.collections | index("${collection}")' >/dev/null || ` +
            `curl -fsS '${api}?action=CREATE&name=${collection}&numShards=1&replicationFactor=1&collection.configName=_default'`,
        )
        .join("\n"),
    ],
    seconds: 300,
    after: made,
  });
  return { host, port: 8983, members: [host], ready: setup.ready };
};

/** Solr with its collections. */
export class Solr extends Service<"solr"> {
  static readonly recipe = solr;

  constructor(name: string, args: ServiceArgs<"solr">, opts?: ComponentResourceOptions) {
    super("Solr", solr, name, args, opts);
  }
}
