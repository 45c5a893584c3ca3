import { z } from "zod";

import { connect } from "../../components/services/nats.ts";
import { each, noMajority, type StoreKind } from "./store.ts";

const stream = z.object({
  config: z.object({ name: z.string(), num_replicas: z.number() }),
  cluster: z
    .object({
      leader: z.string().default(""),
      replicas: z
        .array(z.object({ name: z.string(), current: z.boolean().default(false), offline: z.boolean().default(false) }))
        .nullish(),
    })
    .prefault({}),
});
const answered = z.object({
  /** The hosts that greet a client. */
  well: z.array(z.string()),
  streams: z.array(stream),
  /** Streams without a leader. */
  missing: z.array(z.string()),
});

/** NATS: a server that comes back empty under its name is the same one, and its peers send it their streams. */
export const nats: StoreKind = {
  script: (hosts) => `greets() { exec 3<>"/dev/tcp/$1/4222" && read -r -t 5 line <&3 && [[ $line == INFO* ]]; }
list() { # the streams from number $1 on, as the first server that can tell has them
  for host in "\${well[@]}"; do
    exec 3<>"/dev/tcp/$host/4222" || continue
    body="{\\"offset\\":$1}"
    printf 'CONNECT %s\\r\\nSUB reconciler.answer 1\\r\\nPUB $JS.API.STREAM.LIST reconciler.answer %s\\r\\n%s\\r\\n' "$(cat "$login")" "\${#body}" "$body" >&3
    while IFS= read -r -t 10 line <&3; do
      case $line in *'"error"'* | -ERR*) break ;; *stream_list_response*) printf '%s' "\${line%$'\\r'}"; return ;; esac
    done
  done
  return 1
}
well=()
for host in ${hosts.join(" ")}; do if (greets "$host") 2>/dev/null; then well+=("$host"); fi; done
for ((at = 0, total = 1; at < total; )); do
  page=$(list "$at")
  echo "$page"
  read -r at total < <(jq -r '"\\(.offset + .limit) \\(.total)"' <<<"$page")
done | jq -s --arg well "\${well[*]}" '{well: ($well | split(" ")), missing: (map(.missing // []) | add),
  streams: (map(.streams // []) | add | map({config: {name: .config.name, num_replicas: .config.num_replicas}, cluster}))}'`,
  login: ({ password }) => connect(password),
  read: (answer, hosts) => {
    const { well, streams, missing } = answered.parse(answer);
    const greets = (host: string): boolean => well.includes(host);
    const danger = (host: string): string | undefined => {
      const few = streams
        .map(({ config, cluster: { leader, replicas } }) => {
          const peers = replicas ?? [];
          const current = peers.filter(({ current, offline }) => current && !offline).map(({ name }) => name);
          const holds = leader === host || peers.some(({ name }) => name === host);
          const others = [leader, ...current].filter((other) => other !== host && greets(other));
          return { name: config.name, safe: !holds || others.length > config.num_replicas / 2 };
        })
        .filter(({ safe }) => !safe);
      const alone = [...few.map(({ name }) => name), ...missing];
      return (
        noMajority(host, hosts, greets) ??
        (alone.length === 0 ? undefined : `no majority of servers has ${alone.join(", ")} in sync without it`)
      );
    };
    return each(hosts, greets, danger);
  },
};
