/** Three PostgreSQL servers: what is made, what it is told, and what its scripts do with what they find. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";

import { afterEach, describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { parse } from "yaml";

import { scriptOf } from "../../components/core/backup.ts";
import type { Ask } from "../../components/core/contracts.ts";
import { askedOf, probe, settingsScript } from "../../components/services/patroni.ts";
import { newFolder } from "../support/folder.ts";
import { misplacedSecrets } from "../support/part-rules.ts";
import { type Part, textsOf, toldRecipe } from "../support/told.ts";

const least: Ask<"postgres"> = { databases: ["shop"], clientTls: "never", gib: 20, copies: 3 };
const made = (more: Partial<Ask<"postgres">> = {}) => toldRecipe("postgres", { ...least, ...more });

const part = (parts: ReadonlyMap<string, Part>, name: string): Part => {
  const found = parts.get(name);
  if (found === undefined) throw new Error(`no part ${name}`);
  return found;
};
const file = ({ files = [] }: Part, end: string): string => files.find(({ path }) => path.endsWith(end))?.content ?? "";

/** A folder for PATH with a program of each name. The real ones are behind it. */
function programs(scripts: Readonly<Record<string, string>>): string {
  const folder = newFolder("programs");
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function shell(script: string, path: string, words: readonly string[] = []) {
  const env = { ...process.env, PATH: `${path}:${process.env.PATH ?? ""}` };
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script, "prepare", ...words], { env, encoding: "utf8" });
  return { status, stdout: stdout.trim(), stderr: stderr.trim() };
}

describe("what is made", () => {
  test("the first server has the name and the disk of a single one, and each waits for etcd and its settings", async () => {
    const { parts, given, ready } = await made();
    expect([...parts.keys()]).toEqual([
      ...["store-etcd-1", "store-etcd-2", "store-etcd-3", "store-settings"],
      ...["store-1", "store-2", "store-3", "store-proxy", "store-setup"],
    ]);
    const one = await toldRecipe("postgres", { ...least, copies: 1 });
    expect(part(parts, "store-1").disk?.path).toBe(part(one.parts, "store-1").disk?.path);
    expect(part(parts, "store-settings").after).toEqual(["store-etcd-1", "store-etcd-2", "store-etcd-3"]);
    expect(part(parts, "store-2").after).toEqual(["store-settings", "store-1"]);
    expect(part(parts, "store-proxy").after).toEqual(["store-1"]);
    expect(part(parts, "store-setup").after).toEqual(["store-1", "store-2", "store-3", "store-proxy"]);
    expect(given).toEqual({
      ...{ host: "store-proxy", port: 5432, members: ["store-1", "store-2", "store-3"] },
      ...{ user: "app", password: "word-of-store-owner-password" },
      passwords: { "store-admin": "word-of-store-password" },
    });
    expect(ready).toEqual(["store-setup"]);
  });

  test("each etcd shares the machine of a server, and its disk needs no backup", async () => {
    const { parts, dumps } = await made({ nodeLabels: { disk: "fast" } });
    for (const number of ["1", "2", "3"])
      expect(part(parts, `store-etcd-${number}`)).toMatchObject({
        ...{ colocate: `store-${number}`, nodes: { disk: "fast" } },
        disk: { backup: { rebuilt: expect.stringContaining("write again") as unknown } },
      });
    // Dumps of one server and of three go into the same folder: each fills the other.
    expect(dumps.map((dump) => (dump as { store?: string }).store)).toEqual(["store-1"]);
    const [saved] = dumps;
    expect(saved?.dump).toContain("PGPORT=5433");
    expect(saved?.restore).toContain("PGHOST=store-proxy");
    expect(saved?.drillServer?.command?.join(" ")).not.toContain("patroni");
    // Each file has to fit into every topology's secret store.
    for (const verbs of [["dump", "check", "drill", "prune", "log"] as const, ["recover"] as const])
      for (const each of dumps) expect(scriptOf(each, [...verbs]).length).toBeLessThan(20 * 1024);
  });

  test("names that applications insist on lead to the proxies alone", async () => {
    const { parts, given } = await made({ names: ["pyrus-postgresql"] });
    const named = [...parts].filter(([, { names = [] }]) => names.length > 0).map(([name]) => name);
    expect(named).toEqual(["store-proxy"]);
    expect(given.host).toBe("pyrus-postgresql");
  });

  test("the proxy leads to whoever leads, and from its other port to a replica, or to the leader if there is none", async () => {
    const { parts } = await made();
    const [, sql = "", replica = ""] = file(part(parts, "store-proxy"), "haproxy.cfg").split(/^listen /m);
    for (const each of [sql, replica]) expect(each).toContain("init-addr none");
    expect(sql).toMatch(/^sql\n {2}bind :5432\n {2}option httpchk OPTIONS \/primary\n/);
    expect(replica).toMatch(/^replica\n {2}bind :5433\n {2}option httpchk OPTIONS \/replica\?lag=16MB\n/);
    expect(replica).toContain("use_backend sql if { nbsrv eq 0 }");
    expect(sql).toContain("tcp-request content accept unless { nbsrv(sql) gt 1 }");
    expect(replica).not.toContain("reject");
    for (const way of [sql, replica])
      for (const number of ["1", "2", "3"]) expect(way).toContain(`server s${number} store-${number}:5432`);
    expect(sql).toContain("check port 8008");
  });

  test("an application's own image is tried before it takes the place of one that works", async () => {
    const { parts } = await made({ image: "pyrus/pgsql-16" });
    expect(part(parts, "store-1")).toMatchObject({
      image: "pyrus/pgsql-16",
      after: ["store-settings", "store-image"],
    });
    expect(part(parts, "store-etcd-1").image).toBe("postgres-ha");
    const [command = "", ...words] = part(parts, "store-image").command ?? [];
    const without = spawnSync(command, words, { env: { PATH: programs({}) + ":/usr/bin:/bin" }, encoding: "utf8" });
    expect(without.status).not.toBe(0);
    expect(without.stderr).toContain(
      "pyrus/pgsql-16 has no Patroni 4.1: add it as docs/ha.md says, or say copies: { store: 1 }",
    );
    const bare = spawnSync(command, words, {
      env: { PATH: programs({ python3: "exit 0" }) + ":/usr/bin:/bin" },
      encoding: "utf8",
    });
    expect([bare.status, bare.stderr]).toEqual([
      1,
      "pyrus/pgsql-16 has no initdb: docs/ha.md says what it needs; or say copies: { store: 1 }\n",
    ]);
  });

  test("a name that no script can hold is refused, as for one server", async () => {
    await expect(made({ databases: ["a;b"] })).rejects.toThrow('store.databases = "a;b": letters, digits');
  });
});

