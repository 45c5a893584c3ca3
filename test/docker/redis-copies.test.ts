/** Redis in three copies on one Docker host: what a lost server, a lost network and a whole power cut cost a client. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  containerIds,
  engine,
  eventually,
  inContainer,
  killProcess,
  localImage,
  localImages,
  sweep,
  untilHealthy,
} from "../support/arkindex.ts";
import { later } from "../support/later.ts";
import { held, Ledger, type Row } from "../support/ledger.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "redis-ha";
const members = ["redis-1", "redis-2", "redis-3"] as const;
type Member = (typeof members)[number];
/** The goal of a failover, in seconds. */
const goal = 10;
const minutes = 60_000;
let stack: TestStack;
let password: string;
let ledger: Ledger | undefined;

const program = (copies: 1 | 3) => `import { siteOf } from "${repo}/components/core/site.ts";
import { Redis } from "${repo}/components/services/redis.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const site = siteOf({ name: "${name}", hostname: "redis.localhost", images: ${JSON.stringify(localImages())}, protect: false });
const on = new DockerHost("docker", {
  ...{ site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } },
  subnets: { edge: "10.231.11.0/24", app: "10.231.12.0/24", data: "10.231.13.0/24" },
});
const redis = new Redis("redis", { on, clientTls: "never", clientAuth: true, keep: true, memoryMib: 32, copies: ${String(copies)} });
export const { host, password } = redis.given;
`;

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({ program: program(1), config: { "pulumi:disable-default-providers": ["*"] } });
}, minutes);

afterAll(async () => {
  await Ledger.sweep();
  await stack.dispose();
  await sweep(name);
}, 2 * minutes);

const client = { image: localImage("toolbox"), network: `${name}-data` };

/** What redis-cli answers, as a client of `host`. */
async function said(host: string, words: string): Promise<string> {
  const script = `REDISCLI_AUTH='${password}' timeout 5 redis-cli -h ${host} ${words}`;
  return (await inContainer(client, script)).body.trim();
}

function portOf(member: Member): number {
  return 6380 + members.indexOf(member);
}

/** For the terminal: figures of this run. */
function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The same in a server's own container, whatever else is down. */
async function of(member: Member, words: string): Promise<string> {
  const { [member]: container = "" } = await containerIds(name);
  const redis = `REDISCLI_AUTH='${password}' redis-cli -p ${String(portOf(member))}`;
  return (await inContainer({ container }, `${redis} ${words}`)).body.trim();
}

async function leaders(): Promise<Member[]> {
  const told = await Promise.all(members.map(async (each) => [each, await of(each, "role").catch(() => "")] as const));
  return told.filter(([, role]) => role.startsWith("master")).map(([each]) => each);
}

/** Waits until one server leads, with two replicas that have all it has, and no other does. */
function whole(): Promise<Member> {
  return eventually(async () => {
    const [leader, ...more] = await leaders();
    if (leader === undefined || more.length > 0) return undefined;
    const info = await of(leader, "info replication");
    return info.match(/state=online/g)?.length === 2 ? leader : undefined;
  }, 60);
}

/** A client that knows one host writes and reads while `harm` is done, for so many seconds. */
async function writing(what: string, seconds: number, harm: () => Promise<unknown>): Promise<readonly Row[]> {
  ledger ??= new Ledger({ redis: { kind: "redis", host: "redis-proxy", password } }, { pause: 0.002 });
  const where = { engine, image: localImage("postgres-ha"), networks: [`${name}-data`] };
  return ledger.during(where, what, async () => {
    await harm();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await whole();
  });
}

/** Those of the acknowledged numbers that are not there. */
async function lost(key: string, acknowledged: readonly number[]): Promise<number[]> {
  const there = new Set((await said("redis-proxy", `lrange ${key} 0 -1`)).split("\n").map(Number));
  return acknowledged.filter((n) => !there.has(n));
}

async function container(member: string) {
  const { [member]: id = "" } = await containerIds(name);
  return engine.getContainer(id);
}

