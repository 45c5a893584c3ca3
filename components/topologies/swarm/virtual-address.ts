import { createHash } from "node:crypto";

import type { Health, Workload } from "../../core/contracts.ts";
import type { Site } from "../../core/topology.ts";

/** What `edgeAddress` needs of the machine's own network. */
export const rights = ["NET_ADMIN", "NET_BROADCAST", "NET_RAW"];

/**
 * keepalived on each edge node, in the node's own network: one node has the address, and tells it by VRRP. One that is
 * silent for three seconds, or whose edge takes no connection twice in a row, loses it to the next. Nodes are alike: who
 * has the address keeps it, also when another comes back.
 */
export function edgeAddress(site: Site, address: string): Omit<Workload, "replicas"> {
  const ip = address.split("/")[0] ?? "";
  const port = String(site.ports.https ?? site.ports.http);
  const health: Health = {
    ready: { command: ["sh", "-c", `kill -0 "$(cat /run/keepalived.pid)"`] },
    startSeconds: 30,
    stopSeconds: 10,
  };
  return {
    image: "keepalived",
    tier: "edge",
    cpu: 0.25,
    memoryMib: 32,
    user: "0:0",
    command: ["sh", "-euc", start(address, ip, port, routerId(`${site.name} ${address}`))],
    health,
  };
}

/** Tells the stacks of one network apart: 1 to 255. */
function routerId(of: string): number {
  return 1 + ((createHash("sha256").update(of).digest()[0] ?? 0) % 255);
}

/** An address that a killed keepalived has left here would answer beside the one that has it now. */
function start(address: string, ip: string, port: string, id: number): string {
  return `dev="$(ip -4 -o route show scope link to match ${ip} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)"
if [ -z "$dev" ]; then
  echo "no network of this node has ${ip}: swarm.edge.address has to be a free address of one that all edge nodes are in" >&2
  exit 1
fi
ip address del ${address} dev "$dev" 2>/dev/null || true
printf '#!/bin/bash\\nexec 3<>/dev/tcp/127.0.0.1/${port}\\n' >/run/edge-answers
chmod 0755 /run/edge-answers
cat >/run/keepalived.conf <<CONF
global_defs {
  script_user root
  enable_script_security
}
vrrp_script edge {
  script /run/edge-answers
  interval 1
  timeout 2
  fall 2
  rise 2
}
vrrp_instance edge {
  state BACKUP
  nopreempt
  interface $dev
  virtual_router_id ${String(id)}
  priority 100
  advert_int 1
  garp_master_refresh 10
  virtual_ipaddress {
    ${address} dev $dev
  }
  track_script {
    edge
  }
}
CONF
exec keepalived --dont-fork --log-console --use-file /run/keepalived.conf --pid /run/keepalived.pid`;
}
