import { z } from "zod";

import { curlOption } from "../../components/core/syntax.ts";
import { nodeName } from "../../components/services/rabbitmq-members.ts";
import { each, firstOf, noMajority, type StoreKind } from "./store.ts";

const answered = z.object({
  nodes: z.array(z.object({ name: z.string(), running: z.boolean().default(false) })),
  queues: z.array(
    z.object({
      name: z.string(),
      vhost: z.string(),
      type: z.string().default("classic"),
      durable: z.boolean().default(false),
      /** A classic queue's only node. */
      node: z.string().default(""),
      /** A quorum queue's or a stream's. */
      members: z.array(z.string()).default([]),
      online: z.array(z.string()).default([]),
    }),
  ),
});

/** RabbitMQ. A node with an empty disk has the others forget it at its start, joins as a new one, and is given copies. */
export const rabbitmq: StoreKind = {
  script: (hosts) =>
    firstOf(
      hosts,
      `nodes=$(curl -fsS -m 10 -K "$login" "http://$host:15672/api/nodes?columns=name,running") &&
  queues=$(curl -fsS -m 30 -K "$login" "http://$host:15672/api/queues?columns=name,vhost,type,durable,node,members,online") &&
  jq -n --argjson nodes "$nodes" --slurpfile queues <(echo "$queues") '{nodes: $nodes, queues: $queues[0]}'`,
    ),
  login: ({ user, password }) => curlOption("user", `${user}:${password}`),
  read: (answer, hosts) => {
    const { nodes, queues } = answered.parse(answer);
    const running = (host: string): boolean => nodes.some((node) => node.running && node.name === nodeName(host));
    const danger = (host: string): string | undefined => {
      const node = nodeName(host);
      const alone = queues.filter(({ type, durable, node: only, members, online }) =>
        type === "classic"
          ? durable && only === node
          : members.includes(node) && online.filter((other) => other !== node).length <= members.length / 2,
      );
      return (
        noMajority(host, hosts, running) ??
        (alone.length === 0
          ? undefined
          : `no majority of nodes has ${alone.map(({ vhost, name }) => `${vhost}/${name}`).join(", ")} without it`)
      );
    };
    return each(hosts, running, danger);
  },
};
