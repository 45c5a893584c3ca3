import { z } from "zod";

import { adminPort, tokenHeader } from "../../components/services/objects-copies.ts";
import { each, firstOf, type StoreKind } from "./store.ts";

/** By the server's own id. */
const perServer = <T extends z.ZodType>(of: T) => z.record(z.string(), of);
const answered = z.object({
  /** The zone is the server's name: each is in one of its own. */
  servers: z.array(z.object({ id: z.string(), isUp: z.boolean(), zone: z.string() })),
  /** What each is at work on, and does not come to the end of. */
  work: perServer(z.array(z.string())),
  /** How many blocks each should have and could not get. */
  lacks: perServer(z.number()),
});

/** Garage: an empty disk is filled by the others, so both have to have all. */
export const garage: StoreKind = {
  // A worker is at work for a moment whenever somebody writes, and tables are compared all the time: what counts is who is at
  // each of five looks.
  script: (hosts) =>
    firstOf(
      hosts,
      `ask() { curl -fsS -m 15 -K "$login" "http://$host:${String(adminPort)}/v2/$@"; } &&
  status=$(ask GetClusterStatus) && errors=$(ask 'ListBlockErrors?node=*') &&
  work= && for look in 1 2 3 4 5; do
    now=$(ask 'ListWorkers?node=*' -H 'content-type: application/json' -d '{}' |
      jq -c '.success | map_values([.[] | select((.name | startswith("Block resync")) and .state != "idle" and .state != "done"
        or (.name | endswith(" sync")) and .queueLength > 0) | .name])') || break
    work=$(jq -nc --argjson now "$now" --argjson work "\${work:-$now}" \\
      '$now | with_entries(.key as $id | .value -= (.value - ($work[$id] // [])))')
    if [ "$(jq 'map(length) | add' <<<"$work")" = 0 ]; then break; fi
    sleep 1
  done &&
  jq -n --argjson status "$status" --argjson work "$work" --slurpfile errors <(echo "$errors") '{
    servers: [$status.nodes[] | select(.role != null) | {id, isUp, zone: .role.zone}], work: $work,
    lacks: ($errors[0].success | map_values(map(select(.refcount > 0)) | length))}'`,
    ),
  login: ({ password }) => tokenHeader(password),
  read: (answer, hosts) => {
    const { servers, work, lacks } = answered.parse(answer);
    const of = (host: string) => servers.find(({ zone }) => zone === host);
    const up = (host: string): boolean => of(host)?.isUp ?? false;
    const danger = (host: string): string | undefined => {
      for (const other of hosts.filter((each) => each !== host)) {
        if (!up(other)) return `${other} is not well either`;
        const id = of(other)?.id ?? "";
        const [doing, blocks] = [work[id], lacks[id]];
        if (doing === undefined || blocks === undefined) return `${other} does not say what it lacks`;
        if (doing.length > 0) return `${other} is being filled (${doing.join(", ")})`;
        if (blocks > 0) return `${other} cannot get ${String(blocks)} of its blocks`;
      }
      return undefined;
    };
    return each(hosts, up, danger);
  },
};