describe("secrets", () => {
  test("are in secret files, and in nothing else", async () => {
    const { parts } = await made({ image: "pyrus/pgsql-16", outputPlugins: ["wal2json"] });
    expect(misplacedSecrets(parts)).toEqual([]);
    for (const [name, each] of parts) {
      const { files = [] } = each;
      expect([name, textsOf({ ...each, files: [] }).filter((text) => text.includes("word-of-"))]).toEqual([name, []]);
      for (const { content, secret, path } of files)
        if (content.includes("word-of-")) expect([name, path, secret]).toEqual([name, path, true]);
    }
  });

  test("etcd answers nobody without the certificate, and whoever commands a member signs in", async () => {
    const { parts } = await made();
    const said = part(parts, "store-etcd-1").command ?? [];
    for (const option of ["--client-cert-auth=true", "--peer-client-cert-auth=true"]) expect(said).toContain(option);
    expect(said.filter((word) => /^--(listen|advertise|initial-adv).*=http:/.test(word))).toEqual([
      "--listen-metrics-urls=http://127.0.0.1:2381",
    ]);
    const patroni = parse(file(part(parts, "store-2"), "patroni.yml")) as Record<string, Record<string, unknown>>;
    expect(patroni.restapi?.authentication).toEqual({ username: "patroni", password: "word-of-store-api-password" });
    expect(patroni.etcd3).toMatchObject({ protocol: "https", cacert: "/run/etcd/ca.pem" });
    // A cluster is founded by the first server's own start, with its settings, and by nobody's default.
    expect(patroni).not.toHaveProperty("bootstrap");
  });
});

