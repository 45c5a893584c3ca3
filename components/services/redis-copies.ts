/** Three Redis servers of which one leads, their sentinels, and the way to the leader. */
import { output, type Output } from "@pulumi/pulumi";

import type { Ask, Dict, File, Given, List, Platform } from "../core/contracts.ts";
import { quickNames, storeOptions, toolbox } from "../core/recipe.ts";
import { redisString } from "../core/syntax.ts";
import { leaderProxy, oneLeads } from "./leader-proxy.ts";
import { lines, memberPort, paths, port, type Server, signIn } from "./redis-parts.ts";
import { type Other, sentinelPort, serve, settled } from "./redis-serve.ts";

/** The name that the sentinels have for the three. */
const group = "main";

/**
 * Three servers, each at a port of its own. The members' password is another than the clients': a new one of these must
 * not part the servers while they start again one by one.
 */
export function redisCopies(
  p: Platform,
  name: string,
  ask: Ask<"redis">,
  serverAt: (port: number) => Server,
  password: Output<string> | undefined,
): Given<"redis"> {
  const own = password ? p.secret(`${name}-members-password`) : undefined;
  const file = (path: string, content: (password: string) => string): File =>
    own ? { path, content: own.apply(content), secret: true } : { path, content: content("") };
  const numbers = [1, 2, 3];
  const members = numbers.map((number) => `${name}-${String(number)}`);
  const all: List<Other> = members.map((member, index) => ({ host: p.address(member), port: memberPort(index + 1) }));
  const { image, nodes } = storeOptions(ask, "redis");
  const made = p.slots(name, { count: numbers.length }, ({ host, number }) => {
    const at = memberPort(number);
    const server = serverAt(at);
    const { ready } = server.health;
    const alone = "command" in ready ? ready.command.slice(2) : [];
    return {
      ...server,
      image,
      ...(nodes === undefined ? {} : { nodes }),
      // A sentinel, a shell, and what the replicas have not taken yet.
      memoryMib: server.memoryMib + 32 + backlogMib(ask),
      env: quickNames,
      files: [
        ...server.files.map((each) =>
          each.path === paths.conf
            ? {
                ...each,
                content: output([each.content, own ?? ""]).apply(
                  ([conf = "", word = ""]) => conf + memberConf(ask, at, word),
                ),
              }
            : each,
        ),
        file(paths.sentinel, sentinelConf),
        file(paths.group, groupConf(number)),
        ...(own ? [file(paths.members, (word) => word)] : []),
      ],
      command: [
        ...["sh", "-c"],
        serve({
          group,
          host,
          port: at,
          first: number === 1,
          others: all.filter((other) => other.host !== host),
          keep: ask.keep,
          auth: own !== undefined,
        }),
      ],
      ports: { ...server.ports, sentinel: { number: sentinelPort, protocol: "tcp" } },
      health: { ...server.health, ready: { command: ["sh", "-c", [settled, ...alone].join("\n")] } },
    };
  });
  const proxy = leaderProxy(p, `${name}-proxy`, {
    hosts: all.map(({ host }) => host),
    ways: { redis: { port, to: all.map((each) => each.port), check: leads(own !== undefined) } },
    names: ask.names,
    nodeLabels: ask.nodeLabels,
    after: made,
  });
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    ...(password ? { files: [{ path: paths.password, content: password, secret: true }] } : {}),
    command: ["sh", "-euc", `${password ? signIn : ""}${whole(proxy.host)}`],
    seconds: 600,
    after: [proxy],
  });
  return { host: proxy.host, port, members, ready: setup.ready };
}

/** What a replica that was away for a moment takes, instead of everything. */
function backlogMib({ memoryMib }: Ask<"redis">): number {
  return Math.max(1, Math.floor(memoryMib / 8));
}

/**
 * `min-replicas`: a leader that is cut off takes no writes after three seconds, which is when the others have another. A
 * cache takes them: what is lost there, is computed again.
 */
function memberConf(ask: Ask<"redis">, at: number, password: string): string {
  const settings: Dict<string> = {
    port: String(at),
    ...(ask.keep ? { "min-replicas-to-write": "1", "min-replicas-max-lag": "3" } : {}),
    // A lost leader, or replica, is given up for good by then.
    "repl-timeout": "10",
    "repl-ping-replica-period": "2",
    "repl-diskless-sync-delay": "0",
    "repl-backlog-size": `${String(backlogMib(ask))}mb`,
    // A client whose node lost its power holds its locks and its blocking reads until then.
    "tcp-keepalive": "10",
    "shutdown-timeout": "5",
  };
  const users = [
    `user member on ${redisString(`>${password}`)} ~* &* +@all`,
    // For the proxy, which has no password: it learns who leads, and no more.
    "user proxy on nopass -@all +info",
  ];
  const login = { masteruser: "member", masterauth: redisString(password) };
  return password === "" ? lines(settings) : `${lines({ ...settings, ...login })}${users.join("\n")}\n`;
}

function sentinelConf(password: string): string {
  return lines({
    port: String(sentinelPort),
    dir: "/tmp",
    "protected-mode": "no",
    ...(password === "" ? {} : { requirepass: redisString(password) }),
  });
}

/**
 * What the sentinel knows of the three beside who leads. Each waits half a second longer than the one before: two that
 * want to elect a leader at once vote each for itself. They do all the same now and then, and try again
 * after twice the time-out: Redis' 180 s, or even 5 s of it, are longer than the whole failover may take.
 */
function groupConf(number: number): (password: string) => string {
  return (password) =>
    lines({
      ...(password === ""
        ? {}
        : { [`sentinel auth-user ${group}`]: "member", [`sentinel auth-pass ${group}`]: redisString(password) }),
      [`sentinel down-after-milliseconds ${group}`]: String(2000 + 500 * number),
      [`sentinel failover-timeout ${group}`]: "2000",
      // All at once: a sentinel has the addresses of servers that have another now, and would wait for those by turns.
      [`sentinel parallel-syncs ${group}`]: "1000",
    });
}

/** A leader has a replica: one that was cut off, or lost its replicas to another leader, is none. */
function leads(auth: boolean): List<string> {
  return [
    ...oneLeads("redis"),
    "option tcp-check",
    "tcp-check connect",
    ...(auth ? ["tcp-check send AUTH\\ proxy\\ any\\r\\n", "tcp-check expect string +OK"] : []),
    // The server ends the connection: else the proxy would wait for the rest of an answer that does not fit.
    "tcp-check send INFO\\ replication\\r\\nQUIT\\r\\n",
    "tcp-check expect rstring role:master\\r\\nconnected_slaves:[1-9]",
  ];
}

/** Waits until the proxy leads to a server with both replicas. */
function whole(host: string): string {
  return `for attempt in $(seq 150); do
  said="$(timeout 5 redis-cli -h ${host} info replication 2>&1 || true)"
  case "$said" in *role:master*connected_slaves:2*) exit 0 ;; esac
  sleep 2
done
echo "${host} leads to no server with two replicas: $said" >&2
exit 1`;
}
