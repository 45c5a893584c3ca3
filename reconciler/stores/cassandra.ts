import { z } from "zod";

import { each, type StoreKind } from "./store.ts";

const answered = z.object({
  /** The hosts that answer a client. */
  well: z.array(z.string()),
  keyspaces: z.array(z.object({ keyspace_name: z.string(), replication: z.record(z.string(), z.string()) })),
});

/**
 * Cassandra. What an answered write left on two of three is on the others' disks and in nobody's ring: all the others have
 * to be there, and the job that strikes a lost member off repairs what they hold before another joins.
 */
export const cassandra: StoreKind = {
  script: (hosts) => `export CQL_PASSWORD_FILE="$login"
answers() { # a native OPTIONS, as the health check sends it
  exec 3<>"/dev/tcp/$1/9042" || return 1
  printf '\\x04\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00' >&3
  [ "$(timeout 5 head -c 5 <&3 | tail -c 1 | od -An -tx1)" = " 06" ]
}
well=()
for host in ${hosts.join(" ")}; do if (answers "$host") 2>/dev/null; then well+=("$host"); fi; done
hosts=$(IFS=,; echo "\${well[*]}")
cql -h "$hosts" -u app --consistency ONE -e 'SELECT JSON keyspace_name, replication FROM system_schema.keyspaces' |
  jq -s --arg well "$hosts" '{well: ($well | split(",")), keyspaces: .}'`,
  login: ({ password }) => password,
  read: (answer, hosts) => {
    const { well, keyspaces } = answered.parse(answer);
    const single = keyspaces.filter(({ replication }) => {
      const { class: strategy = "", ...factors } = replication;
      return !strategy.endsWith(".LocalStrategy") && Object.values(factors).some((factor) => Number(factor) < 2);
    });
    const danger = (host: string): string | undefined => {
      const away = hosts.filter((other) => other !== host && !well.includes(other));
      if (away.length > 0) return `${away.join(", ")} ${away.length > 1 ? "are" : "is"} not well either`;
      return single.length === 0
        ? undefined
        : `one copy of each row is all that there is of ${single.map(({ keyspace_name: name }) => name).join(", ")}`;
    };
    return each(hosts, (host) => well.includes(host), danger);
  },
};
