import { z } from "zod";

import { each, firstOf, type StoreKind } from "./store.ts";

const answered = z.object({
  members: z.array(z.object({ name: z.string(), role: z.string(), state: z.string() })),
});
const leading = ["leader", "standby_leader", "master"];
const working = ["running", "streaming", "in archive recovery"];

/** PostgreSQL with Patroni: a replica that comes back empty is filled by the leader, which has every committed row. */
export const patroni: StoreKind = {
  // Patroni's own API answers without a login.
  script: (hosts) => firstOf(hosts, `curl -fsS -m 10 "http://$host:8008/cluster"`),
  login: () => "",
  read: (answer, hosts) => {
    const { members } = answered.parse(answer);
    const of = (host: string) => members.find(({ name }) => name === host);
    const works = (host: string): boolean => working.includes(of(host)?.state ?? "");
    const danger = (host: string): string | undefined => {
      const leader = hosts.find((other) => leading.includes(of(other)?.role ?? "") && works(other));
      if (leader === undefined) return "no server leads";
      return leader === host ? "it leads still" : undefined;
    };
    return each(hosts, works, danger);
  },
};