describe("what all servers are told", () => {
  const asked = (more: Partial<Ask<"postgres">> = {}) =>
    askedOf({ ...least, ...more }, false) as {
      readonly ttl: number;
      readonly loop_wait: number;
      readonly retry_timeout: number;
      readonly postgresql: { readonly parameters: Readonly<Record<string, string>> };
    };

  test("no commit is answered by one server alone, and Patroni gives up before another may lead", () => {
    const said = asked();
    expect(said).toMatchObject({ synchronous_mode: "quorum", synchronous_mode_strict: true, failsafe_mode: true });
    expect(said.loop_wait + 2 * said.retry_timeout).toBeLessThanOrEqual(said.ttl);
  });

  test("settings are a word of the job, and of no server's own: another one replaces none", async () => {
    const before = await made();
    const after = await made({ settings: { work_mem: "5MB" } });
    const changed = [...after.parts].filter(
      ([name, now]) => JSON.stringify(now) !== JSON.stringify(before.parts.get(name)),
    );
    expect(changed.map(([name]) => name)).toEqual(["store-settings", "store-1"]);
    // Of the first server only its drill is another.
    const { disk: one, ...first } = part(after.parts, "store-1");
    const { disk: other, ...same } = part(before.parts, "store-1");
    expect(first).toEqual(same);
    expect(one?.path).toBe(other?.path);
    expect(asked({ settings: { work_mem: "5MB" } }).postgresql.parameters.work_mem).toBe("5MB");
  });

  test("who cannot be rewound copies the leader: what a broken rewind leaves is no server", () => {
    expect(asked()).toMatchObject({
      postgresql: { use_pg_rewind: true, remove_data_directory_on_rewind_failure: true },
    });
  });

  test("the log for whoever stays away ends at half of the disk", () => {
    expect(asked().postgresql.parameters.max_slot_wal_keep_size).toBe("10240MB");
    expect(asked().postgresql.parameters).not.toHaveProperty("listen_addresses");
  });

  test("the log is kept for the backup alone, and no longer than there is one", () => {
    expect(asked()).not.toHaveProperty("slots");
    expect(askedOf(least, true)).toMatchObject({ slots: { archive: { type: "physical" } } });
  });

  test("an application's own slots are nobody else's to drop", () => {
    expect(asked()).not.toHaveProperty("ignore_slots");
    expect(asked({ outputPlugins: ["wal2json"] })).toMatchObject({
      ignore_slots: [{ type: "logical", plugin: "wal2json" }],
    });
  });
});

