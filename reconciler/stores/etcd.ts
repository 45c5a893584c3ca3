import { z } from "zod";

import { each, noMajority, type StoreKind } from "./store.ts";

const answered = z.object({ well: z.array(z.string()) });

/**
 * etcd, which lets in nobody without a certificate: who takes connections works. A member on a new disk has the others
 * strike its old self off, and joins anew.
 */
export const etcd: StoreKind = {
  script: (hosts) => `well=()
for host in ${hosts.join(" ")}; do
  if timeout 5 bash -c "exec 3<>/dev/tcp/$host/2379" 2>/dev/null; then well+=("$host"); fi
done
jq -en --arg well "\${well[*]}" '{well: ($well | split(" ") | select(length > 0))}'`,
  login: () => "",
  read: (answer, hosts) => {
    const { well } = answered.parse(answer);
    const takes = (host: string): boolean => well.includes(host);
    return each(hosts, takes, (host) => noMajority(host, hosts, takes));
  },
};
