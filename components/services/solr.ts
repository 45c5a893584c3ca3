import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { shellWord } from "../core/syntax.ts";
import { named, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";

/** One Solr in cloud mode with its own ZooKeeper inside: collections, as Arkindex speaks of them, need that mode. */
export const solr: Recipe<"solr"> = (p, name, ask) => {
  const slot = `${name}-1`;
  const host = p.address(slot);
  named(`${name}.collections`, ask.collections, /^[\w.][\w.-]*$/, "letters, digits, dots, _ and inner hyphens");
  const made = p.slots(name, { count: 1 }, () => ({
    ...storeOptions(ask, "solr"),
    tier: "data",
    cpu: 2,
    memoryMib: ask.memoryMib * 2,
    user: "8983:8983",
    env: { SOLR_HEAP: `${String(ask.memoryMib)}m`, SOLR_HOST: host, SOLR_JETTY_HOST: "0.0.0.0" },
    // A power cut may leave ZooKeeper's newest log empty. ZooKeeper then never starts, and Solr goes on without it
    // (ZOOKEEPER-2332).
    prepare: "find /var/solr/data/zoo_data/version-2 -name 'log.*' -size 0 -delete 2>/dev/null || true",
    command: ["solr", "start", "-f", "-c", "-p", "8983"],
    ports: { http: { number: 8983, protocol: "http" } },
    health: {
      ready: { command: ["sh", "-c", healthy] },
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
            `curl -fsS '${api}?action=LIST' | jq -e --arg it ${shellWord(collection)} '.collections | index($it)' >/dev/null || ` +
            `curl -fsS --get --data-urlencode name=${shellWord(collection)} '${api}?action=CREATE&numShards=1&replicationFactor=1&collection.configName=_default'`,
        )
        .join("\n"),
    ],
    seconds: 300,
    after: made,
  });
  return { host, port: 8983, members: [slot], ready: setup.ready };
};

/**
 * Solr (9.7) calls itself healthy, and the collection green, even if it could not load a core, as after a power cut
 * that broke an index. Each search of that core fails. Only the list of cores tells.
 */
const healthy = `admin=http://127.0.0.1:8983/solr/admin
curl -fs -m 4 -o /dev/null "$admin/info/health?requireHealthyCores=true" || exit 1
cores=$(curl -fs -m 4 "$admin/cores?action=STATUS&indexInfo=false" | tr -d ' \\n') || exit 1
case $cores in *'"initFailures":{}'*) ;; *) echo "an index cannot be opened: $cores"; exit 1 ;; esac`;

/** Solr with its collections. */
export class Solr extends Service<"solr"> {
  /** How containers supply it. */
  static readonly recipe = solr;

  constructor(name: string, args: ServiceArgs<"solr">, opts?: ComponentResourceOptions) {
    super("Solr", "solr", solr, name, args, opts);
  }
}