describe("Patroni as the launcher starts it", () => {
  /** Its standard output, with files of the test's in its package's place. */
  async function launched(files: Readonly<Record<string, string>>): Promise<string> {
    const { parts } = await made();
    const root = newFolder("launcher");
    mkdirSync(join(root, "patroni/dcs"), { recursive: true });
    const all: Record<string, string> = {
      "patroni.py": file(part(parts, "store-1"), "patroni.py"),
      "patroni/__init__.py": "",
      "patroni/config.py": "class Config:\n    _Config__get_and_maybe_adjust_int_value = None\n",
      "patroni/dcs/__init__.py": "",
      "patroni/dcs/etcd3.py": "class Etcd3:\n    _delete_leader = None\n",
      "patroni/ha.py": "class Ha:\n    process_manual_failover_from_leader = None\n",
      ...files,
    };
    const main = all["patroni/__main__.py"] ?? "";
    if (!main.includes("class Patroni"))
      all["patroni/__main__.py"] = `class Patroni:\n    tags = property(lambda self: {})\n${main}`;
    for (const [name, content] of Object.entries(all)) writeFileSync(join(root, name), content);
    const env = { PATH: process.env.PATH ?? "", PYTHONPATH: root };
    const { stdout, stderr } = spawnSync("python3", [join(root, "patroni.py")], { env, encoding: "utf8" });
    expect(stderr.replace(/^its disk is full: it hands over to \S+\n/, "")).toBe("");
    return stdout;
  }

  test("a clock that is set back stops none of its waits", async () => {
    const stdout = await launched({
      // The machine's clock, which goes back by ten minutes while Patroni runs.
      "sitecustomize.py":
        "import time\nright = time.time\nbehind = []\ntime.time = lambda: right() - 600 * len(behind)\n",
      "patroni/__main__.py":
        "import time, sitecustomize\ndef main():\n    began = time.time()\n    sitecustomize.behind.append(1)\n    print(abs(began - sitecustomize.right()) < 60, time.time() >= began)\n",
    });
    expect(stdout).toBe("True True\n");
  });

  test.each<
    [string, { room: number; others?: Readonly<Record<string, string>>; failover?: string; paused?: boolean }, string]
  >([
    ["7 MiB: to one that has room", { room: 7, others: { "store-2": "full", "store-3": "" } }, "store-3"],
    ["none, while all are full", { room: 0, others: { "store-2": "full", "store-3": "full" } }, "nobody"],
    ["none, and the other does not answer", { room: 0, others: { "store-2": "not reachable" } }, "nobody"],
    ["none, and a switchover is under way", { room: 0, others: { "store-2": "" }, failover: "asked" }, "nobody"],
    ["none, in a pause", { room: 0, others: { "store-2": "" }, paused: true }, "nobody"],
    ["8 MiB: not yet", { room: 8, others: { "store-2": "" } }, "nobody"],
  ])("a leader hands over by the room on its disk: %s", async (_, world, to) => {
    const { room, others = {}, failover = "", paused = false } = world;
    const stdout = await launched({
      "sitecustomize.py": `import os\nfrom types import SimpleNamespace as Is\nos.statvfs = lambda path: Is(f_bavail=${String(room)} * 256, f_frsize=4096)\n`,
      "patroni/ha.py": `from types import SimpleNamespace as Is
class Ha:
    cluster = Is(failover=${JSON.stringify(failover)})
    state_handler = Is(name="store-1")
    told = "nobody"
    def __init__(self):
        self.dcs = Is(manual_failover=self.tell)
    def tell(self, leader, candidate):
        self.told = candidate if leader == "store-1" else "wrong"
    def is_paused(self):
        return ${paused ? "True" : "False"}
    def get_failover_candidates(self, exclude):
        whys = ${JSON.stringify(others)}
        return [Is(name=name, why=why, tags={"full": True} if why == "full" else {}) for name, why in whys.items()]
    def fetch_nodes_statuses(self, members):
        return [Is(member=each, failover_limitation=lambda why=each.why: why or None) for each in members]
    def process_manual_failover_from_leader(self):
        return "as before"
`,
      "patroni/__main__.py": `from patroni.ha import Ha
class Patroni:
    tags = property(lambda self: {"own": 1})
def main():
    ha = Ha()
    print(ha.process_manual_failover_from_leader(), ha.told, Patroni().tags)
`,
    });
    expect(stdout).toBe(`as before ${to} {'own': 1, 'full': True}\n`);
  });

  test.each([
    ["is asked once if etcd answers", [true], 1, "True"],
    ["is asked again where an etcd ends in the same moment", [false, false, true], 3, "True"],
    ["is given up after three", [false, false, false, true], 3, "False"],
  ])("the leader's lock %s", async (_, answers, asked, released) => {
    const stdout = await launched({
      "patroni/dcs/etcd3.py": `class Etcd3:
    answers = [${answers.map((answer) => (answer ? "True" : "False")).join(", ")}]
    asked = 0

    def _delete_leader(self, leader):
        self.asked += 1
        return self.answers.pop(0)
`,
      "patroni/__main__.py":
        "from patroni.dcs.etcd3 import Etcd3\ndef main():\n    dcs = Etcd3()\n    print(dcs._delete_leader(None), dcs.asked)\n",
    });
    expect(stdout).toBe(`${released} ${String(asked)}\n`);
  });
});

