/** Redis in three copies: what its parts are told, and when a server leads (its own shell, with what others answer). */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import type { Ask } from "../../components/core/contracts.ts";
import { serve } from "../../components/services/redis-serve.ts";
import { plan, site } from "../support/sketches.ts";
import { type Part, toldRecipe } from "../support/told.ts";

const ask = { clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 } as const;
const told = (more: Partial<Ask<"redis">> = {}) => toldRecipe("redis", { ...ask, copies: 3, ...more });
const fileOf = (part: Part | undefined, path: string): string =>
  part?.files?.find((file) => file.path.endsWith(path))?.content ?? "";
const servers = ["store-1", "store-2", "store-3"];

describe("its parts", () => {
  test("three servers, a pair of proxies that has the names, a job that waits until all is whole", async () => {
    const { parts, given } = await told({ names: ["cache"] });
    expect([...parts.keys()]).toEqual([...servers, "store-proxy", "store-setup"]);
    expect(parts.get("store-proxy")).toMatchObject({ replicas: 2, names: ["cache"] });
    for (const server of servers) expect(parts.get(server)).not.toHaveProperty("names");
    expect(given).toMatchObject({ host: "store-proxy", port: 6379, members: servers, user: "default" });
    expect(parts.get("store-setup")?.after).toEqual([...servers, "store-proxy"]);
    expect(parts.get("store-proxy")?.after).toEqual(["store-1"]);
  });

  test("one copy is what it was: one server, and nothing beside it", async () => {
    const alone = await toldRecipe("redis", ask);
    expect([...alone.parts.keys()]).toEqual(["store-1"]);
    expect(alone.given).toMatchObject({ host: "store-1", members: ["store-1"] });
    expect((await toldRecipe("redis", { ...ask, copies: 1 })).parts).toEqual(alone.parts);
    expect(alone.parts.get("store-1")?.command).toEqual(["redis-server", "/run/redis/redis.conf"]);
  });

  test("a stack's `copies` counts where the ask says nothing, and the first server has the disk of the only one", () => {
    const three = plan("arkindex", {}, undefined, site({ copies: 3 }));
    expect([...three.slots.keys()].filter((name) => name.startsWith("redis"))).toEqual([
      "redis-1",
      "redis-2",
      "redis-3",
    ]);
    const disk = (planned: typeof three) => planned.slots.get("redis-1")?.disk;
    expect(disk(three)).toEqual(disk(plan("arkindex")));
    expect(three.workloads.has("redis-proxy")).toBe(true);
    expect(plan("arkindex").workloads.has("redis-proxy")).toBe(false);
  });

  test.each([true, false])(
    "passwords are in secret files alone, and none at all without a login: %j",
    async (clientAuth) => {
      const { parts } = await told({ clientAuth });
      const word = "word-of";
      for (const [name, { files = [], ...rest }] of parts) {
        expect([name, JSON.stringify(rest).includes(word)]).toEqual([name, false]);
        for (const { path, content, secret } of files)
          expect([name, path, content.includes(word) && secret !== true]).toEqual([name, path, false]);
      }
      const conf = fileOf(parts.get("store-2"), "redis.conf");
      const sentinel = fileOf(parts.get("store-2"), "sentinel.conf") + fileOf(parts.get("store-2"), "group.conf");
      expect(conf.includes('requirepass "word-of-store-password"')).toBe(clientAuth);
      expect(conf.includes('masterauth "word-of-store-members-password"')).toBe(clientAuth);
      expect(sentinel.includes('requirepass "word-of-store-members-password"')).toBe(clientAuth);
      expect(sentinel.includes('sentinel auth-pass main "word-of-store-members-password"')).toBe(clientAuth);
      // The proxy learns who leads without a password.
      expect(fileOf(parts.get("store-proxy"), ".cfg").includes("AUTH\\ proxy\\ any")).toBe(clientAuth);
      expect(conf.includes("user proxy on nopass -@all +info")).toBe(clientAuth);
    },
  );

  test("a leader that is cut off takes no writes, unless it is a cache", async () => {
    const conf = async (keep: boolean) => fileOf((await told({ keep })).parts.get("store-1"), "redis.conf");
    expect(await conf(true)).toMatch(
      /appendonly yes[^]*noeviction[^]*min-replicas-to-write 1\nmin-replicas-max-lag 3\n/,
    );
    expect(await conf(false)).toMatch(/appendonly no[^]*allkeys-lru/);
    expect(await conf(false)).not.toContain("min-replicas");
  });

  test("no two sentinels find a leader down at the same moment", async () => {
    const { parts } = await told();
    const waits = servers.map(
      (name) => /down-after-milliseconds main (\d+)/.exec(fileOf(parts.get(name), "group.conf"))?.[1],
    );
    expect(new Set(waits).size).toBe(3);
  });

  test("the proxy takes two leaders, or one without replicas, for none", async () => {
    const config = fileOf((await told()).parts.get("store-proxy"), ".cfg");
    expect(config).toContain("tcp-request content accept unless { nbsrv(redis) gt 1 }");
    const [, leads = ""] = /expect rstring (\S+)/.exec(config) ?? [];
    const check = new RegExp(leads);
    expect(check.test("# Replication\r\nrole:master\r\nconnected_slaves:2\r\n")).toBe(true);
    expect(check.test("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n")).toBe(false);
    expect(check.test("# Replication\r\nrole:slave\r\nmaster_host:store-1\r\n")).toBe(false);
  });
});

