/** The way to whichever server of a store leads, for clients that know one host name. */
import type { Dict, List, Platform, Port, Ready, Running } from "../core/contracts.ts";

/** A port of the proxy, and how it tells the servers behind it apart. */
export interface Way {
  /** Where clients connect. */
  readonly port: number;
  /** Where the servers listen: each at the same port, or at one of its own, in the order of `hosts`. */
  readonly to: number | List<number>;
  /** HAProxy's directives of a `listen` section that check a server, a line each. */
  readonly check: List<string>;
  /** Words of each `server` line, as `port 8008`. Default: the check asks `to`. */
  readonly server?: string;
}

/**
 * Two that seem to lead are one too many. The proxy takes each server for well until its first check, also one whose name
 * is there again: so a new connection waits for two seconds until there is one, and is refused only then.
 */
export function oneLeads(way: string): List<string> {
  return [
    "tcp-request inspect-delay 2s",
    `tcp-request content accept unless { nbsrv(${way}) gt 1 }`,
    "tcp-request content reject if WAIT_END",
  ];
}

/** What stands behind a proxy, and where it runs. */
export interface LeaderProxyArgs {
  /** The servers, by their addresses. */
  readonly hosts: List<string>;
  /** By names of the proxy's ports. */
  readonly ways: Dict<Way>;
  /** The servers, once they run: the first one before the proxies are made, all of them before these are ready. */
  readonly after: List<Ready>;
  /** Further DNS names of the store. */
  readonly names?: List<string> | undefined;
  /** Labels that its nodes must carry. */
  readonly nodeLabels?: Dict<string> | undefined;
}

const conf = "/run/haproxy/haproxy.cfg";
/** For its own health check. */
const alive = 8404;

/**
 * Two HAProxies, on two nodes where there are two. Each asks every server every second, and ends the connections to one
 * that leads no more: its clients connect again, and reach the next. They start beside the second server and the third. The
 * first one may have been the only one until now, under the name that they take over.
 */
export function leaderProxy(p: Platform, name: string, args: LeaderProxyArgs): Running {
  const { hosts, ways, after, names, nodeLabels } = args;
  const ports: Dict<Port> = Object.fromEntries(
    Object.entries(ways).map(([key, { port }]) => [key, { number: port, protocol: "tcp" }]),
  );
  const proxy = p.run(name, {
    image: "haproxy",
    tier: "data",
    cpu: 1,
    memoryMib: 64,
    user: "65534:65534",
    files: [{ path: conf, content: config(hosts, ways) }],
    command: ["haproxy", "-db", "-f", conf],
    ports: { ...ports, alive: { number: alive, protocol: "http" } },
    // Whether it runs, and no more: while no server leads, another proxy would find none either. At the servers' ports
    // each check would be a client of theirs.
    health: { ready: { http: "alive", path: "/" }, startSeconds: 60, stopSeconds: 5 },
    replicas: 2,
    after: after.slice(0, 1),
    ...(names === undefined ? {} : { names }),
    ...(nodeLabels === undefined ? {} : { nodes: nodeLabels }),
  });
  return { ...proxy, ready: [...after.flatMap(({ ready }) => ready), ...proxy.ready] };
}

/**
 * Keep-alives of five seconds find a server whose node has lost its power. A server's new address is taken within two:
 * a container that starts again has another. No name is looked up before the proxy runs: where a DNS server is silent, it
 * would wait for twenty seconds for each server that is away.
 */
function config(hosts: List<string>, ways: Dict<Way>): string {
  return `global
  maxconn 4000
  log stdout format raw local0 notice
defaults
  mode tcp
  log global
  timeout connect 2s
  timeout client 1d
  timeout server 1d
  timeout check 2s
  option clitcpka
  option srvtcpka
  clitcpka-idle 5s
  clitcpka-intvl 2s
  clitcpka-cnt 3
  srvtcpka-idle 5s
  srvtcpka-intvl 2s
  srvtcpka-cnt 3
resolvers engine
  nameserver dns 127.0.0.11:53
  resolve_retries 2
  timeout resolve 1s
  timeout retry 1s
  hold valid 2s
  hold other 5s
  hold nx 5s
frontend alive
  bind 127.0.0.1:${String(alive)}
  mode http
  http-request return status 200
${Object.entries(ways)
  .map(([key, way]) => listen(key, hosts, way))
  .join("")}`;
}

function listen(key: string, hosts: List<string>, { port, to, check, server }: Way): string {
  const lines = [
    `bind :${String(port)}`,
    ...check,
    `default-server inter 1s fastinter 500ms downinter 1s fall 2 rise 1 on-marked-down shutdown-sessions init-addr none resolvers engine resolve-prefer ipv4 check${server === undefined ? "" : ` ${server}`}`,
    ...hosts.map(
      (host, index) => `server s${String(index + 1)} ${host}:${String(typeof to === "number" ? to : to[index])}`,
    ),
  ];
  return `listen ${key}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