describe("a server's start", () => {
  /** Its script in a folder of the test's own, with programs that write down how they were called. */
  async function start(
    name: string,
    { known = 0, version = "", more = {} }: { known?: number; version?: string; more?: Partial<Ask<"postgres">> } = {},
  ) {
    const { parts } = await made(more);
    const root = newFolder("member");
    mkdirSync(join(root, "data"));
    if (version !== "") {
      mkdirSync(join(root, "data/pgdata"));
      writeFileSync(join(root, "data/pgdata/PG_VERSION"), `${version}\n`);
    }
    writeFileSync(join(root, "data/.disk"), "");
    const script = (part(parts, name).prepare ?? "")
      .replaceAll("/var/lib/postgresql/data", join(root, "data"))
      .replaceAll("/tmp/patroni", join(root, "work"))
      .replace(/^while sleep.*$/m, "");
    const path = programs({
      python3: `exit ${String(known)}`,
      initdb: `for word; do case $word in --pgdata=*) mkdir -p "\${word#*=}"; echo 15 >"\${word#*=}/PG_VERSION" ;; esac; done; echo "initdb $*"`,
      postgres: `if [ "$1" = --describe-config ]; then printf 'output_plugin_libraries\\tsighup\\tx\\tSTRING\\tpgoutput\\t\\t\\n'; else echo "postgres (PostgreSQL) 15.20"; fi`,
    });
    const ended = shell(script, path);
    const own = join(root, "work/own.conf");
    return {
      ...ended,
      founded: ended.stdout.includes("initdb"),
      own: existsSync(own) ? readFileSync(own, "utf8") : "",
      whole: existsSync(join(root, "data/pgdata/PG_VERSION")),
    };
  }

  test("the first founds the cluster that etcd does not know, with checksums", async () => {
    const { status, founded, whole, stdout } = await start("store-1");
    expect({ status, founded, whole }).toEqual({ status: 0, founded: true, whole: true });
    expect(stdout).toContain("--data-checksums");
  });

  test("on a new disk it copies the cluster that etcd knows", async () => {
    expect(await start("store-1", { known: 3 })).toMatchObject({ status: 0, founded: false, whole: false });
  });

  test("it founds nothing while etcd does not answer", async () => {
    expect(await start("store-1", { known: 1 })).toMatchObject({ status: 1, founded: false });
  });

  test("no other member founds one", async () => {
    expect(await start("store-2")).toMatchObject({ status: 0, founded: false, whole: false });
  });

  test("one server's data are taken as they are", async () => {
    expect(await start("store-1", { version: "15" })).toMatchObject({ status: 0, founded: false, whole: true });
  });

  test.each(["store-1", "store-3"])("%s refuses a disk of another version", async (name) => {
    const { status, stderr } = await start(name, { version: "14" });
    expect(status).toBe(1);
    expect(stderr).toContain(`${name}: this disk is of PostgreSQL 14, the image has postgres (PostgreSQL) 15.20`);
  });

  test("output plugins join those that the server knows", async () => {
    const { own } = await start("store-2", { more: { outputPlugins: ["wal2json", "decoderbufs"] } });
    expect(own).toContain("output_plugin_libraries = 'pgoutput,wal2json,decoderbufs'");
    expect((await start("store-2")).own).not.toContain("output_plugin_libraries");
  });
});

describe("an etcd's start", () => {
  const line = (number: string, client = `https://store-etcd-${number}:2379`, state = "started") =>
    `a${number}, ${state}, ${state === "started" ? `store-etcd-${number}` : ""}, https://store-etcd-${number}:2380, ${client}, false`;

  async function start(list: readonly string[] | undefined, disk = false) {
    const { parts } = await made();
    const root = newFolder("etcd");
    writeFileSync(join(root, ".disk"), "");
    if (disk) mkdirSync(join(root, "etcd/member"), { recursive: true });
    const script = (part(parts, "store-etcd-2").prepare ?? "").replaceAll("/var/lib/etcd", root);
    const path = programs({
      etcdctl: `case "$*" in
  *'member list') ${list === undefined ? "exit 1" : `printf '%s\\n' ${list.map((each) => `'${each}'`).join(" ")}`} ;;
  *) echo "$*" ;;
esac`,
    });
    const { status, stdout } = shell(`${script}\necho "$@"`, path, ["etcd"]);
    return { status, said: stdout.split("\n") };
  }

  test("the first of all finds nobody, and the founders find themselves in the list before they have run", async () => {
    const founding = { status: 0, said: ["etcd --initial-cluster-state=new"] };
    expect(await start(undefined)).toEqual(founding);
    expect(await start([line("1"), line("2", ""), line("3", "")])).toEqual(founding);
  });

  test("a member with its disk is what it was", async () => {
    expect(await start([line("1"), line("2"), line("3")], true)).toEqual({
      ...{ status: 0, said: ["etcd --initial-cluster-state=new"] }, // etcd reads its disk, and not this
    });
  });

  test("on a new disk its former number is struck off, and it joins anew", async () => {
    const joins = "member add store-etcd-2 --peer-urls=https://store-etcd-2:2380";
    const existing = "etcd --initial-cluster-state=existing";
    expect((await start([line("1"), line("2"), line("3")])).said).toEqual(["member remove a2", joins, existing]);
    // It was interrupted after the first step, or after the second.
    expect((await start([line("1"), line("3")])).said).toEqual([joins, existing]);
    expect((await start([line("1"), line("2", "", "unstarted"), line("3")])).said).toEqual([existing]);
  });
});