test(
  "one server becomes the first of three, with its data",
  async () => {
    succeeded(await stack.up());
    ({ password } = (await stack.outputs()) as { password: string });
    expect(await stack.outputs()).toMatchObject({ host: "redis-1" });
    expect(await said("redis-1", "set before yes")).toBe("OK");
    await stack.rewrite(program(3));
    succeeded(await stack.up());
    succeeded(await stack.preview(["--expect-no-changes"]));
    expect(Object.keys(await containerIds(name)).sort()).toEqual([...members, "redis-proxy-1", "redis-proxy-2"]);
    expect(await stack.outputs()).toMatchObject({ host: "redis-proxy", password });
    expect(await said("redis-proxy", "get before")).toBe("yes");
    expect(await whole()).toBe("redis-1");
  },
  10 * minutes,
);

test(
  "no secret is in plain text: not in the state, not in a container's settings, not in a log",
  async () => {
    const secrets = await generatedSecrets(stack);
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(["members-password", "password"]));
    const { output } = await stack.run(["stack", "export"]);
    const ids = Object.values(await containerIds(name));
    const told = await Promise.all(
      ids.map(async (id) => {
        const log = await engine.getContainer(id).logs({ stdout: true, stderr: true });
        return JSON.stringify(await engine.getContainer(id).inspect()) + log.toString();
      }),
    );
    expect(leaks([output, ...told].join("\n"), secrets)).toEqual([]);
    const processes = await Promise.all(
      members.map(async (each): Promise<unknown> => (await container(each)).top({ ps_args: "-eo pid,args" })),
    );
    expect(leaks(JSON.stringify(processes), secrets)).toEqual([]);
  },
  minutes,
);

test(
  "a killed leader: another leads within the goal, nothing acknowledged is lost, it comes back as a replica",
  async () => {
    const leader = await whole();
    held(await writing("killed", 20, async () => killProcess(await container(leader))), goal);
    expect(await whole()).not.toBe(leader);
    expect(await of(leader, "role")).toMatch(/^slave/);
    expect(await of(leader, "config get replica-priority")).toContain("100");
  },
  3 * minutes,
);

/** Seven servers and a sentinel with the settings `$1`. The last line is what the one that does not lead follows, and after how long. */
const addressesOfOld = `say() { redis-cli -p "$@" 2>/dev/null; }
for port in $(seq 7001 7007); do
  redis-server --port $port --save "" --daemonize yes --pidfile /tmp/$port.pid >/dev/null
  [ $port = 7001 ] || say $port replicaof 127.0.0.1 7001 >/dev/null
done
{ echo "port 26379"; echo "sentinel monitor main 127.0.0.1 7001 1"; printf '%s\n' "$1"; } >/tmp/sentinel.conf
redis-server /tmp/sentinel.conf --sentinel --daemonize yes >/dev/null
until [ "$(say 26379 sentinel replicas main | grep -c '^name$')" = 6 ]; do sleep 0.2; done
# These answer no more, and are no candidates, as addresses of containers that are gone.
for port in $(seq 7002 7005); do kill -STOP $(cat /tmp/$port.pid); done
until [ "$(say 26379 sentinel replicas main | grep -c s_down)" = 4 ]; do sleep 0.2; done
kill -KILL $(cat /tmp/7001.pid)
began=$(date +%s)
until [ $(($(date +%s) - began)) -ge 40 ]; do
  for port in 7006 7007; do
    leader=$((14013 - port))
    case "$(say $leader role | head -n 1)-$(say $port role | sed -n 3p)" in master-$leader) echo "followed $(($(date +%s) - began))"; exit ;; esac
  done
  sleep 0.1
done
echo "followed nobody"`;

test(
  "a replica is told of the next leader at once, however many addresses of servers that are gone a sentinel has",
  async () => {
    const settings = await inContainer(
      { container: (await container("redis-1")).id },
      "grep -v auth- /run/redis/group.conf",
    );
    expect(settings.body).toContain("failover-timeout");
    const script = `set -- '${settings.body}'\n${addressesOfOld}`;
    const { body } = await inContainer({ image: localImage("redis"), network: "none" }, script);
    tell(body);
    // Four. Told by turns it follows after eight.
    expect(Number(/followed (\d+)\s*$/.exec(body)?.[1])).toBeLessThan(7);
  },
  2 * minutes,
);