/** What a sentinel says: whom it follows since which epoch, or that it follows nobody (`heard`). */
type View = `${number} 10.0.0.${number} ${number}` | "heard";
interface World {
  readonly keep?: boolean;
  /** The one that asks. */
  readonly number?: 1 | 2 | 3;
  /** The server has an append-only file. */
  readonly had?: boolean;
  readonly views: Readonly<Record<number, View>>;
  /** What the other servers say of themselves. */
  readonly servers?: Readonly<Record<number, string>>;
  /** Where names lead now, if not to 10.0.0.<number>. */
  readonly at?: Readonly<Record<number, string>>;
}

describe("who leads", () => {
  const numbers = [1, 2, 3] as const;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "redis-copies-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const scriptOf = (number: number, keep = true, auth = true) =>
    serve({
      ...{ group: "main", keep, auth, first: number === 1, host: `redis-${String(number)}`, port: 6379 + number },
      others: numbers
        .filter((other) => other !== number)
        .map((other) => ({ host: `redis-${String(other)}`, port: 6379 + other })),
    });

  /** One turn of `join` of a server: whom it follows, and what its sentinel was told to; undefined: it waits. */
  async function turn(world: World): Promise<{ leads: string; told: string } | undefined> {
    const { keep = true, number = 1, had = true, views, servers = {}, at = {} } = world;
    const [functions = ""] = scriptOf(number, keep).split("\nrm -f /tmp/joined\n");
    const of = <T>(dict: Readonly<Record<number, T>>, line: (who: number, what: T) => string) =>
      Object.entries(dict)
        .map(([who, what]) => line(Number(who), what))
        .join("\n");
    const host = (who: number) => (who === number ? "127.0.0.1" : `redis-${String(who)}`);
    const script = `cat() { :; }
${functions
  .replaceAll("/data/", `${folder}/`)
  .replaceAll("/tmp/joined", `${folder}/joined`)
  .replaceAll("/run/redis/", `${folder}/`)}
heard() { case "$1" in ${Object.keys(views)
      .map((who) => host(Number(who)))
      .join(" | ")}) ;; *) return 1 ;; esac; }
view() {
  case "$1" in
${of(views, (who, view) => `    ${host(who)}) echo "heard ${view === "heard" ? "  " : view}" ;;`)}
  esac
}
address() {
  case "$1" in
${of({ 1: "10.0.0.1", 2: "10.0.0.2", 3: "10.0.0.3", ...at }, (who, ip) => `    ${String(6379 + who)}) echo "${ip}" ;;`)}
  esac
}
redis() {
  case "$* " in
${of(servers, (who, info) => `    "-h redis-${String(who)} "*) echo "${info}" ;;`)}
    *) return 1 ;;
  esac
}
remember() { echo "$*" >told; }
timeout() { :; }
had=${had ? "yes" : ""}
join || exit 7
echo "$leader" >leads`;
    await writeFile(join(folder, "told"), "");
    const { exitCode } = await execa("sh", ["-c", script], { cwd: folder, reject: false });
    if (exitCode === 7) return undefined;
    const read = async (file: string) => (await readFile(join(folder, file), "utf8")).trim();
    return { leads: `redis-${String(Number(await read("leads")) - 6379)}`, told: await read("told") };
  }
  test("what a sentinel knows is kept whole on a full disk, and is told anew when there is room", async () => {
    const own = join(folder, "data");
    await mkdir(own);
    await writeFile(join(own, "sentinel.settings"), "port 26379\n");
    await writeFile(join(own, "group.settings"), "sentinel down-after-milliseconds main 3000\n");
    const [functions = ""] = scriptOf(2).split("\nrm -f /tmp/joined\n");
    const script = `${functions
      .replaceAll("/data/", `${own}/`)
      .replaceAll("/run/redis/sentinel.conf", `${own}/sentinel.settings`)
      .replaceAll("/run/redis/group.conf", `${own}/group.settings`)}
address() { echo "10.0.0.$(($1 - 6379))"; }
timeout() { :; }
view=`;
    const follow = async (line: string, epoch: number) => {
      const run = `${script}\n${line}\nfollow ${String(epoch)} 10.0.0.1 6380`;
      const { exitCode, stdout } = await execa("sh", ["-c", run], { reject: false });
      return [exitCode, stdout];
    };
    const kept = () => readFile(join(own, "sentinel.conf"), "utf8");
    const full = "trap '' XFSZ; ulimit -f 0";
    const refused = [1, "redis-2: has no room on its disk for what its sentinel knows"];
    expect(await follow(full, 1)).toEqual(refused);
    await expect(kept()).rejects.toThrow("ENOENT");
    expect(await follow("", 1)).toEqual([0, ""]);
    const whole = await kept();
    expect(whole.trim().split(/\n+/).sort()).toEqual([
      "port 26379",
      "sentinel config-epoch main 1",
      "sentinel down-after-milliseconds main 3000",
      "sentinel known-replica main 10.0.0.2 6381",
      "sentinel known-replica main 10.0.0.3 6382",
      "sentinel monitor main 10.0.0.1 6380 2",
    ]);
    expect(await follow(full, 2)).toEqual(refused);
    expect(await kept()).toBe(whole);
    expect(await follow("", 2)).toEqual([0, ""]);
    expect(await kept()).toBe(whole.replace("config-epoch main 1", "config-epoch main 2"));
  });

  const free = "role:slave slave_priority:0";
  const electable = "role:slave slave_priority:100";

  test("whom the highest epoch names, whoever says it", async () => {
    const views = { 1: "0 10.0.0.1 6380", 2: "2 10.0.0.2 6381", 3: "1 10.0.0.3 6382" } as const;
    expect(await turn({ views })).toEqual({ leads: "redis-2", told: "2 10.0.0.2 6381" });
    expect(await turn({ number: 3, views: { 3: "10 10.0.0.1 6380", 2: "9 10.0.0.2 6381" } })).toEqual({
      leads: "redis-1",
      told: "", // it knows already
    });
  });

  test("where it is now, and where it was last if its name leads nowhere", async () => {
    const views = { 2: "1 10.0.0.1 6380", 3: "1 10.0.0.1 6380" } as const;
    const moved = await turn({ number: 2, views, at: { 1: "10.0.0.77" } });
    expect(moved).toEqual({ leads: "redis-1", told: "1 10.0.0.77 6380" });
    expect(await turn({ number: 2, views, at: { 1: "" } })).toEqual({ leads: "redis-1", told: "" });
  });

  test("nobody by its own word alone: the other two may have another", async () => {
    expect(await turn({ views: { 1: "3 10.0.0.1 6380" } })).toBeUndefined();
    expect(await turn({ number: 2, views: { 2: "3 10.0.0.1 6380" } })).toBeUndefined();
  });

  test("a leader that starts again waits for those that may take over, and leads where none can", async () => {
    const views = { 1: "1 10.0.0.1 6380", 2: "1 10.0.0.1 6380" } as const;
    const leads = { leads: "redis-1", told: "" };
    expect(await turn({ views, servers: { 2: electable } })).toBeUndefined();
    expect(await turn({ views, servers: { 2: free, 3: "role:master connected_slaves:1" } })).toBeUndefined();
    expect(await turn({ views, servers: { 2: free, 3: free } })).toEqual(leads);
    expect(await turn({ views })).toEqual(leads);
    expect(await turn({ views, at: { 1: "10.0.0.9" } })).toEqual({ ...leads, told: "1 10.0.0.9 6380" });
  });

  test("an empty disk never leads those that have data; a cache has none after a start", async () => {
    const views = { 1: "1 10.0.0.1 6380", 2: "1 10.0.0.1 6380", 3: "1 10.0.0.1 6380" } as const;
    const servers = { 2: free, 3: free };
    expect(await turn({ had: false, views, servers })).toBeUndefined();
    expect(await turn({ keep: false, had: false, views, servers })).toMatchObject({ leads: "redis-1" });
  });

  test("of three empty ones the first, once both others answer", async () => {
    const two = { 1: "heard", 2: "heard" } as const;
    expect(await turn({ had: false, views: two })).toBeUndefined();
    expect(await turn({ had: false, views: { ...two, 3: "heard" } })).toEqual({
      leads: "redis-1",
      told: "0 10.0.0.1 6380",
    });
    expect(await turn({ number: 2, had: false, views: { ...two, 3: "heard" } })).toBeUndefined();
  });

  test("the only server of before, which has the data, at once", async () => {
    expect(await turn({ views: { 1: "heard" } })).toEqual({ leads: "redis-1", told: "0 10.0.0.1 6380" });
  });

  test("a new member learns from the others whom its sentinel follows", async () => {
    const views = { 3: "heard", 1: "4 10.0.0.2 6381", 2: "4 10.0.0.2 6381" } as const;
    expect(await turn({ number: 3, had: false, views })).toEqual({ leads: "redis-2", told: "4 10.0.0.2 6381" });
  });

  test("a sentinel's file: today's settings, what it knew, and the replicas where they are now", async () => {
    const [functions = ""] = scriptOf(1).split("\nrm -f /tmp/joined\n");
    const state = join(folder, "sentinel.conf");
    const file = async (call: string) => {
      const script = `${functions.replaceAll("/data/", `${folder}/`).replaceAll("/run/redis/", `${folder}/run-`)}
address() { echo "10.0.0.$(($1 - 6379))"; }
${call}`;
      await execa("sh", ["-c", script]);
      return (await readFile(state, "utf8")).split("\n").filter((line) => line !== "");
    };
    await writeFile(join(folder, "run-sentinel.conf"), "port 26379\n");
    await writeFile(join(folder, "run-group.conf"), "sentinel failover-timeout main 5000\n");
    await writeFile(join(folder, "run-members-password"), "word");
    await rm(state, { force: true });
    expect(await file("remember")).toEqual(["port 26379"]);
    await writeFile(state, "port 1\nrequirepass old\nsentinel myid abc\nsentinel current-epoch 3\n");
    const led = ["port 26379", "sentinel failover-timeout main 5000", "sentinel myid abc", "sentinel current-epoch 3"];
    const replicas = ["sentinel known-replica main 10.0.0.1 6380", "sentinel known-replica main 10.0.0.3 6382"];
    const follows = ["sentinel monitor main 10.0.0.2 6381 2", "sentinel config-epoch main 3"];
    expect(await file("remember 3 10.0.0.2 6381")).toEqual([...led, ...follows, ...replicas]);
    expect(await file("remember")).toEqual([...led, ...follows, ...replicas]);
  });

  test.each([
    ["err", true, 6380, ["127.0.0.1 failover main"]],
    ["err", true, 6381, []], // it has: another failover would take the lead from its successor
    ["ok", true, 6380, []],
    ["err", false, 6380, []],
  ])("a leader whose file takes nothing more hands over: %s, %j, %j", async (status, keep, leads, told) => {
    const [functions = ""] = scriptOf(1, keep).split("\nrm -f /tmp/joined\n");
    const script = `${functions.replaceAll("/data/", `${folder}/`).replaceAll("/run/redis/", `${folder}/run-`).replaceAll("/tmp/", `${folder}/`)}
left=5; sleep() { left=$((left - 1)); [ "$left" -gt 0 ]; }
own() { case "$*" in "info replication") echo role:master ;; "info persistence") echo aof_last_write_status:${status} ;; esac; }
view() { echo "heard 1 10.0.0.1 ${String(leads)}"; }
sentinel() { echo "$*" >>${folder}/asked; }
watch`;
    await writeFile(join(folder, "asked"), "");
    await execa("sh", ["-c", script], { reject: false });
    expect((await readFile(join(folder, "asked"), "utf8")).split("\n").filter(Boolean)).toEqual(told);
  });

  test("its shell is one that every sh reads", async () => {
    for (const keep of [true, false])
      for (const auth of [true, false])
        for (const number of numbers) await execa("sh", ["-nc", scriptOf(number, keep, auth)]);
  });
});