describe("a server's health", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** What the check says of such answers, of a member that has been whole before or not. */
  async function check(answers: Readonly<Record<string, [number, string?]>>, joined = false) {
    const server = createServer(({ url = "" }, reply) => {
      const [status, body = ""] = answers[url] ?? [503];
      reply.writeHead(status).end(body);
    });
    servers.push(server);
    const { port } = await new Promise<AddressInfo>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        resolve(server.address() as AddressInfo);
      });
    });
    const folder = newFolder("health");
    if (joined) writeFileSync(join(folder, "joined"), "");
    const script = probe.replaceAll("8008", String(port)).replaceAll("/tmp/patroni", folder);
    const { exitCode } = await execa("bash", ["-c", script], { reject: false });
    return { exitCode, joined: existsSync(join(folder, "joined")) };
  }
  const running = '{"state": "running", "role": "replica"}';

  test("a member that starts leads, or copies whoever leads", async () => {
    const copies = { "/patroni": [200, running], "/readiness": [200] } as const;
    expect(await check({ "/patroni": [...copies["/patroni"]], "/readiness": [200] })).toEqual({
      ...{ exitCode: 0, joined: true },
    });
    expect(await check({ "/patroni": [200, running], "/readiness": [503] })).toEqual({ exitCode: 1, joined: false });
  });

  test("while nobody leads, members have to find each other: a server that answers is enough", async () => {
    const alone = '{"state": "running", "role": "replica", "cluster_unlocked": true}';
    expect(await check({ "/patroni": [200, alone] })).toEqual({ exitCode: 0, joined: false });
    const starting = '{"state": "starting", "role": "replica", "cluster_unlocked": true}';
    expect(await check({ "/patroni": [200, starting] })).toEqual({ exitCode: 1, joined: false });
  });

  test("later it is Patroni's rounds that count, and a server that has not failed to start", async () => {
    const recovering = '{"state": "starting", "role": "replica"}';
    expect(await check({ "/patroni": [200, recovering], "/liveness": [200] }, true)).toMatchObject({ exitCode: 0 });
    expect(await check({ "/patroni": [200, running], "/liveness": [503] }, true)).toMatchObject({ exitCode: 1 });
    const failed = '{"state": "start failed", "role": "replica"}';
    expect(await check({ "/patroni": [200, failed], "/liveness": [200] }, true)).toMatchObject({ exitCode: 1 });
  });
});

