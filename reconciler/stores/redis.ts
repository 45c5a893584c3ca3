import { z } from "zod";

import { memberPort } from "../../components/services/redis-parts.ts";
import { each, noMajority, type StoreKind } from "./store.ts";

/** What each host that answers says of its replication, in Redis' own lines. */
const answered = z.record(
  z.string(),
  z.string().transform((text) => new Map(text.split(/\r?\n/).map((line) => line.split(":", 2) as [string, string]))),
);

/** Redis with Sentinel: a server that comes back empty is a replica, and whoever leads fills it. */
export const redis: StoreKind = {
  // Sentinels have a password of their own. A server knows as well whom it follows, or who follows it.
  script: (hosts) => `if [ -e "$login" ]; then REDISCLI_AUTH=$(cat "$login"); export REDISCLI_AUTH; fi
for at in ${hosts.map((host) => `${host}:${String(memberPort(Number(host.replace(/.*-/, ""))))}`).join(" ")}; do
  host=\${at%:*}
  if said=$(timeout 10 redis-cli --no-auth-warning -h "$host" -p "\${at#*:}" info replication) && [[ $said == *role:* ]]; then
    jq -n --arg key "$host" --arg value "$said" '$ARGS.named'
  fi
done | jq -es 'from_entries | select(length > 0)'`,
  login: ({ password }) => password,
  read: (answer, hosts) => {
    const servers = answered.parse(answer);
    const says = (host: string, key: string) => servers[host]?.get(key);
    const leaders = hosts.filter(
      (host) => says(host, "role") === "master" && Number(says(host, "connected_slaves")) > 0,
    );
    const well = (host: string): boolean => leaders.includes(host) || says(host, "master_link_status") === "up";
    const danger = (host: string): string | undefined => {
      if (leaders.length !== 1) return leaders.length === 0 ? "no server leads" : `${leaders.join(" and ")} lead`;
      return leaders.includes(host) ? "it leads" : noMajority(host, hosts, well);
    };
    return each(hosts, well, danger);
  },
};