later(
  "a server that is told to end hands over first",
  async () => {
    const leader = await whole();
    held(await writing("told to end", 15, async () => (await container(leader)).restart({ t: 30 })), goal);
    expect(await whole()).not.toBe(leader);
  },
  3 * minutes,
);

/** A client beside a server, which no cut parts from it: the numbers that were acknowledged in so many seconds. */
async function beside(member: Member, key: string, seconds: number, wait: boolean): Promise<number[]> {
  const { [member]: id = "" } = await containerIds(name);
  const client = `redis-cli -p ${String(portOf(member))}`;
  const write = wait
    ? `printf 'rpush ${key} %s\\nwait 1 500\\n' $n | ${client} | tr '\\n' ' ' | grep -qE '^[0-9]+ [12] '`
    : `${client} rpush ${key} $n | grep -q '^[0-9]'`;
  const script = `export REDISCLI_AUTH='${password}'; n=0; end=$(($(date +%s) + ${String(seconds)}))
while [ "$(date +%s)" -lt $end ]; do n=$((n + 1)); ${write} && echo $n; done; true`;
  const { body } = await inContainer({ container: id }, script);
  return body
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

later(
  "a leader without a network: another leads, and it follows that one when it is back",
  async () => {
    const leader = await whole();
    const network = engine.getNetwork(`${name}-data`);
    const { id } = await container(leader);
    const local = [beside(leader, "plain", 14, false), beside(leader, "waited", 14, true)] as const;
    const cut = await writing("cut off", 1, async () => {
      await network.disconnect({ Container: id, Force: true });
      await new Promise((resolve) => setTimeout(resolve, 25_000));
      // As the engine gives the network to a container: under its names, and with another address.
      await network.connect({ Container: id, EndpointConfig: { Aliases: [leader] } });
    });
    held(cut, goal);
    expect(await whole()).not.toBe(leader);
    const [plain, waited] = await Promise.all(local);
    // Replication is not awaited: what a cut-off leader still takes is lost, until it notices. WAIT tells its client.
    const gone = { plain: await lost("plain", plain), waited: await lost("waited", waited) };
    tell(
      `plain: ${String(gone.plain.length)} of ${String(plain.length)} lost that the cut-off leader had acknowledged`,
    );
    tell(`waited: ${String(gone.waited.length)} of ${String(waited.length)} lost, each with WAIT 1`);
    expect(waited.length).toBeGreaterThan(0);
    expect(gone.waited).toEqual([]);
  },
  180_000,
);

later(
  "all three at once: they come back with everything",
  async () => {
    await whole();
    const before = await said("redis-proxy", "dbsize");
    const rows = await said("redis-proxy", "hlen ledger");
    await Promise.all(members.map(async (each) => killProcess(await container(each))));
    await whole();
    expect(
      await eventually(async () => ((await said("redis-proxy", "set after 1")) === "OK" ? true : undefined), 60),
    ).toBe(true);
    expect(Number(await said("redis-proxy", "dbsize"))).toBe(Number(before) + 1);
    expect(await said("redis-proxy", "hlen ledger")).toBe(rows);
    expect(await said("redis-proxy", "get before")).toBe("yes");
  },
  3 * minutes,
);

later(
  "a leader that lost its data does not empty the others",
  async () => {
    const leader = await whole();
    const server = await container(leader);
    await inContainer({ container: server.id }, "rm -r /data/appendonlydir");
    await killProcess(server);
    expect(await whole()).not.toBe(leader);
    expect(await said("redis-proxy", "get before")).toBe("yes");
  },
  3 * minutes,
);

test(
  "all is healthy, as the program wants it, and goes",
  async () => {
    await untilHealthy(Object.values(await containerIds(name)));
    succeeded(await stack.preview(["--expect-no-changes"]));
    succeeded(await stack.destroy());
    expect(await containerIds(name)).toEqual({});
  },
  3 * minutes,
);