describe("other settings", () => {
  interface Now {
    readonly Member: string;
    readonly Role: string;
    readonly State: string;
    readonly "Pending restart"?: string;
  }
  const member = (name: string, leads = false, pending = true): Now => ({
    ...{ Member: name, Role: leads ? "Leader" : "Quorum Standby", State: leads ? "running" : "streaming" },
    ...(pending ? { "Pending restart": "*" } : {}),
  });

  /** Runs the job. `stays`: members that a restart does not help the first time. */
  function job(old: string, now: readonly Now[], stays: readonly string[] = []) {
    const root = newFolder("settings");
    writeFileSync(join(root, "asked.json"), '{"ttl": 8, "postgresql": {}}');
    writeFileSync(join(root, "old"), old);
    writeFileSync(join(root, "now"), JSON.stringify(now));
    writeFileSync(join(root, "stays"), stays.join("\n"));
    const path = programs({
      ...{ sleep: ":", seq: "echo 1 2 3" },
      etcdctl: `case "$*" in
  *'--print-value-only /service/store/config') cat ${root}/old ;;
  'put /service/store/config '*) printf %s "$3" >${root}/new ;;
  *--keys-only*) [ "$(cat ${root}/now)" = '[]' ] || echo a ;;
esac`,
      patronictl: `case $1 in
  list) cat ${root}/now ;;
  restart)
    echo "$3" >>${root}/restarted
    if grep -qx "$3" ${root}/stays; then sed -i "/^$3$/d" ${root}/stays; exit; fi
    jq -c --arg name "$3" 'map(if .Member == $name then del(."Pending restart") else . end)' ${root}/now >${root}/next
    mv ${root}/next ${root}/now ;;
esac`,
    });
    const script = settingsScript("store").replaceAll("/run/postgres", root).replaceAll("/tmp/why", `${root}/why`);
    const env = { ...process.env, PATH: `${path}:${process.env.PATH ?? ""}` };
    const { status, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", script], { env, encoding: "utf8" });
    const read = (name: string): string => (existsSync(join(root, name)) ? readFileSync(join(root, name), "utf8") : "");
    return { status, stderr, written: read("new"), restarted: read("restarted").split("\n").filter(Boolean) };
  }

  test("are there before the first server", () => {
    expect(job("", [])).toMatchObject({ status: 0, written: '{"ttl":8,"postgresql":{}}', restarted: [] });
  });

  test("leave what an application and the operator have added", () => {
    const old = '{"ttl":20,"pause":true,"slots":{"feed":{"type":"logical"}},"gone":1}';
    expect(JSON.parse(job(old, []).written)).toEqual({
      ...{ ttl: 8, postgresql: {}, pause: true, slots: { feed: { type: "logical" } } },
    });
    expect(job('{"postgresql":{},"ttl":8}', []).written).toBe("");
    expect(job('{"postgresql":{},"ttl":8,"slots":{"feed":{"type":"logical"}}}', []).written).toBe("");
    // The backup's slot goes with the backup.
    expect(JSON.parse(job('{"slots":{"archive":{"type":"physical"}}}', []).written)).toEqual({
      ttl: 8,
      postgresql: {},
    });
  });

  test("restart the replicas first, and only who needs it", () => {
    const now = [member("store-1", true), member("store-2"), member("store-3", false, false)];
    expect(job("{}", now)).toMatchObject({ status: 0, restarted: ["store-2", "store-1"] });
  });

  test("reach replicas a second time, where the leader has to be lower first", () => {
    const now = [member("store-1", true), member("store-2"), member("store-3")];
    expect(job("{}", now, ["store-2", "store-3"])).toMatchObject({
      ...{ status: 0, restarted: ["store-2", "store-3", "store-1", "store-2", "store-3"] },
    });
  });

  test("are an error if a member does not come back with them, and the leader is left alone", () => {
    const down = { Member: "store-2", Role: "Replica", State: "start failed", "Pending restart": "*" };
    const { status, stderr, restarted } = job("{}", [member("store-1", true), down]);
    expect({ status, restarted }).toEqual({ status: 1, restarted: [] });
    expect(stderr).toContain("a member does not come back with the new settings");
  });
});

test("a dump of a replica that has to give way is made by the leader", async () => {
  const { dumps } = await made();
  const path = programs({
    psql: `case "$*" in *-At) echo 10.0.0.9; exit ;; esac`,
    pg_dumpall: `echo "$PGHOST" >>"$SEEN"; [ "$PGHOST" = store-proxy ]`,
    backup: "cat >/dev/null; exit 9",
    cat: `[ $# = 0 ] && exec /bin/cat; echo word`,
  });
  const seen = join(newFolder("dump"), "seen");
  const env = { ...process.env, SEEN: seen, PATH: `${path}:${process.env.PATH ?? ""}` };
  spawnSync("bash", ["-euo", "pipefail", "-c", dumps[0]?.dump ?? ""], { env });
  expect(readFileSync(seen, "utf8").trim().split("\n")).toEqual(["10.0.0.9", "store-proxy"]);
});
